//! Other verifiers that may accept a rejected request.

use std::sync::Arc;

use crate::{
    outcome::{cause::Cause, explanation::Finding},
    verifier::{probe::Probe, verifier::Verifier},
};

/// Another verifier, whose type is erased.
#[derive(Clone)]
pub(crate) struct Other {
    name: Arc<str>,
    probe: Arc<ProbeOther>,
}

type ProbeOther = dyn Fn(&mut Probe<'_>, Finding) + Send + Sync;

impl Other {
    pub(crate) fn new<V>(name: Arc<str>, verifier: V) -> Self
    where
        V: Verifier,
    {
        let probe =
            move |probe: &mut Probe<'_>, finding: Finding| probe.verifier(finding, &verifier);
        Self { name, probe: Arc::new(probe) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn probe(&self, probe: &mut Probe<'_>) {
        let finding = Finding::proven(Cause::SecretOfAnother).for_operator();
        (self.probe)(probe, finding.with_detail(format!("it is the one of {:?}", self.name)));
    }
}

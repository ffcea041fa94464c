//! Other verifiers that may accept a rejected request.

use std::sync::Arc;

use http::request::Parts;

use crate::{
    outcome::{cause::Cause, explanation::Finding},
    verifier::{probe::Probe, verifier::Verifier},
};

/// Another verifier, whose type is erased.
pub(crate) struct Other {
    name: Arc<str>,
    probe: Box<ProbeOther>,
}

type ProbeOther = dyn Fn(&mut Probe<'_>, Finding, &Parts) + Send + Sync;

impl Other {
    pub(crate) fn new(name: Arc<str>, verifier: impl Verifier) -> Self {
        let probe = move |probe: &mut Probe<'_>, finding: Finding, unsigned: &Parts| {
            probe.other(finding, &verifier, unsigned);
        };
        Self { name, probe: Box::new(probe) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tries the verifier. `unsigned` is the head of the request without its signature.
    pub(crate) fn probe(&self, probe: &mut Probe<'_>, unsigned: &Parts) {
        let finding = Finding::proven(Cause::SecretOfAnother).for_operator();
        let finding = finding.with_detail(format!("it is for {:?}", self.name));
        (self.probe)(probe, finding, unsigned);
    }
}

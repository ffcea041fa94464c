//! Other verifiers that may accept a rejected request.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::{
    outcome::{cause::Cause, explanation::Finding},
    panic::catch_panic,
    verifier::{context::Context, probe::Probe, verifier::Verifier},
};

/// Another verifier, whose type is erased.
pub(crate) struct Other {
    name: Arc<str>,
    probe: Box<ProbeOther>,
}

type ProbeOther = dyn Fn(&mut Probe<'_>, Finding) + Send + Sync;

impl Other {
    pub(crate) fn new(name: Arc<str>, verifier: impl Verifier) -> Self {
        let probe = move |probe: &mut Probe<'_>, finding: Finding| {
            if !accepts_anything(&verifier, probe) {
                probe.verifier(finding, &verifier);
            }
        };
        Self { name, probe: Box::new(probe) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn probe(&self, probe: &mut Probe<'_>) {
        let finding = Finding::proven(Cause::SecretOfAnother).for_operator();
        let finding = finding.with_detail(format!("it is the one of {:?}", self.name));
        // A bug in another verifier must not keep the cause from being found.
        let _ = catch_panic(|| (self.probe)(probe, finding));
    }
}

/// Returns whether the verifier accepts a request without any content. It then compares no
/// signature, and proves nothing.
fn accepts_anything(verifier: &impl Verifier, probe: &mut Probe<'_>) -> bool {
    let (head, ()) = Request::new(()).into_parts();
    let clock = probe.clock();
    probe.is_open() && probe.judge(verifier, &Context::new(&head).at(clock), &Bytes::new()).is_ok()
}

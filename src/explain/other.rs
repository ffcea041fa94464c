//! Other verifiers that may accept a rejected request.

use std::sync::Arc;

use bytes::Bytes;
use http::{Uri, request::Parts};

use crate::{
    outcome::{cause::Cause, explanation::Finding},
    panic::catch_panic,
    verifier::{context::Context, probe::Probe, sensitive::SensitiveParts, verifier::Verifier},
};

/// Another verifier, whose type is erased.
pub(crate) struct Other {
    name: Arc<str>,
    probe: Box<ProbeOther>,
}

type ProbeOther = dyn Fn(&mut Probe<'_>, &Parts, Finding) + Send + Sync;

impl Other {
    pub(crate) fn new(name: Arc<str>, verifier: impl Verifier) -> Self {
        let probe = move |probe: &mut Probe<'_>, unsigned: &Parts, finding: Finding| {
            if !accepts(&verifier, unsigned, probe) {
                probe.verifier(finding, &verifier);
            }
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
        // A bug in another verifier must not keep the cause from being found.
        let _ = catch_panic(|| (self.probe)(probe, unsigned, finding));
    }
}

/// Returns the head of a request without what its verifier reads: the headers that hold a secret or
/// a signature, the path and the query.
pub(crate) fn unsigned(head: &Parts, parts: &SensitiveParts) -> Parts {
    let mut unsigned = head.clone();
    unsigned.uri = Uri::from_static("/");
    for name in parts.headers() {
        unsigned.headers.remove(name);
    }
    unsigned
}

/// Returns whether the verifier accepts the request without its signature and its body. It then reads
/// something else, such as a token of a gateway, and says nothing about the signature.
fn accepts(verifier: &impl Verifier, unsigned: &Parts, probe: &mut Probe<'_>) -> bool {
    let clock = probe.clock();
    probe.is_open()
        && probe.judge(verifier, &Context::new(unsigned).at(clock), &Bytes::new()).is_ok()
}

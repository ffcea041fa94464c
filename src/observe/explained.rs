//! The explanation of a rejection, for its events.

use std::sync::OnceLock;

use crate::{
    observe::summary::Summary,
    outcome::{
        cause::Cause,
        explanation::{Explanation, Finding},
    },
};

/// The explanation of a request's rejection, once there is one.
pub(crate) struct Explained(OnceLock<Explanation>);

impl Explained {
    pub(crate) const fn none() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn set(&self, explanation: Explanation) {
        let _ = self.0.set(explanation);
    }

    pub(crate) fn get(&self) -> Option<&Explanation> {
        self.0.get()
    }

    /// Returns the name of the first cause.
    pub(crate) fn cause(&self) -> Option<&'static str> {
        Some(self.get()?.first()?.cause().as_str())
    }

    /// Returns the name of the first cause, if it is proven. Strangers can make all others.
    pub(crate) fn proven(&self) -> Option<&'static str> {
        self.get()?.proven().map(Cause::as_str)
    }

    /// Returns the findings for the operator.
    #[allow(dead_code, reason = "log lines ask for it")]
    pub(crate) fn summary(&self) -> Option<Summary> {
        summary(self.get()?.findings().iter())
    }

    /// Returns the findings without those that name other tenants or layers.
    #[allow(dead_code, reason = "rows of the delivery log ask for it")]
    pub(crate) fn summary_for_tenant(&self) -> Option<Summary> {
        summary(self.get()?.findings().iter().filter(|finding| !finding.is_for_operator()))
    }
}

#[allow(dead_code, reason = "log lines and rows ask for it")]
fn summary<'a>(mut findings: impl Iterator<Item = &'a Finding>) -> Option<Summary> {
    let first = findings.next()?;
    let others: Vec<_> = findings.map(|finding| finding.cause().as_str()).collect();
    Some(Summary {
        cause: first.cause().as_str(),
        strength: first.strength().as_str(),
        finding: first.to_string(),
        fix: first.cause().fix(),
        guide: first.cause().anchor(),
        others: Some(others.join(",")).filter(|others| !others.is_empty()),
    })
}

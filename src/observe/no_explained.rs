//! Replacement for `explained.rs` without the feature `explain`: nothing is explained.

use crate::observe::summary::Summary;

pub(crate) struct Explained;

#[allow(dead_code, reason = "log lines and rows ask for it")]
impl Explained {
    pub(crate) const fn none() -> Self {
        Self
    }

    pub(crate) const fn cause(&self) -> Option<&'static str> {
        None
    }

    pub(crate) const fn proven(&self) -> Option<&'static str> {
        None
    }

    pub(crate) const fn summary(&self) -> Option<Summary> {
        None
    }

    pub(crate) const fn summary_for_tenant(&self) -> Option<Summary> {
        None
    }
}

//! The result of an explanation in a few words, for log lines and rows.

use std::fmt;

/// The first finding of an explanation, and the names of the others.
#[allow(dead_code, reason = "log lines and rows ask for it")]
pub(crate) struct Summary {
    pub(crate) cause: &'static str,
    pub(crate) strength: &'static str,
    pub(crate) finding: String,
    pub(crate) fix: &'static str,
    pub(crate) guide: &'static str,
    /// Causes of the other findings, with commas between them.
    pub(crate) others: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { strength, finding, fix, others, .. } = self;
        write!(f, "{finding} ({strength}); fix: {fix}")?;
        others.as_ref().map_or(Ok(()), |others| write!(f, "; also: {others}"))
    }
}

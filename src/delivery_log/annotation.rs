//! The cause of a rejection, for its row.

use crate::{delivery_log::text::clean, observe::summary::Summary};

/// Maximum length of an explanation in bytes: a few sentences.
const MAX_EXPLANATION: usize = 1024;

/// Cause of a rejection that was explained after its row had been written; see
/// [`LogStore::annotate`](super::LogStore::annotate).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Annotation {
    /// Value for [`Entry::cause`](super::Entry::cause).
    pub cause: String,
    /// Value for [`Entry::explanation`](super::Entry::explanation).
    pub explanation: String,
}

impl Annotation {
    pub(crate) fn new(summary: &Summary) -> Self {
        let explanation = clean(&summary.to_string(), MAX_EXPLANATION);
        Self { cause: summary.cause.to_owned(), explanation }
    }

    /// Returns the number of bytes by which the row grows.
    #[allow(dead_code, reason = "databases ask for it")]
    pub(crate) fn len(&self) -> usize {
        self.cause.len() + self.explanation.len()
    }
}

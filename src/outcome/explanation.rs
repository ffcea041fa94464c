//! Explanation of a rejection.

use std::{borrow::Cow, fmt};

use crate::outcome::{cause::Cause, kind::RejectionKind};

/// Certainty of a [`Finding`]. The order is that of [`Explanation::findings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Strength {
    /// The received signature is valid for a changed request or configuration. Only a holder of the
    /// secret can have made it.
    ///
    /// If the secret is easy to guess, or published, that is anyone.
    ///
    /// This does not show that the request is harmless: a captured request with a changed body is
    /// explained in the same way.
    Proven,
    /// A fact that points to a cause.
    Clue,
    /// The received signature is valid under a key that everyone knows or can guess, so anyone can have made it.
    ByAnyone,
}

impl Strength {
    /// Returns the stable name: `proven`, `clue` or `by_anyone`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Clue => "clue",
            Self::ByAnyone => "by_anyone",
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cause of a rejection, and how certain it is.
///
/// It has no byte of a secret, a key, a signature or a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    cause: Cause,
    strength: Strength,
    detail: Cow<'static, str>,
    for_operator: bool,
}

impl Finding {
    /// Creates a finding for a variant that is [tried](crate::explain::Probe::verifier): it is kept
    /// if the variant accepts the request.
    #[must_use]
    pub const fn proven(cause: Cause) -> Self {
        Self::new(cause, Strength::Proven)
    }

    /// Creates a finding for a fact that points to a cause.
    #[must_use]
    pub const fn clue(cause: Cause) -> Self {
        Self::new(cause, Strength::Clue)
    }

    /// Creates a finding for a variant whose key everyone knows.
    #[must_use]
    pub const fn by_anyone(cause: Cause) -> Self {
        Self::new(cause, Strength::ByAnyone)
    }

    const fn new(cause: Cause, strength: Strength) -> Self {
        Self { cause, strength, detail: Cow::Borrowed(""), for_operator: false }
    }

    /// Adds a sentence with the details. **It must have no byte of a secret, a signature or a
    /// body**: it is logged.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Marks a finding that names another tenant or another layer. It is for the operator alone.
    #[must_use]
    pub const fn for_operator(mut self) -> Self {
        self.for_operator = true;
        self
    }

    /// Marks a finding whose key can be guessed.
    pub(crate) const fn made_by_anyone(mut self) -> Self {
        self.strength = Strength::ByAnyone;
        self
    }

    /// Returns the cause.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// Returns how certain the finding is.
    #[must_use]
    pub const fn strength(&self) -> Strength {
        self.strength
    }

    /// Returns the details, or an empty string.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns whether the finding names another tenant or another layer. Do not show it to a
    /// tenant.
    #[must_use]
    pub const fn is_for_operator(&self) -> bool {
        self.for_operator
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause.description())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// Explanation of a rejection: the causes that were found, and the effort.
///
/// It never accepts a request: there is no way from an explanation to a
/// [`Verified`](crate::Verified). Remove the cause; do not accept the changed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub(crate) provider: &'static str,
    pub(crate) rejection: Option<RejectionKind>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) is_complete: bool,
    pub(crate) tried: u32,
    pub(crate) hashed: u64,
}

impl Explanation {
    /// Returns the provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Returns the reason for the rejection, or `None` if the verifier accepts the request.
    #[must_use]
    pub const fn rejection(&self) -> Option<RejectionKind> {
        self.rejection
    }

    /// Returns whether the verifier accepts the request, so that there is nothing to explain.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.rejection.is_none()
    }

    /// Returns the findings: proven ones first, then clues, then those that anyone can produce.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the first finding.
    #[must_use]
    pub fn first(&self) -> Option<&Finding> {
        self.findings.first()
    }

    /// Returns the cause that is proven, if one is.
    #[must_use]
    pub fn proven(&self) -> Option<Cause> {
        self.findings.first().filter(|it| it.strength == Strength::Proven).map(Finding::cause)
    }

    /// Returns whether the search ended by itself: all single changes were tried, or one is proven.
    /// Returns `false` if the [effort](crate::explain::Effort) was spent before.
    ///
    /// Of the pairs of changes, only the likeliest are tried.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the number of variants that were tried.
    #[must_use]
    pub const fn tried(&self) -> u32 {
        self.tried
    }

    /// Returns the number of body bytes that were hashed.
    #[must_use]
    pub const fn hashed(&self) -> u64 {
        self.hashed
    }

    /// Returns the explanation without the findings that are [for the
    /// operator](Finding::is_for_operator), for the tenant's own pages.
    #[must_use]
    pub fn for_tenant(mut self) -> Self {
        self.findings.retain(|finding| !finding.for_operator);
        self
    }
}

/// Writes one line for the result, and two for each finding: what was found, and the fix.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = self.rejection else {
            return write!(f, "{}: the request is accepted", self.provider);
        };
        let effort = if self.is_complete { "" } else { ", not all" };
        write!(f, "{}: {}, {} variants tried{effort}", self.provider, kind.as_str(), self.tried)?;
        for finding in &self.findings {
            let (cause, strength) = (finding.cause, finding.strength);
            write!(f, "\n  {cause} ({strength}): {finding}")?;
            write!(f, "\n    fix: {}; guide: {}", cause.fix(), cause.anchor())?;
        }
        Ok(())
    }
}

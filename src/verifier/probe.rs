//! Search for a variant of a request or a verifier that fits the received signature.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Uri, request::Parts};

use crate::{
    outcome::{
        explanation::{Finding, Strength},
        rejection::Rejection,
    },
    panic::catch_panic,
    parse::clock::{Clock, steady},
    verifier::{context::Context, outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier},
};

/// Limits of one explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effort {
    /// Bytes of bodies that are hashed. A verifier with several secrets hashes them for each.
    pub max_hashed: u64,
    /// Variants that are tried.
    pub max_variants: u32,
    /// Time that may pass. It is checked before each variant, except for the first 32 of small
    /// bodies: a busy machine tries these, too.
    pub max_time: Duration,
}

impl Effort {
    /// 16 MiB, 512 variants, 50 ms.
    pub const DEFAULT: Self =
        Self { max_hashed: 16 << 20, max_variants: 512, max_time: Duration::from_millis(50) };
}

/// Variants that are tried even if the time is over, while less than a MiB has been hashed.
const ALWAYS_TRIED: u32 = 32;
const ALWAYS_HASHED: u64 = 1 << 20;

/// A search for the cause of a rejection, which is passed to [`Verifier::explain`].
///
/// A verifier calls [`verifier`](Self::verifier) with each variant of itself that its user may have
/// meant, likeliest first. The search ends with the first variant that accepts the request, or when
/// the [effort](Effort) is spent. All methods do nothing after that.
pub struct Probe<'a> {
    head: &'a Parts,
    body: &'a Bytes,
    clock: &'a Clock,
    effort: Effort,
    hides_url: bool,
    is_nested: bool,
    start: Duration,
    tried: u32,
    hashed: u64,
    is_spent: bool,
    findings: Vec<Finding>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(request: &Context<'a>, body: &'a Bytes, effort: Effort) -> Self {
        Self {
            head: request.head(),
            body,
            clock: request.clock(),
            effort,
            hides_url: false,
            is_nested: false,
            start: steady(),
            tried: 0,
            hashed: 0,
            is_spent: false,
            findings: Vec::new(),
        }
    }

    /// Returns the head of the request.
    #[must_use]
    pub const fn head(&self) -> &'a Parts {
        self.head
    }

    /// Returns the body of the request, as received.
    #[must_use]
    pub const fn body(&self) -> &'a Bytes {
        self.body
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &'a Clock {
        self.clock
    }

    /// Returns whether the URL holds a secret, so that no finding may show its path.
    #[must_use]
    pub const fn hides_url(&self) -> bool {
        self.hides_url
    }

    /// Returns whether the request has been changed for this search. Unlikely variants are not tried
    /// then.
    #[allow(dead_code, reason = "tenants ask for it")]
    pub(crate) const fn is_nested(&self) -> bool {
        self.is_nested
    }

    pub(crate) const fn hide_url(&mut self, hides: bool) {
        self.hides_url = hides;
    }

    /// Continues the search at another time.
    pub(crate) const fn set_clock(&mut self, clock: &'a Clock) {
        self.clock = clock;
    }

    /// Counts bytes that are hashed outside of a verifier.
    pub(crate) fn count_hashed(&mut self, bytes: usize) {
        self.hashed = self.hashed.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Returns whether the search goes on: nothing is proven, and the effort is not spent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_spent && !self.is_proven()
    }

    /// Adds a fact that points to a cause. Each cause is added once.
    pub fn clue(&mut self, finding: Finding) {
        let is_known = |known: &Finding| {
            known.cause() == finding.cause() && known.strength() == finding.strength()
        };
        if finding.strength() != Strength::Proven && !self.findings.iter().any(is_known) {
            self.findings.push(finding);
        }
    }

    /// Tries a variant of the verifier: keeps the finding if the variant accepts the request.
    ///
    /// Pass variants that a user could have configured. A variant that accepts a request without
    /// comparing its signature makes the finding a lie.
    pub fn verifier<V: Verifier + ?Sized>(&mut self, finding: Finding, variant: &V) {
        self.verifier_of(vec![finding], variant);
    }

    /// Tries a variant that differs in several things: keeps a finding for each.
    pub(crate) fn verifier_of<V: Verifier + ?Sized>(&mut self, of: Vec<Finding>, variant: &V) {
        self.request_of(of, variant, self.head, self.body);
    }

    /// Tries the verifier with a changed request: keeps the finding if the verifier accepts it.
    pub fn request<V: Verifier + ?Sized>(
        &mut self,
        finding: Finding,
        verifier: &V,
        head: &Parts,
        body: &Bytes,
    ) {
        self.request_of(vec![finding], verifier, head, body);
    }

    /// Tries a request that differs in several things: keeps a finding for each.
    pub(crate) fn request_of<V: Verifier + ?Sized>(
        &mut self,
        of: Vec<Finding>,
        verifier: &V,
        head: &Parts,
        body: &Bytes,
    ) {
        if self.is_open() && self.has_effort_for(body) {
            let request = Context::new(head).at(self.clock);
            if let Ok(_outcome) = self.judge(verifier, &request, body) {
                self.findings.extend(of);
            }
        }
    }

    /// Returns the head of the request without what a verifier with these parts reads: the headers
    /// that hold a secret or a signature, the path and the query.
    pub(crate) fn unsigned(&self, parts: &SensitiveParts) -> Parts {
        let mut unsigned = self.head.clone();
        unsigned.uri = Uri::from_static("/");
        for name in parts.headers() {
            unsigned.headers.remove(name);
        }
        unsigned
    }

    /// Tries the verifier of another endpoint or tenant, which may be of another kind.
    ///
    /// It says nothing if it also accepts the request without the signature and the body: it then
    /// reads something else, such as a token of a gateway.
    pub(crate) fn other<V: Verifier + ?Sized>(
        &mut self,
        finding: Finding,
        verifier: &V,
        unsigned: &Parts,
    ) {
        // A bug in another verifier must not keep the cause from being found.
        let _ = catch_panic(|| {
            let request = Context::new(unsigned).at(self.clock);
            if self.is_open() && self.judge(verifier, &request, &Bytes::new()).is_err() {
                self.verifier(finding, verifier);
            }
        });
    }

    /// Judges a request, and counts the effort.
    pub(crate) fn judge<V: Verifier + ?Sized>(
        &mut self,
        verifier: &V,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.tried += 1;
        let mut state = verifier.begin(request)?;
        self.count_hashed(body.len());
        verifier.update(&mut state, body);
        verifier.finish(&mut state, request, body)
    }

    fn has_effort_for(&mut self, body: &Bytes) -> bool {
        let hashed = self.hashed.saturating_add(u64::try_from(body.len()).unwrap_or(u64::MAX));
        let is_within = hashed <= self.effort.max_hashed
            && self.tried < self.effort.max_variants
            && (self.tried < ALWAYS_TRIED && self.hashed < ALWAYS_HASHED
                || steady().saturating_sub(self.start) <= self.effort.max_time);
        self.is_spent |= !is_within;
        is_within
    }

    /// Runs a search with another body, of at most so many variants. A proof is then one of both
    /// causes, and the finding about the body is the first.
    pub(crate) fn with_body(
        &mut self,
        body: &Bytes,
        of_body: Finding,
        max_variants: u32,
        search: impl FnOnce(&mut Probe<'_>),
    ) {
        self.nested(self.head, body, max_variants, Some(of_body), search);
    }

    /// Runs a search with another head, of at most so many variants.
    pub(crate) fn with_head(
        &mut self,
        head: &Parts,
        of_head: Option<Finding>,
        max_variants: u32,
        search: impl FnOnce(&mut Probe<'_>),
    ) {
        self.nested(head, self.body, max_variants, of_head, search);
    }

    fn nested(
        &mut self,
        head: &Parts,
        body: &Bytes,
        max_variants: u32,
        of_change: Option<Finding>,
        search: impl FnOnce(&mut Probe<'_>),
    ) {
        if !self.is_open() {
            return;
        }
        let limit = self.tried.saturating_add(max_variants).min(self.effort.max_variants);
        let request = Context::new(head).at(self.clock);
        let mut inner = Probe::new(&request, body, Effort { max_variants: limit, ..self.effort });
        // The effort is that of the whole search.
        (inner.start, inner.tried, inner.hashed) = (self.start, self.tried, self.hashed);
        inner.hide_url(self.hides_url);
        inner.is_nested = true;
        search(&mut inner);
        (self.tried, self.hashed) = (inner.tried, inner.hashed);
        // Its own limit of variants does not end the whole search.
        let has_own_end = self.tried == limit && limit < self.effort.max_variants;
        self.is_spent |= inner.is_spent && !has_own_end;
        if inner.is_proven() {
            self.findings.extend(of_change);
        }
        for finding in inner.findings {
            if is_proof(&finding) { self.findings.push(finding) } else { self.clue(finding) }
        }
    }

    fn is_proven(&self) -> bool {
        self.findings.iter().any(is_proof)
    }

    /// Returns the findings in the order of their strength, whether the search ended by itself, and
    /// the numbers of variants and of bytes.
    pub(crate) fn finish(mut self) -> (Vec<Finding>, bool, u32, u64) {
        let is_complete = !self.is_spent || self.is_proven();
        self.findings.sort_by_key(Finding::strength);
        // A proof replaces the clue of its cause.
        let proven: Vec<_> = self.findings.iter().filter(|it| is_proof(it)).cloned().collect();
        self.findings.retain(|finding| {
            is_proof(finding) || !proven.iter().any(|proof| proof.cause() == finding.cause())
        });
        (self.findings, is_complete, self.tried, self.hashed)
    }
}

/// Shows the effort and the findings, and nothing of the request.
impl fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Probe");
        debug.field("tried", &self.tried).field("hashed", &self.hashed);
        debug.field("findings", &self.findings).finish_non_exhaustive()
    }
}

fn is_proof(finding: &Finding) -> bool {
    finding.strength() == Strength::Proven
}

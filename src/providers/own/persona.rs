//! Persona webhooks.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Request, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    outcome::rejection::Rejection,
    parse::{headers::required, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        combine::one_of, context::Context, defaults::VerifierDefaults, outcome::Outcome,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

const HEADER: &str = "persona-signature";

/// Maximum number of sets in one request. Each set costs a hash of the body for each secret.
const MAX_SETS: usize = 4;

/// Persona webhooks: HMAC-SHA256 of time and body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Persona};
///
/// let layer = SignatureLayer::new(Persona::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `persona-signature: t=<seconds>,v1=<hex>` |
/// | algorithm | HMAC-SHA256; the key is the secret string |
/// | signed content | `<time>.<body>` |
/// | tolerance | 24 hours back, 5 minutes ahead |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - During a rotation, the header has two sets with a space between them, one for each secret.
///   Each set signs its own time. One valid set is enough.
/// - The tolerance is this long because a retry may carry the first attempt's time. Without a
///   replay guard, turned on by `guard_body_only`, a captured delivery can be sent again within
///   this window.
/// - The replay key depends only on the body, so a replay with only one of two sets is not a new
///   delivery.
///
/// # Evidence
///
/// Vendor's documentation: <https://docs.withpersona.com/docs/webhooks-best-practices>.
///
#[doc = crate::providers::macros::page!(Persona)]
#[derive(Clone, Debug)]
pub struct Persona(SchemeVerifier);

registered! {
    Persona = "persona";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries();
    signature: SCHEME;
    "persona": Secret timed, p => Persona::new(p.secrets);
}

impl Persona {
    /// The signature scheme of one set.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256(HEADER)
            .provider("persona")
            .signature_format(SignatureFormat::pairs("t", "v1"))
            .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
            .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
    );

    scheme_methods!(timed);
}

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct PersonaState(Vec<(Parts, SchemeState)>);

/// Returns a head for each set, so that no set can use the time of another.
fn sets(head: &Parts) -> Result<Vec<Parts>, Rejection> {
    let sets: Vec<_> = required(head, HEADER)?.split(|byte| *byte == b' ').collect();
    if sets.len() > MAX_SETS {
        return Err(Rejection::malformed(HEADER));
    }
    let alone = |set| {
        let value = HeaderValue::from_bytes(set).map_err(|_| Rejection::malformed(HEADER))?;
        let (mut head, ()) = Request::new(()).into_parts();
        head.headers.insert(HEADER, value);
        Ok(head)
    };
    sets.into_iter().map(alone).collect()
}

impl Verifier for Persona {
    type State = PersonaState;

    fn begin(&self, request: &Context<'_>) -> Result<PersonaState, Rejection> {
        let mut begun = Vec::new();
        let mut refused = None;
        for set in sets(request.head())? {
            match self.0.begin(&request.with_head(&set)) {
                Ok(state) => begun.push((set, state)),
                Err(rejection) => refused = refused.or(Some(rejection)),
            }
        }
        match refused {
            Some(rejection) if begun.is_empty() => Err(rejection),
            _ => Ok(PersonaState(begun)),
        }
    }

    fn update(&self, state: &mut PersonaState, chunk: &[u8]) {
        for (_, state) in &mut state.0 {
            self.0.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut PersonaState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let sets = state.0.iter_mut();
        let verdicts = sets.map(|(set, state)| {
            let outcome = self.0.finish(state, &request.with_head(set), body);
            // Persona has no challenge.
            outcome.map(|outcome| outcome.verified().clone())
        });
        // Use the set that is accepted longest: a replay guard must know the body until then.
        let mut refused = None;
        let accepted = verdicts.filter_map(|verdict| {
            let keep = |why| {
                refused = Some(match refused.take() {
                    Some(first) => one_of(first, why),
                    None => why,
                });
            };
            verdict.map_err(keep).ok()
        });
        let longest =
            accepted.reduce(
                |longest, other| {
                    if other.valid_for() > longest.valid_for() { other } else { longest }
                },
            );
        let verified = longest.ok_or_else(|| refused.unwrap_or(Rejection::mismatch()))?;
        Ok(verified.with_replay_material(&Sha256::digest(body)).into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        for set in sets(probe.head()).unwrap_or_default() {
            probe.with_head(&set, None, u32::MAX, |probe| self.0.explain(probe));
        }
    }
}

sign_as!(Persona, self => &self.0);

impl fmt::Debug for PersonaState {
    /// Writes the type without the sets, which are signatures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonaState").finish_non_exhaustive()
    }
}

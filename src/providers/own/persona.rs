use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Request, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    outcome::rejection::Rejection,
    parse::{headers::required, timestamp::TimestampFormat},
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
        verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        combine::one_of, context::Context, defaults::VerifierDefaults, outcome::Outcome,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

const HEADER: &str = "persona-signature";

/// Most sets in one request: each costs a hash of the body for each secret.
const MAX_SETS: usize = 4;

/// Persona.
///
/// | | |
/// |---|---|
/// | header | `Persona-Signature: t=<seconds>,v1=<hex>`; while a secret is rotated two such sets with a space between them, one by each secret |
/// | algorithm | HMAC-SHA256; key: the secret as it is |
/// | signed content | `<time>.<body>`, with the time of the same set |
/// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
/// | delivery id | none known |
/// | challenge | none |
/// | status | 403 |
/// | retries | for an unknown time; whether each is signed anew is unknown |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's documentation: <https://docs.withpersona.com/docs/webhooks-best-practices> |
///
/// One good set is enough. The replay key is made of the body alone, so that whoever leaves out one
/// of two sets does not make a new delivery.
#[derive(Clone, Debug)]
pub struct Persona(SchemeVerifier);

impl Persona {
    /// How one set is signed.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::hmac_sha256(HEADER)
            .provider("persona")
            .signature_format(SignatureFormat::pairs("t", "v1"))
            .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
            .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
    );

    scheme_methods!(timed);
}

/// Carried from the head to the end of the body.
#[doc(hidden)]
pub struct PersonaState(Vec<(Parts, SchemeState)>);

/// Heads that hold one set each: a set's time can then be no other set's.
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
            // There is no challenge.
            outcome.map(|outcome| outcome.verified().clone())
        });
        // The set that is accepted longest: a replay guard must know the body until then.
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
}

sign_as!(Persona, self => &self.0);

impl fmt::Debug for PersonaState {
    /// Without the sets, which are signatures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonaState").finish_non_exhaustive()
    }
}

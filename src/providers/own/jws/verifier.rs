//! Verifier of detached signatures by the rules of a provider.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        jws::{DetachedJws, JwsAlgorithm},
        public_key::PublicKey,
    },
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{
        headers::{optional, required},
        tolerance::Tolerance,
    },
    providers::own::jws::rules::{Payload, Rules, Time, beginnings, malformed},
    scheme::{asymmetric::PublicKeys, public_url::PublicUrl},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

/// Verifier of a provider by its [`Rules`].
#[derive(Clone)]
pub(crate) struct JwsVerifier(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) rules: &'static Rules,
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) url: Option<PublicUrl>,
    /// Parameters of the signature that must have these texts.
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) tolerance: Option<Tolerance>,
}

impl JwsVerifier {
    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn empty(rules: &'static Rules) -> Self {
        let (keys, parameters) = (Vec::new(), Vec::new());
        Self(Arc::new(Inner { rules, keys, url: None, parameters, tolerance: None }))
    }

    /// Sets the public keys, of which there must be 1 to 16 of the provider's algorithms.
    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        let algorithms = self.0.rules.algorithms.iter().map(|algorithm| algorithm.of_key());
        let keys = PublicKeys::checked(&algorithms.collect::<Vec<_>>(), keys)?;
        Ok(self.change(|inner| inner.keys = keys))
    }

    pub(crate) fn with_url(self, url: PublicUrl) -> Self {
        self.change(|inner| inner.url = Some(url))
    }

    pub(crate) fn with_parameter(self, name: &'static str, value: &str) -> Self {
        self.change(|inner| inner.parameters.push((name, value.to_owned())))
    }

    pub(crate) fn with_tolerance(self, tolerance: Tolerance) -> Self {
        self.change(|inner| inner.tolerance = Some(tolerance))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Checks the parameters of a signature that the verifier's settings demand.
    fn check_parameters(&self, jws: &DetachedJws<'_>) -> Result<(), Rejection> {
        for (name, wanted) in &self.0.parameters {
            let found = jws.parameter(name).map_err(|_| malformed(name))?;
            let found = found.ok_or(Rejection::missing_in(Field::jwt(name)))?;
            if found.into_text().as_deref() != Some(wanted) {
                return Err(Rejection::mismatch().with_field(Field::jwt(name)));
            }
        }
        Ok(())
    }

    /// Returns the proof of the head: the time and the delivery's ID.
    fn proof(&self, jws: &DetachedJws<'_>, request: &Context<'_>) -> Result<Verified, Rejection> {
        let rules = self.0.rules;
        let mut proof = Verified::new(rules.defaults.provider());
        let time = match rules.time {
            Some(place) => {
                let is_needed = self.0.tolerance.is_some();
                place.of(jws, request.head(), is_needed)?.map(|time| (place, time))
            }
            None => None,
        };
        match (time, self.0.tolerance) {
            (Some((place, time)), Some(tolerance)) => {
                let judged = tolerance.judge(time, request.clock());
                judged.map_err(|why| place.locate(why))?.record(&mut proof);
            }
            (Some((_, time)), None) => proof.signed_at = time.to_system_time(),
            (None, _) => {}
        }
        if let Some(name) = rules.delivery_id
            && optional(request.head(), name)?.is_some()
            && let Some(id) = request.head().headers.get(name)
        {
            proof = proof.with_delivery_id(id.clone(), false);
        }
        Ok(proof)
    }
}

/// State of a verification: what the head says, before the body is there.
#[doc(hidden)]
pub struct JwsState {
    /// The header of the signature in base64url.
    protected: String,
    signature: Vec<u8>,
    algorithm: JwsAlgorithm,
    has_raw_payload: bool,
    /// Beginnings of the payload, of which one must be right.
    beginnings: Vec<Vec<u8>>,
    proof: Verified,
}

impl JwsState {
    /// Returns the signed content with this beginning.
    fn content(&self, beginning: &[u8], payload: Payload, body: &[u8]) -> Vec<u8> {
        let mut content = format!("{}.", self.protected);
        if self.has_raw_payload {
            return [content.as_bytes(), beginning, body].concat();
        }
        // A body may be large: as few copies as possible.
        match payload {
            Payload::Body => URL_SAFE_NO_PAD.encode_string(body, &mut content),
            Payload::Request => {
                URL_SAFE_NO_PAD.encode_string([beginning, body].concat(), &mut content);
            }
            Payload::TimeAndBody => {
                let text = [beginning, URL_SAFE_NO_PAD.encode(body).as_bytes()].concat();
                URL_SAFE_NO_PAD.encode_string(text, &mut content);
            }
        }
        content.into_bytes()
    }
}

impl Verifier for JwsVerifier {
    type State = JwsState;

    fn begin(&self, request: &Context<'_>) -> Result<JwsState, Rejection> {
        let (rules, head) = (self.0.rules, request.head());
        let not_one = || Rejection::malformed(rules.header);
        let jws = DetachedJws::read(required(head, rules.header)?).ok_or_else(not_one)?;
        jws.check_extensions(rules.extensions).map_err(|_| malformed("crit"))?;
        // The signature only chooses among the provider's algorithms.
        let algorithm = jws.algorithm(rules.algorithms).ok_or_else(|| malformed("alg"))?;
        let signature = jws.decode_signature(algorithm).ok_or_else(not_one)?;
        self.check_parameters(&jws)?;
        let proof = self.proof(&jws, request)?;
        let beginnings = match (rules.payload, rules.time, &self.0.url) {
            (Payload::Request, _, Some(url)) => beginnings(&jws, head, &url.resolve(head)?)?,
            (Payload::TimeAndBody, Some(Time::Header(name)), _) => {
                vec![[required(head, name)?, b"."].concat()]
            }
            _ => vec![Vec::new()],
        };
        let has_raw_payload = jws.has_raw_payload().map_err(|_| malformed("b64"))?;
        let protected = String::from_utf8_lossy(jws.protected).into_owned();
        Ok(JwsState { protected, signature, algorithm, has_raw_payload, beginnings, proof })
    }

    fn finish(
        &self,
        state: &mut JwsState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let Inner { rules, keys, url, .. } = &*self.0;
        for beginning in &state.beginnings {
            let content = state.content(beginning, rules.payload, body);
            let is_signer =
                |key: &PublicKey| state.algorithm.is_signed_by(key, &content, &state.signature);
            if let Some(index) = keys.iter().position(is_signer) {
                let proof = std::mem::replace(&mut state.proof, Verified::new(""));
                let proof = proof
                    .with_key_index(index)
                    .with_signed_body()
                    .with_replay_material(&Sha256::digest(&content));
                return Ok(proof.into());
            }
        }
        let why = Rejection::mismatch().with_secrets_tried(keys.len());
        Err(match url {
            Some(url) => why.with_signed_url(&*url.resolve(request.head())?),
            None => why,
        })
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0.rules.defaults
    }
}

/// Implements what a provider with a `JwsVerifier` in `self.0` shares with the others.
macro_rules! verifies_jws {
    ($type:ident) => {
        impl $type {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: $crate::verifier::defaults::VerifierDefaults =
                Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

            pub(crate) fn with_keys(
                self,
                keys: Vec<$crate::crypto::public_key::PublicKey>,
            ) -> Result<Self, $crate::error::ConfigError> {
                self.0.with_keys(keys).map(Self)
            }
        }

        impl $crate::verifier::verifier::Verifier for $type {
            $crate::verifier::delegate::delegate_verifier!(
                self => self.0, $crate::providers::own::jws::verifier::JwsState
            );
        }

        $crate::providers::macros::sign_as!($type, self => &self.0);
    };
}
pub(crate) use verifies_jws;

impl fmt::Debug for JwsVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwsVerifier")
            .field("provider", &self.0.rules.defaults.provider())
            .field("keys", &self.0.keys.len())
            .field("url", &self.0.url)
            .field("tolerance", &self.0.tolerance)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for JwsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwsState").field("proof", &self.proof).finish_non_exhaustive()
    }
}

//! Verifier of tokens by the rules of a provider.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, request::Parts};
use sha2::{Digest, Sha256};

#[cfg(feature = "asymmetric")]
use crate::{
    crypto::public_key::PublicKey, providers::own::jwt::key::Material,
    scheme::asymmetric::PublicKeys,
};
use crate::{
    crypto::{
        jwt::Jwt,
        mac::{KeyMatch, Tag},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        encoding::MAX_SIGNATURE,
        json::{self, Value},
        tolerance::Tolerance,
    },
    providers::{
        other_credentials,
        own::{
            jwt::{
                claims::{Claims, malformed, missing},
                hashes::{check_url, claimed_hash, query_as_json},
                key::Key,
                rules::{BodyClaim, Issuer, LEEWAY, Place, Rules},
                state::JwtState,
            },
            keyring,
        },
    },
    scheme::public_url::PublicUrl,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

/// Verifier of a provider by its [`Rules`].
#[derive(Clone)]
pub(crate) struct JwtVerifier(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) rules: &'static Rules,
    pub(crate) keys: Vec<Key>,
    pub(crate) url: Option<PublicUrl>,
    /// Computes the text that the URL's claim is about, in the place of the URL.
    pub(crate) signed_request: Option<SignedRequest>,
    pub(crate) leeway: Duration,
    /// Limit of `iat`.
    pub(crate) age: Option<Tolerance>,
    /// Claims that must have these values.
    pub(crate) claims: Vec<(&'static str, String)>,
    /// Claims of which one list must have its values. Empty if there is no such list.
    pub(crate) one_of: Vec<Vec<(&'static str, String)>>,
}

/// Returns the signed text of a request whose app has this base path.
pub(crate) type CanonicalRequest = fn(&Parts, &str) -> Result<String, Rejection>;

/// Text of the request that a claim is about.
#[derive(Clone)]
pub(crate) struct SignedRequest {
    pub(crate) text: CanonicalRequest,
    pub(crate) base_path: String,
}

impl JwtVerifier {
    pub(crate) fn new(
        rules: &'static Rules,
        secrets: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Self::empty(rules).with_secrets("", secrets)
    }

    /// Creates a verifier of tokens that name the ID of their key.
    pub(crate) fn of_key(
        rules: &'static Rules,
        id: &str,
        secrets: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Self::empty(rules).with_key(id, secrets)
    }

    /// Creates a verifier without a key, which accepts no token.
    pub(crate) fn empty(rules: &'static Rules) -> Self {
        Self(Arc::new(Inner {
            rules,
            keys: Vec::new(),
            url: None,
            signed_request: None,
            leeway: LEEWAY,
            age: None,
            claims: Vec::new(),
            one_of: Vec::new(),
        }))
    }

    pub(crate) fn with_key(self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        keyring::check(id)?;
        self.with_secrets(id, secrets)
    }

    fn with_secrets(self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let present = self.0.keys.len();
        let provider = self.0.rules.defaults.provider();
        let secrets = other_credentials::checked(secrets, present, provider)?;
        let algorithms = self.0.rules.algorithms;
        let keys = secrets.iter().map(|secret| Key::new(algorithms, id, secret));
        Ok(self.change(|inner| inner.keys.extend(keys)))
    }

    /// Sets the public keys, of which there must be 1 to 16 of the provider's algorithms.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn with_public_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        let keys = PublicKeys::checked(self.0.rules.algorithms, keys)?;
        let key = |key| Key { id: String::new(), material: Material::Public(key) };
        Ok(self.change(|inner| inner.keys = keys.into_iter().map(key).collect()))
    }

    pub(crate) fn with_url(self, url: PublicUrl) -> Self {
        self.change(|inner| inner.url = Some(url))
    }

    pub(crate) fn with_signed_request(self, signed: SignedRequest) -> Self {
        self.change(|inner| inner.signed_request = Some(signed))
    }

    /// Returns the text that the claim about the URL is made of, if it is not the URL.
    pub(crate) fn signed_request(&self, head: &Parts) -> Result<Option<String>, Rejection> {
        let signed = self.0.signed_request.as_ref();
        signed.map(|signed| (signed.text)(head, &signed.base_path)).transpose()
    }

    pub(crate) fn with_leeway(self, leeway: Duration) -> Self {
        self.change(|inner| inner.leeway = leeway)
    }

    pub(crate) fn with_claim(self, name: &'static str, value: &str) -> Self {
        self.change(|inner| {
            inner.claims.retain(|(other, _)| *other != name);
            inner.claims.push((name, value.to_owned()));
        })
    }

    #[cfg(feature = "fetched-keys")]
    pub(crate) fn with_one_of(self, lists: Vec<Vec<(&'static str, String)>>) -> Self {
        self.change(|inner| inner.one_of = lists)
    }

    pub(crate) fn with_age(self, age: Tolerance) -> Self {
        self.change(|inner| inner.age = Some(age))
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Checks a token of a request against this URL. Returns what it proves, and the hash that it has
    /// of the body.
    pub(crate) fn check(
        &self,
        token: &[u8],
        request: &Context<'_>,
        url: Option<&str>,
    ) -> Result<JwtState, Rejection> {
        let rules = self.0.rules;
        let jwt = Jwt::read(token).ok_or_else(|| rules.malformed())?;
        if jwt.has_extensions() {
            return Err(malformed("crit"));
        }
        if !rules.types.is_empty() && !jwt.has_type_of(rules.types) {
            return Err(malformed("typ"));
        }
        // The token only chooses among the provider's algorithms.
        let at = rules.algorithms.iter().position(|known| jwt.algorithm() == Some(*known));
        let at = at.ok_or_else(|| malformed("alg"))?;
        let mut buffer = [0; MAX_SIGNATURE + 2];
        let signature = jwt.decode_signature(rules.algorithms[at], &mut buffer);
        let signature = signature.ok_or_else(|| rules.malformed())?;
        let mut matched = KeyMatch::new();
        for (index, key) in self.0.keys.iter().enumerate() {
            matched.add(index, key.has_signed(&jwt, at, signature));
        }
        // Without a key, the claims tell whether a key is worth fetching, and nothing is accepted.
        let is_proven = !self.0.keys.is_empty();
        let first = if is_proven { matched.accepted()? } else { 0 };
        let claims = jwt.claims().ok_or_else(|| rules.malformed())?;
        let claims = Claims(claims.get().as_bytes());
        let wrong_issuer = || Rejection::mismatch().with_field(Field::jwt("iss"));
        let key_index = match rules.issuer {
            Issuer::Any => first,
            Issuer::Is(name) if claims.required("iss")? == name => first,
            Issuer::Is(_) => return Err(wrong_issuer()),
            #[cfg(feature = "fetched-keys")]
            Issuer::OneOf(names) if names.contains(&&*claims.required("iss")?) => first,
            #[cfg(feature = "fetched-keys")]
            Issuer::OneOf(_) => return Err(wrong_issuer()),
            // Several IDs may have one secret.
            Issuer::KeyId => {
                let id = claims.required("iss")?;
                let mut named = self.0.keys.iter().enumerate().filter(|(_, key)| key.id == id);
                let found = named.find(|(_, key)| key.has_signed(&jwt, at, signature).into());
                found.ok_or_else(wrong_issuer)?.0
            }
        };
        let signed = self.signed_request(request.head())?;
        if let (Some(claim), Some(text)) = (rules.url, signed.as_deref().or(url)) {
            check_url(claim, claims, text)?;
        }
        let body_fields = self.check_settings(claims)?;
        if rules.has_id {
            claims.required("jti")?;
        }
        let leeway = (!rules.ignores_exp).then_some(self.0.leeway);
        let times = claims.check_times(rules.times, leeway, self.0.age, request.clock())?;
        let mut proof = times.with_key_index(key_index);
        proof.set_provider(rules.defaults.provider());
        proof = self.identified(proof, &jwt, claims)?;
        let claimed = match rules.body {
            Some(claim) => claimed_hash(claim, claims)?,
            None => None,
        };
        if let Some(claim) = rules.body.filter(|claim| !claim.is_absent_if_empty)
            && claimed.is_none()
        {
            return Err(not_signed(claim));
        }
        Ok(JwtState { is_proven, proof, hash: Sha256::new(), claimed, body_fields })
    }

    /// Adds to a proof what identifies the delivery.
    fn identified(
        &self,
        mut proof: Verified,
        jwt: &Jwt<'_>,
        claims: Claims<'_>,
    ) -> Result<Verified, Rejection> {
        let rules = self.0.rules;
        // A token that does not cover the body may be that of several deliveries.
        if rules.body.is_some() || !matches!(rules.place, Place::Header(_)) {
            proof = proof.with_replay_material(jwt.message());
        }
        proof.event_id = rules.event_id;
        if rules.has_id {
            proof = proof.with_unique_content();
        }
        if let Some(name) = rules.delivery_id {
            let id = claims.required(name)?;
            let issuer = claims.text("iss")?.unwrap_or_default();
            let value = HeaderValue::try_from(&*id).map_err(|_| malformed(name))?;
            // The sender may sign a retry anew. Two issuers may have the same ID.
            let material = format!("{}:{issuer}{id}", issuer.len());
            proof = proof.with_delivery_id(value, true).with_replay_material(material.as_bytes());
        }
        if matches!(rules.place, Place::Body) {
            proof = proof.with_signed_body();
        }
        Ok(proof)
    }

    /// Checks the claims that the verifier's settings demand. Returns the expected texts of the body.
    fn check_settings(&self, claims: Claims<'_>) -> Result<Vec<(&'static str, String)>, Rejection> {
        let rules = self.0.rules;
        let wrong = |name| Rejection::mismatch().with_field(Field::jwt(name));
        for (name, value) in &self.0.claims {
            if !claims.has(name, value)? {
                return Err(wrong(name));
            }
        }
        let has = |(name, value): &(&'static str, String)| claims.has(name, value).unwrap_or(false);
        let one_of = &self.0.one_of;
        if !one_of.is_empty() && !one_of.iter().any(|list| list.iter().all(has)) {
            return Err(wrong(one_of[0].first().map_or("iss", |(name, _)| name)));
        }
        for (name, expected) in rules.contents {
            claims.check_content(name, *expected)?;
        }
        for name in rules.is_true {
            if claims.value(name)?.ok_or_else(|| missing(name))? != Value::True {
                return Err(wrong(name));
            }
        }
        let expected = |(name, path): &(&'static str, &'static str)| {
            Ok((*path, claims.required(name)?.into_owned()))
        };
        rules.body_fields.iter().map(expected).collect()
    }
}

/// Returns the rejection of a token without the hash of the body.
fn not_signed(claim: BodyClaim) -> Rejection {
    Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::jwt(claim.name))
}

impl Verifier for JwtVerifier {
    type State = JwtState;

    fn begin(&self, request: &Context<'_>) -> Result<JwtState, Rejection> {
        let url = match &self.0.url {
            Some(url) => Some(url.resolve(request.head())?),
            None => None,
        };
        let Some(jws) = self.0.rules.token(request.head())? else {
            return Ok(JwtState::unread());
        };
        self.check(jws, request, url.as_deref()).map_err(|why| match url {
            Some(url) if why.kind() == RejectionKind::SignatureMismatch => {
                why.with_signed_url(&*url)
            }
            _ => why,
        })
    }

    fn update(&self, state: &mut JwtState, chunk: &[u8]) {
        if self.0.rules.body.is_some() {
            state.hash.update(chunk);
        }
    }

    fn finish(
        &self,
        state: &mut JwtState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        if !matches!(self.0.rules.place, Place::Header(_)) {
            *state = self.check(&self.0.rules.token_of(body)?, request, None)?;
        }
        if !state.is_proven {
            return Err(Rejection::mismatch().with_secrets_tried(0));
        }
        for (path, wanted) in &state.body_fields {
            if json::json_path(body, path).as_deref() != Some(wanted) {
                return Err(Rejection::mismatch().with_field(Field::json(path)));
            }
        }
        let Some(claim) = self.0.rules.body else { return Ok(state.take_proof().into()) };
        let computed = match claim.is_of_query(request.head()) {
            // The hash cannot be that of both.
            true if !body.is_empty() => return Err(Rejection::malformed_in(Field::Body)),
            true => Sha256::digest(query_as_json(request.head())?),
            false => std::mem::take(&mut state.hash).finalize(),
        };
        let is_same = match &state.claimed {
            Some(claimed) => Tag::new(&computed).matches(claimed).into(),
            None if claim.is_absent_if_empty => body.is_empty(),
            None => return Err(not_signed(claim)),
        };
        let is_expected = !(claim.is_absent_if_empty && body.is_empty() && state.claimed.is_some());
        let proof = state.take_proof().with_signed_body();
        let event_id = self.0.rules.event_id;
        let has_event = event_id.is_some_and(|id| json::json_path(body, id.path).is_some());
        match is_same && is_expected {
            true if has_event => Ok(proof.with_unique_content().into()),
            true => Ok(proof.into()),
            false => Err(Rejection::mismatch().with_field(Field::jwt(claim.name))),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0.rules.defaults
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.probe(probe);
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("provider", &self.0.rules.defaults.provider())
            .field("keys", &self.0.keys.len())
            .field("url", &self.0.url)
            .field("leeway", &self.0.leeway)
            .finish_non_exhaustive()
    }
}

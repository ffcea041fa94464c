//! Requests of Alexa to skills.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        mac::Algorithm,
        public_key::{IntoPublicKeys, PublicKey},
    },
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{
        headers::required,
        json::json_path,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::{macros::registered, policy::DeliveryPolicy},
    scheme::asymmetric::PublicKeys,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const SIGNATURE: &str = "signature-256";
pub(crate) const URL: &str = "signaturecertchainurl";
const TIME: &str = "request.timestamp";

/// Places of the skill's ID in a request. The first one is in every request of today.
const SKILL: [&str; 2] =
    ["context.System.application.applicationId", "session.application.applicationId"];

/// Requests of Alexa to a custom skill: RSA of the body, with the key of a certificate.
///
/// ```no_run
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::Alexa};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let skill = "amzn1.ask.skill.00000000-0000-4000-8000-000000000000";
/// let layer = SignatureLayer::new(Alexa::with_fetched_keys([skill], &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `signature-256: <base64>`, `signaturecertchainurl` |
/// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is that of the certificate |
/// | signed content | the body |
/// | tolerance | 150 seconds both ways, of `request.timestamp` |
/// | delivery ID | `request.requestId` in the body |
/// | challenge | none |
///
/// - **Amazon signs for all skills with the same keys**, so requests to other skills are rejected.
/// - The chain of certificates is fetched only from `https://s3.amazonaws.com/echo.api/`. It must lead
///   to an authority of Mozilla's list, or to one of
///   [yours](crate::fetched_keys::KeyFetcher::root_certificates), must not have expired, and must be
///   for `echo-api.amazon.com`. Revocation is not checked.
/// - The header `signature`, with SHA-1, is ignored.
/// - Rejected requests get `400 Bad Request`, as Amazon's certification demands.
///
/// # Settings
///
/// The skill's ID, which the developer console shows under *Endpoint*.
/// ([Amazon](https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html>,
/// and vendor's source: `ask-sdk-express-adapter/lib/verifier/index.ts` in
/// alexa/alexa-skills-kit-sdk-for-nodejs @5822660.
///
#[doc = crate::providers::macros::page!(Alexa)]
#[derive(Clone, Debug)]
pub struct Alexa(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    skill_ids: Vec<String>,
    keys: Vec<PublicKey>,
    tolerance: Tolerance,
}

registered! {
    Alexa = "alexa";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries()
        .known_by("request.requestId", "https://developer.amazon.com/en-US/docs/alexa/custom-skills/request-and-response-json-reference.html")
        .demands(StatusCode::BAD_REQUEST, "https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html")
        .window(150, "https://developer.amazon.com/en-US/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html");
    signature: "RSA of the body, which has a time";
}

impl Alexa {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[SIGNATURE, "signature"]);

    /// Creates a verifier for requests to the skills with these IDs, with these public keys: for
    /// tests. Amazon changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no skill ID, if one is empty, if a key is not one of RSA, or if
    /// there are no keys or more than 16.
    pub fn new<T: Into<String>>(
        skill_ids: impl IntoIterator<Item = T>,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::of_skills(skill_ids)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn of_skills<T: Into<String>>(
        skill_ids: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let skill_ids: Vec<String> = skill_ids.into_iter().map(Into::into).collect();
        if skill_ids.is_empty() || skill_ids.iter().any(String::is_empty) {
            return Err(ConfigError::IdInvalid {
                why: "pass the ID of the skill, such as \
                      `amzn1.ask.skill.00000000-0000-4000-8000-000000000000`",
            });
        }
        // A request comes from Amazon's clock, so it may also be ahead.
        let tolerance = Self::POLICY.tolerance();
        let tolerance = Tolerance::new(tolerance.past(), tolerance.past());
        Ok(Self(Arc::new(Inner { skill_ids, keys: Vec::new(), tolerance })))
    }

    pub(crate) fn with_keys(mut self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.0).keys = PublicKeys::checked(&[Algorithm::RsaPkcs1Sha256], keys)?;
        Ok(self)
    }

    /// Sets how far `request.timestamp` can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        Arc::make_mut(&mut self.0).tolerance = tolerance;
        self
    }

    /// Checks that a body is for one of the skills.
    fn check_skill(&self, body: &[u8]) -> Result<(), Rejection> {
        let field = || Field::json(SKILL[0]);
        let mut found = SKILL.iter().filter_map(|path| json_path(body, path)).peekable();
        if found.peek().is_none() {
            return Err(Rejection::missing_in(field()));
        }
        // Otherwise, the owner of another skill could send its requests here.
        match found.all(|id| self.0.skill_ids.contains(&id)) {
            true => Ok(()),
            false => Err(Rejection::mismatch().with_field(field())),
        }
    }
}

/// Returns the URL of a chain of certificates in its one form, if Alexa can have one there.
///
/// Amazon's documentation allows the port, upper case in scheme and host, and dot segments.
pub(crate) fn certificate_url(header: &[u8]) -> Option<String> {
    let (scheme, rest) = str::from_utf8(header).ok()?.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let is_amazon =
        scheme.eq_ignore_ascii_case("https") && host.eq_ignore_ascii_case("s3.amazonaws.com");
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            ".." => _ = segments.pop(),
            "." => {}
            segment => segments.push(segment),
        }
    }
    // Without escapes, a path means the same to each reader.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(is_allowed);
    let is_path = segments.len() > 1 && segments[0] == "echo.api" && segments.iter().all(is_name);
    (is_amazon && is_path).then(|| format!("https://s3.amazonaws.com/{}", segments.join("/")))
}

impl Verifier for Alexa {
    /// The signature.
    type State = Vec<u8>;

    fn begin(&self, request: &Context<'_>) -> Result<Vec<u8>, Rejection> {
        let signature = STANDARD.decode(required(request.head(), SIGNATURE)?);
        signature.map_err(|_| Rejection::malformed(SIGNATURE))
    }

    fn finish(
        &self,
        signature: &mut Vec<u8>,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.check_skill(body)?;
        let time = json_path(body, TIME).ok_or(Rejection::missing_in(Field::json(TIME)))?;
        let time = Timestamp::parse(time.as_bytes(), TimestampFormat::Rfc3339);
        let time = time.ok_or(Rejection::malformed_in(Field::json(TIME)))?;
        let judged = self.0.tolerance.judge(time, request.clock());
        let time = judged.map_err(|why| why.with_field(Field::json(TIME)))?;
        let keys = &self.0.keys;
        let index = keys.iter().position(|key| key.verifies_rsa_sha256(body, signature));
        let index = index.ok_or(Rejection::mismatch().with_secrets_tried(keys.len()))?;
        let mut verified = Verified::new(Self::DEFAULTS.provider())
            .with_key_index(index)
            .with_signed_body()
            .with_replay_material(&Sha256::digest(body));
        verified.event_id = Self::POLICY.event();
        time.record(&mut verified);
        let has_id = Self::POLICY.event().is_some_and(|id| json_path(body, id.path).is_some());
        Ok(if has_id { verified.with_unique_content() } else { verified }.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Alexa {
    /// Adds `signature-256`. The URL of the certificates is a made-up one.
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use http::HeaderValue;

        use crate::sign::sign::no_private_key;

        let signature = with.signature(Algorithm::RsaPkcs1Sha256, body);
        let signature = STANDARD.encode(signature.ok_or_else(no_private_key)?);
        let signature = HeaderValue::try_from(signature);
        head.headers.insert(SIGNATURE, signature.map_err(|_| Rejection::malformed(SIGNATURE))?);
        let url = "https://s3.amazonaws.com/echo.api/echo-api-cert-0.pem";
        head.headers.insert(URL, HeaderValue::from_static(url));
        Ok(None)
    }
}

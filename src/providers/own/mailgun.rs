//! Mailgun webhooks and routes.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
#[cfg(feature = "sign")]
use http::request::Parts;

#[cfg(feature = "multipart")]
use crate::providers::own::multipart;
#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{
        mac::{KeyMatch, Mac},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{
        encoding::Encoding,
        form::Form,
        json::{self, Value, text_field},
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::{
        macros::registered,
        other_credentials,
        own::body_format::{Format, format},
        policy::{DeliveryPolicy, HOUR, MIB},
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

/// Mailgun webhooks and routes: HMAC-SHA256 of a time and a token, which does not cover the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Mailgun};
///
/// let layer = SignatureLayer::new(Mailgun::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: `timestamp`, `token` and `signature: <hex>` are in the body |
/// | algorithm | HMAC-SHA256; the key is the HTTP webhook signing key |
/// | signed content | `<timestamp><token>` |
/// | proves | that Mailgun signed this time and token; **nothing else about the body** |
/// | tolerance | 5 minutes both ways; see [`accept_retries`](Self::accept_retries) |
/// | delivery ID | `token`, **signed** |
/// | challenge | none |
///
/// - This is **weaker than a signature of the body**: anyone who sees one request can send any
///   other with its signature, until the time is too old. A
///   [`ReplayLayer`](crate::replay::ReplayLayer) rejects the second use.
/// - Retries carry the first attempt's time: only [`accept_retries`](Self::accept_retries) accepts
///   all of them.
/// - JSON has the three fields in the object `signature`, a form has them as parameters. Routes
///   forward a message as a form.
/// - Each of the three fields must occur exactly once, without a file name, and must be shorter
///   than 1 KiB.
/// - Routes send a message with attachments as `multipart/form-data`, which the feature `multipart`
///   reads. Without the feature, the message is rejected, and Mailgun retries it for 8 hours. The
///   same happens to a message with a part whose headers are folded or contain control characters,
///   because the parser does not accept it.
///
/// # Secret
///
/// `GET /v5/accounts/http_signing_key` returns the account's HTTP webhook signing key. It is not an
/// API key.
/// ([Mailgun](https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/account-management/get-v5-accounts-http_signing_key.md))
/// A subaccount's webhooks also carry `parent-signature`, made with the primary account's key. This
/// type reads only `signature`.
/// ([Mailgun](https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks))
///
/// # Not covered
///
/// Mailgun Optimize (InboxReady) alerts sign the body in `X-Sign` with another key.
/// This crate has no type for them. ([Mailgun](https://documentation.mailgun.com/docs/inboxready/alerts-ir))
///
/// # Evidence
///
/// Public vector: rails/rails actionmailbox tests; <https://documentation.mailgun.com>.
///
#[doc = crate::providers::macros::page!(Mailgun)]
#[derive(Clone, Debug)]
pub struct Mailgun {
    keys: Arc<Vec<Mac>>,
    #[cfg(feature = "explain")]
    secrets: Arc<Vec<crate::crypto::secret::Secret>>,
    tolerance: Tolerance,
}

registered! {
    Mailgun = "mailgun";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(8 * HOUR, "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries")
        .signs_anew(false, "second-hand: https://github.com/PostHog/posthog/pull/103057")
        .leaves_body_open()
        .largest_body(50 * MIB, "second-hand: https://help.gohighlevel.com/support/solutions/articles/48001208913-what-is-the-file-size-limit-of-an-attachment-to-an-sms-or-an-email-")
        .comes_again("https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries");
    signature: "HMAC-SHA256 of time and a token, **not** of the body";
    "mailgun": Secret timed, p => Mailgun::new(p.secrets);
}

impl Mailgun {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_fields(&["signature"]);

    /// Creates a verifier with these signing keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::crypto::secret::Secret::new)), is not in
    /// the provider's format or is another credential of Mailgun, or if there are none or more than
    /// 16.
    pub fn new(signing_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(signing_keys, 0, Self::DEFAULTS.provider())?;
        Ok(Self {
            keys: Arc::new(secrets.iter().map(|key| Mac::hmac_sha256(key.expose())).collect()),
            #[cfg(feature = "explain")]
            secrets: Arc::new(secrets),
            tolerance: Self::POLICY.tolerance(),
        })
    }

    /// Accepts a delivery for as long as Mailgun retries it: 8 hours and 48 minutes after the
    /// signed time.
    ///
    /// Mailgun sends the first attempt's time and token with each retry. **Use this option only
    /// above a [`ReplayLayer`](crate::replay::ReplayLayer)**: within this window, anyone who sees
    /// one request can send any other with its signature. The replay layer accepts each token once.
    #[must_use]
    pub const fn accept_retries(self) -> Self {
        self.tolerance(Self::POLICY.tolerance_of_retries())
    }

    /// Sets how far the signed time may be off, instead of 5 minutes.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn key_index(&self, timestamp: &[u8], token: &[u8], tag: &[u8]) -> Result<usize, Rejection> {
        let mut matched = KeyMatch::new();
        for (index, key) in self.keys.iter().enumerate() {
            let mut mac = key.clone();
            mac.update(timestamp);
            mac.update(token);
            matched.add(index, mac.finalize().matches(tag));
        }
        matched.accepted()
    }
}

const FIELDS: [&str; 3] = ["timestamp", "token", "signature"];

/// Length that each of the three fields must stay below, in bytes. Mailgun's fields have 10, 50 and
/// 64 bytes.
const MAX_FIELD: usize = 1024;

type Texts<'a> = [Cow<'a, [u8]>; 3];

fn in_json(body: &[u8]) -> Result<Texts<'static>, Rejection> {
    let Ok(Some(Value::Object(signature))) = json::field(body, "signature") else {
        return Err(Rejection::malformed_in(Field::json("signature")));
    };
    let text = |name| {
        let text = text_field(signature.as_bytes(), name).filter(|text| !text.is_empty());
        text.map(|text| text.into_owned().into_bytes().into())
            .ok_or(Rejection::missing_in(Field::json(name)))
    };
    let [timestamp, token, signature] = FIELDS;
    Ok([text(timestamp)?, text(token)?, text(signature)?])
}

fn in_form<'a>(form: &'a Form<'_>) -> Result<Texts<'a>, Rejection> {
    let text = |name| {
        let value = form.only(name).map(Cow::Borrowed);
        value.map_err(|kind| Rejection::new(kind).with_field(Field::form(name)))
    };
    let [timestamp, token, signature] = FIELDS;
    Ok([text(timestamp)?, text(token)?, text(signature)?])
}

impl Verifier for Mailgun {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        format(request.head()).map(drop)
    }

    fn finish(
        &self,
        _: &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let form;
        let [timestamp, token, signature] = match format(request.head())? {
            Format::Json => in_json(body)?,
            Format::Form => {
                form =
                    Form::parse(body).ok_or(Rejection::malformed_in(Field::json("signature")))?;
                in_form(&form)?
            }
            #[cfg(feature = "multipart")]
            Format::Multipart(boundary) => {
                multipart::fields(body, &boundary, FIELDS, MAX_FIELD)?.map(Cow::Owned)
            }
        };
        for (name, text) in FIELDS.into_iter().zip([&timestamp, &token, &signature]) {
            if text.len() >= MAX_FIELD {
                return Err(Rejection::malformed_in(Field::form(name)));
            }
        }
        // No delimiter separates the time from the token. With another number of digits, one
        // signature would cover other times and other tokens.
        let time = Timestamp::parse(&timestamp, TimestampFormat::UnixSeconds);
        let time = time.filter(|_| timestamp.len() == 10);
        let time = time.ok_or(Rejection::malformed_in(Field::form("timestamp")))?;
        let mut tag = [0; 32];
        Encoding::Hex
            .decode(&signature, &mut tag)
            .ok_or(Rejection::malformed_in(Field::json("signature")))?;
        let key_index = self.key_index(&timestamp, &token, &tag)?;
        let time = self
            .tolerance
            .judge(time, request.clock())
            .map_err(|why| why.with_field(Field::form("timestamp")))?;

        let verified = Verified::new(Self::DEFAULTS.provider());
        let mut verified = verified.with_key_index(key_index).with_replay_material(&token);
        time.record(&mut verified);
        if let Ok(id) = HeaderValue::from_bytes(&token) {
            verified = verified.with_delivery_id(id, true);
        }
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        probe_secrets(probe, &self.secrets, credentials, |key| Self {
            keys: Arc::new(vec![Mac::hmac_sha256(key.expose())]),
            ..self.clone()
        });
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Mailgun {
    /// Adds the three fields to a JSON object, a form or, with the feature `multipart`, the parts
    /// of a multipart form.
    fn sign(
        &self,
        head: &mut Parts,
        content: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let time = TimestampFormat::UnixSeconds.write(with.time());
        let token = "token-of-the-test-token-of-the-test-token-of-the-0";
        let mut mac = self.keys.first().cloned().ok_or(Rejection::mismatch())?;
        mac.update(time.as_bytes());
        mac.update(token.as_bytes());
        let tag = Encoding::Hex.encode(mac.finalize().as_bytes());
        let body = match format(head)? {
            Format::Form => {
                let and = if content.is_empty() { "" } else { "&" };
                let proof = format!("{and}timestamp={time}&token={token}&signature={tag}");
                Some([content, proof.as_bytes()].concat())
            }
            #[cfg(feature = "multipart")]
            Format::Multipart(boundary) => {
                let [a, b, c] = FIELDS;
                let part = |name, value: &str| {
                    format!(
                        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                    )
                };
                let proof = part(a, &time) + &part(b, token) + &part(c, &tag);
                Some([proof.as_bytes(), content].concat())
            }
            Format::Json => {
                let proof =
                    format!(r#"{{"timestamp":"{time}","token":"{token}","signature":"{tag}"}}"#);
                crate::sign::json::with_member(content, "signature", &proof)
            }
        };
        let body = body.ok_or(Rejection::malformed_in(Field::json("signature")))?;
        Ok(Some(body.into()))
    }
}

//! Dropbox Sign callbacks.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;

#[cfg(feature = "multipart")]
use crate::providers::own::multipart;
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::encoding::Encoding,
    providers::{
        macros::registered,
        own::{
            body_fields::{object, pick, text},
            body_format::{Format, format},
            body_signature::{BodySignature, Hash, Proof, Rules, verifies_body},
        },
        policy::{DAY, DeliveryPolicy},
    },
    scheme::key::SecretEncoding,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const EVENT: &str = "event";
const SIGNATURE: &str = "event_hash";
const FIELDS: [&str; 3] = ["event_time", "event_type", SIGNATURE];
/// The part of a multipart form with the JSON.
#[cfg(feature = "multipart")]
const PART: &str = "json";

const RULES: Rules = Rules {
    provider: "dropbox_sign",
    hash: Hash::HmacSha256,
    key: SecretEncoding::Text,
    encoding: Encoding::Hex,
    field: SIGNATURE,
    proofs,
};

/// Dropbox Sign (HelloSign) callbacks: HMAC-SHA256 of a time and the type of the event, which does
/// not cover the rest of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::DropboxSign};
///
/// let layer = SignatureLayer::new(DropboxSign::new("made-up-api-key")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the signature is `event.event_hash: <hex>` in the body |
/// | algorithm | HMAC-SHA256; the key is the API key |
/// | signed content | `<event_time><event_type>` |
/// | proves | that Dropbox Sign signed this time and type; **nothing else about the body** |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - **Fetch the signature request** that an event names before you act: anyone who sees one
///   callback can send any other of its time and type with its signature.
/// - The handler must respond with `200 OK` and the text `Hello API Event Received`. Dropbox Sign
///   sends the callback again otherwise. The layer does not add the text.
///   ([Dropbox Sign](https://developers.hellosign.com/docs/events/walkthrough))
/// - The callback is the part `json` of a `multipart/form-data` body, which the feature `multipart`
///   reads: without the feature it is rejected. A JSON body is accepted, too. The part must occur
///   exactly once, without a file name.
/// - `event_time` must have ten digits and `event_type` only letters, digits and `_`, with a letter
///   first: no delimiter separates the two.
/// - The replay key consists of time and type. Two events of one type in the same second have the
///   same one, so do **not** turn on `guard_body_only` for them.
/// - The signature is in the body. The layer therefore reads the whole body, up to the body limit,
///   before anything is known about the sender.
///
/// # Secret
///
/// The account's API key, also for the callbacks of an app.
/// ([Dropbox Sign](https://github.com/hellosign/dropbox-sign-python/blob/ca029232e62bb7b6eec1076c9322e00914abee07/dropbox_sign/event_callback_helper.py))
///
/// # Evidence
///
/// Vendor vector: hellosign/dropbox-sign-python @ca02923 `dropbox_sign/event_callback_helper.py` and
/// `test_fixtures/EventCallbackHelper_AccountCallbacks.json`.
///
#[doc = crate::providers::macros::page!(DropboxSign)]
#[derive(Clone, Debug)]
pub struct DropboxSign(BodySignature);

registered! {
    DropboxSign = "dropbox_sign" as "Dropbox Sign";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(3 * DAY, "https://developers.hellosign.com/api/manual-reference-pages/glossary/callbacks-events")
        .leaves_body_open();
    signature: "HMAC-SHA256 of a time and the event's type, **not** of the body";
    "dropbox_sign": Secret, p => DropboxSign::new(p.secrets);
}

impl DropboxSign {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_fields(&[SIGNATURE]);

    /// Creates a verifier with these API keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(api_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        BodySignature::new(RULES, api_keys).map(Self)
    }
}

verifies_body!(DropboxSign, |head| checked_format(head).map(drop));

/// Returns the format of a callback. Dropbox Sign sends no URL-encoded form.
fn checked_format(head: &Parts) -> Result<Format, Rejection> {
    match format(head)? {
        Format::Form => Err(Rejection::malformed("content-type")),
        format => Ok(format),
    }
}

fn proofs(head: &Parts, body: &Bytes) -> Result<Vec<Proof>, Rejection> {
    let json: Cow<'_, [u8]> = match checked_format(head)? {
        #[cfg(feature = "multipart")]
        Format::Multipart(boundary) => {
            // The body limit is the limit of its part.
            let [json] = multipart::fields(body, &boundary, [PART], usize::MAX)?;
            json.into()
        }
        _ => Cow::Borrowed(body),
    };
    let [event] = pick(&json, [EVENT])?;
    let event = object(event, EVENT)?;
    let [.., signature] = pick(event, FIELDS)?;
    Ok(vec![Proof { content: content(event)?, signature: text(signature, SIGNATURE)? }])
}

/// Returns the signed content of an event.
fn content(event: &[u8]) -> Result<Vec<u8>, Rejection> {
    let [time, kind, _] = pick(event, FIELDS)?;
    let [time, kind] = [text(time, "event_time")?, text(kind, "event_type")?];
    // Otherwise, digits of the time could become a part of the type.
    if time.len() != 10 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::malformed_in(Field::json("event_time")));
    }
    let is_plain = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && kind.starts_with(|first: char| first.is_ascii_alphabetic());
    if !is_plain {
        return Err(Rejection::malformed_in(Field::json("event_type")));
    }
    Ok([time, kind].concat().into_bytes())
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for DropboxSign {
    /// Adds `event_hash` to the `event` of a JSON object or, with the feature `multipart`, puts the
    /// object into the part `json` of a multipart form.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::sign::json::{quoted, with_member, with_value};

        let format = checked_format(head)?;
        let malformed = || Rejection::malformed_in(Field::json(EVENT));
        let [event] = pick(body, [EVENT])?;
        let event = object(event, EVENT)?;
        let signature = quoted(&self.0.sign(RULES, &content(event)?)?);
        let event = with_member(event, SIGNATURE, &signature).ok_or_else(malformed)?;
        let json = with_value(body, EVENT, &event).ok_or_else(malformed)?;
        Ok(Some(match format {
            #[cfg(feature = "multipart")]
            Format::Multipart(boundary) => {
                let before = format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{PART}\"\r\n\r\n"
                );
                let after = format!("\r\n--{boundary}--\r\n");
                [before.as_bytes(), &json, after.as_bytes()].concat().into()
            }
            _ => json.into(),
        }))
    }
}

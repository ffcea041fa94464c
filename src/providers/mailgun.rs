use std::{borrow::Cow, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, request::Parts};

use crate::{
    Profile, Rejection, Secret, Verified, Verifier,
    config_error::add,
    form::Form,
    handshake::text_field,
    head::required,
    json::{self, Value},
    scheme::{
        Encoding, TimeFormat, Tolerance,
        mac::{Mac, Verdict},
    },
    time::{Clock, Timestamp},
};

/// Mailgun: webhooks, and routes that forward a message as a form.
///
/// | | |
/// |---|---|
/// | header | none: `timestamp`, `token` and `signature: <hex>` stand in the body, in JSON inside `signature`, in a form as they are |
/// | algorithm | HMAC-SHA256; key: the HTTP webhook signing key as it is |
/// | proves | that Mailgun signed this time and token; **nothing else about the body** |
/// | freshness | 5 minutes both ways, by our choice: Mailgun documents no bound |
/// | delivery id | `token`, **signed** |
/// | status | 406, after which Mailgun does not send again |
/// | handshake | none |
/// | evidence | public vector: rails/rails actionmailbox tests; <https://documentation.mailgun.com> |
///
/// It is **weaker than a signature of the body**: whoever sees one request can send any other with
/// its signature. Keep [`replay_key`](Verified::replay_key)s for as long as the tolerance, and refuse
/// the second use. `multipart/form-data`, in which routes forward attachments, is not read.
#[derive(Clone, Debug)]
pub struct Mailgun {
    keys: Arc<Vec<Mac>>,
    tolerance: Tolerance,
    clock: Clock,
}

/// How the body is written.
enum Format {
    Form,
    Json,
}

impl Mailgun {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const PROFILE: Profile = Profile::DEFAULT
        .with_provider("mailgun")
        .with_status(StatusCode::NOT_ACCEPTABLE)
        .with_sensitive_fields(&["signature"]);

    /// A verifier with this signing key.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as every constructor with a secret")]
    pub fn new(signing_key: Secret) -> Self {
        let keys = Arc::new(vec![Mac::hmac_sha256(signing_key.expose())]);
        Self { keys, tolerance: Tolerance::seconds(300), clock: Clock::default() }
    }

    /// Accepts a further signing key, for a rotation: the first stays the current one.
    ///
    /// # Panics
    ///
    /// With more than 16 keys.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "as every constructor with a secret")]
    pub fn or_secret(mut self, signing_key: Secret) -> Self {
        add(Arc::make_mut(&mut self.keys), Mac::hmac_sha256(signing_key.expose()));
        self
    }

    /// How far the signed time may be off, in place of five minutes.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Tells the time, in place of the system's clock: for tests.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    fn key_index(&self, timestamp: &[u8], token: &[u8], tag: &[u8]) -> Option<usize> {
        let mut verdict = Verdict::new();
        for (index, key) in self.keys.iter().enumerate() {
            let mut mac = key.clone();
            mac.update(timestamp);
            mac.update(token);
            verdict.add(index, mac.finalize().matches(tag));
        }
        verdict.accepted()
    }
}

fn format(head: &Parts) -> Result<Format, Rejection> {
    let value = required(head, "content-type")?;
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
    match media_type.trim_ascii() {
        json if json.eq_ignore_ascii_case(b"application/json") => Ok(Format::Json),
        form if form.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") => Ok(Format::Form),
        _ => Err(Rejection::malformed("content-type")),
    }
}

const FIELDS: [&str; 3] = ["timestamp", "token", "signature"];

type Texts<'a> = [Cow<'a, [u8]>; 3];

fn in_json(body: &[u8]) -> Result<Texts<'static>, Rejection> {
    let Ok(Some(Value::Object(signature))) = json::field(body, "signature") else {
        return Err(Rejection::malformed("signature"));
    };
    let text = |name| {
        let text = text_field(signature.as_bytes(), name).filter(|text| !text.is_empty());
        text.map(|text| text.into_owned().into_bytes().into()).ok_or(Rejection::missing(name))
    };
    let [timestamp, token, signature] = FIELDS;
    Ok([text(timestamp)?, text(token)?, text(signature)?])
}

fn in_form(form: &Form) -> Result<Texts<'_>, Rejection> {
    let text = |name| {
        let value = form.only(name).map(Cow::Borrowed);
        value.map_err(|kind| Rejection::new(kind).with_field(name))
    };
    let [timestamp, token, signature] = FIELDS;
    Ok([text(timestamp)?, text(token)?, text(signature)?])
}

impl Verifier for Mailgun {
    type State = ();

    fn begin(&self, head: &Parts) -> Result<(), Rejection> {
        format(head).map(drop)
    }

    fn finish(&self, (): (), head: &Parts, body: &Bytes) -> Result<Verified, Rejection> {
        let form;
        let [timestamp, token, signature] = match format(head)? {
            Format::Json => in_json(body)?,
            Format::Form => {
                form = Form::parse(body).ok_or(Rejection::malformed("signature"))?;
                in_form(&form)?
            }
        };
        // There is nothing between time and token: with another number of digits, one signature
        // would stand for other times and other tokens (T-32).
        let time = Timestamp::parse(&timestamp, TimeFormat::Seconds);
        let time = time.filter(|_| timestamp.len() == 10);
        let time = time.ok_or(Rejection::malformed("timestamp"))?;
        let mut tag = [0; 32];
        Encoding::Hex.decode(&signature, &mut tag).ok_or(Rejection::malformed("signature"))?;
        let key_index = self.key_index(&timestamp, &token, &tag).ok_or(Rejection::mismatch())?;
        time.check(self.tolerance, &self.clock).map_err(|why| why.with_field("timestamp"))?;

        let fresh_for = time.fresh_for(self.tolerance, &self.clock);
        let verified = Verified::new(Self::PROFILE.provider());
        let mut verified = verified.with_key_index(key_index).with_identity(&token);
        if let Some(time) = time.to_system_time() {
            verified = verified.with_signed_at(time);
        }
        if let Some(fresh_for) = fresh_for {
            verified = verified.with_fresh_for(fresh_for);
        }
        Ok(match HeaderValue::from_bytes(&token) {
            Ok(id) => verified.with_delivery_id(id, true),
            Err(_) => verified,
        })
    }

    fn profile(&self) -> Profile {
        Self::PROFILE
    }
}

#[cfg(feature = "sign")]
impl crate::sign::SignBody for Mailgun {
    /// A JSON object, or a form, without the three fields.
    fn sign_body(
        &self,
        head: &Parts,
        content: &[u8],
        time: SystemTime,
    ) -> Result<Bytes, Rejection> {
        let time = TimeFormat::Seconds.write(time);
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
            Format::Json => {
                let proof =
                    format!(r#"{{"timestamp":"{time}","token":"{token}","signature":"{tag}"}}"#);
                crate::sign::with_member(content, "signature", &proof)
            }
        };
        Ok(body.ok_or(Rejection::malformed("signature"))?.into())
    }
}

//! Signs requests as the providers do, so that users can test their handlers.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use std::time::SystemTime;
//! use tower::ServiceExt;
//! use tower_webhook::{Secret, SignatureLayer, providers::Stripe, sign::signed};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stripe = Stripe::new(Secret::new("whsec_of_the_test")?);
//! let layer = SignatureLayer::new(stripe.clone());
//! let app: Router = Router::new().route("/", post(async || "thanks")).layer(layer);
//!
//! let request = Request::post("/").body(r#"{"id":"evt_1"}"#)?;
//! let request = signed(&stripe, request, SystemTime::now())?.map(Body::from);
//! assert_eq!(app.clone().oneshot(request).await?.status(), StatusCode::OK);
//!
//! let unsigned = Request::post("/").body(Body::from(r#"{"id":"evt_1"}"#))?;
//! assert_eq!(app.oneshot(unsigned).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```

use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Request, request::Parts};

use crate::{
    Rejection, Verifier,
    scheme::{Grammar, Part, SchemeVerifier, TimeFormat, TimeSource},
};

/// A verifier that can also sign, with its first secret. Every provider of this crate can that is
/// verified with a secret, but for those whose proof stands in the body; a public key signs nothing.
pub trait Sign: Verifier {
    /// Puts the headers of a genuine request with this head and body into `head`.
    ///
    /// Headers that the signature covers and that are there already (an id, a nonce) are kept.
    /// Where the provider signs a time that stands in the body, `body` must hold it; a token in the
    /// URL is part of `head` already.
    ///
    /// # Errors
    ///
    /// When a header that the signature covers is out of form, the signed URL cannot be told, or it
    /// lacks its token.
    fn sign(&self, head: &mut Parts, body: &[u8], time: SystemTime) -> Result<(), Rejection>;
}

/// The same request, signed at this time.
///
/// # Errors
///
/// As for [`Sign::sign`].
pub fn signed<S: Sign, B: AsRef<[u8]>>(
    signer: &S,
    request: Request<B>,
    time: SystemTime,
) -> Result<Request<B>, Rejection> {
    let (mut head, body) = request.into_parts();
    signer.sign(&mut head, body.as_ref(), time)?;
    Ok(Request::from_parts(head, body))
}

impl Sign for SchemeVerifier {
    fn sign(&self, head: &mut Parts, body: &[u8], time: SystemTime) -> Result<(), Rejection> {
        let scheme = self.scheme();
        let time_text = scheme.time.map(|(_, format)| format.write(time)).unwrap_or_default();
        if let Some((TimeSource::Header(name), _)) = scheme.time {
            set(head, name, &time_text);
        }
        for (name, value) in scheme.required {
            set(head, name, value);
        }
        for part in scheme.template {
            let name = match *part {
                Part::Header(name) => Some(name),
                Part::Id => scheme.delivery_id,
                _ => None,
            };
            if let Some(name) = name.filter(|name| !head.headers.contains_key(*name)) {
                set(head, name, "delivery-1");
            }
        }
        let header = scheme.signature_field();
        let value = |signature: &str| {
            let value = scheme.grammar.write(&time_text, signature);
            scheme.authorization_scheme().map_or(value.clone(), |name| format!("{name} {value}"))
        };
        // The time is read from there.
        set(head, header, &value(""));
        let tag = self.tag(&self.content(head, body)?).ok_or(Rejection::mismatch())?;
        set(head, header, &value(&scheme.encoding.encode(tag.as_bytes())));
        Ok(())
    }
}

fn set(head: &mut Parts, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        head.headers.insert(name, value);
    }
}

impl Grammar {
    fn write(self, time: &str, signature: &str) -> String {
        match self {
            Self::Whole { prefix } => format!("{prefix}{signature}"),
            Self::Positional { separator, time_first: true } => {
                format!("{time}{}{signature}", char::from(separator))
            }
            Self::Positional { .. } => signature.to_owned(),
            Self::Tagged { separator, assign, signature: name, time: time_name, spaced } => {
                let (separator, assign) = (char::from(separator), char::from(assign));
                let space = if spaced { " " } else { "" };
                let time = time_name
                    .map(|name| format!("{name}{assign}{time}{separator}{space}"))
                    .unwrap_or_default();
                format!("{time}{name}{assign}{signature}")
            }
        }
    }
}

impl TimeFormat {
    fn write(self, time: SystemTime) -> String {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match self {
            Self::Seconds => since.as_secs().to_string(),
            Self::Milliseconds => since.as_millis().to_string(),
            Self::Rfc3339 => format!("{}Z", date_time(since.as_secs(), since.subsec_millis())),
            Self::Rfc3339Zoneless => date_time(since.as_secs(), since.subsec_millis()),
        }
    }
}

/// `2025-05-19T00:51:44.816` of seconds since 1970.
fn date_time(seconds: u64, millis: u32) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}", days + 1)
}

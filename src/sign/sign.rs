//! Signing of requests as providers do.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, request::Parts};

#[cfg(feature = "asymmetric")]
use crate::crypto::private_key::PrivateKey;
use crate::{
    crypto::mac::Algorithm,
    outcome::rejection::Rejection,
    parse::timestamp::{MONTHS, TimestampFormat, WEEKDAYS},
    scheme::{
        declaration::{Component, TimestampSource},
        signature_format::SignatureFormat,
        verifier::SchemeVerifier,
    },
    verifier::verifier::Verifier,
};

/// A verifier that can also sign, as its provider does: every provider of this crate, and each
/// [`BoxVerifier`](crate::providers::BoxVerifier) that [`by_name`](crate::providers::by_name) gives.
///
/// It signs with its first secret. Where a public key verifies, it needs the [private key](Signing::private_key).
pub trait Sign: Verifier {
    /// Puts the headers of a genuine request with this head and body into `head`. Returns another body where the
    /// proof stands in it, as Mailgun's and Microsoft Graph's does.
    ///
    /// Headers that the signature covers and that are there already (an id, a nonce) are kept.
    /// Where the provider signs a time that stands in the body, `body` must hold it; a token in the
    /// URL is part of `head` already.
    ///
    /// # Errors
    ///
    /// When a header that the signature covers is out of form, the signed URL cannot be told, or it
    /// lacks its token; when the body has no place for the proof; when there is no private key of the verifier's
    /// algorithm where one is needed.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection>;
}

/// The time and the key of a signature.
///
/// A [`SystemTime`] is one, without a private key:
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use tower_webhook::{providers::GitHub, sign::signed};
///
/// let github = GitHub::new("s3cret-of-the-hook")?;
/// let request = signed(&github, Request::post("/").body("{}")?, SystemTime::now())?;
/// assert!(request.headers().contains_key("x-hub-signature-256"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Signing<'a> {
    time: SystemTime,
    #[cfg(feature = "asymmetric")]
    private_key: Option<&'a PrivateKey>,
    #[cfg(not(feature = "asymmetric"))]
    private_key: std::marker::PhantomData<&'a ()>,
}

impl<'a> Signing<'a> {
    /// Signs at this time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self { time, private_key: Default::default() }
    }

    /// Signs with this private key, for providers that are verified with a public key. A verifier of secrets
    /// signs with its secret all the same.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use http::Request;
    /// use tower_webhook::{providers::Discord, sign::{PrivateKey, Signing, signed}};
    ///
    /// let key = PrivateKey::from_ed25519_seed(&[7; 32])?;
    /// let discord = Discord::new(key.public_key()?)?;
    /// let request = Request::post("/").body(r#"{"type":2}"#)?;
    /// let signing = Signing::at(SystemTime::now()).private_key(&key);
    /// let (head, body) = signed(&discord, request, signing)?.into_parts();
    /// tower_webhook::verify(&discord, &head, &body)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    #[must_use]
    pub const fn private_key(mut self, key: &'a PrivateKey) -> Self {
        self.private_key = Some(key);
        self
    }

    /// Returns the time.
    #[must_use]
    pub const fn time(&self) -> SystemTime {
        self.time
    }

    /// Returns the private key's signature; `None` without a key of this algorithm.
    fn signature(&self, algorithm: Algorithm, content: &[u8]) -> Option<Vec<u8>> {
        #[cfg(feature = "asymmetric")]
        {
            let key = self.private_key.filter(|key| key.algorithm() == algorithm)?;
            key.sign(content)
        }
        #[cfg(not(feature = "asymmetric"))]
        {
            let _ = (self.private_key, algorithm, content);
            None
        }
    }
}

impl From<SystemTime> for Signing<'_> {
    fn from(time: SystemTime) -> Self {
        Self::at(time)
    }
}

/// Signs a request.
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use tower_webhook::{providers::MicrosoftGraph, sign::signed};
///
/// // Its proof stands in the body.
/// let graph = MicrosoftGraph::new("state of the test")?;
/// let request = Request::post("/").body(r#"{"value":[{"changeType":"created"}]}"#)?;
/// let (head, body) = signed(&graph, request, SystemTime::now())?.into_parts();
/// tower_webhook::verify(&graph, &head, &body)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As for [`Sign::sign`].
pub fn signed<'a, S: Sign, B: AsRef<[u8]>>(
    signer: &S,
    request: Request<B>,
    with: impl Into<Signing<'a>>,
) -> Result<Request<Bytes>, Rejection> {
    let (mut head, body) = request.into_parts();
    let proven = signer.sign(&mut head, body.as_ref(), &with.into())?;
    let body = proven.unwrap_or_else(|| Bytes::copy_from_slice(body.as_ref()));
    Ok(Request::from_parts(head, body))
}

/// The JSON object with a first member more, whose value is JSON already.
pub(crate) fn with_member(object: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    let rest = object.trim_ascii_start().strip_prefix(b"{")?;
    let comma = if rest.trim_ascii_start().starts_with(b"}") { "" } else { "," };
    Some([format!(r#"{{"{name}":{value}{comma}"#).as_bytes(), rest].concat())
}

impl Sign for SchemeVerifier {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        put_signature(self, head, body, with.time, |content| {
            let tag = self.tag(content).map(|tag| tag.as_bytes().to_vec());
            tag.or_else(|| with.signature(self.scheme().algorithm, content))
        })?;
        Ok(None)
    }
}

/// Puts the headers of the scheme into the head, with the signature that `sign` makes.
fn put_signature(
    verifier: &SchemeVerifier,
    head: &mut Parts,
    body: &[u8],
    time: SystemTime,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<(), Rejection> {
    let scheme = verifier.scheme();
    let time_text = scheme.time.map(|(_, format)| format.write(time)).unwrap_or_default();
    if let Some((TimestampSource::Header(name), _)) = scheme.time {
        set(head, name, &time_text);
    }
    for (name, value) in scheme.required {
        set(head, name, value);
    }
    for part in scheme.signed_content {
        let (name, value) = match *part {
            Component::Header(name) => (Some(name), "delivery-1".to_owned()),
            Component::HttpDate(name) => (Some(name), TimestampFormat::HttpDate.write(time)),
            Component::Id => (scheme.delivery_id, "delivery-1".to_owned()),
            _ => continue,
        };
        if let Some(name) = name.filter(|name| !head.headers.contains_key(*name)) {
            set(head, name, &value);
        }
    }
    let header = scheme.signature_field();
    let value = |signature: &str| {
        let value = scheme.signature_format.write(&time_text, signature);
        scheme.authorization_scheme().map_or(value.clone(), |name| format!("{name} {value}"))
    };
    // The time is read from there.
    set(head, header, &value(""));
    let signature = sign(&verifier.content(head, body)?).ok_or_else(|| {
        Rejection::unavailable("to sign, give the private key of the verifier's algorithm")
    })?;
    set(head, header, &value(&scheme.encoding.encode(&signature)));
    Ok(())
}

fn set(head: &mut Parts, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        head.headers.insert(name, value);
    }
}

impl SignatureFormat {
    pub(crate) fn write(self, time: &str, signature: &str) -> String {
        match self {
            Self::Single { prefix } => format!("{prefix}{signature}"),
            Self::Unnamed { separator, time_first: true } => {
                format!("{time}{}{signature}", char::from(separator))
            }
            Self::Unnamed { .. } => signature.to_owned(),
            Self::Named { separator, assign, signature: name, time: time_name, spaced } => {
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

impl TimestampFormat {
    pub(crate) fn write(self, time: SystemTime) -> String {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (since.as_secs(), since.subsec_millis());
        match self {
            Self::HttpDate => written(seconds, |[year, month, day], weekday, clock| {
                let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
                let month = month.copied().unwrap_or_default();
                format!("{weekday} {day:02} {month} {year:04} {clock} UTC")
            }),
            Self::UnixSeconds => seconds.to_string(),
            Self::UnixMillis => since.as_millis().to_string(),
            Self::Rfc3339 => format!("{}Z", Self::Rfc3339NoOffset.write(time)),
            Self::Rfc3339NoOffset => written(seconds, |[year, month, day], _, clock| {
                format!("{year:04}-{month:02}-{day:02}T{clock}.{millis:03}")
            }),
        }
    }
}

/// Calls `write` with year, month and day, the day of the week, and the time as `00:51:44`.
fn written(seconds: u64, write: impl FnOnce([u64; 3], &str, &str) -> String) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = usize::try_from(days % 7).ok().and_then(|day| WEEKDAYS.get(day));
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
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    write([year, month, days + 1], weekday.copied().unwrap_or_default(), &clock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::parse::timestamp::Timestamp;

    #[test]
    fn a_day_that_is_written_is_read_as_the_same() {
        // A few years from 1970, and round 2000 and 2100: one is a leap year.
        for day in (0..1_500).chain(10_900..11_400).chain(47_450..47_950) {
            for second in [0, 86_399] {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400 + second);
                for format in [TimestampFormat::Rfc3339, TimestampFormat::HttpDate] {
                    let text = format.write(time);
                    let read = Timestamp::parse(text.as_bytes(), format);
                    assert_eq!(read.and_then(Timestamp::to_system_time), Some(time), "{text}");
                }
            }
        }
    }
}

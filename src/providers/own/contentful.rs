//! Contentful webhooks and requests to apps.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use crate::{
    crypto::{mac::Mac, secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{
        encoding::Encoding,
        headers::{required, required_named},
        timestamp::TimestampFormat,
        tolerance::{Times, Tolerance},
        url::{SplitUrl, split_query},
    },
    providers::{
        macros::registered,
        own::content_keys::{ContentKeys, Key, signature, signed_time},
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const SIGNATURE: &str = "x-contentful-signature";
const SIGNED_HEADERS: &str = "x-contentful-signed-headers";
const TIME: &str = "x-contentful-timestamp";

/// Maximum number of signed headers.
const MAX_NAMES: usize = 64;

/// Characters that JavaScript's `encodeURI` keeps, beside letters and digits.
const KEPT_IN_PATH: &[u8] = b";,/?:@&=+$-_.!~*'()#";
/// Characters that Node's `querystring.escape` keeps, beside letters and digits.
const KEPT_IN_QUERY: &[u8] = b"-_.!~*'()";

/// Contentful webhooks and requests to apps: HMAC-SHA256 of method, path, headers and body.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Contentful};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(Contentful::new("made-up-signing-secret", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-contentful-signature: <hex>`, `x-contentful-signed-headers: <name>,<name>`, `x-contentful-timestamp: <milliseconds>` |
/// | algorithm | HMAC-SHA256; the key is the signing secret |
/// | signed content | `<method>\n<path and query>\n<name>:<value>;<name>:<value>\n<body>`, with path and query [escaped](Self#signed-url) |
/// | tolerance | 30 seconds back, 5 minutes ahead |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The request names the signed headers. The names must be sorted and in small letters, and include
///   the list itself and the timestamp. Each of the headers must occur exactly once and not be blank.
/// - **A header outside the list is not signed.** Read only headers that you have found in
///   `x-contentful-signed-headers`. `x-contentful-topic`, for example, may be missing from it.
/// - Values are joined by `;` without escapes. A value that contains `;` and then the name of the next
///   header, or of the list, with `:` is rejected: it could hold another header.
/// - A retry that carries the time of the first attempt is too old after 30 seconds, for the vendor's
///   own receivers as well.
///
/// # Signed URL
///
/// Contentful signs the path and the query, without scheme, host and port. It escapes both once more,
/// and the query twice, so `%` becomes `%25`. A URL with two `?` is rejected: the part after the
/// second one is not signed. A `?` without a query after it is not signed.
/// ([Contentful](https://github.com/contentful/node-apps-toolkit/blob/42bf35ea1397612aa0377b68492c651492e18e90/src/requests/utils.ts))
///
/// # Secret
///
/// The signing secret of the space for webhooks, of 64 characters: *Webhooks* → *Settings* → *Enable
/// request verification*. An app has its own.
/// ([Contentful](https://contentful.com/developers/docs/extensibility/webhooks/request-verification))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that Contentful has. A proxy must not change a signed header.
///
/// # Evidence
///
/// Vendor's source: `src/requests/` in contentful/node-apps-toolkit @42bf35e. The limit ahead is ours:
/// the vendor has none.
///
#[doc = crate::providers::macros::page!(Contentful)]
#[derive(Clone, Debug)]
pub struct Contentful {
    keys: ContentKeys,
    url: PublicUrl,
    tolerance: Tolerance,
}

registered! {
    Contentful = "contentful";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries()
        .window(30, "https://github.com/contentful/node-apps-toolkit/blob/42bf35ea1397612aa0377b68492c651492e18e90/src/requests/verify-request.ts");
    signature: "HMAC-SHA256 of method, path, headers and body";
    "contentful": Secret timed url, p => Contentful::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl Contentful {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[SIGNATURE]);

    /// Creates a verifier with these signing secrets, the current one first, for requests that
    /// Contentful sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let mac = |secret: &Secret| Key::Mac(Mac::hmac_sha256(secret.expose()));
        let keys = ContentKeys::new(Self::DEFAULTS.provider(), mac, secrets)?;
        Ok(Self { keys, url, tolerance: Self::POLICY.tolerance() })
    }

    /// Sets how far the signed time may be off, instead of the provider's default (see above).
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Returns the signed content before the body.
    fn content(&self, head: &Parts) -> Result<Vec<u8>, Rejection> {
        let mut content = format!("{}\n", head.method);
        let url = self.url.resolve(head)?;
        write_path(&mut content, SplitUrl::of(&url).rest)?;
        let mut content = content.into_bytes();
        content.push(b'\n');
        write_headers(&mut content, head)?;
        content.push(b'\n');
        Ok(content)
    }
}

/// Adds the path and the query as Contentful signs them.
fn write_path(content: &mut String, rest: &str) -> Result<(), Rejection> {
    let (path, query) = split_query(rest);
    let query = query.strip_prefix('?').unwrap_or_default();
    // Contentful signs nothing from the second question mark on.
    if query.contains('?') {
        return Err(Rejection::malformed_in(Field::Url));
    }
    if path.is_empty() {
        content.push('/');
    }
    escape(content, path, KEPT_IN_PATH, "%");
    if !query.is_empty() {
        content.push('?');
        // Escaped twice: the second time, only the percent signs are.
        escape(content, query, KEPT_IN_QUERY, "%25");
    }
    Ok(())
}

fn escape(content: &mut String, text: &str, kept: &[u8], percent: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            content.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(content, "{percent}{byte:02X}");
        }
    }
}

/// Returns the names of the signed headers.
fn signed_names(head: &Parts) -> Result<Vec<HeaderName>, Rejection> {
    let malformed = || Rejection::malformed(SIGNED_HEADERS);
    let list = required(head, SIGNED_HEADERS)?;
    let mut names: Vec<HeaderName> = Vec::new();
    for text in list.split(|byte| *byte == b',') {
        let name = HeaderName::from_bytes(text).map_err(|_| malformed())?;
        // Contentful writes each name once, in this order.
        let is_next = names.last().is_none_or(|last| last.as_str() < name.as_str());
        if name.as_str().as_bytes() != text || !is_next || names.len() == MAX_NAMES {
            return Err(malformed());
        }
        names.push(name);
    }
    // Without them, the sender of a captured request could choose the list or the time.
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(SIGNED_HEADERS) && has(TIME) { Ok(names) } else { Err(malformed()) }
}

/// Adds the signed headers.
fn write_headers(content: &mut Vec<u8>, head: &Parts) -> Result<(), Rejection> {
    let names = signed_names(head)?;
    let list = format!(";{SIGNED_HEADERS}:");
    for (at, name) in names.iter().enumerate() {
        let value = required_named(head, name)?;
        let next = names.get(at + 1).map(|next| format!(";{next}:"));
        let has = |text: &str| value.windows(text.len()).any(|part| part == text.as_bytes());
        // Otherwise the text of one list of headers could be that of another one.
        if has(&list) || next.is_some_and(|next| has(&next)) {
            return Err(Rejection::malformed(name.to_string()));
        }
        if at > 0 {
            content.push(b';');
        }
        content.extend([name.as_str().as_bytes(), b":", value].concat());
    }
    Ok(())
}

impl Verifier for Contentful {
    type State = Times;

    fn begin(&self, request: &Context<'_>) -> Result<Times, Rejection> {
        signature(request.head(), SIGNATURE, Encoding::Hex)?;
        self.content(request.head())?;
        signed_time(request, TIME, TimestampFormat::UnixMillis, self.tolerance)
    }

    fn finish(
        &self,
        times: &mut Times,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let signature = signature(head, SIGNATURE, Encoding::Hex)?;
        let content = self.content(head)?;
        let verified = self.keys.verify_timed(&[&[&content, body]], &[signature], *times);
        let url = || self.url.resolve(head).map(|url| url.into_owned()).unwrap_or_default();
        Ok(verified.map_err(|why| why.with_signed_url(url()))?.with_signed_body().into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let with = |url| Self { url, ..self.clone() };
        crate::providers::own::variants::probe_urls(probe, &self.url, with);
        self.keys.probe(probe, |keys| Self { keys, ..self.clone() });
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Contentful {
    /// Signs the headers that the request names, or those of Contentful and the media type.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::providers::own::shared_token::put;

        let time = TimestampFormat::UnixMillis.write(with.time());
        put(head, &HeaderName::from_static(TIME), time.as_bytes())?;
        if !head.headers.contains_key(SIGNED_HEADERS) {
            let names = head.headers.keys().map(HeaderName::as_str);
            let is_signed = |name: &&str| name.starts_with("x-contentful-") && *name != SIGNATURE;
            let names = names.filter(|name| is_signed(name) || *name == "content-type");
            let mut names: Vec<_> = names.chain([SIGNED_HEADERS]).collect();
            names.sort_unstable();
            let list = names.join(",");
            put(head, &HeaderName::from_static(SIGNED_HEADERS), list.as_bytes())?;
        }
        let content = self.content(head)?;
        let tag = Encoding::Hex.encode(self.keys.tag(&[&content, body])?.as_bytes());
        put(head, &HeaderName::from_static(SIGNATURE), tag.as_bytes())?;
        Ok(None)
    }
}

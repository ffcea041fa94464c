//! HubSpot webhooks.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};

#[cfg(feature = "explain")]
use crate::outcome::{cause::Cause, explanation::Finding};
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{encoding::Encoding, timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DAY, DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        public_url::PublicUrl,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, delegate, outcome::Outcome,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// The escapes that HubSpot decodes in the URL before it signs, with their characters.
const DECODED: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// HubSpot webhooks: HMAC-SHA256 of method, URL, body and time.
///
/// The versions 1 and 2 of the signature are accepted [on request](Self#older-versions) only.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::HubSpot};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(HubSpot::new("made-up-secret", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-hubspot-signature-v3: <base64>`, `x-hubspot-request-timestamp: <milliseconds>` |
/// | algorithm | HMAC-SHA256; the key is the app's client secret |
/// | signed content | `<method><URL><body><time>`, with [escapes](Self#signed-url) of the URL decoded |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | none known |
/// | challenge | none |
///
/// A workflow's webhook is not retried after a 403.
/// ([HubSpot](https://developers.hubspot.com/docs/api-reference/error-handling))
///
/// # Signed URL
///
/// HubSpot decodes these escapes in the URL before it signs: `%3A`, `%2F`, `%3F`, `%40`, `%21`,
/// `%24`, `%27`, `%28`, `%29`, `%2A`, `%2C` and `%3B`. Other escapes stay as they are, and so do
/// these in small letters.
/// ([HubSpot](https://developers.hubspot.com/docs/api/webhooks/validating-requests))
///
/// The signature therefore does not cover whether such a character was escaped: `/a%2Fb` and `/a/b`
/// have the same signature, and so have `/a%3Fb` and `/a?b`. Match exact paths, and do not split
/// the query at `;`.
///
/// # Secret
///
/// The app's client secret.
/// ([HubSpot](https://developers.hubspot.com/docs/api/webhooks/validating-requests))
/// In the developer account: *Apps* → the app → *Auth*.
/// ([IBM](https://www.ibm.com/docs/en/ace-ipaas?topic=crm-obtaining-connection-values-hubspot))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that HubSpot has, with its protocol. The parameters of the
/// query must stay in their order.
/// ([HubSpot](https://developers.hubspot.com/docs/api/webhooks/validating-requests))
///
/// # Older versions
///
/// HubSpot sends the versions 1 and 2 beside version 3: `X-HubSpot-Signature`, a plain SHA-256 hash
/// in hexadecimal. It covers no time, so a captured request can be sent again at any time.
/// ([HubSpot](https://developers.hubspot.com/docs/api/webhooks/validating-requests))
/// [`accept_v2`](Self::accept_v2) and [`accept_v1`](Self::accept_v1) accept requests that have an
/// older version alone. Anyone who can capture a request can remove the header of version 3 from it,
/// so call them only if your requests do not have version 3. A replay guard takes the two for
/// different deliveries.
///
/// # Evidence
///
/// Vendor vector: <https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests>,
/// and HubSpot/hubspot-api-nodejs @39d11e5 `test/unit/signature.spec.ts` for the older versions.
///
#[doc = crate::providers::macros::page!(HubSpot)]
#[derive(Clone, Debug)]
pub struct HubSpot {
    current: SchemeVerifier,
    /// Verifiers of the versions 1 and 2.
    older: Arc<[SchemeVerifier; 2]>,
    accepts_older: [bool; 2],
}

registered! {
    HubSpot = "hubspot";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(DAY, "https://developers.hubspot.com/docs/api-reference/error-handling")
        .window(5 * MINUTE, "https://developers.hubspot.com/docs/api/webhooks/validating-requests")
        .comes_again("https://developers.hubspot.com/docs/api-reference/error-handling");
    signature: SCHEME;
    "hubspot": Secret timed url, p => HubSpot::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl HubSpot {
    /// The scheme, for a URL whose escapes are decoded.
    const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256(HEADER)
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Method, Component::Url, Component::Body, Component::Time])
            .time(
                TimestampSource::Header("x-hubspot-request-timestamp"),
                TimestampFormat::UnixMillis,
            ),
    );

    /// The schemes of the versions 1 and 2.
    const OLDER: [Scheme; 2] = [
        older(&[(VERSION, "v1")], &[Component::Secret, Component::Body]),
        older(
            &[(VERSION, "v2")],
            &[Component::Secret, Component::Method, Component::Url, Component::Body],
        ),
    ];

    scheme_methods!(@defaults);

    /// Creates a verifier with these secrets, the current one first, for webhooks that HubSpot
    /// sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let secrets = secrets.into_secrets()?;
        let [v1, v2] = Self::OLDER;
        let older = [v1.verifier(secrets.clone())?, v2.verifier_at(secrets.clone(), url.clone())?];
        let signed = PublicUrl::custom(move |head| Some(decoded(&url.resolve(head).ok()?)));
        Ok(Self {
            current: Self::SCHEME.verifier_at(secrets, signed)?,
            older: Arc::new(older),
            accepts_older: [false; 2],
        })
    }

    /// Also accepts requests that have version 1 of the signature and not version 3: a plain hash of
    /// secret and body.
    ///
    /// It covers neither method nor URL nor time. The body must be JSON, so that the hash of version 2
    /// is not one of version 1.
    #[must_use]
    pub const fn accept_v1(mut self) -> Self {
        self.accepts_older[0] = true;
        self
    }

    /// Also accepts requests that have version 2 of the signature and not version 3: a plain hash of
    /// secret, method, URL and body.
    ///
    /// It covers no time.
    #[must_use]
    pub const fn accept_v2(mut self) -> Self {
        self.accepts_older[1] = true;
        self
    }

    /// Sets how far the signed timestamp can be off, instead of 5 minutes.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.current = self.current.map_scheme(|scheme| scheme.tolerance(tolerance));
        self
    }

    /// Returns the verifier of the request's version, and its position in the state.
    ///
    /// A request with version 3 is judged by it, so a valid older signature cannot replace an
    /// invalid one.
    fn of_version(&self, head: &Parts) -> (Version, &SchemeVerifier) {
        let version = head.headers.get(VERSION).map(HeaderValue::as_bytes);
        let index = match version {
            _ if head.headers.contains_key(HEADER) => None,
            Some(b"v1") => Some(0),
            Some(b"v2") => Some(1),
            _ => None,
        };
        match index {
            Some(index) if self.accepts_older[index] => (Version::Older(index), &self.older[index]),
            _ => (Version::Current, &self.current),
        }
    }

    fn verifier(&self, version: Version) -> &SchemeVerifier {
        match version {
            Version::Current => &self.current,
            Version::Older(index) => &self.older[index],
        }
    }
}

const HEADER: &str = "x-hubspot-signature-v3";
const VERSION: &str = "x-hubspot-signature-version";

/// Returns the scheme of an older version.
const fn older(
    version: &'static [(&'static str, &'static str)],
    content: &'static [Component],
) -> Scheme {
    let scheme = Scheme::plain_sha256("x-hubspot-signature").signed_content(content);
    HubSpot::POLICY.apply(scheme.required(version))
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Current,
    Older(usize),
}

/// State of a verification, and the version of the signature.
#[doc(hidden)]
#[derive(Debug)]
pub struct HubSpotState {
    version: Version,
    state: Option<SchemeState>,
}

/// Returns the URL as HubSpot signs it.
fn decoded(url: &str) -> String {
    let mut pieces = url.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let found = DECODED.iter().find_map(|(digits, char)| {
            let rest = piece.strip_prefix(digits)?;
            Some((char, rest))
        });
        match found {
            Some((char, rest)) => {
                text.push(*char);
                text.push_str(rest);
            }
            None => text.extend(["%", piece]),
        }
    }
    text
}

impl Verifier for HubSpot {
    type State = HubSpotState;

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        delegate::begin(self, request)
    }

    fn begin_in(
        &self,
        request: &Context<'_>,
        state: &mut Option<Self::State>,
    ) -> Result<(), Rejection> {
        let (version, verifier) = self.of_version(request.head());
        let state = state.insert(HubSpotState { version, state: None });
        verifier.begin_in(request, &mut state.state)
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Some(of_version) = &mut state.state {
            self.verifier(state.version).update(of_version, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        delegate::finish(self, state, request, body)
    }

    fn finish_in(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
        proof: &mut Verified,
    ) -> Result<Option<Response<Bytes>>, Rejection> {
        // A head that was rejected proves nothing.
        let of_version = state.state.as_mut().ok_or(Rejection::mismatch())?;
        // Version 2 hashes method, URL and body, which together could be a body of version 1.
        let is_json = || matches!(body.trim_ascii_start(), [b'[' | b'{', ..]);
        if matches!(state.version, Version::Older(0)) && !is_json() {
            return Err(Rejection::malformed_in(Field::Body));
        }
        self.verifier(state.version).finish_in(of_version, request, body, proof)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.current.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.current.sensitive_parts().and(self.older[0].sensitive_parts())
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let (version, verifier) = self.of_version(probe.head());
        if let Version::Older(_) = version {
            verifier.explain(probe);
            return;
        }
        self.current.explain(probe);
        self.current.probe_spelled_urls(probe, &|url| decoded(&url));
        if !probe.head().headers.contains_key(HEADER) {
            for older in &*self.older {
                let finding = Finding::proven(Cause::Algorithm)
                    .with_detail("it is an older version of the signature, which is not accepted");
                probe.verifier(finding, older);
            }
        }
    }
}

sign_as!(HubSpot, self => &self.current);

//! HubSpot webhooks.

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    parse::{encoding::Encoding, timestamp::TimestampFormat},
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
    verifier::{delegate::delegate_verifier, verifier::Verifier},
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
/// # Not covered
///
/// Versions 1 and 2: `X-HubSpot-Signature`, a plain SHA-256 hash without a time. HubSpot sends them
/// beside version 3.
/// ([HubSpot](https://developers.hubspot.com/docs/api/webhooks/validating-requests))
///
/// # Evidence
///
/// Vendor vector: <https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests>.
///
#[doc = crate::providers::macros::page!(HubSpot)]
#[derive(Clone, Debug)]
pub struct HubSpot(SchemeVerifier);

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
        Scheme::hmac_sha256("x-hubspot-signature-v3")
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Method, Component::Url, Component::Body, Component::Time])
            .time(
                TimestampSource::Header("x-hubspot-request-timestamp"),
                TimestampFormat::UnixMillis,
            ),
    );

    scheme_methods!(@defaults);
    scheme_methods!(@timed);

    /// Creates a verifier with these secrets, the current one first, for webhooks that HubSpot
    /// sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let signed = PublicUrl::custom(move |head| Some(decoded(&url.resolve(head).ok()?)));
        Self::SCHEME.verifier_at(secrets, signed).map(Self)
    }
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
    delegate_verifier! {
        self => self.0, SchemeState;
        explain(probe) => self.0.probe_spelled_urls(probe, &|url| decoded(&url))
    }
}

sign_as!(HubSpot, self => &self.0);

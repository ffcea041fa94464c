//! Providers that consist of a scheme with a public key, which you pin.

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    parse::encoding::Encoding,
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{challenge::challenge::Challenge, delegate::delegate_verifier, verifier::Verifier},
};

/// Generates the types: name, `by_name` name, the vendor's spelling if it is another, scheme, `timed`
/// if a timestamp is signed, and delivery policy.
macro_rules! pinned_keys {
    ($(
        $(#[$doc:meta])*
        $name:ident = $id:literal $(as $title:literal)? $(, $timed:ident)?: $scheme:expr, $policy:expr;
    )*) => {$(
        $(#[$doc])*
        ///
        #[doc = crate::providers::macros::page!($name)]
        #[derive(Clone, Debug)]
        pub struct $name(pub(crate) SchemeVerifier);

        registered! {
            $name = $id $(as $title)?;
            policy: $policy;
            signature: SCHEME;
            $id: PublicKey $($timed)?, p => $name::new(p.public_keys()?);
        }

        impl $name {
            /// The signature scheme.
            pub const SCHEME: Scheme = Self::POLICY.apply($scheme.provider($id));

            scheme_methods!(public_key $(, $timed)?);
        }

        impl Verifier for $name {
            delegate_verifier!(self => self.0, SchemeState);
        }

        sign_as!($name, self => &self.0);
    )*};
}
pub(crate) use pinned_keys;

pinned_keys! {
    /// Circle notifications (version 2): ECDSA P-256 of the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Circle};
    ///
    /// let key = PublicKey::from_spki_base64(
    ///     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\
    ///      HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==",
    /// )?;
    /// let layer = SignatureLayer::new(Circle::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-circle-signature: <base64>` |
    /// | algorithm | ECDSA P-256 with SHA-256, in DER; the key is that of Circle's API, [`PublicKey::from_spki_base64`](crate::PublicKey::from_spki_base64) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | `notificationId` in the body |
    /// | challenge | an unsigned HEAD: the response is an empty 200 |
    ///
    /// - `X-Circle-Key-Id` names the key, and **Circle may use another key for each notification**:
    ///   use `Circle::with_fetched_keys` (feature `fetched-keys`). `Circle::new` tries the keys that
    ///   you pin, and ignores the header.
    /// - An authentic notification to another customer of Circle may be accepted. Check in the
    ///   handler that `subscriptionId` is yours.
    ///
    /// # Not covered
    ///
    /// Notifications of version 1 (Circle Mint, Digital Asset Accounts, CPN Managed Payments), which
    /// come from Amazon SNS.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://developers.circle.com/api-reference/verify-webhook-signatures>, and for HEAD
    /// <https://developers.circle.com/wallets/webhook-notifications>.
    Circle = "circle":
        Scheme::ecdsa_p256_sha256("x-circle-signature")
            .encoding(Encoding::Base64)
            .challenge(Challenge::Head),
        DeliveryPolicy::UNKNOWN
            .known_by("notificationId", "https://developers.circle.com/wallets/webhook-notifications");

    /// Freshchat webhooks: RSA of the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Freshchat};
    ///
    /// let key = PublicKey::from_spki_base64(
    ///     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuGJLF4hTTtxWogT6dNkGf3CEgLAR2mGJzlds5cNbrHFoJNFn\
    ///      mVhkRYGzLYxx4EtDiezNCZVHfyMI2AKuNSQW2fEdDatVIG+q3Zr/X9eeDl8kQOGy804J/fgCYDrN8RQu0n5Dh1inv4pu\
    ///      ca0wb29SCvoAwrWb33ehDBIvv6+rUKBdjtv2xTV65kNiVDo5VRCaYRVeE10osxeONgw55HVY4nczuxnR+dmc2282de6W\
    ///      He5LXtr0ZBdJ8yttFOLIluZ/sNM5DIWZBkIWQhyT581tbA7bTpsIbrT/IMBlmioIILw8WGtI7zcmNkjU5dnq5HnlVKED\
    ///      hj/Ug/dLiyno8+Vp7QIDAQAB",
    /// )?;
    /// let layer = SignatureLayer::new(Freshchat::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-freshchat-signature: <base64>` |
    /// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is the account's public key, [`PublicKey::from_spki_base64`](crate::PublicKey::from_spki_base64) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none; a message has `data.message.id` in the body |
    /// | challenge | none |
    ///
    /// - Freshchat labels the key `RSA PUBLIC KEY`, but its content is that of a `PUBLIC KEY`. Pass
    ///   the text between the two labels to `from_spki_base64`, without spaces and line breaks.
    /// - `X-Retry-Count` is not signed.
    ///
    /// # Secret
    ///
    /// Freshchat has no secret: pass the public key from the settings of the webhook.
    ///
    /// # Evidence
    ///
    /// Public vector: `handlers/freshchat/handler_test.go` in nyaruka/courier. Vendor's
    /// documentation, for the header:
    /// <https://crmsupport.freshworks.com/en/support/solutions/articles/50000004461-freshchat-webhooks-payload-structure-and-authentication>.
    Freshchat = "freshchat":
        Scheme::rsa_pkcs1_sha256("x-freshchat-signature").encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN;

    /// GitHub secret scanning alerts, which GitHub sends to the issuers of tokens: ECDSA P-256 of
    /// the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::GitHubSecretScanning};
    ///
    /// let key = PublicKey::from_pem(
    ///     "-----BEGIN PUBLIC KEY-----\n\
    ///      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\n\
    ///      HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==\n\
    ///      -----END PUBLIC KEY-----\n",
    /// )?;
    /// let layer = SignatureLayer::new(GitHubSecretScanning::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `github-public-key-signature: <base64>` |
    /// | algorithm | ECDSA P-256 with SHA-256, in DER; the keys are those of GitHub's list, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none |
    /// | challenge | none |
    ///
    /// - GitHub lists its keys at <https://api.github.com/meta/public_keys/secret_scanning>.
    ///   `GitHubSecretScanning::with_fetched_keys` (feature `fetched-keys`) fetches the list, and uses
    ///   the key that `Github-Public-Key-Identifier` names.
    /// - `GitHubSecretScanning::new` takes all keys of the list, tries each, and ignores the
    ///   identifier. **You refresh them**: when GitHub signs with a new key, requests are rejected
    ///   until you create the verifier again.
    /// - GitHub signs for all of its partners with the same keys, and signs only the body: an alert
    ///   to another partner is accepted here, too. Check in the handler that each token is yours.
    ///
    /// # Not covered
    ///
    /// Requests to Copilot extensions, which have `X-GitHub-Public-Key-Signature` and the keys of
    /// another list.
    ///
    /// # Evidence
    ///
    /// Vendor vector: the sample of
    /// <https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program>.
    GitHubSecretScanning = "github_secret_scanning" as "GitHub secret scanning":
        Scheme::ecdsa_p256_sha256("github-public-key-signature").encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN;

    /// Requests to GitHub Copilot extensions: ECDSA P-256 of the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::GitHubCopilot};
    ///
    /// let key = PublicKey::from_spki_base64(
    ///     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\
    ///      HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==",
    /// )?;
    /// let layer = SignatureLayer::new(GitHubCopilot::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-github-public-key-signature: <base64>` |
    /// | algorithm | ECDSA P-256 with SHA-256, in DER; the key is in GitHub's list, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - `X-GitHub-Public-Key-Identifier` names the key. Use `GitHubCopilot::with_fetched_keys`
    ///   (feature `fetched-keys`), which fetches GitHub's list. `GitHubCopilot::new` tries the keys that
    ///   you pin, and ignores the header.
    /// - GitHub signs for all extensions with the same keys. `X-GitHub-Token` is not signed.
    ///
    /// # Not covered
    ///
    /// The headers without `X-`, which GitHub announced to end on 31 March 2025.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation:
    /// <https://docs.github.com/en/copilot/building-copilot-extensions/building-a-copilot-agent-for-your-copilot-extension/configuring-your-copilot-agent-to-communicate-with-github>.
    GitHubCopilot = "github_copilot" as "GitHub Copilot":
        Scheme::ecdsa_p256_sha256("x-github-public-key-signature").encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN;

    /// HighLevel webhooks: Ed25519 of the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::HighLevel};
    ///
    /// let layer = SignatureLayer::new(HighLevel::with_published_key()?);
    /// // The same, with a key that you pass:
    /// let key = PublicKey::from_spki_base64(HighLevel::PUBLISHED_KEY)?;
    /// let layer = SignatureLayer::new(HighLevel::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-ghl-signature: <base64>` |
    /// | algorithm | Ed25519; the key is HighLevel's public key, [`PUBLISHED_KEY`](Self::PUBLISHED_KEY) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none |
    /// | challenge | none |
    ///
    /// HighLevel signs for all its customers with the same key, and signs only the body: an authentic
    /// delivery to another app is accepted here, too. Check in the handler that `appId` or
    /// `locationId` is yours.
    ///
    /// # Not covered
    ///
    /// The older header `X-WH-Signature`, an RSA signature, which HighLevel replaced on 1 July 2026.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `lib/webhook/webhook-manager.ts` in GoHighLevel/highlevel-api-sdk @7224b2b.
    HighLevel = "highlevel":
        Scheme::ed25519("x-ghl-signature").encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN;

    /// Postal webhooks: RSA of the body.
    ///
    /// ```no_run
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Postal};
    ///
    /// let key = PublicKey::from_pem(&std::fs::read_to_string("postal.pem")?)?;
    /// let layer = SignatureLayer::new(Postal::new(key)?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-postal-signature-256: <base64>` |
    /// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is that of your Postal server, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | `uuid` in the body |
    /// | challenge | none |
    ///
    /// - Postal also sends the older `X-Postal-Signature`, with SHA-1. This type ignores it.
    /// - `X-Postal-Signature-KID` names the key. `Postal::with_fetched_keys` (feature `fetched-keys`)
    ///   fetches it. `Postal::new` tries the keys that you pin.
    ///
    /// # Secret
    ///
    /// Postal has no secret: pass its public key. On the server:
    /// `openssl rsa -in signing.key -pubout`. Postal also has the key as a JWK at
    /// `/.well-known/jwks.json`.
    /// ([Postal](https://github.com/postalserver/postal/blob/8ef89606bc34146fffba77a604dd824e6b1cdcc2/config/routes.rb))
    ///
    /// # Evidence
    ///
    /// Vendor's source: `lib/postal/http.rb` and `lib/postal/signer.rb` in postalserver/postal
    /// @8ef8960.
    Postal = "postal":
        Scheme::rsa_pkcs1_sha256("x-postal-signature-256").encoding(Encoding::Base64),
        DeliveryPolicy::UNKNOWN
            .retried_for(36 * MINUTE, "https://github.com/postalserver/postal/blob/8ef89606bc34146fffba77a604dd824e6b1cdcc2/app/services/webhook_delivery_service.rb")
            .known_by("uuid", "https://github.com/postalserver/postal/blob/8ef89606bc34146fffba77a604dd824e6b1cdcc2/app/services/webhook_delivery_service.rb")
            .comes_again("https://github.com/postalserver/postal/blob/8ef89606bc34146fffba77a604dd824e6b1cdcc2/app/services/webhook_delivery_service.rb");

    /// Token.io webhooks: Ed25519 of the body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::TokenIo};
    ///
    /// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
    /// let layer = SignatureLayer::new(TokenIo::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `token-signature: <base64url>` |
    /// | algorithm | Ed25519; the key is your member's public key, [`PublicKey::from_base64`](crate::PublicKey::from_base64) |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none |
    /// | challenge | none |
    ///
    /// - Token.io shows the key in base64url. Replace `-` by `+` and `_` by `/`.
    /// - `token-event`, the type of the event, is not signed.
    ///
    /// # Secret
    ///
    /// Token.io has no secret: pass the public key. In the dashboard: *Settings* →
    /// *Member Information*. (second-hand: Hookdeck's webhook skills)
    ///
    /// # Evidence
    ///
    /// **Second-hand**: `skills/tokenio-webhooks` of Hookdeck's webhook skills,
    /// <https://www.skills.sh/hookdeck/webhook-skills/tokenio-webhooks>.
    TokenIo = "token_io" as "Token.io":
        Scheme::ed25519("token-signature").encoding(Encoding::Base64Url),
        DeliveryPolicy::UNKNOWN;
}

impl HighLevel {
    /// The public key that HighLevel publishes for `X-GHL-Signature`, as the base64 of a
    /// SubjectPublicKeyInfo.
    ///
    /// Source: the vendor's guide,
    /// <https://marketplace.gohighlevel.com/docs/webhook/WebhookIntegrationGuide>, as ten public
    /// receivers quote it on 2026-11-27. Compare it before you rely on it.
    pub const PUBLISHED_KEY: &str = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";

    /// Creates a verifier with the [published key](Self::PUBLISHED_KEY).
    ///
    /// # Errors
    ///
    /// Returns an error if the key is invalid. It is not.
    pub fn with_published_key() -> Result<Self, ConfigError> {
        Self::new(PublicKey::from_spki_base64(Self::PUBLISHED_KEY)?)
    }
}

//! Providers that consist of a scheme with a signed time, and publish their keys as a JSON Web Key
//! Set.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        own::{
            pinned_keys::pinned_keys,
            standard_webhooks::{HEADERS, WEBHOOK, tagged_family},
        },
        policy::{DAY, DeliveryPolicy, HOUR, MINUTE},
    },
    scheme::{
        component::{Component, DigestEncoding, TimestampSource},
        declaration::Scheme,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

pinned_keys! {
    /// fal.ai webhooks: Ed25519 of IDs, time and the body's digest.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::FalAi};
    ///
    /// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
    /// let layer = SignatureLayer::new(FalAi::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-fal-webhook-signature: <hex>`, `x-fal-webhook-request-id`, `x-fal-webhook-user-id`, `x-fal-webhook-timestamp: <seconds>` |
    /// | algorithm | Ed25519; the keys are in fal.ai's list |
    /// | signed content | `<request ID>\n<user ID>\n<time>\n<SHA-256 of the body in hexadecimal>` |
    /// | tolerance | 5 minutes both ways |
    /// | delivery ID | `x-fal-webhook-request-id`, **signed**; the same for every retry |
    /// | challenge | none |
    ///
    /// - A request does not name its key. Use `FalAi::with_fetched_keys` (feature `fetched-keys`), which
    ///   fetches fal.ai's list and tries its keys. `FalAi::new` tries the keys that you pin.
    /// - fal.ai signs for all its customers with the same keys. Check that the request ID is one of
    ///   yours, or `x-fal-webhook-user-id`, which is signed.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.fal.ai/model-apis/model-endpoints/webhooks>. Receivers
    /// agree on the signed content.
    FalAi = "fal_ai" as "fal.ai", timed:
        Scheme::ed25519("x-fal-webhook-signature")
            .encoding(Encoding::Hex)
            .signed_content(&[
                Component::Id,
                Component::Literal("\n"),
                Component::Header("x-fal-webhook-user-id"),
                Component::Literal("\n"),
                Component::Time,
                Component::Literal("\n"),
                Component::BodySha256(DigestEncoding::Hex),
            ])
            .time(TimestampSource::Header("x-fal-webhook-timestamp"), TimestampFormat::UnixSeconds)
            .delivery_id("x-fal-webhook-request-id"),
        DeliveryPolicy::UNKNOWN
            .retried_for(2 * HOUR, "https://docs.fal.ai/model-apis/model-endpoints/webhooks")
            .window(5 * MINUTE, "https://docs.fal.ai/model-apis/model-endpoints/webhooks");

    /// Dynamic webhooks of Google's Gemini API: Ed25519 of ID, time and body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Gemini};
    ///
    /// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
    /// let layer = SignatureLayer::new(Gemini::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `webhook-signature: v1a,<base64>`, `webhook-id`, `webhook-timestamp: <seconds>` |
    /// | algorithm | Ed25519; the keys are in Google's list |
    /// | signed content | `<id>.<time>.<body>`, as in Standard Webhooks |
    /// | tolerance | 5 minutes both ways |
    /// | delivery ID | `webhook-id`, **signed** |
    /// | challenge | none |
    ///
    /// - Dynamic webhooks are those of `webhook_config` in a request. For static webhooks, which have a
    ///   secret, use [`StandardWebhooks`](crate::providers::StandardWebhooks).
    /// - The keys of Google's list have no IDs. Use `Gemini::with_fetched_keys` (feature `fetched-keys`),
    ///   which fetches the list and tries its keys. `Gemini::new` tries the keys that you pin.
    /// - Google signs for all its customers with the same keys. Check in the handler that the event is
    ///   about a job of yours.
    /// - Google's page describes a JSON Web Token instead. The deliveries that its users report have
    ///   this form.
    ///
    /// # Evidence
    ///
    /// Receivers: live deliveries in
    /// <https://github.com/googleapis/python-genai/issues/2927>.
    Gemini = "gemini", timed:
        tagged_family(HEADERS[WEBHOOK], "v1a", Scheme::ed25519(HEADERS[WEBHOOK][0])),
        DeliveryPolicy::UNKNOWN
            .retried_for(DAY, "https://ai.google.dev/gemini-api/docs/webhooks")
            .window(5 * MINUTE, "https://ai.google.dev/gemini-api/docs/webhooks");

    /// ShipStation and ShipEngine webhooks: RSA of time and body.
    ///
    /// ```no_run
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::ShipStation};
    ///
    /// let key = PublicKey::from_pem(&std::fs::read_to_string("shipstation.pem")?)?;
    /// let layer = SignatureLayer::new(ShipStation::new(key)?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-shipengine-rsa-sha256-signature: <base64>`, `x-shipengine-timestamp: <RFC 3339>` |
    /// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is in ShipStation's list |
    /// | signed content | `<time>.<body>` |
    /// | tolerance | 5 minutes both ways |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - `X-ShipEngine-RSA-SHA256-Key-Id` names the key. Use `ShipStation::with_fetched_keys` (feature
    ///   `fetched-keys`), which fetches ShipStation's list. `ShipStation::new` tries the keys that you pin,
    ///   and ignores the header.
    /// - ShipStation signs for all its customers with the same keys. Use a URL that nobody else knows.
    ///
    /// # Not covered
    ///
    /// Webhooks of the V1 API, which are not signed.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.shipstation.com/apis/docs/guides/webhooks-validation>.
    ShipStation = "shipstation", timed:
        Scheme::rsa_pkcs1_sha256("x-shipengine-rsa-sha256-signature")
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
            .time(TimestampSource::Header("x-shipengine-timestamp"), TimestampFormat::Rfc3339),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://docs.shipstation.com/apis/docs/guides/webhooks-validation");

    /// Turnkey webhooks: Ed25519 of IDs, time and body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Turnkey};
    ///
    /// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
    /// let layer = SignatureLayer::new(Turnkey::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-turnkey-signature: <hex>`, `x-turnkey-signature-key-id`, `x-turnkey-timestamp: <milliseconds>`, `x-turnkey-event-id` |
    /// | algorithm | Ed25519; the key is in Turnkey's list |
    /// | signed content | `v1.ed25519.<key ID>.<time>.<event ID>.<body>` |
    /// | tolerance | 5 minutes both ways |
    /// | delivery ID | `x-turnkey-event-id`, **signed**; the same for every retry |
    /// | challenge | none |
    ///
    /// - `X-Turnkey-Signature-Key-Id` names the key. Use `Turnkey::with_fetched_keys` (feature
    ///   `fetched-keys`), which fetches Turnkey's list. `Turnkey::new` tries the keys that you pin.
    /// - Turnkey signs for all its customers with the same keys. Check in the handler that
    ///   `organizationId` in the body is yours.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://docs.turnkey.com/features/webhooks/verify-signatures>. The
    /// encoding is that of receivers.
    Turnkey = "turnkey", timed:
        Scheme::ed25519("x-turnkey-signature")
            .encoding(Encoding::Hex)
            .signed_content(&[
                Component::Literal("v1.ed25519."),
                Component::Header("x-turnkey-signature-key-id"),
                Component::Literal("."),
                Component::Time,
                Component::Literal("."),
                Component::Id,
                Component::Literal("."),
                Component::Body,
            ])
            .time(TimestampSource::Header("x-turnkey-timestamp"), TimestampFormat::UnixMillis)
            .delivery_id("x-turnkey-event-id"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();
}

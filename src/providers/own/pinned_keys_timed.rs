//! Providers that consist of a scheme with a public key, which you pin, and with a signed time.

use http::StatusCode;

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        own::pinned_keys::pinned_keys,
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, DigestEncoding, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

pinned_keys! {
    /// Bridge (bridge.xyz) webhooks: RSA of the SHA-256 of time and body.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::Bridge};
    ///
    /// let key = PublicKey::from_pem(
    ///     "-----BEGIN PUBLIC KEY-----\n\
    ///      MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtqsEE4eI7EmzhcquGJXt\n\
    ///      LX9PMK0UH6Kl1WIR21sv8HtueG8BuvvpP3MiN7ltzmIhS8KaynCjN4l+620PnXeu\n\
    ///      xWG+CSnEdkinL9hCqbEid5vv9zl0j9LWiJx3FkKHqADU7cgm46aa8dKUdIQYF2X+\n\
    ///      O7WmyLkC4wUM/mWhBPMsIQBznashRMZxx7XJjsVp27ACUE4eNIjEXbVYN6U8jSbU\n\
    ///      hG++CfL8xXu+GHDqKmFE6Po6HnuURvLFVnCtE3mXXBcVFlPy+octfx8nOMLT3X8O\n\
    ///      9UehIigJ34o2yMm/Fq3HUJzg2BsiAiGgtr0vmeoV9Q7upSNj9TuOumAzZFi4pYA+\n\
    ///      qwIDAQAB\n\
    ///      -----END PUBLIC KEY-----",
    /// )?;
    /// let layer = SignatureLayer::new(Bridge::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-webhook-signature: t=<milliseconds>,v0=<base64>` |
    /// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is the public key of the webhook, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
    /// | signed content | SHA-256 of `<time>.<body>`, as 32 bytes; RSA hashes it again |
    /// | tolerance | 10 minutes back, 5 minutes ahead |
    /// | delivery ID | `event_id` in the body (second-hand: receivers) |
    /// | challenge | none |
    ///
    /// Bridge advises the status 400 for an event that is too old, and sends it again with a new time.
    /// This type responds with 400 to each rejected request.
    ///
    /// # Secret
    ///
    /// Bridge has no secret: pass the public key that Bridge returns when you create the webhook.
    /// Each webhook has its own.
    /// ([Bridge](https://apidocs.bridge.xyz/v1/docs/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor vector: the test data of
    /// <https://apidocs.bridge.xyz/v1/docs/webhook-event-signature-verification>.
    Bridge = "bridge", timed:
        Scheme::rsa_pkcs1_sha256("x-webhook-signature")
            .encoding(Encoding::Base64)
            .signature_format(SignatureFormat::pairs("t", "v0"))
            .unique_content()
            .digested()
            .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
            .time(TimestampSource::Signature, TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .known_by("event_id", "https://agentskills.market/skills/deuriib-mintoria-skills-skills-bridge-webhooks")
            .signs_anew(true, "https://apidocs.bridge.xyz/platform/additional-information/webhooks/signature")
            .demands(StatusCode::BAD_REQUEST, "https://apidocs.bridge.xyz/platform/additional-information/webhooks/signature")
            .window(10 * MINUTE, "https://apidocs.bridge.xyz/platform/additional-information/webhooks/signature");

    /// integrated.finance webhooks: Ed25519 of the body's digest, IDs and times.
    ///
    /// ```
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::IntegratedFinance};
    ///
    /// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
    /// let layer = SignatureLayer::new(IntegratedFinance::new(key)?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-webhook-signature: <base64>`, and the five signed ones below |
    /// | algorithm | Ed25519; the key is the vendor's public key, [`PublicKey`](crate::PublicKey) |
    /// | signed content | base64 SHA-512 of the body, `x-webhook-event-id`, `x-webhook-event-timestamp`, `x-webhook-request-id`, `x-webhook-request-timestamp` and `x-webhook-key-version`, with `\|` between them |
    /// | tolerance | 24 hours back, 5 minutes ahead, of `x-webhook-request-timestamp` |
    /// | delivery ID | `x-webhook-event-id`, **signed** |
    /// | challenge | none |
    ///
    /// - This type hashes the body itself and ignores `x-webhook-content-digest`.
    /// - `x-webhook-key-version` names the key. This type tries all of its keys instead.
    /// - The vendor's page does not say whether a retry has a new time. If retries are rejected as
    ///   too old, set another [`tolerance`](Self::tolerance).
    ///
    /// # Secret
    ///
    /// integrated.finance has no secret: pass the public key of each version.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developer.integrated.finance/docs/webhook-authentication>.
    IntegratedFinance = "integrated_finance" as "integrated.finance", timed:
        Scheme::ed25519("x-webhook-signature")
            .encoding(Encoding::Base64)
            .signed_content(&[
                Component::BodySha512(DigestEncoding::Base64),
                Component::Literal("|"),
                Component::Id,
                Component::Literal("|"),
                Component::Header("x-webhook-event-timestamp"),
                Component::Literal("|"),
                Component::Header("x-webhook-request-id"),
                Component::Literal("|"),
                Component::Time,
                Component::Literal("|"),
                Component::Header("x-webhook-key-version"),
            ])
            .time(TimestampSource::Header("x-webhook-request-timestamp"), TimestampFormat::Rfc3339)
            .delivery_id("x-webhook-event-id"),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// WeChat Pay notifications (API v3): RSA of time, nonce and body.
    ///
    /// ```no_run
    /// use tower_webhook::{PublicKey, SignatureLayer, providers::WeChatPay};
    ///
    /// let key = PublicKey::from_pem(&std::fs::read_to_string("pub_key.pem")?)?;
    /// let layer = SignatureLayer::new(WeChatPay::new(key)?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `wechatpay-signature: <base64>`, `wechatpay-timestamp: <seconds>`, `wechatpay-nonce` |
    /// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is WeChat Pay's public key, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
    /// | signed content | `<time>\n<nonce>\n<body>\n` |
    /// | tolerance | 5 minutes both ways |
    /// | delivery ID | none that is signed alone; the nonce is signed |
    /// | challenge | none |
    ///
    /// - `Wechatpay-Serial` names the key: the ID of WeChat Pay's public key, or the serial number of
    ///   a platform certificate. `WeChatPay::with_fetched_keys` (feature `certificates`) fetches the
    ///   platform certificates. `WeChatPay::new` tries the keys that you pin.
    /// - Extract the key of a platform certificate with `openssl x509 -pubkey -noout`.
    /// - **The field `resource` of the body is encrypted.** The handler decrypts it, with AES-256-GCM
    ///   and your API v3 key. This type checks only the signature.
    /// - WeChat Pay signs for all merchants with a platform's key. Decryption with your API v3 key
    ///   shows that the notification is yours.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `core/auth/validators/wechat_pay_validator.go` and `core/consts/const.go` in
    /// wechatpay-apiv3/wechatpay-go @6dbd7ce.
    WeChatPay = "wechat_pay" as "WeChat Pay", timed:
        Scheme::rsa_pkcs1_sha256("wechatpay-signature")
            .encoding(Encoding::Base64)
            .unique_content()
            .signed_content(&[
                Component::Time,
                Component::Literal("\n"),
                Component::Header("wechatpay-nonce"),
                Component::Literal("\n"),
                Component::Body,
                Component::Literal("\n"),
            ])
            .time(TimestampSource::Header("wechatpay-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/wechatpay-apiv3/wechatpay-go/blob/6dbd7ce2ec5967ac2de5fa053479b411967b9c29/core/consts/const.go");
}

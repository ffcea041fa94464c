//! Providers for video, content and games.

use crate::{
    crypto::{mac::Algorithm, secrets::IntoSecrets},
    error::ConfigError,
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        policy::{DAY, DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

providers! {
    /// # Secret
    ///
    /// The API returns the secret in `result.secret` when you create or read the webhook. An account
    /// has one webhook.
    /// ([Cloudflare](https://developers.cloudflare.com/stream/webhooks))
    ///
    /// # Not covered
    ///
    /// Webhooks of live inputs. They work in another way.
    /// ([Cloudflare](https://github.com/cloudflare/cloudflare-docs/blob/07acbb6612b5cefa1f8348106c158b0814a2972a/src/content/docs/stream/manage-video-library/using-webhooks.mdx))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: `src/content/docs/stream/manage-video-library/using-webhooks.mdx` in
    /// cloudflare/cloudflare-docs @07acbb6.
    CloudflareStream "Cloudflare Stream"(timed) = Scheme::hmac_sha256("webhook-signature")
        .provider("cloudflare_stream")
        .signature_format(SignatureFormat::pairs("time", "sig1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .signs_anew(true, "https://github.com/cloudflare/cloudflare-docs/blob/07acbb6612b5cefa1f8348106c158b0814a2972a/src/content/docs/stream/manage-video-library/using-webhooks.mdx");

    /// - The hash covers the secret last, so nobody can extend it. It is not an HMAC: whoever can choose
    ///   a whole body that Cloudinary sends could prepare two bodies with one SHA-1. If your account can
    ///   use SHA-256, choose it and use [`sha256`](Self::sha256).
    /// - Cloudinary's library accepts a notification for 2 hours.
    ///
    /// # Secret
    ///
    /// The API secret of the product environment.
    /// ([Cloudinary](https://github.com/cloudinary/cloudinary_php/blob/2cef7aa15b9108ee935055aba80d0bb09663cf1f/src/Utils/SignatureVerifier.php))
    ///
    /// # Evidence
    ///
    /// Vendor vector: the tests of cloudinary/cloudinary_php. Vendor's source:
    /// `src/Utils/SignatureVerifier.php` @2cef7aa.
    Cloudinary(timed) = Scheme::plain_sha1("x-cld-signature")
        .provider("cloudinary")
        .signed_content(&[Component::Body, Component::Time, Component::Secret])
        .time(TimestampSource::Header("x-cld-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(120 * MINUTE, "https://github.com/cloudinary/cloudinary_php/blob/2cef7aa15b9108ee935055aba80d0bb09663cf1f/src/Utils/SignatureVerifier.php");

    /// # Evidence
    ///
    /// Public vector: docs.datasaur.ai.
    Datasaur() = Scheme::hmac_sha256("x-datasaur-signature")
        .provider("datasaur");

    /// # Evidence
    ///
    /// Vendor's source: `main.go` in Frameio/webhooks-example-app.
    #[doc(alias = "adobe")]
    FrameIo "Frame.io"(timed) = Scheme::hmac_sha256("x-frameio-signature")
        .provider("frameio")
        .prefix("v0=")
        .signed_content(&[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-frameio-request-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(5 * MINUTE, "https://github.com/AdobeDocs/frameio-api/blob/2bd80f8b13c29fd4d7a761535cb590df98a50a44/src/pages/guides/Webhooks/index.md");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: mux-node-sdk.
    Mux(timed) = Scheme::hmac_sha256("mux-signature")
        .provider("mux")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://www.mux.com/docs/core/listen-for-webhooks")
            .retried_for(DAY, "https://www.mux.com/docs/core/listen-for-webhooks.md")
            .window(5 * MINUTE, "https://github.com/muxinc/mux-node-sdk");

    /// - The space after the comma is optional.
    /// - Base64url text that is not canonical is rejected.
    ///
    /// # Evidence
    ///
    /// Public vector: Sanity's webhook-toolkit.
    Sanity(timed) = Scheme::hmac_sha256("sanity-webhook-signature")
        .provider("sanity")
        .signature_format(SignatureFormat::pairs("t", "v1").spaced())
        .encoding(Encoding::Base64Url)
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis)
        .delivery_id("idempotency-key"),
        DeliveryPolicy::UNKNOWN
            .retried_for(MINUTE, "https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md")
            .gives_up(Some(429), "https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132.md");

    /// The signature covers the text of the timestamp as received.
    ///
    /// # Secret
    ///
    /// You choose the secret. Pass it as `transport.secret` when you create the EventSub
    /// subscription through the API. It must be ASCII text of 10 to 100 characters.
    /// ([Twitch](https://dev.twitch.tv/docs/eventsub/eventsub-reference/#transport))
    ///
    /// # Settings
    ///
    /// The callback must use TLS on port 443. The first request after you subscribe is the
    /// challenge. The layer responds to it.
    /// ([Twitch](https://dev.twitch.tv/docs/eventsub/handling-webhook-events))
    ///
    /// # Evidence
    ///
    /// Public vector: dev.twitch.tv and two test suites.
    #[doc(alias = "eventsub")]
    Twitch "Twitch EventSub"(timed) = Scheme::hmac_sha256("twitch-eventsub-message-signature")
        .provider("twitch")
        .takes_any_body()
        .prefix("sha256=")
        .signed_content(&[Component::Id, Component::Time, Component::Body])
        .time(TimestampSource::Header("twitch-eventsub-message-timestamp"), TimestampFormat::Rfc3339)
        .delivery_id("twitch-eventsub-message-id")
        .challenge(Challenge::SignedField {
            header: "twitch-eventsub-message-type",
            value: "webhook_callback_verification",
            field: "challenge",
        }),
        DeliveryPolicy::UNKNOWN
            .unknown_retries()
            .window(10 * MINUTE, "https://dev.twitch.tv/docs/eventsub/handling-webhook-events");

    /// # Evidence
    ///
    /// **Second-hand**: Hookdeck's webhook skills.
    Webflow(timed) = Scheme::hmac_sha256("x-webflow-signature")
        .provider("webflow")
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-webflow-timestamp"), TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .retried_for(30 * MINUTE, "https://developers.webflow.com/data/v1.0.0/docs/limits-and-retries");
}

impl Cloudinary {
    /// Creates a verifier for an account with SHA-256 in place of SHA-1, with these secrets, the
    /// current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn sha256(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let scheme = Scheme { algorithm: Algorithm::PlainSha256, ..Self::SCHEME };
        scheme.verifier(secrets).map(Self)
    }
}

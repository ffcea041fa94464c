//! Providers for sign-in, identity and background checks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::providers,
        own::standard_webhooks::svix_family,
        policy::{DAY, DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
};

providers! {
    /// The secret is the API secret.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: castle-python.
    Castle() = Scheme::hmac_sha256("x-castle-signature")
        .provider("castle")
        .encoding(Encoding::Base64);

    /// The secret is the API key.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: Nango.
    Checkr() = Scheme::hmac_sha256("x-checkr-signature")
        .provider("checkr");

    /// The secret is the whole API key, as in Clearbit's own library.
    ///
    /// # Evidence
    ///
    /// Vendor's source: `lib/clearbit/webhook.rb` in clearbit/clearbit-ruby.
    Clearbit() = Scheme::hmac_sha1("x-request-signature")
        .provider("clearbit")
        .prefix("sha1=")
        .delivery_id("x-request-id");

    /// # Secret
    ///
    /// In the Clerk Dashboard: *Webhooks* → the endpoint → *Signing Secret* (`whsec_…`). The eye
    /// icon reveals the secret.
    /// ([Clerk](https://github.com/clerk/clerk-docs/blob/a7cebf5858db84418400627a811cf6080f66d89c/docs/guides/development/webhooks/syncing.mdx))
    /// Each endpoint has its own secret.
    /// ([Clerk](https://github.com/clerk/clerk-docs/blob/a7cebf5858db84418400627a811cf6080f66d89c/docs/guides/secure/rotate-api-keys.mdx))
    /// Production and development have different secrets.
    /// ([Clerk](https://github.com/clerk/clerk-docs/blob/a7cebf5858db84418400627a811cf6080f66d89c/docs/guides/development/deployment/production.mdx))
    ///
    /// # Settings
    ///
    /// To rotate the secret, add a second endpoint with the same URL and events. Delete the first
    /// one when the new secret is in use.
    /// ([Clerk](https://github.com/clerk/clerk-docs/blob/a7cebf5858db84418400627a811cf6080f66d89c/docs/guides/secure/rotate-api-keys.mdx))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation or source: Clerk's documentation and Hookdeck's webhook skills.
    Clerk(timed) = svix_family()
        .provider("clerk"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://clerk.com/docs/core-1/integrations/webhooks/overview")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// # Evidence
    ///
    /// Public vector: onfido-python.
    Onfido() = Scheme::hmac_sha256("x-sha2-signature")
        .provider("onfido");

    /// The secret is the API key.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: DSACMS/iv-cbv-payroll, which quotes docs.pinwheelapi.com.
    Pinwheel(timed) = Scheme::hmac_sha256("x-pinwheel-signature")
        .provider("pinwheel")
        .prefix("v2=")
        .signed_content(&[Component::Literal("v2:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-timestamp"), TimestampFormat::UnixSeconds),
        DeliveryPolicy::UNKNOWN
            .unknown_retries();

    /// # Evidence
    ///
    /// Vendor's documentation: <https://stytch.com/docs/b2b/guides/webhooks>.
    Stytch(timed) = svix_family()
        .provider("stytch"),
        DeliveryPolicy::UNKNOWN
            .retried_for(99_305, "https://stytch.com/docs/b2b/guides/webhooks")
            .signs_anew(true, "https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs");

    /// # Secret
    ///
    /// In the Dashboard: *Dev space* → *Webhooks* → *Webhook manager* → *Create webhook* →
    /// *Secret key*. Sumsub generates a secret. You can set another one.
    /// ([Sumsub](https://docs.sumsub.com/docs/webhook-manager))
    ///
    /// # Settings
    ///
    /// Leave *Signature algorithm* at SHA256, the default.
    /// ([Sumsub](https://docs.sumsub.com/docs/webhook-manager))
    ///
    /// # Not covered
    ///
    /// SHA512, the other choice of *Signature algorithm*, and the older SHA-1. This type rejects
    /// them. The signature does not cover the header that names the algorithm.
    ///
    /// # Evidence
    ///
    /// **Second-hand**: several receivers agree on both headers and hex. Vendor's documentation: the
    /// algorithm, <https://docs.sumsub.com/docs/webhook-manager>.
    Sumsub() = Scheme::hmac_sha256("x-payload-digest")
        .provider("sumsub")
        .required(&[("x-payload-digest-alg", "HMAC_SHA256_HEX")]),
        DeliveryPolicy::UNKNOWN
            .retried_for(86_700, "https://docs.sumsub.com/docs/webhooks");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: workos-python.
    WorkOs "WorkOS"(timed) = Scheme::hmac_sha256("workos-signature")
        .provider("workos")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1").spaced())
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis),
        DeliveryPolicy::UNKNOWN
            .known_by("id", "https://workos.com/docs/events/data-syncing/webhooks")
            .retried_for(3 * DAY, "https://github.com/workos/skills/blob/8c8f4e7039ef065ba9204a8e88d93e394a5b09f0/skills/workos/workos-events.md")
            .window(3 * MINUTE, "https://github.com/workos/workos-node");
}

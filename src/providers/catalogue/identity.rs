//! Providers for sign-in, identity and background checks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{macros::providers, own::standard_webhooks::family},
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
    Clerk(timed) = family(["svix-signature", "svix-id", "svix-timestamp"])
        .provider("clerk");

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
        .time(TimestampSource::Header("x-timestamp"), TimestampFormat::UnixSeconds);

    /// # Evidence
    ///
    /// Vendor's documentation: <https://stytch.com/docs/b2b/guides/webhooks>.
    Stytch(timed) = family(["svix-signature", "svix-id", "svix-timestamp"])
        .provider("stytch");

    /// The delivery ID is `id` in the body.
    ///
    /// # Evidence
    ///
    /// Public vector: workos-python.
    WorkOs(timed) = Scheme::hmac_sha256("workos-signature")
        .provider("workos")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1").spaced())
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis);
}

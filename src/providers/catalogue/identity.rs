//! Sign-in, identity and background checks.

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
    /// Castle.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Castle-Signature: <base64>` |
    /// | algorithm | HMAC-SHA256; key: API secret, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: castle-python |
    Castle() = Scheme::hmac_sha256("x-castle-signature")
        .provider("castle")
        .encoding(Encoding::Base64);

    /// Checkr.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Checkr-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: API key, the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: Nango |
    Checkr() = Scheme::hmac_sha256("x-checkr-signature")
        .provider("checkr");

    /// Clearbit.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Request-Signature: sha1=<hex>` |
    /// | algorithm | HMAC-SHA1; key: the API key as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | `x-request-id`, **not signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's source: clearbit/clearbit-ruby:lib/clearbit/webhook.rb |
    ///
    /// The key is the whole API key, as in its own library.
    Clearbit() = Scheme::hmac_sha1("x-request-signature")
        .provider("clearbit")
        .prefix("sha1=")
        .delivery_id("x-request-id");

    /// Clerk.
    ///
    /// | | |
    /// |---|---|
    /// | header | `svix-signature`, `svix-id`, `svix-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `svix-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 27 hours and 36 minutes (<https://clerk.com/docs/core-1/integrations/webhooks/overview>); each is signed anew (<https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: clerk docs; hookdeck skills |
    Clerk(timed) = family(["svix-signature", "svix-id", "svix-timestamp"])
        .provider("clerk");

    /// Onfido.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-SHA2-Signature: <hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: onfido-python |
    Onfido() = Scheme::hmac_sha256("x-sha2-signature")
        .provider("onfido");

    /// Pinwheel.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Pinwheel-Signature: v2=<hex>` + `X-Timestamp` |
    /// | algorithm | HMAC-SHA256; key: API key, the secret as it is |
    /// | signed content | `v2:<time>:<body>` |
    /// | freshness | 24 hours back, 5 minutes ahead: a retry may carry the first attempt's time. Without a replay guard, turned on by `guard_body_only`, a captured delivery can be sent again for as long |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for an unknown time; whether each is signed anew is unknown |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation or source: DSACMS/iv-cbv-payroll (quotes docs.pinwheelapi.com) |
    ///
    /// Published vector: key TEST_KEY, ts 860860860, v2=42fb9eba…2ba8, body file not stored.
    Pinwheel(timed) = Scheme::hmac_sha256("x-pinwheel-signature")
        .provider("pinwheel")
        .prefix("v2=")
        .signed_content(&[Component::Literal("v2:"), Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-timestamp"), TimestampFormat::UnixSeconds);

    /// Stytch.
    ///
    /// | | |
    /// |---|---|
    /// | header | `svix-signature`, `svix-id`, `svix-timestamp`: `v1,<base64> [v1,<base64>]` |
    /// | algorithm | HMAC-SHA256; key: base64 after `whsec_`, which may be left out |
    /// | signed content | `<id>.<time>.<body>` |
    /// | freshness | 5 minutes both ways |
    /// | delivery id | `svix-id`, **signed** |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 27 hours and 36 minutes (<https://stytch.com/docs/b2b/guides/webhooks>); each is signed anew (<https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/svix-server/src/worker.rs>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: <https://stytch.com/docs/b2b/guides/webhooks> |
    Stytch(timed) = family(["svix-signature", "svix-id", "svix-timestamp"])
        .provider("stytch");

    /// WorkOS.
    ///
    /// | | |
    /// |---|---|
    /// | header | `WorkOS-Signature: t=<ms>, v1=<hex>` |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | `<t>.<body>` |
    /// | freshness | 3 minutes back, 5 minutes ahead |
    /// | delivery id | in the body (`id`) |
    /// | challenge | none |
    /// | status | 403 |
    /// | retries | for 3 days (<https://github.com/workos/skills/blob/8c8f4e7039ef065ba9204a8e88d93e394a5b09f0/skills/workos/workos-events.md>); whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/workos/workos-node>) |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | public vector: workos-python |
    ///
    /// A space after the comma.
    WorkOs(timed) = Scheme::hmac_sha256("workos-signature")
        .provider("workos")
        .unique_content()
        .signature_format(SignatureFormat::pairs("t", "v1").spaced())
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixMillis);
}

//! The usual cause of each rejection, and its fix.

use tower_webhook::RejectionKind;

pub(super) fn fix(kind: RejectionKind) -> [&'static str; 2] {
    match kind {
        RejectionKind::BodyTimeout => [
            "the body did not arrive within the deadline: a slow proxy, or a sender that holds \
             connections",
            "let the proxy buffer requests, or raise `SignatureLayer::body_deadline`",
        ],
        RejectionKind::BodyTooLarge => [
            "the body exceeds the limit: the provider's documented maximum, or 16 MiB",
            "raise `SignatureLayer::body_limit`",
        ],
        RejectionKind::BodyUnreadable => [
            "the connection broke, a layer above has a smaller limit, or the body has a transfer \
             coding other than `chunked`",
            "look at the proxy's log and at the limits above this layer",
        ],
        RejectionKind::ClockUnreliable => [
            "this server's clock is not between 1990 and 2100",
            "set the clock; the sender was asked to retry",
        ],
        RejectionKind::ChallengeFailed => [
            "the verify token in the console differs from the one here",
            "make them equal; for several tokens, `verify_token([one, other])`",
        ],
        RejectionKind::ChallengeMalformed => [
            "a part of the challenge is missing: mostly a browser or a health check on the \
             webhook's path",
            "point the health check elsewhere",
        ],
        RejectionKind::ChallengeUnexpected => [
            "a challenge for a subscription that you do not expect: another WebSub topic, or \
             Asana's exchange of a secret",
            "name the topic with `WebSub::topic`, or accept the exchange",
        ],
        RejectionKind::Malformed => [
            "the header has another form: another product or version of the provider, or a token \
             instead of a signature",
            "see [`other_provider`](#other_provider) and [`signature_format`](#signature_format)",
        ],
        RejectionKind::Missing => [
            "the header is absent: no secret is set at the provider, a proxy drops unknown \
             headers, or the request is not from the provider. If the event's `provider` is not \
             this route's, a `Router::route_layer` guards all routes before it",
            "write `.route(path, post(handler).layer(layer))` for each provider; set the secret in the \
             console; let the header pass. GitHub Enterprise Server before 3.0 sends SHA-1 alone: \
             `GitHub::accept_legacy_sha1`",
        ],
        RejectionKind::Overloaded => [
            "waiting bodies use up the byte budget: many slow senders, or a budget that is small \
             for many large bodies",
            "raise `SignatureLayer::byte_budget`, lower `body_deadline`, and rate-limit clients in the \
             proxy; the sender was asked to retry",
        ],
        RejectionKind::Repeated => [
            "a proxy adds a header of its own beside the sender's, or an attacker does",
            "let the proxy pass on the sender's header unchanged",
        ],
        RejectionKind::SignatureMismatch => [
            "another secret, another URL, or another body than was signed",
            "find the cause with [`explain`](#2-find-the-cause), or compare in the order of [section 4](#4-causes)",
        ],
        RejectionKind::TimestampInFuture => [
            "this server's clock is behind; `age_ms` says by how much",
            "see [`time_outside_tolerance`](#time_outside_tolerance)",
        ],
        RejectionKind::TimestampStale => [
            "the request waited in a queue or was replayed, or this server's clock is ahead; \
             `age_ms` says by how much",
            "see [`time_outside_tolerance`](#time_outside_tolerance)",
        ],
        RejectionKind::BodyNotSigned => [
            "a body that the signature does not cover, such as Twilio's JSON without `bodySHA256` \
             in the query: a proxy drops the query, or `PublicUrl::fixed` replaces it",
            "pass the query on; use `PublicUrl::base` instead of `fixed`",
        ],
        RejectionKind::UnknownKey => [
            "the provider has no public key with this ID: the fetcher asks another environment's \
             source, or the request is forged",
            "compare the ID in the header that the event names with the provider's keys",
        ],
        RejectionKind::UnknownTenant => [
            "the lookup has no secret: the tenant is not set up, a nested router cuts the path, or \
             the ID is spelled differently",
            "compare the event's `tenant_id` with what your lookup makes of the URL",
        ],
        RejectionKind::UrlUnresolved => [
            "the URL cannot be determined: with `PublicUrl::forwarded` the peer is not a listed \
             proxy, the host is missing or not listed, or `X-Forwarded-Proto` is neither `https` \
             nor `http`; with `PublicUrl::custom` the function returned `None`",
            "list the proxy and the host, or use `PublicUrl::base`",
        ],
        RejectionKind::VerifierPanicked => {
            ["a bug in a custom verifier or lookup", "see its message on standard error"]
        }
        RejectionKind::VerifierUnavailable => [
            "the lookup failed: the secret store is down, it holds no usable secret, or too many \
             lookups waited for it",
            "see the event's `detail`; the sender was asked to retry",
        ],
        kind => panic!("say in `tests/it/docs/pages/fixes.rs` what fixes `{kind}`"),
    }
}

//! Defaults that follow from the vendors' policies.

use crate::{
    providers::{
        other_credentials,
        policies::POLICIES,
        policy::{DeliveryPolicy, Retries},
        support::is_same,
    },
    scheme::declaration::Scheme,
    verifier::defaults::VerifierDefaults,
};

/// A scheme with what the vendor's policy says. It does not build for a provider without one.
pub(crate) const fn applied(scheme: Scheme) -> Scheme {
    let policy = find(scheme.defaults().provider());
    assert!(
        scheme.time.is_none() || !matches!(policy.retries, Retries::Unasked),
        "a provider signs a time; say in `policies.rs` for how long it comes again, or that it is unknown"
    );
    let scheme = scheme
        .other_credentials(other_credentials::of(scheme.defaults().provider()))
        .event_id(policy.event())
        .status(policy.status())
        .body_limit(policy.body_limit());
    if scheme.time.is_some() { scheme.tolerance(policy.tolerance()) } else { scheme }
}

/// A provider's defaults, likewise.
pub(crate) const fn defaults(name: &'static str) -> VerifierDefaults {
    let policy = find(name);
    VerifierDefaults::DEFAULT
        .with_provider(name)
        .with_status(policy.status())
        .with_body_limit(policy.body_limit())
}

pub(crate) const fn find(name: &str) -> &'static DeliveryPolicy {
    let mut at = 0;
    while at < POLICIES.len() {
        if is_same(POLICIES[at].name, name) {
            return &POLICIES[at];
        }
        at += 1;
    }
    panic!("a provider has no delivery policy; add a row to `policies.rs`")
}

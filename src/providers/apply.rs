//! Defaults that follow from the vendors' delivery policies.

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

/// Applies the vendor's delivery policy to a scheme.
///
/// # Panics
///
/// Panics if the provider has no policy, or if it signs a timestamp and its policy says nothing
/// about retries. In a constant, this is a compile error.
pub(crate) const fn applied(scheme: Scheme) -> Scheme {
    let policy = find(scheme.defaults().provider());
    assert!(
        scheme.time.is_none() || !matches!(policy.retries, Retries::Unasked),
        "a provider signs a timestamp; add its retry schedule to `policies.rs`, or mark it as unknown"
    );
    let scheme = scheme
        .other_credentials(other_credentials::of(scheme.defaults().provider()))
        .event_id(policy.event())
        .status(policy.status())
        .body_limit(policy.body_limit());
    if scheme.time.is_some() { scheme.tolerance(policy.tolerance()) } else { scheme }
}

/// Returns the defaults of a provider, by the vendor's delivery policy.
///
/// # Panics
///
/// Panics if the provider has no policy.
pub(crate) const fn defaults(name: &'static str) -> VerifierDefaults {
    let policy = find(name);
    VerifierDefaults::DEFAULT
        .with_provider(name)
        .with_status(policy.status())
        .with_body_limit(policy.body_limit())
}

/// Returns the delivery policy of a provider.
///
/// # Panics
///
/// Panics if the provider has no policy.
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

//! Defaults that follow from a vendor's delivery policy.

use crate::{
    providers::{
        other_credentials,
        policy::{DeliveryPolicy, Retries},
    },
    scheme::declaration::Scheme,
    verifier::defaults::VerifierDefaults,
};

impl DeliveryPolicy {
    /// Applies the policy to the provider's scheme.
    ///
    /// # Panics
    ///
    /// Panics if the provider signs a timestamp and the policy says nothing about retries. In a
    /// constant, this is a compile error.
    pub(crate) const fn apply(&self, scheme: Scheme) -> Scheme {
        assert!(
            scheme.time.is_none() || !matches!(self.retries, Retries::Unasked),
            "a provider signs a timestamp; add its retry schedule to its delivery policy, or mark it as unknown"
        );
        let scheme = scheme
            .provider(self.name)
            .other_credentials(other_credentials::of(self.name))
            .event_id(self.event())
            .status(self.status())
            .body_limit(self.body_limit());
        if scheme.time.is_some() { scheme.tolerance(self.tolerance()) } else { scheme }
    }

    /// Returns the defaults of a provider with this policy.
    pub(crate) const fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
            .with_provider(self.name)
            .with_status(self.status())
            .with_body_limit(self.body_limit())
    }
}

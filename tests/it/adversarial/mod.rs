//! Requests that attackers send.

#[cfg(all(
    feature = "asymmetric",
    feature = "delivery-log",
    feature = "sign",
    feature = "tenants",
    feature = "tracing"
))]
pub(crate) mod bad_inputs;
pub(crate) mod known_attacks;

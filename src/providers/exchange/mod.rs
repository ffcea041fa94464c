//! Exchanges by which a provider gives its secret to your endpoint.

pub(crate) mod asana;
pub(crate) mod token_exchange;

//! Providers that are a scheme, a token or a password and nothing more, as data, by what people look for.

pub mod commerce;
pub mod developer;
pub mod identity;
pub mod media;
pub mod messaging;
pub mod operations;
pub mod payments;
pub mod productivity;
pub mod tokens;

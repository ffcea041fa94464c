//! Declarations of the providers that consist of a scheme, a token or a password, by subject.

pub mod commerce;
pub mod developer;
pub mod identity;
pub mod media;
pub mod messaging;
pub mod operations;
pub mod payments;
pub mod productivity;
pub mod tokens;

//! The `Verifier` trait, lookups and challenges.

pub(crate) mod challenge;
pub(crate) mod custom;
pub(crate) mod first_contact;
pub(crate) mod lookup;

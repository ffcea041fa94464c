//! Documentation and source, held to each other.

pub(crate) mod evidence;
pub(crate) mod layers;
#[cfg(all(feature = "asymmetric", feature = "sign"))]
pub(crate) mod pages;

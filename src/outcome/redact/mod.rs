//! Text from a request, made fit to be written down.

pub(crate) mod names;
pub(crate) mod percent;
pub(crate) mod text;
pub(crate) mod url;

//! Values as large as those that the layer leaves in extensions.

use http::Extensions;
use tower_webhook::{Rejection, Verified};

#[derive(Clone)]
struct Words<const N: usize>([u64; N]);

/// Inserts a value as large as `Verified`.
pub(crate) fn leave_mark(extensions: &mut Extensions) {
    extensions.insert(Words([0; size_of::<Verified>().div_ceil(8)]));
}

/// Inserts a value as large as `Rejection`.
pub(crate) fn leave_reason(extensions: &mut Extensions) {
    extensions.insert(Words([0; size_of::<Rejection>().div_ceil(8)]));
}

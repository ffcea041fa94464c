//! Targets of the events written to `tracing`.

use tracing::{Level, enabled};

use crate::panic::catch_panic;

pub(crate) const SECURITY: &str = "tower_webhook::security";
pub(crate) const DELIVERY: &str = "tower_webhook::delivery";

/// Returns `true` if the current subscriber enables level `error` for either target.
///
/// Its code may panic.
pub(crate) fn is_listening() -> bool {
    let is_enabled =
        || enabled!(target: SECURITY, Level::ERROR) || enabled!(target: DELIVERY, Level::ERROR);
    catch_panic(is_enabled).unwrap_or(true)
}

//! The layer and its engine.

pub(crate) mod allocations;
pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod composition;
pub(crate) mod drain;
pub(crate) mod frames;
pub(crate) mod head;
pub(crate) mod panics;
pub(crate) mod readiness;

//! Queue of rows that wait to be written.

pub(crate) mod finish_rows;
pub(crate) mod limits;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod queue;
pub(crate) mod rounds;
pub(crate) mod stages;
pub(crate) mod state;
pub(crate) mod write_batches;

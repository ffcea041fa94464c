//! Queue of rows that wait to be written.

pub(crate) mod finish;
pub(crate) mod limits;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod queue;
pub(crate) mod rounds;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod write;

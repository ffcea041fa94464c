//! The layer, its settings, and what its verifiers come from.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod buffer;
pub(crate) mod deadline;
pub(crate) mod drain;
pub(crate) mod future;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod layer;
pub(crate) mod read;
pub(crate) mod service;
pub(crate) mod verification;

pub use self::{
    body::ResponseBody,
    drain::Drain,
    future::ResponseFuture,
    layer::{MapBody, MapBodyLayer, SignatureLayer},
    service::{InnerService, SignatureService},
};
pub use crate::{
    outcome::rejection::default_response,
    verifier::{
        make::{ByBody, ByHead},
        requires::Requires,
        source::Source,
    },
};

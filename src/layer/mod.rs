//! The layer, its options, and the sources of its verifiers.
//!
//! Guide: [frameworks](crate::guide::frameworks).
//!
//! [`SignatureLayer::new`] takes one verifier, or another [`Source`]. [`SignatureLayer::by_head`]
//! and [`SignatureLayer::by_body`] look up the verifier for each request: by its head or, if only
//! the body names the tenant, by its unverified body. [`Tenants`](crate::tenants::Tenants) (feature
//! `tenants`) is a lookup with a cache, a time limit and a limit on concurrent calls.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod buffer;
pub(crate) mod config;
pub(crate) mod deadline;
pub(crate) mod discard;
pub(crate) mod drain;
pub(crate) mod engine;
#[cfg(feature = "explain")]
pub(crate) mod evidence;
#[cfg(not(feature = "explain"))]
#[path = "no_evidence.rs"]
pub(crate) mod evidence;
pub(crate) mod exchange;
#[cfg(feature = "explain")]
pub(crate) mod explanations;
pub(crate) mod future;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod layer;
pub(crate) mod map_body;
pub(crate) mod read;
pub(crate) mod respond;
pub(crate) mod service;
pub(crate) mod step;
pub(crate) mod take;
pub(crate) mod verification;

pub use self::{
    body::ResponseBody,
    drain::Drain,
    future::ResponseFuture,
    layer::SignatureLayer,
    map_body::{MapBody, MapBodyLayer},
    service::{InnerService, SignatureService},
};
pub use crate::{
    outcome::response::default_response,
    parse::trusted_proxies::TrustedProxies,
    verifier::{
        closure::{ByBody, ByHead},
        requires::Requires,
        source::Source,
    },
};

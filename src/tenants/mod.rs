//! Secrets of many tenants, looked up in a store of your own for each request.
//!
//! ```
//! use std::{collections::HashMap, convert::Infallible, sync::Arc};
//! use tower_webhook::{
//!     Secret, SignatureLayer,
//!     providers::Meta,
//!     tenants::{TenantId, Tenants},
//! };
//!
//! // In the place of a database.
//! let store = Arc::new(HashMap::from([("anna".to_owned(), Secret::new("secret-of-anna")?)]));
//! let tenants = Tenants::new(
//!     move |tenant: TenantId| {
//!         let store = Arc::clone(&store);
//!         async move { Ok::<_, Infallible>(store.get(tenant.as_str()).cloned()) }
//!     },
//!     Meta::new,
//! )?;
//! let by_path = |head: &http::request::Parts| {
//!     head.uri.path().strip_prefix("/hooks/").map(str::to_owned)
//! };
//! let layer = SignatureLayer::new(tenants.by_head(by_path));
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! [`Tenants`] puts these in front of the store:
//!
//! - **The form of the id.** Only what can be one is looked up:
//!   [`check_id`](TenantsBuilder::check_id).
//! - **A cache** of verifiers, for at most 60 seconds, and a smaller one of unknown ids. Each has
//!   its bound, so that a flood of unknown ids drives no known tenant out.
//! - **One call at a time for each tenant.** Requests that come meanwhile wait for its outcome, a
//!   failure included. When the request that makes the call is dropped, the next one makes it.
//! - **A time limit**, 2 seconds. A store that is late, fails or panics is no verdict: the answer
//!   is 503 (500 after a panic) and the handler is not called. A failure is shared with those who
//!   wait and never cached, so that the next request asks again.
//! - **One answer** for a bad signature, a tenant that does not exist, and one without a secret: see
//!   [`TenantVerifier`].
//! - **No look-up for an unsigned request**, where all tenants have one provider and its signature
//!   stands in the head: see [`Tenants::new`].
//! - **A bound on calls at once**, 64, which is shared out between the networks that requests come
//!   from: [`max_concurrent_lookups`](TenantsBuilder::max_concurrent_lookups).
//!
//! # What strangers cost
//!
//! A stranger can put any header and any id into a request, so each new id with a signature that
//! looks right costs the store a call. What is bounded is the number of calls at once, and a
//! network's part of it:
//!
//! - A crowd in one network does not hold up requests from another one, as long as the layer has a
//!   [`client_ip`](crate::SignatureLayer::client_ip).
//! - A crowd from many networks has a turn for each of them.
//! - A crowd does not hold up tenants that the store has named before and that are still in the
//!   cache of known ones, however old their entry. After a restart there are none.
//! - Without a `client_ip` strangers and new tenants share one lane. Their look-ups wait for each
//!   other.
//! - The number of calls a second is not bounded. Put a rate limit above the layer where your store
//!   needs one.
//!
//! A request that waits in vain for the time limit is answered with 503.
//!
//! # What a look-up proves
//!
//! Nothing. A path, an unsigned header such as WSAPI's `X-Instance-Id`, and a body that has not
//! been verified can be written by anyone. Proof is
//! [`Verified::tenant`](crate::Verified::tenant): the tenant whose secret matched. Where the
//! verified body names the tenant as well, compare the two: with secrets that tenants share, the
//! signature cannot tell them apart.
//!
//! # What time tells
//!
//! A tenant in the cache is answered sooner than one that the store must be asked for, known or not.
//! A stranger with a good clock can tell that somebody has used an id within the last seconds, not
//! that it exists: unknown ids are cached too, though for a shorter time and fewer of them. More
//! secrets take longer, and the decoy has one. An answer to a challenge that is made
//! with the tenant's secret, as [`CrcToken`](crate::scheme::Challenge::CrcToken) asks for, is not
//! the decoy's.
//!
//! While look-ups wait for each other, an id that the store has named before is looked up sooner
//! than one that it has not. Whoever makes that crowd can learn by it that a tenant exists.

pub(crate) mod builder;
pub(crate) mod gate;
pub(crate) mod id;
pub(crate) mod lookup;
pub(crate) mod secrets;
pub(crate) mod single_flight;
pub(crate) mod source;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod tenants;
pub(crate) mod verifier;

pub use self::{
    builder::TenantsBuilder,
    id::{TenantId, form_field},
    secrets::{TenantSecrets, decoy_secret},
    source::{ByBody, ByHead},
    tenants::Tenants,
    verifier::{LookUp, TenantVerifier},
};
pub use crate::parse::json::json_field;

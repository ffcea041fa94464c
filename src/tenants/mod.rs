//! Lookups of tenants' secrets in a custom store, for each request.
//!
//! Guide: [tenants](crate::guide::tenants).
//!
//! ```
//! use std::{collections::HashMap, convert::Infallible, sync::Arc};
//! use tower_webhook::{
//!     Secret, SignatureLayer,
//!     providers::Meta,
//!     tenants::{TenantId, Tenants},
//! };
//!
//! // Stands in for your database.
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
//! [`Tenants`] adds to the store:
//!
//! - **A check of the ID.** Malformed IDs are not looked up; see
//!   [`check_id`](TenantsBuilder::check_id).
//! - **A cache** of verifiers, for at most 60 seconds, and a smaller cache of unknown IDs. Each is
//!   bounded, so that a flood of unknown IDs evicts no known tenant.
//! - **One call at a time for each tenant.** Concurrent requests share its outcome, including a
//!   failure. If the request that makes the call is dropped, the next request makes it.
//! - **A time limit**, 2 seconds by default. A store that is late, fails or panics causes no
//!   authentication failure: the response is `503 Service Unavailable` (`500 Internal Server Error`
//!   after a panic), and the handler is not called. The waiting requests share a failure. Failures
//!   are never cached, so the next request calls the store again.
//! - **One response** for a bad signature, an unknown tenant, and a tenant without a secret; see
//!   [`TenantVerifier`].
//! - **No lookup for an unsigned request**, if all tenants have one provider and its signature is
//!   in the head; see [`Tenants::new`].
//! - **A limit on concurrent calls**, 64 by default, shared between the networks that requests come
//!   from; see [`max_concurrent_lookups`](TenantsBuilder::max_concurrent_lookups).
//!
//! # Load by unauthenticated clients
//!
//! Anyone can put any header and any ID into a request, so each new ID with a well-formed signature
//! costs a call to the store. The number of concurrent calls is bounded, and so is each network's
//! share of them; see [`max_concurrent_lookups`](TenantsBuilder::max_concurrent_lookups):
//!
//! - Many requests from one network do not delay requests from another network, if the layer has a
//!   [`client_ip`](crate::SignatureLayer::client_ip).
//! - A flood does not delay tenants that are in the cache of known tenants, even if their entry has
//!   expired. After a restart the cache is empty.
//! - Without a `client_ip`, lookups of unknown IDs share one queue.
//! - The number of calls a second is not bounded. Put a rate limit above the layer if your store
//!   needs one.
//!
//! If a request waits for longer than the time limit, it is rejected with 503.
//!
//! # Proof of the tenant
//!
//! A lookup proves nothing: anyone can write a path, an unsigned header such as WSAPI's
//! `X-Instance-Id`, or a body that has not been verified. The proof is
//! [`Verified::tenant`](crate::Verified::tenant), the tenant whose secret matched. If the verified
//! body also names the tenant, compare the two: if tenants share a secret, the signature cannot
//! distinguish them.
//!
//! # Timing
//!
//! A tenant in the cache gets a response sooner than one for which the store must be called, known
//! or not. By measuring the time, an attacker can learn that an ID was used within the last
//! seconds, but not that it exists: unknown IDs are cached, too, though for a shorter time and in
//! smaller number. Verification with more secrets takes longer, and the decoy has one. The response
//! to a challenge that depends on the tenant's secret, as for
//! [`CrcToken`](crate::scheme::Challenge::CrcToken), differs from the decoy's.
//!
//! While lookups wait for each other, an ID that the store has found before is looked up sooner
//! than others. An attacker who causes the wait can learn from it that a tenant exists.

pub(crate) mod builder;
pub(crate) mod gate;
pub(crate) mod id;
pub(crate) mod lookup;
#[cfg(feature = "explain")]
pub(crate) mod others;
#[cfg(not(feature = "explain"))]
#[path = "no_others.rs"]
pub(crate) mod others;
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

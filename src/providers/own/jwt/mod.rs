//! Providers that sign with a JSON Web Token.

#[cfg(feature = "certificates")]
pub(crate) mod apple_app_store;
#[cfg(feature = "certificates")]
mod apple_jws;
pub(crate) mod atlassian_connect;
#[cfg(feature = "fetched-keys")]
pub(crate) mod atlassian_connect_lifecycle;
#[cfg(feature = "fetched-keys")]
pub(crate) mod azure_event_grid_entra;
#[cfg(feature = "fetched-keys")]
pub(crate) mod bot_framework;
pub(crate) mod claims;
#[cfg(feature = "explain")]
pub(crate) mod explain;
#[cfg(feature = "fetched-keys")]
pub(crate) mod forge_remote;
pub(crate) mod fusionauth;
#[cfg(feature = "fetched-keys")]
pub(crate) mod google_chat;
#[cfg(feature = "fetched-keys")]
pub(crate) mod google_pub_sub;
#[cfg(feature = "fetched-keys")]
pub(crate) mod google_risc;
mod hashes;
#[cfg(feature = "fetched-keys")]
mod in_body;
mod key;
#[cfg(feature = "fetched-keys")]
pub(crate) mod kinde;
pub(crate) mod livekit;
pub(crate) mod messagebird;
pub(crate) mod methods;
#[cfg(feature = "fetched-keys")]
pub(crate) mod microsoft_graph_resource_data;
pub(crate) mod monday;
pub(crate) mod netlify;
#[cfg(feature = "fetched-keys")]
pub(crate) mod plaid;
pub(crate) mod rules;
#[cfg(feature = "fetched-keys")]
pub(crate) mod security_event_tokens;
#[cfg(feature = "sign")]
pub(crate) mod sign;
#[cfg(feature = "fetched-keys")]
pub(crate) mod sign_in_with_apple;
pub(crate) mod state;
pub(crate) mod token_claims;
pub(crate) mod upstash;
pub(crate) mod verifier;
pub(crate) mod vonage;
#[cfg(feature = "asymmetric")]
pub(crate) mod wix;

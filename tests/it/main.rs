//! One binary, so that the suite is linked once.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says where")]

mod alerts;
mod allocator;
#[cfg(feature = "asymmetric")]
mod asymmetric;
mod axum;
#[cfg(feature = "axum")]
mod axum_signed;
mod backpressure;
#[cfg(all(
    feature = "asymmetric",
    feature = "delivery-log",
    feature = "sign",
    feature = "tenants",
    feature = "tracing"
))]
mod bad_inputs;
mod bodies;
mod budget;
#[cfg(feature = "sign")]
mod catalogue;
mod challenges;
mod code;
mod composition;
#[cfg(feature = "sign")]
mod conformance;
mod custom;
#[cfg(feature = "sign")]
mod deliveries;
#[cfg(feature = "delivery-log-sqlite")]
mod delivery_log;
mod drain;
mod facts;
mod families;
mod first_contacts;
mod frames;
mod heads;
mod hyper;
mod layers;
mod look_ups;
mod mailgun;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "multipart")]
mod multipart;
mod net;
mod observe;
mod ownership;
#[cfg(all(feature = "asymmetric", feature = "sign"))]
mod pages;
#[cfg(feature = "asymmetric")]
mod peers;
#[cfg(all(feature = "asymmetric", feature = "sign"))]
mod private_keys;
mod proof;
mod redaction;
mod registry;
mod rejections;
mod replay;
mod scheme;
mod secrets;
mod support;
mod systems;
#[cfg(feature = "tenants")]
mod tenant_cache;
#[cfg(feature = "tenants")]
mod tenant_gate;
#[cfg(feature = "tenants")]
mod tenant_names;
#[cfg(feature = "tenants")]
mod tenants;
mod token_exchange;
#[cfg(all(feature = "sign", feature = "tracing"))]
mod told;
mod tonic;
#[cfg(feature = "tracing")]
mod tracing;
mod traps;
mod twilio;
mod vectors;
mod wire;
mod wycheproof;

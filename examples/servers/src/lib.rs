//! Verifies GitHub's webhooks in servers that `tower-webhook` itself does not depend on.
//!
//! Run the tests with `cargo test --manifest-path examples/servers/Cargo.toml`.
//!
//! | module | server |
//! |---|---|
//! | [`mod@axum07`] | axum 0.7: `post(handler).layer(layer)` |
//! | [`lambda`] | AWS Lambda: `lambda_http::run(layer.layer(service_fn(handler)))` |
//! | [`mod@poem`] | poem 3: an extractor that calls [`tower_webhook::verify`] |
//! | [`mod@salvo`] | salvo 0.93: `layer.map_body(…)`, then `.compat::<ReqBody>()` |
//! | [`mod@warp`] | warp 0.4: `layer.layer(warp::service(routes))`, served by hyper |
//!
//! Each module has a `serve` function, or `run` on Lambda, that takes the verifier, such as
//! `GitHub::new(Secret::from_env("GITHUB_WEBHOOK_SECRET")?)?`.

pub mod axum07;
pub mod lambda;
pub mod poem;
pub mod salvo;
pub mod warp;

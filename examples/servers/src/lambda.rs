//! Verifies GitHub's webhooks on AWS Lambda, behind an HTTP API or a function URL.
//!
//! `lambda_http` decodes the body of a base64 event, so the layer verifies the bytes that GitHub
//! sent.

use std::convert::Infallible;

use http::Request;
use lambda_http::{IntoResponse, Response, Service, service_fn, tower::Layer};
use tower_webhook::{BufferedBody, SignatureLayer, Verified, providers::GitHub};

/// Handles an authentic webhook.
///
/// Only the layer creates a `BufferedBody`.
async fn pushed(request: Request<BufferedBody>) -> Result<Response<String>, Infallible> {
    let provider = request.extensions().get::<Verified>().map_or("", Verified::provider);
    let body = request.body().bytes();
    Ok(Response::new(format!("{provider}: {} bytes", body.len())))
}

/// Returns the handler behind the layer.
pub fn service(
    github: GitHub,
) -> impl Service<lambda_http::Request, Response: IntoResponse, Error = Infallible, Future: Send> {
    SignatureLayer::new(github).layer(service_fn(pushed))
}

/// Runs the function.
pub async fn run(github: GitHub) -> Result<(), lambda_http::Error> {
    lambda_http::run(service(github)).await
}

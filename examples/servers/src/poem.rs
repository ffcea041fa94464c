//! Verifies webhooks in poem 3, with an extractor that calls `verify`.
//!
//! poem has its own request type, which the `SignatureLayer` does not accept. The layer's limits on
//! time and memory, and its events, are not available.

use std::io;

use bytes::Bytes;
use poem::{
    Endpoint, EndpointExt, Error, FromRequest, Request, RequestBody, Response, Result, Route,
    Server, handler,
    http::{self, StatusCode, request::Parts},
    listener::TcpAcceptor,
    post,
};
use tokio::net::TcpListener;
use tower_webhook::{Outcome, Rejection, Verified, Verifier, providers::BoxVerifier, verify};

/// The proof of verification, and the verified body.
struct Signed(Verified, Bytes);

impl<'a> FromRequest<'a> for Signed {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let verifier = request.data::<BoxVerifier>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        let body = body.take()?.into_bytes_limit(verifier.defaults().body_limit()).await?;
        match verify(verifier, &head(request), &body).map_err(rejected)? {
            Outcome::Accept(verified) => Ok(Self(verified, body)),
            // A signed challenge, such as Slack's `url_verification`.
            Outcome::Reply(response, _) => Err(replied(response)),
            _ => Err(StatusCode::INTERNAL_SERVER_ERROR.into()),
        }
    }
}

/// Copies the head.
///
/// poem uses the same version of `http`.
fn head(request: &Request) -> Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = request.method().clone();
    // Some providers sign the original URL. `Route::nest` strips its prefix from `uri`.
    head.uri = request.original_uri().clone();
    head.version = request.version();
    head.headers = request.headers().clone();
    head
}

/// Logs the reason for a rejection, and returns only its status.
fn rejected(rejection: Rejection) -> Error {
    tracing::warn!("webhook rejected: {rejection}");
    rejection.status().into()
}

/// Returns an error that responds in place of the handler.
fn replied(response: http::Response<Bytes>) -> Error {
    let (head, body) = response.into_parts();
    let mut response = Response::builder().status(head.status).body(body);
    response.headers_mut().extend(head.headers);
    Error::from_response(response)
}

/// Handles an authentic webhook.
#[handler]
fn pushed(Signed(verified, body): Signed) -> String {
    format!("{}: {} bytes", verified.provider(), body.len())
}

/// Returns the application, with one guarded route.
pub fn app(verifier: BoxVerifier) -> impl Endpoint {
    Route::new().at("/github", post(pushed).data(verifier))
}

/// Serves the application.
pub async fn serve(listener: TcpListener, verifier: BoxVerifier) -> io::Result<()> {
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run(app(verifier)).await
}

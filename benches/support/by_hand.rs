//! The baselines that people write by hand: collect the body, key the HMAC, compare the text.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body as AxumBody, to_bytes},
    extract::Request as AxumRequest,
    middleware::Next,
};
use bytes::Bytes;
use hmac::Mac;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use subtle::ConstantTimeEq;
use tower::{Layer, Service};

use super::signature::keyed;

/// The limit of large bodies.
const LIMIT: usize = 25 << 20;

/// Returns whether Meta's header has the signature of this body.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let value = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let Some(signature) = value.and_then(|value| value.strip_prefix("sha256=")) else {
        return false;
    };
    let expected = hex::encode(keyed().chain_update(body).finalize().into_bytes());
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

/// An axum middleware, for `from_fn`.
pub(crate) async fn in_axum(
    request: AxumRequest,
    next: Next,
) -> Result<axum::response::Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, LIMIT).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    if !is_signed(&head.headers, &body) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(next.run(AxumRequest::from_parts(head, AxumBody::from(body))).await)
}

/// The same as [`in_axum`], but hashes the body while it receives it, into one buffer.
pub(crate) async fn in_one_buffer(
    request: AxumRequest,
    next: Next,
) -> Result<axum::response::Response, StatusCode> {
    let (head, mut body) = request.into_parts();
    let value = head.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let signature = value.and_then(|value| value.strip_prefix("sha256="));
    let signature = signature.ok_or(StatusCode::FORBIDDEN)?;
    let (mut mac, mut buffer) = (keyed(), Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
            mac.update(&data);
            buffer.extend_from_slice(&data);
        }
    }
    let expected = hex::encode(mac.finalize().into_bytes());
    if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(next.run(AxumRequest::from_parts(head, AxumBody::from(buffer))).await)
}

/// A handler that reads a body, drops it, and refuses.
pub(crate) async fn drops(mut body: AxumBody) -> StatusCode {
    while let Some(Ok(frame)) = body.frame().await {
        drop(frame);
    }
    StatusCode::FORBIDDEN
}

/// A tower layer whose future is a boxed block.
#[derive(Clone)]
pub(crate) struct ByHandLayer;

impl<S> Layer<S> for ByHandLayer {
    type Service = ByHand<S>;

    fn layer(&self, inner: S) -> ByHand<S> {
        ByHand { inner }
    }
}

/// The service of a [`ByHandLayer`].
#[derive(Clone)]
pub(crate) struct ByHand<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ByHand<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let body = body.to_bytes();
            if !is_signed(&head.headers, &body) {
                let mut response = Response::new(R::default());
                *response.status_mut() = StatusCode::FORBIDDEN;
                return Ok(response);
            }
            inner.call(Request::from_parts(head, Full::new(body))).await
        })
    }
}

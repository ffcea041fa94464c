//! Responses to rejected requests: the default one, and that for gRPC.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

use crate::outcome::rejection::Rejection;

/// Returns the default response: the rejection's status and an empty body, the same for every
/// authentication failure.
///
/// A `503 Service Unavailable` asks the sender to retry after 5 seconds. A `401 Unauthorized` has
/// the verifier's `WWW-Authenticate` header (see
/// [`VerifierDefaults::with_www_authenticate`](crate::verifier::VerifierDefaults::with_www_authenticate)).
#[must_use]
pub fn default_response(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = rejection.status();
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    rejection.add_challenge(&mut response);
    response
}

/// Returns the content type of a gRPC request. Only HTTP/2 and later carry gRPC: with an earlier
/// version, a sender could otherwise choose HTTP 200 for its rejection by a header.
pub(crate) fn grpc_content_type(version: Version, headers: &HeaderMap) -> Option<&HeaderValue> {
    if version < Version::HTTP_2 {
        return None;
    }
    let content_type = headers.get(header::CONTENT_TYPE)?;
    let (media_type, rest) = content_type.as_bytes().split_at_checked(16)?;
    let is_grpc = media_type.eq_ignore_ascii_case(b"application/grpc")
        && matches!(rest, [] | [b'+' | b';', ..] | [b'-', b'w', b'e', b'b', ..]);
    is_grpc.then_some(content_type)
}

/// Returns the response to a gRPC request: HTTP 200 and a `grpc-status` in the headers ("trailers
/// only"), under the content type of the request. An authentication failure is 7 (permission
/// denied) or, if the provider's status is 401, 16 (unauthenticated).
pub(crate) fn grpc_response(rejection: &Rejection, content_type: HeaderValue) -> Response<Bytes> {
    let code = match rejection.status() {
        StatusCode::UNAUTHORIZED => "16",
        StatusCode::PAYLOAD_TOO_LARGE => "8",
        StatusCode::REQUEST_TIMEOUT => "4",
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => "13",
        StatusCode::SERVICE_UNAVAILABLE => "14",
        status if status.is_success() => "0",
        _ => "7",
    };
    grpc_status(code, content_type)
}

pub(crate) fn grpc_status(code: &'static str, content_type: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert("grpc-status", HeaderValue::from_static(code));
    response
}

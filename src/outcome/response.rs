//! Answers to refused requests: the default one, and gRPC's.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

use crate::outcome::rejection::Rejection;

/// The default answer: the rejection's status and no body, the same for every verdict.
///
/// A 503 asks the sender to come again in five seconds. A 401 has the verifier's `WWW-Authenticate`
/// (see [`VerifierDefaults::with_www_authenticate`](crate::verifier::VerifierDefaults::with_www_authenticate)).
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

/// The content type of a gRPC request, which only HTTP/2 carries. Elsewhere a sender could choose
/// HTTP 200 for its refusal by a header.
pub(crate) fn grpc_content_type(version: Version, headers: &HeaderMap) -> Option<&HeaderValue> {
    let content_type = headers.get(header::CONTENT_TYPE)?;
    let (media_type, rest) = content_type.as_bytes().split_at_checked(16)?;
    let is_grpc = media_type.eq_ignore_ascii_case(b"application/grpc")
        && matches!(rest, [] | [b'+' | b';', ..] | [b'-', b'w', b'e', b'b', ..]);
    (is_grpc && version >= Version::HTTP_2).then_some(content_type)
}

/// The answer to a gRPC request: HTTP 200 and a `grpc-status` in the headers ("trailers only"),
/// under the content type that the request used. A verdict is 7 (permission denied) or, where the
/// provider wants 401, 16 (unauthenticated).
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

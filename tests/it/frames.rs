//! How bodies are read: frame by frame, within a limit and a time, byte for byte.

use bytes::Bytes;
use http::StatusCode;

use crate::support::{Script, meta_layer, meta_request, send};

#[tokio::test]
async fn a_signed_request_reaches_the_inner_service() {
    let request = meta_request(b"hello", Script::data(["he", "llo"]));
    let (response, inner) = send(&meta_layer(), request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let call = inner.only_call();
    assert_eq!(call.body.bytes(), &Bytes::from("hello"));
    assert_eq!(call.verified().provider(), "meta");
}

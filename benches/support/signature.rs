//! Signatures of the benches.
#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha2::Sha256;

pub(crate) const SECRET: &str = "test-secret-0123456789abcdef-0123";

pub(crate) type HmacSha256 = Hmac<Sha256>;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn keyed() -> HmacSha256 {
    HmacSha256::new_from_slice(SECRET.as_bytes()).unwrap()
}

pub(crate) fn hmac_sha256(content: &[u8]) -> String {
    hex(&keyed().chain_update(content).finalize().into_bytes())
}

/// Returns Meta's header value for this body.
pub(crate) fn signature(body: &[u8]) -> HeaderValue {
    HeaderValue::try_from(format!("sha256={}", hmac_sha256(body))).unwrap()
}

//! Constructors of schemes with a secret.

use crate::{crypto::mac::Algorithm, scheme::declaration::Scheme};

impl Scheme {
    /// Creates a scheme with an HMAC-SHA1 tag in this header.
    pub const fn hmac_sha1(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha1, header)
    }

    /// Creates a scheme with an HMAC-SHA256 tag in this header.
    pub const fn hmac_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha256, header)
    }

    /// Creates a scheme with an HMAC-SHA384 tag in this header.
    pub const fn hmac_sha384(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha384, header)
    }

    /// Creates a scheme with an HMAC-SHA512 tag in this header.
    pub const fn hmac_sha512(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha512, header)
    }

    /// Creates a scheme with a plain SHA-1 hash in this header; see
    /// [`plain_sha256`](Self::plain_sha256).
    pub const fn plain_sha1(header: &'static str) -> Self {
        Self::new(Algorithm::PlainSha1, header)
    }

    /// Creates a scheme with a plain SHA-256 hash in this header, of a content with the secret in it.
    ///
    /// Name the place of the secret with [`Component::Secret`](crate::scheme::Component::Secret) in
    /// the [signed content](Self::signed_content). Such a hash is weaker than an HMAC: if the secret
    /// stands before the body, anyone who has a hash can compute that of a longer body. This adds
    /// bytes of zero, so a body with one is then rejected.
    ///
    /// ```
    /// use tower_webhook::{Scheme, scheme::Component};
    ///
    /// const WEAK: Scheme = Scheme::plain_sha256("x-hash")
    ///     .signed_content(&[Component::Secret, Component::Body]);
    /// assert!(WEAK.verifier("the secret").is_ok());
    /// ```
    pub const fn plain_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::PlainSha256, header)
    }
}

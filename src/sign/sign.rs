//! Signing of requests as providers sign them.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, request::Parts};

#[cfg(feature = "fetched-keys")]
use aws_lc_rs::signature::{RSA_PKCS1_SHA512, RSA_PSS_SHA256};

#[cfg(feature = "fetched-keys")]
use crate::crypto::jws::JwsAlgorithm;
#[cfg(feature = "asymmetric")]
use crate::crypto::private_key::PrivateKey;
use crate::{crypto::mac::Algorithm, outcome::rejection::Rejection, verifier::verifier::Verifier};

/// A verifier that can also sign requests as its provider does. Every provider in this crate
/// implements it, and so does each [`BoxVerifier`](crate::providers::BoxVerifier) that
/// [`by_name`](crate::providers::by_name) returns.
///
/// It signs with its first secret. A verifier that uses a public key needs the [private
/// key](Signing::private_key).
pub trait Sign: Verifier {
    /// Adds the headers of an authentic request with this head and body to `head`. Returns another
    /// body if the proof is in the body, as for Mailgun and Microsoft Graph.
    ///
    /// Headers that the signature covers and that are already present (an ID, a nonce) are kept. If
    /// the provider signs a time in the body, `body` must contain it. A token in the URL must
    /// already be part of `head`.
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] if:
    ///
    /// - a header that the signature covers is malformed;
    /// - the signed URL cannot be determined, or lacks its token;
    /// - the body has no place for the proof;
    /// - signing needs a private key of the verifier's algorithm, and there is none.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection>;
}

/// Time and private key for a signature.
///
/// A [`SystemTime`] converts into a `Signing` without a private key:
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use tower_webhook::{providers::GitHub, sign::signed};
///
/// let github = GitHub::new("s3cret-of-the-hook")?;
/// let request = signed(&github, Request::post("/").body("{}")?, SystemTime::now())?;
/// assert!(request.headers().contains_key("x-hub-signature-256"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Signing<'a> {
    time: SystemTime,
    #[cfg(feature = "asymmetric")]
    private_key: Option<&'a PrivateKey>,
    #[cfg(not(feature = "asymmetric"))]
    private_key: std::marker::PhantomData<&'a ()>,
}

impl<'a> Signing<'a> {
    /// Creates a `Signing` with this time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self { time, private_key: Default::default() }
    }

    /// Sets the private key, for providers that are verified with a public key. A verifier that
    /// uses secrets ignores it and signs with its secret.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use http::Request;
    /// use tower_webhook::{providers::Discord, sign::{PrivateKey, Signing, signed}};
    ///
    /// let key = PrivateKey::from_ed25519_seed(&[7; 32])?;
    /// let discord = Discord::new(key.public_key()?)?;
    /// let request = Request::post("/").body(r#"{"type":2}"#)?;
    /// let signing = Signing::at(SystemTime::now()).private_key(&key);
    /// let (head, body) = signed(&discord, request, signing)?.into_parts();
    /// tower_webhook::verify(&discord, &head, &body)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    #[must_use]
    pub const fn private_key(mut self, key: &'a PrivateKey) -> Self {
        self.private_key = Some(key);
        self
    }

    /// Returns the time of the signature.
    #[must_use]
    pub const fn time(&self) -> SystemTime {
        self.time
    }

    /// Returns the ECDSA signature of a content by its SHA-1, or `None` without a key for it.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn signature_with_sha1(&self, content: &[u8]) -> Option<Vec<u8>> {
        self.private_key?.sign_sha1(content)
    }

    /// Returns the signature by the private key, or `None` without a key of this algorithm.
    pub(crate) fn signature(&self, algorithm: Algorithm, content: &[u8]) -> Option<Vec<u8>> {
        #[cfg(feature = "asymmetric")]
        {
            let key = self.private_key.filter(|key| key.algorithm() == algorithm)?;
            key.sign(content)
        }
        #[cfg(not(feature = "asymmetric"))]
        {
            let _ = (self.private_key, algorithm, content);
            None
        }
    }
}

#[cfg(all(feature = "asymmetric", feature = "jwt"))]
impl Signing<'_> {
    /// Returns the signature of a content in the form of RFC 7518, or `None` without a key of this
    /// algorithm.
    pub(crate) fn jws_signature(&self, algorithm: Algorithm, content: &[u8]) -> Option<Vec<u8>> {
        let signature = self.signature(algorithm, content)?;
        match algorithm {
            Algorithm::EcdsaP256Sha256 => fixed(&signature),
            _ => Some(signature),
        }
    }
}

#[cfg(feature = "fetched-keys")]
impl Signing<'_> {
    /// Returns `true` if there is a private key for this algorithm.
    pub(crate) fn has_key_for(&self, algorithm: JwsAlgorithm) -> bool {
        self.private_key.is_some_and(|key| key.algorithm() == algorithm.of_key())
    }

    /// Returns the signature of a content by this algorithm, or `None` without a key for it.
    pub(crate) fn sign_as(&self, algorithm: JwsAlgorithm, content: &[u8]) -> Option<Vec<u8>> {
        let key = self.private_key.filter(|key| key.algorithm() == algorithm.of_key())?;
        match algorithm {
            JwsAlgorithm::Es512 => key.sign(content),
            JwsAlgorithm::Es256 => fixed(&key.sign(content)?),
            JwsAlgorithm::EdDsa => key.sign(content),
            JwsAlgorithm::Ps256 => key.sign_rsa(&RSA_PSS_SHA256, content),
            JwsAlgorithm::Rs512 => key.sign_rsa(&RSA_PKCS1_SHA512, content),
        }
    }
}

/// Returns the two numbers of an ECDSA signature in DER, with 32 bytes each.
#[cfg(all(feature = "asymmetric", feature = "jwt"))]
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    // Both numbers and the whole are shorter than 128 bytes, so each length is one byte.
    let mut rest = der.get(2..)?;
    let mut numbers = Vec::with_capacity(64);
    for _ in 0..2 {
        let (number, after) = rest.get(2..)?.split_at_checked(usize::from(*rest.get(1)?))?;
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let number = &number[start..];
        numbers.resize(numbers.len() + 32usize.checked_sub(number.len())?, 0);
        numbers.extend_from_slice(number);
        rest = after;
    }
    Some(numbers)
}

/// Made-up ID of a key or a delivery.
#[cfg(feature = "asymmetric")]
pub(crate) const MADE_UP_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Returns the error of a verifier with public keys that has no key to sign with.
pub(crate) fn no_private_key() -> Rejection {
    Rejection::unavailable(
        "no private key of the verifier's algorithm; pass one with `Signing::private_key`",
    )
}

impl From<SystemTime> for Signing<'_> {
    fn from(time: SystemTime) -> Self {
        Self::at(time)
    }
}

/// Returns the request with a signature of its provider.
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use tower_webhook::{providers::MicrosoftGraph, sign::signed};
///
/// // The proof is in the body.
/// let graph = MicrosoftGraph::new("state of the test")?;
/// let request = Request::post("/").body(r#"{"value":[{"changeType":"created"}]}"#)?;
/// let (head, body) = signed(&graph, request, SystemTime::now())?.into_parts();
/// tower_webhook::verify(&graph, &head, &body)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns a [`Rejection`] for the reasons in [`Sign::sign`].
pub fn signed<'a, S: Sign, B: AsRef<[u8]>>(
    signer: &S,
    request: Request<B>,
    with: impl Into<Signing<'a>>,
) -> Result<Request<Bytes>, Rejection> {
    let (mut head, body) = request.into_parts();
    let proven = signer.sign(&mut head, body.as_ref(), &with.into())?;
    let body = proven.unwrap_or_else(|| Bytes::copy_from_slice(body.as_ref()));
    Ok(Request::from_parts(head, body))
}

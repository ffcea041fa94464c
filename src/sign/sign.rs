//! Signing of requests as providers do.

use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, request::Parts};

#[cfg(feature = "asymmetric")]
use crate::crypto::private_key::PrivateKey;
use crate::{crypto::mac::Algorithm, outcome::rejection::Rejection, verifier::verifier::Verifier};

/// A verifier that can also sign, as its provider does: every provider of this crate, and each
/// [`BoxVerifier`](crate::providers::BoxVerifier) that [`by_name`](crate::providers::by_name) gives.
///
/// It signs with its first secret. Where a public key verifies, it needs the [private key](Signing::private_key).
pub trait Sign: Verifier {
    /// Puts the headers of a genuine request with this head and body into `head`. Returns another body where the
    /// proof stands in it, as Mailgun's and Microsoft Graph's does.
    ///
    /// Headers that the signature covers and that are there already (an id, a nonce) are kept.
    /// Where the provider signs a time that stands in the body, `body` must hold it; a token in the
    /// URL is part of `head` already.
    ///
    /// # Errors
    ///
    /// When a header that the signature covers is out of form, the signed URL cannot be told, or it
    /// lacks its token; when the body has no place for the proof; when there is no private key of the verifier's
    /// algorithm where one is needed.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection>;
}

/// The time and the key of a signature.
///
/// A [`SystemTime`] is one, without a private key:
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
    /// Signs at this time.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self { time, private_key: Default::default() }
    }

    /// Signs with this private key, for providers that are verified with a public key. A verifier of secrets
    /// signs with its secret all the same.
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

    /// Returns the time.
    #[must_use]
    pub const fn time(&self) -> SystemTime {
        self.time
    }

    /// Returns the private key's signature; `None` without a key of this algorithm.
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

impl From<SystemTime> for Signing<'_> {
    fn from(time: SystemTime) -> Self {
        Self::at(time)
    }
}

/// Signs a request.
///
/// ```
/// use std::time::SystemTime;
/// use http::Request;
/// use tower_webhook::{providers::MicrosoftGraph, sign::signed};
///
/// // Its proof stands in the body.
/// let graph = MicrosoftGraph::new("state of the test")?;
/// let request = Request::post("/").body(r#"{"value":[{"changeType":"created"}]}"#)?;
/// let (head, body) = signed(&graph, request, SystemTime::now())?.into_parts();
/// tower_webhook::verify(&graph, &head, &body)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As for [`Sign::sign`].
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

//! Verification of signatures outside of headers.

use crate::{
    crypto::{
        mac::{KeyMatches, Mac},
        secrets::{IntoSecrets, each},
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::encoding::MAX_TAG,
    scheme::{declaration::Scheme, signature_format::MAX_CANDIDATES, verifier::NO_HMAC},
};

impl Scheme {
    /// Checks a signature that is not in a header, and returns the index of the secret that made
    /// it.
    ///
    /// Use it for a signature in a query, a form or JSON. The signature is text in the scheme's
    /// [format](Self::signature_format) and [encoding](Self::encoding). `content` is the whole
    /// signed content: the scheme's own [signed content](Self::signed_content) and its timestamp
    /// are not used. Check a timestamp with [`Tolerance::check`](super::Tolerance::check). **A
    /// signature that does not cover the body proves nothing about the body.**
    ///
    /// ```
    /// use tower_webhook::Scheme;
    ///
    /// const IN_THE_QUERY: Scheme = Scheme::hmac_sha256("unused");
    /// let signature = "c96107d1900346d7c4d3da0e99529e77b1861e082145ae0ec7556911b03c2946";
    /// assert_eq!(IN_THE_QUERY.check(signature, "id=1&amount=7", "the secret")?, 0);
    /// assert!(IN_THE_QUERY.check(signature, "id=1&amount=8", "the secret").is_err());
    /// # Ok::<_, tower_webhook::Rejection>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SignatureMismatch`](crate::RejectionKind::SignatureMismatch) if no secret made the
    /// signature, [`Malformed`](crate::RejectionKind::Malformed) if the text is malformed or has
    /// more than 16 signatures, and
    /// [`VerifierUnavailable`](crate::RejectionKind::VerifierUnavailable) if
    /// [`verifier`](Self::verifier) would not accept the secrets, or if the scheme is not an HMAC.
    pub fn check(
        &self,
        signature: impl AsRef<[u8]>,
        content: impl AsRef<[u8]>,
        secrets: impl IntoSecrets,
    ) -> Result<usize, Rejection> {
        let secrets = self.check_secrets(secrets.into_secrets()?, 0)?;
        let tags = each(&secrets, |secret| {
            let key = self.secret_encoding.key(secret)?;
            let mac = Mac::new(self.algorithm, key.expose());
            let mut mac = mac.ok_or(NO_HMAC)?;
            mac.update(content.as_ref());
            Ok(mac.finalize())
        })?;
        let mut buffer = [0; MAX_TAG];
        let candidate = &mut buffer[..self.algorithm.tag_len()];
        let mut matches = KeyMatches::of_keys(tags.len());
        let (mut count, mut is_readable) = (0, false);
        self.signature_format.read(signature.as_ref(), |text| {
            count += 1;
            if count > MAX_CANDIDATES {
                return Err(Rejection::new(RejectionKind::Malformed));
            }
            if self.encoding.decode(text, candidate).is_some() {
                is_readable = true;
                matches.add(&tags, candidate);
            }
            Ok(())
        })?;
        if !is_readable {
            return Err(Rejection::new(RejectionKind::Malformed));
        }
        matches.accepted()
    }
}

//! Values that are not a signing secret: other credentials of the vendor, and secrets in
//! documentation.

use std::fmt;

use crate::{
    crypto::secret::Secret,
    error::{ConfigError, warn_once},
};

/// The credentials of a vendor's customers other than the signing secret.
#[derive(Clone, Copy)]
pub(crate) struct Credentials {
    /// The credential that the verifier needs, and its place in the console.
    pub(crate) wanted: &'static str,
    pub(crate) others: &'static [Credential],
    /// `true` if the vendor issues the signing secret. A secret that the customer chooses may be
    /// any string.
    pub(crate) is_issued: bool,
}

/// A kind of credential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credential {
    pub(crate) form: CredentialForm,
    pub(crate) is: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "a test reads it"))]
    pub(crate) source: &'static str,
}

/// The form that distinguishes a credential from a signing secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CredentialForm {
    /// The value has a character that no signing secret of the vendor has.
    Has(char),
    Prefix(&'static str),
    /// The value is a prefix and this many hexadecimal digits. A secret could begin with the prefix
    /// by chance.
    PrefixThenHex(&'static str, usize),
}

/// Secrets that documentation publishes, so that anyone can sign with them, and the place of each.
pub(crate) const DOCUMENTED: &[(&str, &str)] = &[
    ("12345", "Twilio's documentation"),
    ("44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056", "Adyen's documentation"),
    ("8f742231b10e8888abcd99yyyzzz85a5", "Slack's documentation"),
    ("It's a Secret to Everybody", "GitHub's documentation"),
    ("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "Zendesk's documentation"),
    ("mysecret", "many examples"),
    ("password", "many examples"),
    ("secret", "many examples"),
    ("test", "many examples"),
    ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "the documentation of Standard Webhooks"),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the documentation of Standard Webhooks"),
    ("whsec_plJ3nmyCDGBKInavdOK15jsl", "the documentation of Standard Webhooks"),
];

impl Credentials {
    /// The entry of a vendor whose other credentials are not known.
    pub(crate) const UNKNOWN: Self = Self { wanted: "", others: &[], is_issued: false };

    /// Returns the finding that this secret looks like another credential.
    #[cfg(feature = "explain")]
    pub(crate) fn explain(&self, secret: &Secret) -> Option<crate::outcome::explanation::Finding> {
        use crate::outcome::{cause::Cause, explanation::Finding};

        let text = secret.text()?;
        let found = self.others.iter().find(|other| other.form.fits(text))?;
        let doubt = Doubt::OtherKind { found: found.is, wanted: self.wanted };
        Some(Finding::clue(Cause::SecretOfOtherKind).with_detail(doubt.to_string()))
    }

    /// Checks a secret of this provider.
    ///
    /// Logs a warning for a value that is probably wrong but may be intended.
    ///
    /// # Errors
    ///
    /// Returns an error if the secret is a public key, or if the vendor issues the signing secret
    /// and documents this value as another credential.
    pub(crate) fn check(&self, provider: &'static str, secret: &Secret) -> Result<(), ConfigError> {
        refuse_public_key(secret)?;
        // Bytes are already a key, and a value in `Secret::documented` is intended.
        let Some(text) = secret.text().filter(|_| !secret.is_documented()) else { return Ok(()) };
        if let Some(found) = self.others.iter().find(|other| other.form.fits(text)) {
            if self.is_issued {
                let (found, wanted) = (found.is, self.wanted);
                return Err(ConfigError::SecretOfOtherKind { provider, found, wanted });
            }
            warn(provider, Doubt::OtherKind { found: found.is, wanted: self.wanted });
        }
        let documented = DOCUMENTED.iter().find(|(printed, _)| secret.matches(printed.as_bytes()));
        if let Some((_, source)) = documented {
            warn(provider, Doubt::Documented { source });
        } else if text.len() < SHORT {
            warn(provider, Doubt::Short);
        }
        Ok(())
    }
}

/// Rejects a public key.
///
/// In a file with several providers, a key is easily put in the place of another, and everyone
/// knows a public key.
pub(crate) fn refuse_public_key(secret: &Secret) -> Result<(), ConfigError> {
    let begins = |prefix: &str| secret.expose().starts_with(prefix.as_bytes());
    if begins("-----BEGIN PUBLIC KEY-----") || begins("whpk_") {
        return Err(ConfigError::SecretIsPublicKey);
    }
    Ok(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("others", &self.others.len()).finish_non_exhaustive()
    }
}

/// Minimum length, in bytes, of a secret that takes some time to guess.
const SHORT: usize = 8;

/// A reason why a secret is probably not the right one.
#[derive(Clone, Copy)]
enum Doubt {
    Documented { source: &'static str },
    OtherKind { found: &'static str, wanted: &'static str },
    Short,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documented { source } => {
                write!(f, "the secret is published in {source}, so anyone could sign")
            }
            Self::OtherKind { found, wanted } => {
                write!(f, "the secret looks like {found}; use {wanted}")
            }
            Self::Short => {
                write!(f, "the secret has fewer than {SHORT} bytes and is easy to guess")
            }
        }
    }
}

fn warn(provider: &'static str, doubt: Doubt) {
    warn_once(Some(provider), format_args!("{doubt}; if it is intended, use `Secret::documented`"));
}

impl CredentialForm {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Has(letter) => text.contains(letter),
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::PrefixThenHex(prefix, digits) => text.strip_prefix(prefix).is_some_and(|rest| {
                rest.len() == digits && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
            }),
        }
    }
}

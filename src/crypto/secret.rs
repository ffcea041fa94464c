//! The secret with which a webhook is signed.

use std::{fmt, sync::Arc};

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::{error::ConfigError, parse::encoding};

/// A webhook secret: the string shown by the provider, or raw key bytes. It is never empty.
///
/// [`Secret::new`] takes the **string** from the provider's page. The provider's verifier then
/// derives its key from the string by the provider's own rule: Stripe uses its `whsec_…` unchanged,
/// Standard Webhooks strips the prefix and decodes the rest. The other constructors decode the
/// string immediately, and every provider uses the resulting bytes unchanged.
///
/// The secret is wiped from memory when the last clone is dropped. It has no `Display`, and its
/// `Debug` shows nothing:
///
/// ```
/// use tower_webhook::Secret;
///
/// let secret = Secret::new("It's a Secret to Everybody")?;
/// assert_eq!(format!("{secret:?}"), "Secret([redacted])");
/// assert!(Secret::new("").is_err());
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Wiped>);

struct Wiped {
    bytes: Zeroizing<Vec<u8>>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bytes,
    /// A string that is intended, even if it looks like a mistake.
    Documented,
    Text,
}

/// Placeholders in documentation, and strings that programs write for a missing value.
const PLACEHOLDERS: [&str; 16] = [
    "[redacted]",
    "changeme",
    "change_me",
    "changethis",
    "none",
    "null",
    "replace_me",
    "replaceme",
    "todo",
    "undefined",
    "whsec_xxx",
    "whsec_your_secret",
    "your_secret",
    "your_secret_here",
    "your_signing_secret",
    "your_webhook_secret",
];

/// Beginnings of references to secret stores: 1Password, HashiCorp Vault, Amazon.
const REFERENCES: [&str; 3] = ["op://", "vault:secret/", "arn:aws:"];

/// The characters around the name of a variable that was not filled in.
const UNFILLED: [(&str, &str); 4] = [("${", "}"), ("{{", "}}"), ("<", ">"), ("%", "%")];

impl Secret {
    /// Creates a secret from the string that the provider shows.
    ///
    /// # Errors
    ///
    /// Returns an error if the string
    ///
    /// - is empty, blank or all zero, or has whitespace around it;
    /// - is in quotation marks, has `NAME=` or `Bearer` before it, or contains invisible
    ///   characters;
    /// - is a known placeholder, a variable that was not filled in (`${NAME}`), or a reference to a
    ///   secret store (`op://…`).
    ///
    /// If one of these values is intended, use [`documented`](Self::documented) or
    /// [`from_bytes`](Self::from_bytes).
    pub fn new(text: impl Into<String>) -> Result<Self, ConfigError> {
        Self::of_text(text.into(), Form::Text)
    }

    /// Creates a secret from a string that is intended although it looks like another credential or
    /// a placeholder, or although documentation publishes it.
    ///
    /// It is for tests and vectors. A verifier accepts it without an error and without a warning.
    ///
    /// ```
    /// use tower_webhook::{Secret, providers::{GitHub, Stripe}};
    ///
    /// // Anyone can sign with this secret: GitHub's documentation publishes it.
    /// GitHub::new(Secret::documented("It's a Secret to Everybody")?)?;
    ///
    /// // An API key is not a signing secret.
    /// assert!(Stripe::new("sk_test_4eC39HqLyjWDarjtT1zdp7dc").is_err());
    /// assert!(Stripe::new(Secret::documented("sk_test_4eC39HqLyjWDarjtT1zdp7dc")?).is_ok());
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the string is empty, blank or all zero, or has whitespace around it.
    pub fn documented(text: impl Into<String>) -> Result<Self, ConfigError> {
        Self::of_text(text.into(), Form::Documented)
    }

    fn of_text(text: String, form: Form) -> Result<Self, ConfigError> {
        let inside = text.trim_matches(is_blank);
        let problem = if !text.is_empty() && is_empty_key(text.as_bytes()) {
            Some(ConfigError::SecretAllZero)
        } else if inside.is_empty() {
            Some(ConfigError::SecretEmpty)
        } else if inside.len() != text.len() {
            Some(ConfigError::SecretInWhitespace)
        } else if form == Form::Documented {
            None
        } else if is_placeholder(&text) {
            Some(ConfigError::SecretPlaceholder)
        } else {
            slip(&text).map(|why| ConfigError::SecretInvalid { why })
        };
        let wiped = Wiped { bytes: text.into_bytes().into(), form };
        problem.map_or(Ok(Self(Arc::new(wiped))), Err)
    }

    /// Creates a secret from the value of this environment variable.
    ///
    /// ```no_run
    /// use tower_webhook::Secret;
    ///
    /// let secret = Secret::from_env("STRIPE_WEBHOOK_SECRET")?;
    /// # let _ = secret;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the variable is not set or not UTF-8, and in the same cases as
    /// [`new`](Self::new). The error names the variable, and shows nothing of its value.
    pub fn from_env(name: &str) -> Result<Self, ConfigError> {
        let invalid = |error| ConfigError::VariableInvalid { name: name.to_owned(), error };
        let text = std::env::var(name).map_err(|_| invalid(None))?;
        Self::new(text).map_err(|error| invalid(Some(Box::new(error))))
    }

    /// Creates a secret from key bytes, which are used unchanged.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no bytes, or all of them are blank or zero.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        Self::of_bytes(Wiped { bytes: Zeroizing::new(bytes.into()), form: Form::Bytes })
    }

    fn of_bytes(wiped: Wiped) -> Result<Self, ConfigError> {
        if wiped.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ConfigError::SecretEmpty);
        }
        if is_empty_key(&wiped.bytes) {
            return Err(ConfigError::SecretAllZero);
        }
        Ok(Self(Arc::new(wiped)))
    }

    /// Decodes key bytes from standard base64.
    ///
    /// If the key has 16 bytes or more, the padding may be missing, and the last character may have
    /// unused bits.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not base64, or is not canonical and decodes to fewer than
    /// 16 bytes, or if the key is empty, blank or all zero.
    pub fn from_base64(text: &str) -> Result<Self, ConfigError> {
        // The buffer is wiped on an error, too.
        let mut decoded = Wiped { bytes: vec![0; text.len() + 3].into(), form: Form::Bytes };
        let len = encoding::decode_secret(text, &mut decoded.bytes)
            .map_err(|why| ConfigError::SecretUndecodable { form: "base64", why })?;
        decoded.bytes.truncate(len);
        Self::of_bytes(decoded)
    }

    /// Decodes key bytes from hexadecimal, in either case.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not hexadecimal, or if the key is empty, blank or all
    /// zero.
    pub fn from_hex(text: &str) -> Result<Self, ConfigError> {
        let mut decoded = Wiped { bytes: vec![0; text.len() / 2].into(), form: Form::Bytes };
        encoding::decode_hex(text.as_bytes(), &mut decoded.bytes).ok_or_else(|| {
            ConfigError::SecretUndecodable { form: "hexadecimal", why: encoding::hex_flaw(text) }
        })?;
        Self::of_bytes(decoded)
    }

    /// Decodes key bytes as Standard Webhooks writes them: base64 after `whsec_`. The prefix may be
    /// missing.
    ///
    /// # Errors
    ///
    /// See [`from_base64`](Self::from_base64).
    pub fn from_whsec(text: &str) -> Result<Self, ConfigError> {
        Self::from_base64(text.strip_prefix("whsec_").unwrap_or(text))
    }

    /// Returns the bytes, for a custom verifier. Do not log or store them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns whether `token` is this secret, in constant time for tokens of one length.
    #[must_use]
    pub fn matches(&self, token: &[u8]) -> bool {
        self.ct_matches(token).into()
    }

    pub(crate) fn ct_matches(&self, token: &[u8]) -> Choice {
        self.0.bytes.ct_eq(token)
    }

    pub(crate) fn is_documented(&self) -> bool {
        self.0.form == Form::Documented
    }

    /// Returns the string from this byte on as a secret of the same form.
    pub(crate) fn text_from(&self, at: usize) -> Option<Result<Self, ConfigError>> {
        let rest = self.text()?.get(at..)?;
        Some(Self::of_text(rest.to_owned(), self.0.form))
    }

    /// Returns the string as pasted, or `None` for bytes that a constructor has already decoded.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.0.form {
            Form::Bytes => None,
            Form::Documented | Form::Text => std::str::from_utf8(&self.0.bytes).ok(),
        }
    }
}

/// Returns the problem with a string that was pasted around the secret or in its place, and its
/// fix.
fn slip(text: &str) -> Option<&'static str> {
    let quotes =
        [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}')];
    let is_quoted = |(open, close): &(char, char)| {
        text.strip_prefix(*open).is_some_and(|rest| rest.ends_with(*close))
    };
    let begins = |start: &str| {
        text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    if quotes.iter().any(is_quoted) {
        Some("it is in quotation marks; remove them")
    } else if is_assigned(text) {
        Some("it begins with `NAME=`; remove that part")
    } else if begins("bearer ") {
        Some("it is the value of an `Authorization` header; use only the signing secret")
    } else if text.contains(|letter| is_blank(letter) && !letter.is_whitespace()) {
        Some("it contains an invisible character; type it again")
    } else if REFERENCES.iter().any(|start| begins(start)) {
        Some("it is a reference to a secret store; resolve it first")
    } else {
        None
    }
}

/// Returns whether the string is a line of an environment file.
fn is_assigned(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text);
    // Padding is not a value.
    text.split_once('=').is_some_and(|(name, value)| {
        // A random secret rarely begins with four of these characters.
        name.len() >= 4
            && name.bytes().take(4).all(|b| b.is_ascii_uppercase() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !value.trim_start_matches('=').is_empty()
    })
}

/// Returns whether the character is invisible, such as the byte order mark that some editors put
/// into a file.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn is_placeholder(text: &str) -> bool {
    // Compares byte by byte, because a changed copy would stay in freed memory.
    let plain =
        |byte: u8| if matches!(byte, b'-' | b' ') { b'_' } else { byte.to_ascii_lowercase() };
    PLACEHOLDERS.iter().any(|placeholder| text.bytes().map(plain).eq(placeholder.bytes()))
        || UNFILLED.iter().any(|(open, close)| text.starts_with(open) && text.ends_with(close))
        || text.strip_prefix('$').is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        })
}

/// Returns whether the key is all zero. HMAC pads its key with zeros, so this key signs like the
/// empty key.
fn is_empty_key(key: &[u8]) -> bool {
    key.iter().all(|byte| *byte == 0)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

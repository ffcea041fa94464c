//! The secret that a webhook is signed with.

use std::{fmt, sync::Arc};

use hmac::digest::zeroize::Zeroize;
use subtle::{Choice, ConstantTimeEq};

use crate::{error::ConfigError, parse::encoding};

/// A secret, as the user pasted it or as key bytes. Never empty.
///
/// [`Secret::new`] takes the **text** from the provider's page; the provider's verifier then makes
/// its key of it by the provider's own rule (Stripe uses its `whsec_…` as it is, Standard Webhooks
/// strips the prefix and decodes the rest). The other constructors decode right away, and every
/// provider takes the result as it is.
///
/// It is wiped from memory when the last clone is dropped, has no `Display`, and its `Debug` shows
/// nothing:
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
    bytes: Vec<u8>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bytes,
    /// A text that is meant, whatever it looks like.
    Documented,
    Text,
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Texts that documentation puts where the secret belongs, and what programs write for nothing.
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

/// References to secret stores, by how they begin: of 1Password, of HashiCorp's Vault, of Amazon.
const REFERENCES: [&str; 3] = ["op://", "vault:secret/", "arn:aws:"];

/// What stands around the name of a variable that nobody has filled in.
const UNFILLED: [(&str, &str); 4] = [("${", "}"), ("{{", "}}"), ("<", ">"), ("%", "%")];

impl Secret {
    /// Creates a secret of the text that the provider shows.
    ///
    /// # Errors
    ///
    /// When the text is empty or blank, or has white space around it; when it has quotation marks around
    /// it, a `NAME=` or `Bearer` before it, or characters in it that cannot be seen; when it is a known
    /// placeholder, a variable that nobody has filled in (`${NAME}`), or a reference to a secret store
    /// (`op://…`). Where such a text is meant, use [`documented`](Self::documented) or
    /// [`from_bytes`](Self::from_bytes).
    pub fn new(text: impl Into<String>) -> Result<Self, ConfigError> {
        Self::of_text(text.into(), Form::Text)
    }

    /// Creates a secret of a text that is meant although it looks like another credential or a placeholder, or
    /// stands in documentation: for tests and vectors. A verifier takes it without an error and without a
    /// warning.
    ///
    /// ```
    /// use tower_webhook::{Secret, providers::{GitHub, Stripe}};
    ///
    /// // Anyone can sign with it: it stands in GitHub's documentation.
    /// GitHub::new(Secret::documented("It's a Secret to Everybody")?)?;
    ///
    /// // An API key is no signing secret.
    /// assert!(Stripe::new("sk_test_4eC39HqLyjWDarjtT1zdp7dc").is_err());
    /// assert!(Stripe::new(Secret::documented("sk_test_4eC39HqLyjWDarjtT1zdp7dc")?).is_ok());
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is empty, blank or all zero, or has white space around it.
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
        let wiped = Wiped { bytes: text.into_bytes(), form };
        problem.map_or(Ok(Self(Arc::new(wiped))), Err)
    }

    /// Creates a secret of the text in this environment variable.
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
    /// When the variable is not set or not UTF-8, or as for [`new`](Self::new). The error names the
    /// variable, and shows nothing of its text.
    pub fn from_env(name: &str) -> Result<Self, ConfigError> {
        let invalid = |error| ConfigError::VariableInvalid { name: name.to_owned(), error };
        let text = std::env::var(name).map_err(|_| invalid(None))?;
        Self::new(text).map_err(|error| invalid(Some(Box::new(error))))
    }

    /// Key bytes, used as they are.
    ///
    /// # Errors
    ///
    /// When there are none, or all are blank or zero.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        Self::of_bytes(Wiped { bytes: bytes.into(), form: Form::Bytes })
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

    /// Decodes key bytes from standard base64. From 16 bytes on the padding may be missing, and the last
    /// character may have unused bits.
    ///
    /// # Errors
    ///
    /// When the text is not base64, is shorter and not canonical, or decodes to a key that is empty,
    /// blank or all zero.
    pub fn from_base64(text: &str) -> Result<Self, ConfigError> {
        // Wiped also when it breaks off.
        let mut decoded = Wiped { bytes: vec![0; text.len() + 3], form: Form::Bytes };
        let len = encoding::decode_secret(text, &mut decoded.bytes)
            .map_err(|why| ConfigError::SecretUndecodable { form: "base64", why })?;
        decoded.bytes.truncate(len);
        Self::of_bytes(decoded)
    }

    /// Decodes key bytes from hexadecimal, in either case.
    ///
    /// # Errors
    ///
    /// When the text is not hexadecimal, or decodes to a key that is empty, blank or all zero.
    pub fn from_hex(text: &str) -> Result<Self, ConfigError> {
        let mut decoded = Wiped { bytes: vec![0; text.len() / 2], form: Form::Bytes };
        encoding::decode_hex(text.as_bytes(), &mut decoded.bytes).ok_or_else(|| {
            ConfigError::SecretUndecodable { form: "hexadecimal", why: encoding::hex_flaw(text) }
        })?;
        Self::of_bytes(decoded)
    }

    /// Decodes key bytes as Standard Webhooks writes them: base64 after `whsec_`, which may be left out.
    ///
    /// # Errors
    ///
    /// As [`from_base64`](Self::from_base64).
    pub fn from_whsec(text: &str) -> Result<Self, ConfigError> {
        Self::from_base64(text.strip_prefix("whsec_").unwrap_or(text))
    }

    /// The bytes, for a verifier of your own. Do not log or store them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Whether `token` is this secret, in constant time for tokens of one length.
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

    /// Returns the part of the text from this byte on, with what is known of the whole.
    pub(crate) fn text_from(&self, at: usize) -> Option<Result<Self, ConfigError>> {
        let rest = self.text()?.get(at..)?;
        Some(Self::of_text(rest.to_owned(), self.0.form))
    }

    /// The text as pasted; `None` for bytes that a constructor has decoded already.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.0.form {
            Form::Bytes => None,
            Form::Documented | Form::Text => std::str::from_utf8(&self.0.bytes).ok(),
        }
    }
}

/// Returns what was pasted with the secret, or in its place, and the way out.
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
        Some("there are quotation marks around it; leave them out")
    } else if is_assigned(text) {
        Some("there is a `NAME=` before it; leave that out")
    } else if begins("bearer ") {
        Some("it is the value of an `Authorization` header; use the signing secret alone")
    } else if text.contains(|letter| is_blank(letter) && !letter.is_whitespace()) {
        Some("there is a character in it that cannot be seen; type it anew")
    } else if REFERENCES.iter().any(|start| begins(start)) {
        Some("it is a reference to a secret store; resolve it first")
    } else {
        None
    }
}

/// Returns whether it is a line of an environment file.
fn is_assigned(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text);
    // Padding is no value.
    text.split_once('=').is_some_and(|(name, value)| {
        // A random secret hardly begins so.
        name.len() >= 4
            && name.bytes().take(4).all(|b| b.is_ascii_uppercase() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !value.trim_start_matches('=').is_empty()
    })
}

/// Returns whether nobody sees it, such as the byte order mark that some editors put into a file.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn is_placeholder(text: &str) -> bool {
    // Byte by byte: a changed copy would stay in memory that is freed.
    let plain =
        |byte: u8| if matches!(byte, b'-' | b' ') { b'_' } else { byte.to_ascii_lowercase() };
    PLACEHOLDERS.iter().any(|placeholder| text.bytes().map(plain).eq(placeholder.bytes()))
        || UNFILLED.iter().any(|(open, close)| text.starts_with(open) && text.ends_with(close))
        || text.strip_prefix('$').is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        })
}

/// HMAC pads its key with zeros: a key of zeros signs what the empty key signs.
fn is_empty_key(key: &[u8]) -> bool {
    key.iter().all(|byte| *byte == 0)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

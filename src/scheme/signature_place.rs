//! Setters of a scheme for the place and the form of the signature.

use crate::{
    parse::{encoding::Encoding, headers::checked_name},
    scheme::{component::SignatureSource, declaration::Scheme, signature_format::SignatureFormat},
};

/// Place and form of the signature.
impl Scheme {
    /// Sets the signature headers, of which at least one must be present and one must match.
    ///
    /// # Panics
    ///
    /// Panics if `names` is empty, or if a name is not a lower-case header name.
    pub const fn headers(mut self, names: &'static [&'static str]) -> Self {
        assert!(!names.is_empty(), "a scheme needs a signature header");
        let mut at = 0;
        while at < names.len() {
            checked_name(names[at]);
            at += 1;
        }
        self.source = SignatureSource::Headers(names);
        self
    }

    /// Reads the signature after this scheme in `Authorization`, as in `Authorization: HMAC <tag>`.
    pub const fn authorization(mut self, scheme: &'static str) -> Self {
        self.source = SignatureSource::Authorization(scheme);
        self
    }

    /// Allows several lines of the signature header, each with signatures. Without it, a repeated
    /// header is rejected.
    ///
    /// Use it for a sender that adds one line for each of its secrets during a rotation.
    ///
    /// # Panics
    ///
    /// Panics if the signature is not in one header.
    pub const fn lines(mut self) -> Self {
        self.source = match self.source {
            SignatureSource::Header(name) => SignatureSource::Lines(name),
            _ => panic!("only a single signature header can have several lines"),
        };
        self
    }

    /// Reads the signature in this parameter of the query, as in `/hook?signature=<tag>`.
    ///
    /// The parameter is not decoded, so the signature must be hexadecimal or base64url. Events and
    /// the log do not show the URL.
    ///
    /// # Panics
    ///
    /// Panics if the name of the parameter is empty, or has a character other than ASCII letters,
    /// digits, `-` and `_`.
    pub const fn query(mut self, parameter: &'static str) -> Self {
        let bytes = parameter.as_bytes();
        assert!(!bytes.is_empty(), "the parameter has no name");
        let mut at = 0;
        while at < bytes.len() {
            let is_plain =
                matches!(bytes[at], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
            assert!(is_plain, "the name of the parameter would need an escape");
            at += 1;
        }
        self.source = SignatureSource::Query(parameter);
        self
    }

    /// Sets the prefix of the signature, as in `sha256=<tag>`.
    pub const fn prefix(self, prefix: &'static str) -> Self {
        self.signature_format(SignatureFormat::Single { prefix })
    }

    /// Sets the format of the signature header's value.
    pub const fn signature_format(mut self, format: SignatureFormat) -> Self {
        self.signature_format = format;
        self
    }

    /// Sets the encoding of signatures, hexadecimal by default.
    pub const fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }
}

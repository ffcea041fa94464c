//! Schemes in words.

use crate::{
    crypto::mac::Algorithm,
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    scheme::{
        component::{Component, DigestEncoding, SignatureSource, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::challenge::challenge::Challenge,
};

/// A scheme in words, as Markdown: the result of [`Scheme::describe`].
///
/// Use it for a page that lists what your endpoints expect. The pages of this crate's providers are
/// made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The headers and the form of their values: `` `x-hub-signature-256: sha256=<hex>` ``.
    pub headers: String,
    /// The algorithm: `HMAC-SHA256`.
    pub algorithm: &'static str,
    /// The key of the MAC, derived from the secret string: ``the base64 after `whsec_` ``.
    pub key: String,
    /// The signed content as a template: `` `<time>.<body>` ``.
    pub signed_content: String,
    /// The parts of the signed content in words: `time and body`.
    pub parts: String,
    /// The header with the delivery's ID, and whether it is signed.
    pub delivery_id: Option<String>,
    /// The challenge, and its response.
    pub challenge: Option<String>,
}

impl Scheme {
    /// Describes the scheme in words.
    ///
    /// ```
    /// use tower_webhook::providers::GitHub;
    ///
    /// let words = GitHub::SCHEME.describe();
    /// assert_eq!(words.headers, "`x-hub-signature-256: sha256=<hex>`");
    /// assert_eq!((words.algorithm, &*words.parts), ("HMAC-SHA256", "the body"));
    /// ```
    #[must_use]
    pub fn describe(&self) -> Description {
        let mut headers = self.own_headers();
        for family in self.families {
            headers.push_str(&format!("; or {}", family.own_headers()));
        }
        Description {
            headers,
            algorithm: algorithm(self.algorithm),
            key: key(self.secret_encoding),
            signed_content: self.of_digest(template(self.signed_content)),
            parts: match self.time {
                Some((TimestampSource::Json(_), _)) => {
                    format!("{}, which has the timestamp", parts(self.signed_content))
                }
                _ => self.of_digest(parts(self.signed_content)),
            },
            delivery_id: self.delivery_ids().map(|names| match self.signs_id() {
                true => format!("{names}, signed"),
                false => format!("{names}, **not** signed"),
            }),
            challenge: self.challenge.map(challenge),
        }
    }

    /// Returns the words for the content's digest, if only the digest is signed.
    fn of_digest(&self, content: String) -> String {
        if self.is_digested { format!("SHA-256 of {content}") } else { content }
    }

    /// Returns the headers with the delivery's ID, of the scheme and of its families.
    fn delivery_ids(&self) -> Option<String> {
        let own = self.delivery_id?;
        let others = self.families.iter().filter_map(|family| family.delivery_id);
        let mut names = format!("`{own}`");
        for other in others.filter(|other| *other != own) {
            names.push_str(&format!(" or `{other}`"));
        }
        Some(names)
    }

    fn own_headers(&self) -> String {
        let value = self.value();
        let mut text = match self.source {
            SignatureSource::Authorization(scheme) => format!("`authorization: {scheme} {value}`"),
            SignatureSource::Header(name) => format!("`{name}: {value}`"),
            SignatureSource::Headers(names) => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}: {value}`")).collect();
                names.join(" or ")
            }
            SignatureSource::Lines(name) => format!("`{name}: {value}`, in one line or several"),
            SignatureSource::Query(name) => format!("`{name}={value}` in the query"),
        };
        match self.time {
            Some((TimestampSource::Header(name), format)) => {
                text.push_str(&format!(", `{name}: {}`", time(format)));
            }
            Some((TimestampSource::Json(path), _)) => {
                text.push_str(&format!("; the timestamp is `{path}` in the JSON body"));
            }
            Some((TimestampSource::Signature, _)) | None => {}
        }
        for component in self.signed_content {
            match component {
                Component::Header(name) => text.push_str(&format!(", `{name}`")),
                Component::HttpDate(name) => text.push_str(&format!(", `{name}: <HTTP date>`")),
                _ => {}
            }
        }
        if let Some(name) = self.delivery_id.filter(|_| self.signs_id()) {
            text.push_str(&format!(", `{name}`"));
        }
        for (name, value) in self.required {
            text.push_str(&format!(", `{name}: {value}`"));
        }
        text
    }

    /// Returns the form of the signature header's value.
    fn value(&self) -> String {
        let tag = match self.encoding {
            Encoding::Base64 => "<base64>",
            Encoding::Base64Url => "<base64url>",
            Encoding::Hex => "<hex>",
        };
        let time = self.time.map_or("<time>", |(_, format)| time(format));
        match self.signature_format {
            SignatureFormat::Single { prefix } => format!("{prefix}{tag}"),
            SignatureFormat::OptionalPrefix { prefix, separator } => {
                format!("[{prefix}]{tag}[{}[{prefix}]{tag}]", char::from(separator))
            }
            SignatureFormat::Unnamed { separator, time_first } => {
                let by = char::from(separator);
                let first = if time_first { format!("{time}{by}") } else { String::new() };
                format!("{first}{tag}[{by}{tag}]")
            }
            SignatureFormat::Named { separator, assign, signature, other, time: name, spaced } => {
                let (by, is) = (char::from(separator), char::from(assign));
                let space = if spaced { " " } else { "" };
                let first = name.map(|name| format!("{name}{is}{time}{by}{space}"));
                let one = format!("{signature}{is}{tag}");
                let next = format!("{}{is}{tag}", other.unwrap_or(signature));
                format!("{}{one}[{by}{space}{next}]", first.unwrap_or_default())
            }
        }
    }
}

const fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HmacSha1 => "HMAC-SHA1",
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha384 => "HMAC-SHA384",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::PlainSha1 => "plain SHA-1",
        Algorithm::PlainSha256 => "plain SHA-256",
        #[cfg(feature = "asymmetric")]
        Algorithm::Ed25519 => "Ed25519",
        #[cfg(feature = "asymmetric")]
        Algorithm::EcdsaP256Sha256 => "ECDSA P-256 with SHA-256",
        #[cfg(feature = "asymmetric")]
        Algorithm::EcdsaP521Sha512 => "ECDSA P-521 with SHA-512",
        #[cfg(feature = "asymmetric")]
        Algorithm::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 with SHA-256",
    }
}

fn key(encoding: SecretEncoding) -> String {
    match encoding {
        SecretEncoding::Base64 { prefix: "" } => "the base64-decoded secret".to_owned(),
        SecretEncoding::Base64 { prefix } => {
            format!("the decoded base64 after `{prefix}`, which may be left out")
        }
        SecretEncoding::Hex => "the hex-decoded secret".to_owned(),
        SecretEncoding::Stripped { prefix } => format!("the secret string after `{prefix}`"),
        SecretEncoding::Text => "the secret string".to_owned(),
    }
}

const fn time(format: TimestampFormat) -> &'static str {
    match format {
        TimestampFormat::HttpDate => "<HTTP date>",
        TimestampFormat::Rfc3339 | TimestampFormat::Rfc3339NoOffset => "<RFC 3339 time>",
        TimestampFormat::UnixMillis => "<milliseconds>",
        TimestampFormat::UnixSeconds => "<seconds>",
    }
}

fn template(content: &[Component]) -> String {
    if content == [Component::Body] {
        return "the body".to_owned();
    }
    let parts = content.iter().map(|component| match component {
        Component::Literal(text) => text.escape_default().to_string(),
        component => format!("<{}>", noun(*component)),
    });
    format!("`{}`", parts.collect::<String>())
}

fn parts(content: &[Component]) -> String {
    if content == [Component::Body] {
        return "the body".to_owned();
    }
    let nouns: Vec<_> = content
        .iter()
        .filter(|component| !matches!(component, Component::Literal(_)))
        .map(|component| match component {
            Component::Header(name) | Component::HttpDate(name) => format!("`{name}`"),
            Component::Id => "ID".to_owned(),
            component => noun(*component).to_owned(),
        })
        .collect();
    match &*nouns {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

const fn noun(component: Component) -> &'static str {
    match component {
        Component::Body => "body",
        Component::BodySha256(DigestEncoding::Base64) => "base64 SHA-256 of the body",
        Component::BodySha256(DigestEncoding::Hex) => "hexadecimal SHA-256 of the body",
        Component::BodySha256(DigestEncoding::Raw) => "SHA-256 of the body",
        Component::BodySha512(DigestEncoding::Base64) => "base64 SHA-512 of the body",
        Component::BodySha512(DigestEncoding::Hex) => "hexadecimal SHA-512 of the body",
        Component::BodySha512(DigestEncoding::Raw) => "SHA-512 of the body",
        Component::Header(text) | Component::HttpDate(text) | Component::Literal(text) => text,
        Component::Host => "host",
        Component::Id => "id",
        Component::Method => "method",
        Component::Path => "path",
        Component::Query => "query",
        Component::Secret => "secret",
        Component::Time => "time",
        Component::Url => "URL",
    }
}

fn challenge(challenge: Challenge) -> String {
    match challenge {
        Challenge::CrcToken => "an unsigned GET with `crc_token`: the response is the token's \
                                HMAC-SHA256 under the first secret"
            .to_owned(),
        Challenge::EventGrid => {
            "a verified `SubscriptionValidation`: the response is its code".to_owned()
        }
        Challenge::Header(header) => {
            format!("an unsigned GET with `{header}`: the response is its value")
        }
        Challenge::HeaderToJson { header, field } => {
            format!("an unsigned GET with `{header}`: the response is its value in `{field}`")
        }
        Challenge::Head => "an unsigned HEAD: the response is an empty 200".to_owned(),
        Challenge::PlainToken => {
            "a signed `endpoint.url_validation`: the response is its token and \
                                  the token's HMAC-SHA256 under the first secret"
                .to_owned()
        }
        Challenge::PostQuery(parameter) => {
            format!("an unsigned POST with `{parameter}` in the query: the response is its value")
        }
        Challenge::Query(parameter) => {
            format!("an unsigned GET with `{parameter}` in the query: the response is its value")
        }
        Challenge::SignedField { header, value, field } => {
            format!("a signed POST with `{header}: {value}`: the response is the body's `{field}`")
        }
        Challenge::SignedHeader { header, field, value } => {
            format!("a signed POST whose `{field}` is `{value}`: the response is `{header}`")
        }
        Challenge::WebHookOrigins(_) => {
            "an unsigned OPTIONS with a known `webhook-request-origin`: the response allows it"
                .to_owned()
        }
    }
}

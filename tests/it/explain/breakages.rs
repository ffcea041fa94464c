//! Genuine requests, and the ways in which they break: each is one that happens between a sender and
//! a handler, or in a configuration.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, request::Parts};
use tower_webhook::{
    PublicUrl, RejectionKind, Secret,
    explain::{Cause, Effort, Explainer, Explanation},
    providers::{self, BoxVerifier, CredentialKind, Provider},
};

use crate::{providers::vectors::Vector, support::at};

/// A genuine request, its verifier's configuration, and the time.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) provider: Provider,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) secret: String,
    pub(crate) url: Option<String>,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) now: u64,
}

/// A change that breaks a request, or `None` if it does not apply.
pub(crate) type Break = fn(&Case) -> Option<Case>;

/// A way to break requests: its name, the causes that may be found, and whether the change can be
/// undone from what arrives.
pub(crate) struct Breakage {
    pub(crate) name: &'static str,
    pub(crate) causes: &'static [Cause],
    pub(crate) is_reversible: bool,
    /// The cause is a fact in the request.
    pub(crate) is_fact: bool,
    pub(crate) apply: Break,
}

impl Case {
    /// All valid vectors that a provider by name accepts.
    pub(crate) fn all() -> Vec<Self> {
        providers::all()
            .flat_map(|provider| {
                let vectors = Vector::of(provider.name()).into_iter();
                vectors.filter_map(move |vector| Self::of(provider, &vector))
            })
            .collect()
    }

    fn of(provider: Provider, vector: &Vector) -> Option<Self> {
        if !vector.valid || vector.setup.is_some() || vector.expect.is_some() {
            return None;
        }
        let secret = vector.secret().ok()?;
        let url = PublicUrl::fixed(&vector.url).is_ok().then(|| vector.url.clone());
        let target = vector.url_parts().1;
        let target = if target.starts_with('/') { target } else { "/" };
        let case = Self {
            provider,
            secrets: vector.secrets(secret),
            secret: String::from_utf8(vector.secret().ok()?.expose().to_vec()).ok()?,
            url,
            head: vector.request("/").into_parts().0,
            body: vector.body(),
            now: vector.now.unwrap_or(1_700_000_000),
        };
        let case = match target.parse() {
            Ok(uri) => case.with_head(|head| head.uri = uri),
            Err(_) => case,
        };
        // The rest needs a switch, or a key ID that is not in the secret.
        (case.explain().rejection().is_none()).then_some(case)
    }

    pub(crate) fn verifier(&self) -> Option<BoxVerifier> {
        let secrets = self.secrets.clone();
        match &self.url {
            Some(url) => self.provider.verifier_at(secrets, PublicUrl::fixed(url).ok()?).ok(),
            None => self.provider.verifier(secrets).ok(),
        }
    }

    pub(crate) fn explain(&self) -> Explanation {
        self.explain_within(Effort::DEFAULT)
    }

    pub(crate) fn explain_within(&self, mut effort: Effort) -> Explanation {
        // No test depends on speed.
        effort.max_time = Duration::from_secs(3600);
        let explainer = Explainer::new().clock(at(self.now)).effort(effort);
        explainer.explain(&self.verifier().unwrap(), &self.head, &self.body)
    }

    pub(crate) fn with_head(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(&mut self.head);
        self
    }

    fn with_body(&self, body: impl Into<Bytes>) -> Option<Self> {
        let body = body.into();
        (body != self.body).then(|| Self { body, ..self.clone() })
    }

    fn with_secret(&self, secret: &str) -> Option<Self> {
        let secrets = vec![Secret::documented(secret).ok()?];
        let case = Self { secrets, ..self.clone() };
        (self.takes_secret() && case.verifier().is_some()).then_some(case)
    }

    fn with_url(&self, url: String) -> Option<Self> {
        let is_signed = self.provider.needs_url();
        (is_signed && Some(&url) != self.url.as_ref() && PublicUrl::fixed(&url).is_ok())
            .then(|| Self { url: Some(url), ..self.clone() })
    }

    /// Some vectors have a short secret, or one that documentation publishes.
    pub(crate) fn has_guessable_secret(&self) -> bool {
        let bare = self.secret.trim_start_matches("whsec_");
        bare.len() < 8 || ["mysecret", "It's a Secret to Everybody"].contains(&&*self.secret)
    }

    fn takes_secret(&self) -> bool {
        self.provider.credential_kind() == CredentialKind::Secret && self.secrets.len() == 1
    }

    /// The same request, signed by the provider with another key.
    fn signed_with(&self, key: &[u8]) -> Option<Self> {
        let url = self.url.as_deref().and_then(|url| PublicUrl::fixed(url).ok());
        let key = vec![Secret::from_bytes(key).ok()?];
        let signer = match url {
            Some(url) => self.provider.verifier_at(key, url).ok()?,
            None => self.provider.verifier(key).ok()?,
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.now);
        let request = http::Request::from_parts(self.head.clone(), self.body.clone());
        let signed = tower_webhook::sign::signed(&signer, request, time).ok()?;
        let (head, body) = signed.into_parts();
        let case = Self { head, body, ..self.clone() };
        // Some bodies were signed before, and cannot be signed again.
        let is_it = case.explain().rejection() == Some(RejectionKind::SignatureMismatch);
        (self.takes_secret() && is_it).then_some(case)
    }

    fn signature_header(&self) -> Option<(HeaderName, HeaderValue)> {
        let names = self.verifier()?;
        let parts = tower_webhook::Verifier::sensitive_parts(&names);
        let mut headers = self.head.headers.iter();
        let found = headers.find(|(name, _)| parts.has_header(name));
        found.map(|(name, value)| (name.clone(), value.clone()))
    }

    fn with_signature(&self, change: impl FnOnce(&str) -> Option<String>) -> Option<Self> {
        let (name, value) = self.signature_header()?;
        let changed = change(value.to_str().ok()?)?;
        let value = HeaderValue::from_str(&changed).ok()?;
        Some(self.clone().with_head(|head| drop(head.headers.insert(name, value))))
    }
}

fn text(case: &Case) -> Option<&str> {
    std::str::from_utf8(&case.body).ok()
}

fn is_json(case: &Case) -> bool {
    serde_json::from_slice::<serde_json::Value>(&case.body).is_ok_and(|json| !json.is_string())
}

/// The JSON with other white space: that of the source is dropped, and `space` writes between tokens.
fn respaced(case: &Case, after: &str) -> Option<Case> {
    if !is_json(case) {
        return None;
    }
    let mut written = String::new();
    let (mut is_text, mut is_escaped) = (false, false);
    for letter in text(case)?.chars() {
        match letter {
            _ if is_text => written.push(letter),
            ' ' | '\t' | '\n' | '\r' => {}
            ',' | ':' => written.extend([&letter.to_string(), after]),
            _ => written.push(letter),
        }
        if letter == '"' && !is_escaped {
            is_text = !is_text;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    case.with_body(written)
}

pub(crate) const BREAKAGES: &[Breakage] = &[
    Breakage {
        name: "JSON without white space",
        causes: &[Cause::JsonRewritten, Cause::FinalNewline, Cause::WhiteSpace, Cause::LineEnds],
        is_reversible: true,
        is_fact: false,
        apply: |case| respaced(case, ""),
    },
    Breakage {
        name: "JSON with spaces",
        causes: &[Cause::JsonRewritten],
        is_reversible: true,
        is_fact: false,
        apply: |case| respaced(case, " "),
    },
    Breakage {
        name: "JSON in another order",
        causes: &[Cause::JsonReordered, Cause::JsonRewritten, Cause::NothingMatches],
        is_reversible: false,
        is_fact: false,
        apply: |case| {
            let json: serde_json::Value = serde_json::from_slice(&case.body).ok()?;
            case.with_body(serde_json::to_vec(&json).ok()?)
        },
    },
    Breakage {
        name: "final newline added",
        causes: &[Cause::FinalNewline],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body([&case.body, &b"\n"[..]].concat()),
    },
    Breakage {
        name: "final newline cut",
        causes: &[Cause::FinalNewline],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body(case.body.strip_suffix(b"\n")?.to_vec()),
    },
    Breakage {
        name: "white space around",
        causes: &[Cause::WhiteSpace],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body([b"  ", &case.body[..], b" "].concat()),
    },
    Breakage {
        name: "CRLF to LF",
        causes: &[Cause::LineEnds],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let all = text(case)?.replace("\r\n", "\n");
            // A lone LF beside CRLF is lost.
            let is_whole = text(case)?.matches('\n').count() == text(case)?.matches("\r\n").count();
            is_whole.then(|| case.with_body(all))?
        },
    },
    Breakage {
        name: "LF to CRLF",
        causes: &[Cause::LineEnds, Cause::FinalNewline],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let text = text(case)?;
            (!text.contains('\r')).then(|| case.with_body(text.replace('\n', "\r\n")))?
        },
    },
    Breakage {
        name: "byte order mark added",
        causes: &[Cause::ByteOrderMark],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body([b"\xef\xbb\xbf", &case.body[..]].concat()),
    },
    Breakage {
        name: "base64",
        causes: &[Cause::Base64Body],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body(STANDARD.encode(&case.body)),
    },
    Breakage {
        name: "JSON string",
        causes: &[Cause::JsonStringBody],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_body(serde_json::to_string(text(case)?).ok()?),
    },
    Breakage {
        name: "UTF-8 read as Latin-1",
        causes: &[Cause::Charset],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let read: String = case.body.iter().copied().map(char::from).collect();
            case.with_body(read)
        },
    },
    Breakage {
        name: "characters lost",
        causes: &[Cause::CharactersLost],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let lost = text(case)?.replace(|letter: char| !letter.is_ascii(), "\u{fffd}");
            case.with_body(lost)
        },
    },
    Breakage {
        name: "secret in quotation marks",
        causes: &[Cause::SecretQuoted],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_secret(&format!("\"{}\"", case.secret)),
    },
    Breakage {
        name: "secret with its variable",
        causes: &[Cause::SecretAssigned],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_secret(&format!("WEBHOOK_SECRET={}", case.secret)),
    },
    Breakage {
        name: "secret with a line end at the provider",
        causes: &[Cause::SecretPadded],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.signed_with(format!("{}\n", case.secret).as_bytes()),
    },
    Breakage {
        name: "secret in quotation marks at the provider",
        causes: &[Cause::SecretQuoted],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.signed_with(format!("'{}'", case.secret).as_bytes()),
    },
    Breakage {
        name: "key is base64 of the secret",
        causes: &[Cause::SecretEncoding],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.signed_with(STANDARD.encode(&case.secret).as_bytes()),
    },
    Breakage {
        name: "key with a prefix",
        causes: &[Cause::SecretPrefix],
        is_reversible: true,
        is_fact: false,
        apply: |case| match case.secret.strip_prefix("whsec_") {
            Some(rest) => case.signed_with(rest.as_bytes()),
            None => case.signed_with(format!("whsec_{}", case.secret).as_bytes()),
        },
    },
    Breakage {
        name: "published secret",
        causes: &[Cause::SecretDocumented],
        is_reversible: false,
        is_fact: false,
        apply: |case| case.signed_with(b"mysecret"),
    },
    Breakage {
        name: "another secret",
        causes: &[Cause::NothingMatches, Cause::JsonReordered],
        is_reversible: false,
        is_fact: false,
        apply: |case| case.signed_with(b"a secret that nobody has configured"),
    },
    Breakage {
        name: "URL with another scheme",
        causes: &[Cause::UrlScheme],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_url(case.url.as_ref()?.replace("https://", "http://")),
    },
    Breakage {
        name: "URL with another host",
        causes: &[Cause::UrlHost],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let url = case.url.as_ref()?;
            let host = url.parse::<http::Uri>().ok()?.authority()?.to_string();
            let case = case.with_url(url.replacen(&*host, "internal.example:8080", 1))?;
            let value = HeaderValue::from_str(&host).ok()?;
            Some(case.with_head(|head| drop(head.headers.insert("x-forwarded-host", value))))
        },
    },
    Breakage {
        name: "URL with a port",
        causes: &[Cause::UrlPort],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let url = case.url.as_ref()?;
            let authority = url.parse::<http::Uri>().ok()?.authority()?.to_string();
            let port = format!("{authority}:9000");
            (!authority.contains(':'))
                .then(|| case.with_url(url.replacen(&*authority, &port, 1)))?
        },
    },
    Breakage {
        name: "URL with a slash",
        causes: &[Cause::UrlTrailingSlash],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let url = case.url.as_ref()?;
            let path = url.split('?').next()?;
            let slash = match path.strip_suffix('/') {
                Some(cut) => cut.to_owned(),
                None => format!("{path}/"),
            };
            case.with_url(url.replacen(path, &slash, 1))
        },
    },
    Breakage {
        name: "URL with another path",
        causes: &[Cause::UrlPath],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let url = case.url.as_ref()?;
            let uri = url.parse::<http::Uri>().ok()?;
            let other = url.replacen(uri.path(), "/another/path", 1);
            (uri.path().len() > 1).then(|| case.with_url(other))?
        },
    },
    Breakage {
        name: "URL without its query",
        causes: &[Cause::UrlQuery],
        is_reversible: true,
        is_fact: false,
        apply: |case| case.with_url(case.url.as_ref()?.split_once('?')?.0.to_owned()),
    },
    Breakage {
        name: "clock ahead",
        causes: &[Cause::TimeOutsideTolerance],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let case = Case { now: case.now + 40 * 86_400, ..case.clone() };
            case.explain().rejection().is_some().then_some(case)
        },
    },
    Breakage {
        name: "clock behind",
        causes: &[Cause::TimeOutsideTolerance],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let case = Case { now: case.now - 86_400, ..case.clone() };
            case.explain().rejection().is_some().then_some(case)
        },
    },
    Breakage {
        name: "signature header missing",
        causes: &[Cause::HeaderMissing],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let (name, _) = case.signature_header()?;
            Some(case.clone().with_head(|head| drop(head.headers.remove(name))))
        },
    },
    Breakage {
        name: "signature header with underscores",
        causes: &[Cause::HeaderRenamed],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            let (name, value) = case.signature_header()?;
            let other = HeaderName::from_bytes(name.as_str().replace('-', "_").as_bytes()).ok()?;
            let case = case.clone().with_head(|head| {
                head.headers.remove(&name);
                head.headers.insert(other.clone(), value);
            });
            (other != name && case.explain().rejection().is_some()).then_some(case)
        },
    },
    Breakage {
        name: "body shorter than declared",
        causes: &[Cause::LengthDiffers],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let cut = case.with_body(case.body.get(..case.body.len().checked_sub(2)?)?.to_vec())?;
            let length = HeaderValue::from(case.body.len());
            Some(cut.with_head(|head| drop(head.headers.insert("content-length", length))))
        },
    },
    Breakage {
        name: "body read above",
        causes: &[Cause::BodyEmpty],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let length = HeaderValue::from(case.body.len());
            let empty = case.with_body(Bytes::new())?;
            Some(empty.with_head(|head| drop(head.headers.insert("content-length", length))))
        },
    },
    Breakage {
        name: "body decompressed above",
        causes: &[Cause::Compression],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let gzip = HeaderValue::from_static("gzip");
            let changed = case.with_body([&case.body[..], b" x"].concat())?;
            Some(changed.with_head(|head| drop(head.headers.insert("content-encoding", gzip))))
        },
    },
    Breakage {
        name: "digest of another body",
        causes: &[Cause::DigestDiffers],
        is_reversible: false,
        is_fact: true,
        apply: |case| {
            let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
            let digest = HeaderValue::from_static(digest);
            let changed = case.with_body([&case.body[..], b" x"].concat())?;
            Some(changed.with_head(|head| drop(head.headers.insert("content-digest", digest))))
        },
    },
    Breakage {
        name: "signature in base64",
        causes: &[Cause::SignatureEncoding, Cause::OtherProvider],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            case.with_signature(|value| {
                let bytes = (value.len() % 2 == 0).then(|| value.as_bytes().chunks(2))?;
                let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                let bytes: Option<Vec<u8>> = bytes.map(byte).collect();
                Some(STANDARD.encode(bytes.filter(|bytes| bytes.len() >= 20)?))
            })
        },
    },
    Breakage {
        name: "signature without its prefix",
        causes: &[Cause::SignatureFormat, Cause::OtherProvider],
        is_reversible: true,
        is_fact: false,
        apply: |case| {
            case.with_signature(|value| {
                let (name, rest) = value.split_once('=')?;
                let is_one = name.len() < 8 && rest.len() >= 40 && !rest.contains([',', ';', '=']);
                is_one.then(|| rest.to_owned())
            })
        },
    },
];

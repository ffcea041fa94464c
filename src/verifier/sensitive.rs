//! Parts of a request that hold secrets or signatures.

use std::borrow::Cow;

use http::{HeaderName, Uri};

/// Maximum number of nested routers that each strip a prefix of the path.
const MAX_NESTS: usize = 8;

/// Parts of a request that hold secrets or signatures. Events leave them out, and the log does not
/// store them.
///
/// Every provider in this crate declares its own. A custom [`Verifier`](crate::Verifier) declares
/// them in its [`defaults`](crate::Verifier::defaults), or in
/// [`sensitive_parts`](crate::Verifier::sensitive_parts) if they depend on its settings.
///
/// ```
/// use http::{HeaderName, Uri};
/// use tower_webhook::observe::SensitiveParts;
///
/// let parts = SensitiveParts::none().header(HeaderName::from_static("x-acme")).field("passcode");
/// assert!(parts.has_header(&HeaderName::from_static("x-acme")));
/// assert!(parts.has_field("passCode") && !parts.has_url());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SensitiveParts {
    headers: Vec<HeaderName>,
    fields: Vec<Cow<'static, str>>,
    url: bool,
    /// Set while the verifier, which may add parts, has yet to be looked up.
    is_open: bool,
}

impl SensitiveParts {
    /// Creates an empty set of parts.
    pub const fn none() -> Self {
        Self { headers: Vec::new(), fields: Vec::new(), url: false, is_open: false }
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName) -> Self {
        if !self.headers.contains(&name) {
            self.headers.push(name);
        }
        self
    }

    /// Adds a field of the body: a member of a JSON object at any depth, with everything below it,
    /// or a parameter of a form. Its case is ignored.
    pub fn field(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        if !self.has_field(&name) {
            self.fields.push(name);
        }
        self
    }

    /// Adds the URL: its path and the values of its parameters.
    pub const fn url(mut self) -> Self {
        self.url = true;
        self
    }

    /// Adds the parts of another set.
    pub fn and(self, other: Self) -> Self {
        let parts = other.headers.into_iter().fold(self, Self::header);
        let mut parts = other.fields.into_iter().fold(parts, Self::field);
        parts.url |= other.url;
        parts.is_open |= other.is_open;
        parts
    }

    /// Returns `true` if this header is sensitive.
    #[must_use]
    pub fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.contains(name)
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter()
    }

    /// Returns `true` if this field of the body is sensitive.
    #[must_use]
    pub fn has_field(&self, name: &str) -> bool {
        // The field names of all providers are ASCII.
        self.fields().any(|field| field.eq_ignore_ascii_case(name))
    }

    /// Returns `true` if any field of the body is sensitive.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|name| &**name)
    }

    /// Returns `true` if the URL is sensitive.
    #[must_use]
    pub const fn has_url(&self) -> bool {
        self.url
    }

    /// Returns `true` if this set is complete and includes all parts of another.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.headers.iter().all(|name| self.has_header(name))
            && other.fields.iter().all(|name| self.has_field(name))
            && (self.url || !other.url)
            && !self.is_open
    }

    /// Marks the set as incomplete: a lookup may find a verifier whose URL is a secret.
    pub(crate) const fn until_found(mut self) -> Self {
        self.is_open = true;
        self
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Marks the set as complete after the lookup.
    pub(crate) const fn found(mut self) -> Self {
        self.is_open = false;
        self
    }

    /// Calls `visit` with each piece of a secret URL: the path, its segments, the query and the
    /// values of its parameters. Skips pieces shorter than 6 bytes, which occur by chance.
    pub(crate) fn each_url_piece(&self, uri: &Uri, visit: &mut dyn FnMut(&str)) {
        if !self.url && !self.is_open {
            return;
        }
        let query = uri.query().unwrap_or_default();
        let values =
            query.split(['&', ';']).map(|pair| pair.split_once('=').map_or(pair, |(_, v)| v));
        // Routers strip prefixes of the path, and proxies copy the rest into headers.
        let path = uri.path();
        let slashes = path.match_indices('/').take(MAX_NESTS);
        let cut = slashes.map(|(at, _)| path.get(at..).unwrap_or_default());
        let pieces = path.split('/').chain(values).chain(cut).chain([path, query]);
        for piece in pieces.filter(|piece| piece.len() >= 6) {
            visit(piece);
            if piece.contains(['%', '+']) {
                let mut decoded = Vec::new();
                crate::outcome::redact::percent::decode(piece.as_bytes(), &mut decoded);
                visit(&String::from_utf8_lossy(&decoded));
            }
        }
    }

    /// Returns `true` if the text repeats a piece of a sensitive URL, which proxies copy into
    /// `x-original-uri` or `referer`.
    pub(crate) fn is_url_in(&self, uri: &Uri, text: &str) -> bool {
        let mut is_there = false;
        self.each_url_piece(uri, &mut |piece| {
            is_there |= !piece.is_empty() && text.contains(piece)
        });
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_url_is_found_and_no_other() {
        let uri: Uri = "/hook/abcdef/x?code=uvw%20xyz&a=1".parse().unwrap();
        let secret = SensitiveParts::none().url();
        for (value, is_in) in [
            ("/hook/abcdef/x", true),
            ("https://a.example/hook/abcdef/x?code=uvw%20xyz&a=1", true),
            ("an abcdef", true),
            ("uvw xyz", true),
            ("uvw%20xyz", true),
            ("/hook/abcde", false),
            ("code=uvw", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(secret.is_url_in(&uri, value), is_in, "{value}");
            assert_eq!(SensitiveParts::none().until_found().is_url_in(&uri, value), is_in);
            assert!(!SensitiveParts::none().is_url_in(&uri, value), "{value}");
        }
        let nested: Uri = "/api/v1/s3c/r3t/abc".parse().unwrap();
        for value in ["/s3c/r3t/abc", "/r3t/abc", "/v1/s3c/r3t/abc?x"] {
            assert!(secret.is_url_in(&nested, value), "{value}");
        }
        // One or two characters prove nothing.
        let root: Uri = "/".parse().unwrap();
        assert!(!secret.is_url_in(&root, "https://a.example/"));
    }

    #[test]
    fn parts_are_put_together() {
        let header = SensitiveParts::none().header(HeaderName::from_static("x-a"));
        let both = header.clone().and(SensitiveParts::none().field("f").url());
        assert!(both.covers(&header) && both.covers(&SensitiveParts::none()) && both.covers(&both));
        assert!(!header.covers(&both) && !header.covers(&SensitiveParts::none().url()));
        assert!(!header.covers(&SensitiveParts::none().field("f")));
        assert_eq!(both.clone().and(both.clone()), both);
        assert!(both.has_fields() && !header.has_fields());
    }
}

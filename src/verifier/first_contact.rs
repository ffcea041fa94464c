//! Unsigned requests that providers send before the first delivery, and the responses to them.

use bytes::Bytes;
use http::{Method, Response, request::Parts};

use crate::{
    parse::{form::Form, headers::checked_name, json},
    verifier::challenge::response::{echo, is_token, json_answer},
};

/// Maximum length of the body of a first contact, in bytes.
pub(crate) const MAX_BODY: usize = 1024;

/// Request that a provider sends **without a signature** when a webhook is created or tested, and
/// to which the layer responds with `200 OK` instead of the handler.
///
/// The layer recognises it by its complete form: a POST without a signature header, with a declared
/// length of at most 1 KiB, and with a body that has these fields and no others. The response needs
/// no secret and no lookup, proves nothing and has no effect, so it does not depend on the caller.
/// The handler never sees such a request, and events and the log leave out its body. Observers
/// receive a [`FirstContact`](crate::observe::EventKind::FirstContact) event.
///
/// ```
/// use tower_webhook::{
///     Scheme, Secret,
///     scheme::{ContactField, FirstContact},
/// };
///
/// // The response repeats `{"challenge":"…"}`.
/// const CHALLENGE: FirstContact =
///     FirstContact::json(&[("challenge", ContactField::Token)]).echo_json("challenge");
///
/// let scheme = Scheme::hmac_sha256("x-acme-signature").first_contacts(&[CHALLENGE]);
/// let verifier = scheme.verifier(Secret::new("the secret")?)?;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct FirstContact {
    header: Option<(&'static str, &'static str)>,
    body: BodyForm,
    answer: Answer,
}

/// Expected value of a field in a [`FirstContact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContactField {
    /// From 1 to 20 digits.
    Digits,
    /// Exactly this text.
    Equals(&'static str),
    /// A [`Token`](Self::Token), or no field.
    OptionalToken,
    /// From 1 to 256 ASCII letters, digits and `-._~+/=`.
    Token,
    /// The JSON literal `true`. In a form, the text `true`.
    True,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyForm {
    Form(Fields),
    Json(Fields),
}

type Fields = &'static [(&'static str, ContactField)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Empty,
    Json(&'static str),
    Text(&'static str),
}

impl FirstContact {
    /// Creates a first contact whose body is a form with these parameters, each once and in any
    /// order.
    ///
    /// The response is an empty `200 OK`.
    pub const fn form(parameters: &'static [(&'static str, ContactField)]) -> Self {
        Self { header: None, body: BodyForm::Form(parameters), answer: Answer::Empty }
    }

    /// Creates a first contact whose body is a JSON object with these members, each once and in any
    /// order.
    ///
    /// The response is an empty `200 OK`.
    pub const fn json(members: &'static [(&'static str, ContactField)]) -> Self {
        Self { header: None, body: BodyForm::Json(members), answer: Answer::Empty }
    }

    /// Requires this header, exactly once and with this value.
    ///
    /// # Panics
    ///
    /// Panics if the name is not a lower-case header name.
    pub const fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((checked_name(name), value));
        self
    }

    /// Sets the response to `{"<field>":"<value>"}`, with the value of this
    /// [`Token`](ContactField::Token) in the body.
    pub const fn echo_json(mut self, field: &'static str) -> Self {
        self.answer = Answer::Json(field);
        self
    }

    /// Sets the response to the value of this [`Token`](ContactField::Token) in the body, as
    /// `text/plain` with `nosniff`.
    pub const fn echo_text(mut self, field: &'static str) -> Self {
        self.answer = Answer::Text(field);
        self
    }

    /// Returns the token in this field if the request matches this first contact. Does not check
    /// whether the request may carry a signature.
    pub(crate) fn token(&self, head: &Parts, body: &[u8], field: &str) -> Option<String> {
        let token = self.has_head(head).then(|| self.body.matches(body, field))??;
        String::from_utf8(token).ok().filter(|token| is_token(token.as_bytes()))
    }

    /// Returns `true` if the head matches this first contact.
    fn has_head(&self, head: &Parts) -> bool {
        self.header.is_none_or(|(name, wanted)| {
            let mut values = head.headers.get_all(name).iter();
            values.next().is_some_and(|value| value == wanted) && values.next().is_none()
        })
    }

    fn answer(&self, body: &[u8]) -> Option<Response<Bytes>> {
        let (Answer::Json(wanted) | Answer::Text(wanted)) = self.answer else {
            return self.body.matches(body, "").map(|_| Response::default());
        };
        let token = self.body.matches(body, wanted)?;
        // Any other text would need escaping, and might be an HTML page.
        let token = std::str::from_utf8(&token).ok().filter(|text| is_token(text.as_bytes()))?;
        Some(match self.answer {
            Answer::Json(field) => json_answer(&format!(r#"{{"{field}":"{token}"}}"#)),
            Answer::Text(_) | Answer::Empty => echo(token.as_bytes()),
        })
    }
}

impl BodyForm {
    /// Returns the value of the field `wanted`, empty if there is no such field. Returns `None` if
    /// the body does not match.
    fn matches(self, body: &[u8], wanted: &str) -> Option<Vec<u8>> {
        if body.len() > MAX_BODY {
            // The body is longer than declared.
            return None;
        }
        let (Self::Form(fields) | Self::Json(fields)) = self;
        let mut seen = vec![false; fields.len()];
        let mut found = Vec::new();
        let mut add = |name: &[u8], value: &[u8]| {
            let at = fields.iter().position(|(known, _)| known.as_bytes() == name);
            // An unknown or repeated field does not match.
            let at = at.filter(|at| seen.get(*at) == Some(&false))?;
            *seen.get_mut(at)? = true;
            if name == wanted.as_bytes() {
                found = value.to_vec();
            }
            fields.get(at).filter(|(_, field)| field.is(value)).map(|_| ())
        };
        match self {
            Self::Form(_) => {
                let form = Form::parse(body)?;
                form.iter().try_for_each(|(name, value)| add(name, value))?;
            }
            Self::Json(_) => json::members(body, &mut |name, value| {
                let value = json::Value::of(value);
                let value = match &value {
                    json::Value::Text(text) => Some(text.as_bytes()),
                    json::Value::True => Some(&b"true"[..]),
                    _ => None,
                };
                let is_known = value.and_then(|value| add(name.as_bytes(), value)).is_some();
                if is_known { Ok(()) } else { Err(json::Malformed) }
            })
            .ok()?,
        }
        let is_whole = fields
            .iter()
            .zip(&seen)
            .all(|((_, field), is_seen)| *is_seen || *field == ContactField::OptionalToken);
        is_whole.then_some(found)
    }
}

impl ContactField {
    fn is(self, value: &[u8]) -> bool {
        match self {
            Self::Digits => (1..=20).contains(&value.len()) && value.iter().all(u8::is_ascii_digit),
            Self::Equals(text) => value == text.as_bytes(),
            Self::OptionalToken | Self::Token => is_token(value),
            Self::True => value == b"true",
        }
    }
}

/// Maximum number of combined verifiers that keep their first contacts.
const MAX_COMBINED: usize = 4;

/// First contacts of one provider, or of several combined ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstContacts {
    known: [Option<OfProvider>; MAX_COMBINED],
    exchanged: &'static [FirstContact],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OfProvider {
    contacts: &'static [FirstContact],
    signature: HeaderNames,
    /// Signature headers of the scheme's families and legacy.
    others: [&'static [&'static str]; MAX_OTHERS],
}

/// Maximum number of families and legacy schemes of a scheme with first contacts.
pub(crate) const MAX_OTHERS: usize = 4;

/// Headers that may carry a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderNames {
    One(&'static str),
    Any(&'static [&'static str]),
}

impl HeaderNames {
    fn is_in(&self, head: &Parts) -> bool {
        let has = |name: &&str| head.headers.contains_key(*name);
        match self {
            Self::One(name) => has(name),
            Self::Any(names) => names.iter().any(has),
        }
    }
}

impl FirstContacts {
    pub(crate) const NONE: Self = Self { known: [None; MAX_COMBINED], exchanged: &[] };

    pub(crate) const fn new(
        contacts: &'static [FirstContact],
        signature: HeaderNames,
        others: [&'static [&'static str]; MAX_OTHERS],
    ) -> Self {
        let mut of_one = Self::NONE;
        of_one.known[0] = Some(OfProvider { contacts, signature, others });
        of_one
    }

    /// Returns `true` if there are none other than the exchanged ones.
    pub(crate) const fn is_none(&self) -> bool {
        self.known[0].is_none()
    }

    /// Returns the first contacts whose tokens are handed over.
    pub(crate) const fn exchanged(&self) -> &'static [FirstContact] {
        self.exchanged
    }

    /// Sets the first contacts whose tokens are handed over. These requests may carry a signature.
    pub(crate) const fn with_exchange(mut self, contacts: &'static [FirstContact]) -> Self {
        self.exchanged = contacts;
        self
    }

    /// Combines the first contacts of two verifiers that check the same request.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut all = self.known.into_iter().chain(other.known).flatten();
        Self { known: [(); MAX_COMBINED].map(|()| all.next()), exchanged: self.exchanged }
    }

    /// Returns `true` if a request with this head and declared body length may be a first contact.
    pub(crate) fn may_be(&self, head: &Parts, len: Option<u64>) -> bool {
        head.method == Method::POST
            && len.is_some_and(|len| (1..=MAX_BODY as u64).contains(&len))
            && (self.exchanged.iter().any(|it| it.has_head(head))
                || self.unsigned(head).any(|known| {
                    // Without declared contacts, the verifier's code decides.
                    known.contacts.is_empty() || known.contacts.iter().any(|it| it.has_head(head))
                }))
    }

    /// Returns the response to a first contact, for a request that [`may_be`](Self::may_be) one.
    /// Returns `None` for any other request.
    pub(crate) fn answer(&self, head: &Parts, body: &[u8]) -> Option<Response<Bytes>> {
        let mut contacts = self.unsigned(head).flat_map(|known| known.contacts);
        contacts.find_map(|contact| contact.has_head(head).then(|| contact.answer(body)).flatten())
    }

    /// Returns the providers of whose signature headers the request has none. A request with a
    /// signature header is always verified, even if the signature is invalid.
    fn unsigned<'a>(&'a self, head: &'a Parts) -> impl Iterator<Item = &'a OfProvider> + 'a {
        let is_unsigned = |known: &&OfProvider| {
            let is_other =
                |names: &[&str]| names.iter().any(|name| head.headers.contains_key(*name));
            !known.signature.is_in(head) && !known.others.iter().any(|names| is_other(names))
        };
        self.known.iter().flatten().filter(is_unsigned)
    }
}

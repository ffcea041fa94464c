//! Unsigned requests that a provider sends before its first delivery, and their answers.

use bytes::Bytes;
use http::{Method, Response, request::Parts};

use crate::{
    parse::{form::Form, headers::checked_name, json},
    verifier::challenge::response::{echo, is_token, json_answer},
};

/// The longest body, in bytes, that may be a first contact.
pub(crate) const MAX_BODY: usize = 1024;

/// A request that a provider sends **without a signature** when a webhook is made or tested, and that
/// the layer answers with 200 in the handler's place.
///
/// It is recognised by its whole form: a POST with no signature header, a declared length of at most
/// 1 KiB, and a body that is these fields and nothing else. The answer needs no secret and no look-up,
/// proves nothing and has no effect, so it is the same for everybody. The handler never sees such a
/// request, and its body is kept out of events and the log. An observer is told
/// [`FirstContact`](crate::observe::EventKind::FirstContact).
///
/// ```
/// use tower_webhook::{
///     Scheme, Secret,
///     scheme::{ContactField, FirstContact},
/// };
///
/// // `{"challenge":"…"}` is answered with itself.
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

/// A field's value in a [`FirstContact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContactField {
    /// One digit or more, at most 20.
    Digits,
    /// This text.
    Equals(&'static str),
    /// As [`Token`](Self::Token), or the field is absent.
    OptionalToken,
    /// Letters, digits and `-._~+/=`, from 1 to 256 of them.
    Token,
    /// JSON's `true`. In a form, the text `true`.
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
    /// Creates a first contact whose body is a form with these parameters, each once, in any order. It
    /// is answered with an empty 200.
    pub const fn form(parameters: &'static [(&'static str, ContactField)]) -> Self {
        Self { header: None, body: BodyForm::Form(parameters), answer: Answer::Empty }
    }

    /// Creates a first contact whose body is a JSON object with these members, each once, in any order.
    /// It is answered with an empty 200.
    pub const fn json(members: &'static [(&'static str, ContactField)]) -> Self {
        Self { header: None, body: BodyForm::Json(members), answer: Answer::Empty }
    }

    /// Requires this header to have this value.
    ///
    /// # Panics
    ///
    /// When the name is not lower-case.
    pub const fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((checked_name(name), value));
        self
    }

    /// Answers with `{"<field>":"<value>"}`, the value being that of this [`Token`](ContactField::Token)
    /// in the body.
    pub const fn echo_json(mut self, field: &'static str) -> Self {
        self.answer = Answer::Json(field);
        self
    }

    /// Answers with the value of this [`Token`](ContactField::Token) in the body, as `text/plain` with
    /// `nosniff`.
    pub const fn echo_text(mut self, field: &'static str) -> Self {
        self.answer = Answer::Text(field);
        self
    }

    /// Returns the token of this field, where a request that may be a first contact is this one. Whether
    /// it may have a signature is not judged here.
    pub(crate) fn token(&self, head: &Parts, body: &[u8], field: &str) -> Option<String> {
        let token = self.has_head(head).then(|| self.body.matches(body, field))??;
        String::from_utf8(token).ok().filter(|token| is_token(token.as_bytes()))
    }

    /// Returns whether the head can be that of this contact.
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
        // What is not a token would need escaping, and might be a page.
        let token = std::str::from_utf8(&token).ok().filter(|text| is_token(text.as_bytes()))?;
        Some(match self.answer {
            Answer::Json(field) => json_answer(&format!(r#"{{"{field}":"{token}"}}"#)),
            Answer::Text(_) | Answer::Empty => echo(token.as_bytes()),
        })
    }
}

impl BodyForm {
    /// Returns the value of the field `wanted`, or nothing where it is not asked for. `None` for another
    /// body.
    fn matches(self, body: &[u8], wanted: &str) -> Option<Vec<u8>> {
        if body.len() > MAX_BODY {
            // Its sender declared another length.
            return None;
        }
        let (Self::Form(fields) | Self::Json(fields)) = self;
        let mut seen = vec![false; fields.len()];
        let mut found = Vec::new();
        let mut add = |name: &[u8], value: &[u8]| {
            let at = fields.iter().position(|(known, _)| known.as_bytes() == name);
            // Unknown, or there twice.
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

/// Most verifiers whose first contacts are kept when they are combined.
const MAX_COMBINED: usize = 4;

/// The first contacts of one provider, or of some that are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstContacts {
    known: [Option<OfProvider>; MAX_COMBINED],
    exchanged: &'static [FirstContact],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OfProvider {
    contacts: &'static [FirstContact],
    signature: HeaderNames,
    /// Of the scheme's families and legacy.
    others: [&'static [&'static str]; MAX_OTHERS],
}

/// Most families of a scheme with first contacts, and one legacy.
pub(crate) const MAX_OTHERS: usize = 4;

/// The headers in which a signature may stand.
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

    /// Returns whether there are none of a provider's own.
    pub(crate) const fn is_none(&self) -> bool {
        self.known[0].is_none()
    }

    /// Returns those whose tokens are handed over.
    pub(crate) const fn exchanged(&self) -> &'static [FirstContact] {
        self.exchanged
    }

    /// With those whose tokens are handed over. A signature may stand beside them.
    pub(crate) const fn with_exchange(mut self, contacts: &'static [FirstContact]) -> Self {
        self.exchanged = contacts;
        self
    }

    /// Returns those of two verifiers that look at the same request.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut all = self.known.into_iter().chain(other.known).flatten();
        Self { known: [(); MAX_COMBINED].map(|()| all.next()), exchanged: self.exchanged }
    }

    /// Returns whether a request with this head and a body of this declared length may be one.
    pub(crate) fn may_be(&self, head: &Parts, len: Option<u64>) -> bool {
        head.method == Method::POST
            && len.is_some_and(|len| (1..=MAX_BODY as u64).contains(&len))
            && (self.exchanged.iter().any(|it| it.has_head(head))
                || self.unsigned(head).any(|known| {
                    // Without any, the verifier's code decides.
                    known.contacts.is_empty() || known.contacts.iter().any(|it| it.has_head(head))
                }))
    }

    /// Returns the answer to a first contact, of a request that [`may_be`](Self::may_be) one; `None` for
    /// every other.
    pub(crate) fn answer(&self, head: &Parts, body: &[u8]) -> Option<Response<Bytes>> {
        let mut contacts = self.unsigned(head).flat_map(|known| known.contacts);
        contacts.find_map(|contact| contact.has_head(head).then(|| contact.answer(body)).flatten())
    }

    /// Returns those of providers that have not signed this. One with a signature is verified, however wrong
    /// it is.
    fn unsigned<'a>(&'a self, head: &'a Parts) -> impl Iterator<Item = &'a OfProvider> + 'a {
        let is_unsigned = |known: &&OfProvider| {
            let is_other =
                |names: &[&str]| names.iter().any(|name| head.headers.contains_key(*name));
            !known.signature.is_in(head) && !known.others.iter().any(|names| is_other(names))
        };
        self.known.iter().flatten().filter(is_unsigned)
    }
}

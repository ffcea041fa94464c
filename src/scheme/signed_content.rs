//! The signed content but for the body, component by component.
//!
//! A captured request must not be cut into another one with the same signed content (T-32). What ends
//! a part of any length is the literal beside it, or the first byte of the body that no URL has.
//! Methods and times have fixed forms.

use http::{Method, request::Parts};

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        headers::{optional, required},
        timestamp::{Timestamp, TimestampFormat},
    },
    scheme::{component::Component, declaration::Scheme, public_url::PublicUrl},
};

/// The components on one side of the body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    AfterBody,
    BeforeBody,
}

/// What stands next to a part, other parts of fixed forms between them left out.
enum Neighbour {
    Body,
    Literal(&'static [u8]),
    /// The content ends there.
    End,
}

/// Of these methods none begins or ends with another.
const METHODS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

impl Scheme {
    /// Calls `sink` with the bytes of each part on this side of the body.
    pub(crate) fn each_part(
        &self,
        side: Side,
        head: &Parts,
        url: Option<&PublicUrl>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        let mut side_now = Side::BeforeBody;
        for (at, part) in self.signed_content.iter().enumerate() {
            if *part == Component::Body {
                side_now = Side::AfterBody;
                continue;
            }
            if side_now != side {
                continue;
            }
            self.part((at, part), side, head, url, sink)?;
        }
        Ok(())
    }

    /// Calls `sink` with the bytes of the part at this place, after it has been told apart from its neighbours.
    fn part(
        &self,
        (at, part): (usize, &Component),
        side: Side,
        head: &Parts,
        url: Option<&PublicUrl>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        match *part {
            Component::Body => {}
            Component::Header(name) => {
                let value = required(head, name)?;
                self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                sink(value);
            }
            Component::HttpDate(name) => {
                let value = required(head, name)?;
                Timestamp::parse(value, TimestampFormat::HttpDate)
                    .ok_or(Rejection::malformed(name))?;
                sink(value);
            }
            Component::Host => {
                let value = host(head)?;
                self.check_end(side, at, value).ok_or(Rejection::malformed("host"))?;
                sink(value);
            }
            Component::Id => {
                let name = self.delivery_id.unwrap_or_default();
                let value = required(head, name)?;
                self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                sink(value);
            }
            Component::Literal(text) => sink(text.as_bytes()),
            Component::Method => {
                if !METHODS.contains(&head.method) {
                    return Err(Rejection::malformed_in(Field::Method));
                }
                sink(head.method.as_str().as_bytes());
            }
            Component::Path => {
                let value = head.uri.path().as_bytes();
                self.check_end(side, at, value).ok_or(Rejection::malformed_in(Field::Path))?;
                sink(value);
            }
            Component::Query => {
                let value = head.uri.query().unwrap_or_default().as_bytes();
                self.check_end(side, at, value).ok_or(Rejection::malformed_in(Field::query("")))?;
                sink(value);
            }
            Component::Time => {
                let text = self.time_text(head)?.unwrap_or_default();
                if !self.has_fixed_length(at, text) {
                    let malformed = Rejection::new(RejectionKind::Malformed);
                    return Err(self.with_time_field(malformed));
                }
                sink(text);
            }
            Component::Url => {
                let url = url.ok_or(Rejection::new(RejectionKind::UrlUnresolved))?;
                let text = url.resolve(head)?;
                // Of a fixed URL nothing is the sender's.
                if !url.is_fixed() {
                    let origin = url.fixed_len(&text);
                    let target = text.get(origin..).unwrap_or_default();
                    let is_told_apart = match origin {
                        // A function of one's own has made a path of it.
                        0 => self.check_end(side, at, target.as_bytes()),
                        _ => self.check_url(side, at, target),
                    };
                    is_told_apart.ok_or(Rejection::malformed_in(Field::Url))?;
                }
                sink(text.as_bytes());
            }
        }
        Ok(())
    }

    /// The URL that is signed, or the host, path and query of it that are. `None` where neither is.
    pub(crate) fn url_text(&self, head: &Parts, url: Option<&PublicUrl>) -> Option<String> {
        let has = |part| self.signed_content.contains(&part);
        if has(Component::Url) {
            return Some(url?.resolve(head).ok()?.into_owned());
        }
        let parts = [Component::Host, Component::Path, Component::Query];
        let [has_host, has_path, has_query] = parts.map(has);
        let host = has_host.then(|| host(head).ok()).flatten().unwrap_or_default();
        let mut text = String::from_utf8_lossy(host).into_owned();
        if has_path {
            text.push_str(head.uri.path());
        }
        if let Some(query) = head.uri.query().filter(|_| has_query) {
            text.extend(["?", query]);
        }
        (has_host || has_path || has_query).then_some(text)
    }

    /// Whether the body must begin with a byte that no URL has, and whether it must end so: where a
    /// part of any length is beside it.
    pub(crate) fn open_sides(&self, url: Option<&PublicUrl>) -> [bool; 2] {
        [Side::BeforeBody, Side::AfterBody].map(|side| {
            self.signed_content.iter().enumerate().any(|(at, part)| {
                self.is_free(at, *part, url)
                    && self.side_of(at) == side
                    && matches!(self.neighbour(side, at), Neighbour::Body)
            })
        })
    }

    /// Refuses components that cannot be told apart.
    pub(crate) fn check_template(&self, url: Option<&PublicUrl>) -> Result<(), &'static str> {
        let mut free = 0;
        for (at, part) in self.signed_content.iter().enumerate() {
            match part {
                Component::Literal(_) | Component::Body => free = 0,
                part => free += usize::from(self.is_free(at, *part, url)),
            }
            if free > 1 {
                return Err(
                    "two parts of any length stand side by side in the signed content, so that \
                            the end of the one could be the beginning of the other; put the \
                            literal between them that the provider signs",
                );
            }
        }
        let is_date = |part: &Component| match part {
            Component::Time => matches!(self.time, Some((_, TimestampFormat::HttpDate))),
            part => matches!(part, Component::HttpDate(_)),
        };
        if self.signed_content.iter().any(is_date) && self.open_sides(url) != [false; 2] {
            return Err("a date and a part of any length stand beside the body without a literal");
        }
        Ok(())
    }

    /// Whether the sender decides on the length of this part.
    fn is_free(&self, at: usize, part: Component, url: Option<&PublicUrl>) -> bool {
        match part {
            Component::Header(_)
            | Component::Host
            | Component::Id
            | Component::Path
            | Component::Query => true,
            Component::Url => url.is_none_or(|url| !url.is_fixed()),
            // Its fraction may be of any length, and nothing in it ends it.
            Component::Time => {
                matches!(self.time, Some((_, TimestampFormat::Rfc3339NoOffset)))
                    && is_open(self.signed_content.get(at + 1))
            }
            Component::Body
            | Component::HttpDate(_)
            | Component::Literal(_)
            | Component::Method => false,
        }
    }

    fn side_of(&self, at: usize) -> Side {
        let body = self.signed_content.iter().position(|part| *part == Component::Body);
        if body.is_some_and(|body| at > body) { Side::AfterBody } else { Side::BeforeBody }
    }

    /// What ends the part: towards the body on either side of it.
    fn neighbour(&self, side: Side, at: usize) -> Neighbour {
        let ends = |part: &Component| match part {
            Component::Body => Some(Neighbour::Body),
            Component::Literal(text) => Some(Neighbour::Literal(text.as_bytes())),
            _ => None,
        };
        let found = match side {
            Side::BeforeBody => self.signed_content.iter().skip(at + 1).find_map(ends),
            Side::AfterBody => self.signed_content.iter().take(at).rev().find_map(ends),
        };
        found.unwrap_or(Neighbour::End)
    }

    /// A number of seconds or milliseconds whose neighbour may be digits has as many as all times of
    /// our days.
    fn has_fixed_length(&self, at: usize, text: &[u8]) -> bool {
        let len = match self.time {
            Some((_, TimestampFormat::UnixSeconds)) => 10,
            Some((_, TimestampFormat::UnixMillis)) => 13,
            _ => return true,
        };
        let before = at.checked_sub(1).and_then(|before| self.signed_content.get(before));
        text.len() == len || !is_open(before) && !is_open(self.signed_content.get(at + 1))
    }

    /// As [`check_end`](Self::check_end). After the body a URL begins with its scheme, so that a
    /// literal in it is the end of the body only where another URL follows.
    fn check_url(&self, side: Side, at: usize, target: &str) -> Option<()> {
        let (Side::AfterBody, Neighbour::Literal(literal)) = (side, self.neighbour(side, at))
        else {
            return self.check_end(side, at, target.as_bytes());
        };
        let mut ends =
            (0..target.len()).filter_map(|at| target.as_bytes().get(at..)?.strip_prefix(literal));
        // Of a scheme in capitals, too: a base keeps them.
        let is = |rest: &[u8], scheme: &[u8]| {
            rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let is_ambiguous = ends.any(|rest| is(rest, b"http") || is(rest, b"ws"));
        (!is_ambiguous).then_some(())
    }

    /// `None` when it cannot be told where this value ends: `a.b` + `.` + `c` and `a` + `.` +
    /// `b.c` would be signed alike (T-32).
    ///
    /// The body can hold any literal. So a part before it ends where the literal after the part
    /// first occurs, and a part after it begins where the literal before the part last occurs.
    fn check_end(&self, side: Side, at: usize, value: &[u8]) -> Option<()> {
        let literal = match self.neighbour(side, at) {
            Neighbour::Literal(literal) => literal,
            Neighbour::Body => return value.iter().all(is_url_byte).then_some(()),
            Neighbour::End => return Some(()),
        };
        let is_ambiguous = match (literal, side) {
            ([byte], _) => value.contains(byte),
            (_, Side::BeforeBody) => (0..value.len())
                .any(|at| value[at..].iter().chain(literal).take(literal.len()).eq(literal)),
            (_, Side::AfterBody) => (1..=value.len())
                .any(|at| literal.iter().chain(value).skip(at).take(literal.len()).eq(literal)),
        };
        (!is_ambiguous).then_some(())
    }
}

impl Scheme {
    /// Whether the edge of a body may be a piece of what stands beside it, read from that edge: it is
    /// of bytes that a URL has. Of a provider that takes any body, only where a document follows.
    pub(crate) fn is_cut<'a>(&self, from_edge: impl Iterator<Item = &'a u8> + Clone) -> bool {
        if !from_edge.clone().next().is_some_and(is_url_byte) {
            return false;
        }
        let mut after_url = from_edge.skip_while(|byte| is_url_byte(byte));
        let next = after_url.find(|byte| !b"\t\r\n".contains(byte));
        !self.takes_any_body || next.is_some_and(|byte| b"{}[]<>\"".contains(byte))
    }
}

/// Returns the host of a request. Where two are named, they must be the same.
fn host(head: &Parts) -> Result<&[u8], Rejection> {
    let header = optional(head, "host")?.filter(|host| !host.is_empty());
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (header, authority) {
        (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(authority) => {
            Err(Rejection::malformed("host"))
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(Rejection::missing("host")),
    }
}

/// Whether this part, if there is one, marks no end of the part beside it.
fn is_open(part: Option<&Component>) -> bool {
    part.is_some_and(|part| !matches!(part, Component::Literal(_)))
}

/// Whether a URL may have this byte as it is. Brackets belong to addresses of hosts alone.
fn is_url_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(byte)
}

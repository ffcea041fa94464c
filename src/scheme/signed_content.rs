//! Signed content except for the body, component by component.
//!
//! A captured request must not be split into another one with the same signed content. A component
//! of variable length ends at the literal next to it, or at the first byte of the body that no URL
//! has. Methods and timestamps have fixed forms.

use std::ops::Range;

use http::{Method, request::Parts};

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        headers::{optional, required},
        timestamp::{Timestamp, TimestampFormat},
    },
    scheme::{
        component::{Component, is_open},
        declaration::Scheme,
        public_url::PublicUrl,
    },
};

/// Components on one side of the body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    AfterBody,
    BeforeBody,
}

/// Neighbour of a component. Components of fixed form in between are ignored.
pub(crate) enum Neighbour {
    Body,
    Literal(&'static [u8]),
    /// The signed content ends there, or the body's digest follows, whose length is fixed, or the
    /// secret, which the sender of another request does not know.
    End,
}

/// Methods that can be signed. None of them begins or ends with another one.
const METHODS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

/// A request of which components are signed.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) url: Option<&'a PublicUrl>,
    pub(crate) read: Read<'a>,
}

/// Texts that have already been found in the head. The others are looked up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Read<'a> {
    pub(crate) id: Option<&'a [u8]>,
    pub(crate) time: Option<&'a [u8]>,
}

/// A piece of the content of a plain hash.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Bytes(&'a [u8]),
    Secret,
}

impl Scheme {
    /// Calls `sink` with the bytes of each component on this side of the body.
    #[inline]
    pub(crate) fn each_part(
        &self,
        side: Side,
        request: Signed<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        for at in self.places(side) {
            self.part((at, &self.signed_content[at]), side, request, &mut sink)?;
        }
        Ok(())
    }

    /// Calls `sink` with the bytes of each component on this side of the body, and with the place
    /// of the secret.
    pub(crate) fn each_piece(
        &self,
        side: Side,
        request: Signed<'_>,
        sink: &mut dyn FnMut(Piece<'_>),
    ) -> Result<(), Rejection> {
        for at in self.places(side) {
            match &self.signed_content[at] {
                Component::Secret => sink(Piece::Secret),
                part => {
                    let mut sink = |bytes: &[u8]| sink(Piece::Bytes(bytes));
                    self.part((at, part), side, request, &mut sink)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the indexes of the components on this side of the body.
    #[inline]
    fn places(&self, side: Side) -> Range<usize> {
        let content = self.signed_content;
        let body = content.iter().position(|part| part.is_body());
        match (body, side) {
            (Some(body), Side::BeforeBody) => 0..body,
            (Some(body), Side::AfterBody) => body + 1..content.len(),
            (None, Side::BeforeBody) => 0..content.len(),
            (None, Side::AfterBody) => 0..0,
        }
    }

    /// Calls `sink` with the signed form of this body: itself, or its digest.
    pub(crate) fn each_body_part(&self, body: &[u8], sink: impl FnOnce(&[u8])) {
        match self.body_digest() {
            Some(mut digest) => {
                digest.update(body);
                digest.finish(sink);
            }
            None => sink(body),
        }
    }

    /// Calls `sink` with the bytes of the component at this index, after a check that it can be
    /// distinguished from its neighbours.
    fn part(
        &self,
        (at, part): (usize, &Component),
        side: Side,
        Signed { head, url, read }: Signed<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        match *part {
            Component::Body
            | Component::BodySha256(_)
            | Component::BodySha512(_)
            | Component::Secret => {}
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
                let value = match read.id {
                    Some(id) if !id.is_empty() => id,
                    _ => required(head, name)?,
                };
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
            Component::Time => sink(self.signed_time(at, head, read)?),
            Component::Url => {
                let url = url.ok_or(Rejection::new(RejectionKind::UrlUnresolved))?;
                let text = url.resolve(head)?;
                // The sender controls no part of a fixed URL.
                if !url.is_fixed() {
                    let origin = url.fixed_len(&text);
                    let target = text.get(origin..).unwrap_or_default();
                    let is_told_apart = match origin {
                        // A custom function returned a path.
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

    /// Returns the text of the signed timestamp, after a check that it can be distinguished from its
    /// neighbours.
    fn signed_time<'a>(
        &self,
        at: usize,
        head: &'a Parts,
        read: Read<'a>,
    ) -> Result<&'a [u8], Rejection> {
        let text = match read.time {
            Some(text) => text,
            None => self.time_text_again(head)?.unwrap_or_default(),
        };
        if self.has_fixed_length(at, text) {
            Ok(text)
        } else {
            Err(self.with_time_field(Rejection::new(RejectionKind::Malformed)))
        }
    }

    /// Returns the signed URL or, if only parts of it are signed, the signed ones of host, path and
    /// query.
    ///
    /// Returns `None` if no part of the URL is signed.
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

    /// Returns whether the body must begin with a byte that no URL has, and whether it must end
    /// with one.
    ///
    /// It must where a component of variable length is next to it.
    pub(crate) fn open_sides(&self, url: Option<&PublicUrl>) -> [bool; 2] {
        [Side::BeforeBody, Side::AfterBody].map(|side| {
            self.signed_content.iter().enumerate().any(|(at, part)| {
                self.is_free(at, *part, url)
                    && self.side_of(at) == side
                    && matches!(self.neighbour(side, at), Neighbour::Body)
            })
        })
    }

    /// Checks that the components can be distinguished from each other.
    pub(crate) fn check_template(&self, url: Option<&PublicUrl>) -> Result<(), &'static str> {
        let mut free = 0;
        for (at, part) in self.signed_content.iter().enumerate() {
            match part {
                Component::Literal(_) | Component::Body | Component::Secret => free = 0,
                part => free += usize::from(self.is_free(at, *part, url)),
            }
            if free > 1 {
                return Err(
                    "the signed content has two adjacent components of variable length, so that \
                     the end of one could be the beginning of the other; add the literal that \
                     the provider signs between them",
                );
            }
        }
        let is_date = |part: &Component| match part {
            Component::Time => matches!(self.time, Some((_, TimestampFormat::HttpDate))),
            part => matches!(part, Component::HttpDate(_)),
        };
        if self.signed_content.iter().any(is_date) && self.open_sides(url) != [false; 2] {
            return Err(
                "a date and a component of variable length are next to the body without a literal; \
                 add the literal that the provider signs",
            );
        }
        Ok(())
    }

    /// Returns `true` if the sender controls the length of this component.
    fn is_free(&self, at: usize, part: Component, url: Option<&PublicUrl>) -> bool {
        match part {
            Component::Header(_)
            | Component::Host
            | Component::Id
            | Component::Path
            | Component::Query => true,
            Component::Url => url.is_none_or(|url| !url.is_fixed()),
            // The fraction of the second can have any length, and no byte marks its end.
            Component::Time => {
                matches!(self.time, Some((_, TimestampFormat::Rfc3339NoOffset)))
                    && is_open(self.signed_content.get(at + 1))
            }
            Component::Body
            | Component::BodySha256(_)
            | Component::BodySha512(_)
            | Component::HttpDate(_)
            | Component::Literal(_)
            | Component::Method
            | Component::Secret => false,
        }
    }

    /// Returns the side of the body on which the component at this index is.
    fn side_of(&self, at: usize) -> Side {
        let body = self.signed_content.iter().position(|part| part.is_body());
        if body.is_some_and(|body| at > body) { Side::AfterBody } else { Side::BeforeBody }
    }

    /// Returns the neighbour that ends the component at this index, in the direction of the body.
    pub(crate) fn neighbour(&self, side: Side, at: usize) -> Neighbour {
        let ends = |part: &Component| match part {
            Component::Body => Some(Neighbour::Body),
            Component::BodySha256(_) | Component::BodySha512(_) | Component::Secret => {
                Some(Neighbour::End)
            }
            Component::Literal(text) => Some(Neighbour::Literal(text.as_bytes())),
            _ => None,
        };
        let found = match side {
            Side::BeforeBody => self.signed_content.iter().skip(at + 1).find_map(ends),
            Side::AfterBody => self.signed_content.iter().take(at).rev().find_map(ends),
        };
        found.unwrap_or(Neighbour::End)
    }
}

/// Returns the host of a request. If the header and the URI both name one, they must be equal.
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

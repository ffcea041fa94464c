//! A few short fields of a `multipart/form-data` body, in which anything else may be a file.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_core::Stream;
use multer::{Field, Multipart};

use crate::outcome::{field, kind::RejectionKind, rejection::Rejection};

/// Bytes that the reader gets at once, and only when it is stuck without them. It copies them, so this
/// bounds its memory.
const STEP: usize = 16 << 10;

/// Steps without progress: in the headers of one part, or before the first. Without a bound the
/// reader would keep a body without a boundary, and search it again in each step.
const MAX_IDLE_STEPS: usize = 4;

/// Most parts in one body. A part costs more than its bytes.
const MAX_PARTS: usize = 1000;

/// Longest boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The boundary that the `Content-Type` names.
pub(crate) fn boundary(content_type: &[u8]) -> Option<String> {
    let (_, mut rest) = std::str::from_utf8(content_type).ok()?.split_once(';')?;
    let mut found = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            break;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = parameter(after)?;
        if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
            return None;
        }
        rest = after;
    }
    found.filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))
}

/// A parameter's value, in quotes or up to the next semicolon, and what follows.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find(';').unwrap_or(text.len()));
        return Some((value.trim_ascii_end().to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            char => value.push(char),
        }
    }
}

/// The values of these fields, of which each must be there exactly once, without a file name and
/// shorter than `max_len`.
pub(crate) fn fields<const N: usize>(
    body: &Bytes,
    boundary: &str,
    names: [&'static str; N],
    max_len: usize,
) -> Result<[Vec<u8>; N], Rejection> {
    let mut values = names.map(|_| None);
    let is_stuck = Arc::new(AtomicBool::new(false));
    let steps = Steps { rest: body.clone(), is_stuck: Arc::clone(&is_stuck) };
    let mut form = Multipart::new(steps, boundary);
    for _ in 0..MAX_PARTS {
        let Some(mut part) = next(&is_stuck, |cx| form.poll_next_field(cx))? else {
            return collect(names, values);
        };
        let place = names.iter().position(|name| part.name() == Some(name));
        let place = place.and_then(|at| Some((*names.get(at)?, values.get_mut(at)?)));
        match place {
            None => while chunk(&is_stuck, &mut part)?.is_some() {},
            Some((name, Some(_))) => {
                return Err(
                    Rejection::new(RejectionKind::Repeated).with_field(field::Field::form(name))
                );
            }
            Some((name, value)) => *value = Some(short(&is_stuck, &mut part, name, max_len)?),
        }
    }
    Err(malformed())
}

/// The whole of a short part.
fn short(
    is_stuck: &AtomicBool,
    part: &mut Field<'_>,
    name: &'static str,
    max_len: usize,
) -> Result<Vec<u8>, Rejection> {
    let mut value = Vec::new();
    while let Some(chunk) = chunk(is_stuck, part)? {
        value.extend_from_slice(&chunk);
        if value.len() >= max_len {
            return Err(Rejection::malformed_in(field::Field::form(name)));
        }
    }
    // What one reader takes for a field, another takes for a file.
    part.file_name()
        .is_none()
        .then_some(value)
        .ok_or_else(|| Rejection::malformed_in(field::Field::form(name)))
}

fn chunk(is_stuck: &AtomicBool, part: &mut Field<'_>) -> Result<Option<Bytes>, Rejection> {
    next(is_stuck, |cx| Pin::new(&mut *part).poll_next(cx).map(Option::transpose))
}

/// Runs the reader until it has something: its body is at hand, so that it never waits.
fn next<T>(
    is_stuck: &AtomicBool,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<multer::Result<T>>,
) -> Result<T, Rejection> {
    let mut cx = Context::from_waker(Waker::noop());
    for step in 0..=MAX_IDLE_STEPS {
        // First from what it has.
        is_stuck.store(step > 0, Ordering::Relaxed);
        if let Poll::Ready(result) = poll(&mut cx) {
            return result.map_err(|error| malformed().with_source(error));
        }
    }
    Err(malformed())
}

fn collect<const N: usize>(
    names: [&'static str; N],
    values: [Option<Vec<u8>>; N],
) -> Result<[Vec<u8>; N], Rejection> {
    for (name, value) in names.into_iter().zip(&values) {
        if value.as_ref().is_none_or(Vec::is_empty) {
            return Err(Rejection::missing_in(field::Field::form(name)));
        }
    }
    Ok(values.map(Option::unwrap_or_default))
}

fn malformed() -> Rejection {
    Rejection::malformed_in(field::Field::Body)
}

/// The body in pieces. The reader takes what it can get at once, so it gets one each time that it is
/// stuck.
struct Steps {
    rest: Bytes,
    is_stuck: Arc<AtomicBool>,
}

impl Stream for Steps {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.is_stuck.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        let len = self.rest.len().min(STEP);
        Poll::Ready((len > 0).then(|| Ok(self.rest.split_to(len))))
    }
}

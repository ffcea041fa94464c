//! Reader of a few short fields in a `multipart/form-data` body, whose other parts may be files.

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

/// Number of bytes that the parser gets in one step, when it cannot proceed without them. The
/// parser copies them, so this limits its memory.
const STEP: usize = 16 << 10;

/// Maximum number of steps without progress, in the headers of one part or before the first part.
/// Without a limit, the parser would keep a body without a boundary and search it again in each
/// step.
const MAX_IDLE_STEPS: usize = 4;

/// Maximum number of parts in one body. A part costs more than its bytes.
const MAX_PARTS: usize = 1000;

/// Maximum length of a boundary, in bytes (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Returns the boundary in the value of `Content-Type`.
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

/// Returns a parameter's value, which is in quotes or ends at the next semicolon, and the text
/// after it.
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

/// Returns the values of these fields. Each must occur exactly once, without a file name, and must
/// be shorter than `max_len`.
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

/// Returns the content of a short part.
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
    // Another parser could read a field with a file name as a file.
    part.file_name()
        .is_none()
        .then_some(value)
        .ok_or_else(|| Rejection::malformed_in(field::Field::form(name)))
}

fn chunk(is_stuck: &AtomicBool, part: &mut Field<'_>) -> Result<Option<Bytes>, Rejection> {
    next(is_stuck, |cx| Pin::new(&mut *part).poll_next(cx).map(Option::transpose))
}

/// Runs the parser until it has a result. It never waits, because the whole body has arrived.
fn next<T>(
    is_stuck: &AtomicBool,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<multer::Result<T>>,
) -> Result<T, Rejection> {
    let mut cx = Context::from_waker(Waker::noop());
    for step in 0..=MAX_IDLE_STEPS {
        // The first step uses only the bytes that the parser already has.
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

/// Stream of the body in steps. The parser takes all bytes that the stream offers, so the stream
/// offers one step each time that the parser cannot proceed.
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

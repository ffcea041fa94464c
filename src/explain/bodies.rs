//! Bodies that a sender may have signed, other than the received one: changes that need no parser of
//! a format.

use std::ops::ControlFlow;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use bytes::Bytes;

use crate::outcome::{cause::Cause, explanation::Finding};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Characters that Windows-1252 has at 0x80 to 0x9f, or 0 for none.
const WINDOWS: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Callback that receives a finding, and the body that would prove it.
pub(crate) type VisitBody<'a> = dyn FnMut(Finding, Bytes) -> ControlFlow<()> + 'a;

/// Calls `visit` with each body, likeliest first, until it breaks.
pub(crate) fn each_body(body: &Bytes, visit: &mut VisitBody<'_>) -> ControlFlow<()> {
    let proven = Finding::proven;
    match body.strip_suffix(b"\n") {
        Some(cut) => {
            visit(proven(Cause::FinalNewline), body.slice_ref(cut))?;
            if let Some(cut) = cut.strip_suffix(b"\r") {
                visit(proven(Cause::FinalNewline), body.slice_ref(cut))?;
            }
        }
        None => {
            visit(proven(Cause::FinalNewline), [body, &b"\n"[..]].concat().into())?;
            visit(proven(Cause::FinalNewline), [body, &b"\r\n"[..]].concat().into())?;
        }
    }
    let trimmed = body.trim_ascii();
    if trimmed.len() < body.len() {
        visit(proven(Cause::WhiteSpace), body.slice_ref(trimmed))?;
        visit(proven(Cause::WhiteSpace), [trimmed, b"\n"].concat().into())?;
    }
    if let Some(lines) = without_returns(body) {
        visit(proven(Cause::LineEnds).with_detail("LF became CRLF"), lines.into())?;
    } else if body.contains(&b'\n') {
        visit(proven(Cause::LineEnds).with_detail("CRLF became LF"), with_returns(body).into())?;
    }
    match body.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => visit(proven(Cause::ByteOrderMark), body.slice_ref(rest))?,
        None => visit(proven(Cause::ByteOrderMark), [BYTE_ORDER_MARK, body].concat().into())?,
    }
    for engine in [STANDARD, URL_SAFE] {
        if let Ok(decoded) = engine.decode(trimmed) {
            visit(proven(Cause::Base64Body), decoded.into())?;
        }
    }
    if trimmed.starts_with(b"\"")
        && let Ok(text) = serde_json::from_slice::<String>(trimmed)
    {
        visit(proven(Cause::JsonStringBody), text.into())?;
    }
    each_charset(body, visit)
}

/// Calls `visit` with the body before it was converted to another character set.
fn each_charset(body: &[u8], visit: &mut VisitBody<'_>) -> ControlFlow<()> {
    let finding = || Finding::proven(Cause::Charset);
    let Ok(text) = std::str::from_utf8(body) else {
        let detail = "UTF-8 became Latin-1";
        let latin: String = body.iter().copied().map(char::from).collect();
        visit(finding().with_detail(detail), latin.into())?;
        let windows: String = body.iter().copied().map(of_windows).collect();
        visit(finding().with_detail("UTF-8 became Windows-1252"), windows.into())?;
        return ControlFlow::Continue(());
    };
    if text.is_ascii() {
        return ControlFlow::Continue(());
    }
    let latin: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
    if let Some(bytes) = latin {
        visit(finding().with_detail("UTF-8 was read as Latin-1"), bytes.into())?;
    }
    let windows: Option<Vec<u8>> = text.chars().map(to_windows).collect();
    if let Some(bytes) = windows {
        visit(finding().with_detail("UTF-8 was read as Windows-1252"), bytes.into())?;
    }
    ControlFlow::Continue(())
}

fn of_windows(byte: u8) -> char {
    let other = usize::from(byte).checked_sub(0x80).and_then(|at| WINDOWS.get(at));
    other.copied().filter(|letter| *letter != '\0').unwrap_or(char::from(byte))
}

fn to_windows(letter: char) -> Option<u8> {
    let at = WINDOWS.iter().position(|known| *known == letter && letter != '\0');
    match at.and_then(|at| u8::try_from(at + 0x80).ok()) {
        Some(byte) => Some(byte),
        None => u8::try_from(letter).ok(),
    }
}

/// Returns the body with LF for each CRLF, or `None` if it has no CRLF.
fn without_returns(body: &[u8]) -> Option<Vec<u8>> {
    let is_return = |(at, byte): (usize, &u8)| *byte == b'\r' && body.get(at + 1) == Some(&b'\n');
    let lines: Vec<u8> = body
        .iter()
        .enumerate()
        .filter(|(at, byte)| !is_return((*at, *byte)))
        .map(|(_, byte)| *byte)
        .collect();
    (lines.len() < body.len()).then_some(lines)
}

/// Returns the body with CRLF for each LF.
fn with_returns(body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(body.len() * 2);
    for byte in body {
        if *byte == b'\n' {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

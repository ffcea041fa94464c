//! Forms and queries, held to the crate `form_urlencoded`: a look-up's field, and a token in a URL.

#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::Method;
use libfuzzer_sys::fuzz_target;
use tower_webhook::{Secret, providers::SharedToken, tenants::form_field};
use tower_webhook_fuzz::{head, verify};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    name: &'a str,
    pieces: Vec<Piece<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    And,
    Equals,
    /// The name that is asked for, with so many of its bytes in escapes.
    Name(u8),
    Escape(u8, bool),
    Raw(&'a [u8]),
}

fuzz_target!(|input: Input<'_>| {
    let mut form = Vec::new();
    for piece in input.pieces.iter().take(32) {
        match *piece {
            Piece::And => form.push(b'&'),
            Piece::Equals => form.push(b'='),
            Piece::Name(mask) => {
                for (at, byte) in input.name.bytes().enumerate() {
                    if mask >> (at % 8) & 1 == 1 || matches!(byte, b'&' | b'=' | b'%' | b'+') {
                        form.extend(format!("%{byte:02x}").bytes());
                    } else {
                        form.push(byte);
                    }
                }
            }
            Piece::Escape(byte, true) => form.extend(format!("%{byte:02X}").bytes()),
            Piece::Escape(byte, false) => form.extend(format!("%{byte:x}").bytes()),
            Piece::Raw(raw) => form.extend(raw),
        }
    }

    // It puts U+FFFD where there is no UTF-8.
    if input.name.contains('\u{fffd}') {
        return;
    }
    let mut values = form_urlencoded::parse(&form).filter(|(name, _)| name == input.name);
    let found = form_field(&form, input.name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => match found {
            Some(found) => assert_eq!(found, value),
            None => assert!(value.contains('\u{fffd}')),
        },
        (_, second) => assert_eq!(found, None, "{second:?}"),
    }

    // A token is accepted where the parameter is there once and holds it, to the byte.
    let Some(request) = head(Method::POST, &[b"/hook?", &form[..]].concat()) else { return };
    let query = request.uri.query().unwrap_or_default().as_bytes();
    let found = form_field(query, input.name);
    let Some(token) = found.as_deref().and_then(|token| Secret::new(token).ok()) else { return };
    let is_accepted = |token: &Secret| {
        let verifier = SharedToken::in_query(input.name, token.clone()).unwrap();
        verify(&verifier, &request, &Bytes::new()).is_ok()
    };
    assert!(is_accepted(&token));
    let longer = [token.expose(), b"x"].concat();
    assert!(!is_accepted(&Secret::from_bytes(longer).unwrap()));
});

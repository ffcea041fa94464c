//! Masking before a payload is kept: a JSON document is masked as a walk over `serde_json`'s tree
//! masks it, and no canary is left where a rule says that it goes.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_webhook::delivery_log::{MESSAGE_FIELDS, Mask};
use tower_webhook_fuzz::json::Document;

const REDACTED: &str = "[REDACTED]";
const FIELDS: [&str; 3] = ["text", "pushname", "stra\u{df}e"];

static MASKS: LazyLock<[Mask; 3]> = LazyLock::new(|| {
    let text = Mask::new().phone_numbers().emails().secrets().card_numbers();
    [text.clone(), text.clone().fields(FIELDS), Mask::new().fields(MESSAGE_FIELDS)]
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    payload: Result<Document<'a>, &'a [u8]>,
    pieces: Vec<Piece<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Token(u8, u8),
    Email(u8, u8),
    Phone(u8, u8),
    Card(u8),
    Raw(&'a str),
}

/// What stands before it: no letter or digit that it could be the end of.
const SIGNS: [&str; 8] = ["\n", " ", "\"", ", ", ": ", "\u{7684}", "\u{e9}", "\u{ff1a}"];
const TOKENS: [&str; 4] = ["token=", "Client_SECRET=", "user[password]=", "x-auth="];
const PHONES: [&str; 4] = ["+14155557391", "4155557391", "0049.30.5557391", "+1(415)555-7391"];
const EMAILS: [&str; 3] =
    ["c4n4ry@mail.example.com", "c4n4ry+tag@a-b.example", "\u{fc}.c4n4ry@b\u{fc}cher.example"];

fuzz_target!(|input: Input<'_>| {
    let payload = match input.payload {
        Ok(document) => document.text(),
        Err(raw) => raw.to_vec(),
    };
    for mask in &*MASKS {
        document(mask, &payload, mask == &MASKS[1] || mask == &MASKS[2]);
    }
    text(&input.pieces);
});

fn document(mask: &Mask, payload: &[u8], has_fields: bool) {
    let masked = mask.apply(payload);
    let Ok(mut tree) = str::from_utf8(payload)
        .map_err(drop)
        .and_then(|text| serde_json::from_str::<Value>(text).map_err(drop))
    else {
        if has_fields {
            assert_eq!(masked, REDACTED.as_bytes());
        }
        return;
    };
    walk(mask, if mask == &MASKS[2] { &MESSAGE_FIELDS } else { &FIELDS }, has_fields, &mut tree);
    assert_eq!(serde_json::from_slice::<Value>(&masked).unwrap(), tree, "{payload:?}");
}

fn walk(mask: &Mask, fields: &[&str], has_fields: bool, value: &mut Value) {
    match value {
        Value::String(text) => *text = mask.text(text),
        Value::Array(values) => {
            values.iter_mut().for_each(|value| walk(mask, fields, has_fields, value));
        }
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.to_lowercase();
                if has_fields && fields.iter().any(|field| field.to_lowercase() == name) {
                    *value = REDACTED.into();
                } else {
                    walk(mask, fields, has_fields, value);
                }
            }
        }
        _ => {}
    }
}

/// Of what is to be masked nothing is left, whatever is around it.
fn text(pieces: &[Piece<'_>]) {
    let mut text = String::new();
    for piece in pieces.iter().take(12) {
        let at = |which: u8, texts: &'static [&str]| texts[usize::from(which) % texts.len()];
        match *piece {
            Piece::Token(sign, which) => {
                text.extend([at(sign, &SIGNS), at(which, &TOKENS), "c4n4ry"])
            }
            Piece::Email(sign, which) => text.extend([at(sign, &SIGNS), at(which, &EMAILS), " "]),
            Piece::Phone(sign, which) => text.extend([at(sign, &SIGNS), at(which, &PHONES), " "]),
            Piece::Card(sign) => text.extend([at(sign, &SIGNS), "4111111111111111 "]),
            Piece::Raw(raw) => text.push_str(raw),
        }
    }
    let masked = MASKS[0].text(&text);
    // What others wrote may be the same by chance.
    let others = pieces.iter().any(|piece| match piece {
        Piece::Raw(raw) => ["c4n", "739", "111"].iter().any(|part| raw.contains(part)),
        _ => false,
    });
    if !others {
        for canary in ["c4n4ry", "7391", "1111"] {
            assert!(!masked.contains(canary), "{text:?} {masked:?}");
        }
    }
}

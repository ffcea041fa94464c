//! The reader of one field in a JSON body, held to `serde_json`.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tower_webhook::tenants::json_field;
use tower_webhook_fuzz::{json::Document, members};

const NAMES: [&str; 4] = ["a", "", "id", "\u{e9}\u{1f600}"];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    name: u8,
    document: Result<Document<'a>, &'a [u8]>,
}

fuzz_target!(|input: Input<'_>| {
    let name = NAMES[usize::from(input.name) % NAMES.len()];
    let json = match input.document {
        Ok(document) => document.text(),
        Err(raw) => raw.to_vec(),
    };
    let found = json_field(&json, name);
    match members(&json) {
        Ok(members) => {
            let mut values = members.iter().filter(|(found, _)| found == name);
            let expected = match (values.next(), values.next()) {
                (Some((_, value)), None) => match value.get().as_bytes()[0] {
                    b'"' => Some(serde_json::from_str(value.get()).unwrap()),
                    b'-' | b'0'..=b'9' => Some(value.get().to_owned()),
                    _ => None,
                },
                _ => None,
            };
            // Our reader counts depth from the value, and so goes one deeper.
            assert_eq!(found, expected);
        }
        // Only in what no field of ours is: numbers beyond `f64`, and one more level.
        Err(error) if error.contains("number out of range") || error.contains("recursion") => {}
        // Half of a surrogate pair in what is not asked for.
        Err(error) if error.contains("surrogate") || error.contains("hex escape") => {}
        Err(error) => assert_eq!(found, None, "{error}"),
    }
});

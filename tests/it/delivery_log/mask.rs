//! Masking.

use proptest::prelude::*;
use serde_json::{Value, json};
use tower_webhook::delivery_log::{DeliveryLog, MESSAGE_FIELDS, Mask, MemoryLog};

use super::{genuine, logged, only_row, send_to};

fn all() -> Mask {
    Mask::new().phone_numbers().emails().secrets().card_numbers()
}

fn json(mask: &Mask, payload: &str) -> Value {
    serde_json::from_slice(&mask.apply(payload.as_bytes())).unwrap()
}

#[test]
fn texts_are_masked() {
    for (text, expected) in [
        ("", ""),
        ("call 14155550100 now", "call 141*** now"),
        ("+14155550100", "+141***"),
        ("+1 (415) 555-0100, or not", "+141***, or not"),
        ("whatsapp:+14155550100", "whatsapp:+141***"),
        ("123456789", "123456789"),
        ("1234567890", "123***"),
        ("123456789012345", "123***"),
        ("1234567890123456", "1234567890123456"),
        ("a1234567890", "a1234567890"),
        ("mail a.b+c@mail.example.com.", "mail [REDACTED]."),
        ("a@b and @c and d@ and @e.example", "a@b and @c and d@ and @e.example"),
        ("token=abc", "token=[REDACTED]"),
        ("x=1&access_token=abc&y=2", "x=1&access_token=[REDACTED]&y=2"),
        (
            "PASSWORD=a;b client_secret=\"c\" oauth=d",
            "PASSWORD=[REDACTED];b client_secret=\"c\" oauth=[REDACTED]",
        ),
        ("tokens: 3", "tokens: 3"),
        ("4111 1111 1111 1111", "[REDACTED]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("5555555555554444 and 4012888888881881", "[REDACTED] and [REDACTED]"),
        ("5555555555554445 and 4012888888881818", "5555555555554445 and 4012888888881818"),
        ("ünï 14155550100 ß", "ünï 141*** ß"),
        // No blank stands there.
        ("电话14155550100，邮箱a@b.example", "电话141***，[REDACTED]"),
        ("密码password=abc和é+14155550100", "密码password=[REDACTED]"),
        // In the escapes of a form.
        ("From=%2B14155550100&To=%2b14155550101", "From=%2B141***&To=%2b141***"),
        ("From=%2G14155550100&To=%zz14155550101", "From=%2G14155550100&To=%zz14155550101"),
        ("From=%g214155550100", "From=%g214155550100"),
        ("b%40example.com and a=b%40c.example.&x", "[REDACTED] and [REDACTED].&x"),
        ("100%40 of", "100%40 of"),
        // Several in a row.
        ("14155550100 14155550101", "141*** 141***"),
        ("+14155550100 +1 (415) 555-0101+14155550102", "+141*** +141***+141***"),
        ("4111111111111111 14155550100", "[REDACTED] 141***"),
        ("12345 67890 12345 67890", "12345 67890 12345 67890"),
    ] {
        assert_eq!(all().text(text), expected);
    }
    let nothing = "token=a 14155550100 a@b.example";
    assert_eq!(Mask::new().text(nothing), nothing);
    assert_eq!(Mask::new().apply(nothing.as_bytes()), nothing.as_bytes(), "no field is hidden");
}

#[test]
fn fields_are_masked_at_any_depth() {
    let mask = Mask::new().fields(MESSAGE_FIELDS);
    for field in MESSAGE_FIELDS {
        let payload = json!({"a": [1, {field: {"deep": ["canary", 1.5]}}], "n": field});
        let masked = json!({"a": [1, {field: "[REDACTED]"}], "n": field});
        assert_eq!(json(&mask, &payload.to_string()), masked);
    }
    let mask = Mask::new().fields(["text"]);
    for (payload, expected) in [
        (
            r#"{"text":"a","b":12345678901234567890123}"#,
            r#"{"text":"[REDACTED]","b":12345678901234567890123}"#,
        ),
        (r#"{ "text" : null , "z":1, "a":2 }"#, r#"{ "text" : "[REDACTED]" , "z":1, "a":2 }"#),
        (r#"{"TEXT":-1e5}"#, r#"{"TEXT":"[REDACTED]"}"#),
        (
            r#"{"\u0074ext":[{"]":"}"}],"b":"\"text\":"}"#,
            r#"{"\u0074ext":"[REDACTED]","b":"\"text\":"}"#,
        ),
        (r#"{"a":{"text":true}}"#, r#"{"a":{"text":"[REDACTED]"}}"#),
        (r#"{"text":{"text":"a"},"text":"b"}"#, r#"{"text":"[REDACTED]","text":"[REDACTED]"}"#),
        (r#"["text","a"]"#, r#"["text","a"]"#),
        (r#"{"text":"#, "[REDACTED]"),
        ("text=canary", "[REDACTED]"),
        ("", "[REDACTED]"),
    ] {
        assert_eq!(String::from_utf8(mask.apply(payload.as_bytes())).unwrap(), expected);
    }
    let deep = "[".repeat(100_000);
    assert_eq!(mask.apply(deep.as_bytes()), b"[REDACTED]", "no stack is that deep");
    assert_eq!(mask.apply(b"\xff{}"), b"[REDACTED]");
}

#[test]
fn strings_in_json_are_masked_and_numbers_stay() {
    let payload = r#"{"from":"+14155550100","time":1767225600000,"t":"say \"token=abc\"","14155550100":"\u00fc"}"#;
    let expected = r#"{"from":"+141***","time":1767225600000,"t":"say \"token=[REDACTED]\"","14155550100":"\u00fc"}"#;
    assert_eq!(String::from_utf8(all().apply(payload.as_bytes())).unwrap(), expected);
}

#[test]
fn long_texts_take_no_longer_than_they_are_long() {
    // By the number of steps this would be hours if each word read on to the end.
    for text in ["a ", "!", "+", "1 ", "a@", "token ", "\"a\","] {
        let text = text.repeat(1 << 18);
        assert!(!all().text(&text).is_empty());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop_oneof![Just("text".to_owned()), ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// By `serde_json`'s own tree.
fn by_tree(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let is_masked = name.to_lowercase() == "text";
                (name, if is_masked { "[REDACTED]".into() } else { by_tree(value) })
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(by_tree).collect(),
        value => value,
    }
}

proptest! {
    #[test]
    fn fields_are_masked_as_the_tree_says(value in any_json(), is_pretty in any::<bool>()) {
        let text = if is_pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(json(&Mask::new().fields(["text"]), &text), by_tree(value));
    }

    #[test]
    fn json_stays_json_and_nothing_panics(value in any_json(), bytes in any::<Vec<u8>>()) {
        json(&all(), &value.to_string());
        let _ = all().apply(&bytes);
    }
}

#[tokio::test]
async fn payloads_are_masked_before_they_are_cut() {
    let builder = DeliveryLog::builder().mask(Mask::new().fields(["text"])).payload_limit(20);
    let log = builder.store(MemoryLog::new(9)).unwrap();
    send_to(&logged(&log), 200, genuine(br#"{"text":"canary, and a long one"}"#)).await;
    let row = only_row(&log).await;
    assert_eq!(row.payload.as_deref(), Some(&br#"{"text":"[REDACTED]""#[..]));
    assert_eq!((row.payload_truncated, row.body_len), (true, Some(33)));
}

use super::*;
use proptest::prelude::*;

fn text(value: &str) -> Result<Option<Value<'_>>, Malformed> {
    Ok(Some(Value::Text(Cow::Borrowed(value))))
}

#[test]
fn finds_the_top_level_field_and_no_other() {
    for (json, expected) in [
        (r#"{}"#, Ok(None)),
        (r#"{"t":"a"}"#, text("a")),
        (r#" { "x" : [1, {"t":"no"}, []] , "t" : "a\"b" } "#, text("a\"b")),
        (r#"{"x":{"t":"no"}}"#, Ok(None)),
        (r#"{"\u0074":"a"}"#, text("a")),
        (r#"{"t":"\ud83d\ude00"}"#, text("😀")),
        (r#"{"t":"\"\\\/\b\f\n\r\t"}"#, text("\"\\/\u{8}\u{c}\n\r\t")),
        (r#"{"t":-1.5e+3}"#, Ok(Some(Value::Number("-1.5e+3")))),
        (r#"{"t":1697211697694}"#, Ok(Some(Value::Number("1697211697694")))),
        (r#"{"t":null}"#, Ok(Some(Value::Other))),
        (r#"{"t": [{"a":1}] }"#, Ok(Some(Value::Array(r#"[{"a":1}]"#)))),
        (r#"{"t": {"a":[true,false,{}]} }"#, Ok(Some(Value::Object(r#"{"a":[true,false,{}]}"#)))),
        (r#"{"t":1,"t":2}"#, Err(Malformed)),
        (r#"{"t":1,"\u0074":2}"#, Err(Malformed)),
        (r#"[]"#, Err(Malformed)),
        (r#""#, Err(Malformed)),
        (r#"{"t":1}x"#, Err(Malformed)),
        (r#"{"t":1,}"#, Err(Malformed)),
        (r#"{"t":01}"#, Err(Malformed)),
        (r#"{"t":-}"#, Err(Malformed)),
        (r#"{"t":1.}"#, Err(Malformed)),
        (r#"{"t":1e}"#, Err(Malformed)),
        (r#"{"t":1e+}"#, Err(Malformed)),
        (r#"{"t":"\ud83d"}"#, Ok(Some(Value::Other))),
        (r#"{"t":"\ud83d\ud83d\ude00"}"#, Ok(Some(Value::Other))),
        (r#"{"t":"\ud83dx"}"#, Ok(Some(Value::Other))),
        (r#"{"a":"\udc80\u0041","\ud83d":"\ud83d\n","t":"x"}"#, text("x")),
        (r#"{"a":["\ud83d",{"\udc80":"\ud83d"}],"t":"x"}"#, text("x")),
        (r#"{"t":"\ud83d\u00"}"#, Err(Malformed)),
        (r#"{"t":"\udc00\u0041"}"#, Ok(Some(Value::Other))),
        (r#"{"t":"\x41"}"#, Err(Malformed)),
        ("{\"t\":\"a\nb\"}", Err(Malformed)),
        (r#"{"t":[1 2]}"#, Err(Malformed)),
        (r#"{"t":[1}}"#, Err(Malformed)),
        (r#"{"t":{"a"}}"#, Err(Malformed)),
        (r#"{"t":tru}"#, Err(Malformed)),
    ] {
        assert_eq!(field(json.as_bytes(), "t"), expected, "{json}");
    }
    assert_eq!(field(b"{\"t\":\"\xff\"}", "t"), Err(Malformed));
    let deep = |depth| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(field(deep(128).as_bytes(), "t"), Ok(None));
    assert_eq!(field(deep(129).as_bytes(), "t"), Err(Malformed));
    assert_eq!(field("[".repeat(1 << 20).as_bytes(), "t"), Err(Malformed));
}

fn all_items(json: &[u8]) -> Result<Vec<Value<'_>>, Malformed> {
    let mut found = Vec::new();
    items(json, &mut |item| found.push(item)).map(|()| found)
}

#[test]
fn visits_each_item_of_an_array_and_nothing_else() {
    let some = [Value::Number("1"), Value::Object(r#"{"a":[]}"#), Value::Array("[ ]")];
    for (json, expected) in [
        (&b"[]"[..], Ok(vec![])),
        (br#" [ 1 , {"a":[]},[ ] ] "#, Ok(some.to_vec())),
        (b"[1,]", Err(Malformed)),
        (b"[,1]", Err(Malformed)),
        (b"[1 2]", Err(Malformed)),
        (b"[1", Err(Malformed)),
        (b"[1]x", Err(Malformed)),
        (b"{}", Err(Malformed)),
        (b"", Err(Malformed)),
        (b"[\"\xff\"]", Err(Malformed)),
    ] {
        assert_eq!(all_items(json), expected, "{}", json.escape_ascii());
    }
}

proptest! {
    /// Uses `serde_json` as the oracle.
    #[test]
    fn items_agree_with_serde_json(json in r#"\[[\[\]{}:,"\\tu0a19.e\- \n+f]{0,20}\]"#) {
        let theirs = serde_json::from_str::<Vec<serde_json::Value>>(&json);
        match (all_items(json.as_bytes()), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours.len(), theirs.len()),
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range")),
            (Err(Malformed), theirs) => prop_assert!(theirs.is_err()),
        }
    }

    /// Uses `serde_json` as the oracle.
    #[test]
    fn agrees_with_serde_json(json in r#"[\[\]{}:,"\\tu0a19.e\- \n+f]{0,24}"#) {
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json);
        match (field(json.as_bytes(), "t"), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours.is_some(), theirs.contains_key("t")),
            // `serde_json` keeps the last of two fields and rejects numbers that are out of range.
            (Err(Malformed), Ok(_)) => prop_assert!(json.matches('"').count() >= 4),
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range")),
            (Err(Malformed), Err(_)) => {}
        }
    }

    #[test]
    fn finds_what_serde_json_wrote(
        name in any::<String>(), value in any::<String>(), other in any::<String>()
    ) {
        prop_assume!(name != other);
        let json = serde_json::json!({ &other: [1, {"x": [null]}], &name: &value }).to_string();
        let found = field(json.as_bytes(), &name).unwrap().unwrap();
        prop_assert_eq!(found.into_text().unwrap(), value);
    }
}

use std::collections::BTreeSet;

use super::{Json, style::Style, units};

fn styles(body: &str) -> Vec<Style> {
    Json::parse(body.as_bytes()).unwrap().styles().collect()
}

fn words(body: &str) -> Vec<String> {
    styles(body).iter().map(Style::to_string).collect()
}

fn texts(body: &str) -> Vec<String> {
    let json = Json::parse(body.as_bytes()).unwrap();
    json.styles().map(|style| String::from_utf8(json.write(style)).unwrap()).collect()
}

/// Returns the text in the style with these words.
fn written(body: &str, words: &str) -> String {
    let json = Json::parse(body.as_bytes()).unwrap();
    let style = json.styles().find(|style| style.to_string() == words);
    String::from_utf8(json.write(style.expect(words))).unwrap()
}

/// A text that each style writes in another way.
const ALL: &str = concat!(
    r#"{"é":["\ud83d\ude00","/","<>&","'","+","\"","`","=","@","%","\u2028","\u2019"],"#,
    r#""del":"\u007f","control":"\u001f","lone":"\ud83d"}"#
);

/// Texts with all kinds of characters and containers.
const TEXTS: [&str; 18] = [
    "{}",
    "[]",
    "[[]]",
    "[1]",
    "[1,2]",
    r#"{"a":1}"#,
    r#"{"a":1,"b":[{},[],{"c":null}]}"#,
    r#"[["a"],{"b":{"c":[]}}]"#,
    r#"["é"]"#,
    r#"["’"]"#,
    r#"["😀"]"#,
    r#"["\ud83d"]"#,
    r#"["\u000b"]"#,
    r#"["\u0010\b\f\n\r\t\\"]"#,
    r#"["/"]"#,
    r#"["\"<>&'+`=@%"]"#,
    r#"["\u2028\u0085\u007f"]"#,
    ALL,
];

#[test]
fn plain_text_has_16_styles() {
    assert_eq!(
        words(r#"{"a":1,"b":["x-y","2024-01-01T00:00:00Z"]}"#),
        [
            "without white space",
            "with a space after `,` and `:`",
            "indented by 2 spaces",
            "indented by 4 spaces",
            "without white space, with a final newline",
            "indented by 2 spaces, with a final newline",
            "with a space after `:`",
            "indented by a tab",
            "indented by 2 spaces with CRLF line ends",
            "indented by 4 spaces with CRLF line ends",
            "with a space after `,` and `:`, with a final newline",
            "with a space after `:`, with a final newline",
            "indented by 4 spaces, with a final newline",
            "indented by a tab, with a final newline",
            "indented by 2 spaces with CRLF line ends, with a final newline",
            "indented by 4 spaces with CRLF line ends, with a final newline",
        ]
    );
}

#[test]
fn likeliest_styles_are_first() {
    assert_eq!(
        words(ALL).get(..13).unwrap(),
        [
            "without white space, with only the necessary escapes",
            r"without white space, non-ASCII as `\u00e9` in lower case",
            r"with a space after `,` and `:`, non-ASCII as `\u00e9` in lower case",
            "with a space after `,` and `:`, with only the necessary escapes",
            "indented by 2 spaces, with only the necessary escapes",
            "indented by 4 spaces, with only the necessary escapes",
            r"without white space, non-ASCII as `\u00e9` in lower case, `/` escaped",
            r"without white space, `<`, `>` and `&` as `\u003c`",
            r"without white space, emoji as `\uD83D\uDE00` in upper case",
            "without white space, non-ASCII and `<>&'+\"` as `\\u00E9` in upper case",
            r"without white space, non-ASCII as `\u00e9` in lower case, `/`, `<`, `@` and `%` escaped",
            "without white space, with only the necessary escapes, with a final newline",
            r"without white space, `<`, `>` and `&` as `\u003c`, with a final newline",
        ]
    );
}

#[test]
fn number_of_styles_is_limited() {
    for (text, count) in [
        ("{}", 2),
        ("[1]", 12),
        ("[1,2]", 14),
        (r#"{"a":1}"#, 14),
        (r#"{"a":1,"b":2}"#, 16),
        (r#"{"a":"\\\n","b":2}"#, 16),
        (r#"{"a":"\"","b":2}"#, 22),
        (r#"{"a":"/","b":2}"#, 28),
        (r#"{"a":"é","b":2}"#, 36),
        (ALL, 80),
    ] {
        assert_eq!(styles(text).len(), count, "{text}");
    }
}

#[test]
fn no_two_styles_write_the_same_bytes() {
    for text in TEXTS {
        let all = texts(text);
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{text}");
    }
}

#[test]
fn written_text_has_the_same_tokens() {
    fn tokens(text: &str) -> Vec<String> {
        let json = Json::parse(text.as_bytes()).unwrap();
        let tokens = json.tokens.iter();
        tokens
            .map(|token| match token {
                super::Token::String(content) => {
                    format!("{:?}", units(content).collect::<Vec<_>>())
                }
                other => format!("{other:?}"),
            })
            .collect()
    }
    for text in TEXTS {
        for written in texts(text) {
            assert_eq!(tokens(&written), tokens(text), "{written}");
            assert_eq!(texts(&written), texts(text), "{written}");
        }
    }
}

#[test]
fn spacings_are_those_of_the_writers() {
    let text = r#" { "a" : [ 1 , { } , [ ] , [ [ ] ] ] , "b" : { "c" : null } } "#;
    for (words, expected) in [
        ("without white space", r#"{"a":[1,{},[],[[]]],"b":{"c":null}}"#),
        ("with a space after `,` and `:`", r#"{"a": [1, {}, [], [[]]], "b": {"c": null}}"#),
        ("with a space after `:`", r#"{"a": [1,{},[],[[]]],"b": {"c": null}}"#),
        (
            "indented by 2 spaces",
            r#"{
  "a": [
    1,
    {},
    [],
    [
      []
    ]
  ],
  "b": {
    "c": null
  }
}"#,
        ),
        (
            "indented by a tab, with a final newline",
            "{\n\t\"a\": [\n\t\t1,\n\t\t{},\n\t\t[],\n\t\t[\n\t\t\t[]\n\t\t]\n\t],\n\t\"b\": {\n\t\t\"c\": null\n\t}\n}\n",
        ),
    ] {
        assert_eq!(written(text, words), expected, "{words}");
    }
    assert_eq!(
        written("[1,2]", "indented by 4 spaces with CRLF line ends, with a final newline"),
        "[\r\n    1,\r\n    2\r\n]\r\n"
    );
    assert_eq!(written(" { } ", "without white space, with a final newline"), "{}\n");
}

/// The expected texts are those of Python 3.11, Node 20, PHP 8.2, Go 1.19, Gson 2.10 and Jackson
/// 2.14. Those of .NET and Meta are from their rules.
#[test]
fn escapes_are_those_of_the_writers() {
    let text = r#"["Zoë’s 😀","https://a.b/?c=d&e","<b>+1</b>","'x' \"y\" `z` @ 5%","\u2028","\u007f","\u000b"]"#;
    for (words, expected) in [
        (
            "with only the necessary escapes",
            "[\"Zoë’s 😀\",\"https://a.b/?c=d&e\",\"<b>+1</b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\u{2028}\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            r"non-ASCII as `\u00e9` in lower case",
            r#"["Zo\u00eb\u2019s \ud83d\ude00","https://a.b/?c=d&e","<b>+1</b>","'x' \"y\" `z` @ 5%","\u2028","\u007f","\u000b"]"#,
        ),
        (
            r"non-ASCII as `\u00e9` in lower case, `/` escaped",
            "[\"Zo\\u00eb\\u2019s \\ud83d\\ude00\",\"https:\\/\\/a.b\\/?c=d&e\",\"<b>+1<\\/b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            "`/` escaped",
            "[\"Zoë’s 😀\",\"https:\\/\\/a.b\\/?c=d&e\",\"<b>+1<\\/b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            r"`<`, `>` and `&` as `\u003c`",
            "[\"Zoë’s 😀\",\"https://a.b/?c=d\\u0026e\",\"\\u003cb\\u003e+1\\u003c/b\\u003e\",\"'x' \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            r"`<`, `>`, `&`, `=` and `'` as `\u003c`",
            "[\"Zoë’s 😀\",\"https://a.b/?c\\u003dd\\u0026e\",\"\\u003cb\\u003e+1\\u003c/b\\u003e\",\"\\u0027x\\u0027 \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            r"emoji as `\uD83D\uDE00` in upper case",
            "[\"Zoë’s \\uD83D\\uDE00\",\"https://a.b/?c=d&e\",\"<b>+1</b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\u{2028}\",\"\u{7f}\",\"\\u000B\"]",
        ),
        (
            r"non-ASCII as `\u00E9` in upper case",
            "[\"Zo\\u00EB\\u2019s \\uD83D\\uDE00\",\"https://a.b/?c=d&e\",\"<b>+1</b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000B\"]",
        ),
        (
            "non-ASCII and `<>&'+\"` as `\\u00E9` in upper case",
            r#"["Zo\u00EB\u2019s \uD83D\uDE00","https://a.b/?c=d\u0026e","\u003Cb\u003E\u002B1\u003C/b\u003E","\u0027x\u0027 \u0022y\u0022 \u0060z\u0060 @ 5%","\u2028","\u007F","\u000B"]"#,
        ),
        (
            r"non-ASCII as `\u00e9` in lower case, `/`, `<`, `@` and `%` escaped",
            "[\"Zo\\u00eb\\u2019s \\ud83d\\ude00\",\"https:\\/\\/a.b\\/?c=d&e\",\"\\u003Cb>+1\\u003C\\/b>\",\"'x' \\\"y\\\" `z` \\u0040 5\\u0025\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
        (
            "U+2028 and U+2029 escaped",
            "[\"Zoë’s 😀\",\"https://a.b/?c=d&e\",\"<b>+1</b>\",\"'x' \\\"y\\\" `z` @ 5%\",\"\\u2028\",\"\u{7f}\",\"\\u000b\"]",
        ),
    ] {
        let words = format!("without white space, {words}");
        assert_eq!(written(text, &words), expected, "{words}");
        // Each writer's text is what the others' texts become.
        for other in texts(text) {
            assert_eq!(written(&other, &words), expected, "{words} of {other}");
        }
    }
}

#[test]
fn escapes_of_the_received_text_are_decoded() {
    for (received, expected) in [
        (r#"["\u0041\u005c\u0022\u002f\/"]"#, r#"["A\\\"//"]"#),
        (r#"["\u0008\u000c\u000a\u000d\u0009"]"#, r#"["\b\f\n\r\t"]"#),
        (r#"["\u0000\u001F"]"#, r#"["\u0000\u001f"]"#),
        (r#"["\u00E9\uD83d\uDe00"]"#, r#"["é😀"]"#),
        (r#"["\\u00e9"]"#, r#"["\\u00e9"]"#),
        (r#"{"\u0061":1,"a":2,"a":2}"#, r#"{"a":1,"a":2,"a":2}"#),
        (r#"["\ufffd\uffff"]"#, "[\"\u{fffd}\u{ffff}\"]"),
    ] {
        assert_eq!(texts(received).first().unwrap(), expected, "{received}");
    }
}

#[test]
fn half_a_surrogate_pair_stays_an_escape() {
    let text = r#"["\uD83D","\ude00\ud83d","\ud83dx","\ud83d\u0041","\ud83d\ud83d\ude00"]"#;
    assert_eq!(
        texts(text).first().unwrap(),
        r#"["\ud83d","\ude00\ud83d","\ud83dx","\ud83dA","\ud83d😀"]"#
    );
    assert_eq!(
        written(text, r"without white space, emoji as `\uD83D\uDE00` in upper case"),
        r#"["\uD83D","\uDE00\uD83D","\uD83Dx","\uD83DA","\uD83D\uD83D\uDE00"]"#
    );
}

#[test]
fn numbers_and_words_keep_their_text() {
    let text = "[1.0,-0,-0.0,1e5,1E+5,1.50e-07,12345678901234567890123,true,false,null]";
    assert_eq!(texts(text).first().unwrap(), text);
}

#[test]
fn other_text_is_rejected() {
    let values = concat!(
        r#"1  null  "a"  {  [  }  ]  [1  [1,  [1,]  [,1]  [1 2]  [1}  [1]]  [1] 1  {1:2}  {"a"}  "#,
        r#"{"a" 1}  {"a":}  {"a":1,}  {,}  {"a":1]  {"a"::1}  {true:1}  [01]  [-]  [+1]  [1.]  "#,
        r#"[.1]  [1e]  [1e+]  [1.e1]  [0x1]  [-01]  [NaN]  [Infinity]  [tru]  [truee]  [True]  "#,
        r#"['a']  ["a]  ["\]  ["\x41"]  ["\u12"]  ["\u12g4"]  ["\ud83d\u00"]  [1]//  a=b&c=d"#,
    );
    let others =
        ["", " ", "[\"a\nb\"]", "[\"\u{1f}\"]", "\u{feff}[]", "[]\0", "[\u{a0}]", "[1]\u{c}"];
    for text in values.split("  ").chain(others) {
        assert!(Json::parse(text.as_bytes()).is_none(), "{text}");
    }
    assert!(Json::parse(b"[\"\xff\"]").is_none(), "not UTF-8");
    assert!(Json::parse(b"[\"\xed\xa0\xbd\"]").is_none(), "a surrogate in UTF-8");
}

#[test]
fn depth_is_limited_to_64() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for (depth, is_parsed) in [(63, true), (64, true), (65, false), (1 << 20, false)] {
        assert_eq!(Json::parse(nested(depth).as_bytes()).is_some(), is_parsed, "{depth}");
        assert_eq!(Json::parse(objects(depth).as_bytes()).is_some(), is_parsed, "{depth}");
    }
}

#[test]
fn tokens_are_limited_to_100000() {
    // Brackets, 49,999 numbers, and the commas between them.
    let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert!(Json::parse(list(49_999).as_bytes()).is_some());
    assert!(Json::parse(list(50_000).as_bytes()).is_none());
}

#[test]
fn deep_list_is_not_indented() {
    let list = |depth: usize| {
        format!("{}{}{}", "[".repeat(depth), vec!["1"; 40_000].join(","), "]".repeat(depth))
    };
    assert_eq!(styles(&list(20)).len(), 14);
    assert_eq!(styles(&list(60)).len(), 4, "without white space, and with a space after `,`");
}

#[test]
fn keys_in_alphabetical_order_are_sorted() {
    for (text, is_sorted) in [
        (r#"{"a":1,"b":2,"c":3}"#, true),
        (r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1,"c":2,"b":3}"#, false),
        (r#"{"a":1,"a":2,"b":3}"#, true),
        (r#"[{"a":1,"b":2,"c":{"x":1}},{"a":1}]"#, true),
        (r#"[{"a":1,"b":2,"c":3},{"b":1,"a":2}]"#, false),
        (r#"{"a":{"z":{}},"b":["y","x"],"c":"a"}"#, true),
        (r#"{"a":1,"b":{"z":1,"y":2},"c":3}"#, false),
        (r#"{"":1,"A":2,"a":3,"é":4,"😀":5}"#, true),
        (r#"{"\u0061":1,"b":2,"\u0063":3}"#, true),
        (r#"{"a/b":1,"a\u002fc":2,"a/d":3}"#, true),
        (r#"{"10":1,"9":2,"a":3}"#, true),
        ("[3,2,1]", false),
        ("{}", false),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).unwrap().is_sorted(), is_sorted, "{text}");
    }
}

#[test]
fn integers_as_javascript_prints_are_rounded() {
    for (text, is_rounded) in [
        ("[12345678901234567000]", true),
        ("[-12345678901234567000]", true),
        ("[1234567890123456800]", true),
        ("[123456789012345680]", true),
        ("[100000000000000000000]", true),
        ("[12345678901234567168]", false),
        ("[1000000000000000000000]", false),
        ("[123456789012345670]", false),
        ("[12345678901234567890]", false),
        ("[1234567890123456800,1234567890123456789]", false),
        ("[1234567890123456800,1,2.5,\"1234567890123456789\"]", true),
        ("[\"1234567890123456800\"]", false),
        ("[9007199254740990,1234567890123456.00,1e30]", false),
        ("[]", false),
    ] {
        assert_eq!(
            Json::parse(text.as_bytes()).unwrap().has_rounded_number(),
            is_rounded,
            "{text}"
        );
    }
}

#[test]
fn damaged_text_causes_no_panic() {
    let check = |body: &[u8]| {
        if let Some(json) = Json::parse(body) {
            let _ = (json.is_sorted(), json.has_rounded_number());
            for style in json.styles() {
                let written = json.write(style);
                assert!(Json::parse(&written).is_some(), "{}", String::from_utf8_lossy(body));
            }
        }
    };
    for text in TEXTS {
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            check(&bytes[..at]);
            check(&bytes[at..]);
            for byte in *b"\"\\{],:0\xc3" {
                let mut damaged = bytes.to_vec();
                damaged.insert(at, byte);
                check(&damaged);
                damaged.truncate(bytes.len());
                if let Some(place) = damaged.get_mut(at) {
                    *place = byte;
                }
                check(&damaged);
            }
        }
    }
}

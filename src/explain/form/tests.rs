use std::collections::BTreeSet;

use super::{MAX_LEN, MAX_TEXTS, rewrites};

fn texts(body: &str) -> Vec<String> {
    let all = rewrites(body.as_bytes()).unwrap().into_iter();
    all.map(|(_, text)| String::from_utf8(text).unwrap()).collect()
}

#[test]
fn form_has_the_styles_of_the_writers() {
    let received = "a+b=%C3%A9*%7E%21&c=x%2Fy";
    let all: Vec<(String, String)> = rewrites(received.as_bytes())
        .unwrap()
        .into_iter()
        .map(|(words, text)| (words, String::from_utf8(text).unwrap()))
        .collect();
    for (text, words) in [
        ("a+b=%C3%A9%2A~%21&c=x%2Fy", "a space as `+`, escapes in upper case, `-._~` unescaped"),
        ("a+b=%C3%A9%2A%7E%21&c=x%2Fy", "a space as `+`, escapes in upper case, `-._` unescaped"),
        (
            "a%20b=%C3%A9%2A~%21&c=x%2Fy",
            "a space as `%20`, escapes in upper case, `-._~` unescaped",
        ),
        (
            "a%20b=%C3%A9*~!&c=x%2Fy",
            "a space as `%20`, escapes in upper case, `-._~!'()*` unescaped",
        ),
        ("a+b=%c3%a9*%7e!&c=x%2fy", "a space as `+`, escapes in lower case, `-._!()*` unescaped"),
        ("a+b=%c3%a9*%7e%21&c=x%2fy", "a space as `+`, escapes in lower case, `-._*` unescaped"),
    ] {
        let expected = (words.to_owned(), text.to_owned());
        assert!(all.contains(&expected), "{expected:?} in {all:#?}");
    }
    assert_eq!(all.len(), 19, "all but the received text");
}

#[test]
fn texts_differ_and_are_at_most_24() {
    for received in [
        "a=1",
        "a=b+c",
        "a=",
        "a&b=",
        "a&b=&c=+%7E%21%2A%2F",
        "a=%C3%A9&b",
        "a==b",
        "=",
        "From=%2B1415&Body=it%27s+100%25",
    ] {
        let all = texts(received);
        let different: BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{received}");
        assert!(all.len() <= MAX_TEXTS && !all.contains(&received.to_owned()), "{received}");
    }
    assert_eq!(texts("a&b=&c=+%7E%21%2A%2F").len(), 24);
    assert_eq!(texts("a=1&b=2"), [""; 0], "no other way to write it");
}

#[test]
fn empty_value_is_written_with_and_without_equals() {
    assert_eq!(texts("a&b=1"), ["a=&b=1"]);
    assert_eq!(texts("a=&b=1"), ["a&b=1"]);
    assert_eq!(texts("a&b="), ["a=&b=", "a&b"]);
    let all = rewrites(b"a=&b=1").unwrap();
    let (words, _) = all.first().unwrap();
    assert_eq!(
        words,
        "a space as `+`, escapes in upper case, `-._*` unescaped, empty values without `=`"
    );
}

#[test]
fn text_of_any_writer_becomes_that_of_another() {
    let written = [
        "t=a+b%26c%3D%22%E2%82%AC%22%0D%0A%2B%C3%A9%7E%28%29%27%21*-._&u=%F0%9F%98%80",
        "t=a+b%26c%3D%22%E2%82%AC%22%0D%0A%2B%C3%A9~%28%29%27%21%2A-._&u=%F0%9F%98%80",
        "t=a%20b%26c%3D%22%E2%82%AC%22%0D%0A%2B%C3%A9~()'!*-._&u=%F0%9F%98%80",
        "t=a+b%26c%3D%22%E2%82%AC%22%0D%0A%2B%C3%A9%7E%28%29%27%21%2A-._&u=%F0%9F%98%80",
        "t=a+b%26c%3d%22%e2%82%ac%22%0d%0a%2b%c3%a9%7e()%27!*-._&u=%f0%9f%98%80",
    ];
    for received in written {
        for sent in written {
            let is_found = texts(received).iter().any(|text| text == sent);
            assert_eq!(is_found, received != sent, "{sent} from {received}");
        }
    }
}

#[test]
fn order_duplicates_and_bytes_are_kept() {
    assert_eq!(texts("z=%ff&a=%00&z=%3D").first().unwrap(), "z=%FF&a=%00&z=%3D");
    assert_eq!(texts("a=b=c:d").first().unwrap(), "a=b%3Dc%3Ad");
}

#[test]
fn other_body_is_rejected() {
    let printable =
        r#"a & a=1& &a=1 a=1&&b=2 a=% a=%4 a=%4g a=%%41 a="b" a=<b> {"a":"b=c"} a=\ a=^ a=` a=|"#;
    let others = ["", "a=1\n", "a=1\r\nb=2", "a b=c", "a=é", "a=\u{7f}", "a=\0", "a=\t"];
    for body in printable.split(' ').chain(others) {
        assert!(rewrites(body.as_bytes()).is_none(), "{body:?}");
    }
    assert!(rewrites(b"a=\xff").is_none(), "not ASCII");
    let long = |len: usize| format!("a={}", "x".repeat(len - 2));
    assert!(rewrites(long(MAX_LEN).as_bytes()).is_some());
    assert!(rewrites(long(MAX_LEN + 1).as_bytes()).is_none());
}

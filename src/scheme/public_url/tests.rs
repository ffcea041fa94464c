use super::*;

#[test]
fn urls_are_checked_at_start_up() {
    for good in [
        "https://a",
        "https://a/",
        "wss://a:8443",
        "http://[::1]:80",
        "https://[2001:db8::7]",
        "https://192.0.2.7",
        "https://u:p@a",
        "https://u:p%2Fq@a:1",
        "https://my_host.a-b.example",
        "https://bücher.example",
        "https://a.example.",
        "https://a/x",
        "https://a/x/",
        "https://u:p@a:1/x/y",
        "HTTPS://a",
        "Wss://A.Example/x",
    ] {
        assert!(PublicUrl::base(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a",
        "//a",
        "ftp://a",
        "https://",
        "https:///x",
        "https://a?x",
        "https://a/x?y",
        "https://a/x//",
        "https://a b",
        "https://a#x",
        "HTTPSS://a",
        "https//a",
        "https://a//",
        "https://.a",
        "https://a..b",
        "https://a..",
        "https://.",
        "https://a:",
        "https://a:0",
        "https://a:65536",
        "https://a:+80",
        "https://a:80:80",
        "https://a:port",
        "https://u:p@",
        "https://u:p/q@a",
        "https://a,b",
        "https://a%20b",
        "https://a\\b",
        "https://<a>",
        "https://[::1",
        "https://[a]",
        "https://[::1]a",
        "https://*.a",
    ] {
        assert!(PublicUrl::base(bad).is_err(), "{bad}");
    }
    for missing in ["https://", "https:///x", "https://?x", "https://:80", "https://#x"] {
        for error in [PublicUrl::fixed(missing), PublicUrl::base(missing)] {
            let why = error.unwrap_err().to_string();
            assert!(why.contains("the host is missing"), "{missing}: {why}");
        }
    }
    for good in ["https://a/x?y=1", "https://a", "https://a/Español?año=1", "HTTP://A/x"] {
        assert!(PublicUrl::fixed(good).is_ok(), "{good}");
    }
    for bad in ["/x", "https://a/x#y", "https://a/x y", "https://a..b/x", "https://u:p/q@a/x"] {
        assert!(PublicUrl::fixed(bad).is_err(), "{bad}");
    }
}

#[test]
fn url_errors_hide_user_information_path_and_query() {
    for bad in ["https://u:secret@a.example/secret?secret=x y", "ftp://secret@a.example?secret"] {
        for error in [PublicUrl::fixed(bad), PublicUrl::base(bad)] {
            let shown = error.unwrap_err().to_string();
            assert!(!shown.contains("secret") && shown.contains("a.example"), "{shown}");
        }
    }
    // A scheme in the query is not the scheme of the URL.
    let bare = "a.example/secret?next=https://secret&secret";
    for error in [PublicUrl::fixed(bare), PublicUrl::base(bare)] {
        let shown = error.unwrap_err().to_string();
        assert!(shown.starts_with("invalid public URL `a.example`: "), "{shown}");
    }
    // User information without a host looks like one, and without a scheme any word does.
    for bad in ["https://user:secret", "https://secret%2F:x", "https://u:secret%40h/x", "secret"] {
        for error in [PublicUrl::fixed(bad), PublicUrl::base(bad)] {
            let shown = error.unwrap_err().to_string();
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
    let bare = "user:secret://secret@a.example";
    let shown = PublicUrl::base(bare).unwrap_err().to_string();
    assert!(!shown.contains("secret"), "{shown}");
    // The end of the user information is ambiguous.
    let slashed = "https://u:secret/secret@a.example/x";
    for error in [PublicUrl::fixed(slashed), PublicUrl::base(slashed)] {
        let shown = error.unwrap_err().to_string();
        assert!(!shown.contains("secret") && shown.contains(" `https://`: "), "{shown}");
    }
}

#[test]
fn debug_shows_neither_user_information_nor_path() {
    for (base, shown) in [
        ("https://user:pass@example.com", "example.com"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("HTTPS://user:pass@example.com/path", "example.com"),
        ("https://example.com/path", "https://example.com"),
        // The end of the host is ambiguous.
        ("https://user:p@ss/word@example.com", "https://"),
        ("https://example.com/p@th", "https://"),
    ] {
        let url = PublicUrl::base(base).unwrap();
        assert_eq!(format!("{url:?}"), format!("PublicUrl::base({shown:?})"));
    }
}

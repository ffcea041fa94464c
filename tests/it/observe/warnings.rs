//! Warnings about a configuration, before any request.

use std::time::{Duration, SystemTime};

use tower::Layer;
use tower_webhook::{PublicUrl, SignatureLayer, providers::Stripe, verifier::Clock};

use crate::{
    observe::tracing::Lines,
    support::{Inner, secret},
};

/// Returns the new warnings. Each is logged once in a process, so each test has texts of its own.
fn warnings(lines: &Lines) -> Vec<String> {
    let lines = lines.json().into_iter().filter(|line| line["target"] == "tower_webhook::config");
    let text = |line: serde_json::Value| {
        assert_eq!(line["level"], "WARN");
        format!(
            "{} {}",
            line["provider"].as_str().unwrap_or("-"),
            line["message"].as_str().unwrap()
        )
    };
    lines.map(text).collect()
}

#[test]
fn public_urls_without_tls_are_told_once() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    for url in [
        "https://warned.example",
        "HTTPS://warned.example",
        "wss://warned.example",
        "http://localhost:3000",
        "http://shop.localhost",
        "http://app/hooks",
        "http://user:pass@app/hooks",
        "http://127.0.0.1:3000",
        "http://10.1.2.3",
        "http://192.168.0.7:80",
        "http://[::1]:3000",
        "http://[fd00::1]",
    ] {
        PublicUrl::base(url).unwrap();
        PublicUrl::fixed(url).unwrap();
        assert_eq!(warnings(&lines), [""; 0], "{url}");
    }
    for (url, shown) in [
        ("http://warned.example", "http://warned.example"),
        ("Http://warned.example:8080/hooks/path-canary", "Http://warned.example:8080"),
        ("ws://warned.example", "ws://warned.example"),
        ("http://user:canary@warned-user.example/x", "warned-user.example"),
        ("http://203.0.113.9/x", "http://203.0.113.9"),
        ("http://[2001:db8::1]/x", "http://[2001:db8::1]"),
    ] {
        for _ in 0..3 {
            PublicUrl::base(url).unwrap();
            PublicUrl::fixed(url).unwrap();
        }
        let told = warnings(&lines);
        assert_eq!(told.len(), 1, "{url}: {told:?}");
        assert!(told[0].starts_with("- the public URL ") && told[0].contains(shown), "{told:?}");
        assert!(!told[0].contains("canary"), "{told:?}");
    }
}

#[test]
fn clocks_that_cannot_be_right_are_told_once() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let stripe = || SignatureLayer::new(Stripe::new(secret()).unwrap());
    let year = |years: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(31_556_952) * years;
    for clock in [Clock::system(), Clock::fixed(year(21)), Clock::fixed(year(129))] {
        let _service = stripe().clock(move || clock.now()).layer(Inner::default());
        assert_eq!(warnings(&lines), [""; 0]);
    }
    // A clock that is not used yet, and one that panics.
    let _layer = stripe().clock(SystemTime::UNIX_EPOCH);
    let _service = stripe().clock(|| panic!("the clock's")).layer(Inner::default());
    assert_eq!(warnings(&lines), [""; 0]);
    for clock in [SystemTime::UNIX_EPOCH, year(19), year(131)] {
        let _service = stripe().clock(clock).layer(Inner::default());
    }
    let told = warnings(&lines);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("stripe the clock shows a date before 1990"), "{told:?}");
}

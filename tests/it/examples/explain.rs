use std::ffi::OsString;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tower_webhook::explain::Cause;

use crate::support::{Sha1Mac, hmac_sha256, mac};

#[path = "../../../examples/explain.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

const KEY: &str = "made-up-secret";

/// The body that GitHub signed in these tests.
const BODY: &str = r#"{"zen": "Keep it logically awesome."}"#;

/// The same, written again.
const REWRITTEN: &str = r#"{"zen":"Keep it logically awesome."}"#;

fn signature() -> String {
    format!("sha256={}", hmac_sha256(KEY, BODY.as_bytes()))
}

fn raw(body: &str) -> String {
    let signature = signature();
    format!(
        "POST /hook HTTP/1.1\r\nHost: a.example\r\nX-Hub-Signature-256: {signature}\r\n\r\n{body}"
    )
}

fn parse(saved: impl AsRef<[u8]>) -> Request<Bytes> {
    example::saved::parse(saved.as_ref(), None).unwrap()
}

#[track_caller]
fn assert_unreadable(saved: impl AsRef<[u8]>, why: &str) {
    let error = example::saved::parse(saved.as_ref(), None).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

/// Runs the program, and returns its exit code, its output and its errors.
fn run(arguments: &[&str], secret: Option<&str>, input: &str) -> (u8, String, String) {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let variables = |name: &str| match name {
        "WEBHOOK_SECRET" => secret.map(OsString::from),
        "TEST_MODE" => Some("secret-of-test-mode".into()),
        _ => None,
    };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut input = input.as_bytes();
    let code = example::program(&arguments, &variables, &mut input, &mut output, &mut errors);
    (code, String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap())
}

/// Explains a request of GitHub from standard input.
fn explain(options: &[&str], saved: &str) -> (u8, String, String) {
    run(&[options, &["github", "-"]].concat(), Some(KEY), saved)
}

#[track_caller]
fn assert_unusable(arguments: &[&str], secret: Option<&str>, input: &str, why: &str) {
    let (code, output, errors) = run(arguments, secret, input);
    assert_eq!((code, &*output), (2, ""), "{errors}");
    assert!(errors.contains(why), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn raw_request_keeps_each_byte_of_its_body() {
    let body = b"a\r\nb\n\xff\0\r\n\r\n";
    for end in ["\r\n", "\n"] {
        let head = ["PUT /a?b=c HTTP/1.1", "Host: a.example", "X-A:  1 ", "x-a: \u{e9}", "", ""];
        let request = parse([head.join(end).as_bytes(), body].concat());
        assert_eq!((request.method().as_str(), &*request.uri().to_string()), ("PUT", "/a?b=c"));
        assert_eq!(request.headers()["host"], "a.example");
        let values: Vec<_> = request.headers().get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "\u{e9}"]);
        assert_eq!(request.body()[..], body[..]);
    }
}

#[test]
fn absolute_target_becomes_path_and_host() {
    let request = parse("POST https://user:pass@a.example:8443/hook?a HTTP/1.1\n\n");
    assert_eq!(request.uri(), "/hook?a");
    assert_eq!(request.headers()["host"], "a.example:8443");
}

#[test]
fn chunked_body_is_decoded() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
    let chunks = "4;name=value\r\nWi\r\n\r\nA\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\n";
    assert_eq!(parse(format!("{head}{chunks}")).body(), "Wi\r\n0123456789");
    assert_eq!(parse(format!("{head}2\nab\n0\n")).body(), "ab");
}

#[test]
fn broken_raw_request_is_unreadable() {
    assert_unreadable("POST / HTTP/1.1", "no blank line");
    assert_unreadable("POST / HTTP/1.1\nhost: a\n", "no blank line");
    assert_unreadable("POST  / HTTP/1.1\n\n", "request line");
    assert_unreadable("P@ST / HTTP/1.1\n\n", "method");
    assert_unreadable("POST /\u{7f} HTTP/1.1\n\n", "URL");
    assert_unreadable("POST / HTTP/1.1\nhost\n\n", "no colon");
    assert_unreadable("POST / HTTP/1.1\nho st: a\n\n", "invalid name");
    assert_unreadable("POST / HTTP/1.1\nx: a\x01b\n\n", "control character");
    let head = "POST / HTTP/1.1\ntransfer-encoding: chunked\n\n";
    for body in ["", "{}", "5\nab\n0\n", "2\nabc\n0\n", "2\nab\n", "ffffffffffffffff\nab", "\n"] {
        assert_unreadable(format!("{head}{body}"), "not `chunked`");
    }
    assert_unreadable("POST / HTTP/1.1\ntransfer-encoding: gzip\n\n", "other than `chunked`");
    let headers: String = (0..40_000).map(|at| format!("x-{at}: 1\n")).collect();
    assert_unreadable(format!("POST / HTTP/1.1\n{headers}\n"), "max size");
    assert_unreadable("", "neither");
    assert_unreadable("{\0", "JSON");
    assert_unreadable("curling", "neither");
}

#[test]
fn curl_line_of_browser_is_read_as_by_bash() {
    let request = parse(
        r#"curl 'https://a.example/hook?a=1&b=2' \
  -X 'PUT' \
  -H 'accept: */*' -H 'x-empty;' -H 'user-agent:' --unknown \
  -H 'content-type: application/json' \
  --data-raw $'{"a":"\u00e9\ud83d\ude00","b":"it\'s\n\x41\101\\n\u0021"}' \
  --compressed ;
curl 'https://b.example/' -X 'DELETE'"#,
    );
    assert_eq!((request.method().as_str(), &*request.uri().to_string()), ("PUT", "/hook?a=1&b=2"));
    assert_eq!(request.body(), "{\"a\":\"é😀\",\"b\":\"it's\nAA\\n!\"}");
    let headers = request.headers();
    assert_eq!(
        (&headers["host"], &headers["x-empty"]),
        (&"a.example".parse().unwrap(), &"".parse().unwrap())
    );
    assert_eq!(headers["content-type"], "application/json");
    assert!(!headers.contains_key("user-agent"));
}

#[test]
fn curl_line_of_send_is_read_as_by_bash() {
    let line =
        r#"curl -g -i -X POST 'http://a.example/' -H 'x-a: it'\''s' --data-raw '@it'\''s \n "1"'"#;
    let request = parse(format!("$ {line}\n"));
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/"));
    assert_eq!(request.headers()["x-a"], "it's");
    assert_eq!(request.body(), r#"@it's \n "1""#);
}

#[test]
fn curl_line_joins_its_data() {
    let line = "curl -sSXPOST -u anna:pass -A 'a b' --proxy http://p.example a.example/x?y\r\n  \
                -d a=\"1 \\\"\\$\\n\" --data 'b=2'\\\n3 | tee out";
    let request = parse(line);
    assert_eq!(request.uri(), "/x?y");
    assert_eq!(request.body(), "a=1 \"$\\n&b=23");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()["authorization"], "Basic YW5uYTpwYXNz");
    let request = parse("curl --url http://a.example --json '[1' --json ',2]'");
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/"));
    assert_eq!(request.body(), "[1,2]");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(parse("curl a.example").method(), "GET");
}

#[test]
fn broken_curl_line_is_unreadable() {
    for open in ["'", "\"", "$'", "\"\\\"", "$'\\'", "$'\\"] {
        assert_unreadable(format!("curl http://a.example -d {open}"), "not closed");
    }
    assert_unreadable("curl -X POST", "no URL");
    assert_unreadable("curl http://a.example -H", "-H of the `curl` line has no value");
    assert_unreadable("curl http://a.example -H 'a'", "no colon");
    assert_unreadable("curl http://a.example -d @file", "name of a file");
    assert_unreadable("curl http://a.example -sF a=b", "-F");
    assert_unreadable("curl http://a.example --data-urlencode a=b", "--data-urlencode");
    assert_unreadable("curl 'http://a b/'", "URL");
    assert_unreadable("curl ^\"http://a.example^\"", "cmd");
    assert_unreadable("curl http://a.example ^\r\n  -H \"a: b\"", "cmd");
    for escape in ["\\u", "\\xg", "\\U"] {
        assert_unreadable(format!("curl http://a.example -d $'{escape}'"), "no digits");
    }
    for escape in ["\\ud83d", "\\ud83d\\u0041", "\\ude00", "\\UFFFFFFFF"] {
        assert_unreadable(format!("curl http://a.example -d $'{escape}'"), "not a character");
    }
}

fn har(requests: &[Value]) -> String {
    let entries: Vec<_> = requests.iter().map(|request| json!({"request": request})).collect();
    format!("\u{feff}{}", json!({"log": {"version": "1.2", "entries": entries}}))
}

fn request_in_har(url: &str, body: &Value) -> Value {
    let headers = json!([{"name": ":method", "value": "POST"}, {"name": "X-A", "value": " é "}]);
    json!({"method": "POST", "url": url, "headers": headers, "postData": body})
}

#[test]
fn har_request_is_the_first_with_a_body() {
    let empty = request_in_har("https://a.example/empty", &json!({"text": ""}));
    let text = request_in_har("https://a.example/text?a", &json!({"text": "é\r\n"}));
    let base64 = json!({"text": "/wD+", "encoding": "base64"});
    let base64 = request_in_har("https://a.example/base64", &base64);
    let request = parse(har(&[empty.clone(), text.clone(), base64.clone()]));
    assert_eq!(request.uri(), "/text?a");
    assert_eq!(request.body(), "é\r\n");
    let headers: Vec<_> = request.headers().keys().collect();
    assert_eq!(headers, ["x-a", "host"]);
    assert_eq!(request.headers()["x-a"], "é");
    assert_eq!(parse(har(&[base64.clone(), text.clone()])).body()[..], b"\xff\0\xfe"[..]);
    // The URL selects a request; one that was recorded behind a tunnel has another URL.
    let har = har(&[empty, text, base64]);
    for (url, path) in [("base64", "/base64"), ("empty", "/empty"), ("public", "/text")] {
        let url = format!("https://a.example/{url}");
        let request = example::saved::parse(har.as_bytes(), Some(&url)).unwrap();
        assert_eq!(request.uri().path(), path);
    }
}

#[test]
fn broken_har_is_unreadable() {
    assert_unreadable("{\"log\":", "not JSON");
    assert_unreadable("{}", "no `log.entries`");
    assert_unreadable(r#"{"log":{"entries":{}}}"#, "no `log.entries`");
    assert_unreadable(har(&[]), "postData.text");
    assert_unreadable(har(&[json!(1), json!({"postData": {"text": 1}})]), "postData.text");
    let with_body = |body| har(&[request_in_har("https://a.example", &body)]);
    assert_unreadable(with_body(json!({"params": [{"name": "a"}]})), "postData.text");
    assert_unreadable(with_body(json!({"text": "a!", "encoding": "base64"})), "not base64");
    assert_unreadable(with_body(json!({"text": "a", "encoding": "hex"})), "other than base64");
    assert_unreadable(har(&[json!({"postData": {"text": "a"}})]), "method");
}

#[test]
fn cut_or_changed_request_never_panics() {
    let body = json!({"text": "YQ==", "encoding": "base64"});
    let samples = [
        format!("{}\r\n", raw(BODY)),
        "POST / HTTP/1.1\ntransfer-encoding: chunked\n\n2\nab\n0\n\n".to_owned(),
        r#"curl -XPOST 'http://a.example' -H "a: \"" --data-raw $'\ud83d\ude00\x41\7'"#.to_owned(),
        har(&[request_in_har("https://a.example", &body)]),
    ];
    for sample in samples.iter().map(String::as_bytes) {
        for at in 0..sample.len() {
            let _ = example::saved::parse(&sample[..at], None);
            for byte in [0, b'\n', b'\'', b'"', b'\\', b'-', b':', 0xff] {
                let mut changed = sample.to_vec();
                changed[at] = byte;
                let _ = example::saved::parse(&changed, None);
            }
        }
    }
}

#[test]
fn accepted_request_ends_with_0() {
    let (code, output, errors) = explain(&[], &raw(BODY));
    assert_eq!((code, &*errors), (0, ""));
    assert_eq!(output, "github: the request is accepted\n");
}

#[test]
fn rewritten_json_is_proven_and_ends_with_1() {
    let (code, output, errors) = explain(&[], &raw(REWRITTEN));
    assert_eq!((code, &*errors), (1, ""));
    assert!(output.starts_with("github: signature_mismatch, "), "{output}");
    assert!(output.contains("\n  json_rewritten (proven): "), "{output}");
}

#[test]
fn json_output_has_stable_names() {
    let (code, output, _) = explain(&["--json"], &raw(REWRITTEN));
    let mut found: Value = serde_json::from_str(&output).unwrap();
    let [tried, hashed] = ["tried", "hashed"].map(|name| found[name].take().as_u64());
    assert!(tried > Some(1) && hashed > Some(1), "{output}");
    let detail = found["findings"][0]["detail"].take();
    assert!(detail.as_str().is_some_and(|text| text.contains("the same JSON")), "{output}");
    let cause = Cause::JsonRewritten;
    let finding = json!({
        "cause": "json_rewritten", "strength": "proven", "detail": null,
        "description": cause.description(), "fix": cause.fix(),
        "guide": "troubleshooting#json_rewritten",
    });
    let all = json!({
        "provider": "github", "reason": "signature_mismatch", "accepted": false, "complete": true,
        "tried": null, "hashed": null, "findings": [finding],
    });
    assert_eq!((code, found), (1, all));

    let (code, output, _) = explain(&["--json"], &raw(BODY));
    let found: Value = serde_json::from_str(&output).unwrap();
    let all = json!({
        "provider": "github", "reason": null, "accepted": true, "complete": true,
        "tried": 1, "hashed": BODY.len(), "findings": [],
    });
    assert_eq!((code, found), (0, all));
}

#[test]
fn old_request_is_accepted_at_its_own_time() {
    let tag = hmac_sha256("whsec_made_up", b"1700000000.{}");
    let saved = format!("POST / HTTP/1.1\nstripe-signature: t=1700000000,v1={tag}\n\n{{}}");
    let now = ["--now", "1700000001", "stripe", "-"];
    assert_eq!(run(&now, Some("whsec_made_up"), &saved).0, 0);
    let (code, output, _) = run(&["stripe", "-"], Some("whsec_made_up"), &saved);
    assert_eq!(code, 1);
    assert!(output.contains("time_outside_tolerance (proven)"), "{output}");
    // The search goes on at the signed time.
    let (_, output, _) = run(&["stripe", "-"], Some("whsec_made_up"), &saved.replace("{}", "{ }"));
    assert!(output.contains("time_outside_tolerance (clue)"), "{output}");
    assert!(output.contains("json_rewritten (proven)"), "{output}");
}

#[test]
fn each_line_of_the_variable_is_a_secret() {
    for secrets in ["another-secret\n\nmade-up-secret\n", "made-up-secret\r\nanother-secret"] {
        assert_eq!(run(&["github", "-"], Some(secrets), &raw(BODY)).0, 0, "{secrets:?}");
    }
    let key = "-----BEGIN PUBLIC KEY-----\nnot a key\n-----END PUBLIC KEY-----";
    let two = format!("{key}\n{key}\n");
    let (_, _, errors) = run(&["github", "-"], Some(&two), &raw(BODY));
    // Each block is one value, so it is recognised as a public key.
    assert!(errors.contains("secret 1: ") && errors.contains("public key"), "{errors}");
}

#[test]
fn secret_of_another_name_is_proven() {
    let tag = hmac_sha256("secret-of-test-mode", BODY.as_bytes());
    let saved = format!("POST / HTTP/1.1\nx-hub-signature-256: sha256={tag}\n\n{BODY}");
    let (code, output, _) = explain(&["--also", "test=mode=TEST_MODE"], &saved);
    assert_eq!(code, 1);
    assert!(output.contains("secret_of_another (proven)"), "{output}");
    assert!(output.contains("\"test=mode\""), "{output}");
    let also = ["--also", "live=UNSET", "github", "-"];
    assert_unusable(&also, Some(KEY), &saved, "UNSET is not set");
}

#[test]
fn signed_url_is_needed_and_compared() {
    let token = "12345678901234567890123456789012";
    let saved = "POST /sms HTTP/1.1\ncontent-type: application/x-www-form-urlencoded\n\
                 x-twilio-signature: @\n\nBody=hello";
    let tag = mac::<Sha1Mac>(token.as_bytes(), b"https://a.example/smsBodyhello");
    let saved = saved.replace('@', &STANDARD.encode(tag));
    assert_unusable(&["twilio", "-"], Some(token), &saved, "twilio signs the URL");
    for url in ["https://a.example/sms", "https://a.example"] {
        let (code, output, _) = run(&["--url", url, "twilio", "-"], Some(token), &saved);
        assert_eq!(code, 0, "{output}");
    }
    let other = ["--url", "http://a.example/sms", "twilio", "-"];
    let (code, output, _) = run(&other, Some(token), &saved);
    assert_eq!(code, 1);
    assert!(output.contains("url_scheme (proven)"), "{output}");
    let relative = ["--url", "/sms", "twilio", "-"];
    assert_unusable(&relative, Some(token), &saved, "invalid public URL");
}

#[test]
fn missing_secret_is_asked_for() {
    let path = std::env::temp_dir().join(format!("tower-webhook-explain-{}", std::process::id()));
    std::fs::write(&path, raw(BODY)).unwrap();
    let file = path.to_str().unwrap();
    let (code, output, errors) = run(&["github", file], None, "made-up-secret\n");
    let missing = run(&["github", file], None, "");
    std::fs::remove_file(&path).unwrap();
    assert_eq!((code, &*output), (0, "github: the request is accepted\n"));
    assert!(errors.contains("secret of GitHub, shown as you type"), "{errors}");
    assert_eq!(missing.0, 2);
    assert!(missing.2.contains("missing secret"), "{}", missing.2);
    assert_unusable(&["github", "-"], None, &raw(BODY), "WEBHOOK_SECRET is not set");
    assert_unusable(&["github", file], Some(KEY), "", file);
}

#[test]
fn wrong_usage_ends_with_2() {
    let request = raw(BODY);
    let unusable =
        |arguments: &[&str], why: &str| assert_unusable(arguments, Some(KEY), &request, why);
    unusable(&[], "expected a provider and a file");
    unusable(&["github", "-", "a-secret"], "expected a provider and a file");
    unusable(&["git_hub", "-"], "did you mean `github`?");
    unusable(&["github", "-", "--url"], "--url needs a value");
    unusable(&["github", "-", "--secret=made-up"], "unknown option --secret;");
    for time in ["", "-1", "now", "18446744073709551615", "99999999999999999999"] {
        unusable(&["github", "-", "--now", time], "--now needs Unix seconds");
    }
    unusable(&["github", "-", "--also", "test"], "--also needs NAME=VARIABLE");
    assert_unusable(&["github", "-"], Some(KEY), "{}", "-: the HAR file");
    assert_unusable(&["github", "-"], Some("\"quoted\""), &request, "invalid secret");
    let (code, output, _) = run(&["--help"], None, "");
    assert_eq!(code, 0);
    assert!(output.starts_with("explain [options] PROVIDER FILE"), "{output}");
}

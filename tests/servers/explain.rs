//! Explanations behind a real nginx, and of JSON that real programs have written again.

use std::{
    process::{Command, Stdio},
    time::{Duration, UNIX_EPOCH},
};

use axum::{Router, body::to_bytes, extract::Request as AxumRequest};
use bytes::Bytes;
use http::{Request, request::Parts};
use tokio::sync::mpsc;
use tower_webhook::{
    PublicUrl, Verifier,
    explain::{Cause, Effort, Explainer, Explanation},
    providers::{GitHub, Square, Twilio},
    sign::{Sign, signed},
};

use crate::{
    net::{self, Raw, within},
    nginx::Nginx,
    support::secret,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// No test depends on speed.
fn explain<V: Verifier>(verifier: &V, head: &Parts, body: &Bytes) -> Explanation {
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort).explain(verifier, head, body)
}

/// Sends a request through nginx, and returns what arrives at the server behind it.
async fn through(
    location: &str,
    target: &str,
    host: &str,
    head: &Parts,
    body: &str,
) -> (Parts, Bytes) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let router = Router::new().fallback(move |request: AxumRequest| {
        let sender = sender.clone();
        async move {
            let (head, body) = request.into_parts();
            sender.send((head, to_bytes(body, 1 << 20).await.unwrap())).unwrap();
        }
    });
    let nginx = Nginx::start(&[net::serve_axum(router).await], "", location).await;
    let headers = head.headers.iter().map(|(name, value)| (name, value.to_str().unwrap()));
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut raw = Raw::connect(nginx.address).await;
    raw.send(format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    within(raw.answer_or_end()).await;
    within(receiver.recv()).await.unwrap()
}

/// Signs a request for a URL, sends it through nginx, and explains why the configured URL does not fit.
async fn cause<V: Sign>(
    provider: impl Fn(PublicUrl) -> V,
    (signed_url, configured): (&str, &str),
    location: &str,
) -> Explanation {
    let signer = provider(PublicUrl::fixed(signed_url).unwrap());
    let (_, rest) = signed_url.split_once("://").unwrap();
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    let request = Request::post(target).header("content-type", FORM).body("a=1").unwrap();
    let (head, body) = signed(&signer, request, UNIX_EPOCH).unwrap().into_parts();
    let body = str::from_utf8(&body).unwrap();
    let (head, body) = through(location, target, host, &head, body).await;
    explain(&provider(PublicUrl::base(configured).unwrap()), &head, &body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn url_behind_nginx_is_explained() {
    const HOST: &str =
        "location / { proxy_set_header X-Forwarded-Host $host; proxy_pass http://servers; }";
    const PREFIX: &str =
        "location /api/ { proxy_set_header X-Forwarded-Prefix /api; proxy_pass http://servers/; }";
    const SLASH: &str = "location / { rewrite ^(/.+)/$ $1 break; proxy_pass http://servers; }";
    const QUERY: &str = "location / { proxy_set_header X-Original-URI $request_uri; rewrite ^(.*)$ $1? break; proxy_pass http://servers; }";
    const DECODED: &str =
        "location / { proxy_set_header X-Original-URI $request_uri; proxy_pass http://servers/; }";
    const PLAIN: &str = "location / { proxy_pass http://servers; }";
    let url = "https://hooks.example/api/hook?a=b&c=d";
    let slash = "https://hooks.example/hook/?a=b";
    for (name, urls, location, expected) in [
        ("scheme", (url, "http://hooks.example"), PLAIN, Cause::UrlScheme),
        ("port", (url, "https://hooks.example:3000"), PLAIN, Cause::UrlPort),
        ("host", (url, "https://internal.example"), HOST, Cause::UrlHost),
        ("prefix", (url, "https://hooks.example"), PREFIX, Cause::UrlPath),
        ("slash", (slash, "https://hooks.example"), SLASH, Cause::UrlTrailingSlash),
        ("query", (url, "https://hooks.example"), QUERY, Cause::UrlQuery),
        (
            "path",
            ("https://hooks.example/h%7Eook", "https://hooks.example"),
            DECODED,
            Cause::UrlPath,
        ),
    ] {
        let twilio = cause(|url| Twilio::new(secret(), url).unwrap(), urls, location).await;
        // Twilio's verifier accepts the URL with and without its port.
        let of_twilio = (expected != Cause::UrlPort).then_some(expected);
        assert_eq!(twilio.proven(), of_twilio, "{name}: {twilio}");
        let square = cause(|url| Square::new(secret(), url).unwrap(), urls, location).await;
        assert_eq!(square.proven(), Some(expected), "{name}: {square}");
    }
}

/// Runs a program with a text on its input, and returns its output.
fn run(program: &str, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;

    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{program} is not installed: {why}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

const DOCUMENTS: [&str; 6] = [
    r#"{"id":"evt_1","amount":1999,"currency":"eur","livemode":false,"data":{"object":null}}"#,
    r#"{"text":"Grüße 🎉 <b>&amp;</b> it's a \"test\" / path","list":[],"map":{},"n":[1,2,[3]]}"#,
    r#"[{"a":"\u0001\t\n\r\\"},{"b":"\u007f \u2028 end"},{"c":{"d":{"e":[true,false]}}}]"#,
    r#"{"object":"page","entry":[{"id":"0","time":1700000000,"messaging":[{"text":"h\u00e4"}]}]}"#,
    r#"{"url":"https://example.com/a?b=c&d=e","email":"a+b@example.com","html":"<a href='x'>"}"#,
    r#"{"empty":"","zero":0,"minus":-1,"float":0.5,"text":"日本語テキスト"}"#,
];

/// Python's and Node's writers.
const WRITERS: [(&str, &[&str]); 6] = [
    ("python3", &["-c", "import json,sys; sys.stdout.write(json.dumps(json.load(sys.stdin)))"]),
    (
        "python3",
        &[
            "-c",
            "import json,sys; sys.stdout.write(json.dumps(json.load(sys.stdin),separators=(',',':')))",
        ],
    ),
    (
        "python3",
        &[
            "-c",
            "import json,sys; sys.stdout.buffer.write(json.dumps(json.load(sys.stdin),ensure_ascii=False,indent=2).encode())",
        ],
    ),
    ("python3", &["-c", "import json,sys; print(json.dumps(json.load(sys.stdin),indent=4))"]),
    (
        "node",
        &[
            "-e",
            "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0,'utf8'))))",
        ],
    ),
    (
        "node",
        &[
            "-e",
            "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0,'utf8')),null,2))",
        ],
    ),
];

#[test]
fn json_rewritten_by_real_writers_is_proven() {
    let github = GitHub::new(secret()).unwrap();
    for document in DOCUMENTS {
        let written = WRITERS.map(|(program, arguments)| run(program, arguments, document));
        for sent in &written {
            let request = Request::post("/").body(sent.clone()).unwrap();
            let (head, _) = signed(&github, request, UNIX_EPOCH).unwrap().into_parts();
            for received in written.iter().filter(|received| *received != sent) {
                let explanation = explain(&github, &head, &Bytes::from(received.clone()));
                let is_known = matches!(
                    explanation.proven(),
                    Some(Cause::JsonRewritten | Cause::FinalNewline | Cause::WhiteSpace)
                );
                assert!(is_known, "{sent}\n{received}\n{explanation}");
            }
        }
    }
}

//! Early responses through a real nginx, in front of two servers, and URLs that are signed.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, UNIX_EPOCH},
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use tokio::task::JoinSet;
use tower_webhook::{
    Context, Outcome, PublicUrl, Rejection, RejectionKind, SignatureLayer, Verified, Verifier,
    layer::Drain,
    providers::{Meta, Slack, Square, Trello, Twilio},
    sign::{Sign, signed},
};

use crate::{
    delivery_log::TempDir,
    net::{self, Raw, within},
    support::{meta_signature, secret},
};

/// nginx's limit unless set is 1 MiB too.
const SIZES: [usize; 4] = [20_000, 100_000, 900_000, 1 << 20];

/// The ways to pass a request on: as nginx has it unless set, unbuffered, and by kept connections.
const WAYS: [(&str, &str, &str); 3] = [
    ("default", "", ""),
    ("unbuffered", "", "proxy_request_buffering off; proxy_http_version 1.1;"),
    ("keepalive", "keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection \"\";"),
];

pub(crate) struct Nginx {
    child: Child,
    _directory: TempDir,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    pub(crate) async fn start(servers: &[SocketAddr], upstream: &str, location: &str) -> Self {
        // Another process may take the port in between.
        for _ in 0..20 {
            let (listener, address) = net::listen().await;
            drop(listener);
            let nginx = Self::start_at(address, servers, upstream, location);
            for _ in 0..500 {
                if tokio::net::TcpStream::connect(address).await.is_ok() {
                    return nginx;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("nginx does not start");
    }

    fn start_at(
        address: SocketAddr,
        servers: &[SocketAddr],
        upstream: &str,
        location: &str,
    ) -> Self {
        let directory = TempDir::new();
        let servers: String = servers.iter().map(|server| format!("server {server};")).collect();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;
             events {{ worker_connections 512; }}
             http {{
                 access_log off; {temporary}
                 upstream servers {{ {servers} {upstream} }}
                 server {{
                     listen {address};
                     {location}
                 }}
             }}"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        // Debian keeps it out of the path of users.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("nginx")
            .env("PATH", path)
            .args(["-p", directory.path().to_str().unwrap(), "-e", "stderr", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed: apt-get install nginx");
        Self { child, _directory: directory, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn handled() -> &'static str {
    "handled"
}

/// A path for each kind of early response, and its status.
const EARLY: [(&str, StatusCode); 7] = [
    ("/meta", StatusCode::FORBIDDEN),
    ("/slack", StatusCode::FORBIDDEN),
    ("/unknown", StatusCode::FORBIDDEN),
    ("/down", StatusCode::SERVICE_UNAVAILABLE),
    ("/large", StatusCode::PAYLOAD_TOO_LARGE),
    ("/panic", StatusCode::INTERNAL_SERVER_ERROR),
    ("/forged", StatusCode::FORBIDDEN),
];

fn router(drain: Drain) -> Router {
    let refused = |kind| {
        SignatureLayer::by_head(
            move |_: &Parts| async move { Err::<Meta, _>(Rejection::new(kind)) },
        )
    };
    let meta = || SignatureLayer::new(Meta::new(secret()).unwrap()).drain(drain);
    let slack = SignatureLayer::new(Slack::new(secret()).unwrap()).drain(drain);
    let unknown = refused(RejectionKind::UnknownTenant).drain(drain);
    let down = refused(RejectionKind::VerifierUnavailable).drain(drain);
    Router::new()
        .route("/meta", post(handled).layer(meta()))
        .route("/forged", post(handled).layer(meta()))
        .route("/slack", post(handled).layer(slack))
        .route("/unknown", post(handled).layer(unknown))
        .route("/down", post(handled).layer(down))
        .route("/large", post(handled).layer(meta().body_limit(1000)))
        .route("/panic", post(handled).layer(SignatureLayer::new(Panics).drain(drain)))
}

/// A verifier with a bug.
#[derive(Clone)]
struct Panics;

impl Verifier for Panics {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        std::panic::resume_unwind(Box::new("as it should"))
    }

    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new("panics").into())
    }
}

/// The status of a request with this body, which is written to its end before the answer is read.
async fn status(nginx: SocketAddr, path: &str, body: &[u8]) -> StatusCode {
    let signature = match path {
        // A head that can be genuine, of another body.
        "/forged" => meta_signature(b"another body"),
        "/genuine" | "/large" => meta_signature(body),
        _ => String::new(),
    };
    let path = if path == "/genuine" { "/meta" } else { path };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: {signature}\r\n\
         X-Slack-Signature: v0={zeros}\r\nX-Slack-Request-Timestamp: 1000000000\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len(),
        zeros = "0".repeat(64),
    );
    let mut raw = Raw::connect(nginx).await;
    raw.send(head).await;
    raw.offer(body).await;
    match within(raw.answer_or_end()).await {
        Some(response) => response.status(),
        None => StatusCode::BAD_GATEWAY,
    }
}

/// Sends early-answered requests, four at a time, beside genuine ones. Returns how many of each
/// were lost.
async fn lost(drain: Drain, upstream: &str, location: &str) -> (usize, usize) {
    let servers = [(); 2].map(|()| net::serve_axum(router(drain)));
    let [first, second] = servers;
    let servers = [first.await, second.await];
    let location = format!("location / {{ proxy_pass http://servers; {location} }}");
    let nginx = Nginx::start(&servers, upstream, &location).await;
    let address = nginx.address;

    let mut strangers = JoinSet::new();
    for lane in 0..4 {
        strangers.spawn(async move {
            let mut lost = 0;
            for turn in 0..SIZES.len() * EARLY.len() {
                let (path, expected) = EARLY[(turn + lane) % EARLY.len()];
                let body = vec![b'x'; SIZES[turn % SIZES.len()]];
                lost += usize::from(status(address, path, &body).await != expected);
            }
            lost
        });
    }
    let (mut early, mut genuine) = (0, 0);
    while !strangers.is_empty() {
        let body = [b'x'; 20_000];
        genuine += usize::from(status(address, "/genuine", &body).await != StatusCode::OK);
        while let Some(lost) = strangers.try_join_next() {
            early += lost.unwrap();
        }
    }
    (early, genuine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_responses_arrive_and_take_no_server_out() {
    for (name, upstream, location) in WAYS {
        assert_eq!(lost(Drain::new(), upstream, location).await, (0, 0), "{name}");
    }
    // The test sees the fault: without the drain, answers are lost, and genuine deliveries too.
    let (_, upstream, location) = WAYS[2];
    let (early, genuine) = lost(Drain::new().max_bytes(0), upstream, location).await;
    assert!(early > 0 && genuine > 0, "{early} and {genuine}");
}

const FORM: &str = "application/x-www-form-urlencoded";
const TARGETS: [&str; 9] = [
    "/hook?a=b&c=%2F",
    "/",
    "/hook?",
    "/h%7Eook",
    "/a%2Fb?q=a+b%20c'",
    "/a//b",
    "/a/./b",
    "/hook%20a",
    "/hook;v=1?u=https://a.example//b/../c",
];

/// Signs a request for each target, sends it with the prefix that nginx takes off, and returns those that
/// are refused.
async fn refused<V>(provider: V, location: &str) -> Vec<&'static str>
where
    V: Sign + Clone + Send + Sync + 'static,
    V::State: Send,
{
    let layer = SignatureLayer::new(provider.clone());
    let router = Router::new().fallback_service(post(handled).layer(layer));
    let nginx = Nginx::start(&[net::serve_axum(router).await], "", location).await;
    let mut refused = Vec::new();
    for target in TARGETS {
        let request = Request::post(target).header("content-type", FORM).body("a=1").unwrap();
        let (head, body) = signed(&provider, request, UNIX_EPOCH).unwrap().into_parts();
        let headers = head.headers.iter().map(|(name, value)| (name, value.to_str().unwrap()));
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut raw = Raw::connect(nginx.address).await;
        let body = str::from_utf8(&body).unwrap();
        raw.send(format!(
            "POST /api{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        let response = within(raw.answer_or_end()).await;
        if response.is_none_or(|response| response.status() != StatusCode::OK) {
            refused.push(target);
        }
    }
    refused
}

/// With the lines of the page "Behind a proxy" each URL is what was signed. With a path in `proxy_pass`
/// some are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn url_with_removed_prefix_keeps_its_signed_bytes() {
    const RAW: &str = "location /api/ {
        rewrite ^ $request_uri;
        rewrite ^/api(/.*)$ $1 break;
        return 400;
        proxy_pass http://servers$uri;
    }";
    const DECODED: &str = "location /api/ { proxy_pass http://servers/; }";
    let url = || PublicUrl::base("https://hooks.example/api").unwrap();
    for (location, changed) in
        [(RAW, &[][..]), (DECODED, &["/hook?", "/h%7Eook", "/a%2Fb?q=a+b%20c'", "/a//b", "/a/./b"])]
    {
        assert_eq!(refused(Twilio::new(secret(), url()).unwrap(), location).await, changed);
        assert_eq!(refused(Square::new(secret(), url()).unwrap(), location).await, changed);
        assert_eq!(refused(Trello::new(secret(), url()).unwrap(), location).await, changed);
    }
}

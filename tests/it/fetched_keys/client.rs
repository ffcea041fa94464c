//! The ready client against real servers on this machine: those that fail, lie, redirect, never end.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request, response::Redirect, routing::get};
use http::{HeaderMap, StatusCode, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tower_webhook::{
    RejectionKind, Secret,
    fetched_keys::{KeyClient, KeyDocument, KeyFetcher, KeyRequest},
};

use super::{
    CIRCLE_ID, GITHUB_ID, circle_key, circle_layer, from_circle, from_github, github_layer,
    github_list, uuid,
};
use crate::{
    net::{listen, within},
    support::{BoxError, SetClock, assert_refused_with, send},
};

const GITHUB_PATH: &str = "/meta/public_keys/secret_scanning";
const RETRY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// A fetcher that sends the requests to this address instead of the provider's host.
fn fetcher(address: SocketAddr) -> KeyFetcher {
    let client = KeyClient::new().unwrap();
    KeyFetcher::new(move |request: KeyRequest| {
        let client = client.clone();
        let (_, path) = request.url().split_once(".com").unwrap();
        let request = KeyRequest::new(format!("http://{address}{path}"));
        async move { Ok::<_, BoxError>(client.fetch(&request).await?) }
    })
    .clock(SetClock::new().now())
}

pub(super) async fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A server that responds to each request with these bytes, and then repeats the last ones forever.
async fn serve_raw(start: &'static str, forever: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listen().await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                _ = stream.read(&mut [0; 4096]).await;
                _ = stream.write_all(start.as_bytes()).await;
                while !forever.is_empty() && stream.write_all(forever.as_bytes()).await.is_ok() {
                    count.fetch_add(forever.len(), Ordering::SeqCst);
                }
            });
        }
    });
    (address, written)
}

async fn status(fetcher: &KeyFetcher) -> StatusCode {
    let layer = github_layer(fetcher);
    within(send(&layer, from_github(GITHUB_ID))).await.0.status()
}

#[tokio::test]
async fn key_of_a_real_server_is_used() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let list = get(move |headers: HeaderMap| {
        seen.lock().unwrap().push(headers);
        async { github_list(&[GITHUB_ID]) }
    });
    let address = serve(Router::new().route(GITHUB_PATH, list)).await;
    let layer = github_layer(&fetcher(address));
    for id in [GITHUB_ID, &"0".repeat(64), GITHUB_ID] {
        let found = send(&layer, from_github(id)).await.0.status();
        assert_eq!(found == StatusCode::OK, id == GITHUB_ID);
    }
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), 1);
    assert!(calls[0][header::USER_AGENT].to_str().unwrap().starts_with("tower-webhook/"));
    assert!(!calls[0].contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let followed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&followed);
    let target = get(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { github_list(&[GITHUB_ID]) }
    });
    for redirect in [Redirect::permanent, Redirect::temporary, Redirect::to] {
        let router = Router::new()
            .route(GITHUB_PATH, get(move || async move { redirect("/other") }))
            .route("/other", target.clone());
        assert_eq!(status(&fetcher(serve(router).await)).await, RETRY);
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn endless_response_is_cut() {
    for start in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 262145\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let forever = if start.contains("chunked") { "4\r\n    \r\n" } else { "        " };
        let (address, written) = serve_raw(start, forever).await;
        let client = KeyClient::new().unwrap();
        let request = KeyRequest::new(format!("http://{address}/"));
        let error = within(client.fetch(&request)).await.unwrap_err().to_string();
        assert_eq!(error, "the response is longer than 262144 bytes");
        // What the sockets hold beyond the maximum is a few megabytes at most.
        assert!(written.load(Ordering::SeqCst) < 32 << 20);
        assert_eq!(status(&fetcher(address)).await, RETRY);
    }
}

#[tokio::test]
async fn longest_response_is_read() {
    let list = github_list(&[GITHUB_ID]);
    let padding = |len: usize| list.clone() + &" ".repeat(len - list.len());
    for (body, expected) in [
        (padding(KeyDocument::MAX_LEN), StatusCode::OK),
        (padding(KeyDocument::MAX_LEN + 1), RETRY),
    ] {
        let router = Router::new().route(GITHUB_PATH, get(move || async { body }));
        assert_eq!(status(&fetcher(serve(router).await)).await, expected);
    }
}

#[tokio::test]
async fn failing_server_is_no_verdict() {
    for start in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "not HTTP\r\n\r\n",
        "",
    ] {
        let (address, _) = serve_raw(start, "").await;
        let layer = circle_layer(&fetcher(address));
        let answer = within(send(&layer, from_circle(CIRCLE_ID))).await;
        assert_refused_with(start, RETRY, RejectionKind::VerifierUnavailable, &answer);
        // Whatever the document would be.
        let request = KeyRequest::new(format!("http://{address}/"));
        assert!(within(KeyClient::new().unwrap().fetch(&request)).await.is_err(), "{start}");
    }
    // Nobody listens there any more.
    let (listener, address) = listen().await;
    drop(listener);
    assert_eq!(status(&fetcher(address)).await, RETRY);
}

#[tokio::test]
async fn missing_document_is_a_verdict() {
    for start in ["HTTP/1.1 404 Not Found\r\n", "HTTP/1.1 410 Gone\r\n"] {
        let start = format!("{start}content-length: 0\r\n\r\n").leak();
        let (address, _) = serve_raw(start, "").await;
        let answer = send(&circle_layer(&fetcher(address)), from_circle(CIRCLE_ID)).await;
        assert_refused_with(start, StatusCode::FORBIDDEN, RejectionKind::UnknownKey, &answer);
        // A list is never missing.
        assert_eq!(status(&fetcher(address)).await, RETRY);
    }
}

#[tokio::test]
async fn silent_server_does_not_hold_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fetcher = fetcher(listener.local_addr().unwrap()).time_limit(Duration::from_millis(20));
    assert_eq!(status(&fetcher).await, RETRY);
    // A byte now and then is not a response, either.
    let (address, _) = serve_raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{", "").await;
    assert_eq!(status(&self::fetcher(address).time_limit(Duration::from_millis(20))).await, RETRY);
}

#[tokio::test]
async fn only_https_or_this_machine_is_connected_to() {
    let client = KeyClient::new().unwrap();
    for url in [
        "http://api.github.com/",
        "http://localhost/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::ffff:10.0.0.1]/",
        "http://127.0.0.1.example.com/",
        "https://user@api.github.com/",
        "https://:secret@api.github.com/",
        "http://user@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "data:,{}",
        "127.0.0.1",
        "",
    ] {
        let error = client.fetch(&KeyRequest::new(url)).await.unwrap_err().to_string();
        assert!(error.starts_with("the URL of the keys is not allowed"), "{url}: {error}");
    }
    // This machine does not speak TLS there.
    let (address, _) = serve_raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "").await;
    let request = KeyRequest::new(format!("https://{address}/"));
    let error = client.fetch(&request).await.unwrap_err();
    assert_eq!(error.to_string(), "the request for the keys failed");
    assert!(std::error::Error::source(&error).is_some());
}

/// In a process of its own, because the environment is that of the process.
#[tokio::test]
async fn proxy_of_the_environment_is_used() {
    const CHILD: &str = "TOWER_WEBHOOK_CHILD_OF_A_TEST";
    if std::env::var_os(CHILD).is_some() {
        let request = KeyRequest::new("https://keys.example/a");
        assert!(KeyClient::new().unwrap().fetch(&request).await.is_err());
        return;
    }
    let (listener, address) = listen().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let len = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..len]).into_owned()
    });
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "fetched_keys::client::proxy_of_the_environment_is_used"]);
    child.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("https_proxy");
    child.env(CHILD, "1").env("HTTPS_PROXY", format!("http://{address}"));
    let output = within(child.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let request = within(proxy).await.unwrap();
    assert!(request.starts_with("CONNECT keys.example:443 "), "{request}");
}

#[tokio::test]
async fn token_is_sent_to_its_host_alone() {
    let echo = get(|headers: HeaderMap| async move {
        let token = headers.get(header::AUTHORIZATION);
        token.map_or_else(String::new, |token| token.to_str().unwrap().to_owned())
    });
    let address = serve(Router::new().route("/", echo)).await;
    let secret = |text: &str| Secret::new(text).unwrap();
    let client = KeyClient::new().unwrap();
    let client = client.bearer_token("127.0.0.1", &secret("first-made-up-token")).unwrap();
    let client = client.bearer_token("api.circle.com", &secret("other-made-up-token")).unwrap();
    let client = client.bearer_token("127.0.0.1", &secret("second-made-up-token")).unwrap();
    let request = KeyRequest::new(format!("http://{address}/"));
    let document = format!("{:?}", client.fetch(&request).await.unwrap().unwrap());
    assert!(document.contains("Bearer second-made-up-token"), "{document}");
    assert!(!format!("{client:?}").contains("made-up"), "{client:?}");

    let other = KeyClient::new().unwrap();
    let other = other.bearer_token("localhost", &secret("first-made-up-token")).unwrap();
    let document = format!("{:?}", other.fetch(&request).await.unwrap().unwrap());
    assert!(!document.contains("made-up"), "{document}");

    for host in
        ["", "https://a.example", "a.example:443", "a.example/b", "A.example", "u@a.example"]
    {
        let error = other.clone().bearer_token(host, &secret("first-made-up-token")).unwrap_err();
        assert!(error.to_string().contains("pass the host alone"), "{host}: {error}");
    }
    let error = other.bearer_token("a.example", &secret("made-up\ntoken-with-a-line")).unwrap_err();
    assert!(error.to_string().contains("a header cannot have"), "{error}");
}

#[tokio::test]
async fn freshness_of_a_response_is_taken_over() {
    for (cache_control, age, expected) in [
        ("public, max-age=22341, must-revalidate", "", "Some(22341s)"),
        ("Max-Age=60", "10", "Some(50s)"),
        ("max-age=\"60\"", "61", "Some(0ns)"),
        ("max-age=-1", "", "None"),
        ("max-age=x", "", "None"),
        ("s-maxage=60", "", "None"),
        ("", "", "None"),
    ] {
        let headers = [(header::CACHE_CONTROL, cache_control), (header::AGE, age)];
        let router = Router::new().route("/", get(move || async move { (headers, "{}") }));
        let address = serve(router).await;
        let request = KeyRequest::new(format!("http://{address}/"));
        let document = KeyClient::new().unwrap().fetch(&request).await.unwrap().unwrap();
        let document = format!("{document:?}");
        assert!(document.contains(&format!("max_age: {expected}")), "{cache_control}: {document}");
    }
}

/// A server with one key, under 10,000 unknown IDs, of which many arrive at once.
#[tokio::test]
async fn unknown_ids_reach_a_real_server_a_few_times() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let key = move |request: Request| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            match request.uri().path().ends_with(CIRCLE_ID) {
                true => Ok(circle_key(CIRCLE_ID)),
                false => Err(StatusCode::NOT_FOUND),
            }
        }
    };
    let address = serve(Router::new().fallback(key)).await;
    let layer = circle_layer(&fetcher(address));
    let genuine = async || within(send(&layer, from_circle(CIRCLE_ID))).await.0.status();
    assert_eq!(genuine().await, StatusCode::OK);
    let mut forged = 0;
    for round in 0..100 {
        let mut requests = JoinSet::new();
        for number in 0..100 {
            let (layer, id) = (layer.clone(), uuid(100 * round + number));
            requests.spawn(async move { send(&layer, from_circle(&id)).await.0.status() });
        }
        let found = within(requests.join_all()).await;
        forged += found.iter().filter(|status| **status == StatusCode::FORBIDDEN).count();
        assert!(!found.contains(&StatusCode::OK));
        assert_eq!(genuine().await, StatusCode::OK);
    }
    assert_eq!((forged, calls.load(Ordering::SeqCst)), (100, 101));
}

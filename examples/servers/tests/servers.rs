//! Sends genuine and forged webhooks to each server.

use std::{future::Future, io, net::SocketAddr, time::SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lambda_http::{IntoResponse, Service};
use servers_example::{axum07, lambda, poem, salvo, warp};
use tokio::net::{TcpListener, TcpStream};
use tower_webhook::{
    providers::{BoxVerifier, GitHub, Slack},
    sign::{Sign, signed},
};

const SECRET: &str = "It's a Secret to Everybody";
const BODY: &str = "Hello, World!";

fn github() -> GitHub {
    GitHub::new(SECRET).unwrap()
}

fn unsigned(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/github").header(header::HOST, "localhost").body(body.into()).unwrap()
}

fn genuine(signer: &impl Sign, body: impl Into<Bytes>) -> Request<Bytes> {
    signed(signer, unsigned(body), SystemTime::now()).unwrap()
}

async fn send(address: SocketAddr, request: Request<Bytes>) -> (StatusCode, Bytes) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request.map(Full::new)).await.unwrap().into_parts();
    (head.status, body.collect().await.unwrap().to_bytes())
}

async fn start<V, S>(serve: impl FnOnce(TcpListener, V) -> S, verifier: V) -> SocketAddr
where
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, verifier));
    address
}

/// Sends an authentic webhook, one that is longer than the servers' own limits, and forged ones.
async fn accepts_authentic_webhooks_only(address: SocketAddr) {
    let accepted = send(address, genuine(&github(), BODY)).await;
    assert_eq!(accepted, (StatusCode::OK, "github: 13 bytes".into()));
    let accepted = send(address, genuine(&github(), vec![b'x'; 3 << 20])).await;
    assert_eq!(accepted, (StatusCode::OK, "github: 3145728 bytes".into()));

    let rejected = (StatusCode::FORBIDDEN, Bytes::new());
    assert_eq!(send(address, unsigned(BODY)).await, rejected);
    let forged = genuine(&github(), BODY).map(|_| Bytes::from("Hello, world!"));
    assert_eq!(send(address, forged).await, rejected);
}

#[tokio::test]
async fn axum07() {
    accepts_authentic_webhooks_only(start(axum07::serve, github()).await).await;
}

#[tokio::test]
async fn warp() {
    accepts_authentic_webhooks_only(start(warp::serve, github()).await).await;
}

#[tokio::test]
async fn salvo() {
    accepts_authentic_webhooks_only(start(salvo::serve, github()).await).await;
}

#[tokio::test]
async fn poem() {
    let address = start(poem::serve, BoxVerifier::new(github())).await;
    accepts_authentic_webhooks_only(address).await;
}

#[tokio::test]
async fn poem_responds_to_a_signed_challenge() {
    let slack = Slack::new(SECRET).unwrap();
    let address = start(poem::serve, BoxVerifier::new(slack.clone())).await;
    let challenge = genuine(&slack, r#"{"type":"url_verification","challenge":"a1"}"#);
    assert_eq!(send(address, challenge).await, (StatusCode::OK, "a1".into()));
}

/// Returns the request of an event of an HTTP API, with GitHub's published signature of [`BODY`].
fn event(body: &str, is_base64: bool) -> lambda_http::Request {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let event = format!(
        r#"{{
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/github",
            "rawQueryString": "",
            "headers": {{
                "host": "id.execute-api.us-east-1.amazonaws.com",
                "x-hub-signature-256": "{signature}"
            }},
            "requestContext": {{
                "http": {{ "method": "POST", "path": "/github", "protocol": "HTTP/1.1" }},
                "stage": "$default",
                "timeEpoch": 1588804615616
            }},
            "body": "{body}",
            "isBase64Encoded": {is_base64}
        }}"#
    );
    lambda_http::request::from_str(&event).unwrap()
}

#[tokio::test]
async fn lambda() {
    let encoded = "SGVsbG8sIFdvcmxkIQ==";
    let mut unsigned = event(encoded, true);
    unsigned.headers_mut().remove("x-hub-signature-256").unwrap();
    let mut service = lambda::service(github());
    for (request, status, answer) in [
        (event(encoded, true), StatusCode::OK, "github: 13 bytes"),
        (event(BODY, false), StatusCode::OK, "github: 13 bytes"),
        (event(encoded, false), StatusCode::FORBIDDEN, ""),
        (unsigned, StatusCode::FORBIDDEN, ""),
    ] {
        let response = service.call(request).await.unwrap().into_response().await;
        assert_eq!((response.status(), &**response.body()), (status, answer.as_bytes()));
    }
}

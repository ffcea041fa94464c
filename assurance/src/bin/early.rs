//! The server under test of `scripts/proxies`: a route for each kind of answer that the layer gives
//! before the end of the body; every other path is verified by the signed URL. HTTP/1 and HTTP/2
//! without TLS on one port.

use std::{
    convert::Infallible,
    env,
    future::{pending, ready},
    io::{Read, Write, stdin, stdout},
    net::Ipv4Addr,
    panic,
    pin::Pin,
    process::exit,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodRouter, any},
};
use bytes::Bytes;
use http::{HeaderValue, header, request::Parts};
use http_body::Frame;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Outcome, PublicUrl, Rejection, Secret, SignatureLayer, Verifier,
    layer::{ByHead, TrustedProxies},
    providers::{self, Meta, MicrosoftGraph, Slack, Twilio},
};

/// `scripts/proxies.py` signs with it.
const SECRET: &str = "the secret of scripts/proxies";

/// Panics at the head of a request, or at the first bytes of its body.
#[derive(Clone)]
enum Panics {
    AtHead,
    AtBody,
}

impl Verifier for Panics {
    type State = ();

    fn begin(&self, _: &tower_webhook::Context<'_>) -> Result<(), Rejection> {
        assert!(matches!(self, Self::AtBody), "a defect");
        Ok(())
    }

    fn update(&self, (): &mut (), _: &[u8]) {
        panic!("a defect");
    }

    fn finish(
        &self,
        _: &mut (),
        _: &tower_webhook::Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        Err(Rejection::mismatch())
    }
}

/// A body of one frame that never ends.
struct Stalled(Option<Bytes>);

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn handler() -> MethodRouter {
    any(async || "ok")
}

/// A route whose byte budget is used up by a request that stalls.
fn overloaded(body_limit: usize) -> MethodRouter {
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap())
        .body_limit(body_limit)
        .byte_budget(body_limit)
        .body_deadline(None);
    let holder = layer.layer(service_fn(async |_: http::Request<BufferedBody>| {
        pending::<Result<Response, Infallible>>().await
    }));
    let body = Bytes::from(vec![0; body_limit]);
    tokio::spawn(async move {
        // Other requests may take its room, so it takes that back after 50 ms.
        loop {
            let request = Request::post("/")
                .header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
                .body(Body::new(Stalled(Some(body.clone()))))
                .unwrap();
            let _ = timeout(Duration::from_millis(50), holder.clone().oneshot(request)).await;
        }
    });
    handler().layer(layer)
}

fn routes(body_limit: usize) -> Router {
    let token = Secret::new("verify token").unwrap();
    let meta = Meta::new(secret()).unwrap().verify_token(token).unwrap();
    let url = TrustedProxies::new(["127.0.0.0/8"], |_| None)
        .and_then(|proxies| PublicUrl::forwarded(["example.com"], proxies))
        .unwrap();
    let twilio = Twilio::new(secret(), url).unwrap();
    let slack = Slack::new(secret()).unwrap();
    let graph = MicrosoftGraph::new(secret()).unwrap();
    let unavailable = ByHead::new(|_| ready(Err::<Meta, _>(Rejection::unavailable("no database"))));
    let unknown = ByHead::new(|_| ready(Err::<Meta, _>(Rejection::unknown_tenant())));
    // Its limit on drained bytes is the least that a layer has.
    let small = SignatureLayer::new(meta.clone()).body_limit(512);
    Router::new()
        .route("/meta", handler().layer(SignatureLayer::new(meta).body_limit(body_limit)))
        .route("/slack", handler().layer(SignatureLayer::new(slack).body_limit(body_limit)))
        .route("/twilio", handler().layer(SignatureLayer::new(twilio).body_limit(body_limit)))
        .route("/graph", handler().layer(SignatureLayer::new(graph).body_limit(body_limit)))
        .route(
            "/unavailable",
            handler().layer(SignatureLayer::new(unavailable).body_limit(body_limit)),
        )
        .route("/unknown", handler().layer(SignatureLayer::new(unknown).body_limit(body_limit)))
        .route(
            "/panic_at_head",
            handler().layer(SignatureLayer::new(Panics::AtHead).body_limit(body_limit)),
        )
        .route(
            "/panic_at_body",
            handler().layer(SignatureLayer::new(Panics::AtBody).body_limit(body_limit)),
        )
        .route("/overload", overloaded(body_limit))
        .route("/small", handler().layer(small))
}

/// Verifies by the provider and the base that the request names. For measurements only: let no request
/// choose either.
fn by_signed_url() -> MethodRouter {
    let verifier = ByHead::new(|head: &Parts| {
        let named = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let verifier = named("x-provider").zip(named("x-base")).and_then(|(provider, base)| {
            let url = PublicUrl::base(base).ok()?;
            providers::by_name(provider).ok()?.verifier_at(secret(), url).ok()
        });
        ready(verifier.ok_or(Rejection::unavailable("no provider and no base")))
    });
    handler().layer(SignatureLayer::new(verifier))
}

/// Adds headers for the client: the reason of a rejection, which also shows that the answer is the
/// server's, and a mark when a proxy handed `Expect` on.
async fn with_reason(request: Request, next: Next) -> Response {
    let expects = request.headers().contains_key(header::EXPECT);
    let mut response = next.run(request).await;
    let reason = response.extensions().get::<Rejection>().map_or("none", |r| r.kind().as_str());
    let headers = response.headers_mut();
    headers.insert("x-reason", HeaderValue::from_static(reason));
    if expects {
        headers.insert("x-expect", HeaderValue::from_static("forwarded"));
    }
    response
}

/// Prints its port, and serves until its input ends. An argument is hyper's `max_buf_size`.
fn main() {
    let mut server = auto::Builder::new(TokioExecutor::new());
    if let Some(max_buf_size) = env::args().nth(1) {
        server.http1().max_buf_size(max_buf_size.parse().unwrap());
    }
    // The verifiers' panics are part of the test.
    panic::set_hook(Box::new(|_| {}));
    thread::spawn(|| {
        let _ = stdin().read(&mut [0]);
        exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let app = Router::new()
            .nest("/1", routes(1 << 20))
            .nest("/25", routes(25 << 20))
            // It ignores the body, as a handler without extractors does.
            .route("/plain", handler())
            .fallback_service(by_signed_url())
            .layer(from_fn(with_reason));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        stdout().flush().unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (server, app) = (server.clone(), TowerToHyperService::new(app.clone()));
            tokio::spawn(async move {
                let _ = server.serve_connection(TokioIo::new(stream), app).await;
            });
        }
    });
}

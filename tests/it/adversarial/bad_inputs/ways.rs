//! One request through everything that takes one: `verify`, the layer in memory, hyper over HTTP/1
//! and HTTP/2, axum and tonic.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ::axum::{
    Extension, Router,
    routing::{self, MethodRouter},
};
use bytes::Bytes;
use http::{Request, StatusCode, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tower::Layer;
use tower_webhook::{SignatureLayer, Verified, providers::BoxVerifier};

use super::data::Case;
use crate::{
    net::{self, Raw, within},
    support::{Inner, Script, head_of, send, verify},
};

/// How often each way was gone.
pub(super) type Runs = BTreeMap<&'static str, usize>;

/// The bodies that a handler was called with, for requests that were verified.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<Bytes>>>);

impl Calls {
    pub(super) fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A handler that asks for proof.
    pub(super) fn handler(&self) -> MethodRouter {
        self.only_for(false)
    }

    pub(super) fn only_for(&self, post: bool) -> MethodRouter {
        let calls = self.clone();
        let handle = async move |Extension(_): Extension<Verified>, body: Bytes| {
            calls.0.lock().unwrap().push(body);
            "handled"
        };
        if post { routing::post(handle) } else { routing::any(handle) }
    }
}

/// What is to come of a request.
pub(super) struct Expected<'a> {
    pub(super) about: &'a str,
    pub(super) statuses: &'a [StatusCode],
    /// The head decides, while the sender waits for `100 Continue`.
    pub(super) by_head: bool,
}

impl Expected<'_> {
    fn is_accepted(&self) -> bool {
        self.statuses == [StatusCode::OK]
    }

    fn judge(&self, way: &str, case: &Case, status: StatusCode, answer: &[u8], calls: &[Bytes]) {
        let about = format!("{} by {way}", self.about);
        assert!(self.statuses.contains(&status), "{about}: {status}");
        if self.is_accepted() {
            assert_eq!(calls, [Bytes::copy_from_slice(&case.body)], "{about}: another body");
        } else {
            assert_eq!(calls.len(), 0, "{about}: the handler was called");
            assert_eq!(answer, b"", "{about}: the answer says something");
        }
    }

    pub(super) async fn everywhere(&self, case: &Case, verifier: &BoxVerifier, runs: &mut Runs) {
        if case.request(()).is_some() {
            self.in_memory(case, verifier, runs).await;
        }
        let layer = SignatureLayer::new(verifier.clone());

        let inner = Inner::default();
        let address = net::serve(layer.layer(inner.clone())).await;
        let (status, answer) = http1(address, case).await;
        self.judge("hyper, HTTP/1", case, status, &answer, &bodies(&inner));
        *runs.entry("hyper, HTTP/1").or_default() += 1;
        if case.request(()).is_some() {
            let (status, answer) = http2(address, case).await;
            self.judge("hyper, HTTP/2", case, status, &answer, &bodies(&inner));
            *runs.entry("hyper, HTTP/2").or_default() += 1;
        }

        let calls = Calls::default();
        let router = Router::new().fallback_service(calls.handler().layer(layer.clone()));
        let (status, answer) = http1(net::serve_axum(router).await, case).await;
        self.judge("axum", case, status, &answer, &calls.take());
        *runs.entry("axum").or_default() += 1;

        if case.request(()).is_some() {
            let address = serve_tonic(layer, &calls).await;
            let (status, answer) = http2(address, case).await;
            self.judge("tonic", case, status, &answer, &calls.take());
            *runs.entry("tonic").or_default() += 1;
        }
    }

    /// In memory, or as bytes on a socket where there is no such request in memory.
    pub(super) async fn once(&self, case: &Case, verifier: &BoxVerifier, runs: &mut Runs) {
        if case.request(()).is_some() {
            return self.in_memory(case, verifier, runs).await;
        }
        let inner = Inner::default();
        let layer = SignatureLayer::new(verifier.clone());
        let address = net::serve(layer.layer(inner.clone())).await;
        let (status, answer) = http1(address, case).await;
        self.judge("hyper, HTTP/1", case, status, &answer, &bodies(&inner));
        *runs.entry("hyper, HTTP/1").or_default() += 1;
    }

    async fn in_memory(&self, case: &Case, verifier: &BoxVerifier, runs: &mut Runs) {
        let about = self.about;
        let (mut head, body) = (head_of(case.request(()).unwrap()), Bytes::from(case.body.clone()));
        let verdict = verify(verifier, &head, &body);
        let status =
            verdict.as_ref().map_or_else(|rejection| rejection.status(), |_| StatusCode::OK);
        assert!(self.statuses.contains(&status), "{about}: {verdict:?}");
        *runs.entry("verify").or_default() += 1;

        // In two frames, with an extension, and by a version that is none of the defaults.
        let layer = SignatureLayer::new(verifier.clone());
        let (first, second) = body.split_at(body.len() / 2);
        let script = || match self.by_head {
            true => Script::untouchable(),
            false => Script::data([first, second].map(Bytes::copy_from_slice)),
        };
        head.version = Version::HTTP_2;
        head.extensions.insert("an extension");
        let (response, inner) = send(&layer, Request::from_parts(head.clone(), script())).await;
        let status = response.status();
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        if self.is_accepted() {
            let call = inner.only_call();
            assert_eq!(call.body.bytes(), &body, "{about}");
            let replay_key = verdict.unwrap().replay_key();
            assert_eq!(call.verified().replay_key(), replay_key, "{about}");
            assert_eq!(call.head.method, head.method, "{about}");
            assert_eq!(call.head.uri, head.uri, "{about}");
            assert_eq!(call.head.version, head.version, "{about}");
            assert_eq!(call.head.headers, head.headers, "{about}");
            assert_eq!(call.head.extensions.get(), Some(&"an extension"), "{about}");
            assert_eq!(status, StatusCode::OK, "{about}");
        } else {
            self.judge("the layer", case, status, &answer, &bodies(&inner));
        }
        *runs.entry("the layer").or_default() += 1;
    }
}

pub(super) fn bodies(inner: &Inner) -> Vec<Bytes> {
    let calls = std::mem::take(&mut *inner.calls.lock().unwrap());
    calls.into_iter().map(|call| call.body.bytes().clone()).collect()
}

/// A tonic server whose services are this handler.
pub(super) async fn serve_tonic(
    layer: SignatureLayer<BoxVerifier>,
    calls: &Calls,
) -> std::net::SocketAddr {
    let (listener, address) = net::listen().await;
    let routes = Routes::from(Router::new().fallback_service(calls.handler()));
    let server = Server::builder().layer(layer).add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    address
}

/// As bytes on a socket, exactly as they stand in the entry.
pub(super) async fn http1(address: std::net::SocketAddr, case: &Case) -> (StatusCode, Bytes) {
    let mut raw = Raw::connect(address).await;
    raw.send(case.bytes()).await;
    let (head, body) = raw.answer().await.into_parts();
    (head.status, body.into())
}

/// As a client of HTTP/2 would send it: the host is the authority, unless there are several.
pub(super) async fn http2(address: std::net::SocketAddr, case: &Case) -> (StatusCode, Bytes) {
    let mut request = case.request(Full::<Bytes>::from(case.body.clone())).unwrap();
    let uri = format!("http://{}{}", case.host(), request.uri());
    *request.uri_mut() = uri.parse().unwrap();
    if request.headers().get_all(header::HOST).iter().count() == 1 {
        request.headers_mut().remove(header::HOST);
    }
    within(async {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut client, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (head, body) = client.send_request(request).await.unwrap().into_parts();
        (head.status, body.collect().await.unwrap().to_bytes())
    })
    .await
}

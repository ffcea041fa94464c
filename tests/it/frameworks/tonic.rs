//! The layer in a tonic server: a unary service written by hand, over bytes.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, Request, StatusCode, header, uri::PathAndQuery};
use http_body::Body;
use http_body_util::Full;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::AsciiMetadataValue,
    server::NamedService,
    transport::{Channel, Server, server::TcpConnectInfo},
};
use tower::{Service, service_fn};
use tower_webhook::{
    RejectionKind, Scheme, SignatureLayer, Verified,
    observe::{ClientIp, Event},
    scheme::SchemeVerifier,
};

use crate::{
    net::{Client, listen, within},
    support::{BoxError, SECRET, hmac_sha256, secret, unexplained},
};

const METHOD: &str = "/acme.Hooks/Deliver";

/// Messages are bytes.
#[derive(Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Answers who was verified and what was delivered.
#[derive(Clone, Default)]
struct Hooks {
    calls: Arc<AtomicUsize>,
}

impl NamedService for Hooks {
    const NAME: &'static str = "acme.Hooks";
}

impl<B> Service<Request<B>> for Hooks
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let deliver = service_fn(|request: tonic::Request<Bytes>| async move {
            let provider = request.extensions().get::<Verified>().map(Verified::provider);
            let message = String::from_utf8_lossy(request.get_ref()).into_owned();
            Ok::<_, Status>(tonic::Response::new(Bytes::from(format!("{provider:?} {message}"))))
        });
        Box::pin(
            async move { Ok(tonic::server::Grpc::new(BytesCodec).unary(deliver, request).await) },
        )
    }
}

fn layer() -> SignatureLayer<SchemeVerifier> {
    const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature").provider("acme");
    SignatureLayer::new(ACME.verifier(secret()).unwrap())
}

async fn serve(layer: SignatureLayer<SchemeVerifier>) -> (SocketAddr, Hooks) {
    let (listener, address) = listen().await;
    let hooks = Hooks::default();
    let server = Server::builder().layer(layer).add_service(hooks.clone());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, hooks)
}

/// A message as it is on the wire: not compressed, its length, itself.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn signature(message: &[u8]) -> String {
    hmac_sha256(SECRET, &framed(message))
}

/// Delivers a message with tonic's client.
async fn deliver(
    address: SocketAddr,
    message: &'static [u8],
    signature: Option<&str>,
) -> Result<Bytes, Status> {
    let call = async {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(Bytes::from_static(message));
        if let Some(signature) = signature {
            let signature: AsciiMetadataValue = signature.parse().unwrap();
            request.metadata_mut().insert("x-acme-signature", signature);
        }
        let response = client.unary(request, PathAndQuery::from_static(METHOD), BytesCodec).await?;
        Ok(response.into_inner())
    };
    within(call).await
}

/// Delivers a message with hyper's client, and returns the answer as it is on the wire.
async fn deliver_plainly(address: SocketAddr, content_type: &str) -> (StatusCode, HeaderMap) {
    let request = Request::post(METHOD)
        .header(header::TE, "trailers")
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::from(framed(b"hello"))))
        .unwrap();
    let response = Client::http2(address).await.send(request).await;
    assert_eq!(response.body(), "", "{content_type}");
    (response.status(), response.headers().clone())
}

#[tokio::test]
async fn only_a_signed_call_succeeds() {
    let (address, hooks) = serve(layer()).await;
    let reply = deliver(address, b"hello", Some(&signature(b"hello"))).await.unwrap();
    assert_eq!(reply, r#"Some("acme") hello"#);
    assert_eq!(hooks.calls.swap(0, Ordering::SeqCst), 1);

    // The whole frame is signed, not the message in it.
    let message_alone = hmac_sha256(SECRET, b"hello");
    for (name, value) in [
        ("unsigned", None),
        ("of another message", Some(signature(b"Hello"))),
        ("of the message without its frame", Some(message_alone)),
        ("no hex", Some("x".to_owned())),
    ] {
        let status = deliver(address, b"hello", value.as_deref()).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{name}");
        assert_eq!(status.message(), "", "{name}");
    }
    assert_eq!(hooks.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn u7_a_refused_grpc_request_is_answered_in_grpcs_way() {
    let (address, hooks) = serve(layer()).await;
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc+json"] {
        let (status, headers) = deliver_plainly(address, content_type).await;
        assert_eq!(status, StatusCode::OK, "{content_type}");
        assert_eq!(headers["grpc-status"], "7", "{content_type}");
        assert_eq!(headers[header::CONTENT_TYPE], content_type);
    }
    assert_eq!(hooks.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn plain_403_is_permission_denied_to_grpc_client() {
    let (address, hooks) =
        serve(layer().rejection_response(tower_webhook::layer::default_response)).await;
    let status = deliver(address, b"hello", None).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);

    let (status, headers) = deliver_plainly(address, "application/grpc").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(headers.get("grpc-status"), None);
    assert_eq!(hooks.calls.load(Ordering::SeqCst), 0);

    let reply = deliver(address, b"hello", Some(&signature(b"hello"))).await.unwrap();
    assert_eq!(reply, r#"Some("acme") hello"#);
}

#[tokio::test]
async fn each_refusal_has_its_grpc_code() {
    for (name, layer, expected) in [
        ("401", layer().rejection_status(StatusCode::UNAUTHORIZED), Code::Unauthenticated),
        ("over the limit", layer().body_limit(4), Code::ResourceExhausted),
    ] {
        let (address, hooks) = serve(layer).await;
        let wrong = signature(b"Hello");
        let status = deliver(address, b"hello", Some(&wrong)).await.unwrap_err();
        assert_eq!(status.code(), expected, "{name}");
        assert_eq!(hooks.calls.load(Ordering::SeqCst), 0, "{name}");
    }

    // A failure to decide tells the client to come again.
    let (listener, address) = listen().await;
    let broken = SignatureLayer::new(tower_webhook::verifier::verifier_fn(|_, _| {
        Err(tower_webhook::Rejection::new(RejectionKind::VerifierUnavailable))
    }));
    let server = Server::builder().layer(broken).add_service(Hooks::default());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let status = deliver(address, b"hello", None).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn tonic_tells_events_the_address() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&addresses);
    let client_ip = ClientIp::new(|head| {
        let connection = head.extensions.get::<TcpConnectInfo>()?;
        connection.remote_addr().map(|peer| peer.ip())
    });
    let layer = unexplained(layer()).client_ip(client_ip).observer(move |event: &Event<'_>| {
        kept.lock().unwrap().push((event.name(), event.client_ip()));
    });
    let (address, _) = serve(layer).await;
    assert_eq!(deliver(address, b"hi", None).await.unwrap_err().code(), Code::PermissionDenied);
    let loopback = Some(IpAddr::from([127, 0, 0, 1]));
    assert_eq!(*addresses.lock().unwrap(), [("invalid_webhook_signature", loopback)]);
}

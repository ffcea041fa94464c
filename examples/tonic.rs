//! Verifies the requests of a gRPC service in tonic with a declared scheme.
//!
//! The signature covers the framed message.
//!
//! Run `cargo run --example tonic`, and then:
//!
//! ```sh
//! printf '\0\0\0\0\5hello' > message
//! tag=$(openssl dgst -sha256 -hmac my-secret -r message | cut -d' ' -f1)
//! curl -i --http2-prior-knowledge http://127.0.0.1:3000/webhook.Receiver/Receive \
//!     -H 'content-type: application/grpc' -H 'te: trailers' -H "x-acme-signature: $tag" \
//!     --data-binary @message --output -
//! ```

use std::{
    convert::Infallible,
    env,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut, Bytes};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService},
    transport::{Server, server::TcpIncoming},
};
use tower::{Service, service_fn};
use tower_webhook::{Scheme, Secret, SignatureLayer, Verified};

const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature").provider("acme");

/// Handles the only method of the service, and returns the message.
async fn receive(request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    let verified = request.extensions().get::<Verified>();
    let verified = verified.ok_or_else(|| Status::internal("the layer is missing"))?;
    println!("verified request from {}: {:?}", verified.provider(), request.get_ref());
    Ok(Response::new(request.into_inner()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = SignatureLayer::new(ACME.verifier(Secret::new("my-secret")?)?);

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Server::builder()
        .layer(layer)
        .add_service(Receiver)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop(address))
        .await?;
    Ok(())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}

/// Service in the form that a protobuf compiler generates, so that the example needs no compiler.
#[derive(Clone)]
struct Receiver;

impl NamedService for Receiver {
    const NAME: &'static str = "webhook.Receiver";
}

impl Service<http::Request<Body>> for Receiver {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/webhook.Receiver/Receive" => {
                    Grpc::new(Raw).unary(service_fn(receive), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// Codec that passes messages on unchanged, without protobuf.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

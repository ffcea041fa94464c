//! Servers on 127.0.0.1 and what talks to them: hyper's client, and raw sockets for what no client
//! would send.

use std::{future::Future, net::SocketAddr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tower::Service;

use crate::support::{BoxError, SECRET, Sha1Mac, mac};

/// A hang fails the one test instead of stopping the suite.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, future).await.expect("an answer within a minute")
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves HTTP/1 and HTTP/2 with hyper, until the test's runtime is dropped.
pub(crate) async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // No answer waits until the client has acknowledged what was sent before it.
            stream.set_nodelay(true).unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // Some tests break their connection off, which is an error here.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Serves a router with `axum::serve`.
pub(crate) async fn serve_axum(router: axum::Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A client's connection.
pub(crate) enum Client<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

impl<B> Client<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) async fn http1(address: SocketAddr) -> Self {
        Self::try_http1(address).await.unwrap()
    }

    /// The server may be gone.
    pub(crate) async fn try_http1(address: SocketAddr) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self::Http1(client))
    }

    pub(crate) async fn http2(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (client, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        Self::Http2(client)
    }

    /// Sends a request whose URI is path and query alone, and reads the whole answer.
    pub(crate) async fn send(&mut self, request: Request<B>) -> Response<Bytes> {
        self.try_send(request).await.expect("the server answers")
    }

    /// The server may be gone.
    pub(crate) async fn try_send(&mut self, mut request: Request<B>) -> Option<Response<Bytes>> {
        let answer = async {
            let response = match self {
                Self::Http1(client) => {
                    let host = HeaderValue::from_static("localhost");
                    request.headers_mut().entry(header::HOST).or_insert(host);
                    client.ready().await.ok()?;
                    client.send_request(request).await.ok()?
                }
                Self::Http2(client) => {
                    let uri = format!("http://localhost{}", request.uri());
                    *request.uri_mut() = uri.parse().unwrap();
                    client.ready().await.ok()?;
                    client.send_request(request).await.ok()?
                }
            };
            let (head, body) = response.into_parts();
            Some(Response::from_parts(head, body.collect().await.ok()?.to_bytes()))
        };
        within(answer).await
    }
}

/// Sends one request over HTTP/1 on a connection of its own.
pub(crate) async fn send<B>(address: SocketAddr, request: Request<B>) -> Response<Bytes>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    Client::http1(address).await.send(request).await
}

/// A socket, for requests that no client would send.
pub(crate) struct Raw {
    from: OwnedReadHalf,
    to: Option<OwnedWriteHalf>,
    received: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let (from, to) = TcpStream::connect(address).await.unwrap().into_split();
        Self { from, to: Some(to), received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.to.as_mut().unwrap().write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes as much as the server takes before it closes.
    #[cfg(all(
        feature = "asymmetric",
        feature = "delivery-log",
        feature = "sign",
        feature = "tenants",
        feature = "tracing"
    ))]
    pub(crate) async fn offer(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.to.as_mut().unwrap().write_all(bytes.as_ref()).await;
    }

    /// Writes the last bytes in the background, for as long as the server lets it. The connection
    /// stays open: hyper takes its end for the end of the request.
    pub(crate) fn write_on(&mut self, bytes: Vec<u8>) {
        let mut to = self.to.take().unwrap();
        tokio::spawn(async move {
            let _ = to.write_all(&bytes).await;
            std::future::pending::<()>().await;
        });
    }

    /// Says that nothing more will be written. Reading goes on.
    pub(crate) fn end(&mut self) {
        self.to = None;
    }

    /// The next answer: a head, and as many bytes as its `Content-Length` says.
    pub(crate) async fn answer(&mut self) -> Response<String> {
        self.answer_or_end().await.expect("closed without an answer")
    }

    pub(crate) async fn answer_or_end(&mut self) -> Option<Response<String>> {
        let head_len = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.receive().await {
                return None;
            }
        };
        let head: Vec<u8> = self.received.drain(..head_len).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut response = Response::new(String::new());
        *response.status_mut() = status.parse::<StatusCode>().unwrap();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::try_from(name).unwrap();
            response.headers_mut().append(name, HeaderValue::try_from(value).unwrap());
        }
        let body_len = response.headers().get(header::CONTENT_LENGTH);
        let body_len = body_len.map_or(0, |len| len.to_str().unwrap().parse().unwrap());
        while self.received.len() < body_len {
            assert!(self.receive().await, "closed within an answer");
        }
        let body = self.received.drain(..body_len).collect();
        *response.body_mut() = String::from_utf8(body).unwrap();
        Some(response)
    }

    /// Waits until the server closes the connection, and asserts that it says nothing more.
    pub(crate) async fn closed(&mut self) {
        while self.receive().await {}
        assert_eq!(String::from_utf8_lossy(&self.received), "", "said before the end");
    }

    /// Whether more came.
    async fn receive(&mut self) -> bool {
        // Closing with bytes unread resets the connection: the same end, for these tests.
        matches!(within(self.from.read_buf(&mut self.received)).await, Ok(1..))
    }
}

/// Twilio's signature under [`SECRET`] over a URL and what follows it, by the primitive.
pub(crate) fn twilio_signature(url: &str, parameters: &str) -> String {
    let signed = format!("{url}{parameters}");
    BASE64_STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), signed.as_bytes()))
}

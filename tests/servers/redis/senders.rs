//! Providers, as their receivers see them.

use std::{error::Error, io, net::SocketAddr, time::SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower_webhook::{
    providers::{GitHub, Meta},
    sign::signed,
};

use super::process::{secret, standard};

/// Who sends, and how it goes about a delivery that was not answered with a 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// Standard Webhooks: 8 tries, each signed anew with the same id.
    Standard,
    /// Meta: for 36 hours, ever more rarely, the same bytes.
    Meta,
    /// GitHub: once. Somebody looks through the list of failed ones and has them sent again, as
    /// they were.
    GitHub,
}

pub(super) const PROVIDERS: [Provider; 3] = [Provider::Standard, Provider::Meta, Provider::GitHub];

impl Provider {
    const fn path(self) -> &'static str {
        match self {
            Self::Standard => "/standard",
            Self::Meta => "/meta",
            Self::GitHub => "/github",
        }
    }

    /// After how many tries the sender gives up.
    pub(super) const fn tries(self) -> u32 {
        match self {
            Self::Standard => 8,
            Self::Meta => 20,
            Self::GitHub => u32::MAX,
        }
    }

    /// A genuine delivery.
    pub(super) fn request(self, id: &str) -> Request<Bytes> {
        let body = Bytes::from(format!(r#"{{"id":"{id}","object":"page"}}"#));
        let request = Request::post(self.path()).header("content-type", "application/json");
        let now = SystemTime::now();
        match self {
            Self::Standard => {
                signed(&standard(), request.header("webhook-id", id).body(body).unwrap(), now)
            }
            Self::Meta => signed(&Meta::new(secret()).unwrap(), request.body(body).unwrap(), now),
            Self::GitHub => {
                let id = format!("delivery of {id}");
                let request = request.header("x-github-delivery", id);
                signed(&GitHub::new(secret()).unwrap(), request.body(body).unwrap(), now)
            }
        }
        .unwrap()
    }
}

type Body = BoxBody<Bytes, io::Error>;

#[derive(Clone)]
pub(super) struct Client(HyperClient<HttpConnector, Body>);

impl Client {
    pub(super) fn new() -> Self {
        Self(HyperClient::builder(TokioExecutor::new()).build_http())
    }

    pub(super) async fn send(
        &self,
        to: SocketAddr,
        request: Request<Bytes>,
    ) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
        let request = request.map(|body| Full::new(body).map_err(|never| match never {}).boxed());
        self.send_body(to, request).await
    }

    /// Breaks off in the middle of the body.
    pub(super) async fn break_off(
        &self,
        to: SocketAddr,
        request: Request<Bytes>,
    ) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
        let request = request.map(|body| {
            let half = body.slice(..body.len() / 2);
            let frames = [Ok(Frame::data(half)), Err(io::Error::other("gone"))];
            StreamBody::new(tokio_stream::iter(frames)).boxed()
        });
        self.send_body(to, request).await
    }

    async fn send_body(
        &self,
        to: SocketAddr,
        mut request: Request<Body>,
    ) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
        *request.uri_mut() = format!("http://{to}{}", request.uri().path()).try_into()?;
        let response = self.0.request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

//! Providers whose keys are fetched: a source that counts its calls, and what providers send.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_webhook::{
    SignatureLayer,
    fetched_keys::{FetchedKeys, KeyDocument, KeyFetcher, KeyRequest},
    providers::{Circle, CircleProduct, GitHubSecretScanning},
};

use crate::support::{BoxError, SetClock, unexplained};

#[cfg(all(feature = "certificates", feature = "sign"))]
mod alexa;
#[cfg(all(feature = "certificates", feature = "sign"))]
mod apple;
mod body_tokens;
mod cache;
#[cfg(all(feature = "certificates", feature = "sign"))]
mod certificates;
#[cfg(feature = "http-client")]
mod client;
mod detached;
mod flood;
mod key_sets;
#[cfg(feature = "http-client")]
mod plaid;
mod queue;
mod runtimes;
#[cfg(all(feature = "certificates", feature = "sign"))]
mod sns;
mod sources;
mod tasks;
mod tokens;
#[cfg(all(feature = "certificates", feature = "sign"))]
mod wechat_pay;

/// Responses of a source.
#[derive(Clone, Debug)]
enum Reply {
    Document(KeyDocument),
    Absent,
    Failed,
    /// The source never responds.
    Never,
    /// The user's function panics.
    Panics,
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::Document(text.into())
    }
}

/// A source that counts its calls.
#[derive(Clone)]
struct KeySource(Arc<Inner>);

struct Inner {
    calls: Mutex<Vec<KeyRequest>>,
    reply: Mutex<Replying>,
}

type Replying = Box<dyn Fn(&KeyRequest) -> Reply + Send>;

impl KeySource {
    fn new(reply: impl Fn(&KeyRequest) -> Reply + Send + 'static) -> Self {
        let (calls, reply) = (Mutex::default(), Mutex::new(Box::new(reply) as Replying));
        Self(Arc::new(Inner { calls, reply }))
    }

    /// A source that always has this response.
    fn fixed(reply: impl Into<Reply>) -> Self {
        let reply = reply.into();
        Self::new(move |_| reply.clone())
    }

    fn set(&self, reply: impl Into<Reply>) {
        let reply = reply.into();
        *self.0.reply.lock().unwrap() = Box::new(move |_| reply.clone());
    }

    fn calls(&self) -> usize {
        self.0.calls.lock().unwrap().len()
    }

    fn last(&self) -> KeyRequest {
        self.0.calls.lock().unwrap().last().unwrap().clone()
    }

    fn fetcher(&self, clock: &SetClock) -> KeyFetcher {
        let source = self.clone();
        let fetcher = KeyFetcher::new(move |request| {
            source.0.calls.lock().unwrap().push(request.clone());
            let reply = (source.0.reply.lock().unwrap())(&request);
            async move {
                match reply {
                    Reply::Document(document) => Ok(Some(document)),
                    Reply::Absent => Ok(None),
                    Reply::Failed => Err(BoxError::from("connection refused")),
                    Reply::Never => pending().await,
                    Reply::Panics => panic!("the function of a user"),
                }
            }
        });
        fetcher.clock(clock.now())
    }
}

/// A delivery that a provider publishes or that was signed by another tool: its headers and body,
/// and the key.
struct Delivery {
    headers: Vec<(HeaderName, String)>,
    body: String,
    key: String,
}

impl Delivery {
    /// The vector with the ID of its key.
    fn read(vectors: &str, id: &str) -> Self {
        let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
        let vector = vectors
            .into_iter()
            .find(|vector| vector["valid"] == true && vector["headers"].to_string().contains(id));
        let vector = vector.unwrap();
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let headers = vector["headers"].as_object().unwrap().iter();
        let headers = headers
            .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().to_owned()));
        Self { headers: headers.collect(), body: text("body"), key: text("secret") }
    }

    /// The delivery with another value of a header, or without the header.
    fn with(&self, name: &str, value: Option<&str>) -> Request<Full<Bytes>> {
        let mut request = Request::post("/hook").body(Full::from(self.body.clone())).unwrap();
        let headers = self.headers.iter().filter(|(other, _)| other.as_str() != name);
        for (other, value) in headers {
            request.headers_mut().append(other, value.parse().unwrap());
        }
        if let Some(value) = value {
            request
                .headers_mut()
                .append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        request
    }
}

const GITHUB_ID: &str = "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d";
const GITHUB_HEADER: &str = "github-public-key-identifier";
const CIRCLE_ID: &str = "b3d9d2d5-4c12-4946-a09d-953e82fae2b0";
const CIRCLE_HEADER: &str = "x-circle-key-id";

/// GitHub's documented sample.
fn github() -> Delivery {
    let vectors = include_str!("../../../src/providers/vectors/github_secret_scanning.json");
    Delivery::read(vectors, GITHUB_ID)
}

fn circle() -> Delivery {
    let vectors = include_str!("../../../src/providers/vectors/circle.json");
    Delivery::read(vectors, CIRCLE_ID)
}

/// A delivery of GitHub that is signed with this key.
fn from_github(id: &str) -> Request<Full<Bytes>> {
    github().with(GITHUB_HEADER, Some(id))
}

/// A delivery of Circle that is signed with this key.
fn from_circle(id: &str) -> Request<Full<Bytes>> {
    circle().with(CIRCLE_HEADER, Some(id))
}

/// GitHub's list, with the documented key under these IDs.
fn github_list(ids: &[&str]) -> String {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", github().key);
    let keys = ids.iter().map(|id| json!({"key_identifier": id, "key": pem, "is_current": true}));
    json!({"public_keys": keys.collect::<Vec<_>>()}).to_string()
}

/// Circle's response for the key with this ID.
fn circle_key(id: &str) -> String {
    let key = circle().key;
    let data = json!({"id": id, "algorithm": "ECDSA_SHA_256", "publicKey": key});
    json!({"data": data}).to_string()
}

/// The time so many seconds after the start of 1970.
fn seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A UUID of this number.
fn uuid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn github_layer(fetcher: &KeyFetcher) -> SignatureLayer<FetchedKeys<GitHubSecretScanning>> {
    let source = GitHubSecretScanning::with_fetched_keys(fetcher).unwrap();
    unexplained(SignatureLayer::new(source))
}

fn circle_layer(fetcher: &KeyFetcher) -> SignatureLayer<FetchedKeys<Circle>> {
    let source = Circle::with_fetched_keys(CircleProduct::Wallets, fetcher).unwrap();
    unexplained(SignatureLayer::new(source))
}

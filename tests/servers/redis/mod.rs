//! The replay guard with its claims in a real Redis.

mod faults;
mod nothing_lost;
mod process;
mod senders;
mod store;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use redis::{AsyncCommands, AsyncConnectionConfig, aio::MultiplexedConnection};
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    BufferedBody, ResponseBody, Secret, SignatureLayer, SignatureService,
    providers::Stripe,
    replay::{RedisStore, ReplayLayer, ReplayService},
    sign::signed,
};

/// A Redis of the test's own, without persistence, which ends with it.
struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    fn start() -> Self {
        // Another process may take the port in between.
        (0..20).find_map(|_| Self::start_at(free_port())).expect("redis-server starts")
    }

    fn start_at(port: u16) -> Option<Self> {
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed: apt-get install redis-server");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.map_while(Result::ok).any(|line| line.contains("Ready to accept"));
        // Made first, so that one that did not start is waited for.
        let redis = Self { port, child };
        is_ready.then_some(redis)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    fn store(&self) -> RedisStore {
        RedisStore::open(self.url()).unwrap()
    }

    async fn connect(&self) -> MultiplexedConnection {
        connect(&self.url()).await
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// The keys that are claimed or handled.
    async fn keys(&self) -> Vec<String> {
        self.connect().await.keys("tower-webhook:*").await.unwrap()
    }

    /// Until the claims that were given up in the background are gone.
    async fn until_empty(&self) {
        let mut connection = self.connect().await;
        for _ in 0..100_000 {
            let keys: Vec<String> = connection.keys("tower-webhook:*").await.unwrap();
            if keys.is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("a claim is left behind");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection for the tests' own use. It waits for as long as an answer takes: a handler whose
/// database answers late would fail after its effect.
async fn connect(url: &str) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn stripe() -> Stripe {
    Stripe::new(Secret::new("whsec_of_the_test").unwrap())
}

/// The same bytes each time it is cloned.
fn delivery(body: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/").body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    signed(&stripe(), request, SystemTime::now()).unwrap().map(Full::new)
}

/// A handler that counts its calls, and fails where it is told to.
#[derive(Clone, Default)]
struct Handler(Arc<AtomicUsize>);

impl Handler {
    fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Service<Request<BufferedBody>> for Handler {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Response<String>, Self::Error>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Self::Future {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let mut response = Response::new("handled".to_owned());
            tokio::task::yield_now().await;
            if request.headers().contains_key("x-fails") {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Ok(response)
        })
    }
}

type Stack = SignatureService<Stripe, ReplayService<Handler, RedisStore>>;

fn stack(guard: &ReplayLayer<RedisStore>, handler: &Handler) -> Stack {
    SignatureLayer::new(stripe()).layer(guard.layer(handler.clone()))
}

async fn call(
    stack: &Stack,
    request: &Request<Full<Bytes>>,
) -> Response<ResponseBody<ResponseBody<String>>> {
    let Ok(response) = stack.clone().oneshot(request.clone()).await;
    response
}

fn failing(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert("x-fails", http::HeaderValue::from_static("yes"));
    request
}

//! The replay guard with its claims in a real Redis.

mod cluster;
mod failover;
mod faults;
mod forwarder;
mod nothing_lost;
mod process;
mod redis_fails;
mod senders;
mod store;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use redis::{AsyncCommands, AsyncConnectionConfig, aio::MultiplexedConnection};
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    BufferedBody, Secret, SignatureLayer, SignatureService,
    layer::ResponseBody,
    providers::Stripe,
    replay::{RedisStore, ReplayLayer, ReplayService},
    sign::signed,
};

/// A Redis of the test's own, without persistence, which ends with it.
struct Redis {
    port: u16,
    child: Child,
    arguments: Vec<String>,
    /// Where it keeps its data, if it does.
    directory: Option<Directory>,
}

/// A directory that is removed with what is in it.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Redis {
    fn start() -> Self {
        // Another process may take the port in between.
        (0..20).find_map(|_| Self::start_at(free_port())).expect("redis-server starts")
    }

    fn start_at(port: u16) -> Option<Self> {
        let (child, is_ready) = Self::spawn(port, &[], None);
        // Made first, so that one that did not start is waited for.
        let redis = Self { port, child, arguments: Vec::new(), directory: None };
        is_ready.then_some(redis)
    }

    /// One that keeps each write, so that it can be killed and started again.
    fn durable() -> Self {
        Self::with_directory(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn with_directory(arguments: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("tower-webhook-redis-{}-{count}", std::process::id());
        let directory = Directory(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&directory.0).unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
        let port = free_port();
        let (child, is_ready) = Self::spawn(port, &arguments, Some(&directory));
        assert!(is_ready, "redis-server starts");
        Self { port, child, arguments, directory: Some(directory) }
    }

    fn spawn(port: u16, arguments: &[String], directory: Option<&Directory>) -> (Child, bool) {
        let directory = directory.map_or_else(std::env::temp_dir, |directory| directory.0.clone());
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"])
            // Without a file, so that replicas in one directory do not share one.
            .args(["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"])
            .args(["--repl-diskless-load", "swapdb", "--dir"])
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed: apt-get install redis-server");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("Ready to accept"));
        // What it still says is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(drop));
        (child, is_ready)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts a durable one again, with its data.
    fn start_again(&mut self) {
        let (child, is_ready) = Self::spawn(self.port, &self.arguments, self.directory.as_ref());
        self.child = child;
        assert!(is_ready, "redis-server starts again");
    }

    /// One that has all that this one has, and gets what this one gets.
    async fn replica_of(primary: &Self) -> Self {
        let replica = Self::start();
        replica.follow(primary).await;
        replica
    }

    async fn follow(&self, primary: &Self) {
        self.replicate(Some(primary.port)).await;
        self.until_connected().await;
    }

    /// Until it has all that its primary has.
    async fn until_connected(&self) {
        let mut connection = self.connect().await;
        loop {
            let role: redis::Value = redis::cmd("ROLE").query_async(&mut connection).await.unwrap();
            if format!("{role:?}").contains("connected") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes it the replica of the server at this port, or a primary.
    async fn replicate(&self, primary: Option<u16>) {
        let mut command = redis::cmd("REPLICAOF");
        match primary {
            Some(port) => command.arg("127.0.0.1").arg(port),
            None => command.arg("NO").arg("ONE"),
        };
        let () = command.query_async(&mut self.connect().await).await.unwrap();
    }

    /// Takes no more writes, and waits until this replica has all that there are.
    async fn end_writes(&self, replica: &Self) {
        let mut connection = self.connect().await;
        let mut pause = redis::cmd("CLIENT");
        pause.arg("PAUSE").arg(600_000).arg("WRITE");
        let () = pause.query_async(&mut connection).await.unwrap();
        let offset = async |connection: &mut MultiplexedConnection| {
            let info: String =
                redis::cmd("INFO").arg("replication").query_async(connection).await.unwrap();
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix("master_repl_offset:")).unwrap().to_owned()
        };
        let mut replica = replica.connect().await;
        while offset(&mut connection).await != offset(&mut replica).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Changes places with its replica.
    async fn fail_over(&self, replica: &Self) {
        let mut connection = self.connect().await;
        let mut command = redis::cmd("FAILOVER");
        command.arg("TO").arg("127.0.0.1").arg(replica.port);
        // A replica that says it is connected is online to its primary up to a second later.
        while let Err(error) = command.query_async::<()>(&mut connection).await {
            assert!(error.to_string().contains("not online"), "{error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        loop {
            let role: redis::Value = redis::cmd("ROLE").query_async(&mut connection).await.unwrap();
            if format!("{role:?}").contains("slave") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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
    Stripe::new("whsec_of_the_test").unwrap()
}

/// The same bytes each time it is cloned.
fn delivery(body: &str) -> Request<Full<Bytes>> {
    delivery_at(body, SystemTime::now())
}

fn delivery_at(body: &str, time: SystemTime) -> Request<Full<Bytes>> {
    let request = Request::post("/").body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    signed(&stripe(), request, time).unwrap().map(Full::new)
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

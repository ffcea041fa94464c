//! Servers in processes of their own: this test binary, started again.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tokio::{net::TcpListener, task::JoinSet};
use tower_webhook::{
    Secret, SignatureLayer,
    providers::{GitHub, Meta, StandardWebhooks},
    replay::{RedisStore, ReplayLayer},
};

use super::{
    Redis, connect,
    senders::{Client, PROVIDERS, Provider},
};

pub(super) const SECRET: &str = "test-secret-0123456789abcdef-0123";
const REDIS: &str = "TOWER_WEBHOOK_TEST_REDIS";
const DATABASE: &str = "TOWER_WEBHOOK_TEST_DATABASE";
const LEASE: &str = "TOWER_WEBHOOK_TEST_LEASE";
const LIMIT: &str = "TOWER_WEBHOOK_TEST_LIMIT";

pub(super) fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

pub(super) fn standard() -> StandardWebhooks {
    StandardWebhooks::new(Secret::from_bytes(SECRET.as_bytes()).unwrap()).unwrap()
}

/// Which delivery it is: all that the handlers read.
#[derive(serde::Deserialize)]
struct Event {
    id: String,
}

/// Each dispatch and each success is counted in Redis, in the place of a database. What the handler
/// does can be told by a header.
async fn handler(
    State(mut database): State<MultiplexedConnection>,
    headers: HeaderMap,
    Json(event): Json<Event>,
) -> StatusCode {
    let () = database.incr(format!("dispatched:{}", event.id), 1).await.unwrap();
    match headers.get("x-fault").map(|value| value.to_str().unwrap()) {
        Some("fail") => return StatusCode::INTERNAL_SERVER_ERROR,
        Some("hang") => std::future::pending().await,
        Some(_) => panic!("the handler panics"),
        None => {}
    }
    let () = database.incr(format!("succeeded:{}", event.id), 1).await.unwrap();
    StatusCode::OK
}

/// Serves until the standard input ends, and then to the end of what is under way.
async fn serve(redis: &str, database: &str, lease: Duration, limit: Duration) {
    let database = connect(database).await;
    let store = RedisStore::open(redis).unwrap().time_limit(limit);
    let guard = |path: &str| ReplayLayer::new(path, store.clone()).lease(lease);
    let app = Router::new()
        .route(
            "/standard",
            post(handler)
                .route_layer(guard("/standard"))
                .route_layer(SignatureLayer::new(standard())),
        )
        .route(
            "/meta",
            post(handler)
                .route_layer(guard("/meta").guard_body_only("meta"))
                .route_layer(SignatureLayer::new(Meta::new(secret()).unwrap())),
        )
        .route(
            "/github",
            post(handler)
                .route_layer(guard("/github").guard_body_only("github"))
                .route_layer(SignatureLayer::new(GitHub::new(secret()).unwrap())),
        )
        .with_state(database);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening on {}", listener.local_addr().unwrap());
    let stop = async {
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
            .await
            .unwrap()
            .unwrap();
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await.unwrap();
}

/// A server in a process of its own. It ends with the test, whatever becomes of it.
pub(super) struct Process {
    pub(super) address: SocketAddr,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Here it is the rules that are tested; what happens beyond the limit is told in `faults`.
    pub(super) fn start(redis: &Redis, lease: Duration) -> Self {
        Self::start_with(&redis.url(), redis, lease, Duration::from_secs(5))
    }

    /// With the claims at this address, and the handler's database elsewhere.
    pub(super) fn start_with(
        claims: &str,
        database: &Redis,
        lease: Duration,
        limit: Duration,
    ) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "redis::process::a_process_serves_and_stops_when_it_is_told"])
            .args(["--nocapture"])
            .env(REDIS, claims)
            .env(DATABASE, database.url())
            .env(LEASE, lease.as_millis().to_string())
            .env(LIMIT, limit.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The panics of its handler are part of the test.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
            .expect("the process serves");
        // What it still says is read, so that it can say it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { address, child, stdin }
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(mut self) {
        self.stdin.take();
        assert!(self.child.wait().unwrap().success());
    }

    /// Kills it, with whatever it is at.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself, when it is told where Redis is; and otherwise its test.
#[test]
fn a_process_serves_and_stops_when_it_is_told() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Ok(redis) = env::var(REDIS) {
        let millis = |name| Duration::from_millis(env::var(name).unwrap().parse().unwrap());
        let database = env::var(DATABASE).unwrap();
        return runtime.block_on(serve(&redis, &database, millis(LEASE), millis(LIMIT)));
    }
    let redis = Redis::start();
    let process = Process::start(&redis, Duration::from_secs(60));
    runtime.block_on(async {
        let client = Client::new();
        for provider in PROVIDERS {
            let request = provider.request("1");
            assert_eq!(client.send(process.address, request).await.unwrap(), StatusCode::OK);
        }
    });
    process.stop();
}

/// How often a delivery was dispatched, and handled with success.
pub(super) async fn counts(database: &mut MultiplexedConnection, id: &str) -> (u64, u64) {
    let names = [format!("dispatched:{id}"), format!("succeeded:{id}")];
    let [dispatched, succeeded]: [Option<u64>; 2] = database.mget(&names[..]).await.unwrap();
    (dispatched.unwrap_or_default(), succeeded.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_on_three_processes_are_handled_once() {
    let redis = Redis::start();
    let processes: Vec<_> =
        (0..3).map(|_| Process::start(&redis, Duration::from_secs(60))).collect();
    let mut database = redis.connect().await;
    let client = Client::new();
    for round in 0..200 {
        let id = format!("round-{round}");
        let mut tasks = JoinSet::new();
        for at in 0..100 {
            let address = processes[at % processes.len()].address;
            let (client, request) = (client.clone(), Provider::Standard.request(&id));
            tasks.spawn(async move { client.send(address, request).await.unwrap() });
        }
        let answers = tasks.join_all().await;
        assert!(answers.contains(&StatusCode::OK), "round {round}");
        for answer in answers {
            assert!(matches!(answer, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE));
        }
        assert_eq!(counts(&mut database, &id).await, (1, 1), "round {round}");
    }
    processes.into_iter().for_each(Process::stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_of_killed_process_is_handled_after_lease() {
    let redis = Redis::start();
    let lease = Duration::from_secs(60);
    let (first, second) = (Process::start(&redis, lease), Process::start(&redis, lease));
    let mut database = redis.connect().await;
    let client = Client::new();
    let request = Provider::Standard.request("1");
    let at_work = {
        let (client, mut request) = (client.clone(), request.clone());
        request.headers_mut().insert("x-fault", http::HeaderValue::from_static("hang"));
        let address = first.address;
        tokio::spawn(async move { client.send(address, request).await })
    };
    while counts(&mut database, "1").await.0 == 0 {
        tokio::task::yield_now().await;
    }
    first.kill();
    assert!(at_work.await.unwrap().is_err());
    let answer = client.send(second.address, request.clone()).await.unwrap();
    assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE);
    // The rest of the lease, at once.
    let keys = redis.keys().await;
    assert_eq!(keys.len(), 1);
    let left: u64 = database.pttl(&keys[0]).await.unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    let _: bool = database.pexpire(&keys[0], 0).await.unwrap();
    for _ in 0..2 {
        let answer = client.send(second.address, request.clone()).await.unwrap();
        assert_eq!(answer, StatusCode::OK);
        assert_eq!(counts(&mut database, "1").await, (2, 1));
    }
    second.stop();
}

//! A Redis Cluster of six nodes, whose primaries fail while deliveries come in.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use http::{Request, Response, StatusCode};
use redis::Value;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, SignatureLayer,
    replay::{RedisStore, ReplayLayer},
};

use super::{Redis, delivery_at, free_port, stripe};

/// Time limit of each step. A step that hangs would never end.
const NOTHING_HANGS: Duration = Duration::from_secs(60);

/// Longer than a busy machine keeps a node waiting.
const NOTHING_FAILS: &str = "15000";

/// How long a write takes to reach the replica, at most. The machine is shared.
const REPLICATION: Duration = Duration::from_secs(1);

/// Three primaries, and three replicas of them in the same order.
struct Nodes(Vec<Redis>);

impl Nodes {
    /// A primary that is silent for so many milliseconds has failed.
    async fn start(node_timeout: &str) -> Self {
        let start = || {
            let bus = free_port().to_string();
            Redis::with_directory(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                node_timeout,
                "--cluster-require-full-coverage",
                "no",
            ])
        };
        let nodes = Self((0..6).map(|_| start()).collect());
        for (at, first) in [0, 5_461, 10_923].into_iter().enumerate() {
            let last = [5_460, 10_922, 16_383][at];
            nodes.ok(at, &format!("ADDSLOTSRANGE {first} {last}")).await;
        }
        for (at, node) in nodes.0.iter().enumerate() {
            nodes.ok(at, &format!("SET-CONFIG-EPOCH {}", at + 1)).await;
            let bus = node.arguments[3].clone();
            nodes.ok(0, &format!("MEET 127.0.0.1 {} {bus}", node.port)).await;
        }
        for at in 0..6 {
            nodes.until(at, "INFO", "cluster_known_nodes:6").await;
        }
        for at in 3..6 {
            let primary = nodes.text(at - 3, "MYID").await;
            nodes.ok(at, &format!("REPLICATE {primary}")).await;
            nodes.0[at].until_connected().await;
        }
        for at in 0..6 {
            nodes.until(at, "INFO", "cluster_state:ok").await;
            nodes.until_replicas(at, 3).await;
        }
        nodes
    }

    /// The store is told of two nodes.
    fn store(&self) -> RedisStore {
        RedisStore::open_cluster(self.0[..2].iter().map(Redis::url)).unwrap()
    }

    async fn text(&self, at: usize, command: &str) -> String {
        let mut all = redis::cmd("CLUSTER");
        all.arg(command.split(' ').collect::<Vec<_>>());
        all.query_async(&mut self.0[at].connect().await).await.unwrap()
    }

    async fn ok(&self, at: usize, command: &str) {
        // A node meets itself, too.
        assert_eq!(self.text(at, command).await, "OK", "{command}");
    }

    /// Until a node says this.
    async fn until(&self, at: usize, command: &str, expected: &str) {
        let start = Instant::now();
        while !self.text(at, command).await.contains(expected) {
            assert!(start.elapsed() < NOTHING_HANGS, "node {at}: {expected}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Until a node knows of so many replicas.
    async fn until_replicas(&self, at: usize, count: usize) {
        let start = Instant::now();
        while self.text(at, "NODES").await.matches("slave").count() != count {
            assert!(start.elapsed() < NOTHING_HANGS, "node {at} knows its replicas");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Until the replica of the primary at this place serves its slots.
    async fn until_promoted(&self, primary: usize) {
        let start = Instant::now();
        let replica = &self.0[primary + 3];
        loop {
            let role: Value =
                redis::cmd("ROLE").query_async(&mut replica.connect().await).await.unwrap();
            if format!("{role:?}").contains("master") {
                return;
            }
            assert!(start.elapsed() < NOTHING_HANGS, "the replica takes over");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Tells the replica to take over until it does: a busy one gives up after five seconds.
    async fn take_over(&self, primary: usize) {
        loop {
            self.ok(primary + 3, "FAILOVER").await;
            let promoted = self.until_promoted(primary);
            if timeout(Duration::from_secs(10), promoted).await.is_ok() {
                return;
            }
        }
    }

    /// How many keys each node has.
    async fn keys(&self, nodes: std::ops::Range<usize>) -> Vec<usize> {
        let mut counts = Vec::new();
        for node in &self.0[nodes] {
            counts.push(node.keys().await.len());
        }
        counts
    }
}

/// Deliveries, each of which is repeated until it is accepted.
#[derive(Clone)]
struct Traffic {
    store: RedisStore,
    signed_at: SystemTime,
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    /// When each delivery was handled.
    handled: Arc<Mutex<BTreeMap<String, Vec<Instant>>>>,
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Traffic {
    fn new(store: RedisStore) -> Self {
        Self {
            store,
            signed_at: SystemTime::now(),
            sent: Arc::default(),
            is_over: Arc::default(),
            handled: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
        }
    }

    async fn call(&self, body: &str) -> StatusCode {
        let handled = Arc::clone(&self.handled);
        let handler = service_fn(move |request: Request<BufferedBody>| {
            let body = String::from_utf8(request.into_body().bytes().to_vec()).unwrap();
            handled.lock().unwrap().entry(body).or_default().push(Instant::now());
            async { Ok::<_, Infallible>(Response::new(String::new())) }
        });
        let guard = ReplayLayer::new("/", self.store.clone());
        let service = SignatureLayer::new(stripe()).layer(guard.layer(handler));
        let Ok(response) = service.oneshot(delivery_at(body, self.signed_at)).await;
        response.status()
    }

    async fn deliver(self, body: String) {
        let start = Instant::now();
        while self.call(&body).await != StatusCode::OK {
            self.refused.fetch_add(1, SeqCst);
            assert!(start.elapsed() < NOTHING_HANGS, "{body} is not accepted");
            sleep(Duration::from_millis(50)).await;
        }
        self.accepted.fetch_add(1, SeqCst);
    }

    /// Sends a delivery every few milliseconds until it is over, and waits for all of them.
    async fn run(self) {
        let mut deliveries = JoinSet::new();
        while !self.is_over.load(SeqCst) {
            let body = self.sent.fetch_add(1, SeqCst).to_string();
            deliveries.spawn(self.clone().deliver(body));
            sleep(Duration::from_millis(5)).await;
        }
        while deliveries.join_next().await.transpose().unwrap().is_some() {}
    }

    async fn until_accepted(&self, more: usize) {
        let (start, before) = (Instant::now(), self.accepted.load(SeqCst));
        while self.accepted.load(SeqCst) < before + more {
            assert!(start.elapsed() < NOTHING_HANGS, "{more} more are accepted");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Repeats all deliveries, and asserts that each was handled, and once unless its success was
    /// stored this short a time before a primary failed.
    async fn assert_handled(&self, failures: &[Instant]) {
        let sent = self.sent.load(SeqCst);
        for body in 0..sent {
            self.clone().deliver(body.to_string()).await;
        }
        let handled = self.handled.lock().unwrap();
        assert_eq!(handled.len(), sent);
        let lost = |at: &Instant| {
            failures.iter().any(|failure| *at < *failure && *failure - *at < REPLICATION)
        };
        let again = handled.values().filter(|times| times.len() > 1);
        let again: Vec<_> = again.map(|times| times[..times.len() - 1].iter().all(lost)).collect();
        println!("{sent} handled, {} again, {} refused", again.len(), self.refused.load(SeqCst));
        assert!(again.iter().all(|is_explained| *is_explained), "{again:?}");
    }
}

#[tokio::test]
async fn replica_of_a_cluster_takes_over_when_told() {
    let nodes = Nodes::start(NOTHING_FAILS).await;
    let traffic = Traffic::new(nodes.store().time_limit(NOTHING_HANGS));
    let running = tokio::spawn(traffic.clone().run());
    traffic.until_accepted(200).await;
    let keys = nodes.keys(0..3).await;
    assert!(keys.iter().all(|count| *count > 20), "each primary has its share: {keys:?}");
    // The old primary hands over all that it has, and redirects.
    for primary in 0..3 {
        nodes.take_over(primary).await;
        traffic.until_accepted(100).await;
    }
    traffic.is_over.store(true, SeqCst);
    running.await.unwrap();
    traffic.assert_handled(&[]).await;
    let expected = traffic.sent.load(SeqCst);
    assert_eq!(nodes.keys(3..6).await.iter().sum::<usize>(), expected);
}

#[tokio::test]
async fn slots_of_a_cluster_move_to_another_node() {
    let nodes = Nodes::start(NOTHING_FAILS).await;
    let traffic = Traffic::new(nodes.store().time_limit(NOTHING_HANGS));
    let running = tokio::spawn(traffic.clone().run());
    traffic.until_accepted(100).await;
    let [source, target] = [nodes.text(0, "MYID").await, nodes.text(1, "MYID").await];
    // New keys of these slots are asked for at the target, as soon as the source says so.
    for slot in 0..2_000 {
        nodes.ok(1, &format!("SETSLOT {slot} IMPORTING {source}")).await;
        nodes.ok(0, &format!("SETSLOT {slot} MIGRATING {target}")).await;
    }
    traffic.until_accepted(200).await;
    let mut connection = nodes.0[0].connect().await;
    for slot in 0..2_000 {
        let mut command = redis::cmd("CLUSTER");
        command.arg("GETKEYSINSLOT").arg(slot).arg(1_000);
        let keys: Vec<String> = command.query_async(&mut connection).await.unwrap();
        for key in keys {
            let mut command = redis::cmd("MIGRATE");
            command.arg("127.0.0.1").arg(nodes.0[1].port).arg(key).arg(0).arg(5_000);
            let () = command.query_async(&mut connection).await.unwrap();
        }
        for at in [1, 0, 2] {
            nodes.ok(at, &format!("SETSLOT {slot} NODE {target}")).await;
        }
    }
    traffic.until_accepted(100).await;
    traffic.is_over.store(true, SeqCst);
    running.await.unwrap();
    assert_eq!(traffic.refused.load(SeqCst), 0, "each redirection was followed");
    traffic.assert_handled(&[]).await;
}

#[tokio::test]
async fn primaries_of_a_cluster_are_killed_and_stopped() {
    let mut nodes = Nodes::start("2000").await;
    let traffic = Traffic::new(nodes.store());
    let running = tokio::spawn(traffic.clone().run());
    traffic.until_accepted(200).await;
    let mut failures = Vec::new();
    for primary in [0, 1] {
        failures.push(Instant::now());
        if primary == 0 {
            nodes.0[0].kill()
        } else {
            nodes.0[1].signal("-STOP")
        }
        // Those of the other nodes.
        traffic.until_accepted(100).await;
        nodes.until_promoted(primary).await;
        let promoted = Instant::now();
        let refused = traffic.refused.load(SeqCst);
        traffic.until_accepted(300).await;
        let (at, since) = (promoted.elapsed(), promoted - failures[primary]);
        println!("promoted after {since:?}; {refused} refused; 300 accepted after {at:?}");
    }
    nodes.0[1].signal("-CONT");
    traffic.until_accepted(300).await;
    traffic.is_over.store(true, SeqCst);
    running.await.unwrap();
    traffic.assert_handled(&failures).await;
}

//! A server that serves no more, while deliveries come in: the store finds the next one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use http::{Request, Response, StatusCode};
use tokio::{task::JoinSet, time::sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, SignatureLayer,
    observe::{Event, EventKind},
    replay::{RedisStore, ReplayLayer},
};

use super::{Redis, delivery_at, forwarder::Forwarder, stripe};

/// What hangs would take for ever.
const NOTHING_HANGS: Duration = Duration::from_secs(20);

/// How long a fault lasts. It is noticed within its first half.
const FAULT: Duration = Duration::from_secs(2);

/// Senders, and what became of their deliveries.
#[derive(Clone)]
struct Scene {
    fails_open: bool,
    /// All deliveries are signed at one time, so that those which are repeated are the same.
    signed_at: SystemTime,
    numbers: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    /// How often each delivery was handled.
    handled: Arc<Mutex<BTreeMap<String, usize>>>,
    /// When they were answered 200.
    accepted: Arc<Mutex<Vec<Instant>>>,
    refused: Arc<AtomicUsize>,
    /// How many are marked as unguarded, and how many are told of at the end.
    unguarded: Arc<AtomicUsize>,
    restored: Arc<Mutex<Vec<u64>>>,
}

impl Scene {
    fn new(fails_open: bool) -> Self {
        Self {
            fails_open,
            signed_at: SystemTime::now(),
            numbers: Arc::default(),
            is_over: Arc::default(),
            handled: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
            unguarded: Arc::default(),
            restored: Arc::default(),
        }
    }

    /// Calls the guard with the deliveries of this number. Returns whether it answered 200.
    fn service(&self, url: &str) -> impl Fn(String) -> BoxedAnswer + Clone + Send + 'static {
        let handled = Arc::clone(&self.handled);
        let handler = service_fn(move |request: Request<BufferedBody>| {
            let handled = Arc::clone(&handled);
            async move {
                let body = String::from_utf8(request.into_body().bytes().to_vec()).unwrap();
                sleep(Duration::from_millis(5)).await;
                *handled.lock().unwrap().entry(body).or_default() += 1;
                Ok::<_, std::convert::Infallible>(Response::new(String::new()))
            }
        });
        let mut guard = ReplayLayer::new("/", RedisStore::open(url).unwrap());
        if self.fails_open {
            guard = guard.dangerously_fail_open();
        }
        let (unguarded, restored) = (Arc::clone(&self.unguarded), Arc::clone(&self.restored));
        let observer = move |event: &Event<'_>| {
            if event.is_last() && event.is_unguarded() {
                unguarded.fetch_add(1, SeqCst);
            }
            if let EventKind::GuardRestored { count } = event.kind() {
                restored.lock().unwrap().push(count);
            }
        };
        let service = SignatureLayer::new(stripe()).observer(observer).layer(guard.layer(handler));
        let signed_at = self.signed_at;
        move |body| {
            let service = service.clone();
            Box::pin(async move {
                let Ok(response) = service.oneshot(delivery_at(&body, signed_at)).await;
                response.status()
            })
        }
    }

    /// Starts senders. Each repeats a delivery until it is answered 200, and goes on to the next.
    fn start(&self, url: &str) -> JoinSet<()> {
        let service = self.service(url);
        let mut senders = JoinSet::new();
        for _ in 0..8 {
            let (scene, service) = (self.clone(), service.clone());
            senders.spawn(async move {
                while !scene.is_over.load(SeqCst) {
                    let body = scene.numbers.fetch_add(1, SeqCst).to_string();
                    scene.send(&service, body).await;
                    sleep(Duration::from_millis(5)).await;
                }
            });
        }
        senders
    }

    async fn send(&self, service: &impl Fn(String) -> BoxedAnswer, body: String) {
        loop {
            match service(body.clone()).await {
                StatusCode::OK => {
                    self.accepted.lock().unwrap().push(Instant::now());
                    return;
                }
                StatusCode::SERVICE_UNAVAILABLE => self.refused.fetch_add(1, SeqCst),
                status => panic!("{status}"),
            };
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.lock().unwrap().len()
    }

    /// Until so many more have been accepted.
    async fn until_accepted(&self, more: usize) {
        let (start, before) = (Instant::now(), self.accepted());
        while self.accepted() < before + more {
            assert!(start.elapsed() < NOTHING_HANGS, "{more} more are not accepted");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends through this forwarder, breaks what is behind it, heals it, and asserts what is
    /// promised of deliveries meanwhile and afterwards.
    async fn play(
        fails_open: bool,
        forwarder: &Forwarder,
        break_it: impl AsyncFnOnce(),
        heal_it: impl AsyncFnOnce(),
    ) {
        let scene = Self::new(fails_open);
        let mut senders = scene.start(&forwarder.url());
        scene.until_accepted(100).await;
        assert_eq!(forwarder.accepted(), 1);
        let broken = Instant::now();
        break_it().await;
        sleep(FAULT / 2).await;
        let (accepted, refused) = (scene.accepted(), scene.refused.load(SeqCst));
        sleep(FAULT / 2).await;
        if fails_open {
            assert!(scene.accepted() > accepted && scene.unguarded.load(SeqCst) > 0);
            assert_eq!(scene.refused.load(SeqCst), 0);
        } else {
            assert_eq!(scene.accepted(), accepted, "none is accepted while it is broken");
            assert!(scene.refused.load(SeqCst) > refused && refused > 0);
        }
        let connections = forwarder.accepted();
        // The one that was given up, a few with shorter pauses, and then one in half a second.
        let attempts = 5 + broken.elapsed().as_millis() / 500;
        assert!(connections as u128 <= attempts, "{connections} of {attempts}");
        let healed = Instant::now();
        heal_it().await;
        if fails_open {
            scene.until_guarded().await;
        } else {
            scene.until_accepted(1).await;
            let accepted = scene.accepted.lock().unwrap();
            let first = accepted.iter().find(|at| **at > healed).unwrap();
            println!("accepted again after {:?}", first.duration_since(healed));
        }
        assert!(forwarder.accepted() <= connections + 4, "{}", forwarder.accepted());
        scene.until_accepted(100).await;
        scene.is_over.store(true, SeqCst);
        while senders.join_next().await.transpose().unwrap().is_some() {}
        if !fails_open {
            scene.assert_each_is_handled_once(&forwarder.url()).await;
        }
    }

    /// Until the end of the outage is told.
    async fn until_guarded(&self) {
        let start = Instant::now();
        while self.restored.lock().unwrap().is_empty() {
            assert!(start.elapsed() < NOTHING_HANGS, "the guard is not restored");
            sleep(Duration::from_millis(5)).await;
        }
        let unguarded = self.unguarded.load(SeqCst) as u64;
        assert_eq!(*self.restored.lock().unwrap(), [unguarded]);
    }

    /// Repeats all deliveries, as senders do that did not see their answers.
    async fn assert_each_is_handled_once(&self, url: &str) {
        let service = self.service(url);
        let sent = self.numbers.load(SeqCst);
        for body in 0..sent {
            self.send(&service, body.to_string()).await;
        }
        let handled = self.handled.lock().unwrap();
        assert_eq!(handled.len(), sent);
        let twice: Vec<_> = handled.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

type BoxedAnswer = std::pin::Pin<Box<dyn Future<Output = StatusCode> + Send>>;

const WAYS: [bool; 2] = [false, true];

#[tokio::test]
async fn stopped_and_continued() {
    for fails_open in WAYS {
        let redis = Redis::start();
        let forwarder = Forwarder::to(redis.port).await;
        let stop = async || redis.signal("-STOP");
        Scene::play(fails_open, &forwarder, stop, async || redis.signal("-CONT")).await;
    }
}

#[tokio::test]
async fn stopped_for_ever_while_another_takes_its_address() {
    for fails_open in WAYS {
        let primary = Redis::start();
        let replica = Redis::replica_of(&primary).await;
        let forwarder = Forwarder::to(primary.port).await;
        let stop = async || {
            primary.end_writes(&replica).await;
            primary.signal("-STOP");
        };
        Scene::play(fails_open, &forwarder, stop, async || {
            replica.replicate(None).await;
            forwarder.point_at(replica.port);
        })
        .await;
    }
}

#[tokio::test]
async fn killed_and_back() {
    for fails_open in WAYS {
        let redis = Redis::durable();
        let forwarder = Forwarder::to(redis.port).await;
        let redis = Mutex::new(redis);
        let kill = async || redis.lock().unwrap().kill();
        let start = async || redis.lock().unwrap().start_again();
        Scene::play(fails_open, &forwarder, kill, start).await;
    }
}

#[tokio::test]
async fn demoted_and_promoted_again() {
    for fails_open in WAYS {
        let redis = Redis::start();
        let forwarder = Forwarder::to(redis.port).await;
        // It holds on to its data: the other one is not there.
        let nowhere = super::free_port();
        let demote = async || redis.replicate(Some(nowhere)).await;
        Scene::play(fails_open, &forwarder, demote, async || redis.replicate(None).await).await;
    }
}

#[tokio::test]
async fn demoted_while_the_address_moves_to_the_new_primary() {
    for fails_open in WAYS {
        let primary = Redis::start();
        let replica = Redis::replica_of(&primary).await;
        let forwarder = Forwarder::to(primary.port).await;
        let fail_over = async || primary.fail_over(&replica).await;
        Scene::play(fails_open, &forwarder, fail_over, async || forwarder.point_at(replica.port))
            .await;
    }
}

#[tokio::test]
async fn behind_a_forwarder_that_falls_silent() {
    for fails_open in WAYS {
        let redis = Redis::start();
        let forwarder = Forwarder::to(redis.port).await;
        let fall_silent = async || forwarder.fall_silent();
        let hear = async || forwarder.hear_new_ones();
        Scene::play(fails_open, &forwarder, fall_silent, hear).await;
    }
}

/// `/proc/net/tcp` says which timer a socket has: 2 is that of keepalive.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn its_connections_are_kept_alive() {
    let redis = Redis::start();
    let forwarder = Forwarder::to(redis.port).await;
    let service = Scene::new(false).service(&forwarder.url());
    assert_eq!(service("1".to_owned()).await, StatusCode::OK);
    let peer = format!("0100007F:{:04X}", forwarder.port());
    let start = Instant::now();
    // Until what was sent is acknowledged there is another timer.
    while start.elapsed() < NOTHING_HANGS {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = sockets.find(|socket| socket[2] == peer && socket[3] == "01");
        if ours.is_some_and(|socket| socket[5].starts_with("02:")) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no keepalive");
}

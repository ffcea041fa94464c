//! Nothing is lost, from the sender to the handler's database: many deliveries, faults in one call
//! of ten, two restarts of the server.
//!
//! `cargo test --release --all-features --test servers -- nothing_lost` sends 20,000 genuine and
//! 5,000 forged ones. Without `--release` it is a tenth of that.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use redis::AsyncCommands;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{
    Redis,
    process::{Process, counts},
    senders::{Client, PROVIDERS, Provider},
};

const GENUINE: usize = if cfg!(debug_assertions) { 2_000 } else { 20_000 };
const FORGED: usize = GENUINE / 4;
const SENDERS: usize = 32;
/// So short that a claim which a restart leaves behind does not hold the test up.
const LEASE: Duration = Duration::from_secs(5);

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The handler answers 500.
    Fails,
    Panics,
    /// The handler never answers, and the sender does not wait.
    Hangs,
    /// The answer is lost on its way, so the sender repeats what has been handled.
    AnswerLost,
    /// The sender sends it twice at the same time.
    Twice,
    /// The connection breaks off in the middle of the body.
    BreaksOff,
}

const FAULTS: [Fault; 6] =
    [Fault::Fails, Fault::Panics, Fault::Hangs, Fault::AnswerLost, Fault::Twice, Fault::BreaksOff];

/// Numbers without a pattern, the same in each run.
fn scatter(seed: usize) -> usize {
    let mut x = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    for _ in 0..3 {
        x ^= x >> 30;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 27;
    }
    usize::try_from(x >> 33).unwrap()
}

#[derive(Clone, Debug)]
enum Work {
    Genuine { number: usize, provider: Provider, tries: u32 },
    Forged { number: usize },
}

struct Simulation {
    /// Where the server is; `None` while it restarts.
    address: watch::Receiver<Option<SocketAddr>>,
    client: Client,
    queue: Mutex<VecDeque<Work>>,
    changed: Notify,
    /// Deliveries that have not seen a 2xx yet, and forged ones that have not been refused.
    open: AtomicUsize,
    calls: AtomicUsize,
    faults: AtomicUsize,
    gave_up: Mutex<Vec<Work>>,
}

impl Simulation {
    /// One of the sender's machines: takes what is due, until nothing is open.
    async fn send_all(self: Arc<Self>) {
        while self.open.load(Ordering::SeqCst) > 0 {
            let changed = self.changed.notified();
            let work = self.queue.lock().unwrap().pop_front();
            match work {
                Some(work) => Arc::clone(&self).work(work).await,
                None => changed.await,
            }
        }
        self.changed.notify_waiters();
    }

    fn done(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    fn again(&self, work: Work) {
        self.queue.lock().unwrap().push_back(work);
        self.changed.notify_waiters();
    }

    async fn work(self: Arc<Self>, work: Work) {
        let to = self.address.clone().wait_for(Option::is_some).await.unwrap().unwrap();
        match work {
            Work::Forged { number } => match self.client.send(to, forged(number)).await {
                Ok(StatusCode::FORBIDDEN) => self.done(),
                Ok(status) => panic!("a forged delivery was answered {status}"),
                // The server restarts.
                Err(_) => self.again(Work::Forged { number }),
            },
            Work::Genuine { number, provider, tries } => {
                let call = self.calls.fetch_add(1, Ordering::SeqCst);
                let fault = (scatter(call).is_multiple_of(10))
                    .then(|| FAULTS[scatter(call + 1) % FAULTS.len()]);
                let answer = self.deliver(to, provider.request(&id(number)), fault).await;
                if answer.is_some_and(|status| status.is_success()) {
                    return self.done();
                }
                let work = Work::Genuine { number, provider, tries: tries + 1 };
                if tries + 1 == provider.tries() {
                    self.gave_up.lock().unwrap().push(work);
                    return self.done();
                }
                if answer != Some(StatusCode::SERVICE_UNAVAILABLE) {
                    return self.again(work);
                }
                // `Retry-After` says 5 to 30 seconds, and the lease is a minute. Here both are a
                // fraction of it.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    self.again(work);
                });
            }
        }
    }

    /// The answer that the sender sees.
    async fn deliver(
        &self,
        to: SocketAddr,
        mut request: Request<Bytes>,
        fault: Option<Fault>,
    ) -> Option<StatusCode> {
        self.faults.fetch_add(usize::from(fault.is_some()), Ordering::SeqCst);
        let mut tell = |what| {
            request.headers_mut().insert("x-fault", HeaderValue::from_static(what));
            request.clone()
        };
        match fault {
            None => self.client.send(to, request).await.ok(),
            Some(Fault::Fails) => self.client.send(to, tell("fail")).await.ok(),
            Some(Fault::Panics) => self.client.send(to, tell("panic")).await.ok(),
            Some(Fault::Hangs) => {
                let answer = self.client.send(to, tell("hang"));
                tokio::time::timeout(Duration::from_millis(50), answer).await.ok()?.ok()
            }
            Some(Fault::AnswerLost) => {
                let _ = self.client.send(to, request).await;
                None
            }
            Some(Fault::Twice) => {
                let (first, second) = tokio::join!(
                    self.client.send(to, request.clone()),
                    self.client.send(to, request)
                );
                let answers = [first.ok(), second.ok()];
                answers.into_iter().flatten().find(|status| status.is_success()).or(answers[0])
            }
            Some(Fault::BreaksOff) => self.client.break_off(to, request).await.ok(),
        }
    }

    async fn until(&self, open: usize) {
        loop {
            let changed = self.changed.notified();
            if self.open.load(Ordering::SeqCst) <= open {
                return;
            }
            changed.await;
        }
    }
}

fn id(number: usize) -> String {
    format!("genuine-{number}")
}

/// A delivery that nobody signed as it is.
fn forged(number: usize) -> Request<Bytes> {
    let mut request = PROVIDERS[number % 3].request(&format!("forged-{number}"));
    match number / 3 % 3 {
        0 => *request.body_mut() = Bytes::from(format!(r#"{{"id":"forged-{number}","x":1}}"#)),
        1 => {
            for name in ["webhook-signature", "x-hub-signature-256"] {
                request.headers_mut().remove(name);
            }
        }
        // The signature of another delivery.
        _ => {
            let genuine = PROVIDERS[number % 3].request(&id(number));
            *request.headers_mut() = genuine.headers().clone();
        }
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lost() {
    let redis = Redis::start();
    let mut process = Process::start(&redis, LEASE);
    let (restart, address) = watch::channel(Some(process.address));

    let mut queue: Vec<Work> = (0..GENUINE)
        .map(|number| Work::Genuine { number, provider: PROVIDERS[number % 3], tries: 0 })
        .chain((0..FORGED).map(|number| Work::Forged { number }))
        .collect();
    queue.sort_by_key(|work| match work {
        Work::Genuine { number, .. } => scatter(*number),
        Work::Forged { number } => scatter(*number + GENUINE),
    });
    let simulation = Arc::new(Simulation {
        address,
        client: Client::new(),
        open: AtomicUsize::new(queue.len()),
        queue: Mutex::new(queue.into()),
        changed: Notify::new(),
        calls: AtomicUsize::default(),
        faults: AtomicUsize::default(),
        gave_up: Mutex::default(),
    });
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(Arc::clone(&simulation).send_all());
    }

    for third in [2, 1] {
        simulation.until((GENUINE + FORGED) * third / 3).await;
        restart.send_replace(None);
        // It ends what is under way. Those who come too late find nobody, and come again.
        tokio::task::block_in_place(|| process.stop());
        process = tokio::task::block_in_place(|| Process::start(&redis, LEASE));
        restart.send_replace(Some(process.address));
    }
    senders.join_all().await;

    assert!(simulation.gave_up.lock().unwrap().is_empty(), "{:?}", simulation.gave_up);
    let mut database = redis.connect().await;
    let (mut dispatched_in_all, mut lost, mut twice) = (0, 0, 0);
    for number in 0..GENUINE {
        let (dispatched, succeeded) = counts(&mut database, &id(number)).await;
        dispatched_in_all += dispatched;
        lost += u64::from(succeeded == 0);
        twice += u64::from(succeeded > 1);
    }
    let forged: Vec<String> = database.keys("dispatched:forged-*").await.unwrap();
    let calls = simulation.calls.load(Ordering::SeqCst);
    let faults = simulation.faults.load(Ordering::SeqCst);
    println!(
        "{GENUINE} genuine in {calls} calls, {faults} of them with a fault, {dispatched_in_all} \
         dispatched; {FORGED} forged, {} dispatched; {lost} lost, {twice} handled twice",
        forged.len()
    );
    assert_eq!((lost, twice, forged.len()), (0, 0, 0));
    assert!(faults > calls / 20 && dispatched_in_all > GENUINE as u64, "there were faults");
    process.stop();
}

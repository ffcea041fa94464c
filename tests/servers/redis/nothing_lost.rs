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

pub(super) struct Simulation {
    /// Where the server is; `None` while it restarts.
    address: watch::Receiver<Option<SocketAddr>>,
    genuine: usize,
    /// Whether senders give up as their providers do.
    gives_up: bool,
    client: Client,
    queue: Mutex<VecDeque<Work>>,
    changed: Notify,
    /// Deliveries that have not seen a 2xx yet, and forged ones that have not been refused.
    open: AtomicUsize,
    calls: AtomicUsize,
    faults: AtomicUsize,
    told_to_come_again: AtomicUsize,
    gave_up: Mutex<Vec<Work>>,
}

impl Simulation {
    /// Numbers of deliveries, in an order without a pattern.
    pub(super) fn new(
        address: watch::Receiver<Option<SocketAddr>>,
        genuine: usize,
        forged: usize,
        gives_up: bool,
    ) -> Arc<Self> {
        let mut queue: Vec<Work> = (0..genuine)
            .map(|number| Work::Genuine { number, provider: PROVIDERS[number % 3], tries: 0 })
            .chain((0..forged).map(|number| Work::Forged { number }))
            .collect();
        queue.sort_by_key(|work| match work {
            Work::Genuine { number, .. } => scatter(*number),
            Work::Forged { number } => scatter(*number + genuine),
        });
        Arc::new(Self {
            address,
            genuine,
            gives_up,
            client: Client::new(),
            open: AtomicUsize::new(queue.len()),
            queue: Mutex::new(queue.into()),
            changed: Notify::new(),
            calls: AtomicUsize::default(),
            faults: AtomicUsize::default(),
            told_to_come_again: AtomicUsize::default(),
            gave_up: Mutex::default(),
        })
    }

    pub(super) fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(Arc::clone(self).send_all());
        }
        senders
    }

    /// What the handler's database says in the end.
    pub(super) async fn totals(&self, database: &Redis) -> Totals {
        let mut database = database.connect().await;
        let (mut dispatched, mut lost, mut twice) = (0, 0, 0);
        for number in 0..self.genuine {
            let (calls, succeeded) = counts(&mut database, &id(number)).await;
            dispatched += calls;
            lost += u64::from(succeeded == 0);
            twice += u64::from(succeeded > 1);
        }
        let forged: Vec<String> = database.keys("dispatched:forged-*").await.unwrap();
        Totals {
            calls: self.calls.load(Ordering::SeqCst),
            faults: self.faults.load(Ordering::SeqCst),
            told_to_come_again: self.told_to_come_again.load(Ordering::SeqCst),
            dispatched,
            lost,
            twice,
            forged_dispatched: forged.len(),
        }
    }

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
                if self.gives_up && tries + 1 == provider.tries() {
                    self.gave_up.lock().unwrap().push(work);
                    return self.done();
                }
                if answer != Some(StatusCode::SERVICE_UNAVAILABLE) {
                    return self.again(work);
                }
                self.told_to_come_again.fetch_add(1, Ordering::SeqCst);
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

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Until so many are left.
    pub(super) async fn until(&self, open: usize) {
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

/// What became of all deliveries.
pub(super) struct Totals {
    pub(super) calls: usize,
    pub(super) faults: usize,
    pub(super) told_to_come_again: usize,
    pub(super) dispatched: u64,
    /// Genuine ones that were never handled with success.
    pub(super) lost: u64,
    /// Genuine ones that were handled with success more than once.
    pub(super) twice: u64,
    pub(super) forged_dispatched: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lost() {
    let redis = Redis::start();
    let mut process = Process::start(&redis, LEASE);
    let (restart, address) = watch::channel(Some(process.address));
    let simulation = Simulation::new(address, GENUINE, FORGED, true);
    let senders = simulation.start();
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
    let Totals { calls, faults, dispatched, lost, twice, forged_dispatched, .. } =
        simulation.totals(&redis).await;
    println!(
        "{GENUINE} genuine in {calls} calls, {faults} of them with a fault, {dispatched} \
         dispatched; {FORGED} forged, {forged_dispatched} dispatched; {lost} lost, {twice} handled \
         twice"
    );
    assert_eq!((lost, twice, forged_dispatched), (0, 0, 0));
    assert!(faults > calls / 20 && dispatched > GENUINE as u64, "there were faults");
    process.stop();
}

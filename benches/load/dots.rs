//! Bodies that take long to mask, beside small deliveries of others: the log masks away from the
//! threads that answer, and a short row waits for no long one.

use std::{
    convert::Infallible,
    env, fs,
    future::ready,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, SignatureLayer,
    delivery_log::{DeliveryLog, Mask},
    providers::Meta,
};

use crate::{
    Failure, Load, MIB,
    client::{Honest, count, genuine, once, p99},
    ms,
    server::{BODY_LIMIT, Server},
    signature::{SECRET, signature},
};

const ROUNDS: usize = 3;
const BODIES: usize = 32;

/// A directory for the log's file, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("tower-webhook-load-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn masks() -> Mask {
    Mask::new().phone_numbers().emails().secrets().card_numbers()
}

impl Load {
    pub(crate) async fn dots(&mut self) -> Result<(), Failure> {
        let directory = Directory::new()?;
        self.beside_others(&directory).await?;
        self.on_one_thread(&directory)
    }

    /// Durable mode on two threads: one tenant sends a MiB of dots a second.
    async fn beside_others(&mut self, directory: &Directory) -> Result<(), Failure> {
        let seconds = (10 / self.divisor).max(2);
        let name = format!("strict, {seconds} MiB of dots in {seconds} s");
        let file = directory.file("strict.db");
        let server = Server::start_logging(2, &file)?;
        let long = genuine(&vec![b'.'; MIB]);
        once(server.address, &long).await?;
        let (mut without, mut with, mut sent, mut refused) = (Vec::new(), Vec::new(), 0, 0);
        let mut took = Duration::ZERO;
        for _ in 0..ROUNDS {
            let honest = Honest::start(server.address)?;
            sleep(Duration::from_secs(u64::try_from(seconds)?)).await;
            let answers = honest.end()?;
            refused += answers.len() - count(&answers, 200);
            without.push(p99(&answers));

            let honest = Honest::start(server.address)?;
            let mut every = interval(Duration::from_secs(1));
            for _ in 0..seconds {
                every.tick().await;
                let answer = once(server.address, &long).await?;
                refused += usize::from(answer.status != 200);
                took = took.max(answer.after);
            }
            every.tick().await;
            let answers = honest.end()?;
            refused += answers.len() - count(&answers, 200);
            sent += answers.len();
            with.push(p99(&answers));
        }
        let row = format!("{name}: not answered 200, {sent} small ones beside them");
        self.row(&row, refused, 0, refused == 0);
        println!("| {name}: the slowest of them | {} | | |", ms(took));
        let (quiet, busy) = (median(without), median(with));
        let goal = format!("3 × {}", ms(quiet));
        self.row(&format!("{name}: p99 of small ones"), ms(busy), goal, busy <= 3 * quiet);
        Ok(())
    }

    /// Best effort on one thread, which goes on meanwhile.
    fn on_one_thread(&mut self, directory: &Directory) -> Result<(), Failure> {
        let without = longest_gap(None)?;
        let with = longest_gap(Some(directory.file("one.db")))?;
        let name = format!("one thread, {BODIES} × 1 MiB of dots: longest gap of 1 ms ticks");
        println!("| {name}, without a log | {} | | |", ms(without));
        let goal = without.max(Duration::from_millis(10)) * 3;
        self.row(&name, ms(with), ms(goal), with <= goal);
        Ok(())
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

async fn open(file: &Path) -> Result<DeliveryLog, Failure> {
    Ok(DeliveryLog::builder().durable().mask(masks()).sqlite(file).await?)
}

/// The layers of the server whose log is strict.
pub(crate) async fn strict_router(
    file: &Path,
    router: axum::Router,
) -> Result<axum::Router, Failure> {
    let log = open(file).await?;
    let layer = SignatureLayer::new(Meta::new(SECRET)?).body_limit(BODY_LIMIT);
    Ok(router.route_layer(log.durable_layer()?).route_layer(layer.observer(log)))
}

/// The longest time between two ticks on a runtime of one thread, on which the bodies are verified
/// and logged.
fn longest_gap(file: Option<PathBuf>) -> Result<Duration, Failure> {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let gap = ticks_while_logging(file).await;
            gap.map_err(|error| error.to_string())
        })
    };
    Ok(thread::spawn(run).join().map_err(|_| "the thread panicked")??)
}

async fn ticks_while_logging(file: Option<PathBuf>) -> Result<Duration, Failure> {
    let mut layer = SignatureLayer::new(Meta::new(SECRET)?).body_limit(BODY_LIMIT);
    let log = match file {
        Some(file) => Some(DeliveryLog::builder().mask(masks()).sqlite(file).await?),
        None => None,
    };
    if let Some(log) = &log {
        layer = layer.observer(log.clone());
    }
    let service = layer.layer(service_fn(|_: Request<BufferedBody>| {
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    }));
    let body = Bytes::from(vec![b'.'; MIB]);
    let signature = signature(&body);

    let send = async {
        for _ in 0..BODIES {
            let request = Request::post("/webhook").header("x-hub-signature-256", &signature);
            let request = request.body(Full::new(body.clone()))?;
            let Ok(response) = service.clone().oneshot(request).await;
            if response.status() != 200 {
                return Err(response.status().to_string().into());
            }
            tokio::task::yield_now().await;
        }
        if let Some(log) = &log {
            log.flush().await?;
            if log.dropped() > 0 {
                return Err("rows were lost".into());
            }
        }
        Ok::<_, Failure>(())
    };
    let mut longest = Duration::ZERO;
    let tick = async {
        let mut every = interval(Duration::from_millis(1));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            every.tick().await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    };
    tokio::select! {
        sent = send => sent?,
        () = tick => {}
    }
    Ok(longest)
}

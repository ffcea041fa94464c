//! A server that is killed again and again. It is this test binary itself, started anew with
//! [`DATABASE`] set: what is a test in the parent is the server in the child.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_webhook::{
    BufferedBody,
    delivery_log::{DeliveryLog, Filter},
};

use crate::{
    net::{Client, serve},
    support::{meta_layer, meta_request},
};

/// Where the child's log is.
const DATABASE: &str = "TOWER_WEBHOOK_TEST_DATABASE";

const KILLS: usize = 20;
const ATTEMPTS: usize = 10_000;
const CONNECTIONS: usize = 8;

/// Rows that may wait in the best-effort server.
const QUEUE: usize = 100;

/// Whether this process is the server.
pub(crate) fn is_child() -> bool {
    env::var(DATABASE).is_ok()
}

/// A path is SQLite's.
pub(crate) async fn open(database: &str) -> DeliveryLog {
    let builder =
        DeliveryLog::builder().durable().max_queued_rows(QUEUE).max_queued_bytes(64 << 20);
    #[cfg(feature = "delivery-log-postgres")]
    if database.starts_with("postgres:") {
        return builder.postgres(database).await.unwrap();
    }
    builder.sqlite(database).await.unwrap()
}

/// The child: serves until it is killed.
async fn serve_for_ever(database: &str, is_durable: bool) {
    let log = open(database).await;
    let layer = crate::support::unexplained(meta_layer()).observer(log.clone());
    let handler = service_fn(async |_: Request<BufferedBody>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    let address = if is_durable {
        // A disk may be slow; here a row counts, and not when it comes.
        let durable = log.durable_layer().unwrap().deadline(super::SECOND * 30);
        serve(ServiceBuilder::new().layer(layer).layer(durable).service(handler)).await
    } else {
        // Rows that find no room are lost by design; here only the queue may be.
        let slows_down = service_fn(move |_: Request<BufferedBody>| {
            let log = log.clone();
            async move {
                while log.queued() + CONNECTIONS >= QUEUE {
                    log.flush().await.unwrap();
                }
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            }
        });
        serve(ServiceBuilder::new().layer(layer).service(slows_down)).await
    };
    println!("listening on {address}");
    std::future::pending().await
}

fn start(test: &str, database: &str) -> (Child, SocketAddr) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        // The harness's own words may stand before it.
        .find_map(|line| line.rsplit_once("listening on ").map(|(_, rest)| rest.parse().unwrap()));
    (child, address.expect("the server starts"))
}

/// Sends numbered deliveries over several connections until the server is killed after so many
/// answers, and returns the numbers of those that were acknowledged.
async fn send_and_kill(
    child: &mut Child,
    address: SocketAddr,
    first: usize,
    kill_after: usize,
) -> BTreeSet<usize> {
    let (sent, answered) = (AtomicUsize::new(first), AtomicUsize::new(0));
    let child = std::sync::Mutex::new(child);
    let connection = async || {
        let mut acknowledged = Vec::new();
        let Ok(mut client) = Client::<Full<Bytes>>::try_http1(address).await else {
            return acknowledged;
        };
        loop {
            let number = sent.fetch_add(1, Ordering::SeqCst);
            let body = Bytes::from(format!("delivery {number}"));
            let request = meta_request(&body, Full::new(body.clone()));
            // The server may be gone, which is the point.
            match client.try_send(request).await {
                Some(response) if response.status() == 200 => acknowledged.push(number),
                Some(response) => assert_eq!(response.status(), 503),
                None => return acknowledged,
            }
            if answered.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                child.lock().unwrap().kill().unwrap();
            }
        }
    };
    let connections = (0..CONNECTIONS).map(|_| connection());
    let mut all = BTreeSet::new();
    // Each answer has its own time limit. How long all of them take is the disk's matter.
    for acknowledged in join_all(connections).await {
        all.extend(acknowledged);
    }
    all
}

/// All of them at once, on this task.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *output = Some(value);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// The numbers of the deliveries that have a row.
async fn numbers(log: &DeliveryLog) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    let mut filter = Some(Filter::new().limit(1_000));
    while let Some(wanted) = filter {
        let page = log.find(&wanted).await.unwrap();
        filter = page.next(&wanted);
        for payload in page.iter().filter_map(|row| row.payload.as_deref()) {
            let number = std::str::from_utf8(payload).unwrap().strip_prefix("delivery ").unwrap();
            assert!(numbers.insert(number.parse().unwrap()), "{number} has two rows");
        }
    }
    numbers
}

/// Kills a server twenty times, after numbers of answers that are random but the same in each run.
pub(crate) async fn survives_kills(test: &str, database: &str, is_durable: bool) {
    if is_child() {
        return serve_for_ever(&env::var(DATABASE).unwrap(), is_durable).await;
    }
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut acknowledged, mut lost) = (0, 0);
    for round in 0..KILLS {
        // Xorshift.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let left = ATTEMPTS.saturating_sub(acknowledged);
        let moment = usize::try_from(random % 600).unwrap() + 200;
        let kill_after = if round + 1 == KILLS { left.max(200) } else { moment };
        let (mut child, address) = start(test, database);
        let first = round * 1_000_000;
        let answered = send_and_kill(&mut child, address, first, kill_after).await;
        child.wait().unwrap();
        assert!(
            answered.len() + 2 * CONNECTIONS >= kill_after,
            "{} of {kill_after}",
            answered.len()
        );

        let log = open(database).await;
        let rows = numbers(&log).await;
        log.shutdown(super::SECOND * 10).await.unwrap();
        let missing = answered.difference(&rows).count();
        let limit = if is_durable { 0 } else { QUEUE };
        assert!(missing <= limit, "round {round}: {missing} acknowledged deliveries have no row");
        acknowledged += answered.len();
        lost += missing;
    }
    println!(
        "{acknowledged} acknowledged, {KILLS} kills, {lost} without a row (durable: {is_durable})"
    );
    assert!(acknowledged >= ATTEMPTS);
}

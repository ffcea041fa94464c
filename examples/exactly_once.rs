//! Handles each delivery once in two server processes that share their claims in Redis.
//!
//! ```sh
//! cargo run --example exactly_once --features replay-redis,sign -- redis://127.0.0.1:6379/
//! ```
//!
//! The program starts two processes of itself and sends them three deliveries: one twice in a row,
//! one twice at the same time, and one whose handler fails at first. It prints each response.
//! Without an address it starts one process and keeps the claims in memory, which processes cannot
//! share.

use std::{
    collections::HashMap,
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{Json, Router, extract::State, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_webhook::{
    Secret, SignatureLayer,
    providers::StandardWebhooks,
    replay::{MemoryReplayStore, RedisStore, ReplayLayer, ReplayStore},
    sign::signed,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", "memory"] => runtime.block_on(serve(MemoryReplayStore::new(100_000))),
        ["serve", redis] => runtime.block_on(async { serve(RedisStore::open(redis)?).await }),
        [] => runtime.block_on(send("memory", 1)),
        [redis] => runtime.block_on(send(redis, 2)),
        _ => Err("usage: exactly_once [redis://host:port/]".into()),
    }
}

/// Creates the verifier.
///
/// The secret is in the source. Do not do this outside an example.
fn provider() -> Result<StandardWebhooks> {
    Ok(StandardWebhooks::new(Secret::from_bytes(*b"an example's secret, 32 bytes...")?)?)
}

#[derive(serde::Deserialize)]
struct Event {
    id: String,
    fails_at_first: bool,
}

/// Number of tries of each event, in place of a database that all processes share.
type Tried = Arc<Mutex<HashMap<String, u32>>>;

/// Handles an event, whose effect must happen once.
///
/// The replay guard ensures this for every delivery that gets a response. It does not help if the
/// process dies between the write to its database and the response. For that case, write the ID of
/// the event under a unique key in the same transaction as its effect.
///
/// ```sql
/// begin;
/// insert into handled (event_id) values ($1) on conflict do nothing;
/// -- No row inserted: the event has been handled. Roll back, and respond with 200.
/// update accounts set balance = balance + $2 where id = $3;
/// commit;
/// ```
async fn handler(State(tried): State<Tried>, Json(event): Json<Event>) -> StatusCode {
    let tries = {
        let mut tried = tried.lock().unwrap_or_else(|error| error.into_inner());
        let tries = tried.entry(event.id.clone()).or_default();
        *tries += 1;
        *tries
    };
    // Long enough for a repetition to arrive.
    tokio::time::sleep(Duration::from_millis(100)).await;
    if event.fails_at_first && tries == 1 {
        println!("{} failed in process {}", event.id, std::process::id());
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    println!("{} handled by process {}", event.id, std::process::id());
    StatusCode::OK
}

/// Serves until the standard input of the process ends.
async fn serve<T>(store: T) -> Result<()>
where
    T: ReplayStore<Claim: Send, Settle: Send> + Send + Sync + 'static,
{
    // The lease must be longer than the handler ever takes.
    let guard = ReplayLayer::new("/webhook", store).lease(Duration::from_secs(30));
    let layers = ServiceBuilder::new().layer(SignatureLayer::new(provider()?)).layer(guard);
    let app =
        Router::new().route("/webhook", post(handler).layer(layers)).with_state(Tried::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let stop = async {
        let _ = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await;
    };
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}

/// Starts a server process, and returns it with its address. Prints its further output.
fn start(store: &str) -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(env::current_exe()?)
        .args(["serve", store])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let line = lines.next().ok_or("the server did not start")??;
    let address = line.strip_prefix("listening on ").ok_or("no address")?.parse()?;
    std::thread::spawn(move || {
        for line in lines.map_while(io::Result::ok) {
            println!("  {line}");
        }
    });
    Ok((child, address))
}

type Sender = Client<HttpConnector, Full<Bytes>>;

async fn deliver(sender: &Sender, to: SocketAddr, id: &str, fails: bool) -> Result<StatusCode> {
    let body = format!(r#"{{"id":"{id}","fails_at_first":{fails}}}"#);
    let request = Request::post(format!("http://{to}/webhook"))
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .body(Bytes::from(body))?;
    let request = signed(&provider()?, request, SystemTime::now())?;
    Ok(sender.request(request.map(Full::new)).await?.status())
}

/// Starts the processes, and sends deliveries to them as a provider does.
async fn send(store: &str, processes: usize) -> Result<()> {
    let mut servers = (0..processes).map(|_| start(store)).collect::<Result<Vec<_>>>()?;
    let (first, last) = (servers[0].1, servers[processes - 1].1);
    let sender = Client::builder(TokioExecutor::new()).build_http();

    println!("msg_1, and a retry because the response was lost:");
    for (to, expected) in [(first, StatusCode::OK), (last, StatusCode::OK)] {
        expect(expected, deliver(&sender, to, "msg_1", false).await?)?;
    }

    println!("msg_2, twice at the same time:");
    let (one, other) = tokio::join!(
        deliver(&sender, first, "msg_2", false),
        deliver(&sender, last, "msg_2", false)
    );
    let (one, other) = (one?, other?);
    expect(StatusCode::OK, one.min(other))?;
    // `503 Service Unavailable` while the other one is being handled: it may yet fail, and the
    // sender must then retry.
    println!("  response: {}", one.max(other));
    expect(StatusCode::OK, deliver(&sender, last, "msg_2", false).await?)?;

    println!("msg_3, whose handler fails at first:");
    expect(StatusCode::INTERNAL_SERVER_ERROR, deliver(&sender, first, "msg_3", true).await?)?;
    for to in [first, last, first] {
        expect(StatusCode::OK, deliver(&sender, to, "msg_3", true).await?)?;
    }

    for (server, _) in &mut servers {
        server.stdin.take();
        if !server.wait()?.success() {
            return Err("a server process failed".into());
        }
    }
    Ok(())
}

fn expect(expected: StatusCode, answer: StatusCode) -> Result<()> {
    println!("  response: {answer}");
    if answer == expected { Ok(()) } else { Err(format!("expected {expected}").into()) }
}

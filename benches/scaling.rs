//! Unit costs: an idle connection, a claim in Redis and a row in PostgreSQL, each beside the same
//! without this crate. `scripts/scaling` starts both servers, and says what it takes.
#![allow(missing_docs, reason = "a bench")]

use std::{
    convert::Infallible,
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use redis::aio::MultiplexedConnection;
use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_webhook::{
    BufferedBody, SignatureLayer, Verified,
    delivery_log::DeliveryLog,
    providers::Meta,
    replay::{Claim, ClaimToken, RedisStore, ReplayKey, ReplayStore},
    sign::signed,
};

type Failure = Box<dyn Error + Send + Sync>;

const CLAIMS: usize = 50_000;
const ROWS: usize = 20_000;
const DURABLE: usize = 4_000;

/// Deliveries after which the rows that wait are written: the queue has a limit.
const FLUSHED: usize = 2_000;

const CONNECTIONS: u64 = 4_000;

/// Deliveries in progress at a time.
const CONCURRENT: usize = 64;
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    if let Ok(kind) = env::var("SCALING_SERVE") {
        return serve(&kind).await;
    }
    println!("| cost | this crate | without it |\n|---|---:|---:|");
    let [with, without] = [connections("layer").await?, connections("").await?];
    let bytes = |bytes: u64| format!("{bytes} bytes");
    row("idle connection of an axum server: memory", bytes(with), bytes(without));
    if let Ok(url) = env::var("SCALING_REDIS") {
        let server = Server::of("SCALING_REDIS_PID")?;
        in_redis(&url, &server).await?;
    }
    if let Ok(url) = env::var("SCALING_POSTGRES") {
        let server = Server::of("SCALING_POSTGRES_PID")?;
        in_postgres(&url, &server).await?;
    }
    Ok(())
}

fn row(cost: &str, crate_: impl ToString, without: impl ToString) {
    println!("| {cost} | {} | {} |", crate_.to_string(), without.to_string());
}

/// Process of a server, with its children.
struct Server(u32);

impl Server {
    fn of(variable: &str) -> Result<Self, Failure> {
        Ok(Self(env::var(variable)?.parse()?))
    }

    /// Time on a processor so far, also of children that have ended.
    fn cpu(&self) -> Duration {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ticks: u64 = processes.filter_map(|process| self.ticks(&process.path())).sum();
        // `sysconf(_SC_CLK_TCK)` is 100 on all Linux systems.
        Duration::from_millis(ticks * 10)
    }

    fn ticks(&self, process: &std::path::Path) -> Option<u64> {
        let pid: u32 = process.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name may have spaces.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        if pid != self.0 && number(1)? != u64::from(self.0) {
            return None;
        }
        (11..15).map(number).sum()
    }
}

/// Time of all threads of this process on a processor.
fn own_cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Cost of one unit of work.
struct Cost {
    own: f64,
    server: f64,
    a_second: f64,
}

impl Cost {
    async fn of(
        server: &Server,
        count: usize,
        work: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let before = (own_cpu(), server.cpu(), Instant::now());
        work().await?;
        let units = count as f64;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / units;
        Ok(Self {
            own: each(own_cpu().saturating_sub(before.0)),
            server: each(server.cpu().saturating_sub(before.1)),
            a_second: units / before.2.elapsed().as_secs_f64(),
        })
    }
}

/// Runs this for each number, so many at a time.
async fn each<F>(
    count: usize,
    run: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (run, room) = (Arc::new(run), Arc::new(Semaphore::new(CONCURRENT)));
    let mut running = JoinSet::new();
    for number in 0..count {
        let permit = Arc::clone(&room).acquire_owned().await?;
        let run = Arc::clone(&run);
        running.spawn(async move {
            let result = run(number).await;
            drop(permit);
            result
        });
        while let Some(ended) = running.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// Serves with the layer or without, until its input ends.
async fn serve(kind: &str) -> Result<(), Failure> {
    let router = Router::new().route("/", post(async |_: Bytes| "handled"));
    let router = if kind.is_empty() { router } else { router.layer(SignatureLayer::new(meta()?)) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let ended = async {
        let read = || std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tokio::task::spawn_blocking(read).await;
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(ended).await?)
}

/// Memory of a connection that has had one delivery of 1 KiB and is kept, in a process of its own.
async fn connections(kind: &str) -> Result<u64, Failure> {
    let mut server = Command::new(env::current_exe()?)
        .env("SCALING_SERVE", kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = server.stdin.take();
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let body = "x".repeat(1_024);
    let request = signed(&meta()?, Request::post("/").body(body.clone())?, SystemTime::now())?;
    let mut head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    let wire = format!("{head}\r\n{body}");
    let resident = |pid: u32| -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(line.ok_or("no VmRSS")?.trim_end_matches("kB").trim().parse::<u64>()? << 10)
    };
    let (mut kept, mut before) = (Vec::new(), 0);
    for number in 0..=CONNECTIONS {
        let mut stream = TcpStream::connect(address.trim()).await?;
        stream.write_all(wire.as_bytes()).await?;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).await?;
        if reply != *b"HTTP/1.1 200" {
            return Err(String::from_utf8_lossy(&reply).into());
        }
        kept.push(stream);
        if number == 0 {
            before = resident(server.id())?;
        }
    }
    let bytes = (resident(server.id())? - before) / CONNECTIONS;
    drop((kept, input));
    server.wait()?;
    Ok(bytes)
}

fn key(number: usize) -> Option<ReplayKey> {
    Verified::new("bench").with_replay_material(&number.to_le_bytes()).replay_key()
}

async fn memory(connection: &mut MultiplexedConnection) -> Result<u64, Failure> {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(line.ok_or("no used_memory")?.trim().parse()?)
}

/// A claim and its commit, as the guard asks for them, and the two commands by the client alone.
async fn in_redis(url: &str, server: &Server) -> Result<(), Failure> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let store = RedisStore::open(url)?;
    let claim = move |store: RedisStore, number: usize| async move {
        let key = key(number).ok_or("no key")?;
        let token = ClaimToken::unique();
        let claim = store.claim(&key, token, HOUR).await?;
        if claim != (Claim::Granted { evicted: 0 }) {
            return Err(format!("{claim:?}").into());
        }
        store.commit(&key, token, HOUR).await?;
        Ok(())
    };
    claim(store.clone(), CLAIMS).await?;
    let before = memory(&mut connection).await?;
    let of_crate = Cost::of(server, CLAIMS, async || {
        let store = store.clone();
        each(CLAIMS, move |number| claim(store.clone(), number)).await
    })
    .await?;
    let bytes = (memory(&mut connection).await? - before) / CLAIMS as u64;

    let shared = connection.clone();
    let alone = Cost::of(server, CLAIMS, async move || {
        each(CLAIMS, move |number| {
            let mut connection = shared.clone();
            async move {
                let key = format!("bench:{number:064x}");
                for (value, condition) in [([0_u8; 16], Some("NX")), ([1; 16], None)] {
                    let mut set = redis::cmd("SET");
                    set.arg(&key).arg(&value).arg(condition).arg("PX").arg(3_600_000).arg("GET");
                    let _: Option<Vec<u8>> = set.query_async(&mut connection).await?;
                }
                Ok(())
            }
        })
        .await
    })
    .await?;
    let micros = |micros: f64| format!("{micros:.1} µs");
    row("claim and commit: own processor", micros(of_crate.own), micros(alone.own));
    row("claim and commit: Redis's processor", micros(of_crate.server), micros(alone.server));
    row("claim and commit: memory in Redis while remembered", format!("{bytes} bytes"), "");

    let mut times = Vec::new();
    for number in 0..2_000 {
        let key = key(CLAIMS + 1 + number).ok_or("no key")?;
        let start = Instant::now();
        store.claim(&key, ClaimToken::unique(), HOUR).await?;
        times.push(start.elapsed());
    }
    times.sort();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    row("claim, one at a time on loopback", format!("{:.0?}, 99 %: {:.0?}", at(50), at(99)), "");
    Ok(())
}

fn meta() -> Result<Meta, Failure> {
    Ok(Meta::new("test-secret-0123456789abcdef-0123")?)
}

type Service = BoxCloneSyncService<Request<Full<Bytes>>, StatusCode, Infallible>;

/// The layer, with a row for each delivery or without.
fn service(meta: &Meta, log: Option<&DeliveryLog>, is_durable: bool) -> Result<Service, Failure> {
    let handler = service_fn(async |_: Request<BufferedBody>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let layer = SignatureLayer::new(meta.clone());
    let layer = log.into_iter().fold(layer, |layer, log| layer.observer(log.clone()));
    Ok(match log {
        Some(log) if is_durable => statuses(layer.layer(log.durable_layer()?.layer(handler))),
        _ => statuses(layer.layer(handler)),
    })
}

fn statuses<S, B>(service: S) -> Service
where
    S: tower::Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: 'static,
{
    Service::new(service.map_response(|response: Response<B>| response.status()))
}

async fn deliver(service: Service, meta: Meta, number: usize) -> Result<(), Failure> {
    let request = Request::post("/").body(Bytes::from(format!("{number:01024}")))?;
    let request = signed(&meta, request, SystemTime::now())?.map(Full::new);
    let Ok(status) = service.oneshot(request).await;
    if status == 200 { Ok(()) } else { Err(status.to_string().into()) }
}

async fn deliveries(
    server: &Server,
    count: usize,
    service: Service,
    log: Option<&DeliveryLog>,
) -> Result<Cost, Failure> {
    let meta = meta()?;
    Cost::of(server, count, async move || {
        for _ in 0..count / FLUSHED {
            let (service, meta) = (service.clone(), meta.clone());
            each(FLUSHED, move |number| deliver(service.clone(), meta.clone(), number)).await?;
            if let Some(log) = log {
                log.flush().await?;
            }
        }
        Ok(())
    })
    .await
}

/// Size of the log in bytes, and the write-ahead log so far.
async fn sizes(server: &mut PgConnection) -> Result<(i64, i64), Failure> {
    let sizes = "SELECT pg_total_relation_size('webhook_deliveries'), \
         (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";
    Ok(sqlx::query_as(sizes).fetch_one(server).await?)
}

/// A row of a delivery of 1 KiB in the background, before the handler, and copied by the server.
async fn in_postgres(url: &str, server: &Server) -> Result<(), Failure> {
    let mut own = PgConnection::connect(url).await?;
    let meta = meta()?;
    let bare = deliveries(server, ROWS, service(&meta, None, false)?, None).await?;

    let log = DeliveryLog::builder().postgres(url).await?;
    deliveries(server, FLUSHED, service(&meta, Some(&log), false)?, Some(&log)).await?;
    let before = sizes(&mut own).await?;
    let rows = deliveries(server, ROWS, service(&meta, Some(&log), false)?, Some(&log)).await?;
    let after = sizes(&mut own).await?;
    if log.dropped() > 0 {
        return Err(format!("{} rows were dropped", log.dropped()).into());
    }
    log.shutdown(HOUR).await?;
    let copied = copies(&mut own, server).await?;

    let log = DeliveryLog::builder().durable().postgres(url).await?;
    let durable =
        deliveries(server, DURABLE, service(&meta, Some(&log), true)?, Some(&log)).await?;
    log.shutdown(HOUR).await?;

    let micros = |micros: f64| format!("{micros:.1} µs");
    let each = |after: i64, before: i64| format!("{} bytes", (after - before) / ROWS as i64);
    row("row: own processor", micros(rows.own - bare.own), "");
    row("row: PostgreSQL's processor", micros(rows.server), micros(copied.server));
    row("row: on the disk, with indexes", each(after.0, before.0), "");
    row("row: write-ahead log", each(after.1, before.1), "");
    row("row before the handler: own processor", micros(durable.own - bare.own), "");
    row("row before the handler: PostgreSQL's processor", micros(durable.server), "");
    let a_second = format!("{:.0} deliveries/s, {CONCURRENT} at a time", durable.a_second);
    row("row before the handler: one process", a_second, "");
    Ok(())
}

/// Rows that the server copies within a table of the same columns and indexes.
async fn copies(own: &mut PgConnection, server: &Server) -> Result<Cost, Failure> {
    let like = "CREATE TABLE copies (LIKE webhook_deliveries INCLUDING ALL)";
    sqlx::raw_sql(like).execute(&mut *own).await?;
    let copy = format!("INSERT INTO copies SELECT * FROM webhook_deliveries LIMIT {ROWS}");
    Cost::of(server, ROWS, async || {
        sqlx::raw_sql(&copy).execute(own).await?;
        Ok(())
    })
    .await
}

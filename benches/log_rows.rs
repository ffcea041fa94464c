//! A log of a million rows in SQLite and PostgreSQL: what searches cost beside a search by the primary
//! key, whether readers keep deliveries waiting, and what pruning costs beside inserting.
//! `scripts/log-rows` starts a PostgreSQL for it, and says what it takes.
#![allow(missing_docs, reason = "a bench")]

use std::{
    convert::Infallible,
    env,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use sqlx::Connection;
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, SignatureLayer,
    delivery_log::{DeliveryLog, EntryId, Filter, Retention},
    providers::Meta,
    sign::signed,
};

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of each row's payload.
const PAYLOAD: usize = 500;

/// [`stored_len`](tower_webhook::delivery_log::Entry::stored_len) of a filled row.
const LEN: u64 = 700;

const WARM: usize = 101;
const COLD: usize = 9;
const READERS: usize = 100;

#[derive(Clone)]
enum Database {
    Sqlite(PathBuf),
    Postgres { url: String, partitions: u64 },
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let rows = env::var("LOG_ROWS").map_or(Ok(1_000_000), |rows| rows.parse::<u64>())?;
    let directory = env::var("LOG_ROWS_DIRECTORY").map_or_else(|_| env::temp_dir(), PathBuf::from);
    let path = directory.join(format!("log-rows-{}.db", std::process::id()));
    let mut databases = vec![Database::Sqlite(path)];
    if let Ok(url) = env::var("LOG_ROWS_POSTGRES") {
        match env::var("LOG_ROWS_PARTITIONS") {
            Ok(counts) => databases = partitioned(&url, &counts).await?,
            Err(_) => databases.push(Database::Postgres { url, partitions: 0 }),
        }
    }
    let mut table = Table { failed: 0 };
    println!("| {rows} rows | figure | goal | |\n|---|---:|---:|---|");
    for database in databases {
        measure(&mut table, &database, rows).await?;
        if let Database::Sqlite(path) = &database {
            std::fs::remove_file(path)?;
        }
    }
    println!("\n{} of the goals were missed", table.failed);
    Ok(if table.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Creates a database for each of these numbers of partitions.
async fn partitioned(url: &str, counts: &str) -> Result<Vec<Database>, Failure> {
    let (server, _) = url.rsplit_once('/').ok_or("a URL without a database")?;
    let mut databases = Vec::new();
    for count in counts.split_whitespace() {
        let partitions = count.parse::<u64>()?;
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let create = format!("CREATE DATABASE partitions_{partitions}");
        sqlx::raw_sql(&create).execute(&mut connection).await?;
        databases.push(Database::Postgres {
            url: format!("{server}/partitions_{partitions}"),
            partitions,
        });
    }
    Ok(databases)
}

struct Table {
    failed: usize,
}

impl Table {
    fn row(&mut self, what: &str, figure: impl ToString, goal: impl ToString, is_met: bool) {
        let verdict = if is_met { "pass" } else { "FAIL" };
        println!("| {what} | {} | {} | {verdict} |", figure.to_string(), goal.to_string());
        self.failed += usize::from(!is_met);
    }
}

async fn measure(table: &mut Table, database: &Database, rows: u64) -> Result<(), Failure> {
    let log = database.open().await?;
    let start = Instant::now();
    database.fill(rows).await?;
    let name = database.name();
    println!("| {name}: filled | {:.0} s | | |", start.elapsed().as_secs_f64());
    searches(table, database, &log).await?;
    readers(table, database, &log).await?;
    pruning(table, database, &log, rows).await?;
    if let Database::Postgres { url, partitions: 1.. } = database {
        dropping(url, &name, rows).await?;
    }
    log.shutdown(Duration::from_secs(60)).await?;
    Ok(())
}

impl Database {
    fn name(&self) -> String {
        match self {
            Self::Sqlite(_) => "SQLite".to_owned(),
            Self::Postgres { partitions: 0, .. } => "PostgreSQL".to_owned(),
            Self::Postgres { partitions, .. } => format!("PostgreSQL with {partitions} partitions"),
        }
    }

    async fn open(&self) -> Result<DeliveryLog, Failure> {
        let builder = DeliveryLog::builder().durable();
        Ok(match self {
            Self::Sqlite(path) => builder.sqlite(path).await?,
            Self::Postgres { url, .. } => builder.postgres(url).await?,
        })
    }

    /// Inserts rows of five providers and a thousand tenants, a millisecond apart. Most are successes.
    async fn fill(&self, rows: u64) -> Result<(), Failure> {
        match self {
            Self::Sqlite(path) => fill_sqlite(path, rows).await,
            Self::Postgres { url, partitions } => fill_postgres(url, rows, *partitions).await,
        }
    }
}

const COLUMNS: &str = "id, received_at, stored_len, status, provider, tenant, method, url, verified, \
     headers, payload_truncated, payload";

const VALUES: &str = "i, 700,
    CASE WHEN i % 100 = 0 THEN 'error' WHEN i % 199 = 0 THEN 'unauthorized' ELSE 'success' END,
    CASE i % 17 WHEN 0 THEN 'github' WHEN 1 THEN 'stripe' WHEN 2 THEN 'slack' WHEN 3 THEN 'twilio'
        ELSE 'meta' END,
    'tenant-' || (i * 7919 % 1000), 'POST', '/', TRUE, '{}', FALSE,";

async fn fill_sqlite(path: &Path, rows: u64) -> Result<(), Failure> {
    let mut file = sqlx::SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
    sqlx::raw_sql(&format!(
        "PRAGMA cache_size = -500000; PRAGMA synchronous = OFF; BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO webhook_deliveries ({COLUMNS})
         SELECT printf('%08x-%04x-7000-8000-%012x', i / 65536, i % 65536, i), {VALUES} randomblob({PAYLOAD})
         FROM n;
         COMMIT; PRAGMA wal_checkpoint(TRUNCATE)"
    ))
    .execute(&mut file)
    .await?;
    Ok(file.close().await?)
}

async fn fill_postgres(url: &str, rows: u64, partitions: u64) -> Result<(), Failure> {
    let mut server = sqlx::PgConnection::connect(url).await?;
    if partitions > 0 {
        sqlx::raw_sql(include_str!("../migrations/postgres/partitions.sql"))
            .execute(&mut server)
            .await?;
        sqlx::raw_sql(&format!(
            "DO $$ BEGIN FOR part IN 1..{partitions} LOOP
                EXECUTE format('CREATE TABLE part_%s (LIKE webhook_deliveries INCLUDING ALL)', part);
                EXECUTE format('ALTER TABLE webhook_deliveries ATTACH PARTITION part_%s
                    FOR VALUES FROM (%L) TO (%L)', part,
                    webhook_deliveries_first_id(to_timestamp((part - 1) * {rows} / {partitions} / 1000.0)),
                    webhook_deliveries_first_id(to_timestamp(part * {rows} / {partitions} / 1000.0)));
            END LOOP; END $$"
        ))
        .execute(&mut server)
        .await?;
    }
    sqlx::raw_sql(&format!(
        "INSERT INTO webhook_deliveries ({COLUMNS})
         SELECT lpad(to_hex(i / 65536), 8, '0') || '-' || lpad(to_hex(i % 65536), 4, '0')
            || '-7000-8000-' || lpad(to_hex(i), 12, '0'), {VALUES} repeat(md5(i::text), {PAYLOAD} / 32)::bytea
         FROM generate_series(1::bigint, {rows}) AS i"
    ))
    .execute(&mut server)
    .await?;
    // What autovacuum would do before long.
    sqlx::raw_sql("VACUUM ANALYZE webhook_deliveries").execute(&mut server).await?;
    Ok(server.close().await?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

async fn find(log: &DeliveryLog, filter: &Filter) -> Result<Duration, Failure> {
    let start = Instant::now();
    let found = log.find(filter).await?;
    let took = start.elapsed();
    if found.len() != 20 {
        return Err(format!("{} rows of {filter:?}", found.len()).into());
    }
    Ok(took)
}

async fn searches(
    table: &mut Table,
    database: &Database,
    log: &DeliveryLog,
) -> Result<(), Failure> {
    let new = || Filter::new().limit(20);
    let filters = [
        ("primary key", new()),
        ("failed", Filter::failed().limit(20)),
        ("status", new().status("unauthorized")),
        ("provider", new().provider("stripe")),
        ("tenant", new().tenant("tenant-7")),
        ("provider and status", new().provider("meta").status("error")),
        ("tenant and provider", new().tenant("tenant-7").provider("meta")),
        ("tenant and status", new().tenant("tenant-7").status("success")),
        ("all three", new().tenant("tenant-7").provider("meta").status("success")),
    ];
    let mut goals = None;
    for (name, filter) in filters {
        let (mut warm, mut cold) = (Vec::new(), Vec::new());
        for _ in 0..COLD {
            // Connections that have read nothing yet, and prepared no statement.
            let fresh = database.open().await?;
            fresh.get(EntryId::MIN).await?;
            cold.push(find(&fresh, &filter).await?);
            fresh.shutdown(Duration::from_secs(10)).await?;
        }
        for _ in 0..WARM {
            warm.push(find(log, &filter).await?);
        }
        let (cold, warm) = (median(cold), median(warm));
        let (cold_goal, warm_goal) = *goals.get_or_insert((cold * 5, warm * 5));
        let name = format!("{}: 20 rows by {name}", database.name());
        let both = |cold, warm| format!("{cold:.0?} cold, {warm:.0?} warm");
        let is_met = cold <= cold_goal && warm <= warm_goal;
        table.row(&name, both(cold, warm), both(cold_goal, warm_goal), is_met);
    }
    Ok(())
}

fn meta() -> Result<Meta, Failure> {
    Ok(Meta::new("test-secret-0123456789abcdef-0123")?)
}

fn genuine(meta: &Meta) -> Result<Request<Full<Bytes>>, Failure> {
    let request = Request::post("/").body("x".repeat(PAYLOAD))?;
    Ok(signed(meta, request, SystemTime::now())?.map(Full::new))
}

fn handler()
-> impl Service<Request<BufferedBody>, Response = Response<String>, Error = Infallible, Future: Send>
+ Clone {
    service_fn(|_: Request<BufferedBody>| async { Ok(Response::new(String::new())) })
}

/// Strict deliveries, one after the other, while many search.
async fn readers(table: &mut Table, database: &Database, log: &DeliveryLog) -> Result<(), Failure> {
    let meta = meta()?;
    let service = SignatureLayer::new(meta.clone())
        .observer(log.clone())
        .layer(log.durable_layer()?.layer(handler()));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let log = log.clone();
        readers.spawn(async move {
            let mut failed = 0;
            for filter in [Filter::failed(), Filter::new().tenant("tenant-9"), Filter::new()] {
                failed += usize::from(log.find(&filter.limit(1_000)).await.is_err());
            }
            failed
        });
    }
    let (mut failed, mut refused, mut sent) = (0, 0, 0);
    while !readers.is_empty() || sent < 20 {
        let Ok(answer) = service.clone().oneshot(genuine(&meta)?).await;
        (sent, refused) = (sent + 1, refused + usize::from(answer.status() != 200));
        while let Some(reader) = readers.try_join_next() {
            failed += reader?;
        }
    }
    let name = format!("{}: {READERS} readers at once", database.name());
    table.row(&format!("{name}: searches that failed"), failed, 0, failed == 0);
    let name = format!("{name}: 503 of {sent} strict deliveries");
    table.row(&name, refused, 0, refused == 0);
    Ok(())
}

/// The oldest tenth goes, by bytes, beside inserting as many rows.
async fn pruning(
    table: &mut Table,
    database: &Database,
    log: &DeliveryLog,
    rows: u64,
) -> Result<(), Failure> {
    let (meta, tenth) = (meta()?, rows / 10);
    let service = SignatureLayer::new(meta.clone()).observer(log.clone()).layer(handler());
    let before = database.bytes().await?;
    // Rows that were not written by the log are counted once.
    log.prune(Retention::new().max_rows(u64::MAX)).await?;
    let start = Instant::now();
    for number in 1..=tenth {
        let Ok(_) = service.clone().oneshot(genuine(&meta)?).await;
        // The queue has a limit.
        if number % 5_000 == 0 {
            log.flush().await?;
        }
    }
    log.flush().await?;
    let inserted = start.elapsed();
    let after = database.bytes().await?;
    let wal = database.wal().await?;
    let start = Instant::now();
    let deleted = log.prune(Retention::new().max_bytes(after - tenth * LEN)).await?;
    let pruned = start.elapsed();
    let wal = (database.wal().await? - wal) >> 20;
    let name = format!("{}: {deleted} rows pruned by bytes", database.name());
    let figure = format!("{pruned:.1?} and {wal} MiB of WAL, {inserted:.1?} to insert as many");
    let is_met = deleted == tenth && pruned <= inserted * 3 && after > before;
    table.row(&name, figure, format!("{:.1?}", inserted * 3), is_met);
    Ok(())
}

/// The next tenth goes by dropping its partitions.
async fn dropping(url: &str, name: &str, rows: u64) -> Result<(), Failure> {
    let mut server = sqlx::PgConnection::connect(url).await?;
    let before = wal(&mut server).await?;
    let start = Instant::now();
    let drop = "SELECT webhook_deliveries_drop_partitions(to_timestamp($1::bigint / 1000.0))";
    let drop = sqlx::query_scalar(drop).bind(i64::try_from(rows / 5)?);
    let dropped: i64 = drop.fetch_one(&mut server).await?;
    let took = start.elapsed();
    let wal = (wal(&mut server).await? - before) >> 10;
    println!("| {name}: {dropped} rows dropped | {took:.1?} and {wal} KiB of WAL | | |");
    Ok(())
}

/// The number of bytes that the server has written ahead.
async fn wal(server: &mut sqlx::PgConnection) -> Result<i64, Failure> {
    let wal = "SELECT (pg_current_wal_lsn() - '0/0')::bigint";
    Ok(sqlx::query_scalar(wal).fetch_one(server).await?)
}

impl Database {
    async fn wal(&self) -> Result<i64, Failure> {
        match self {
            Self::Sqlite(_) => Ok(0),
            Self::Postgres { url, .. } => wal(&mut sqlx::PgConnection::connect(url).await?).await,
        }
    }

    /// What the rows hold, as the database counts it.
    async fn bytes(&self) -> Result<u64, Failure> {
        let statement = "SELECT CAST(SUM(stored_len) AS BIGINT) FROM webhook_deliveries";
        let bytes: i64 = match self {
            Self::Sqlite(path) => {
                let url = format!("sqlite:{}", path.display());
                let mut file = sqlx::SqliteConnection::connect(&url).await?;
                sqlx::query_scalar(statement).fetch_one(&mut file).await?
            }
            Self::Postgres { url, .. } => {
                let mut server = sqlx::PgConnection::connect(url).await?;
                sqlx::query_scalar(statement).fetch_one(&mut server).await?
            }
        };
        Ok(u64::try_from(bytes)?)
    }
}

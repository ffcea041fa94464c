//! Costs of a row of the delivery log in SQLite, beside a prepared statement: one start for G12.

use std::{convert::Infallible, env, fs, path::Path, thread, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use rusqlite::{Connection, params_from_iter, types::Value};
use tower::{Layer, Service, service_fn};
use tower_webhook::{BufferedBody, delivery_log::DeliveryLog};

use crate::{
    starts::Values,
    support::{Spread, cases, ready},
};

const ROUNDS: usize = 15;
const ROWS: usize = 2048;

/// The most rows that the log writes in one transaction.
const BATCH: usize = 512;

/// Microseconds on a processor so far: of this thread, and of all others.
fn cpu() -> [f64; 2] {
    // The kernel counts a thread's time when it stops.
    thread::sleep(Duration::from_millis(1));
    let read = |path: &Path| {
        let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
    };
    let this = read(Path::new("/proc/thread-self"));
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let all: f64 = tasks.map(|task| read(&task.unwrap().path())).sum();
    [this, all - this]
}

/// Sends as many signed requests as a round has.
fn send<S, B>(service: &mut S, request: &Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    for _ in 0..ROWS {
        let Ok(response) = ready(service.call(request.clone()));
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// A file with the log's tables, into which copies of one of its rows are inserted.
struct Copies {
    file: Connection,
    insert: String,
    row: Vec<Value>,
    count: u64,
}

impl Copies {
    fn of(log: &Path, path: &Path) -> Self {
        let log = Connection::open(log).unwrap();
        let mut found = log.prepare("SELECT * FROM webhook_deliveries LIMIT 1").unwrap();
        let columns: Vec<String> = found.column_names().into_iter().map(str::to_owned).collect();
        let places = vec!["?"; columns.len()].join(", ");
        let row = found.query_row([], |row| (0..columns.len()).map(|at| row.get(at)).collect());
        let file = Connection::open(path).unwrap();
        file.pragma_update(None, "synchronous", "NORMAL").unwrap();
        let insert =
            format!("INSERT INTO webhook_deliveries ({}) VALUES ({places})", columns.join(", "));
        assert_eq!(columns[0], "id");
        Self { file, insert, row: row.unwrap(), count: 0 }
    }

    /// Inserts as many rows as a round has, in batches as large as the log's.
    fn insert(&mut self) {
        for _ in 0..ROWS / BATCH {
            let transaction = self.file.transaction().unwrap();
            let mut insert = transaction.prepare_cached(&self.insert).unwrap();
            for _ in 0..BATCH {
                self.count += 1;
                let id = format!("00000000-0000-7000-8000-{:012x}", self.count);
                let id = Value::Text(id);
                insert.execute(params_from_iter([&id].into_iter().chain(&self.row[1..]))).unwrap();
            }
            drop(insert);
            transaction.commit().unwrap();
        }
    }
}

async fn open(path: &Path) -> DeliveryLog {
    DeliveryLog::builder().sqlite(path).await.unwrap()
}

pub(crate) fn once() -> Values {
    let directory = env::temp_dir().join(format!("perf-log-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let paths = ["log.db", "copies.db"].map(|name| directory.join(name));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_keep_alive(Duration::from_secs(60))
        .enable_all()
        .build()
        .unwrap();
    let inside = runtime.enter();
    let log = runtime.block_on(open(&paths[0]));
    // The log makes the second file's tables, too.
    let other = runtime.block_on(open(&paths[1]));
    runtime.block_on(other.shutdown(Duration::from_secs(10))).unwrap();

    let handler = service_fn(async |request: Request<BufferedBody>| {
        drop(request);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = cases::request(&vec![b'x'; 1 << 10].into()).map(Full::new);
    let mut without = cases::layer().layer(handler);
    let mut with = cases::layer().observer(log.clone()).layer(handler);
    send(&mut with, &request);
    runtime.block_on(log.flush()).unwrap();
    let mut copies = Copies::of(&paths[0], &paths[1]);

    let [mut rows, mut own, mut bare, mut share] = [(); 4].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let start = cpu();
        send(&mut without, &request);
        let before = cpu();
        send(&mut with, &request);
        let sent = cpu();
        runtime.block_on(log.flush()).unwrap();
        let flushed = cpu();
        copies.insert();
        let after = cpu();
        // The first round warms up.
        if round > 0 {
            let each = |[this, others]: [f64; 2], [this0, others0]: [f64; 2]| {
                [(this - this0) / ROWS as f64, (others - others0) / ROWS as f64]
            };
            let [alone, _] = each(before, start);
            bare.push(alone);
            share.push(each(sent, before)[0] - alone);
            rows.push(each(flushed, before)[1]);
            own.push(each(after, flushed)[0]);
        }
    }
    assert_eq!(log.dropped(), 0);
    runtime.block_on(log.shutdown(Duration::from_secs(10))).unwrap();
    drop((inside, copies));
    fs::remove_dir_all(&directory).unwrap();
    let ratio = rows.iter().zip(&own).map(|(row, own)| row / own).collect();
    let mut values = Values::default();
    for (name, series) in
        [("row", rows), ("own", own), ("without", bare), ("share", share), ("row / own", ratio)]
    {
        values.add(name, Spread::of(series).median);
    }
    values
}

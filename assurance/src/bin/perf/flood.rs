//! Floods of unsigned uploads: G7. `scripts/proxies` has those through proxies.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;

use crate::{
    client::{Server, answer, head},
    held,
    report::{Row, row},
    support::Spread,
};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 7;
const SHORT: Duration = Duration::from_millis(700);
const LONG: Duration = Duration::from_millis(1500);

#[derive(Default)]
struct Flood {
    answers: usize,
    lost: usize,
}

/// One sender: writes a request to its end if it can, then reads the answer; connects anew where
/// the answer says so.
fn send(server: &Server, wire: &[u8], body: &[u8], expects: bool, until: Instant) -> Flood {
    let mut flood = Flood::default();
    let mut kept = None;
    while Instant::now() < until {
        let mut stream = kept.take().unwrap_or_else(|| server.connect());
        let mut buffer = Vec::new();
        let mut written = stream.write_all(wire);
        let mut early = None;
        if expects && written.is_ok() {
            early = answer(&mut stream, &mut buffer).ok().filter(|answer| answer.status != 100);
        }
        if early.is_none() && written.is_ok() {
            written = stream.write_all(body);
        }
        let answer = early.map_or_else(|| answer(&mut stream, &mut buffer), Ok);
        match answer {
            Ok(answer) => {
                assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
                flood.answers += 1;
                if !answer.closes && written.is_ok() {
                    kept = Some(stream);
                }
            }
            Err(_) => flood.lost += 1,
        }
    }
    flood
}

/// Goal of one kind of upload, and the length of a round.
struct Upload {
    len: usize,
    title: &'static str,
    expects: bool,
    /// The goal, as processor time to buffer-first.
    most: f64,
    time: Duration,
}

const UPLOADS: [Upload; 4] = [
    Upload { len: 1 << 20, title: "1 MiB", expects: false, most: 0.5, time: SHORT },
    Upload {
        len: 1 << 20,
        title: "1 MiB, `Expect: 100-continue`",
        expects: true,
        most: 0.3,
        time: SHORT,
    },
    Upload {
        len: 5_000_000,
        title: "5 MB, the limit 25 MiB",
        expects: false,
        most: 0.5,
        time: LONG,
    },
    Upload {
        len: 20_000_000,
        title: "20 MB, the limit 25 MiB",
        expects: false,
        most: 0.5,
        time: LONG,
    },
];

/// Answers a second, microseconds of CPU an answer, and lost answers of one round.
struct Round {
    per_second: f64,
    cpu: f64,
    lost: usize,
}

fn flood(server: &Server, upload: &Upload, body: &Bytes) -> Round {
    let more = if upload.expects { "expect: 100-continue\r\n" } else { "" };
    let wire = head(&Request::new(body.clone()), more);
    let (start, before) = (Instant::now(), server.cpu());
    let floods = thread::scope(|scope| {
        let sender = || send(server, &wire, body, upload.expects, start + upload.time);
        let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(sender)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    let answers = floods.iter().map(|flood| flood.answers).sum::<usize>().max(1) as f64;
    Round {
        per_second: answers / start.elapsed().as_secs_f64(),
        cpu: (server.cpu() - before).as_secs_f64() * 1e6 / answers,
        lost: floods.iter().map(|flood| flood.lost).sum(),
    }
}

pub(crate) fn refused() -> Vec<Row> {
    let servers = ["by hand", "layer"].map(Server::start);
    let mut rows: Vec<_> = UPLOADS.iter().map(|upload| measure(&servers, upload)).collect();
    rows.push(held::drained());
    rows.extend(held::unsigned());
    rows
}

fn measure(servers: &[Server; 2], upload: &Upload) -> Row {
    let body = Bytes::from(vec![b'x'; upload.len]);
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        rounds.push(servers.each_ref().map(|server| flood(server, upload, &body)));
    }
    // The first round warms up.
    let rounds = &rounds[1..];
    let ratio = Spread::of(rounds.iter().map(|[hand, layer]| layer.cpu / hand.cpu).collect());
    let lost = [0, 1].map(|at| rounds.iter().map(|round| round[at].lost).sum::<usize>());
    let told = [0, 1].map(|at| {
        let median = |value: fn(&Round) -> f64| {
            Spread::of(rounds.iter().map(|round| value(&round[at])).collect()).median
        };
        format!(
            "{:.0}/s, {:.0} µs CPU an answer, {} lost",
            median(|round| round.per_second),
            median(|round| round.cpu),
            lost[at]
        )
    });
    row(
        format!(
            "unsigned {}, 8 connections: CPU an answer ≤ {} × buffer-first, none lost",
            upload.title, upload.most
        ),
        format!("{ratio:.2} ×; {} lost", lost[1]),
        format!("by hand {}; layer {}", told[0], told[1]),
        ratio.median <= upload.most && lost[1] == 0,
    )
}

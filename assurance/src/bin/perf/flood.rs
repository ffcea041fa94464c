//! Floods of unsigned uploads: G7.

use std::{
    io::Write,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;

use crate::{
    client::{Server, answer, head},
    report::{Row, row},
    support::Spread,
};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(700);

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

fn flood(server: &Server, expects: bool) -> (f64, f64, usize) {
    let more = if expects { "expect: 100-continue\r\n" } else { "" };
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let wire = head(&Request::new(body.clone()), more);
    let (start, before) = (Instant::now(), server.cpu());
    let floods = thread::scope(|scope| {
        let sender = || send(server, &wire, &body, expects, start + TIME);
        let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(sender)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    let answers = floods.iter().map(|flood| flood.answers).sum::<usize>().max(1) as f64;
    let cpu = (server.cpu() - before).as_secs_f64() * 1e6 / answers;
    let per_second = answers / start.elapsed().as_secs_f64();
    (per_second, cpu, floods.iter().map(|flood| flood.lost).sum())
}

pub(crate) fn refused() -> Vec<Row> {
    let mut rows = Vec::new();
    let (by_hand, layer) = (Server::start("by hand"), Server::start("layer"));
    for (expects, goal) in [(false, 0.5), (true, 0.3)] {
        let (mut speeds, mut cpus, mut ratios, mut lost) =
            ([vec![], vec![]], [vec![], vec![]], vec![], [0, 0]);
        for round in 0..=ROUNDS {
            let now = [&by_hand, &layer].map(|server| flood(server, expects));
            if round == 0 {
                continue; // it warms up
            }
            ratios.push(now[1].1 / now[0].1);
            for at in [0, 1] {
                speeds[at].push(now[at].0);
                cpus[at].push(now[at].1);
                lost[at] += now[at].2;
            }
        }
        let ratio = Spread::of(ratios);
        let [speed0, speed1] = speeds.map(|values| Spread::of(values).median);
        let [cpu0, cpu1] = cpus.map(|values| Spread::of(values).median);
        rows.push(row(
            format!(
                "unsigned 1 MiB, 8 connections{}: CPU an answer ≤ {goal} × buffer-first, none lost",
                if expects { ", `Expect: 100-continue`" } else { "" }
            ),
            format!("{ratio:.2} ×; {} lost", lost[1]),
            format!(
                "by hand {speed0:.0}/s, {cpu0:.0} µs CPU an answer, {} lost; \
                 layer {speed1:.0}/s, {cpu1:.0} µs",
                lost[0]
            ),
            ratio.median <= goal && lost[1] == 0,
        ));
    }
    rows
}

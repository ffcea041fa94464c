//! A whole server on loopback: G4, G6.

use std::net::TcpStream;

use bytes::Bytes;
use http::Request;

use crate::{
    client::{Load, Server, head, load},
    report::{Row, row},
    subjects,
    support::{Spread, cases},
};

const ROUNDS: usize = 41;
const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 16;

/// Each server's rounds, taken by turns.
fn measure(kinds: &[&'static str], wire: &[u8]) -> Vec<Vec<Load>> {
    let mut servers: Vec<(Server, Vec<TcpStream>)> = kinds
        .iter()
        .map(|kind| {
            let server = Server::start(kind);
            let streams = (0..CONNECTIONS).map(|_| server.connect()).collect();
            (server, streams)
        })
        .collect();
    let mut loads: Vec<Vec<Load>> = kinds.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for ((server, streams), loads) in servers.iter_mut().zip(&mut loads) {
            let now = load(server, streams, wire, REQUESTS);
            // The first round warms up.
            if round > 0 {
                loads.push(now);
            }
        }
    }
    loads
}

fn ratio(these: &[Load], those: &[Load], value: fn(&Load) -> f64) -> Spread {
    let pairs = these.iter().zip(those);
    Spread::of(pairs.map(|(this, that)| value(this) / value(that)).collect())
}

fn told(kind: &str, loads: &[Load]) -> String {
    let median = |value: fn(&Load) -> f64| Spread::of(loads.iter().map(value).collect()).median;
    format!("{kind} {:.1} µs, {:.0}/s", median(|load| load.cpu), median(|load| load.per_second))
}

pub(crate) fn wire(request: &Request<Bytes>) -> Vec<u8> {
    [&head(request, ""), &request.body()[..]].concat()
}

pub(crate) fn json() -> Vec<Row> {
    let wire = wire(&cases::request(&vec![b'x'; 1 << 10].into()));
    let kinds = ["unverified", "no-op", "reference", "by hand", "layer"];
    let loads = measure(&kinds, &wire);
    let [unverified, no_op, reference, by_hand, layer] = &loads[..] else { unreachable!() };
    let told: Vec<_> = kinds.iter().zip(&loads).map(|(kind, loads)| told(kind, loads)).collect();
    let ahead = layer.iter().zip(by_hand).filter(|(layer, by_hand)| layer.cpu < by_hand.cpu);
    let (ahead, least) = (ahead.count(), ROUNDS * 9 / 10);
    let cpu = ratio(layer, unverified, |load| load.cpu);
    vec![
        row(
            "server, 1 KiB: CPU a request ≤ 1.22 × unverified",
            format!("{cpu} ×; requests/s {} ×", ratio(layer, unverified, |load| load.per_second)),
            format!(
                "{}; no-op {} ×, reference {} ×, by hand {} ×",
                told.join(", "),
                ratio(no_op, unverified, |load| load.cpu),
                ratio(reference, unverified, |load| load.cpu),
                ratio(by_hand, unverified, |load| load.cpu)
            ),
            cpu.median <= 1.22,
        ),
        row(
            "server, 1 KiB: less CPU than by hand in 9 of 10 rounds",
            format!("{ahead} of {ROUNDS}"),
            format!("layer {} × by hand", ratio(layer, by_hand, |load| load.cpu)),
            ahead >= least,
        ),
    ]
}

pub(crate) fn form() -> Vec<Row> {
    let wire = wire(&subjects::twilio().request);
    let loads = measure(&["unverified", "twilio"], &wire);
    let cpu = ratio(&loads[1], &loads[0], |load| load.cpu);
    let speed = ratio(&loads[1], &loads[0], |load| load.per_second);
    vec![row(
        "server, Twilio's form of 1 KiB: CPU a request ≤ 1.50 × unverified",
        format!("{cpu} ×; requests/s {speed} ×"),
        format!("{}, {}", told("unverified", &loads[0]), told("layer", &loads[1])),
        cpu.median <= 1.50,
    )]
}

/// The layer with a `tracing` subscriber at `info`, to the layer without one.
pub(crate) fn subscribed() -> Row {
    let wire = wire(&cases::request(&vec![b'x'; 1 << 10].into()));
    let loads = measure(&["layer", "layer, subscriber"], &wire);
    let cpu = ratio(&loads[1], &loads[0], |load| load.cpu);
    row(
        "G4 with a subscriber at `info`: CPU a request, to none",
        format!("{cpu:.3} ×"),
        format!("{}, {}", told("without", &loads[0]), told("with", &loads[1])),
        None,
    )
}

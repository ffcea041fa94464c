//! A whole server on loopback: G4, G6.

use std::net::TcpStream;

use bytes::Bytes;

use crate::{
    cases,
    client::{Load, Server, head, load},
    profile,
    report::{Row, row},
    support::{Spread, signature::signature},
};

const ROUNDS: usize = 41;
const REQUESTS: usize = 4000;
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

pub(crate) fn json() -> Vec<Row> {
    let body = Bytes::from(vec![b'x'; 1 << 10]);
    let request = cases::request(&signature(&body), body);
    let wire =
        [&head(&request, "content-type: application/json\r\n"), &request.body()[..]].concat();
    let kinds = ["unverified", "no-op", "by hand", "layer"];
    let loads = measure(&kinds, &wire);
    let [unverified, no_op, by_hand, layer] = &loads[..] else { unreachable!() };
    let baselines =
        || kinds.iter().zip(&loads).map(|(kind, loads)| told(kind, loads)).collect::<Vec<_>>();
    let cpu = ratio(layer, unverified, |load| load.cpu);
    let speed = ratio(layer, unverified, |load| load.per_second);
    let ahead =
        layer.iter().zip(by_hand).filter(|(layer, by_hand)| layer.cpu < by_hand.cpu).count();
    vec![
        row(
            "server, 1 KiB: CPU a request ≤ 1.15 × unverified",
            format!("{cpu} ×"),
            format!(
                "{}; no-op {} ×, by hand {} ×",
                baselines().join(", "),
                ratio(no_op, unverified, |load| load.cpu),
                ratio(by_hand, unverified, |load| load.cpu)
            ),
            cpu.median <= 1.15,
        ),
        row(
            "server, 1 KiB: requests/s ≥ 0.92 × unverified",
            format!("{speed} ×"),
            format!(
                "no-op {} ×, by hand {} ×",
                ratio(no_op, unverified, |load| load.per_second),
                ratio(by_hand, unverified, |load| load.per_second)
            ),
            speed.median >= 0.92,
        ),
        row(
            "server, 1 KiB: less CPU than by hand in every round",
            format!("{ahead} of {ROUNDS}"),
            format!("layer {} × by hand", ratio(layer, by_hand, |load| load.cpu)),
            ahead == ROUNDS,
        ),
    ]
}

pub(crate) fn form() -> Vec<Row> {
    let request = profile::request(&profile::twilio(), &profile::form());
    let wire = [&head(&request, ""), &request.body()[..]].concat();
    let loads = measure(&["unverified", "twilio"], &wire);
    let cpu = ratio(&loads[1], &loads[0], |load| load.cpu);
    let speed = ratio(&loads[1], &loads[0], |load| load.per_second);
    vec![row(
        "server, Twilio's form of 1 KiB: CPU a request ≤ 1.45 × unverified",
        format!("{cpu} ×; requests/s {speed} ×"),
        format!("{}, {}", told("unverified", &loads[0]), told("layer", &loads[1])),
        cpu.median <= 1.45,
    )]
}

//! Time of the layer in this process, beside its baselines: G1, G3.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_webhook::{BufferedBody, SignatureLayer, Verifier};

use crate::{
    report::{Row, row},
    starts::{STARTS, Starts, Values},
    subjects::{self, Subject},
    support::{Case, Rounds, cases, many_rounds},
};

const ROUNDS: usize = 101;

/// Runs cases of which one takes some so many nanoseconds, by short turns.
pub(crate) fn run(cases: Vec<Case>, nanoseconds: usize) -> Rounds {
    many_rounds(cases, ROUNDS, (400_000 / nanoseconds).max(1))
}

const SIZES: [(&str, usize, f64); 3] =
    [("256 B", 256, 1.15), ("1 KiB", 1 << 10, 1.10), ("16 KiB", 16 << 10, 1.02)];

/// The values of one start for G1.
pub(crate) fn tower_once() -> Values {
    let mut values = Values::default();
    for (title, size, _) in SIZES {
        let rounds = run(cases::tower(size), 600 + size);
        values.add_times(title, &rounds);
        for baseline in ["by hand", "reference, a mark"] {
            values.add_ratio(title, &rounds, "layer", baseline);
        }
    }
    values
}

pub(crate) fn tower_rows(starts: &Starts) -> Vec<Row> {
    let rows = SIZES.map(|(title, _, goal)| {
        let by_hand = starts.get(&format!("{title}: layer / by hand"));
        let reference = starts.get(&format!("{title}: layer / reference, a mark"));
        let names = ["layer", "by hand", "reference, a mark", "reference", "bare HMAC", "no layer"];
        row(
            format!("tower, {title}: < 1 × by hand, ≤ {goal} × the reference with a mark"),
            format!("{by_hand:.3} ×, {reference:.3} ×; {STARTS} starts"),
            starts.times(title, &names),
            by_hand.median < 1.0 && reference.median <= goal,
        )
    });
    rows.into()
}

/// The values of one start for the other schemes.
pub(crate) fn schemes_once() -> Values {
    let mut values = Values::default();
    add_scheme(&mut values, &subjects::stripe());
    add_scheme(&mut values, &subjects::standard());
    add_scheme(&mut values, &subjects::twilio());
    values
}

fn add_scheme<V: Verifier + Clone + 'static>(values: &mut Values, subject: &Subject<V>) {
    let request = subject.request.clone().map(Full::new);
    let handler = service_fn(async |request: Request<Full<Bytes>>| drops(request));
    let verified = service_fn(async |request: Request<BufferedBody>| drops(request));
    let layer = SignatureLayer::new(subject.verifier.clone());
    let rounds = run(
        vec![
            cases::calls("no layer", handler, request.clone()),
            cases::calls("layer", layer.layer(verified), request),
            subject.bare_hmac(),
        ],
        1500,
    );
    values.add_times(subject.name, &rounds);
    let hash = rounds.get("bare HMAC").time().median;
    values.add(
        format!("{}: above / bare HMAC", subject.name),
        rounds.above("layer", &["no layer"]).median / hash,
    );
}

fn drops<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(std::hint::black_box(request));
    Ok(Response::new(Full::default()))
}

pub(crate) fn tower() -> Vec<Row> {
    let mut rows = tower_rows(&Starts::of("tower"));
    let starts = Starts::of("schemes");
    for name in ["Stripe", "Standard Webhooks", "Twilio"] {
        let above = starts.get(&format!("{name}: above / bare HMAC"));
        rows.push(row(
            format!("tower, {name}, 1 KiB: time above no layer, to the bare HMAC"),
            format!("{above} ×; {STARTS} starts"),
            starts.times(name, &["layer", "no layer", "bare HMAC"]),
            None,
        ));
    }
    rows
}

/// The values of one start for G3.
pub(crate) fn axum_once() -> Values {
    let mut values = Values::default();
    let rounds = run(cases::axum(1 << 10), 2500);
    values.add_times("1 KiB", &rounds);
    for baseline in ["by hand", "reference", "reference, a mark"] {
        values.add_ratio("1 KiB", &rounds, "layer", baseline);
    }
    let rounds = run(cases::refusals(), 10_000);
    values.add_times("unsigned", &rounds);
    for (kind, baselines) in REFUSALS {
        for baseline in baselines {
            let [case, baseline] = [format!("{kind}, layer"), format!("{kind}, {baseline}")];
            values.add_ratio("unsigned", &rounds, &case, &baseline);
        }
    }
    values
}

const REFUSALS: [(&str, [&str; 2]); 3] = [
    ("empty", ["reference that closes", "reference"]),
    ("expects", ["reference that closes", "reference"]),
    ("offered", ["read and dropped", "by hand"]),
];

pub(crate) fn axum_rows(starts: &Starts) -> Vec<Row> {
    let by_hand = starts.get("1 KiB: layer / by hand");
    let reference = starts.get("1 KiB: layer / reference, a mark");
    let mut rows = vec![row(
        "axum, 1 KiB: ≤ 0.92 × by hand",
        format!("{by_hand:.3} ×; {reference:.3} × the reference with a mark; {STARTS} starts"),
        starts.times("1 KiB", &["layer", "by hand", "reference, a mark", "reference", "no layer"]),
        by_hand.median <= 0.92,
    )];
    for (kind, baselines) in REFUSALS {
        let what = match kind {
            "empty" => "an empty body",
            "expects" => "1 MiB and `Expect: 100-continue`",
            _ => "1 MiB in frames of 16 KiB",
        };
        let baseline = match kind {
            "offered" => "a handler that reads and drops",
            _ => "the reference that closes and leaves a reason",
        };
        let [first, second] = baselines
            .map(|baseline| starts.get(&format!("unsigned: {kind}, layer / {kind}, {baseline}")));
        let told = [&["layer"], &baselines[..]].concat();
        let told: Vec<_> = told.iter().map(|case| format!("{kind}, {case}")).collect();
        rows.push(row(
            format!("axum, unsigned with {what}: ≤ 1.15 × {baseline}"),
            format!("{first:.3} ×; {second:.3} × {}; {STARTS} starts", baselines[1]),
            starts.times("unsigned", &told.iter().map(String::as_str).collect::<Vec<_>>()),
            first.median <= 1.15,
        ));
    }
    rows
}

pub(crate) fn axum() -> Vec<Row> {
    axum_rows(&Starts::of("axum"))
}

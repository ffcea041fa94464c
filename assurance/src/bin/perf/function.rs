//! The verification function without a layer: G5, G10.

use std::{hint::black_box, time::SystemTime};

use bytes::Bytes;
use hmac::{KeyInit, Mac};
use http::Request;
use tower_webhook::{
    Secret,
    providers::{GitHub, StandardWebhooks},
    sign::signed,
    verify,
};

use crate::{
    report::{Row, row},
    speed::run,
    starts::{STARTS, Starts, Values},
    subjects::STANDARD_KEY,
    support::{
        Case, case,
        signature::{HmacSha256, SECRET, keyed},
    },
};

const SIZES: [(&str, usize); 3] = [("1 KiB", 1 << 10), ("16 KiB", 16 << 10), ("64 KiB", 64 << 10)];

/// The function beside other crates for the same scheme.
fn alone_cases(size: usize) -> Vec<Case> {
    let ours = StandardWebhooks::new(Secret::new(STANDARD_KEY).unwrap()).unwrap();
    let standard = standardwebhooks::Webhook::new(STANDARD_KEY).unwrap();
    let svix = svix::webhooks::Webhook::new(STANDARD_KEY).unwrap();
    let body = Bytes::from(vec![b'x'; size]);
    let request = Request::post("/").body(body.clone()).unwrap();
    let (head, _) = signed(&ours, request, SystemTime::now()).unwrap().into_parts();
    let keyed = HmacSha256::new_from_slice(STANDARD_KEY.as_bytes()).unwrap();
    let tag = keyed.clone().chain_update(&body).finalize().into_bytes();
    let [bytes1, bytes2, bytes3, bytes4] = [(); 4].map(|()| body.clone());
    let [head1, head2, head3] = [(); 3].map(|()| head.clone());
    vec![
        case("bare HMAC", move || {
            keyed.clone().chain_update(black_box(&bytes1)).verify_slice(&tag).unwrap();
        }),
        case("tower-webhook", move || {
            black_box(verify(&ours, black_box(&head1), black_box(&bytes2)).unwrap());
        }),
        case("standardwebhooks", move || {
            standard.verify(black_box(&bytes3), black_box(&head2.headers)).unwrap();
        }),
        case("svix", move || {
            svix.verify(black_box(&bytes4), black_box(&head3.headers)).unwrap();
        }),
    ]
}

/// The values of one start for G5.
pub(crate) fn alone_once() -> Values {
    let mut values = Values::default();
    for (title, size) in SIZES {
        let rounds = run(alone_cases(size), 4 * (600 + size));
        values.add_times(title, &rounds);
        values.add_ratio(title, &rounds, "standardwebhooks", "tower-webhook");
        values.add_ratio(title, &rounds, "svix", "tower-webhook");
        values.add_ratio(title, &rounds, "tower-webhook", "bare HMAC");
    }
    values
}

pub(crate) fn alone() -> Vec<Row> {
    let starts = Starts::of("function");
    let rows = SIZES.map(|(title, size)| {
        let get = |ratio: &str| starts.get(&format!("{title}: {ratio}"));
        let standard = get("standardwebhooks / tower-webhook");
        let svix = get("svix / tower-webhook");
        let bare = get("tower-webhook / bare HMAC");
        let is_fast = standard.median >= 5.0 && svix.median >= 5.0;
        let (asked, is_met) = match size {
            16_384 => ("; ≤ 1.04 × the bare HMAC", is_fast && bare.median <= 1.04),
            _ => ("", is_fast),
        };
        let names = ["bare HMAC", "tower-webhook", "standardwebhooks", "svix"];
        row(
            format!("function, {title}: ≥ 5 × as fast as `standardwebhooks`, `svix`{asked}"),
            format!("{standard} ×, {svix} ×; {bare:.3} × the bare HMAC; {STARTS} starts"),
            starts.times(title, &names),
            is_met,
        )
    });
    rows.into()
}

/// The values of one start for G10.
pub(crate) fn second_secret_once() -> Values {
    let one = GitHub::new(Secret::new(SECRET).unwrap()).unwrap();
    let two = GitHub::new([SECRET, "another secret, as long"]).unwrap();
    let body = Bytes::from(vec![b'x'; 1 << 10]);
    let request = Request::post("/").body(body.clone()).unwrap();
    let (head, _) = signed(&one, request, SystemTime::now()).unwrap().into_parts();
    let keyed = keyed();
    let [bytes1, bytes2, bytes3] = [(); 3].map(|()| body.clone());
    let head2 = head.clone();
    let cases = vec![
        case("bare HMAC", move || {
            black_box(keyed.clone().chain_update(black_box(&bytes1)).finalize());
        }),
        case("one secret", move || {
            black_box(verify(&one, black_box(&head), black_box(&bytes2)).unwrap());
        }),
        case("two secrets", move || {
            black_box(verify(&two, black_box(&head2), black_box(&bytes3)).unwrap());
        }),
    ];
    let rounds = run(cases, 1500);
    let mut values = Values::default();
    values.add_times("1 KiB", &rounds);
    let above = rounds.above("two secrets", &["one secret", "bare HMAC"]);
    values.add("above", above.median);
    values.add("allocations", rounds.more_allocations("two secrets", "one secret") as f64);
    values
}

pub(crate) fn second_secret() -> Vec<Row> {
    let starts = Starts::of("second secret");
    let above = starts.get("above");
    let allocations = starts.get("allocations").median;
    vec![row(
        "1 KiB: a second secret costs its own hash and ≤ 50 ns",
        format!("{above:+.0} ns, {allocations} allocations; {STARTS} starts"),
        starts.times("1 KiB", &["bare HMAC", "one secret", "two secrets"]),
        above.median <= 50.0,
    )]
}

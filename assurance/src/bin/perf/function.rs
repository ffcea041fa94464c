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
    subjects::STANDARD_KEY,
    support::{
        Rounds, case,
        signature::{HmacSha256, SECRET, keyed},
    },
};

fn nanoseconds(rounds: &Rounds, names: &[&str]) -> String {
    let time = |name: &&str| format!("{name} {:.0} ns", rounds.get(name).time().median);
    names.iter().map(time).collect::<Vec<_>>().join(", ")
}

/// The verification function alone, beside other crates for the same scheme.
pub(crate) fn alone() -> Vec<Row> {
    [1 << 10, 16 << 10, 64 << 10]
        .into_iter()
        .map(|size| {
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
            let cases = vec![
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
            ];
            let rounds = run(cases, 4 * (600 + size));
            let standard = rounds.ratio("standardwebhooks", &["tower-webhook"]);
            let svix = rounds.ratio("svix", &["tower-webhook"]);
            let bare = rounds.ratio("tower-webhook", &["bare HMAC"]);
            let is_met = standard.median >= 5.0 && svix.median >= 5.0;
            let (asked, is_met) = if size == 16 << 10 {
                ("; ≤ 1.04 × the bare HMAC", is_met && bare.median <= 1.04)
            } else {
                ("", is_met)
            };
            let names = ["bare HMAC", "tower-webhook", "standardwebhooks", "svix"];
            row(
                format!("function, {size} B: ≥ 5 × as fast as `standardwebhooks`, `svix`{asked}"),
                format!("{standard} ×, {svix} ×; {bare:.3} × the bare HMAC"),
                nanoseconds(&rounds, &names),
                is_met,
            )
        })
        .collect()
}

pub(crate) fn second_secret() -> Vec<Row> {
    [1 << 10, 16 << 10]
        .into_iter()
        .map(|size| {
            let one = GitHub::new(Secret::new(SECRET).unwrap()).unwrap();
            let two = GitHub::new([SECRET, "another secret, as long"]).unwrap();
            let body = Bytes::from(vec![b'x'; size]);
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
            let rounds = run(cases, 600 + size);
            let above = rounds.above("two secrets", &["one secret", "bare HMAC"]);
            let ratio = rounds.ratio("two secrets", &["one secret", "bare HMAC"]);
            let more = rounds.more_allocations("two secrets", "one secret");
            row(
                format!("{size} B: a second secret costs its own hash and ≤ 50 ns"),
                format!(
                    "{ratio:.3} × (one secret + bare HMAC), {above:+.0} ns, {more} allocations"
                ),
                nanoseconds(&rounds, &["bare HMAC", "one secret", "two secrets"]),
                above.median <= 50.0,
            )
        })
        .collect()
}

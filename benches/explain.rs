//! Cost of an explanation: time, variants and hashed bytes, beside the HMAC of the same body in
//! the same run.
//!
//! And the time of a rejection by a layer that explains a few of them, beside one that explains none.
//!
//! `cargo bench --bench explain --features explain`. Each request has a signature by a secret that is
//! not configured, so that all variants are tried; the first one has JSON that was written again.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

mod support;

use std::{convert::Infallible, hint::black_box};

use bytes::Bytes;
use hmac::Mac;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, PublicUrl, SignatureLayer, Verifier,
    explain::{Explanation, explain},
    observe::Event,
    providers::{Meta, Twilio},
};

use self::support::{
    case, ready, rounds,
    signature::{SECRET, keyed, signature},
};

/// JSON of about so many bytes with all that writers escape.
fn json(size: usize) -> String {
    let item = r#"{"text": "Grüße <b>&amp;</b> https://example.com/a 🎉", "n": [1, 2.5, null]}"#;
    let items = vec![item; (size / item.len()).max(1)];
    format!("[{}]", items.join(", "))
}

fn head(body: &[u8]) -> Parts {
    let request = Request::post("/webhook").header("x-hub-signature-256", signature(body));
    request.body(()).unwrap().into_parts().0
}

/// A request with so many parameters in its query.
fn twilio(parameters: usize) -> (Twilio, Parts) {
    let url = PublicUrl::base("https://hooks.example").unwrap();
    let query: Vec<_> = (0..parameters).map(|number| format!("p{number}=a+b%20c")).collect();
    let request = Request::post(format!("/webhook?{}", query.join("&")))
        .header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("host", "internal.example:8080")
        .header("x-forwarded-host", "hooks.example");
    (Twilio::new(SECRET, url).unwrap(), request.body(()).unwrap().into_parts().0)
}

fn measure<V: Verifier + Clone + 'static>(
    name: &'static str,
    verifier: V,
    head: Parts,
    body: &Bytes,
) {
    let found: Explanation = explain(&verifier, &head, body);
    let (explained, hashed) = (body.clone(), body.clone());
    let rounds = rounds(
        vec![
            case("explain", move || drop(black_box(explain(&verifier, &head, &explained)))),
            case("HMAC", move || drop(black_box(keyed().chain_update(&hashed).finalize()))),
        ],
        (300_000 / (4000 + body.len())).max(1),
    );
    println!(
        "{name:34} {:>11.0} ns, {} HMACs of the body; {} variants, {} KiB hashed, {}",
        rounds.get("explain").time().median,
        rounds.ratio("explain", &["HMAC"]),
        found.tried(),
        found.hashed() >> 10,
        found.first().map_or("nothing", |finding| finding.cause().as_str()),
    );
}

/// A rejection by a layer with an observer, which explains few of them.
fn rejection(layer: SignatureLayer<Meta>, body: &Bytes) -> impl FnMut() + use<> {
    let handler = service_fn(|_: Request<BufferedBody>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let service = layer.observer(|_: &Event<'_>| ()).layer(handler);
    let (head, body) = (head(b"another"), body.clone());
    move || {
        let request = Request::from_parts(head.clone(), Full::new(body.clone()));
        drop(black_box(ready(service.clone().oneshot(request))));
    }
}

/// The time of a rejection, with explanations and without.
fn rejections(size: usize) {
    let body = Bytes::from(json(size));
    let layer = || SignatureLayer::new(Meta::new(SECRET).unwrap()).body_deadline(None);
    let rounds = rounds(
        vec![
            case("with", rejection(layer(), &body)),
            case("without", rejection(layer().without_explanations(), &body)),
        ],
        1_000,
    );
    println!(
        "rejection of {size} bytes: {:.0} ns with explanations, {} of one without",
        rounds.get("with").time().median,
        rounds.ratio("with", &["without"]),
    );
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] =
        if is_test { &[256] } else { &[256, 1 << 10, 64 << 10, 1 << 20, 4 << 20] };
    let meta = || Meta::new(SECRET).unwrap();
    let sent = json(1 << 10);
    let compact: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let received = Bytes::from(compact.to_string());
    measure("JSON written again, 1 KiB", meta(), head(sent.as_bytes()), &received);
    for &size in sizes {
        let body = Bytes::from(json(size));
        println!("{} KiB of JSON:", body.len() >> 10);
        measure("  signed by another secret", meta(), head(b"another"), &body);
        let body = Bytes::from(vec![b'x'; size]);
        measure("  text, signed by another secret", meta(), head(b"another"), &body);
    }
    for &size in sizes.iter().filter(|size| **size <= 64 << 10) {
        rejections(size);
    }
    for parameters in [2, 5, 200] {
        let (verifier, head) = twilio(parameters);
        println!("Twilio, {parameters} parameters in the query:");
        measure("  signed by another secret", verifier, head, &Bytes::from("Body=a+b&To=%2B1"));
    }
}

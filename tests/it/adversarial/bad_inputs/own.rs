//! Entries that are no single request of a base's provider.

use std::{
    io::Write,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::axum::Router;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_webhook::{
    PublicKey, SignatureLayer, Verified,
    providers::{Discord, Linear, Meta, StandardWebhooks},
    sign::{PrivateKey, Signing, signed},
    verifier::verifier_fn,
};
use tracing::{Metadata, Subscriber, span};

use super::{
    data::{Case, Entry, base, bases},
    plan,
    verifiers::{Url, build},
    ways::{Calls, Expected, Runs, http1},
};
use crate::{
    net,
    observe::tracing::Lines,
    support::{
        AtTime, Event, Inner, Script, Sha256Mac, at, head_of, hmac_sha256, mac, meta_layer,
        meta_request, secret, send, verify,
    },
};

/// Another method than the route's is the router's to answer: 405, whether signed or not, and no
/// handler.
pub(super) async fn method(entry: &Entry) {
    for (provider, mut case) in bases() {
        entry.ops.iter().for_each(|op| case.apply(op));
        let layer = SignatureLayer::new(build(&provider, &case, Url::Base).unwrap());
        let calls = Calls::default();
        let path = case.uri.split('?').next().unwrap();
        let router = Router::new().route(path, calls.only_for(true).route_layer(layer));
        let request = case.request(::axum::body::Body::from(case.body.clone())).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let about = format!("{entry} {provider}");
        assert_eq!(answer.status(), entry.statuses()[0], "{about}");
        let address = net::serve_axum(router).await;
        // On a socket, the form of CONNECT is a host alone.
        if case.method == "CONNECT" {
            case.uri = "hooks.example:443".to_owned();
        }
        let (status, _) = http1(address, &case).await;
        let expected = match plan::NO_PATH.iter().find(|(id, ..)| *id == entry.id) {
            Some((_, status, _)) => *status,
            None => entry.statuses()[0],
        };
        assert_eq!(status, expected, "{about}");
        assert_eq!(calls.take().len(), 0, "{about}");
        case.method = "POST".to_owned();
        base(&provider).uri.clone_into(&mut case.uri);
        assert_eq!(http1(address, &case).await.0, StatusCode::OK, "{about}: control");
    }
}

/// A challenge that would be a script in a browser is refused, or echoed as plain text that no
/// browser takes for anything else.
pub(super) async fn challenge(entry: &Entry) {
    let (_, case) = entry.cases().remove(0);
    let layer =
        SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(token("RIGHT")).unwrap());
    let request = case.request(Script::untouchable()).unwrap();
    let (response, inner) = send(&layer, request).await;
    assert_eq!(inner.count(), 0, "{entry}");
    let (head, body) = response.into_parts();
    if head.status == StatusCode::FORBIDDEN {
        assert_eq!(body.collect().await.unwrap().to_bytes(), "", "{entry}");
        return;
    }
    assert_eq!(head.status, StatusCode::OK, "{entry}");
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    assert_eq!(head.headers[header::CONTENT_TYPE], plain, "{entry}");
    assert_eq!(head.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{entry}");
    assert!(!head.headers.contains_key("x"), "{entry}");
}

fn token(text: &str) -> tower_webhook::Secret {
    tower_webhook::Secret::new(text).unwrap()
}

/// A signed body that is compressed is hashed and handed on as it came.
pub(super) async fn compressed(entry: &Entry) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 10 << 20]).unwrap();
    let gzip = gzip.finish().unwrap();
    for (_, mut case) in entry_cases(entry) {
        case.body = gzip.clone();
        assert!(case.body.len() < 20_000, "{entry}: {}", case.body.len());
        let tag = hmac_sha256(&case.secrets[0], &case.body);
        case.set("X-Hub-Signature-256", format!("sha256={tag}").as_bytes());
        let expected = Expected { about: &entry.id, statuses: &[StatusCode::OK], by_head: false };
        let verifier = build("github", &case, Url::Base).unwrap();
        expected.everywhere(&case, &verifier, &mut Runs::new()).await;
    }
}

fn entry_cases(entry: &Entry) -> Vec<(String, Case)> {
    let mut cases = entry.cases();
    cases.retain(|(provider, _)| provider == "github");
    cases
}

/// A verifier that accepts everything accepts no body that has broken off.
pub(super) async fn body_error(entry: &Entry) {
    let accepts = || SignatureLayer::new(verifier_fn(|_, _| Ok(Verified::new("anybody"))));
    let broken = || Event::Error("reset by peer".into());
    for events in [
        vec![broken()],
        vec![Event::Data("{".into()), broken()],
        vec![Event::Data("{}".into()), Event::Pending, broken(), Event::Data("{}".into())],
    ] {
        let request = Request::post("/").body(Script::new(events)).unwrap();
        let (response, inner) = send(&accepts(), request).await;
        assert_eq!((response.status(), inner.count()), (entry.statuses()[0], 0), "{entry}");
    }
    let request = Request::post("/").body(Script::data(["{}"])).unwrap();
    assert_eq!(send(&accepts(), request).await.1.count(), 1, "{entry}: control");
}

/// A clock that cannot be right refuses nobody for good.
pub(super) async fn absurd_clock(entry: &Entry) {
    for provider in ["stripe", "slack", "standard_webhooks"] {
        for now in [0, 1, 86_400 * 365, 4_294_967_296, 1 << 40] {
            let mut case = base(provider);
            case.now = now;
            let layer = SignatureLayer::new(build(provider, &case, Url::Base).unwrap());
            let (response, inner) =
                send(&layer, case.request(Script::untouchable()).unwrap()).await;
            let about = format!("{entry} {provider} {now}");
            assert_eq!((response.status(), inner.count()), (entry.statuses()[0], 0), "{about}");
        }
    }
}

/// Without a timer, waiting for a body panics at once, as `body_deadline` says: it does not run
/// without its deadline. A body that is there needs none, and `None` asks for none.
#[test]
fn without_a_timer_nothing_waits_for_ever() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let waits = || Script::new([Event::Pending, Event::Data("hi".into())]);
    let run = |layer: SignatureLayer<Meta>, body: Script| {
        let run = || runtime.block_on(send(&layer, meta_request(b"hi", body))).0.status();
        panic::catch_unwind(AssertUnwindSafe(run)).ok()
    };
    assert_eq!(run(meta_layer(), waits()), None);
    assert_eq!(run(meta_layer(), Script::data(["hi"])), Some(StatusCode::OK));
    assert_eq!(run(meta_layer().body_deadline(None), waits()), Some(StatusCode::OK));
}

/// Panics at each event, and counts them.
#[derive(Clone, Default)]
struct Panics(Arc<AtomicUsize>);

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the subscriber's")
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// A subscriber that panics changes no verdict.
pub(super) async fn panicking_subscriber(entry: &Entry) {
    let layer = meta_layer();
    let panics = Panics::default();
    // So that no call site is switched off for all.
    drop(Lines::default().subscribe());
    let _guard = tracing::subscriber::set_default(panics.clone());
    for (signed, status) in [(&b"hi"[..], StatusCode::OK), (b"other", StatusCode::FORBIDDEN)] {
        let (response, inner) = send(&layer, meta_request(signed, Script::data(["hi"]))).await;
        assert_eq!(response.status(), status, "{entry}");
        assert_eq!(inner.count(), usize::from(status == StatusCode::OK), "{entry}");
    }
    assert_eq!(panics.0.load(Ordering::SeqCst), 3, "{entry}");
}

/// Digits moved from a signed time into the body, where nothing stands between the two.
pub(super) async fn moved_boundary(entry: &Entry) {
    const NOW: u64 = 1_700_000_000;
    let key = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap();
    let discord = Discord::new(key.public_key().unwrap()).unwrap().clock(at(NOW));
    let request = Request::post("/").body(Bytes::from(r#"{"type":2}"#)).unwrap();
    let request = signed(&discord, request, Signing::at(at(NOW)()).private_key(&key)).unwrap();
    let (mut head, body) = request.into_parts();
    verify(&discord, &head, &body).unwrap();
    let time = NOW.to_string();
    for bytes in 1..time.len() {
        let (cut, moved) = time.split_at(time.len() - bytes);
        let body = Bytes::from([moved.as_bytes(), &body].concat());
        head.headers.insert("x-signature-timestamp", cut.parse().unwrap());
        let request = Request::from_parts(head.clone(), Full::new(body));
        let inner = Inner::default();
        let layer = SignatureLayer::new(discord.clone());
        let Ok(response) = layer.layer(inner.clone()).oneshot(request).await;
        assert_eq!(response.status(), entry.statuses()[0], "{entry}: {bytes}");
        assert_eq!(inner.count(), 0, "{entry}: {bytes}");
    }
}

/// An old delivery with a fresh time where it is not signed.
pub(super) async fn unsigned_time(entry: &Entry) {
    const NOW: u64 = 1_700_000_000;
    let linear = Linear::new(secret()).unwrap().clock(at(NOW));
    for (age, is_accepted) in [(0, true), (61, true), (27_787, false), (86_400, false)] {
        let time = (NOW - age) * 1_000;
        let body = Bytes::from(format!(r#"{{"action":"create","webhookTimestamp":{time}}}"#));
        let request = Request::post("/").body(body.clone()).unwrap();
        let request = signed(&linear, request, at(NOW - age)()).unwrap();
        for name in ["linear-timestamp", "x-linear-timestamp", "webhook-timestamp", "date"] {
            let mut head = head_of(request.clone());
            head.headers.insert(name, (NOW * 1_000).to_string().parse().unwrap());
            let verdict = verify(&linear, &head, &body);
            let status = verdict.map_or_else(|rejection| rejection.status(), |_| StatusCode::OK);
            let expected = if is_accepted { StatusCode::OK } else { entry.statuses()[0] };
            assert_eq!(status, expected, "{entry} {age} {name}");
        }
    }
}

/// A public key is configured, and known to everybody: as the key of an HMAC it signs nothing,
/// whatever the version's label and however it is written.
pub(super) async fn public_key_as_secret(entry: &Entry) {
    const KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let case = base("standard_webhooks");
    let key = PublicKey::from_base64(KEY).unwrap();
    let verifier = StandardWebhooks::new_asymmetric(key).unwrap().clock(at(case.now));
    let of = |name: &str| {
        let line = case.lines.iter().find(|(n, _)| n == name).unwrap();
        String::from_utf8(line.1.clone()).unwrap()
    };
    let content = [of("webhook-id"), of("webhook-timestamp")].join(".") + ".";
    let content = [content.as_bytes(), &case.body].concat();
    let bytes = BASE64_STANDARD.decode(KEY).unwrap();
    for key in [&bytes[..], KEY.as_bytes(), format!("whpk_{KEY}").as_bytes()] {
        let tag = BASE64_STANDARD.encode(mac::<Sha256Mac>(key, &content));
        for version in ["v1", "v1a", "v2"] {
            let mut case = case.clone();
            case.set("webhook-signature", format!("{version},{tag}").as_bytes());
            let request = case.request(Script::data([case.body.clone()])).unwrap();
            let (response, inner) = send(&SignatureLayer::new(verifier.clone()), request).await;
            let expected = (entry.statuses()[0], 0);
            assert_eq!((response.status(), inner.count()), expected, "{entry} {version}");
        }
    }
}

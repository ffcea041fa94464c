//! What strangers write into ids, and into what is written down.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_webhook::{
    SignatureLayer,
    delivery_log::{DeliveryLog, Filter, MemoryLog},
    layer::TrustedProxies,
    observe::{Alert, Alerts, ClientIp, Event},
};

use super::{
    data::{Entry, Op, base, expanded},
    verifiers::{Url, build},
    ways::http1,
};
use crate::{
    net::serve,
    observe::tracing::Lines,
    support::{Inner, Script, at, meta_layer, meta_request, send, unexplained},
    tenants::lookup::{Row, Store, by_path, hello, request},
};

fn tenant(entry: &Entry) -> String {
    match &entry.ops[..] {
        [Op::SetTenant { value }] => expanded(value),
        other => panic!("{entry}: {other:?}"),
    }
}

/// A request to this tenant, signed with the secret of tenant A. As it stands and, where no URL can
/// hold it, in the spelling that one can.
pub(super) async fn tenants(entry: &Entry) {
    let store = Store::new();
    store.set("caf\u{e9}", Row::Secrets(vec!["secret of tenant A"]));
    let tenants = store.meta().build().unwrap();
    // What the body says is no part of it.
    let id = tenant(entry).replace("body:A path:", "");
    let spelt: String = id.bytes().fold(String::new(), |spelt, byte| match byte {
        b'!'..=b'~' if byte != b'\'' => spelt + &char::from(byte).to_string(),
        _ => spelt + &format!("%{byte:02x}"),
    });
    let mut runs = 0;
    for path in [&id, &spelt] {
        let mut request = request("", "secret of tenant A", hello());
        let Ok(uri) = format!("/hooks/{path}").parse() else { continue };
        *request.uri_mut() = uri;
        let (response, inner) = send(&by_path(&tenants), request).await;
        assert_eq!(response.status(), entry.statuses()[0], "{entry} {path}");
        assert_eq!(inner.count(), 0, "{entry} {path}");
        runs += 1;
    }
    assert!(runs > 0, "{entry}");
    // Without a URL between, which may hold what no URL can.
    assert_eq!(tenants.verifier(&id).await.unwrap().tenant().is_some(), id == "B", "{entry}");
    let is_in_form = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let may_be_asked =
        (1..=64).contains(&id.len()) && id.chars().all(is_in_form) && id.chars().any(|c| c != '.');
    assert_eq!(store.calls() > 0, may_be_asked, "{entry}: what the store was asked");
    let request = request("A", "secret of tenant A", hello());
    assert_eq!(send(&by_path(&tenants), request).await.0.status(), StatusCode::OK, "{entry}");
}

/// The key store answers with a secret that is none: no verdict, and nobody is let in.
pub(super) async fn empty_key(entry: &Entry) {
    let store = Store::new();
    store.set("A", Row::Secrets(vec![""]));
    let tenants = store.meta().build().unwrap();
    for secret in ["secret of tenant A", "x"] {
        let (response, inner) = send(&by_path(&tenants), request("A", secret, hello())).await;
        assert_eq!(response.status(), entry.statuses()[0], "{entry}");
        assert_eq!(inner.count(), 0, "{entry}");
    }
}

/// What a refused sender wrote is in one line of valid JSON, in printable letters, and in one row;
/// and of one that is genuine nothing is kept that is not on the list.
pub(super) async fn logs(entry: &Entry) {
    let is_accepted = entry.statuses()[0] == StatusCode::OK;
    let mut case = base("github");
    entry.ops.iter().for_each(|op| case.apply(op));
    // Nothing of this is signed: with a genuine signature it would be genuine. Those that are to be
    // refused are strangers'.
    if !is_accepted {
        case.secrets = vec!["another secret".to_owned()];
    }
    let log = DeliveryLog::builder().store(MemoryLog::new(10)).unwrap();
    let layer =
        SignatureLayer::new(build("github", &case, Url::Base).unwrap()).observer(log.clone());
    let inner = Inner::default();
    if case.request(()).is_none() {
        // No request can hold it: the server refuses it, and it is written down nowhere.
        let (status, _) = http1(serve(layer.layer(inner.clone())).await, &case).await;
        assert!(entry.statuses().contains(&status), "{entry}");
        case.lines
            .iter_mut()
            .for_each(|(_, value)| value.retain(|byte| *byte >= b' ' && *byte != 0x7f));
    }
    let lines = Lines::default();
    let guard = lines.subscribe();
    let request = case.request(Full::<Bytes>::from(case.body.clone())).unwrap();
    let Ok(response) = layer.layer(inner.clone()).oneshot(request).await;
    drop(guard);
    assert!(entry.statuses().contains(&response.status()), "{entry}");
    assert_eq!(inner.count(), usize::from(is_accepted), "{entry}");

    let text = lines.text();
    assert!(text.lines().count() <= 2 && !text.is_empty(), "{entry}: {text}");
    for line in text.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{entry}: {line}");
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["target"] == "tower_webhook::security", !is_accepted, "{entry}: {line}");
        assert_ne!(json["url"], "", "{entry}: {line}");
    }
    log.flush().await.unwrap();
    let rows = log.find(&Filter::new()).await.unwrap();
    let row = format!("{rows:?}");
    assert_eq!(rows.len(), 1, "{entry}: {row}");
    for secret in ["It's a Secret", "SXQncyBhIFNlY3JldCB0byBFdmVyeWJvZHk="] {
        assert!(!text.contains(secret) && !row.contains(secret), "{entry}: {row} {text}");
    }
}

/// Ten thousand bad signatures, each with another address in a header that anybody can write. The
/// address is the socket's unless its peer is a listed proxy, so one suspect is told of, once, and that no secret has worked yet.
pub(super) async fn addresses(entry: &Entry) {
    let alerts: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen: Arc<Mutex<Vec<Option<IpAddr>>>> = Arc::default();
    let (raised, told) = (Arc::clone(&alerts), Arc::clone(&seen));
    let peer = IpAddr::from([192, 0, 2, 1]);
    let name = HeaderName::from_static("x-forwarded-for");
    let proxies = TrustedProxies::new(["10.0.0.0/8"], move |_| Some(peer)).unwrap();
    let client_ip = ClientIp::forwarded(name, proxies);
    let layer = unexplained(meta_layer())
        .clock(at(1_700_000_000))
        .client_ip(client_ip)
        .observer(Alerts::new(move |alert: &Alert| raised.lock().unwrap().push(alert.to_string())))
        .observer(move |event: &Event<'_>| told.lock().unwrap().push(event.client_ip()));
    for n in 0..10_000_u32 {
        let address = IpAddr::from(n.to_be_bytes()).to_string();
        let mut request: Request<Script> = meta_request(b"other", Script::data(["body"]));
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        request.headers_mut().insert("forwarded", format!("for={address}").parse().unwrap());
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (entry.statuses()[0], 0), "{entry}");
    }
    let never_worked =
        "meta: 5 signature mismatches and no verified request yet; is the secret correct?";
    let refused = "meta: 10 invalid signatures from 192.0.2.1";
    assert_eq!(*alerts.lock().unwrap(), [never_worked, refused], "{entry}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 10_000, "{entry}");
    assert!(seen.iter().all(|address| *address == Some(peer)), "{entry}");
}

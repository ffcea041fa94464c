use std::{
    collections::HashMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use governor::{Quota, clock::FakeRelativeClock};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_webhook::{
    Secret,
    observe::{Event, EventKind},
};

use super::{post, serve_with_addresses};
use crate::{net::Client, support::hmac_sha256};

#[path = "../../../examples/rate_limit.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

use example::{PER_ADDRESS, PER_TENANT};

/// Types, tenants and addresses of events.
type Events = Arc<Mutex<Vec<(&'static str, Option<String>, String)>>>;

async fn serve(per_address: Quota, per_tenant: Quota) -> (SocketAddr, FakeRelativeClock, Events) {
    let secret = |id: &str| (id.to_owned(), Secret::new(format!("secret-of-{id}")).unwrap());
    let secrets = HashMap::from(["anna", "bert"].map(secret));
    let clock = FakeRelativeClock::default();
    let events = Events::default();
    let seen = Arc::clone(&events);
    let observer = move |event: &Event<'_>| {
        let tenant = event.tenant().map(ToOwned::to_owned);
        let address = event.client_ip().unwrap().to_string();
        // At any time, from a thread of its own.
        if event.kind() == EventKind::Explained {
            return;
        }
        seen.lock().unwrap().push((event.name(), tenant, address));
    };
    let app = example::app(secrets, [per_address, per_tenant], clock.clone(), observer);
    (serve_with_addresses(app).await, clock, events)
}

fn signed(signer: &str, tenant: &str) -> Request<Full<Bytes>> {
    let body = r#"{"object":"page"}"#;
    let tag = hmac_sha256(&format!("secret-of-{signer}"), body.as_bytes());
    let signature = format!("sha256={tag}");
    post(&format!("/hooks/{tenant}"), &[("x-hub-signature-256", &signature)], body)
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Bytes> {
    Client::http1(address).await.send(request).await
}

fn assert_limited(response: &Response<Bytes>, seconds: &str) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], seconds);
}

fn count(events: &Events, event_type: &str) -> usize {
    events.lock().unwrap().iter().filter(|event| event.0 == event_type).count()
}

#[tokio::test]
async fn an_address_is_limited_before_anything_is_verified() {
    let (address, clock, events) = serve(PER_ADDRESS, PER_TENANT).await;
    for i in 0..100 {
        let response = send(address, signed("a guess", "anna")).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{i}");
    }
    assert_eq!(count(&events, "invalid_webhook_signature"), 100);
    events.lock().unwrap().clear();

    // Not even a genuine one is looked at.
    assert_limited(&send(address, signed("anna", "anna")).await, "1");
    let limited = ("rate_limit_exceeded", None, "127.0.0.1".to_owned());
    assert_eq!(*events.lock().unwrap(), [limited]);

    // 100 a minute are one in 600 ms.
    clock.advance(Duration::from_millis(599));
    assert_limited(&send(address, signed("anna", "anna")).await, "1");
    clock.advance(Duration::from_millis(1));
    assert_eq!(send(address, signed("anna", "anna")).await.status(), StatusCode::OK);
    assert_limited(&send(address, signed("anna", "anna")).await, "1");
}

#[tokio::test]
async fn a_tenant_is_limited_by_what_it_proved() {
    let three_an_hour = Quota::per_hour(NonZeroU32::new(3).unwrap());
    let (address, clock, events) = serve(PER_ADDRESS, three_an_hour).await;
    // Forged requests in a tenant's name do not use up its quota.
    for _ in 0..5 {
        assert_eq!(send(address, signed("bert", "anna")).await.status(), StatusCode::FORBIDDEN);
    }
    for _ in 0..3 {
        let response = send(address, signed("anna", "anna")).await;
        assert_eq!(
            (response.status(), &response.body()[..]),
            (StatusCode::OK, &b"genuine, for anna\n"[..])
        );
    }
    events.lock().unwrap().clear();
    assert_limited(&send(address, signed("anna", "anna")).await, "1200");
    let told: Vec<_> = events.lock().unwrap().iter().map(|event| event.0).collect();
    assert_eq!(told, ["webhook_accepted", "rate_limit_exceeded", "webhook_completed"]);
    for (_, tenant, ip) in events.lock().unwrap().iter() {
        assert_eq!((tenant.as_deref(), ip.as_str()), (Some("anna"), "127.0.0.1"));
    }

    assert_eq!(send(address, signed("bert", "bert")).await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(1199));
    assert_limited(&send(address, signed("anna", "anna")).await, "1");
    clock.advance(Duration::from_secs(1));
    assert_eq!(send(address, signed("anna", "anna")).await.status(), StatusCode::OK);
}

#[test]
fn the_defaults_are_100_a_minute_and_10_000_an_hour() {
    for (quota, count, period) in [(PER_ADDRESS, 100, 60), (PER_TENANT, 10_000, 3600)] {
        assert_eq!(quota.burst_size().get(), count);
        assert_eq!(quota.replenish_interval() * count, Duration::from_secs(period));
    }
}

#[test]
fn an_ipv6_sender_is_its_network() {
    let network = |text: &str| example::network(text.parse().unwrap()).to_string();
    assert_eq!(network("192.0.2.7"), "192.0.2.7");
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::"));
}

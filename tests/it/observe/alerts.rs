//! Alerts and samples: counts that are exact, raised once, and bounded whatever strangers send.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    BufferedBody, Rejection, SignatureLayer, Verified, Verifier,
    layer::ByHead,
    observe::{Alert, Alerts, ClientIp, Event, RefusalSource, Throttled},
    verifier::verifier_fn,
};

use crate::{
    observe::events::Seen,
    support::{Script, meta_layer, meta_request, send},
};

/// A world in which a test says who sends what, when.
struct World<L> {
    layer: L,
    now: Arc<Mutex<SystemTime>>,
}

const GENUINE: bool = true;
const FORGED: bool = false;

macro_rules! world {
    ($observer:expr) => {{
        let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
        let clock = Arc::clone(&now);
        let make = ByHead::new(|head| {
            let verifier = verifier_fn(|head, _| {
                let is_genuine = head.headers.contains_key("genuine");
                is_genuine.then(|| Verified::new("test")).ok_or(Rejection::mismatch())
            });
            let tenant = head.uri.path().trim_start_matches('/').to_owned();
            async move { Ok(verifier.for_tenant(tenant)) }
        });
        let client_ip = ClientIp::new(|head| head.extensions.get::<IpAddr>().copied());
        let layer = crate::support::unexplained(SignatureLayer::new(make))
            .client_ip(client_ip)
            .clock(move || *clock.lock().unwrap())
            .observer($observer);
        World { layer, now }
    }};
}

impl<M> World<SignatureLayer<M>>
where
    M: tower_webhook::layer::Source + Clone,
{
    async fn sends(&self, address: &str, tenant: &str, is_genuine: bool) {
        let mut request = Request::post(format!("/{tenant}")).body(Script::data([""])).unwrap();
        request.extensions_mut().insert(address.parse::<IpAddr>().unwrap());
        if is_genuine {
            request.headers_mut().insert("genuine", "1".parse().unwrap());
        }
        send(&self.layer, request).await;
    }

    fn passes(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }
}

#[derive(Clone, Default)]
struct Raised(Arc<Mutex<Vec<Alert>>>);

impl Raised {
    /// Whose alerts of a secret are out of the way.
    fn alerts(&self) -> Alerts {
        let raised = Arc::clone(&self.0);
        Alerts::new(move |alert: &Alert| raised.lock().unwrap().push(alert.clone()))
            .refusals_in_a_row(1000)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap()).iter().map(ToString::to_string).collect()
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn what_is_no_verdict_raises_no_alert() {
    let raised = Raised::default();
    let address = "192.0.2.1".parse::<IpAddr>().unwrap();
    let layer = meta_layer()
        .client_ip(ClientIp::new(move |_| Some(address)))
        .body_limit(1)
        .observer(raised.alerts());
    for _ in 0..20 {
        send(&layer, meta_request(b"too long", Script::data(["too long"]))).await;
    }
    assert_eq!(raised.take(), [""; 0]);
}

#[tokio::test]
async fn ten_rejections_from_an_address_raise_one_alert() {
    let raised = Raised::default();
    let world = world!(raised.alerts());
    for _ in 0..9 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    for other in 0..9 {
        world.sends("192.0.2.2", &format!("b{other}"), FORGED).await;
    }
    assert_eq!(raised.take(), [""; 0]);
    // Another tenant: only the address has ten.
    world.sends("192.0.2.1", "c", FORGED).await;
    let expected = "custom: 10 invalid signatures from 192.0.2.1";
    assert_eq!(raised.take(), [expected]);
    for _ in 0..100 {
        world.sends("192.0.2.1", "d", FORGED).await;
    }
    // The flood is the address's; it is told once, and the tenant that it is aimed at too.
    assert_eq!(raised.take(), [r#"custom: 10 invalid signatures for tenant "d""#]);
    world.passes(HOUR);
    for _ in 0..10 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert!(raised.take().contains(&expected.to_owned()), "again, an hour later");
}

#[tokio::test]
async fn the_window_slides() {
    let raised = Raised::default();
    let world = world!(raised.alerts());
    // Ten in any hour are an alert; nine in each are none, for ever.
    for turn in 0..50 {
        world.sends("192.0.2.1", &turn.to_string(), FORGED).await;
        world.passes(HOUR / 9);
    }
    assert_eq!(raised.take(), [""; 0]);
    world.passes(HOUR);
    for turn in 0..10 {
        world.sends("192.0.2.1", &format!("b{turn}"), FORGED).await;
        world.passes((HOUR - Duration::from_nanos(1)) / 9);
    }
    assert_eq!(raised.take().len(), 1);
}

#[tokio::test]
async fn a_secret_that_stopped_working_is_told_once() {
    let raised = Raised::default();
    let world = world!(raised.alerts().threshold(1000, HOUR).refusals_in_a_row(3));
    world.sends("192.0.2.1", "a", GENUINE).await;
    for _ in 0..2 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    world.sends("192.0.2.1", "a", GENUINE).await;
    for _ in 0..2 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [""; 0], "not in a row");
    world.sends("192.0.2.1", "a", FORGED).await;
    let stopped = "custom: 3 consecutive rejections for tenant \"a\" after verified requests; \
                 was the secret changed?";
    assert_eq!(raised.take(), [stopped]);
    for _ in 0..10 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [""; 0], "once");
    world.sends("192.0.2.1", "a", GENUINE).await;
    for _ in 0..3 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [stopped], "and again after it has recovered");
}

#[tokio::test]
async fn a_secret_that_never_worked_is_told_once_an_hour() {
    let raised = Raised::default();
    let world = world!(raised.alerts().threshold(1000, HOUR).refusals_in_a_row(3));
    let never = |count: u32| {
        format!(
            "custom: {count} signature mismatches for tenant \"a\" and no verified request yet; \
             is the secret correct?"
        )
    };
    for _ in 0..2 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [""; 0]);
    for _ in 0..10 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [never(3)], "once");
    world.passes(HOUR - Duration::from_nanos(1));
    world.sends("192.0.2.1", "a", FORGED).await;
    assert_eq!(raised.take(), [""; 0], "within the hour");
    world.passes(Duration::from_nanos(1));
    world.sends("192.0.2.1", "a", FORGED).await;
    assert_eq!(raised.take(), [never(14)], "after an hour");
    world.sends("192.0.2.1", "a", GENUINE).await;
    world.passes(2 * HOUR);
    for _ in 0..2 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!(raised.take(), [""; 0], "it has worked");
    world.sends("192.0.2.1", "a", FORGED).await;
    let alerts = raised.take();
    assert!(alerts[0].contains("after verified requests") && alerts.len() == 1, "{alerts:?}");
}

/// Whoever sends no signature, or one out of form, tells nothing about a secret.
#[tokio::test]
async fn secret_alert_counts_only_well_formed_signatures() {
    let raised = Raised::default();
    let layer = crate::support::unexplained(meta_layer())
        .observer(raised.alerts().threshold(1000, HOUR).refusals_in_a_row(3));
    for _ in 0..10 {
        let missing = Request::post("/").body(Script::data(["{}"])).unwrap();
        let mut malformed = meta_request(b"{}", Script::data(["{}"]));
        malformed.headers_mut().insert("x-hub-signature-256", "sha256=zz".parse().unwrap());
        for request in [missing, malformed] {
            assert_eq!(send(&layer, request).await.0.status(), 403);
        }
    }
    assert_eq!(raised.take(), [""; 0]);
    for _ in 0..3 {
        let forged = meta_request(b"{}", Script::data(["[]"]));
        assert_eq!(send(&layer, forged).await.0.status(), 403);
    }
    let told = "meta: 3 signature mismatches and no verified request yet; is the secret correct?";
    let alerts = std::mem::take(&mut *raised.0.lock().unwrap());
    let texts = alerts.iter().map(|alert| (alert.as_str(), alert.to_string())).collect::<Vec<_>>();
    assert_eq!(texts, [("secret_never_worked", told.to_owned())]);
}

#[tokio::test]
async fn what_strangers_make_it_remember_is_bounded() {
    let raised = Raised::default();
    let world = world!(raised.alerts().max_suspects(100).threshold(3, HOUR));
    world.sends("192.0.2.1", "a", FORGED).await;
    world.sends("192.0.2.1", "b", FORGED).await;
    for stranger in 0..200 {
        world.sends(&format!("2001:db8:{stranger:x}::1"), &format!("t{stranger}"), FORGED).await;
    }
    // Two of the three are long forgotten.
    world.sends("192.0.2.1", "c", FORGED).await;
    assert_eq!(raised.take(), [""; 0]);
    // Whoever goes on is remembered among any number of strangers.
    for turn in 0..2 {
        world.sends("192.0.2.1", &format!("d{turn}"), FORGED).await;
    }
    assert_eq!(raised.take().len(), 1);
}

#[tokio::test]
async fn many_sender_addresses_do_not_suppress_alerts() {
    let raised = Raised::default();
    let world = world!(raised.alerts().max_suspects(100).threshold(3, HOUR));
    // One network of 64 bits has as many addresses as anyone likes.
    for host in 1..=3 {
        world.sends(&format!("2001:db8::{host:x}"), &format!("t{host}"), FORGED).await;
    }
    assert_eq!(raised.take(), ["custom: 3 invalid signatures from 2001:db8::"]);
    for stranger in 0..3 {
        world.sends(&format!("192.0.2.{stranger}"), "a", FORGED).await;
        for other in 1..200 {
            let address = format!("2001:db8:{stranger}:{other:x}::1");
            let nobody = format!("{stranger}/{other}");
            world.sends(&address, if other < 20 { &nobody } else { "b" }, FORGED).await;
        }
    }
    let tenants = ["b", "a"].map(|t| format!("custom: 3 invalid signatures for tenant {t:?}"));
    assert_eq!(raised.take(), tenants);
}

#[tokio::test]
async fn what_is_only_reported_is_counted_too() {
    let raised = Raised::default();
    let World { layer, now } = world!(raised.alerts().threshold(2, HOUR));
    let world = World { layer: layer.dangerously_report_only(), now };
    for tenant in ["a", "b"] {
        world.sends("192.0.2.1", tenant, FORGED).await;
    }
    assert_eq!(raised.take(), ["custom: 2 invalid signatures from 192.0.2.1"]);
}

#[tokio::test]
async fn clock_set_back_does_not_suppress_an_alert() {
    let raised = Raised::default();
    let world = world!(raised.alerts().threshold(2, HOUR));
    world.passes(100 * HOUR);
    for tenant in ["a", "b"] {
        world.sends("192.0.2.1", tenant, FORGED).await;
    }
    assert_eq!(raised.take().len(), 1);
    *world.now.lock().unwrap() -= 100 * HOUR;
    for tenant in ["c", "d"] {
        world.sends("192.0.2.1", tenant, FORGED).await;
    }
    assert_eq!(raised.take().len(), 1);
}

#[tokio::test]
async fn an_alert_names_its_suspect() {
    let raised = Raised::default();
    let world = world!(raised.alerts().threshold(1, HOUR));
    world.sends("::ffff:192.0.2.1", "a", FORGED).await;
    let alerts = std::mem::take(&mut *raised.0.lock().unwrap());
    let address = RefusalSource::Address("192.0.2.1".parse().unwrap());
    let tenant = RefusalSource::Tenant("custom", "a".into());
    for (alert, expected) in alerts.iter().zip([address, tenant]) {
        let Alert::ManyRefusals { suspect, count: 1, provider: "custom" } = alert else {
            panic!("{alert:?}");
        };
        assert_eq!((suspect, alert.as_str()), (&expected, "many_invalid_signatures"));
    }
    assert_eq!(alerts.len(), 2);
}

#[tokio::test]
async fn throttled_observer_limits_and_counts_rejections() {
    let seen = Seen::default();
    let sampled = Arc::new(Throttled::new(seen.clone(), 5));
    let shared = Arc::clone(&sampled);
    let world = world!(move |event: &Event<'_>| {
        tower_webhook::observe::Observer::observe(&*shared, event);
    });
    for _ in 0..1000 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    let lines = seen.take();
    assert_eq!(lines.len(), 5);
    assert_eq!(sampled.suppressed(), 995);
    // Genuine ones are never kept back.
    for _ in 0..10 {
        world.sends("192.0.2.1", "a", GENUINE).await;
    }
    assert_eq!(seen.take().len(), 20);
    world.passes(Duration::from_secs(60));
    world.sends("192.0.2.1", "a", FORGED).await;
    let lines = seen.take();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("webhook_events_suppressed") && lines[1].contains("mismatch"));
    for _ in 0..4 {
        world.sends("192.0.2.1", "a", FORGED).await;
    }
    assert_eq!((seen.take().len(), sampled.suppressed()), (4, 995));
    // A clock that is set back opens a new window.
    *world.now.lock().unwrap() -= HOUR;
    world.sends("192.0.2.1", "a", FORGED).await;
    assert_eq!(seen.take().len(), 1);
    // Whoever ends requests in the other order than they began turns no clock back.
    let mut service = world.layer.layer(service_fn(async |_: Request<BufferedBody>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(service.call(Request::post("/a").body(Script::data(["x"])).unwrap()));
        world.passes(Duration::from_millis(1));
    }
    world.passes(Duration::from_secs(60));
    world.sends("192.0.2.1", "a", FORGED).await;
    for future in slow.into_iter().rev() {
        future.await.unwrap();
    }
    assert_eq!((seen.take().len(), sampled.suppressed()), (5, 995 + 16));
}

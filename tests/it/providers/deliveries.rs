//! What is genuine is accepted whenever, however large and however often its vendor sends it.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, PublicUrl, Rejection, RejectionKind, Secret, SignatureLayer, Verifier,
    layer::{Requires, Source},
    observe::{EventKind, Observer},
    providers::{
        self, BasicAuth, DeliveryPolicy, GitLab, Linear, Mailgun, Meta, Provider, Shopify, Twilio,
        WebexContactCenter, Wsapi,
    },
    replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer},
    sign::{Sign, signed},
    verifier::{VerifierDefaults, all_of, any_of},
};

use crate::{
    providers::conformance::{KEY, NOW, Trial, declared_verifier, verifier},
    support::{AtTime, Script, at, send, verify},
};

/// With a time wherever a provider looks for one.
const BODY: &str = r#"{"id":"evt_1","webhookTimestamp":1700000000000,
    "comciscotimestamp":"1700000000000","receivedAt":"2023-11-14T22:13:20Z"}"#;

/// A genuine delivery of each provider that signs a time.
fn timed() -> Vec<(Provider, Request<Bytes>)> {
    let timed = Trial::all().into_iter().filter(|trial| trial.provider.tolerance().is_some());
    let deliveries = timed.map(|trial| {
        let key = || Secret::from_bytes(KEY).unwrap();
        let request = match trial.provider.name() {
            "wsapi" => in_body(&Wsapi::new(key()).unwrap()),
            "webex_contact_center" => in_body(&WebexContactCenter::new(key()).unwrap()),
            _ => Request::from_parts(trial.head, trial.body),
        };
        (trial.provider, request)
    });
    deliveries.collect()
}

fn in_body(signer: &impl Sign) -> Request<Bytes> {
    let request = Request::post("/hook").body(Bytes::from(BODY)).unwrap();
    signed(signer, request, at(NOW)()).unwrap()
}

/// Whether a retry may carry the first attempt's time.
fn may_repeat(policy: &DeliveryPolicy) -> bool {
    let has_window = policy.sources().any(|(fact, _)| fact == "tolerance");
    match policy.is_signed_anew() {
        Some(is) => !is,
        None => !has_window,
    }
}

#[test]
fn documented_retry_of_the_same_bytes_is_accepted() {
    let mut repeated = 0;
    for (provider, request) in timed() {
        let (head, body) = request.into_parts();
        let (name, policy) = (provider.name(), provider.delivery_policy());
        let after = |seconds: u64| {
            let verified = verify(&verifier(provider, KEY, NOW + seconds), &head, &body);
            verified.map(|verified| verified.valid_for()).map_err(|why| why.kind())
        };
        let past = policy.tolerance().past().as_secs();
        assert_eq!(after(0), Ok(Some(Duration::from_secs(past))), "{name}");
        assert_eq!(after(past), Ok(Some(Duration::ZERO)), "{name}");
        // Milliseconds are compared as such.
        let stale = after(past + 1);
        assert_eq!(stale, Err(RejectionKind::TimestampStale), "{name}");
        let ahead = |seconds| {
            verify(&verifier(provider, KEY, NOW - seconds), &head, &body).map_err(|why| why.kind())
        };
        assert!(ahead(300).is_ok(), "{name}");
        assert_eq!(ahead(301).unwrap_err(), RejectionKind::TimestampInFuture, "{name}");

        if !may_repeat(policy) {
            continue;
        }
        repeated += 1;
        let week = 7 * 24 * 3600;
        let last = policy.retry_schedule().map_or(24 * 3600, |schedule| schedule.as_secs());
        for attempt in [62, 300, last / 2, last, (last + last / 10).min(week)] {
            let is_retry = attempt <= last.max(300);
            assert!(!is_retry || after(attempt).is_ok(), "{name}: after {attempt} s");
        }
    }
    assert!(repeated > 20, "{repeated}");
}

/// The schedule of Linear's documentation: one minute, one hour, six hours.
#[test]
fn linears_retries_are_accepted() {
    let key = || Secret::from_bytes(KEY).unwrap();
    let (head, body) = in_body(&Linear::new(key()).unwrap()).into_parts();
    for after in [0, 62, 62 + 3600, 62 + 7 * 3600] {
        let linear = Linear::new(key()).unwrap().clock(at(NOW + after));
        assert!(verify(&linear, &head, &body).is_ok(), "{after}");
    }
}

/// Mailgun's schedule: after 5, 10 and 15 minutes, 1, 2 and 4 hours.
#[test]
fn mailguns_retries_are_accepted_only_on_request() {
    let key = || Secret::from_bytes(KEY).unwrap();
    let mailgun = |now| Mailgun::new(key()).unwrap().clock(at(now));
    let request = signed(&mailgun(NOW), of_mailgun(), at(NOW)()).unwrap();
    let (head, body) = request.into_parts();
    let minutes = [5, 10, 15, 60, 120, 240];
    let mut age = 0;
    let first = verify(&mailgun(NOW), &head, &body).unwrap();
    assert!(first.has_unique_replay_key(), "a replay guard lets it through once");
    for wait in minutes {
        age += wait * 60;
        // The request took two seconds to fail.
        let now = NOW + age + 2;
        let retry = verify(&mailgun(now).map(Mailgun::accept_retries), &head, &body).unwrap();
        assert_eq!(retry.replay_key(), first.replay_key(), "{age}");
        let refused = verify(&mailgun(now), &head, &body).unwrap_err();
        let kind = RejectionKind::TimestampStale;
        assert_eq!((refused.kind(), refused.status()), (kind, StatusCode::FORBIDDEN), "{age}");
    }
    let schedule = Duration::from_secs(8 * 3600);
    let policy = providers::by_name("mailgun").unwrap().delivery_policy();
    assert_eq!((policy.retry_schedule(), policy.retries_refused()), (Some(schedule), Some(true)));
    let late = mailgun(NOW + 8 * 3600 * 11 / 10 + 1).map(Mailgun::accept_retries);
    let refused = verify(&late, &head, &body).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::TimestampStale);
}

fn of_mailgun() -> Request<Bytes> {
    let request = Request::post("/").header("content-type", "application/json");
    request.body(Bytes::from_static(b"{}")).unwrap()
}

/// Told once by a guard that nothing bounds.
#[derive(Clone, Default)]
struct Unbounded(Arc<AtomicU64>);

impl Observer for Unbounded {
    fn observe(&self, event: &tower_webhook::observe::Event<'_>) {
        if matches!(event.kind(), EventKind::RetentionUnbounded) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// For as long as a verifier accepts the same bytes the guard knows them, and no longer than it must.
#[tokio::test]
async fn replay_guard_remembers_as_long_as_the_tolerance() {
    for (provider, request) in timed() {
        let (name, past) = (provider.name(), provider.tolerance().unwrap().past().as_secs());
        let now = Arc::new(AtomicU64::new(NOW));
        let clock = {
            let now = Arc::clone(&now);
            move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::Relaxed))
        };
        let credentials = verifier_at_time(provider, clock.clone());
        let unbounded = Unbounded::default();
        let store = MemoryReplayStore::new(16).clock(clock);
        let guard = ReplayLayer::new("/hook", store.clone()).guard_body_only(told(provider));
        let inner = service_fn(async |_: Request<BufferedBody>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let service =
            SignatureLayer::new(credentials).observer(unbounded.clone()).layer(guard.layer(inner));
        let send = async || {
            let request = request.clone().map(Full::new);
            let response = service.clone().oneshot(request).await.unwrap();
            let answered = response.extensions().get::<ReplayAnswer>().copied();
            (response.status(), answered)
        };
        assert_eq!(send().await, (StatusCode::OK, None), "{name}");
        for after in [1, past / 2, past] {
            now.store(NOW + after, Ordering::Relaxed);
            let duplicate = (StatusCode::OK, Some(ReplayAnswer::Duplicate));
            assert_eq!(send().await, duplicate, "{name}: after {after} s");
        }
        now.store(NOW + past + 1, Ordering::Relaxed);
        assert_eq!(send().await.0, provider.delivery_policy().status(), "{name}");
        assert_eq!(unbounded.0.load(Ordering::Relaxed), 0, "{name}: the guard knows a bound");
        assert_eq!(store.len(), 1, "{name}");
    }
}

/// Klaviyo's signed time can be hours off, so nothing bounds for how long its deliveries are accepted,
/// and the guard says so.
#[tokio::test]
async fn klaviyos_guard_says_that_nothing_bounds_it() {
    let klaviyo = providers::by_name("klaviyo").unwrap();
    let trial = Trial::all().into_iter().find(|trial| trial.name == "klaviyo").unwrap();
    assert!(klaviyo.tolerance().is_none());
    for (by_body, expected) in [(false, "Unguardable"), (true, "RetentionUnbounded")] {
        let said = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&said);
        let observer = move |event: &tower_webhook::observe::Event<'_>| {
            seen.lock().unwrap().push(format!("{:?}", event.kind()));
        };
        let mut guard = ReplayLayer::new("/hook", MemoryReplayStore::new(16));
        if by_body {
            guard = guard.guard_body_only("klaviyo");
        }
        let inner = service_fn(async |_: Request<BufferedBody>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let layer = SignatureLayer::new(trial.own.clone()).observer(observer);
        let request = Request::from_parts(trial.head.clone(), Full::new(trial.body.clone()));
        let Ok(response) = layer.layer(guard.layer(inner)).oneshot(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(said.lock().unwrap().contains(&expected.to_owned()), "{:?}", said.lock().unwrap());
    }
}

fn told(provider: Provider) -> &'static str {
    provider.delivery_policy().name()
}

fn verifier_at_time(
    provider: Provider,
    clock: impl Fn() -> std::time::SystemTime + Send + Sync + 'static,
) -> providers::BoxVerifier {
    crate::providers::conformance::verifier_by(provider, KEY, clock)
}

/// A genuine request with a body so long.
fn of_len(trial: &Trial, len: usize) -> Request<Bytes> {
    let body = Bytes::from(format!("\"{}\"", "x".repeat(len - 2)));
    if !trial.covers_body() {
        return Request::from_parts(trial.head.clone(), body);
    }
    let request = Request::post("/hook").body(body).unwrap();
    let key = Secret::from_bytes(KEY).unwrap();
    let time = at(NOW)();
    match (trial.provider.scheme(), trial.provider.name()) {
        (Some(scheme), _) => signed(&declared_verifier(scheme, KEY), request, time).unwrap(),
        (None, "gitlab_signed") => signed(&GitLab::signed(key).unwrap(), request, time).unwrap(),
        (None, "meta") => signed(&Meta::new(key).unwrap(), request, time).unwrap(),
        #[cfg(feature = "asymmetric")]
        (None, "sendgrid") => {
            use tower_webhook::sign::{PrivateKey, Signing, signed};
            let keys = crate::crypto::private_keys::Keys::of("ecdsa");
            let key = PrivateKey::from_pem(&keys.private).unwrap();
            let sendgrid = providers::SendGrid::new(key.public_key().unwrap()).unwrap();
            signed(&sendgrid, request, Signing::at(time).private_key(&key)).unwrap()
        }
        (None, name) => panic!("{name} has no signer here"),
    }
}

/// A body of the documented maximum passes, and one byte more than the limit does not.
#[tokio::test]
async fn a_body_of_the_documented_maximum_passes() {
    let mut documented = 0;
    for trial in Trial::all() {
        let policy = trial.provider.delivery_policy();
        let layer = SignatureLayer::new(trial.own.clone());
        let limit = policy.body_limit();
        let inner = limit + 1;
        let head = Request::from_parts(trial.head.clone(), ()).into_parts().0;
        let long = Script::untouchable().declared(inner as u64);
        let (response, _) = send(&layer, Request::from_parts(head, long)).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{}", trial.name);
        let Some(max) = policy.max_body() else {
            assert_eq!(limit, VerifierDefaults::DEFAULT.body_limit(), "{}", trial.name);
            continue;
        };
        documented += 1;
        let genuine = of_len(&trial, max);
        let (response, inner) = send(&layer, genuine.map(|body| Script::data([body]))).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", trial.name);
        assert_eq!(inner.only_call().body.bytes().len(), max, "{}", trial.name);
    }
    assert!(documented >= 8, "{documented}");
}

/// None of the statuses that end a sender's retries for good, and none that counts against the server,
/// for what a request holds or lacks.
#[tokio::test]
async fn rejection_status_never_ends_a_senders_retries() {
    for trial in Trial::all() {
        let (name, status) = (&trial.name, trial.provider.delivery_policy().status());
        let layer = SignatureLayer::new(trial.own.clone());
        let refused = async |request: Request<Script>| {
            let (response, _) = send(&layer, request).await;
            let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
            (response.status(), kind)
        };
        let body = || Script::data([trial.body.clone()]);
        let bare = Request::post("/hook").body(body()).unwrap();
        let (found, kind) = refused(bare).await;
        assert_eq!(found, status, "{name}: {kind:?}");
        for header in trial.head.headers.keys() {
            let spoil = |value: Option<&str>| {
                let mut head = trial.head.clone();
                head.headers.remove(header);
                if let Some(value) = value {
                    head.headers.insert(header, value.parse().unwrap());
                }
                Request::from_parts(head, body())
            };
            for value in [None, Some(""), Some("0"), Some("x"), Some("9999999999")] {
                let (found, kind) = refused(spoil(value)).await;
                assert_eq!(found, status, "{name}: {header} {value:?} {kind:?}");
            }
        }
        assert!(![406, 410].contains(&status.as_u16()), "{name}");
        assert!(!status.is_server_error(), "{name}");
    }
}

/// Shopify's own test of an app demands it: by type, by name, by a look-up.
#[tokio::test]
async fn shopifys_test_gets_its_401() {
    let key = || Secret::from_bytes(KEY).unwrap();
    let by_name = providers::by_name("shopify").unwrap().verifier(key()).unwrap();
    let looked_up = SignatureLayer::by_head(move |_| ready(Ok(Shopify::new(key()).unwrap())));
    // One status for all that it refuses, whether somebody is found or not.
    let looked_up = looked_up.defaults(Shopify::DEFAULTS);
    let request = || {
        let tag = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let request = Request::post("/webhooks/shop/redact").header("x-shopify-hmac-sha256", tag);
        request.body(Script::data(["{}"])).unwrap()
    };
    for (name, (response, inner)) in [
        ("type", send(&SignatureLayer::new(Shopify::new(key()).unwrap()), request()).await),
        ("name", send(&SignatureLayer::new(by_name), request()).await),
        ("look-up", send(&looked_up, request()).await),
    ] {
        assert_eq!((response.status(), inner.count()), (StatusCode::UNAUTHORIZED, 0), "{name}");
        // It signs: there are no credentials to ask for.
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE), "{name}");
    }
}

fn twilio() -> Twilio {
    let url = PublicUrl::base("https://hooks.example").unwrap();
    Twilio::new(Secret::from_bytes(KEY).unwrap(), url).unwrap()
}

fn basic() -> BasicAuth {
    BasicAuth::new("user", Secret::from_bytes(KEY).unwrap()).unwrap()
}

/// Senders that take a name and a password from the URL show them only in answer to this (RFC 9110,
/// 15.5.2): whatever the verifier is part of, and whoever makes the answer.
#[tokio::test]
async fn each_401_for_basic_credentials_asks_for_them() {
    async fn asked(
        name: &str,
        layer: SignatureLayer<impl Source + Clone>,
        headers: &[(&str, &str)],
    ) {
        let mut request = Request::post("/sms");
        for (header, value) in headers {
            request = request.header(*header, *value);
        }
        let request = request.body(Script::data(["a=b"])).unwrap();
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::UNAUTHORIZED, 0), "{name}");
        let asked: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(asked, ["Basic realm=\"webhooks\""], "{name}");
    }
    for headers in [
        &[][..],
        &[("authorization", "Basic eDp5")],
        &[("authorization", "Bearer x")],
        &[("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
    ] {
        asked("alone", SignatureLayer::new(basic()), headers).await;
        asked("all of, first", SignatureLayer::new(all_of(basic(), twilio())), headers).await;
        asked("all of, second", SignatureLayer::new(all_of(twilio(), basic())), headers).await;
        asked("any of, first", SignatureLayer::new(any_of(basic(), twilio())), headers).await;
        asked("any of, second", SignatureLayer::new(any_of(twilio(), basic())), headers).await;
        asked("of a tenant", SignatureLayer::new(basic().for_tenant("anna")), headers).await;
        let found = SignatureLayer::by_head(|_| ready(Ok(all_of(twilio(), basic()))));
        let found = found.defaults(all_of(twilio(), basic()).defaults());
        asked("look-up", found, headers).await;
        let found = SignatureLayer::by_body(Requires::nothing(), |_, _| ready(Ok(basic())))
            .defaults(BasicAuth::DEFAULTS);
        asked("look-up by the body", found, headers).await;
        let own = SignatureLayer::new(basic()).rejection_response(|rejection| {
            let mut response = Response::new(Bytes::from_static(b"no"));
            *response.status_mut() = rejection.status();
            response
        });
        asked("an answer of one's own", own, headers).await;
    }
    for name in
        ["basic_auth", "brevo", "chargebee", "mailjet", "postmark", "sparkpost", "vmware_workspace"]
    {
        let verifier = verifier(providers::by_name(name).unwrap(), KEY, NOW);
        let layer = SignatureLayer::new(verifier).rejection_status(StatusCode::UNAUTHORIZED);
        asked(name, layer, &[]).await;
    }
    // A verifier with a 403 of its own takes no 401 from another.
    let postmark = || verifier(providers::by_name("postmark").unwrap(), KEY, NOW);
    let shopify = || Shopify::new(Secret::from_bytes(KEY).unwrap()).unwrap();
    asked("403 first", SignatureLayer::new(any_of(postmark(), basic())), &[]).await;
    asked("403 first, all of", SignatureLayer::new(all_of(postmark(), basic())), &[]).await;
    asked("401 first", SignatureLayer::new(any_of(shopify(), postmark())), &[]).await;
    asked("401 first, all of", SignatureLayer::new(all_of(shopify(), postmark())), &[]).await;

    // A look-up without a defaults: once one was found, whether an id is known makes no difference.
    let found = SignatureLayer::by_head(|head| {
        let is_known = head.headers.contains_key("x-known");
        ready(if is_known { Ok(basic()) } else { Err(Rejection::unknown_tenant()) })
    });
    let layer = found.rejection_status(StatusCode::UNAUTHORIZED);
    for headers in [&[("x-known", "1")][..], &[], &[("x-known", "1"), ("authorization", "x")]] {
        asked("look-up without a defaults", layer.clone(), headers).await;
    }

    let none = SignatureLayer::new(twilio()).rejection_status(StatusCode::UNAUTHORIZED);
    let request = Request::post("/sms").body(Script::untouchable()).unwrap();
    let (response, _) = send(&none, request).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE), "a signature is no credential");
}

//! Explanations in a layer: which rejections are explained, and what observers get.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, SystemTime},
};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, request::Parts};
use http_body_util::Full;
use tower_webhook::{
    Context, Outcome, Rejection, SignatureLayer, Verified, Verifier,
    explain::{Cause, Effort, Explainer, Explanation, Probe, Strength},
    layer::{Requires, Source},
    observe::{Alert, Alerts, ClientIp, Event, EventKind},
    providers::{BasicAuth, GitHub, Meta, SharedToken, Stripe},
    verifier::{VerifierDefaults, verifier_fn},
};

use crate::{
    net,
    observe::tracing::Lines,
    support::{self, Script, at, hmac_sha256, poll, run, secret, send},
};

const SECRET: &str = support::SECRET;
const NOW: u64 = 1_700_000_000;

/// Text that the provider signed, and the one that arrives.
const SIGNED: &str = r#"{"id": "1", "text": "a"}"#;
const BODY: &str = r#"{"id":"1","text":"a"}"#;

/// An explanation that an observer got.
struct Told {
    explanation: Explanation,
    tenant: Option<String>,
    is_last: bool,
}

type Tolds = Receiver<Told>;

fn github() -> GitHub {
    GitHub::new(secret()).unwrap()
}

/// No test depends on speed.
fn patient() -> Explainer {
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort).per_minute(1_000)
}

/// Adds an observer that passes the explanations on.
fn told<M>(layer: SignatureLayer<M>) -> (SignatureLayer<M>, Tolds) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let layer = layer.explainer(patient()).observer(move |event: &Event<'_>| {
        if event.kind() == EventKind::Explained {
            assert_eq!(event.name(), "webhook_explained");
            let explanation = event.explanation().unwrap().clone();
            let tenant = event.tenant().map(str::to_owned);
            let told = Told { explanation, tenant, is_last: event.is_last() };
            sender.lock().unwrap().send(told).unwrap();
        }
    });
    (layer, receiver)
}

fn next(tolds: &Tolds) -> Told {
    tolds.recv_timeout(Duration::from_secs(60)).expect("an explanation")
}

/// Returns the first finding.
fn first(tolds: &Tolds) -> (Cause, Strength) {
    let told = next(tolds);
    let finding = told.explanation.first().unwrap_or_else(|| panic!("{}", told.explanation));
    (finding.cause(), finding.strength())
}

/// A request as GitHub signs it: this text is signed, and this body arrives.
fn request<B>(signed: &str, body: B) -> Request<B> {
    let signature = format!("sha256={}", hmac_sha256(SECRET, signed.as_bytes()));
    Request::post("/hooks/7").header("x-hub-signature-256", signature).body(body).unwrap()
}

fn rewritten() -> Request<Script> {
    request(SIGNED, Script::data([BODY]))
}

fn stripe(age: u64, body: Script) -> Request<Script> {
    let time = NOW - age;
    let tag = hmac_sha256(SECRET, format!("{time}.{SIGNED}").as_bytes());
    let value = format!("t={time},v1={tag}");
    Request::post("/").header("stripe-signature", value).body(body).unwrap()
}

async fn reject<M>(layer: &SignatureLayer<M>, request: Request<Script>)
where
    M: Source + Clone,
{
    let (response, inner) = send(layer, request).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
}

/// The quick start of the README: no setting but the feature.
#[tokio::test]
async fn the_first_rejection_is_followed_by_its_cause() {
    let lines = Lines::default();
    let guard = lines.subscribe();
    let (sender, explained) = channel();
    let sender = Mutex::new(sender);
    let layer = SignatureLayer::new(github()).observer(move |event: &Event<'_>| {
        if event.kind() == EventKind::Explained {
            sender.lock().unwrap().send(event.elapsed()).unwrap();
        }
    });
    let app = Router::new().route("/hooks/{id}", post(async || "handled").layer(layer));
    let address = net::serve_axum(app).await;
    let mut request = request(SIGNED, Full::<Bytes>::from(BODY));
    request.headers_mut().insert("x-request-id", "r-1".parse().unwrap());
    assert_eq!(net::send(address, request).await.status(), StatusCode::FORBIDDEN);
    explained.recv_timeout(Duration::from_secs(60)).unwrap();
    drop(guard);
    let lines = lines.all();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["event_type"], "invalid_webhook_signature");
    for (field, expected) in [
        ("level", "WARN"),
        ("target", "tower_webhook::security"),
        ("message", "webhook rejection explained"),
        ("event_type", "webhook_explained"),
        ("provider", "github"),
        ("url", "/hooks/7"),
        ("request_id", "r-1"),
        ("reason", "signature_mismatch"),
        ("cause", "json_rewritten"),
        ("strength", "proven"),
        ("fix", "make the proxy, tunnel or layer above forward the bytes unchanged"),
        ("guide", "troubleshooting#json_rewritten"),
    ] {
        assert_eq!(lines[1][field], expected, "{field}");
    }
    let finding = lines[1]["finding"].as_str().unwrap();
    assert!(finding.starts_with("a component above the layer parsed the JSON"), "{finding}");
}

#[tokio::test]
async fn a_line_about_the_cause_is_in_the_span_of_its_request() {
    let lines = Lines::default();
    let guard = lines.subscribe();
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let span = tracing::info_span!("request", trace = "abc");
    let request = {
        let _entered = span.enter();
        run(&layer, rewritten())
    };
    let mut request = request;
    while span.in_scope(|| poll(&mut request)).is_pending() {}
    next(&tolds);
    drop(guard);
    let lines = lines.all();
    assert_eq!(lines[1]["span"]["trace"], "abc", "{lines:?}");
}

#[tokio::test]
async fn a_rejection_by_the_head_is_explained_with_the_drained_body() {
    let (layer, tolds) = told(SignatureLayer::new(Stripe::new(secret()).unwrap()).clock(at(NOW)));
    let (start, end) = SIGNED.split_at(5);
    reject(&layer, stripe(1_000, Script::data([start, end]))).await;
    let explanation = next(&tolds).explanation;
    assert_eq!(explanation.proven(), Some(Cause::TimeOutsideTolerance), "{explanation}");
    assert!(explanation.to_string().contains("1000 seconds ago"), "{explanation}");
    // The same without the sender's secret.
    reject(&layer, stripe(1_000, Script::data(["other"]))).await;
    assert_eq!(first(&tolds), (Cause::TimeOutsideTolerance, Strength::Clue));
    // A header that a gateway renamed.
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let mut renamed = request(SIGNED, Script::data([SIGNED]));
    let value = renamed.headers_mut().remove("x-hub-signature-256").unwrap();
    renamed.headers_mut().insert("x-original-x-hub-signature-256", value);
    reject(&layer, renamed).await;
    assert_eq!(first(&tolds), (Cause::HeaderRenamed, Strength::Proven));
}

#[tokio::test]
async fn verifiers_that_were_looked_up_explain_their_rejections() {
    let meta = || async { Ok(Meta::new(secret()).unwrap().for_tenant("7")) };
    let (layer, tolds) = told(SignatureLayer::by_head(move |_: &Parts| meta()));
    reject(&layer, rewritten()).await;
    let explained = next(&tolds);
    assert_eq!(explained.explanation.proven(), Some(Cause::JsonRewritten));
    assert_eq!((explained.tenant.as_deref(), explained.is_last), (Some("7"), false));
    let (layer, tolds) =
        told(SignatureLayer::by_body(Requires::nothing(), move |_: &Parts, _: &Bytes| meta()));
    reject(&layer, rewritten()).await;
    assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven));
    // No verifier: no tenant, and a header that the lookup requires.
    for (id, form) in [
        ("a/", "has a slash"),
        ("a%20", "is percent-encoded"),
        ("a%", ""),
        (" a", "white space surrounds the ID that was looked up"),
        ("Alice", "has capital letters"),
        ("alice", ""),
    ] {
        let header = HeaderName::from_static("x-hub-signature-256");
        let unknown = move |_: &Parts, _: &Bytes| async move {
            Err::<Meta, _>(Rejection::unknown_tenant().with_tenant(id))
        };
        let (layer, tolds) = told(SignatureLayer::by_body(Requires::header(header), unknown));
        reject(&layer, rewritten()).await;
        let explanation = next(&tolds).explanation;
        let finding = explanation.first().unwrap();
        assert_eq!((finding.cause(), finding.strength()), (Cause::UnknownTenant, Strength::Clue));
        assert!(finding.detail().ends_with(form), "{finding}");
        assert_eq!(finding.detail().is_empty(), form.is_empty(), "{finding}");
    }
    let header = HeaderName::from_static("x-hub-signature-256");
    let never = |_: &Parts, _: &Bytes| async {
        Err::<Meta, _>(Rejection::unavailable("no signature, no lookup"))
    };
    let (layer, tolds) = told(SignatureLayer::by_body(Requires::header(header), never));
    let mut unsigned = rewritten();
    unsigned.headers_mut().clear();
    reject(&layer, unsigned).await;
    assert_eq!(first(&tolds), (Cause::HeaderMissing, Strength::Clue));
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn tenants_are_explained_and_the_decoy_only_named() {
    use crate::tenants::lookup::{Store, by_path, request};

    let (layer, tolds) = told(by_path(&Store::new().meta().build().unwrap()));
    reject(&layer, request("A", "secret of tenant A", Script::data(["hello\n"]))).await;
    let explained = next(&tolds);
    assert_eq!(explained.explanation.proven(), Some(Cause::FinalNewline));
    assert_eq!(explained.tenant.as_deref(), Some("A"));
    for (id, form) in [
        ("a", ""),
        ("ALICE", "capital letters"),
        ("A/", "malformed one"),
        ("A%20", "malformed one"),
        ("", "malformed one"),
    ] {
        reject(&layer, request(id, "secret of tenant A", Script::data(["hello\n"]))).await;
        let explained = next(&tolds);
        let finding = explained.explanation.first().unwrap();
        assert_eq!((finding.cause(), explained.tenant), (Cause::UnknownTenant, None), "{id}");
        assert!(finding.detail().ends_with(form), "{finding}");
        assert_eq!(explained.explanation.findings().len(), 1, "{id}");
    }
}

#[tokio::test]
async fn unverified_requests_are_explained_too() {
    let (layer, tolds) = told(SignatureLayer::new(github()).dangerously_report_only());
    let (response, inner) = send(&layer, rewritten()).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven));
    let stripe_layer = SignatureLayer::new(Stripe::new(secret()).unwrap()).clock(at(NOW));
    let (layer, tolds) = told(stripe_layer.dangerously_report_only());
    let (response, inner) = send(&layer, stripe(1_000, Script::data([SIGNED]))).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    assert_eq!(first(&tolds), (Cause::TimeOutsideTolerance, Strength::Proven));
}

/// Each is followed by one that is explained, and explanations keep their order.
#[tokio::test]
async fn other_requests_are_not_explained() {
    let (layer, tolds) =
        told(SignatureLayer::new(Meta::new(secret()).unwrap()).body_limit(2 << 20));
    let signed = |body: Script| request(SIGNED, body);
    let mut probe = signed(Script::data([""]));
    *probe.method_mut() = Method::GET;
    probe.headers_mut().clear();
    let mut challenge = probe_of("/?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1");
    *challenge.method_mut() = Method::GET;
    let mut waits = signed(Script::untouchable());
    waits.headers_mut().clear();
    waits.headers_mut().insert("expect", "100-continue".parse().unwrap());
    let long = vec![b'x'; (1 << 20) + 1];
    let mut cut = signed(Script::new([support::Event::Error("reset".into())]));
    cut.headers_mut().clear();
    let mut long_unsigned = signed(Script::data([long.clone()]));
    long_unsigned.headers_mut().clear();
    for (name, request) in [
        ("accepted", request(BODY, Script::data([BODY]))),
        ("a browser", probe),
        ("a challenge", challenge),
        ("a sender that waits", waits),
        ("too long to explain", signed(Script::data([long]))),
        ("too long to explain, by its head", long_unsigned),
        ("too long", signed(Script::data([vec![b'x'; (2 << 20) + 1]]))),
        ("cut off", cut),
    ] {
        send(&layer, request).await;
        reject(&layer, rewritten()).await;
        assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven), "{name}");
    }
    // A sender that goes before its body has been drained.
    let mut stalled = signed(Script::new([support::Event::Stall]));
    stalled.headers_mut().clear();
    let mut running = run(&layer, stalled);
    assert!(poll(&mut running).is_pending());
    drop(running);
    reject(&layer, rewritten()).await;
    assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven));
    assert!(tolds.try_recv().is_err());
}

fn probe_of(url: &str) -> Request<Script> {
    Request::get(url).body(Script::data([""])).unwrap()
}

#[tokio::test]
async fn layers_without_explanations_explain_nothing() {
    let (layer, tolds) = told(SignatureLayer::new(github()));
    reject(&layer.clone().without_explanations(), rewritten()).await;
    reject(&layer, request("other", Script::data([BODY]))).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
}

#[tokio::test]
async fn other_verifiers_of_the_layer_are_tried() {
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let test_mode = GitHub::new("the secret of test mode").unwrap();
    let layer = layer.explainer(patient().also("test mode", test_mode));
    let tag = hmac_sha256("the secret of test mode", BODY.as_bytes());
    let mut other = request(BODY, Script::data([BODY]));
    other.headers_mut().insert("x-hub-signature-256", format!("sha256={tag}").parse().unwrap());
    reject(&layer, other).await;
    let explanation = next(&tolds).explanation;
    assert_eq!(explanation.proven(), Some(Cause::SecretOfAnother));
    assert!(explanation.first().unwrap().is_for_operator());
    assert!(explanation.to_string().contains("test mode"), "{explanation}");
}

/// GitHub's header by this key.
fn by(key: &str) -> Request<Script> {
    let mut request = request(BODY, Script::data([BODY]));
    let value = format!("sha256={}", hmac_sha256(key, BODY.as_bytes()));
    request.headers_mut().insert("x-hub-signature-256", value.parse().unwrap());
    request
}

/// The endpoints of one server, with their secrets exchanged.
#[tokio::test]
async fn secrets_of_other_layers_are_tried() {
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let other = SignatureLayer::new(GitHub::new("secret of a layer that is there").unwrap());
    reject(&layer, by("secret of a layer that is there")).await;
    let explanation = next(&tolds).explanation;
    assert_eq!(explanation.proven(), Some(Cause::SecretOfAnother), "{explanation}");
    assert!(explanation.first().unwrap().is_for_operator());
    assert!(explanation.to_string().contains("another layer, of github"), "{explanation}");
    assert_eq!(explanation.for_tenant().findings(), []);
    // A layer that is gone takes its secret with it.
    drop(other);
    reject(&layer, by("secret of a layer that is there")).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
    // Verifiers that compare nothing, or panic, prove nothing.
    let accepts = verifier_fn(|_, _| Ok(Verified::new("anything")));
    let panics = verifier_fn(|_, _| panic!("the verifier's"));
    let _layers = (SignatureLayer::new(accepts), SignatureLayer::new(panics));
    reject(&layer, by("secret of nobody")).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn secrets_of_other_tenants_are_tried() {
    use crate::tenants::lookup::{Store, by_path, request};

    let tenants = Store::new().meta().build().unwrap();
    let (layer, tolds) = told(by_path(&tenants));
    let swapped = || request("A", "secret of tenant B", Script::data(["hello"]));
    reject(&layer, swapped()).await;
    // B has not been looked up.
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
    send(&layer, request("B", "secret of tenant B", Script::data(["hello"]))).await;
    reject(&layer, swapped()).await;
    let explained = next(&tolds);
    assert_eq!(explained.tenant.as_deref(), Some("A"));
    let finding = explained.explanation.first().unwrap();
    assert_eq!((finding.cause(), finding.is_for_operator()), (Cause::SecretOfAnother, true));
    assert!(finding.detail().contains("tenant \"B\""), "{finding}");
    tenants.forget("B");
    reject(&layer, swapped()).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
}

#[tokio::test]
async fn a_flood_leaves_room_for_the_first_genuine_failure() {
    let (layer, tolds) = told(SignatureLayer::new(github()).clock(at(NOW)));
    let layer = layer
        .explainer(patient().per_minute(6))
        .client_ip(ClientIp::new(|head| head.extensions.get::<IpAddr>().copied()));
    let from = |network: [u8; 4], mut request: Request<Script>| {
        request.extensions_mut().insert(IpAddr::from(network));
        request
    };
    let genuine = [192, 0, 2, 7];
    send(&layer, from(genuine, request(BODY, Script::data([BODY])))).await;
    for number in 0..10_000_u32 {
        let [_, _, a, b] = number.to_be_bytes();
        reject(&layer, from([10, a, b, 1], request("forged", Script::data([BODY])))).await;
    }
    reject(&layer, from(genuine, rewritten())).await;
    let causes: Vec<_> = std::iter::from_fn(|| Some(first(&tolds).0)).take(5).collect();
    assert_eq!(causes, [[Cause::NothingMatches; 4].as_slice(), &[Cause::JsonRewritten]].concat());
    assert!(tolds.try_recv().is_err());
}

#[tokio::test]
async fn a_secret_url_is_in_no_explanation() {
    let (layer, tolds) = told(SignatureLayer::new(SharedToken::in_path(secret()).unwrap()));
    let request = Request::post(format!("/hook/{SECRET}%0A")).body(Script::data([BODY])).unwrap();
    reject(&layer, request).await;
    let text = format!("{:?}", next(&tolds).explanation);
    assert!(!text.contains(SECRET), "{text}");
    // The layer's setting hides the path of a signed URL.
    let twilio =
        tower_webhook::providers::Twilio::new(secret(), url("/hooks/path-canary")).unwrap();
    let defaults = VerifierDefaults::DEFAULT.with_secret_url();
    let (layer, tolds) = told(SignatureLayer::new(twilio).defaults(defaults));
    let signature = net::twilio_signature("https://shop.example/hooks/path-canary/", "");
    let request = Request::post("/hooks/path-canary")
        .header("x-twilio-signature", signature)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Script::data([""]))
        .unwrap();
    reject(&layer, request).await;
    let text = format!("{:?}", next(&tolds).explanation);
    assert!(text.contains("UrlTrailingSlash") && !text.contains("path-canary"), "{text}");
}

fn url(path: &str) -> tower_webhook::PublicUrl {
    tower_webhook::PublicUrl::fixed(&format!("https://shop.example{path}")).unwrap()
}

/// Verifier whose explanation panics.
#[derive(Clone)]
struct Panics(fn());

impl Verifier for Panics {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(&self, (): &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Err(Rejection::mismatch())
    }

    fn explain(&self, _: &mut Probe<'_>) {
        (self.0)();
    }
}

#[tokio::test]
async fn panics_end_one_explanation_alone() {
    let (layer, tolds) = told(SignatureLayer::new(Panics(|| panic!("the verifier's"))));
    reject(&layer, rewritten()).await;
    let panics = layer.clone().observer(|event: &Event<'_>| {
        assert_ne!(event.kind(), EventKind::Explained, "the observer's");
    });
    reject(&panics, rewritten()).await;
    let (layer, others) = told(SignatureLayer::new(github()));
    reject(&layer, rewritten()).await;
    assert_eq!(first(&others), (Cause::JsonRewritten, Strength::Proven));
    assert!(tolds.try_recv().is_err());
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's");
    }
}

#[tokio::test]
async fn a_panic_that_panics_leaves_the_thread() {
    let bombs = Panics(|| std::panic::panic_any(Bomb));
    reject(&told(SignatureLayer::new(bombs)).0, rewritten()).await;
    let (layer, tolds) = told(SignatureLayer::new(github()));
    reject(&layer, rewritten()).await;
    assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven));
}

/// A subscriber with a bug.
struct Buggy;

impl tracing::Subscriber for Buggy {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        panic!("the subscriber's");
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}

    fn current_span(&self) -> tracing_core::span::Current {
        panic!("the subscriber's");
    }
}

#[tokio::test]
async fn a_subscriber_that_panics_changes_no_response() {
    let _guard = tracing::subscriber::set_default(Buggy);
    reject(&SignatureLayer::new(github()), rewritten()).await;
}

/// An observer may spawn a task, and a value in the request may need the runtime when it is dropped.
#[tokio::test]
async fn explanations_run_in_the_runtime_of_the_request() {
    struct Value(Mutex<std::sync::mpsc::Sender<bool>>);

    impl Drop for Value {
        fn drop(&mut self) {
            let has_runtime = tokio::runtime::Handle::try_current().is_ok();
            self.0.lock().unwrap().send(has_runtime).unwrap();
        }
    }

    let (sender, runtimes) = channel();
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let of_observer = Mutex::new(sender.clone());
    let layer = layer.observer(move |event: &Event<'_>| {
        if event.kind() == EventKind::Explained {
            let has_runtime = tokio::runtime::Handle::try_current().is_ok();
            of_observer.lock().unwrap().send(has_runtime).unwrap();
        }
    });
    let mut request = rewritten();
    request.extensions_mut().insert(Arc::new(Value(Mutex::new(sender))));
    reject(&layer, request).await;
    next(&tolds);
    for _ in 0..2 {
        assert!(runtimes.recv_timeout(Duration::from_secs(60)).unwrap());
    }
}

/// Headers that a gateway adds to each request, or that any sender can send, say nothing about a signature.
#[tokio::test]
async fn tokens_beside_the_signature_prove_nothing() {
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let basic = BasicAuth::new("gateway", "password of the gateway").unwrap();
    let by_header = verifier_fn(|head, _| {
        let is_there = head.headers.contains_key("x-from-gateway");
        is_there.then(|| Verified::new("gateway")).ok_or(Rejection::mismatch())
    });
    let _layers = (SignatureLayer::new(basic), SignatureLayer::new(by_header));
    let mut request = by("secret of nobody");
    let token = "Basic Z2F0ZXdheTpwYXNzd29yZCBvZiB0aGUgZ2F0ZXdheQ==";
    request.headers_mut().insert("authorization", token.parse().unwrap());
    request.headers_mut().insert("x-from-gateway", "1".parse().unwrap());
    reject(&layer, request).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
}

/// Tenants of one store may have verifiers of different kinds.
#[cfg(feature = "tenants")]
#[tokio::test]
async fn a_token_of_another_tenant_proves_nothing() {
    use tower_webhook::{
        providers::BoxVerifier,
        tenants::{TenantId, Tenants},
    };

    let load = |id: TenantId| async move {
        Ok::<_, std::convert::Infallible>(Some(id.as_str() == "basic"))
    };
    let make = |is_basic: bool| {
        Ok(match is_basic {
            true => BoxVerifier::new(BasicAuth::new("gateway", "password of the gateway")?),
            false => BoxVerifier::new(github()),
        })
    };
    let id = |head: &Parts| head.uri.path().strip_prefix("/hooks/").map(str::to_owned);
    let tenants = Tenants::builder_with_decoy(false, load, make).build().unwrap();
    let (layer, tolds) = told(SignatureLayer::new(tenants.by_head(id)));
    let with_token = |path: &str| {
        let mut request = by("secret of nobody");
        *request.uri_mut() = path.parse().unwrap();
        let token = "Basic Z2F0ZXdheTpwYXNzd29yZCBvZiB0aGUgZ2F0ZXdheQ==";
        request.headers_mut().insert("authorization", token.parse().unwrap());
        request
    };
    // Its token is right, so it is in the cache now.
    assert_eq!(send(&layer, with_token("/hooks/basic")).await.0.status(), StatusCode::OK);
    reject(&layer, with_token("/hooks/github")).await;
    assert_eq!(first(&tolds), (Cause::NothingMatches, Strength::Clue));
}

/// A body that is too long to be explained takes no place, whether its length is declared or not.
#[tokio::test]
async fn long_bodies_take_no_places() {
    let (layer, tolds) = told(SignatureLayer::new(github()));
    let layer = layer.explainer(patient().per_minute(1)).clock(at(NOW));
    let long = || vec![b'x'; (1 << 20) + 1];
    reject(&layer, request("forged", Script::data([long()]))).await;
    let mut unsigned = request("forged", Script::data([long()]).declared((1 << 20) + 1));
    unsigned.headers_mut().clear();
    reject(&layer, unsigned).await;
    reject(&layer, rewritten()).await;
    assert_eq!(first(&tolds), (Cause::JsonRewritten, Strength::Proven));
}

/// A sender cannot tell whether a tenant exists, and what it knows decides.
#[cfg(feature = "tenants")]
#[tokio::test]
async fn known_and_unknown_tenants_have_the_same_places() {
    use crate::tenants::lookup::{Store, by_path, request};

    let causes_of = async |ids: [&'static str; 5]| {
        let (layer, tolds) = told(by_path(&Store::new().meta().build().unwrap()).clock(at(NOW)));
        let layer = layer
            .explainer(patient().per_minute(6))
            .client_ip(ClientIp::new(|_| Some(IpAddr::from([10, 0, 0, 1]))));
        for id in ids {
            reject(&layer, request(id, "x", Script::data(["hello"]))).await;
        }
        // The thread has worked off all of them.
        let (fence, fenced) = told(SignatureLayer::new(github()));
        reject(&fence, rewritten()).await;
        next(&fenced);
        tolds.try_iter().count()
    };
    for [first, second] in [["A", "B"], ["x", "y"], ["A", "x"], ["x", "A"]] {
        assert_eq!(causes_of([first; 5]).await, 3, "{first}");
        assert_eq!(causes_of([first, first, first, first, second]).await, 4, "{first} {second}");
    }
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn an_id_that_is_a_secret_is_in_no_finding() {
    use crate::tenants::lookup::{Row, Store, by_path, request};

    let store = Store::new();
    store.set("unguessable-id-of-bob", Row::Secrets(vec!["secret of bob"]));
    store.set("unguessable-id-of-al", Row::Secrets(vec!["secret of al"]));
    let layer = by_path(&store.meta().build().unwrap());
    let (layer, tolds) = told(layer.defaults(Meta::DEFAULTS.with_secret_url()));
    let lines = Lines::default();
    let guard = lines.subscribe();
    let hello = || Script::data(["hello"]);
    send(&layer, request("unguessable-id-of-bob", "secret of bob", hello())).await;
    reject(&layer, request("unguessable-id-of-al", "secret of bob", hello())).await;
    let explanation = next(&tolds).explanation;
    drop(guard);
    assert_eq!(explanation.proven(), Some(Cause::SecretOfAnother));
    let text = format!("{explanation:?} {:?}", lines.all());
    assert!(text.contains("webhook_explained") && !text.contains("unguessable"), "{text}");
}

/// A clue is what any stranger can cause.
#[tokio::test]
async fn alerts_name_no_clue() {
    let (sender, alerts) = channel();
    let sender = Mutex::new(sender);
    let raise = move |alert: &Alert| sender.lock().unwrap().send(alert.to_string()).unwrap();
    let layer = SignatureLayer::new(github()).observer(Alerts::new(raise).refusals_in_a_row(3));
    let (layer, tolds) = told(layer);
    send(&layer, request(BODY, Script::data([BODY]))).await;
    reject(&layer, rewritten()).await;
    next(&tolds);
    reject(&layer, request("forged", Script::data(["\u{fffd}"]))).await;
    assert_eq!(first(&tolds), (Cause::CharactersLost, Strength::Clue));
    reject(&layer, rewritten()).await;
    let alert = alerts.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(alert.ends_with("(cause: json_rewritten)"), "{alert}");
}

#[tokio::test]
async fn alerts_about_secrets_name_the_cause() {
    for (is_proven, name) in [(true, "verification_cliff"), (false, "secret_never_worked")] {
        let (sender, alerts) = channel();
        let sender = Mutex::new(sender);
        let raise = move |alert: &Alert| sender.lock().unwrap().send(alert.clone()).unwrap();
        let layer = SignatureLayer::new(github());
        let (layer, tolds) = told(layer.observer(Alerts::new(raise).refusals_in_a_row(2)));
        if is_proven {
            send(&layer, request(BODY, Script::data([BODY]))).await;
        }
        reject(&layer, rewritten()).await;
        next(&tolds);
        reject(&layer, rewritten()).await;
        let alert = alerts.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(alert.as_str(), name);
        let (Alert::SecretStoppedWorking { cause, .. } | Alert::SecretNeverWorked { cause, .. }) =
            &alert
        else {
            panic!("{alert}")
        };
        assert_eq!(*cause, Some("json_rewritten"), "{alert}");
        assert!(alert.to_string().ends_with("(cause: json_rewritten)"), "{alert}");
    }
}

/// The response is the same, whether the request is explained or not, and whatever is found.
#[tokio::test]
async fn explanations_change_no_response() {
    let bytes_of = async |layer: &SignatureLayer<GitHub>, request: Request<Full<Bytes>>| {
        let app = Router::new().route("/hooks/{id}", post(async || "handled").layer(layer.clone()));
        let mut raw = net::Raw::connect(net::serve_axum(app).await).await;
        let (head, body) = request.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let mut bytes = format!("POST {} HTTP/1.1\r\nhost: a\r\n", head.uri).into_bytes();
        for (name, value) in &head.headers {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
        bytes.extend(&body);
        raw.send(bytes).await;
        let response = raw.answer().await;
        let mut headers = response.headers().clone();
        headers.remove("date");
        (response.status(), headers, response.into_body())
    };
    for number in 0..4 {
        let make = || match number {
            0 => request(SIGNED, Full::from(BODY)),
            1 => request("other", Full::from(BODY)),
            2 => {
                let mut unsigned = request(SIGNED, Full::from(BODY));
                unsigned.headers_mut().clear();
                unsigned
            }
            _ => request(BODY, Full::from(BODY)),
        };
        let (layer, tolds) = told(SignatureLayer::new(github()));
        let with = bytes_of(&layer, make()).await;
        if number < 3 {
            next(&tolds);
        }
        let without = bytes_of(&layer.clone().without_explanations(), make()).await;
        assert_eq!(with, without, "{number}");
    }
}

/// The clock of the layer decides, also when the explanation comes later.
#[tokio::test]
async fn an_explanation_judges_by_the_time_of_the_rejection() {
    let now = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)));
    let clock = Arc::clone(&now);
    let layer = SignatureLayer::new(Stripe::new(secret()).unwrap());
    let (layer, tolds) = told(layer.clock(move || *clock.lock().unwrap()));
    reject(&layer, stripe(400, Script::data([SIGNED]))).await;
    *now.lock().unwrap() = SystemTime::UNIX_EPOCH;
    let explanation = next(&tolds).explanation;
    assert!(explanation.to_string().contains("400 seconds ago"), "{explanation}");
}

//! Providers that answer their ownership challenges by themselves, in an axum router: what is
//! answered, what is refused, and that none of it reaches the handler or gets round verification.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_webhook::{
    Rejection,
    RejectionKind::{
        self, ChallengeFailed, ChallengeMalformed, ChallengeUnexpected, Malformed, Missing,
        Repeated, SignatureMismatch, UnknownTenant, VerifierUnavailable,
    },
    Secret, SignatureLayer, Verifier,
    providers::{
        self, Asana, AzureEventGrid, BoxVerifier, MicrosoftGraph, Okta, SharedToken, Strava,
        WebSub, Worldline,
    },
    scheme::Challenge,
    verifier::with_challenge,
};

use crate::support::{SECRET, hmac_sha256, secret};

const HOOK: &str = "/hook";

/// What a router with the layer answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    kind: Option<RejectionKind>,
    /// How often the handler was called.
    calls: usize,
}

impl Answer {
    fn assert_answered(&self, name: &str, content_type: &str, body: &str) {
        assert_eq!((self.status, self.calls), (StatusCode::OK, 0), "{name}: {:?}", self.kind);
        assert_eq!(self.headers[header::CONTENT_TYPE], content_type, "{name}");
        assert_eq!(self.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{name}");
        assert_eq!(self.body, body, "{name}");
        assert_eq!(self.kind, None, "{name}");
    }

    fn assert_echoed(&self, name: &str, body: &str) {
        self.assert_answered(name, "text/plain; charset=utf-8", body);
    }

    fn assert_json(&self, name: &str, body: &str) {
        self.assert_answered(name, "application/json", body);
    }

    fn assert_refused(&self, name: &str, kind: RejectionKind) {
        assert_eq!(self.calls, 0, "{name}");
        assert_eq!(self.kind, Some(kind), "{name}: {}", self.status);
        assert!(self.body.is_empty(), "{name}");
        let status = match kind {
            ChallengeMalformed => 400,
            ChallengeUnexpected => 404,
            VerifierUnavailable => 503,
            _ => 403,
        };
        assert_eq!(self.status, status, "{name}");
    }

    fn assert_handled(&self, name: &str) {
        assert_eq!((self.status, self.calls), (StatusCode::OK, 1), "{name}: {:?}", self.kind);
        assert_eq!(self.body, "handled", "{name}");
    }
}

/// A router without the layer.
fn routes(calls: &Arc<AtomicUsize>) -> Router {
    let calls = Arc::clone(calls);
    let handler = async move || {
        calls.fetch_add(1, Ordering::SeqCst);
        "handled"
    };
    Router::new().route(HOOK, any(handler.clone())).route("/hook/{token}", any(handler))
}

async fn answer(router: Router, calls: &AtomicUsize, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    Answer {
        status: response.status(),
        kind: response.extensions().get::<Rejection>().map(Rejection::kind),
        headers: response.headers().clone(),
        body: response.into_body().collect().await.unwrap().to_bytes(),
        calls: calls.load(Ordering::SeqCst),
    }
}

/// Through a router whose verdicts are answered with 403, whatever the provider's own status.
async fn deliver<V>(verifier: &V, request: Request<Body>) -> Answer
where
    V: Verifier + Clone,
{
    let calls = Arc::default();
    let layer = SignatureLayer::new(BoxVerifier::new(verifier.clone()));
    let layer = layer.rejection_status(StatusCode::FORBIDDEN);
    answer(routes(&calls).route_layer(layer), &calls, request).await
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request = request.header(*name, value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

fn over_long() -> String {
    "9".repeat(257)
}

const OKTA: &str = "x-okta-verification-challenge";
const WORLDLINE: &str = "x-gcs-webhooks-endpoint-verification";

#[tokio::test]
async fn okta_is_answered_by_itself() {
    let longest = "9".repeat(256);
    let named = providers::by_name("okta").unwrap().verifier(secret()).unwrap();
    for okta in [BoxVerifier::new(Okta::new(secret()).unwrap()), named] {
        for challenge in ["a-b_1", &longest] {
            let sent = deliver(&okta, request("GET", HOOK, &[(OKTA, challenge)], "")).await;
            sent.assert_json(challenge, &format!(r#"{{"verification":"{challenge}"}}"#));
        }
        for (name, headers) in [
            ("empty", &[(OKTA, "")][..]),
            ("over-long", &[(OKTA, &over_long())]),
            ("repeated", &[(OKTA, "a"), (OKTA, "a")]),
            ("quote", &[(OKTA, "a\"b")]),
            ("markup", &[(OKTA, "<b>")]),
            ("not ASCII", &[(OKTA, "é")]),
        ] {
            let sent = deliver(&okta, request("GET", HOOK, headers, "")).await;
            sent.assert_refused(name, ChallengeMalformed);
        }
        for method in ["POST", "HEAD", "PUT", "get"] {
            let sent = deliver(&okta, request(method, HOOK, &[(OKTA, "a")], "")).await;
            sent.assert_refused(method, Missing);
        }
        deliver(&okta, request("GET", HOOK, &[], "")).await.assert_refused("other GET", Missing);
        let genuine = &[(OKTA, "a"), ("authorization", SECRET)];
        deliver(&okta, request("POST", HOOK, genuine, "{}")).await.assert_handled("event");
    }
}

#[tokio::test]
async fn worldline_is_answered_by_itself() {
    let pair = Secret::new(format!("key-1:{SECRET}")).unwrap();
    let named = providers::by_name("worldline").unwrap().verifier(pair).unwrap();
    let own = BoxVerifier::new(Worldline::new("key-1", secret()).unwrap());
    for worldline in [own, named] {
        for challenge in ["123e4567", "<b>é"] {
            let asked = request("GET", HOOK, &[(WORLDLINE, challenge)], "");
            deliver(&worldline, asked).await.assert_echoed(challenge, challenge);
        }
        for (name, headers) in [
            ("empty", &[(WORLDLINE, "")][..]),
            ("over-long", &[(WORLDLINE, &over_long())]),
            ("repeated", &[(WORLDLINE, "a"), (WORLDLINE, "b")]),
        ] {
            let sent = deliver(&worldline, request("GET", HOOK, headers, "")).await;
            sent.assert_refused(name, ChallengeMalformed);
        }
        let mut not_utf8 = request("GET", HOOK, &[(WORLDLINE, "a")], "");
        let value = HeaderValue::from_bytes(b"\xff").unwrap();
        not_utf8.headers_mut().insert(WORLDLINE, value);
        deliver(&worldline, not_utf8).await.assert_refused("not UTF-8", ChallengeMalformed);
        for method in ["POST", "HEAD", "PUT", "get"] {
            let sent = deliver(&worldline, request(method, HOOK, &[(WORLDLINE, "a")], "")).await;
            sent.assert_refused(method, Missing);
        }
    }
}

const TOPIC: &str = "https://example.com/feed?a=1&b";

fn intent(mode: &str, topic: &str, challenge: &str) -> Request<Body> {
    let encoded: String = topic.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let query = format!(
        "hub.mode={mode}&hub.topic={encoded}&hub.challenge={challenge}&hub.lease_seconds=9"
    );
    request("GET", &format!("{HOOK}?{query}"), &[], "")
}

#[tokio::test]
async fn websub_confirms_only_requested_subscriptions() {
    let former = "https://example.com/former";
    let websub = WebSub::new(secret()).unwrap().topic("https://example.org/other").topic(TOPIC);
    let websub = websub.former_topic(former);
    let longest = "9".repeat(256);
    for challenge in ["abc", "%3Cb%3E", &longest] {
        let sent = deliver(&websub, intent("subscribe", TOPIC, challenge)).await;
        sent.assert_echoed(challenge, &challenge.replace("%3C", "<").replace("%3E", ">"));
    }
    deliver(&websub, intent("unsubscribe", former, "a")).await.assert_echoed("former", "a");
    for (name, mode, topic) in [
        ("another topic", "subscribe", "https://example.com/feed"),
        ("longer", "subscribe", &format!("{TOPIC}x")),
        ("in capitals", "subscribe", &TOPIC.to_uppercase()),
        ("no topic", "subscribe", ""),
        ("not asked to end", "unsubscribe", TOPIC),
        ("not asked for again", "subscribe", former),
        ("another mode", "SUBSCRIBE", TOPIC),
        ("no mode", "", TOPIC),
    ] {
        let sent = deliver(&websub, intent(mode, topic, "a")).await;
        sent.assert_refused(name, ChallengeUnexpected);
    }
    for (name, challenge) in [("empty", ""), ("over-long", &*over_long()), ("not UTF-8", "%ff")] {
        let sent = deliver(&websub, intent("subscribe", TOPIC, challenge)).await;
        sent.assert_refused(name, ChallengeMalformed);
    }
    let denied = deliver(&websub, intent("denied", TOPIC, "a")).await;
    assert_eq!((denied.status, denied.calls, denied.kind), (StatusCode::OK, 0, None));
    assert!(denied.body.is_empty(), "a denial is not echoed");

    // No other method, no other GET, and nothing while no topic is set.
    for method in ["POST", "HEAD", "PUT", "get"] {
        let mut other = intent("subscribe", TOPIC, "a");
        *other.method_mut() = method.parse().unwrap();
        deliver(&websub, other).await.assert_refused(method, Missing);
    }
    for uri in [HOOK, "/hook?hub.topic=a&hub.challenge=a"] {
        deliver(&websub, request("GET", uri, &[], "")).await.assert_refused(uri, Missing);
    }
    let none = WebSub::new(secret()).unwrap();
    deliver(&none, intent("subscribe", TOPIC, "a")).await.assert_refused("off", Missing);
    deliver(&none, intent("denied", TOPIC, "a")).await.assert_refused("off", Missing);

    let signature = format!("sha256={}", hmac_sha256(SECRET, b"{}"));
    let genuine = request("POST", HOOK, &[("x-hub-signature", &signature)], "{}");
    deliver(&websub, genuine).await.assert_handled("content");
}

#[tokio::test]
async fn websub_accepts_and_drops_what_is_not_signed() {
    let handler = async || -> &str { panic!("the handler was called") };
    let forged = format!("sha256={}", hmac_sha256("another secret", b"{}"));
    let forged = || request("POST", HOOK, &[("x-hub-signature", &forged)], "{}");
    let unsigned = || request("POST", HOOK, &[], "{}");
    let named = || providers::by_name("websub").unwrap().verifier(secret()).unwrap();
    for (layer, status) in [
        (SignatureLayer::new(named()), StatusCode::ACCEPTED),
        (
            SignatureLayer::new(BoxVerifier::new(WebSub::sha1(secret()).unwrap())),
            StatusCode::ACCEPTED,
        ),
        (SignatureLayer::new(named()).rejection_status(StatusCode::GONE), StatusCode::GONE),
    ] {
        for request in [forged(), unsigned()] {
            let router = Router::new().route(HOOK, any(handler)).route_layer(layer.clone());
            let response = router.oneshot(request).await.unwrap();
            assert_eq!(response.status(), status);
            let rejection = response.extensions().get::<Rejection>().unwrap();
            assert!(rejection.kind().is_authentication_failure(), "{rejection}");
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    }
    assert_eq!(WebSub::DEFAULTS.status(), StatusCode::ACCEPTED);
    // What is no verdict says so, here too.
    let websub = WebSub::new(secret()).unwrap().topic(TOPIC);
    let router = Router::new().route(HOOK, any(handler));
    let router = router.route_layer(SignatureLayer::new(websub));
    let response = router.oneshot(intent("subscribe", "another", "a")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

fn graph_body(states: &[&str]) -> String {
    let notifications: Vec<_> =
        states.iter().map(|state| format!(r#"{{"id":"1","clientState":{state}}}"#)).collect();
    format!(r#"{{"value":[{}]}}"#, notifications.join(","))
}

#[tokio::test]
async fn microsoft_graph_checks_every_client_state() {
    let good = format!("\"{SECRET}\"");
    let old = Secret::new("the state before").unwrap();
    let graph = MicrosoftGraph::new(secret()).unwrap();
    let named = providers::by_name("microsoft_graph").unwrap().verifier(secret()).unwrap();
    for (name, body, expected) in [
        ("one", graph_body(&[&good]), None),
        ("three", graph_body(&[&good, &good, &good]), None),
        ("escaped", graph_body(&[&good.replace('t', "\\u0074")]), None),
        ("none", graph_body(&[]), Some(Missing)),
        ("wrong", graph_body(&["\"wrong\""]), Some(SignatureMismatch)),
        ("beginning", graph_body(&[&format!("\"{}\"", &SECRET[1..])]), Some(SignatureMismatch)),
        ("wrong first", graph_body(&["\"wrong\"", &good]), Some(SignatureMismatch)),
        ("wrong last", graph_body(&[&good, &good, "\"wrong\""]), Some(SignatureMismatch)),
        ("missing first", graph_body(&["null", &good]), Some(Missing)),
        ("missing last", graph_body(&[&good, "null"]), Some(Missing)),
        ("empty", graph_body(&["\"\""]), Some(SignatureMismatch)),
        ("array", graph_body(&[&format!("[{good}]")]), Some(Missing)),
        ("named twice", graph_body(&[&format!("\"wrong\",\"clientState\":{good}")]), Some(Missing)),
        (
            "list named twice",
            format!(r#"{{"value":[],{}"#, &graph_body(&[&good])[1..]),
            Some(Malformed),
        ),
        ("no object", r#"{"value":[1]}"#.to_owned(), Some(Malformed)),
        ("no list", format!(r#"{{"value":{{"clientState":{good}}}}}"#), Some(Malformed)),
        ("elsewhere", format!(r#"{{"clientState":{good}}}"#), Some(Malformed)),
        ("no JSON", SECRET.to_owned(), Some(Malformed)),
        ("nothing", String::new(), Some(Malformed)),
    ] {
        for sent in [
            deliver(&graph, request("POST", HOOK, &[], &body)).await,
            deliver(&named, request("POST", HOOK, &[], &body)).await,
        ] {
            match expected {
                None => sent.assert_handled(name),
                Some(kind) => sent.assert_refused(name, kind),
            }
        }
    }
    // A secret that is still in use is not told to be out of use.
    let rotated = MicrosoftGraph::new([secret(), old]).unwrap();
    let (head, ()) = Request::post(HOOK).body(()).unwrap().into_parts();
    let key = |states: &[&str]| {
        let verified = crate::support::verify(&rotated, &head, &graph_body(states).into()).unwrap();
        assert!(verified.replay_key().is_none());
        verified.key_index()
    };
    assert_eq!(key(&[&good]), 0);
    assert_eq!(key(&[&good, "\"the state before\"", &good]), 1);
    assert!(!format!("{rotated:?}").contains(SECRET));
}

#[tokio::test]
async fn microsoft_graph_is_answered_by_itself() {
    let named = providers::by_name("microsoft_graph").unwrap().verifier(secret()).unwrap();
    for graph in [BoxVerifier::new(MicrosoftGraph::new(secret()).unwrap()), named] {
        let uri = "/hook?validationToken=Validation%3a+Testing%3Cb%3E";
        let sent = deliver(&graph, request("POST", uri, &[], "")).await;
        sent.assert_echoed("token", "Validation: Testing<b>");
        for (name, token) in [("empty", ""), ("over-long", &*over_long()), ("not UTF-8", "%ff")] {
            let uri = format!("{HOOK}?validationToken={token}");
            // Not even with genuine notifications: a challenge never reaches the handler.
            let body = graph_body(&[&format!("\"{SECRET}\"")]);
            let sent = deliver(&graph, request("POST", &uri, &[], &body)).await;
            sent.assert_refused(name, ChallengeMalformed);
        }
        for (method, uri) in
            [("GET", uri), ("PUT", uri), ("POST", HOOK), ("POST", "/hook?validationtoken=a")]
        {
            let sent = deliver(&graph, request(method, uri, &[], "")).await;
            sent.assert_refused(method, Malformed);
        }
    }
}

fn validation(code: &str) -> String {
    format!(
        r#"[{{"id":"1","data":{{"validationCode":{code},"validationUrl":"https://example.com"}},
        "eventType":"Microsoft.EventGrid.SubscriptionValidationEvent"}}]"#
    )
}

const AEG: (&str, &str) = ("aeg-event-type", "SubscriptionValidation");
const CODE: &str = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";

#[tokio::test]
async fn azure_event_grid_challenge_needs_valid_token() {
    let in_query = || SharedToken::in_query("code", secret()).unwrap();
    let event_grid = AzureEventGrid::new(in_query());
    let declared = with_challenge(in_query(), Challenge::EventGrid).unwrap();
    let uri = format!("{HOOK}?code={SECRET}");
    let body = validation(&format!("\"{CODE}\""));
    let answer = format!(r#"{{"validationResponse":"{CODE}"}}"#);
    for verifier in [BoxVerifier::new(event_grid.clone()), BoxVerifier::new(declared)] {
        let sent = deliver(&verifier, request("POST", &uri, &[AEG], &body)).await;
        sent.assert_json("documented", &answer);

        for (name, uri, kind) in [
            ("no token", HOOK, Missing),
            ("wrong token", "/hook?code=wrong", SignatureMismatch),
            ("empty token", "/hook?code=", Missing),
            ("token twice", &*format!("{uri}&code={SECRET}"), Repeated),
        ] {
            let sent = deliver(&verifier, request("POST", uri, &[AEG], &body)).await;
            sent.assert_refused(name, kind);
        }
        for (name, body) in [
            ("over-long", validation(&format!("\"{}\"", over_long()))),
            ("empty", validation("\"\"")),
            ("quote", validation(r#""a\"b""#)),
            ("number", validation("1")),
            ("twice", validation(r#""a","validationCode":"b""#)),
            ("second event", format!("[{{}},{}", &body[1..])),
            ("no list", body[1..body.len() - 1].to_owned()),
            ("no event", "[]".to_owned()),
            ("nothing", String::new()),
        ] {
            let sent = deliver(&verifier, request("POST", &uri, &[AEG], &body)).await;
            assert_eq!((sent.status, sent.calls), (StatusCode::BAD_REQUEST, 0), "{name}");
            assert!(sent.body.is_empty(), "{name}");
        }
        for (name, method, headers) in [
            ("event", "POST", &[("aeg-event-type", "Notification")][..]),
            ("no type", "POST", &[]),
            ("another method", "PUT", &[AEG]),
        ] {
            deliver(&verifier, request(method, &uri, headers, &body)).await.assert_handled(name);
        }
    }
    let header = header::HeaderName::from_static("x-secret");
    let token = SharedToken::new(header, [secret(), Secret::new("next").unwrap()]).unwrap();
    let in_header = AzureEventGrid::new(token);
    for token in [SECRET, "next"] {
        let sent = request("POST", HOOK, &[AEG, ("x-secret", token)], &body);
        deliver(&in_header, sent).await.assert_json(token, &answer);
    }
    assert_eq!(in_header.defaults().provider(), "azure_event_grid");
}

#[tokio::test]
async fn only_configured_origins_may_deliver_cloud_events() {
    const ORIGIN: &str = "webhook-request-origin";
    let token = || SharedToken::in_query("code", secret()).unwrap();
    let origins = Challenge::WebHookOrigins(&["eventgrid.azure.net", "events.example.com"]);
    let verifier = with_challenge(AzureEventGrid::new(token()), origins).unwrap();
    for origin in ["eventgrid.azure.net", "Events.Example.com"] {
        let sent = deliver(&verifier, request("OPTIONS", HOOK, &[(ORIGIN, origin)], "")).await;
        assert_eq!((sent.status, sent.calls, sent.kind), (StatusCode::OK, 0, None), "{origin}");
        assert_eq!(sent.headers["webhook-allowed-origin"], *origin.to_lowercase());
        assert!(!sent.headers.contains_key("webhook-allowed-rate"));
        assert!(sent.body.is_empty());
    }
    let rate = &[(ORIGIN, "eventgrid.azure.net"), ("webhook-request-rate", "120")];
    let sent = deliver(&verifier, request("OPTIONS", HOOK, rate, "")).await;
    assert_eq!(sent.headers["webhook-allowed-rate"], "*");
    for (name, headers, kind) in [
        ("another", &[(ORIGIN, "evil.example")][..], ChallengeUnexpected),
        ("within another", &[(ORIGIN, "eventgrid.azure.net.evil.example")], ChallengeUnexpected),
        ("empty", &[(ORIGIN, "")], ChallengeUnexpected),
        ("any", &[(ORIGIN, "*")], ChallengeUnexpected),
        ("twice", &[(ORIGIN, "eventgrid.azure.net"), (ORIGIN, "a")], ChallengeMalformed),
        ("another OPTIONS", &[], Missing),
    ] {
        let sent = deliver(&verifier, request("OPTIONS", HOOK, headers, "")).await;
        sent.assert_refused(name, kind);
        assert!(!sent.headers.contains_key("webhook-allowed-origin"), "{name}");
    }
    for method in ["POST", "GET", "options"] {
        let asked = request(method, HOOK, &[(ORIGIN, "eventgrid.azure.net")], "");
        deliver(&verifier, asked).await.assert_refused(method, Missing);
    }
}

#[tokio::test]
async fn strava_checks_url_secret_and_challenge_token() {
    let callback = SharedToken::in_path([secret(), Secret::new("next").unwrap()]).unwrap();
    let strava = Strava::new(callback, Secret::new("verify").unwrap()).unwrap();
    let path = format!("/hook/{SECRET}");
    for uri in [&*path, "/hook/next", "/hook/next?x=1"] {
        deliver(&strava, request("POST", uri, &[], "{}")).await.assert_handled(uri);
    }
    for (uri, kind) in [
        ("/hook", SignatureMismatch),
        ("/hook/wrong", SignatureMismatch),
        (&*format!("/hook/{}", &SECRET[1..]), SignatureMismatch),
        (&*format!("/hook?{SECRET}"), SignatureMismatch),
        (&*format!("{path}0"), SignatureMismatch),
    ] {
        deliver(&strava, request("POST", uri, &[], "{}")).await.assert_refused(uri, kind);
    }

    let genuine = "hub.mode=subscribe&hub.verify_token=verify&hub.challenge=15f7d1a91c1f40";
    let ask = |query: &str| request("GET", &format!("{path}?{query}"), &[], "");
    let sent = deliver(&strava, ask(genuine)).await;
    sent.assert_json("documented", r#"{"hub.challenge":"15f7d1a91c1f40"}"#);
    for (name, query, kind) in [
        ("wrong token", genuine.replace("=verify", "=wrong"), ChallengeFailed),
        ("the URL's token", genuine.replace("=verify", &format!("={SECRET}")), ChallengeFailed),
        ("wrong mode", genuine.replace("=subscribe", "=unsubscribe"), ChallengeFailed),
        ("no token", genuine.replace("verify_token", "x"), ChallengeMalformed),
        ("empty token", genuine.replace("=verify", "="), ChallengeMalformed),
        ("no challenge", genuine.replace("hub.challenge", "x"), ChallengeMalformed),
        ("quote", genuine.replace("15f7d1a91c1f40", "a%22b"), ChallengeMalformed),
        ("over-long", genuine.replace("15f7d1a91c1f40", &over_long()), ChallengeMalformed),
        ("not UTF-8", genuine.replace("15f7d1a91c1f40", "%ff"), ChallengeMalformed),
        ("nothing", String::new(), ChallengeMalformed),
    ] {
        deliver(&strava, ask(&query)).await.assert_refused(name, kind);
    }
    // A challenge in a POST does not replace the secret in its URL.
    let posted = request("POST", &format!("{HOOK}?{genuine}"), &[], "");
    deliver(&strava, posted).await.assert_refused("POST", SignatureMismatch);
    assert!(!format!("{strava:?}").contains(SECRET));
}

type Store = Arc<Mutex<Option<Secret>>>;

/// What `accept` does.
#[derive(Clone, Copy)]
enum Accept {
    Expected,
    NotExpected,
    Down,
}

const HOOK_SECRET: &str = "x-hook-secret";
const HOOK_SIGNATURE: &str = "x-hook-signature";

/// Through a router for a webhook whose secret is kept in `store`; and how many secrets were
/// offered to `accept`.
async fn deliver_to_asana(
    store: &Store,
    accept: Accept,
    request: Request<Body>,
) -> (Answer, usize) {
    let (known, store) = (Arc::clone(store), Arc::clone(store));
    let offers = Arc::new(AtomicUsize::new(0));
    let offered = Arc::clone(&offers);
    let exchange = Asana::with_secret_exchange(
        move |_| {
            let secret = known.lock().unwrap().clone();
            async move {
                tokio::task::yield_now().await;
                let secret: Secret = secret.ok_or(Rejection::unknown_tenant())?;
                Ok(Asana::new(secret).map_err(Rejection::unavailable)?.for_tenant("7"))
            }
        },
        move |head, secret| {
            assert_eq!(head.uri.path(), HOOK);
            offered.fetch_add(1, Ordering::SeqCst);
            let store = Arc::clone(&store);
            async move {
                tokio::task::yield_now().await;
                match accept {
                    Accept::Down => Err(Rejection::unavailable("the store is down")),
                    Accept::NotExpected => Ok(false),
                    Accept::Expected => {
                        *store.lock().unwrap() = Some(secret);
                        Ok(true)
                    }
                }
            }
        },
    );
    let calls = Arc::default();
    let router = routes(&calls).route_layer(SignatureLayer::new(exchange));
    let sent = answer(router, &calls, request).await;
    (sent, offers.load(Ordering::SeqCst))
}

#[tokio::test]
async fn asana_hands_its_secret_over_once_it_is_expected() {
    let store = Store::default();
    let signed = |body: &str| {
        let signature = hmac_sha256(SECRET, body.as_bytes());
        request("POST", HOOK, &[(HOOK_SIGNATURE, &signature)], body)
    };
    let (sent, _) = deliver_to_asana(&store, Accept::Expected, signed("{}")).await;
    sent.assert_refused("before the exchange", UnknownTenant);

    let offer = || request("POST", HOOK, &[(HOOK_SECRET, SECRET)], "{}");
    let (sent, offers) = deliver_to_asana(&store, Accept::NotExpected, offer()).await;
    sent.assert_refused("not expected", ChallengeUnexpected);
    assert_eq!((offers, sent.headers.get(HOOK_SECRET)), (1, None));
    let (sent, offers) = deliver_to_asana(&store, Accept::Down, offer()).await;
    sent.assert_refused("store down", VerifierUnavailable);
    assert_eq!((offers, sent.headers.get(HOOK_SECRET)), (1, None));
    assert!(store.lock().unwrap().is_none());

    let (sent, offers) = deliver_to_asana(&store, Accept::Expected, offer()).await;
    assert_eq!((sent.status, sent.calls, sent.kind), (StatusCode::OK, 0, None));
    assert_eq!((offers, sent.headers[HOOK_SECRET].as_bytes()), (1, SECRET.as_bytes()));
    assert!(sent.headers[HOOK_SECRET].is_sensitive(), "no log of headers shows it");
    assert!(sent.body.is_empty());
    assert!(store.lock().unwrap().as_ref().unwrap().matches(SECRET.as_bytes()));

    let longest = format!("{SECRET:x<256}");
    let offer = request("POST", HOOK, &[(HOOK_SECRET, &longest)], "{}");
    let (sent, _) = deliver_to_asana(&Store::default(), Accept::Expected, offer).await;
    assert_eq!(sent.headers[HOOK_SECRET].as_bytes(), longest.as_bytes());

    let (sent, offers) = deliver_to_asana(&store, Accept::NotExpected, signed("{}")).await;
    sent.assert_handled("after the exchange");
    assert_eq!(offers, 0);
    let forged = request("POST", HOOK, &[(HOOK_SIGNATURE, &hmac_sha256("x", b"{}"))], "{}");
    let (sent, _) = deliver_to_asana(&store, Accept::Expected, forged).await;
    sent.assert_refused("forged", SignatureMismatch);
}

#[tokio::test]
async fn asana_exchange_needs_unsigned_well_formed_post() {
    let store = Arc::new(Mutex::new(Some(secret())));
    for (name, headers) in [
        ("empty", &[(HOOK_SECRET, "")][..]),
        ("blank", &[(HOOK_SECRET, " ")]),
        ("over-long", &[(HOOK_SECRET, &over_long())]),
        ("repeated", &[(HOOK_SECRET, "a"), (HOOK_SECRET, "a")]),
        ("inner space", &[(HOOK_SECRET, "a b")]),
        ("not ASCII", &[(HOOK_SECRET, "é")]),
        ("placeholder", &[(HOOK_SECRET, "changeme")]),
    ] {
        let offer = request("POST", HOOK, headers, "{}");
        let (sent, offers) = deliver_to_asana(&store, Accept::Expected, offer).await;
        sent.assert_refused(name, ChallengeMalformed);
        assert_eq!((offers, sent.headers.get(HOOK_SECRET)), (0, None), "{name}");
    }
    for method in ["GET", "PUT", "OPTIONS", "post"] {
        let offer = request(method, HOOK, &[(HOOK_SECRET, "a")], "{}");
        let (sent, offers) = deliver_to_asana(&store, Accept::Expected, offer).await;
        sent.assert_refused(method, Missing);
        assert_eq!(offers, 0, "{method}");
    }
    // Beside a signature it is no exchange, and no way round verification.
    let genuine = hmac_sha256(SECRET, b"{}");
    for (name, signature, expected) in [
        ("genuine", &*genuine, None),
        ("forged", &hmac_sha256("x", b"{}"), Some(SignatureMismatch)),
        ("empty", "", Some(Missing)),
    ] {
        let headers = &[(HOOK_SECRET, "another"), (HOOK_SIGNATURE, signature)];
        let both = request("POST", HOOK, headers, "{}");
        let (sent, offers) = deliver_to_asana(&store, Accept::Expected, both).await;
        match expected {
            None => sent.assert_handled(name),
            Some(kind) => sent.assert_refused(name, kind),
        }
        assert_eq!((offers, sent.headers.get(HOOK_SECRET)), (0, None), "{name}");
    }
    assert!(store.lock().unwrap().as_ref().unwrap().matches(SECRET.as_bytes()));
    // The plain type exchanges nothing.
    let offer = request("POST", HOOK, &[(HOOK_SECRET, SECRET)], "{}");
    deliver(&Asana::new(secret()).unwrap(), offer).await.assert_refused("off", Missing);
}

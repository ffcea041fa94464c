//! No secret, tag or signature is in a row, an event, a span or an error: for every provider, and
//! for the ways to compose them.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::{poll_fn, ready},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use metrics_util::debugging::DebuggingRecorder;
use tower::{Layer, ServiceExt};
use tower_webhook::{
    Context, Outcome, Rejection, Scheme, Secret, SignatureLayer, Verified, Verifier,
    delivery_log::{DeliveryLog, Filter},
    layer::{ByBody, ByHead, Requires, Source},
    observe::{Alerts, Event, MetricsObserver, Observer, SensitiveParts, is_sensitive},
    providers::*,
    sign::{Sign, signed},
    tenants::{TenantId, Tenants},
    verifier::{VerifierDefaults, all_of, any_of, verifier_fn, with_challenge},
};

use super::{SECOND, TempDir, handler};
use crate::{
    observe::tracing::Lines,
    providers::conformance::{KEY, NOW, Trial},
    support::{AtTime, hex},
};

/// As a token of a URL, where no blank can stand.
const TOKEN: &str = "token-canary-0123456789-abcdef";

/// What is shorter is found by chance.
const SHORTEST: usize = 12;

type Delivery = Request<Full<Bytes>>;

fn key() -> Secret {
    Secret::from_bytes(KEY).unwrap()
}

fn token() -> Secret {
    Secret::new(TOKEN).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn clock() -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
    now
}

fn post(uri: &str, media_type: &str, body: &str) -> Request<String> {
    Request::post(uri).header(CONTENT_TYPE, media_type).body(body.to_owned()).unwrap()
}

fn json(body: &str) -> Request<String> {
    post("/hook", "application/json", body)
}

fn by(signer: &impl Sign, request: Request<String>) -> Delivery {
    signed(signer, request, now()).unwrap().map(Full::new)
}

fn in_body(signer: &impl Sign, request: Request<String>) -> Delivery {
    signed(signer, request, now()).unwrap().map(Full::new)
}

/// What must not be found: each text as it is, in hex, in base64 and in a URL's escapes, and the
/// bytes of those that are hex or base64 themselves.
#[derive(Default)]
struct Canaries(HashSet<Vec<u8>>);

impl Canaries {
    fn add(&mut self, secret: &[u8]) {
        let mut all = vec![secret.to_vec()];
        if let Ok(text) = std::str::from_utf8(secret) {
            let is_hex = text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hex {
                let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
                all.push((0..text.len()).step_by(2).map(pair).collect());
            }
            all.extend(STANDARD.decode(text));
            all.extend(URL_SAFE_NO_PAD.decode(text));
        }
        for bytes in all.into_iter().filter(|bytes| bytes.len() >= SHORTEST) {
            let escape = |byte: &u8| match byte {
                byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => {
                    char::from(*byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            };
            self.0.insert(bytes.iter().map(escape).collect::<String>().into_bytes());
            self.0.insert(hex(&bytes).into_bytes());
            self.0.insert(hex(&bytes).to_uppercase().into_bytes());
            self.0.insert(STANDARD_NO_PAD.encode(&bytes).into_bytes());
            self.0.insert(URL_SAFE_NO_PAD.encode(&bytes).into_bytes());
            // As `Debug` shows bytes.
            self.0.insert(format!("{bytes:?}").trim_matches(['[', ']']).into());
            self.0.insert(bytes);
        }
    }

    /// Each long run of letters and digits is taken for a signature: no id and no time is so long.
    fn add_runs(&mut self, text: &[u8]) {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
        for run in text.split(|byte| !is_part(byte)).filter(|run| run.len() >= 20) {
            // `v1=<hex>` is a name and a value.
            let value = run.iter().position(|byte| *byte == b'=').filter(|at| at + 4 < run.len());
            self.add(value.map_or(run, |at| &run[at + 1..]));
        }
    }

    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        assert!(self.0.len() >= 5);
        // By their beginnings, because there are thousands of them.
        let mut begun = HashMap::<&[u8], Vec<&[u8]>>::new();
        for canary in &self.0 {
            begun.entry(&canary[..SHORTEST]).or_default().push(canary);
        }
        for at in 0..bytes.len().saturating_sub(SHORTEST - 1) {
            let rest = &bytes[at..];
            let candidates = begun.get(&rest[..SHORTEST]).into_iter().flatten();
            if let Some(canary) = candidates.copied().find(|canary| rest.starts_with(canary)) {
                let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 200)];
                panic!("{} in {place}: {}", canary.escape_ascii(), around.escape_ascii());
            }
        }
    }
}

/// Everything that anybody is told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<String>>);

impl Told {
    fn say(&self, text: impl AsRef<str>) {
        let mut told = self.0.lock().unwrap();
        told.push_str(text.as_ref());
        told.push('\n');
    }
}

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        self.say(format!("{event:?} {:?} {:?}", event.attempt(), event.sensitive_parts()));
        self.say(format!("{:?} {:?}", event.verified(), event.rejection()));
        self.say(format!("{} {:?} {:?}", event.url(), event.user_agent(), event.request_id()));
        self.say(format!("{:?} {:?}", event.delivery_id(), event.tenant()));
        if let Some(rejection) = event.rejection() {
            let mut cause: Option<&dyn std::error::Error> = Some(rejection);
            while let Some(error) = cause {
                self.say(error.to_string());
                cause = error.source();
            }
        }
    }
}

struct Scene {
    log: DeliveryLog,
    told: Told,
    metrics: DebuggingRecorder,
    dir: TempDir,
}

impl Scene {
    /// A log that lists every header that it takes.
    async fn new(refused_payloads: bool, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        let dir = TempDir::new();
        let builder = DeliveryLog::builder();
        let builder = if refused_payloads { builder.store_rejected_payloads() } else { builder };
        let listed = headers.into_iter().filter(|name| !is_sensitive(name.as_str()));
        let builder = builder.headers(listed).unwrap().refusals_per_minute(100_000);
        let log = builder.sqlite(dir.path().join("log.db")).await.unwrap();
        Self { log, told: Told::default(), metrics: DebuggingRecorder::new(), dir }
    }

    async fn send<M>(&self, name: &str, layer: SignatureLayer<M>, request: Delivery) -> StatusCode
    where
        M: Source<Verifier: Verifier<State: Send> + 'static> + Clone + std::fmt::Debug,
    {
        let told = self.told.clone();
        let alerts = Alerts::new(move |alert| told.say(format!("{alert:?} {alert}")));
        let layer = layer
            .clock(clock())
            .observer(self.log.clone())
            .observer(self.told.clone())
            .observer(MetricsObserver::new())
            .observer(alerts.threshold(1, SECOND));
        let (told, name) = (self.told.clone(), name.to_owned());
        let inner = handler(200).map_request(move |request: Request<_>| {
            let proof = request.extensions().get::<Verified>();
            told.say(format!("{name}: {proof:?}"));
            request
        });
        let service = layer.layer(inner);
        self.told.say(format!("{layer:?}"));
        let mut answer = pin!(service.oneshot(request));
        let polled =
            poll_fn(|cx| metrics::with_local_recorder(&self.metrics, || answer.as_mut().poll(cx)));
        let Ok::<_, Infallible>(response) = polled.await;
        self.told.say(format!("{:?}", response.extensions().get::<Rejection>()));
        response.status()
    }

    async fn holds_none_of(self, canaries: &Canaries, lines: &Lines) {
        self.log.flush().await.unwrap();
        let page = self.log.find(&Filter::new().limit(1_000)).await.unwrap();
        assert!(!page.is_empty());
        for row in page.iter() {
            let shown = format!("{row:?} {:?} {:?}", row.headers, row.payload);
            canaries.are_not_in("a row", shown.as_bytes());
        }
        canaries.are_not_in("the log's Debug", format!("{:?}", self.log).as_bytes());
        let files = |when| {
            let files = std::fs::read_dir(self.dir.path()).unwrap();
            let mut count = 0;
            for file in files.map(|file| file.unwrap().path()) {
                canaries.are_not_in(
                    &format!("{} {when}", name_of(&file)),
                    &std::fs::read(&file).unwrap(),
                );
                count += 1;
            }
            count
        };
        assert_eq!(files("open"), 3, "database, write-ahead log, shared memory");
        self.log.shutdown(10 * SECOND).await.unwrap();
        assert!(files("closed") >= 1);
        canaries.are_not_in("what is told", self.told.0.lock().unwrap().as_bytes());
        let metrics = format!("{:?}", self.metrics.snapshotter().snapshot().into_vec());
        assert!(metrics.contains("provider"), "{metrics}");
        canaries.are_not_in("the metrics", metrics.as_bytes());
        let lines = lines.text();
        assert!(lines.contains("event_type"), "{lines}");
        canaries.are_not_in("the spans and events", lines.as_bytes());
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Returns whether a header with a long value has no part of a proof.
fn is_public(name: &HeaderName) -> bool {
    name == CONTENT_TYPE || name == "x-contentful-signed-headers"
}

#[tokio::test]
async fn no_providers_proof_is_stored_or_logged() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let mut canaries = Canaries::default();
    canaries.add(KEY);
    canaries.add(STANDARD.encode([&b"user:"[..], KEY].concat()).as_bytes());
    let trials = Trial::all();
    assert!(trials.len() > 148);
    let names = trials.iter().flat_map(|trial| trial.head.headers.keys().cloned());
    let scene = Scene::new(true, names).await;
    for Trial { name, own, head, body, .. } in trials {
        if own.sensitive_parts().has_url() {
            canaries.add_runs(head.uri.query().unwrap_or_default().as_bytes());
        }
        for (header, value) in head.headers.iter().filter(|(name, _)| !is_public(name)) {
            canaries.add_runs(value.as_bytes());
            let parts = own.sensitive_parts();
            assert!(
                !has_runs(value.as_bytes())
                    || parts.has_header(header) && is_sensitive(header.as_str()),
                "{name} does not name {header}"
            );
        }
        let layer = || SignatureLayer::new(own.clone());
        let genuine = Request::from_parts(head.clone(), Full::new(body));
        assert_eq!(scene.send(&name, layer(), genuine).await, 200, "{name}");
        // The same proof with another body, and by the wrong method.
        let forged = Request::from_parts(head.clone(), Full::new(Bytes::from("{}")));
        scene.send(&name, layer(), forged).await;
        let mut other = Request::from_parts(head, Full::default());
        *other.method_mut() = http::Method::GET;
        scene.send(&name, layer(), other).await;
    }
    scene.holds_none_of(&canaries, &lines).await;
}

fn has_runs(value: &[u8]) -> bool {
    let mut canaries = Canaries::default();
    canaries.add_runs(value);
    !canaries.0.is_empty()
}

/// In front of providers whose proof stands in the body: what it is made of is taken out.
async fn is_not_stored(
    refused_payloads: bool,
    deliveries: Vec<(&str, Delivery)>,
    layer: SignatureLayer<
        impl Source<Verifier: Verifier<State: Send> + 'static> + Clone + std::fmt::Debug,
    >,
    secrets: &[&[u8]],
    stays: &str,
) {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let scene = Scene::new(refused_payloads, [CONTENT_TYPE]).await;
    let mut canaries = Canaries::default();
    for secret in secrets {
        canaries.add(secret);
    }
    for (name, delivery) in deliveries {
        scene.send(name, layer.clone(), delivery).await;
        scene.log.flush().await.unwrap();
        let row = scene.log.find(&Filter::new().limit(1)).await.unwrap().remove(0);
        let payload = row.payload.unwrap_or_default();
        let payload = String::from_utf8_lossy(&payload).into_owned();
        assert!(payload.contains(stays) && payload.contains("[REDACTED]"), "{name}: {payload}");
    }
    scene.holds_none_of(&canaries, &lines).await;
}

#[tokio::test]
async fn mailguns_signature_is_taken_out_of_the_body() {
    let mailgun = Mailgun::new(key()).unwrap().clock(clock());
    let form = "application/x-www-form-urlencoded";
    let deliveries = vec![
        ("JSON", in_body(&mailgun, json(r#"{"event-data":{"id":"stays"}}"#))),
        ("form", in_body(&mailgun, post("/", form, "subject=stays&body=hello+you"))),
        (
            "form, charset",
            in_body(&mailgun, post("/", &format!("{form}; charset=utf-8"), "a=stays")),
        ),
    ];
    let tag = {
        use http_body_util::BodyExt;
        let (_, body) = in_body(&mailgun, json("{}")).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["signature"]["signature"].as_str().unwrap().to_owned()
    };
    is_not_stored(false, deliveries, SignatureLayer::new(mailgun), &[KEY, tag.as_bytes()], "stays")
        .await;
}

#[tokio::test]
async fn signature_in_a_body_is_not_stored() {
    let form = "application/x-www-form-urlencoded";
    let item = r#"{"amount":{"value":1},"success":"true","eventCode":"stays"}"#;
    let item = format!(r#"{{"notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#);
    let event = r#"{"event":{"event_time":"1700000000","event_type":"stays"}}"#;
    let payment = r#"{"order_id":"stays","status_code":"200","gross_amount":"1.00"}"#;
    let braintree = BoxVerifier::signing(Braintree::new("key-1", key()).unwrap());
    let cases = [
        (BoxVerifier::signing(Adyen::new(key()).unwrap()), json(&item), "hmacSignature"),
        (BoxVerifier::signing(DropboxSign::new(key()).unwrap()), json(event), "event_hash"),
        (BoxVerifier::signing(Midtrans::new(key()).unwrap()), json(payment), "signature_key"),
        (braintree, post("/", form, "a=stays&bt_payload=YWJj"), "bt_signature"),
        (BoxVerifier::signing(Figma::new(token()).unwrap()), json(r#"{"a":"stays"}"#), "passcode"),
        (
            BoxVerifier::signing(LiveChat::new(token()).unwrap()),
            json(r#"{"a":"stays"}"#),
            "secret_key",
        ),
    ];
    for (verifier, request, field) in cases {
        let (parts, body) = signed(&verifier, request, now()).unwrap().into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let (_, after) = text.split_once(field).unwrap();
        let mut pieces =
            after.split(['"', '=', '&', ':']).map(|piece| piece.trim_start_matches("key-1|"));
        let proof = pieces.find(|piece| piece.len() > 1).unwrap();
        let proof = proof.rsplit("%7C").next().unwrap().as_bytes().to_vec();
        let deliveries = vec![(field, Request::from_parts(parts, Full::new(body)))];
        is_not_stored(false, deliveries, SignatureLayer::new(verifier), &[KEY, &proof], "stays")
            .await;
    }
}

#[tokio::test]
async fn graphs_client_state_is_taken_out_of_the_body() {
    let graph = || MicrosoftGraph::new(token()).unwrap();
    let deliveries = || {
        vec![
            ("one", in_body(&graph(), json(r#"{"value":[{"id":"stays"}]}"#))),
            ("two", in_body(&graph(), json(r#"{"value":[{"id":"stays"},{"resourceData":{"a":[1]}}]}"#))),
            (
                "escapes",
                json(&format!(
                    r#"{{"value":[{{"client\u0053tate" : "{TOKEN}","id":"stays"}}],"validationTokens":["{TOKEN}"]}}"#
                ))
                .map(|body| Full::new(body.into())),
            ),
        ]
    };
    let canary = [TOKEN.as_bytes()];
    is_not_stored(false, deliveries(), SignatureLayer::new(graph()), &canary, "stays").await;
    // In whatever it is wrapped, and however it is looked up.
    let any = any_of(Meta::new(key()).unwrap(), all_of(graph(), graph().for_tenant("a")));
    is_not_stored(false, deliveries(), SignatureLayer::new(any), &canary, "stays").await;
    let by_name = by_name("microsoft_graph").unwrap().verifier(token()).unwrap();
    is_not_stored(false, deliveries(), SignatureLayer::new(by_name), &canary, "stays").await;
    let found = SignatureLayer::by_head(move |_| ready(Ok(MicrosoftGraph::new(token()).unwrap())));
    is_not_stored(false, deliveries(), found, &canary, "stays").await;
    let found = SignatureLayer::by_body(Requires::nothing(), move |_, _| {
        ready(Ok(MicrosoftGraph::new(token()).unwrap()))
    });
    is_not_stored(false, deliveries(), found, &canary, "stays").await;
    let store = |_: TenantId| async { Ok::<_, Infallible>(Some(token())) };
    let tenants = Tenants::new(store, MicrosoftGraph::new).unwrap();
    let tenants = tenants.by_head(|_| Some("anna".to_owned()));
    is_not_stored(false, deliveries(), SignatureLayer::new(tenants), &canary, "stays").await;
}

#[tokio::test]
async fn a_refused_body_is_searched_as_well() {
    let canary = [TOKEN.as_bytes()];
    // Another secret is configured, as after a rotation: the one that is received is good elsewhere.
    let deliveries = || {
        vec![(
            "old",
            in_body(&MicrosoftGraph::new(token()).unwrap(), json(r#"{"value":[{"id":"stays"}]}"#)),
        )]
    };
    let graph = SignatureLayer::new(MicrosoftGraph::new(key()).unwrap());
    is_not_stored(true, deliveries(), graph, &canary, "stays").await;
    // The store of secrets is down, so that nobody knows the verifier.
    let down = || ready(Err::<MicrosoftGraph, _>(Rejection::unavailable("down")));
    let found = SignatureLayer::by_body(Requires::nothing(), move |_, _| down())
        .defaults(MicrosoftGraph::DEFAULTS);
    is_not_stored(true, deliveries(), found, &canary, "stays").await;
    let store = |_: TenantId| async { Err::<Option<Secret>, _>("down") };
    let tenants = Tenants::new(store, MicrosoftGraph::new).unwrap();
    let tenants = tenants.by_body(Requires::nothing(), |_, _| Some("anna".to_owned()));
    is_not_stored(true, deliveries(), SignatureLayer::new(tenants), &canary, "stays").await;
    // The first POST brings the secret, which no header signs yet.
    let first = || {
        vec![(
            "first",
            json(&format!(r#"{{"verification_token":"{TOKEN}"}}"#))
                .map(|body| Full::new(body.into())),
        )]
    };
    let report_only = SignatureLayer::new(Notion::new(key()).unwrap()).dangerously_report_only();
    is_not_stored(true, first(), report_only, &canary, "verification_token").await;
    // Nothing can be found by name in it.
    let text = vec![(
        "text",
        post("/", "text/plain", &format!("clientState: {TOKEN}"))
            .map(|body| Full::new(body.into())),
    )];
    is_not_stored(
        true,
        text,
        SignatureLayer::new(MicrosoftGraph::new(key()).unwrap()),
        &canary,
        "[REDACTED]",
    )
    .await;
}

#[tokio::test]
async fn tokens_beside_the_signature_are_not_stored() {
    let slack = Slack::new(key()).unwrap().clock(clock());
    let form = "application/x-www-form-urlencoded";
    let escaped = format!("payload=%7B%22token%22%3A%22{TOKEN}%22%2C%22id%22%3A%22stays%22%7D&a=1");
    let deliveries = vec![
        ("event", by(&slack, json(&format!(r#"{{"token":"{TOKEN}","event":{{"id":"stays"}}}}"#)))),
        ("command", by(&slack, post("/", form, &format!("token={TOKEN}&text=stays")))),
        ("interaction", by(&slack, post("/", form, &escaped))),
    ];
    is_not_stored(false, deliveries, SignatureLayer::new(slack), &[KEY, TOKEN.as_bytes()], "stays")
        .await;

    use tower_webhook::sign::{PrivateKey, Signing, signed};
    let private = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap();
    let discord = Discord::new(private.public_key().unwrap()).unwrap().clock(clock());
    let interaction = json(&format!(r#"{{"type":2,"token":"{TOKEN}","id":"stays"}}"#));
    let interaction =
        signed(&discord, interaction, Signing::at(now()).private_key(&private)).unwrap();
    let deliveries = vec![("interaction", interaction.map(Full::new))];
    is_not_stored(false, deliveries, SignatureLayer::new(discord), &[TOKEN.as_bytes()], "stays")
        .await;

    let closure = verifier_fn(|_, _| Ok(Verified::new("figma")))
        .with_defaults(VerifierDefaults::DEFAULT.with_sensitive_fields(&["passcode"]));
    let body = json(&format!(r#"{{"passcode":"{TOKEN}","id":"stays"}}"#));
    let deliveries = vec![("own", body.map(|body| Full::new(body.into())))];
    is_not_stored(false, deliveries, SignatureLayer::new(closure), &[TOKEN.as_bytes()], "stays")
        .await;
}

/// A scheme whose header's name says nothing.
const ODD: Scheme = Scheme::hmac_sha256("x-odd").provider("odd");

/// What an own verifier may name.
#[derive(Clone, Debug)]
struct Acme(HeaderName);

impl Verifier for Acme {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        let received = request.head().headers.get(&self.0).ok_or(Rejection::mismatch())?;
        token().matches(received.as_bytes()).then_some(()).ok_or(Rejection::mismatch())
    }

    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new("acme").into())
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        SensitiveParts::none().header(self.0.clone())
    }
}

#[tokio::test]
async fn a_url_or_a_header_of_ones_own_is_left_out() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let mut canaries = Canaries::default();
    canaries.add(KEY);
    canaries.add(TOKEN.as_bytes());
    let names =
        ["x-odd", "x-acme", "x-id", "x-original-uri", "referer", "user-agent", "x-request-id"];
    let header = HeaderName::from_static;
    let scene = Scene::new(false, names.map(header)).await;
    let empty = |uri: String| {
        let request = Request::post(&uri).header("x-original-uri", &uri);
        let request = request.header("user-agent", format!("proxy ({uri})"));
        let request = request.header("x-request-id", &uri);
        request
            .header("referer", format!("https://a.example{uri}"))
            .body(Full::<Bytes>::default())
            .unwrap()
    };
    let in_path = || empty(format!("/hook/{TOKEN}"));
    let in_query = || empty(format!("/hook?code={TOKEN}&a=1"));
    let with = |name: &str, value: &str| {
        Request::post("/").header(name, value).body(Full::<Bytes>::default()).unwrap()
    };
    macro_rules! send {
        ($name:literal, $status:literal, $source:expr, $request:expr) => {
            let status = scene.send($name, SignatureLayer::new($source), $request).await;
            assert_eq!(status, $status, $name);
        };
    }
    send!("path", 200, SharedToken::in_path(token()).unwrap(), in_path());
    send!("query", 200, SharedToken::in_query("code", token()).unwrap(), in_query());
    send!("path, refused", 403, SharedToken::in_path(key()).unwrap(), in_path());
    let strava = || Strava::new(SharedToken::in_path(token()).unwrap(), key()).unwrap();
    send!("Strava", 200, strava(), in_path());
    let grid = || AzureEventGrid::new(SharedToken::in_query("code", token()).unwrap());
    send!("Event Grid", 200, grid(), in_query());
    send!(
        "Event Grid, header",
        200,
        AzureEventGrid::new(SharedToken::new(header("x-acme"), token()).unwrap()),
        with("x-acme", TOKEN)
    );
    send!("any_of", 200, any_of(Meta::new(key()).unwrap(), grid()), in_query());
    let challenge = providers_handshake();
    send!("with_challenge", 200, with_challenge(grid(), challenge).unwrap(), in_query());
    // Found by a look-up that the layer knows nothing of.
    let found = ByHead::new(|_| ready(Ok(SharedToken::in_query("code", token()).unwrap())));
    send!("look-up", 200, found, in_query());
    let found =
        ByBody::new(Requires::nothing(), |_, _| ready(Ok(SharedToken::in_path(token()).unwrap())));
    send!("look-up by the body", 200, found, in_path());
    let store = |_: TenantId| async { Ok::<_, Infallible>(Some(token())) };
    let tenants = Tenants::new(store, SharedToken::in_path).unwrap();
    send!("tenants", 200, tenants.by_head(|_| Some("anna".to_owned())), in_path());
    let store = |_: TenantId| async { Err::<Option<Secret>, _>("down") };
    let tenants = Tenants::new(store, SharedToken::in_path).unwrap();
    send!("tenants, store down", 503, tenants.by_head(|_| Some("anna".to_owned())), in_path());

    // Nobody has found yet whose URL and headers they are.
    let down = || ready(Err::<SharedToken, _>(Rejection::unavailable("down")));
    send!("closure, store down", 503, ByHead::new(move |_| down()), in_path());
    let later = || ByBody::new(Requires::nothing(), move |_, _| down());
    send!("closure by the body, store down", 503, later(), in_query());
    send!("its header", 503, later(), with("user-agent", TOKEN));
    let long = in_path().map(|_| Full::from(vec![b'x'; (16 << 20) + 1]));
    send!("too long", 413, later(), long);
    // In the midst of the path, and in a header alone.
    let hidden = verifier_fn(|_, _| Ok(Verified::new("acme")))
        .with_defaults(VerifierDefaults::DEFAULT.with_secret_url());
    send!("segment", 200, hidden, empty(format!("/hook/{TOKEN}/events")));
    let mut alone = in_query();
    alone.headers_mut().insert("x-request-id", TOKEN.parse().unwrap());
    send!("value", 200, SharedToken::in_query("code", token()).unwrap(), alone);
    let callback = format!(r#"{{"callback":"https://a.example/hook/{TOKEN}"}}"#);
    let callback = in_path().map(|_| Full::from(callback));
    send!("callback", 200, SharedToken::in_path(token()).unwrap(), callback);
    let mut beside = with("x-acme", TOKEN);
    beside.headers_mut().insert("x-request-id", TOKEN.parse().unwrap());
    send!("beside", 200, SharedToken::new(header("x-acme"), token()).unwrap(), beside);

    for name in ["x-acme", "user-agent", "x-request-id", "x-id"] {
        let shared = SharedToken::new(header(name), token()).unwrap();
        send!("header", 200, shared.clone(), with(name, TOKEN));
        send!("datadog", 200, Datadog::new(header(name), token()).unwrap(), with(name, TOKEN));
        send!(
            "header, refused",
            403,
            SharedToken::new(header(name), key()).unwrap(),
            with(name, TOKEN)
        );
        send!("all_of", 200, all_of(shared.clone(), shared.for_tenant("a")), with(name, TOKEN));
        send!("own", 200, Acme(header(name)), with(name, TOKEN));
    }
    let odd = ODD.verifier(key()).unwrap();
    let request = by(&odd, Request::post("/").body("{}".to_owned()).unwrap());
    canaries.add_runs(request.headers()["x-odd"].as_bytes());
    send!("scheme", 200, odd.clone(), request.clone());
    let down =
        || ready(Err::<tower_webhook::scheme::SchemeVerifier, _>(Rejection::unavailable("down")));
    let found = ByHead::new(move |_| down()).requires(Requires::header(header("x-odd")));
    send!("scheme, store down", 503, found, request);
    scene.holds_none_of(&canaries, &lines).await;
}

const fn providers_handshake() -> tower_webhook::scheme::Challenge {
    tower_webhook::scheme::Challenge::WebHookOrigins(&["eventgrid.azure.net"])
}

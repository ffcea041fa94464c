//! Events in `tracing`: the fields of the source documents, and no secret among them.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use http::{Request, Response};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, PublicUrl, Rejection, SignatureLayer, Verified, Verifier,
    layer::ByHead,
    observe::{Attempt, ClientIp, EventKind},
    providers::{self, Meta, Twilio},
    scheme::{Component, Scheme},
    verifier::{VerifierDefaults, verifier_fn},
};
use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{SECRET, Script, at, meta_layer, meta_request, meta_signature, secret, send};

/// The lines that a JSON subscriber wrote.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With a single subscriber in the process, a call site that another thread comes to first is
/// switched off for all.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

impl Lines {
    pub(crate) fn subscribe(&self) -> tracing::subscriber::DefaultGuard {
        LazyLock::force(&SECOND);
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// Takes the lines, without explanations, which come at any time from another thread.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        let lines = text.split_inclusive('\n').filter(|line| !line.contains("webhook_explained"));
        lines.collect()
    }

    /// Takes the lines, with explanations.
    #[cfg(feature = "explain")]
    pub(crate) fn all(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn json(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn forged(path: &str) -> Request<Script> {
    let mut request = meta_request(b"other", Script::data(["body-canary"]));
    *request.uri_mut() = path.parse().unwrap();
    request.headers_mut().insert("user-agent", "facebookexternalua".parse().unwrap());
    request.headers_mut().insert("x-request-id", "r-1".parse().unwrap());
    request.extensions_mut().insert::<IpAddr>("203.0.113.9".parse().unwrap());
    request
}

#[tokio::test]
async fn invalid_signature_event_has_documented_fields() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let make = ByHead::new(|_| async { Ok(Meta::new(secret()).unwrap().for_tenant("7")) });
    let layer = SignatureLayer::new(make)
        .defaults(Meta::DEFAULTS)
        .client_ip(ClientIp::new(|head| head.extensions.get::<IpAddr>().copied()))
        .clock(at(1_700_000_000));
    send(&layer, forged("/hooks/7?access_token=query-canary")).await;
    let events = lines.json();
    assert_eq!(events.len(), 1);
    for (field, expected) in [
        ("level", Value::from("ERROR")),
        ("target", "tower_webhook::security".into()),
        ("event_type", "invalid_webhook_signature".into()),
        ("provider", "meta".into()),
        ("tenant_id", "7".into()),
        ("ip_address", "203.0.113.9".into()),
        ("url", "/hooks/7?access_token=[redacted]".into()),
        ("user_agent", "facebookexternalua".into()),
        ("request_id", "r-1".into()),
        ("timestamp", 1_700_000_000_000_u64.into()),
        ("reason", "signature_mismatch".into()),
        ("status", 403.into()),
        ("body_len", 11.into()),
        ("method", "POST".into()),
        ("secrets_tried", 1.into()),
        (
            "hint",
            "compare the secret with the provider's console; \
             a proxy that changes the body also causes a mismatch"
                .into(),
        ),
    ] {
        // The subscriber's own time has the same name, so the last one counts.
        assert_eq!(events[0].get(field), Some(&expected), "{field}: {}", events[0]);
    }
    assert!(events[0].get("key_index").is_none(), "nothing matched");
}

#[tokio::test]
async fn event_levels_are_as_documented() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let level = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        format!("{} {} {}", text("level"), text("target"), text("event_type"))
    };
    let layer = meta_layer();
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    let events = lines.json();
    assert_eq!(events[0]["key_index"], 0);
    assert_eq!(
        events.iter().map(level).collect::<Vec<_>>(),
        [
            "DEBUG tower_webhook::delivery webhook_accepted",
            "DEBUG tower_webhook::delivery webhook_completed"
        ]
    );
    for (status, expected) in [
        (500, "WARN"),
        (499, "WARN"),
        (400, "WARN"),
        (204, "DEBUG"),
        (302, "DEBUG"),
        (101, "DEBUG"),
    ] {
        let handler = service_fn(move |_: Request<BufferedBody>| async move {
            Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap())
        });
        let Ok(_) = layer.layer(handler).oneshot(meta_request(b"hi", Script::data(["hi"]))).await;
        let completed = format!("{expected} tower_webhook::delivery webhook_completed");
        assert_eq!(level(&lines.json()[1]), completed, "{status}");
    }
    let down =
        ByHead::new(|_| async { Err::<Meta, _>(Rejection::unavailable("the store\nis down")) });
    send(&SignatureLayer::new(down), forged("/")).await;
    let events = lines.json();
    assert_eq!(level(&events[0]), "ERROR tower_webhook::security webhook_config_error");
    assert_eq!(events[0]["detail"], r"the store\nis down");
    let meta = Meta::new(secret()).unwrap().verify_token(secret()).unwrap();
    let layer = SignatureLayer::new(meta).body_limit(1);
    let get = Request::get("/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=query-canary");
    send(&layer, get.body(Script::data([""])).unwrap()).await;
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    assert_eq!(
        lines.json().iter().map(level).collect::<Vec<_>>(),
        [
            "WARN tower_webhook::security webhook_verification_failed",
            "WARN tower_webhook::security webhook_body_refused"
        ]
    );
    let layer = meta_layer().dangerously_report_only();
    assert_eq!(lines.json()[0]["level"], "WARN", "building it says so");
    send(&layer, forged("/")).await;
    let events = lines.json();
    assert_eq!(level(&events[0]), "ERROR tower_webhook::security invalid_webhook_signature");
    assert_eq!(events[0]["unverified"], true);
}

#[tokio::test]
async fn no_secret_signature_or_body_is_logged() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let layer = meta_layer();
    let mut signed = meta_request(b"body-canary", Script::data(["body-canary"]));
    signed.headers_mut().insert("authorization", "Bearer header-canary".parse().unwrap());
    send(&layer, signed).await;
    // The cause of a refusal, unlike that of a failure of ours, may quote the sender.
    let quoting = verifier_fn(|_, _| {
        Err::<Verified, _>(Rejection::mismatch().with_source("what the sender wrote: canary"))
    });
    let quoting = SignatureLayer::new(quoting);
    send(&quoting, forged("/")).await;
    let computed = meta_signature(b"body-canary");
    let received = meta_signature(b"other");
    send(&layer, forged("https://user:user-canary@a.example/?token=query-canary")).await;
    let text = lines.text();
    assert_eq!(text.lines().count(), 4, "{text}");
    for canary in ["canary", SECRET, &computed[7..], &received[7..]] {
        assert!(!text.contains(canary), "{canary}: {text}");
    }
}

#[tokio::test]
async fn no_sender_forges_a_line_or_fills_one() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let layer = meta_layer();
    let mut request = forged(&format!("/{}?x={}", "a".repeat(4000), "b".repeat(4000)));
    let agent = "a\u{9b}31m\u{202e}\u{2028}\t".to_owned() + &"c".repeat(4000);
    let agent = http::HeaderValue::from_bytes(agent.as_bytes()).unwrap();
    request.headers_mut().insert("user-agent", agent);
    send(&layer, request).await;
    let events = lines.json();
    for field in ["url", "user_agent"] {
        let value = events[0][field].as_str().unwrap();
        assert!(value.len() <= 256 && value.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}

/// Anyone can sign with what documentation prints, and nobody notices. A look-up makes a verifier for each request, so
/// that it is said once.
#[test]
fn a_doubtful_secret_is_a_warning_once() {
    use tower_webhook::{Secret, providers};

    // Once in a process, so in one of its own.
    const CHILD: &str = "TOWER_WEBHOOK_CHILD_OF_A_TEST";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "observe::tracing::a_doubtful_secret_is_a_warning_once"])
            .env(CHILD, "1");
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let lines = Lines::default();
    let subscription = lines.subscribe();
    for _ in 0..3 {
        for (name, text) in [
            ("github", "It's a Secret to Everybody"),
            ("zendesk", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="),
            ("standard_webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("bitbucket", "ATATT3xcanary"),
            ("gogs", "x"),
        ] {
            let provider = providers::by_name(name).unwrap();
            assert!(provider.verifier(text).is_ok(), "{name}");
            assert!(provider.verifier(Secret::documented(text).unwrap()).is_ok(), "{name}");
        }
        assert!(providers::GitHub::new("a secret that somebody chose").is_ok());
    }
    drop(subscription);
    let told: Vec<_> = lines
        .json()
        .into_iter()
        .map(|line| {
            assert_eq!(
                (&line["level"], &line["target"]),
                (&"WARN".into(), &"tower_webhook::config".into())
            );
            (
                line["provider"].as_str().unwrap().to_owned(),
                line["message"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let said = |provider: &str, word: &str| {
        let of = told.iter().filter(|(name, _)| name == provider).collect::<Vec<_>>();
        assert_eq!(of.len(), 1, "{provider}: {told:?}");
        assert!(of[0].1.contains(word) && of[0].1.contains("Secret::documented"), "{told:?}");
        assert!(!of[0].1.contains("canary") && !of[0].1.contains("Everybody"), "{told:?}");
    };
    said("github", "GitHub's documentation");
    said("zendesk", "Zendesk's documentation");
    said("standard_webhooks", "Standard Webhooks");
    said("bitbucket", "API token");
    said("gogs", "fewer than 8 bytes");
    assert_eq!(told.len(), 5, "{told:?}");
}

#[tokio::test]
async fn rejections_are_logged_sixty_a_minute_per_reason() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    let clock = Arc::clone(&now);
    let layer = meta_layer().clock(move || *clock.lock().unwrap());
    let unsigned = || Request::post("/").body(Script::data([""])).unwrap();
    for _ in 0..100 {
        send(&layer, forged("/")).await;
    }
    send(&layer, unsigned()).await;
    let told = lines.json();
    let reasons =
        |told: &[Value], reason: &str| told.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!(reasons(&told, "signature_mismatch"), 60);
    assert_eq!(reasons(&told, "missing"), 1, "another reason has room of its own");
    assert_eq!(told.len(), 62, "and one that nothing has verified yet");
    // What the handler gets is always written.
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    assert_eq!(lines.json().len(), 2);
    *now.lock().unwrap() += Duration::from_secs(59);
    send(&layer, forged("/")).await;
    assert_eq!(lines.text(), "");
    // Once the minute is over, whoever comes next.
    *now.lock().unwrap() += Duration::from_secs(1);
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    let told = lines.json();
    assert_eq!(told.len(), 3, "{told:?}");
    for (field, expected) in [
        ("level", Value::from("WARN")),
        ("target", "tower_webhook::security".into()),
        ("event_type", "webhook_events_suppressed".into()),
        ("provider", "meta".into()),
        ("reason", "signature_mismatch".into()),
        ("count", 41.into()),
    ] {
        assert_eq!(told[0][field], expected, "{field}");
    }
    send(&layer, forged("/")).await;
    assert_eq!(reasons(&lines.json(), "signature_mismatch"), 1, "and from the beginning");
}

#[tokio::test]
async fn never_worked_secret_is_reported_hourly_until_used() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    let clock = Arc::clone(&now);
    let layer = meta_layer().clock(move || *clock.lock().unwrap());
    let told = || {
        let mut told = lines.json();
        told.retain(|event| event["event_type"] == "webhook_secret_never_worked");
        told
    };
    for _ in 0..20 {
        // These say nothing about a secret.
        send(&layer, Request::post("/").body(Script::data([""])).unwrap()).await;
    }
    for _ in 0..4 {
        send(&layer, forged("/")).await;
    }
    assert!(told().is_empty());
    send(&layer, forged("/")).await;
    let first = told();
    assert_eq!(first.len(), 1);
    assert_eq!((&first[0]["level"], &first[0]["count"]), (&"WARN".into(), &5.into()));
    assert_eq!(first[0]["target"], "tower_webhook::security");
    for (seconds, expected) in [(3599, 0), (1, 1), (0, 0)] {
        *now.lock().unwrap() += Duration::from_secs(seconds);
        send(&layer, forged("/")).await;
        assert_eq!(told().len(), expected, "{seconds}");
    }
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    *now.lock().unwrap() += Duration::from_secs(7200);
    for _ in 0..10 {
        send(&layer, forged("/")).await;
    }
    assert!(told().is_empty(), "the secret has worked");
}

#[tokio::test]
async fn no_attempt_and_no_log_exist_without_tracing() {
    let inner = |expected: bool| {
        service_fn(move |request: Request<BufferedBody>| async move {
            let is_there = request.extensions().get::<Arc<Attempt>>().is_some();
            assert_eq!(is_there, expected);
            Ok::<_, Infallible>(Response::new(String::new()))
        })
    };
    let genuine = || meta_request(b"hi", Script::data(["hi"]));
    // Nobody listens.
    let Ok(_) = meta_layer().layer(inner(false)).oneshot(genuine()).await;
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let layer = meta_layer().without_tracing();
    let Ok(_) = layer.layer(inner(false)).oneshot(genuine()).await;
    send(&layer, forged("/")).await;
    assert_eq!(lines.text(), "");
    let Ok(_) = meta_layer().layer(inner(true)).oneshot(genuine()).await;
    assert_eq!(lines.json().len(), 2);
}

/// A browser, or a health check, that forges nothing.
#[tokio::test]
async fn a_get_without_a_signature_is_no_security_event() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let layer = meta_layer();
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).body(Script::data([""])).unwrap();
        send(&layer, request).await;
        let told = lines.json();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["level"], "DEBUG", "{method}");
        assert_eq!(told[0]["target"], "tower_webhook::delivery", "{method}");
        assert_eq!(told[0]["event_type"], "webhook_unsigned_probe", "{method}");
        // With a wrong one it is.
        let mut request = forged("/");
        *request.method_mut() = method.parse().unwrap();
        send(&layer, request).await;
        assert_eq!(lines.json()[0]["event_type"], "invalid_webhook_signature", "{method}");
    }
    send(&layer, Request::post("/").body(Script::data([""])).unwrap()).await;
    assert_eq!(lines.json()[0]["level"], "ERROR");
}

#[tokio::test]
async fn suppressed_unsigned_gets_are_counted_at_debug() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let now = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    let clock = Arc::clone(&now);
    let layer = meta_layer().clock(move || *clock.lock().unwrap());
    for _ in 0..70 {
        send(&layer, Request::get("/").body(Script::data([""])).unwrap()).await;
    }
    *now.lock().unwrap() += Duration::from_secs(60);
    assert_eq!(lines.json().len(), 60);
    send(&layer, meta_request(b"hi", Script::data(["hi"]))).await;
    let told = lines.json();
    assert_eq!(told[0]["event_type"], "webhook_events_suppressed");
    assert_eq!((&told[0]["level"], &told[0]["count"]), (&"DEBUG".into(), &10.into()));
    assert_eq!(told[0]["target"], "tower_webhook::delivery");
}

#[test]
fn an_event_of_a_layer_of_ones_own_is_written_too() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (head, _) = forged("/").into_parts();
    Attempt::new("meta", &head).report(EventKind::RateLimited);
    let told = lines.json();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["event_type"], "rate_limit_exceeded");
    assert_eq!(told[0]["target"], "tower_webhook::security");
}

fn twilio(target: &str) -> Request<Script> {
    Request::post(target)
        .header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Script::data(["From=1"]))
        .unwrap()
}

#[tokio::test]
async fn a_mismatch_names_the_url_that_must_be_signed() {
    const PATH: Scheme = Scheme::hmac_sha256("x-sig").signed_content(&[
        Component::Host,
        Component::Literal(" "),
        Component::Path,
        Component::Literal("\n"),
        Component::Body,
    ]);
    let url = |text: &str| PublicUrl::base(text).unwrap();
    let by_url = |text: &str| Twilio::new(secret(), url(text)).unwrap();
    let hex = "0".repeat(64);
    let scheme = |target: &str| {
        let request = Request::post(target).header("host", "a.example").header("x-sig", &*hex);
        request.body(Script::data(["{}"])).unwrap()
    };
    let told_so = PublicUrl::custom(|_| Some("wss://u:p@b.example:8443/é?q=1".into()));
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let told = |name: &str| {
        let mut told = lines.json();
        // A URL without TLS is a warning.
        told.retain(|line| line["target"] != "tower_webhook::config");
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!(told[0]["reason"], "signature_mismatch", "{name}");
        let url = told[0].get("signed_url");
        let hint = told[0]["hint"].as_str().unwrap();
        assert_eq!(hint.contains("`signed_url`"), url.is_some(), "{name}");
        url.and_then(Value::as_str).map(str::to_owned)
    };
    let layer = SignatureLayer::new(by_url("https://u:pass@old.ngrok.app/x"));
    send(&layer, twilio("/sms?token=query-canary&to=query-canary")).await;
    assert_eq!(
        told("query and user").as_deref(),
        Some("https://old.ngrok.app/x/sms?token=[redacted]&to=[redacted]")
    );
    send(&SignatureLayer::new(Twilio::new(secret(), told_so).unwrap()), twilio("/sms")).await;
    assert_eq!(told("custom").as_deref(), Some(r"wss://b.example:8443/\xc3\xa9?q=[redacted]"));
    let named = providers::by_name("twilio").unwrap();
    let named = named.verifier_at(secret(), url("https://a.example")).unwrap();
    send(&SignatureLayer::new(named), twilio("/sms")).await;
    assert_eq!(told("by name").as_deref(), Some("https://a.example/sms"));
    let either = by_url("https://a.example").or(by_url("http://a.example"));
    send(&SignatureLayer::new(either), twilio("/sms")).await;
    assert!(told("or").is_some_and(|url| url.ends_with("://a.example/sms")));
    let layer = SignatureLayer::new(PATH.verifier(secret()).unwrap());
    send(&layer, scheme("/hook?a=1")).await;
    assert_eq!(told("host and path").as_deref(), Some("a.example/hook"));
    let layer = SignatureLayer::new(by_url("https://a.example"))
        .defaults(VerifierDefaults::DEFAULT.with_secret_url());
    let (response, _) = send(&layer, twilio("/path-canary?b=query-canary")).await;
    let expected = "https://a.example/[redacted]?b=[redacted]";
    assert_eq!(told("secret URL").as_deref(), Some(expected));
    let shown = response.extensions().get::<Rejection>().unwrap().to_string();
    assert!(shown.ends_with(expected), "{shown}");
    send(&meta_layer(), forged("/")).await;
    assert_eq!(told("no URL"), None);
    // What is wrong is the time, or the header.
    let mut request = twilio("/sms");
    request.headers_mut().remove("x-twilio-signature");
    send(&SignatureLayer::new(by_url("https://a.example")), request).await;
    assert!(lines.json()[0].get("signed_url").is_none());
}

#[tokio::test]
async fn a_dropped_query_has_a_hint_and_a_blank_form_none() {
    let url = PublicUrl::base("https://a.example").unwrap();
    let layer = SignatureLayer::new(Twilio::new(secret(), url).unwrap());
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, is_hinted) in [("application/json", "{}", true), (form, "=", false)] {
        let request = Request::post("/sms")
            .header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .header("content-type", content_type);
        send(&layer, request.body(Script::data([body])).unwrap()).await;
        let told = lines.json();
        assert_eq!(told[0]["reason"], "uncovered", "{content_type}");
        let hint = told[0].get("hint").and_then(Value::as_str);
        assert_eq!(hint.is_some_and(|hint| hint.contains("query")), is_hinted, "{hint:?}");
        assert_eq!(hint.is_some(), is_hinted, "{hint:?}");
    }
}

/// The reasons are: no tenant, no store, a row that makes no verifier, and a wrong secret.
#[cfg(feature = "tenants")]
#[tokio::test]
async fn events_name_the_tenant_that_was_looked_up() {
    use tower_webhook::{
        Secret,
        layer::Requires,
        providers::Stripe,
        tenants::{TenantId, Tenants, json_field},
    };

    let load = async |id: TenantId| match id.as_str() {
        "anna" => Ok(Some(Secret::new("whsec_of_anna").unwrap())),
        "odd" => Ok(Some(Secret::new("sk_live_odd").unwrap())),
        "down" => Err("connection refused"),
        _ => Ok(None),
    };
    let tenants = Tenants::new(load, Stripe::new).unwrap();
    let by_body = tenants.by_body(Requires::nothing(), |_, body| json_field(body, "tenant"));
    let by_head = tenants.by_head(|head| Some(head.uri.path().trim_start_matches('/').into()));
    let by_body = SignatureLayer::new(by_body).clock(at(1_700_000_000));
    let by_head = SignatureLayer::new(by_head).clock(at(1_700_000_000));
    let request = |target: &str, body: String, is_signed: bool| {
        let request = Request::post(target);
        let signature = format!("t=1700000000,v1={}", "0".repeat(64));
        let request =
            if is_signed { request.header("stripe-signature", signature) } else { request };
        request.body(Script::data([body])).unwrap()
    };
    let lines = Lines::default();
    let _guard = lines.subscribe();
    // Twice, so that the second answer is the cache's.
    for _ in 0..2 {
        for (tenant, event_type, reason) in [
            ("anna", "invalid_webhook_signature", "signature_mismatch"),
            ("nobody", "invalid_webhook_signature", "unknown_tenant"),
            ("odd", "webhook_config_error", "verifier_unavailable"),
            ("down", "webhook_config_error", "verifier_unavailable"),
        ] {
            send(&by_body, request("/", format!(r#"{{"tenant":"{tenant}"}}"#), true)).await;
            send(&by_head, request(&format!("/{tenant}"), "{}".into(), true)).await;
            let told = lines.json();
            assert_eq!(told.len(), 2);
            for event in told {
                assert_eq!(
                    (&event["event_type"], &event["reason"]),
                    (&event_type.into(), &reason.into())
                );
                assert_eq!(event["tenant_id"], tenant, "{event}");
            }
        }
    }
    // The head alone refuses it, so that nobody is looked up.
    send(&by_head, request("/anna2", "{}".into(), false)).await;
    assert_eq!(lines.json()[0]["tenant_id"], "anna2");
    // What can be no id is told by nobody.
    send(&by_body, request("/", r#"{"tenant":"../a"}"#.into(), true)).await;
    assert_eq!(lines.json()[0].get("tenant_id"), None);
    // A closure of yours names it, too.
    let look_up = |head: &http::request::Parts| {
        let tenant = head.uri.path().trim_start_matches('/').to_owned();
        async move {
            let unknown = Rejection::unknown_tenant().with_tenant(tenant);
            Err::<Stripe, _>(unknown)
        }
    };
    send(&SignatureLayer::by_head(look_up), request("/7", "{}".into(), true)).await;
    assert_eq!(lines.json()[0]["tenant_id"], "7");
}

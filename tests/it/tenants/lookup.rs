//! Tenants in front of a store: who is looked up, and what each is told.

use std::{
    collections::HashMap,
    error::Error,
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::axum::{Router, routing::post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, header, request::Parts};
use http_body_util::Full;
use tokio::sync::Semaphore;
use tower::Layer;
use tower_webhook::{
    ConfigError, Context, Outcome, PublicUrl, Rejection, RejectionKind, Secret, Secrets,
    SignatureLayer, Verified, Verifier,
    layer::Requires,
    providers::{self, BoxVerifier, Meta, StandardWebhooks, Twilio, WebexContactCenter},
    tenants::{ByHead, TenantId, Tenants, TenantsBuilder, decoy_secret, form_field, json_field},
    verifier::{VerifierDefaults, verifier_fn},
};

use crate::{
    net,
    support::{
        AtTime, BoxError, Event, Inner, SECRET, Script, assert_refused, at, head_of, hmac_sha256,
        secret, send, verify,
    },
};

/// What a store says of one tenant.
#[derive(Clone)]
pub(crate) enum Row {
    Secrets(Vec<&'static str>),
    Error,
    PanicAtOnce,
    PanicLater,
    Never,
}

/// A store that counts its calls, and can make them wait.
pub(crate) struct Store {
    pub(crate) rows: Mutex<HashMap<&'static str, Row>>,
    pub(crate) calls: AtomicUsize,
    /// Each call takes a permit for good.
    pub(crate) gate: Semaphore,
}

impl Store {
    /// A, B and one without a secret.
    pub(crate) fn new() -> Arc<Self> {
        let rows = HashMap::from([
            ("A", Row::Secrets(vec!["secret of tenant A"])),
            ("B", Row::Secrets(vec!["secret of tenant B"])),
            ("bare", Row::Secrets(vec![])),
        ]);
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Self { rows: Mutex::new(rows), calls: AtomicUsize::new(0), gate })
    }

    /// One whose calls wait for `gate`.
    pub(crate) fn gated() -> Arc<Self> {
        let mut store = Self::new();
        Arc::get_mut(&mut store).unwrap().gate = Semaphore::new(0);
        store
    }

    pub(crate) fn set(&self, tenant: &'static str, row: Row) {
        self.rows.lock().unwrap().insert(tenant, row);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn load(
        self: Arc<Self>,
        tenant: TenantId,
    ) -> impl Future<Output = Result<Option<Secrets>, BoxError>> + Send {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let row = self.rows.lock().unwrap().get(tenant.as_str()).cloned();
        assert!(!matches!(row, Some(Row::PanicAtOnce)), "the store panics");
        async move {
            self.gate.acquire().await?.forget();
            match row {
                None => Ok(None),
                Some(Row::Secrets(texts)) => {
                    let secrets: Result<Secrets, _> = texts.into_iter().map(Secret::new).collect();
                    Ok(Some(secrets?))
                }
                Some(Row::Error) => Err(io::Error::other("connection refused").into()),
                Some(Row::Never) => pending().await,
                Some(Row::PanicAtOnce | Row::PanicLater) => panic!("the store panics"),
            }
        }
    }

    /// Its tenants, whose webhooks are Meta's.
    pub(crate) fn meta(self: &Arc<Self>) -> TenantsBuilder<Meta> {
        let store = Arc::clone(self);
        Tenants::builder(move |tenant| Arc::clone(&store).load(tenant), Meta::new)
    }
}

pub(crate) fn path_of(head: &Parts) -> Option<String> {
    head.uri.path().strip_prefix("/hooks/").map(str::to_owned)
}

pub(crate) type ByPath = ByHead<Meta, fn(&Parts) -> Option<String>>;

/// The path names the tenant.
pub(crate) fn by_path(tenants: &Tenants<Meta>) -> SignatureLayer<ByPath> {
    SignatureLayer::new(tenants.by_head(path_of as fn(&Parts) -> _))
}

pub(crate) fn request<B>(tenant: &str, secret: &str, body: B) -> Request<B> {
    let signature = format!("sha256={}", hmac_sha256(secret, b"hello"));
    let request = Request::post(format!("/hooks/{tenant}"));
    request.header("x-hub-signature-256", signature).body(body).unwrap()
}

pub(crate) fn hello() -> Script {
    Script::data(["hello"])
}

#[tokio::test]
async fn each_tenant_is_verified_with_its_own_secret() {
    let store = Store::new();
    let layer = by_path(&store.meta().build().unwrap());
    for tenant in ["A", "B", "A", "B"] {
        let secret = format!("secret of tenant {tenant}");
        let (response, inner) = send(&layer, request(tenant, &secret, hello())).await;
        assert_eq!(response.status(), StatusCode::OK, "{tenant}");
        assert_eq!(inner.only_call().verified().tenant(), Some(tenant));
    }
    let crossed = send(&layer, request("B", "secret of tenant A", hello())).await;
    assert_refused("the other tenant's secret", RejectionKind::SignatureMismatch, &crossed);
    // Whoever reads the events learns which tenant it was, and which one was claimed.
    for (tenant, named, claimed) in [("B", Some("B"), None), ("nobody", None, Some("nobody"))] {
        let (response, _) = send(&layer, request(tenant, "secret of tenant A", hello())).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!((rejection.tenant(), rejection.claimed_tenant()), (named, claimed));
        assert_eq!(rejection.provider(), "meta");
    }
    assert_eq!(store.calls(), 3, "once for each");
}

#[tokio::test]
async fn malformed_tenant_id_is_unknown_without_store_call() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    let long = "a".repeat(10_000);
    for id in [
        "../admin",
        "..",
        ".",
        "%41",
        "%2e%2e",
        "A/",
        "/A",
        "A ",
        " A",
        "cafe\u{301}",
        "caf\u{e9}",
        "\u{ff21}",
        "a\0b",
        "A\0",
        "A\n",
        "a' OR '1'='1",
        "",
        &long,
        &long[..65],
        "A;B",
        "A,B",
        "A:B",
        "*",
        "A\u{200b}",
    ] {
        let layer = SignatureLayer::new(tenants.by_head(move |head| {
            let id = head.headers.get("x-id")?;
            Some(String::from_utf8(id.as_bytes().to_vec()).unwrap())
        }));
        let Ok(value) = http::HeaderValue::from_bytes(id.as_bytes()) else {
            // What no header can hold, a path or a body can.
            assert!(tenants.verifier(id).await.unwrap().tenant().is_none(), "{id:?}");
            continue;
        };
        let mut request = request("A", "secret of tenant A", hello());
        request.headers_mut().insert("x-id", value);
        assert_refused(id, RejectionKind::UnknownTenant, &send(&layer, request).await);
    }
    assert_eq!(store.calls(), 0);

    // In form, and compared as they are.
    for id in ["a", "b", "A.", "A-", "A_", "0", &long[..64]] {
        assert!(tenants.verifier(id).await.unwrap().tenant().is_none(), "{id}");
    }
    assert_eq!(store.calls(), 7);
    assert_eq!(tenants.verifier("A").await.unwrap().tenant().unwrap().as_str(), "A");
}

#[tokio::test]
async fn an_own_check_decides_on_ids_within_a_hard_bound() {
    let store = Store::new();
    store.set("+1555", Row::Secrets(vec!["secret of the number"]));
    let is_number = |id: &str| id.bytes().all(|byte| byte == b'+' || byte.is_ascii_digit());
    let tenants = store.meta().check_id(is_number).build().unwrap();
    assert!(tenants.verifier("+1555").await.unwrap().tenant().is_some());
    for id in ["A", "", &"1".repeat(257)] {
        assert!(tenants.verifier(id).await.unwrap().tenant().is_none(), "{id}");
    }
    assert_eq!(store.calls(), 1);
    assert!(tenants.verifier(&"1".repeat(256)).await.unwrap().tenant().is_none());
    assert_eq!(store.calls(), 2);
}

/// Nothing of an answer but what the clock writes into it.
fn answer(response: http::Response<Bytes>) -> (StatusCode, HeaderMap, Bytes) {
    let (mut head, body) = response.into_parts();
    head.headers.remove(header::DATE);
    (head.status, head.headers, body)
}

#[tokio::test]
async fn unknown_tenant_answer_equals_bad_signature_answer() {
    let layer = by_path(&Store::new().meta().build().unwrap());
    let router = Router::new()
        .route("/hooks/{tenant}", post(|| async { "handled" }))
        .route_layer(layer.clone());
    let inner = Inner::default();
    let servers = [net::serve_axum(router).await, net::serve(layer.layer(inner.clone())).await];
    for server in servers {
        let ask = async |tenant: &str| {
            let request = request(tenant, "a wrong secret", Full::new(Bytes::from("hello")));
            let mut client = net::Client::http2(server).await;
            let second = client.send(request.clone()).await;
            (answer(net::send(server, request).await), answer(second))
        };
        let bad_signature = ask("A").await;
        assert_eq!(bad_signature.0.0, StatusCode::FORBIDDEN);
        assert!(!bad_signature.0.1.contains_key(header::CONNECTION));
        for tenant in ["unknown", "bare", "a", "A%00", "%41", ".."] {
            assert_eq!(ask(tenant).await, bad_signature, "{tenant}");
        }
        let genuine = request("A", "secret of tenant A", Full::new(Bytes::from("hello")));
        assert_eq!(net::send(server, genuine).await.status(), StatusCode::OK);
    }
    assert_eq!(inner.count(), 1);
}

#[tokio::test]
async fn decoy_rejects_at_same_point_as_known_tenant() {
    let layer = by_path(&Store::new().meta().build().unwrap());
    for tenant in ["A", "unknown", "bare", "%41"] {
        let kind = if tenant == "A" {
            RejectionKind::SignatureMismatch
        } else {
            RejectionKind::UnknownTenant
        };
        let body = Script::data(["he", "l", "lo"]);
        let polls = Arc::clone(&body.polls);
        let refused = send(&layer, request(tenant, "wrong", body)).await;
        assert_refused(tenant, kind, &refused);
        assert_eq!(polls.load(Ordering::SeqCst), 4, "{tenant}: read to its end");

        let mut unsigned = request(tenant, "wrong", Script::untouchable());
        unsigned.headers_mut().remove("x-hub-signature-256");
        assert_refused(tenant, RejectionKind::Missing, &send(&layer, unsigned).await);
        let declared = Script::untouchable().declared(4 << 20);
        let too_long = send(&layer, request(tenant, "wrong", declared)).await;
        assert_refused(tenant, RejectionKind::BodyTooLarge, &too_long);
    }
}

/// A verifier that counts its steps and accepts everything.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Vec<&'static str>>>, Option<RejectionKind>);

impl Verifier for Counting {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        self.0.lock().unwrap().push("begin");
        Ok(())
    }

    fn update(&self, (): &mut (), _: &[u8]) {
        self.0.lock().unwrap().push("update");
    }

    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        self.0.lock().unwrap().push("finish");
        self.1.map_or(Ok(Verified::new("counting").into()), |kind| Err(Rejection::new(kind)))
    }
}

#[tokio::test]
async fn decoy_does_all_work_and_hides_its_verdict() {
    for (found, told) in [
        (None, RejectionKind::UnknownTenant),
        (Some(RejectionKind::SignatureMismatch), RejectionKind::UnknownTenant),
        (Some(RejectionKind::TimestampStale), RejectionKind::UnknownTenant),
        // What is no verdict is told to known tenants too.
        (Some(RejectionKind::ClockUnreliable), RejectionKind::ClockUnreliable),
    ] {
        let decoy = Counting(Arc::default(), found);
        let steps = Arc::clone(&decoy.0);
        let tenants = Tenants::builder_with_decoy(
            decoy,
            |_| async { Ok::<_, BoxError>(None) },
            Ok::<Counting, ConfigError>,
        );
        let layer = SignatureLayer::new(tenants.build().unwrap().by_head(path_of));
        let body = Script::data(["he", "llo"]);
        assert_refused("decoy", told, &send(&layer, request("unknown", "any", body)).await);
        assert_eq!(*steps.lock().unwrap(), ["begin", "update", "update", "finish"]);
    }
}

#[tokio::test]
async fn decoy_challenge_answer_equals_wrong_token_answer() {
    struct Row(Secret, Secret);
    let tenants = Tenants::builder_with_decoy(
        Row(decoy_secret().unwrap(), decoy_secret().unwrap()),
        |tenant: TenantId| async move {
            let row = Row(Secret::new("app secret")?, Secret::new("token-of-A")?);
            Ok::<_, ConfigError>((&*tenant == "A").then_some(row))
        },
        |Row(secret, token)| Ok(Meta::new(secret).unwrap().verify_token(token).unwrap()),
    );
    let layer = SignatureLayer::new(tenants.build().unwrap().by_head(path_of));
    let ask = async |tenant, token| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
        let request = Request::get(format!("/hooks/{tenant}?{query}")).body(hello()).unwrap();
        let (response, inner) = send(&layer, request).await;
        assert_eq!(inner.count(), 0);
        let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
        (response.status(), response.headers().clone(), kind)
    };
    assert_eq!(ask("A", "token-of-A").await.0, StatusCode::OK);
    let wrong = ask("A", "token-of-B").await;
    assert_eq!(wrong.2, Some(RejectionKind::ChallengeFailed));
    for token in ["token-of-A", "token-of-B"] {
        assert_eq!(ask("unknown", token).await, wrong, "{token}");
    }
}

#[tokio::test]
async fn the_profile_is_the_decoys_or_the_one_that_is_set() {
    let tenants = Store::new().meta().build().unwrap();
    let own = VerifierDefaults::DEFAULT.with_status(StatusCode::UNAUTHORIZED).with_body_limit(4);
    let layer = SignatureLayer::new(tenants.by_head(path_of)).defaults(own);
    for (tenant, body, status) in [
        ("A", "hell", 401),
        ("unknown", "hell", 401),
        ("A", "hello", 413),
        ("unknown", "hello", 413),
    ] {
        let (response, _) = send(&layer, request(tenant, "wrong", Script::data([body]))).await;
        assert_eq!(response.status(), status, "{tenant} {body}");
    }
    let (response, _) = send(&by_path(&tenants), request("unknown", "wrong", hello())).await;
    assert_eq!(response.extensions().get::<Rejection>().unwrap().provider(), "meta");
}

#[tokio::test]
async fn a_form_names_the_tenant_of_a_twilio_request() {
    let url = PublicUrl::base("https://example.com").unwrap();
    let tenants = Tenants::new(
        |account: TenantId| async move { Ok::<_, BoxError>((&*account == "AC7").then(secret)) },
        move |secrets: Secrets| Twilio::new(secrets, url.clone()),
    );
    let by_account = |_: &Parts, body: &Bytes| form_field(body, "AccountSid");
    let signature_header = HeaderName::from_static("x-twilio-signature");
    let layer = SignatureLayer::new(tenants.unwrap().by_body(Requires::nothing(), by_account));
    let request = |body: &'static str, parameters| {
        Request::post("/hook")
            .header(
                &signature_header,
                net::twilio_signature("https://example.com/hook", parameters),
            )
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Script::data([body]))
            .unwrap()
    };
    let (response, inner) =
        send(&layer, request("AccountSid=AC7&Body=hi", "AccountSidAC7Bodyhi")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(inner.only_call().verified().tenant(), Some("AC7"));

    for (body, parameters, kind) in [
        ("AccountSid=AC7&Body=ho", "AccountSidAC7Bodyhi", RejectionKind::SignatureMismatch),
        ("AccountSid=AC8&Body=hi", "AccountSidAC8Bodyhi", RejectionKind::UnknownTenant),
        ("Body=hi", "Bodyhi", RejectionKind::UnknownTenant),
        // Named twice, it is not named.
        ("AccountSid=AC7&AccountSid=AC7", "AccountSidAC7", RejectionKind::UnknownTenant),
    ] {
        assert_refused(body, kind, &send(&layer, request(body, parameters)).await);
    }
    let unsigned = Request::post("/hook").body(Script::untouchable()).unwrap();
    assert_refused("unsigned", RejectionKind::Missing, &send(&layer, unsigned).await);
}

#[tokio::test]
async fn body_naming_another_tenant_is_rejected() {
    const EVENT: &str = r#"{"source":"/com/cisco/wxcc/sub-1","comciscotimestamp":1697211697694}"#;
    let tenants = Tenants::new(
        |id: TenantId| async move {
            let known = id.as_str().starts_with("sub-");
            Ok::<_, BoxError>(known.then(|| Secret::new(format!("secret of {id}"))).transpose()?)
        },
        |secrets: Secrets| Ok(WebexContactCenter::new(secrets)?.clock(at(1_697_211_697))),
    );
    let tenants = tenants.unwrap();
    let layer = SignatureLayer::new(
        tenants.by_body(Requires::nothing(), |_, body| WebexContactCenter::subscription_id(body)),
    );
    let event = |body: &'static str, secret: &str| {
        let events = [
            Event::Data(Bytes::from_static(&body.as_bytes()[..10])),
            Event::Pending,
            Event::Data(Bytes::from_static(&body.as_bytes()[10..])),
        ];
        Request::post("/path/of/sub-2")
            .header("x-webexcc-signature", hmac_sha256(secret, body.as_bytes()))
            .body(Script::new(events))
            .unwrap()
    };
    let (response, inner) = send(&layer, event(EVENT, "secret of sub-1")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(inner.only_call().verified().tenant(), Some("sub-1"));
    for (body, secret, kind) in [
        (EVENT, "secret of sub-2", RejectionKind::SignatureMismatch),
        (r#"{"source":17,"id":"12"}"#, "secret of sub-1", RejectionKind::UnknownTenant),
        (r#"{"source":"/com/cisco/wxcc/other"}"#, "secret of other", RejectionKind::UnknownTenant),
        ("not JSON at all", "secret of sub-1", RejectionKind::UnknownTenant),
    ] {
        assert_refused(body, kind, &send(&layer, event(body, secret)).await);
    }

    // The path decides where it is asked, whatever the body says.
    let by_path = SignatureLayer::new(
        tenants.by_head(|head| Some(head.uri.path().rsplit('/').next()?.to_owned())),
    );
    let answer = send(&by_path, event(EVENT, "secret of sub-1")).await;
    assert_refused("path", RejectionKind::SignatureMismatch, &answer);
}

#[tokio::test]
async fn tenants_can_have_different_providers() {
    struct Row(&'static str, Secret);
    let decoy = Row("github", decoy_secret().unwrap());
    let tenants = Tenants::builder_with_decoy(
        decoy,
        |tenant: TenantId| async move {
            Ok::<_, BoxError>(match tenant.as_str() {
                "A" => Some(Row("github", secret())),
                "B" => Some(Row("shopify", secret())),
                "C" => return Err(providers::by_name("nobody").unwrap_err().into()),
                _ => None,
            })
        },
        |Row(name, secret)| -> Result<BoxVerifier, _> {
            providers::by_name(name).unwrap().verifier(secret)
        },
    );
    let tenants = tenants.build().unwrap();
    let layer = SignatureLayer::new(tenants.by_head(path_of));
    let hex = hmac_sha256(SECRET, b"hello");
    let github = ("x-hub-signature-256", format!("sha256={hex}"));
    for (tenant, (name, value), expected) in [
        ("A", github.clone(), Ok("github")),
        ("B", shopify_signature(), Ok("shopify")),
        ("A", shopify_signature(), Err(RejectionKind::Missing)),
        ("D", github.clone(), Err(RejectionKind::UnknownTenant)),
        ("C", github, Err(RejectionKind::VerifierUnavailable)),
    ] {
        let uri = format!("/hooks/{tenant}");
        let request = Request::post(uri).header(name, value).body(hello()).unwrap();
        let answer = send(&layer, request).await;
        match expected {
            Ok(provider) => {
                let call = answer.1.only_call();
                assert_eq!(call.verified().provider(), provider);
                assert_eq!(call.verified().tenant(), Some(tenant));
            }
            Err(kind) => assert_refused(tenant, kind, &answer),
        }
    }
}

fn shopify_signature() -> (&'static str, String) {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let hex = hmac_sha256(SECRET, b"hello");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let tag: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    ("x-shopify-hmac-sha256", BASE64_STANDARD.encode(tag))
}

#[tokio::test]
async fn tenant_secret_verifies_message_without_server() {
    let tenants = Store::new().meta().build().unwrap();
    let head = head_of(request("anywhere", "secret of tenant A", ()));
    let body = Bytes::from("hello");
    let verify = async |tenant| verify(&tenants.verifier(tenant).await.unwrap(), &head, &body);
    assert_eq!(verify("A").await.unwrap().tenant(), Some("A"));
    assert_eq!(verify("B").await.unwrap_err().kind(), RejectionKind::SignatureMismatch);
    assert_eq!(verify("C").await.unwrap_err().kind(), RejectionKind::UnknownTenant);
}

#[tokio::test]
async fn only_known_tenant_rejection_has_field_and_tenant() {
    let refuses = |_| {
        Ok(verifier_fn(|_: &Parts, _: &Bytes| {
            Err::<Verified, _>(Rejection::malformed("x-time").with_source("not a time"))
        }))
    };
    let load =
        |tenant: TenantId| async move { Ok::<_, BoxError>((tenant.as_str() == "A").then(secret)) };
    let tenants = Tenants::new(load, refuses).unwrap();
    let head = head_of(Request::new(()));
    let refusal =
        async |id| verify(&tenants.verifier(id).await.unwrap(), &head, &Bytes::new()).unwrap_err();
    let known = refusal("A").await;
    assert_eq!(
        (known.kind(), known.field().map(|field| field.to_string()).as_deref()),
        (RejectionKind::Malformed, Some("x-time"))
    );
    assert!(known.tenant() == Some("A") && known.source().is_some(), "{known:?}");
    for nobody in ["C", "../A"] {
        let unknown = refusal(nobody).await;
        assert_eq!(
            (unknown.kind(), unknown.field().map(|field| field.to_string()).as_deref()),
            (RejectionKind::UnknownTenant, None)
        );
        assert!(unknown.tenant().is_none() && unknown.source().is_none(), "{unknown:?}");
        // Whoever names a tenant himself is heard.
        assert_eq!(unknown.with_tenant("7").claimed_tenant(), Some("7"));
    }
}

#[test]
fn what_can_be_no_look_up_is_found_at_start_up() {
    let load = |_: TenantId| async { Ok::<Option<Secret>, BoxError>(None) };
    let error = Tenants::new(load, |_| Err::<Meta, _>(ConfigError::UrlMissing)).unwrap_err();
    assert_eq!(error, ConfigError::UrlMissing);
    // A decoy's secret is in every provider's form.
    assert!(Tenants::new(load, StandardWebhooks::new).is_ok());

    assert_eq!(Meta::new(Secrets::default()).unwrap_err(), ConfigError::SecretEmpty);
    let many: Secrets = (0..17).map(|_| secret()).collect();
    assert_eq!(Meta::new(many).unwrap_err(), ConfigError::TooManySecrets);
}

#[test]
fn fields_are_read_only_where_they_are_there_once() {
    for (form, value) in [
        ("a=1&b=2", Some("1")),
        ("b=2&a=%2B1+x", Some("+1 x")),
        ("a=", Some("")),
        ("b=2", None),
        ("a=1&a=1", None),
        ("a=%ff", None),
    ] {
        assert_eq!(form_field(form.as_bytes(), "a").as_deref(), value, "{form}");
    }
    for (json, value) in [
        (r#"{"a":"x","b":{"a":"y"}}"#, Some("x")),
        (r#"{"a":17}"#, Some("17")),
        (r#"{"b":{"a":"y"}}"#, None),
        (r#"{"a":"x","a":"x"}"#, None),
        (r#"{"a":{}}"#, None),
        (r#"["a"]"#, None),
        ("", None),
    ] {
        assert_eq!(json_field(json.as_bytes(), "a").as_deref(), value, "{json}");
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let store = Store::new();
    let builder = store.meta();
    let mut shown = format!("{builder:?}");
    assert!(shown.starts_with("TenantsBuilder"), "{shown}");
    let tenants = builder.build().unwrap();
    let secrets = Secrets::from(vec![secret(), secret()]);
    let layer = SignatureLayer::new(tenants.by_head(path_of));
    let asking = tenants.verifier("A");
    shown += &format!("{asking:?} ");
    let verifier = asking.await.unwrap();
    let cached = tenants.verifier("A");
    let by_body = tenants.by_body(Requires::nothing(), |_, _| None);
    shown += &format!("{tenants:?} {secrets:?} {layer:?} {verifier:?} {cached:?} {by_body:?}");
    for canary in [SECRET, "secret of tenant"] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
    assert!(format!("{tenants:?}").contains("max_concurrent_lookups: 64"), "{shown}");
    assert!(shown.contains("known: 1"), "{shown}");
    assert!(shown.contains("TenantId(\"A\")"), "{shown}");
    assert!(shown.contains("LookUp(\"store\")"), "{shown}");
    assert!(shown.contains("LookUp(\"cached\")"), "{shown}");
    assert_eq!(AsRef::<str>::as_ref(verifier.tenant().unwrap()), "A");

    let decoys: Vec<_> = (0..2).map(|_| decoy_secret().unwrap()).collect();
    assert!(!decoys[0].matches(decoys[1].expose()), "one for each call");
}

#[test]
fn tenant_may_have_one_to_sixteen_secrets() {
    let secret = |number: usize| Secret::new(format!("secret number {number}")).unwrap();
    let row = Secrets::from(vec![secret(0), secret(1), secret(2)]);
    assert!(!row.is_empty() && Secrets::default().is_empty());
    assert!(!Secrets::from(vec![secret(0)]).is_empty());
    let exposed: Vec<_> = row.clone().into_iter().map(|secret| secret.expose().to_vec()).collect();
    assert_eq!(exposed, [&b"secret number 0"[..], b"secret number 1", b"secret number 2"]);
    for (count, is_good) in [(0, false), (1, true), (16, true), (17, false)] {
        let row: Secrets = (0..count).map(secret).collect();
        assert_eq!(Meta::new(row).is_ok(), is_good, "{count}");
    }
}

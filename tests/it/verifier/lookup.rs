//! Secrets that are looked up per request, by the head or by the body.

use std::{
    collections::HashMap,
    future::ready,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use tower_webhook::{
    Rejection, RejectionKind, Secret, SignatureLayer, Verifier,
    layer::{Requires, Source},
    providers::{Meta, WebexContactCenter},
    verifier::{MakeVerifier, VerifierDefaults},
};

use crate::support::{AtTime, Event, Script, assert_refused, at, hmac_sha256, send};

/// Two tenants with secrets of their own, one without, and a database that can be down.
#[derive(Clone)]
struct Tenants(Arc<HashMap<&'static str, &'static str>>);

impl Tenants {
    fn new() -> Self {
        Self(Arc::new(HashMap::from([
            ("a", "secret of tenant a"),
            ("b", "secret of tenant b"),
            ("empty", ""),
        ])))
    }

    async fn secret(&self, tenant: &str) -> Result<Secret, Rejection> {
        tokio::task::yield_now().await;
        if tenant == "down" {
            return Err(Rejection::unavailable(io::Error::other("connection refused")));
        }
        let secret = self.0.get(tenant).ok_or(Rejection::unknown_tenant())?;
        Secret::new(*secret).map_err(|_| Rejection::unknown_tenant())
    }
}

fn by_path() -> SignatureLayer<impl Source + Clone> {
    let tenants = Tenants::new();
    SignatureLayer::by_head(move |head| {
        let tenants = tenants.clone();
        let tenant = head.uri.path().trim_start_matches('/').to_owned();
        async move { Ok(Meta::new(tenants.secret(&tenant).await?).unwrap().for_tenant(tenant)) }
    })
    .defaults(Meta::DEFAULTS)
}

fn request(tenant: &str, secret: &str, body: Script) -> Request<Script> {
    let signature = format!("sha256={}", hmac_sha256(secret, b"hello"));
    let request = Request::post(format!("/{tenant}")).header("x-hub-signature-256", signature);
    request.body(body).unwrap()
}

#[tokio::test]
async fn each_tenant_has_its_own_secret() {
    for tenant in ["a", "b"] {
        let secret = format!("secret of tenant {tenant}");
        let (response, inner) =
            send(&by_path(), request(tenant, &secret, Script::data(["hello"]))).await;
        assert_eq!(response.status(), StatusCode::OK, "{tenant}");
        assert_eq!(inner.only_call().verified().tenant(), Some(tenant));
    }
    let crossed = request("a", "secret of tenant b", Script::data(["hello"]));
    let answer = send(&by_path(), crossed).await;
    assert_refused("the other tenant's secret", RejectionKind::SignatureMismatch, &answer);
}

#[tokio::test]
async fn unknown_tenant_is_answered_like_a_bad_signature() {
    let answer_to = async |tenant: &str| {
        let request = request(tenant, "wrong secret", Script::data(["hello"]));
        let (response, inner) = send(&by_path(), request).await;
        assert_eq!(inner.count(), 0);
        let kind = response.extensions().get::<Rejection>().unwrap().kind();
        let (head, body) = response.into_parts();
        (kind, (head.status, head.headers, body.collect().await.unwrap().to_bytes()))
    };
    let (kind, bad_signature) = answer_to("a").await;
    assert_eq!(kind, RejectionKind::SignatureMismatch);
    for tenant in ["unknown", "empty", "", "A", "a%00", "../a"] {
        let (kind, answer) = answer_to(tenant).await;
        assert_eq!(kind, RejectionKind::UnknownTenant, "{tenant}");
        assert_eq!(answer, bad_signature, "{tenant}");
    }
}

#[tokio::test]
async fn failing_lookup_store_is_answered_with_503() {
    let request = request("down", "any", Script::untouchable());
    let answer = send(&by_path(), request).await;
    assert_refused("down", RejectionKind::VerifierUnavailable, &answer);
    assert_eq!(answer.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.0.headers()[header::RETRY_AFTER], "5");
    let rejection = answer.0.extensions().get::<Rejection>().unwrap();
    assert_eq!(std::error::Error::source(rejection).unwrap().to_string(), "connection refused");
}

#[tokio::test]
async fn an_unknown_tenants_body_is_not_read() {
    let request = request("unknown", "any", Script::untouchable());
    assert_refused("unknown", RejectionKind::UnknownTenant, &send(&by_path(), request).await);
}

#[tokio::test]
async fn the_profile_of_the_look_up_holds_for_every_tenant() {
    let defaults = VerifierDefaults::DEFAULT
        .with_provider("meta")
        .with_status(StatusCode::UNAUTHORIZED)
        .with_body_limit(4);
    let layer = SignatureLayer::by_head(|head| {
        let is_known = head.uri.path() == "/a";
        async move {
            let secret = Secret::new("secret").map_err(Rejection::unavailable)?;
            if is_known { Ok(Meta::new(secret).unwrap()) } else { Err(Rejection::unknown_tenant()) }
        }
    })
    .defaults(defaults);
    for (path, body, status) in [("a", "hell", 401), ("b", "hell", 401), ("a", "hello", 413)] {
        let (response, _) = send(&layer, request(path, "wrong", Script::data([body]))).await;
        assert_eq!(response.status(), status, "{path} {body}");
    }
}

const EVENT: &str = r#"{"source":"/com/cisco/wxcc/sub-1","comciscotimestamp":1697211697694}"#;

fn by_body(look_ups: Arc<AtomicUsize>) -> SignatureLayer<impl Source + Clone> {
    SignatureLayer::by_body(
        Requires::header(HeaderName::from_static("x-webexcc-signature")),
        move |_: &Parts, body: &Bytes| {
            look_ups.fetch_add(1, Ordering::SeqCst);
            let subscription = WebexContactCenter::subscription_id(body);
            async move {
                tokio::task::yield_now().await;
                let id = subscription.ok_or(Rejection::unknown_tenant())?;
                let secret =
                    Secret::new(format!("secret of {id}")).map_err(Rejection::unavailable)?;
                let verifier = WebexContactCenter::new(secret).unwrap().clock(at(1_697_211_697));
                Ok(verifier.for_tenant(id))
            }
        },
    )
    .defaults(WebexContactCenter::DEFAULTS)
}

fn event(body: &'static str, secret: &str) -> Request<Script> {
    Request::post("/")
        .header("x-webexcc-signature", hmac_sha256(secret, body.as_bytes()))
        .body(Script::new([
            Event::Data(Bytes::from_static(&body.as_bytes()[..10])),
            Event::Pending,
            Event::Data(Bytes::from_static(&body.as_bytes()[10..])),
        ]))
        .unwrap()
}

#[tokio::test]
async fn the_secret_can_be_looked_up_by_the_unverified_body() {
    let look_ups = Arc::new(AtomicUsize::new(0));
    let layer = by_body(Arc::clone(&look_ups));

    let (response, inner) = send(&layer, event(EVENT, "secret of sub-1")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let call = inner.only_call();
    assert_eq!(call.verified().tenant(), Some("sub-1"));
    assert_eq!(call.verified().provider(), "webex_contact_center");
    assert_eq!(call.body.bytes(), EVENT);

    // What the look-up saw is a hint: naming a subscription proves nothing.
    let answer = send(&layer, event(EVENT, "secret of sub-2")).await;
    assert_refused("other secret", RejectionKind::SignatureMismatch, &answer);
    let answer = send(&layer, event("{\"source\":17,\"x\":\"1234567\"}", "secret of sub-1")).await;
    assert_refused("no subscription", RejectionKind::UnknownTenant, &answer);
    assert_eq!(look_ups.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn missing_required_header_prevents_read_and_lookup() {
    let look_ups = Arc::new(AtomicUsize::new(0));
    let layer = by_body(Arc::clone(&look_ups));
    let name = "x-webexcc-signature";
    for (case, values, kind) in [
        ("missing", vec![], RejectionKind::Missing),
        ("empty", vec![""], RejectionKind::Missing),
        ("twice", vec!["a", "a"], RejectionKind::Repeated),
    ] {
        let mut request = Request::post("/");
        for value in values {
            request = request.header(name, value);
        }
        let answer = send(&layer, request.body(Script::untouchable()).unwrap()).await;
        assert_refused(case, kind, &answer);
        assert_eq!(
            answer
                .0
                .extensions()
                .get::<Rejection>()
                .unwrap()
                .field()
                .map(|field| field.to_string())
                .as_deref(),
            Some(name)
        );
    }
    let declared = Script::untouchable().declared((16 << 20) + 1);
    let request = Request::post("/").header(name, "00").body(declared).unwrap();
    assert_refused("too long", RejectionKind::BodyTooLarge, &send(&layer, request).await);
    assert_eq!(look_ups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn required_headers_come_before_a_closure() {
    let look_ups = Arc::new(AtomicUsize::new(0));
    let names = ["x-hub-signature-256", "x-other"].map(HeaderName::from_static);
    let one = Requires::header(names[0].clone());
    let meta = || {
        Meta::new(Secret::new("secret").unwrap())
            .unwrap()
            .verify_token(Secret::new("t").unwrap())
            .unwrap()
    };
    let by_head = |requires: Requires, defaults: VerifierDefaults| {
        let look_ups = Arc::clone(&look_ups);
        let layer = SignatureLayer::by_head(move |_| {
            look_ups.fetch_add(1, Ordering::SeqCst);
            ready(Ok(meta()))
        });
        layer.requires(requires).defaults(defaults)
    };
    let by_body = |requires: Requires, defaults: VerifierDefaults| {
        let look_ups = Arc::clone(&look_ups);
        let layer = SignatureLayer::by_body(requires, move |_, _| {
            look_ups.fetch_add(1, Ordering::SeqCst);
            ready(Ok(meta()))
        });
        layer.defaults(defaults)
    };
    let uri = "/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=42";
    for (case, headers, of_one, of_any) in [
        ("none", &[][..], Some(RejectionKind::Missing), Some(RejectionKind::Missing)),
        ("first", &[(0, "x")], None, None),
        ("second", &[(1, "x")], Some(RejectionKind::Missing), None),
        ("both", &[(0, "x"), (1, "y")], None, None),
        ("empty", &[(0, " ")], Some(RejectionKind::Missing), Some(RejectionKind::Missing)),
        ("empty, second", &[(0, ""), (1, "x")], Some(RejectionKind::Missing), None),
        (
            "twice",
            &[(0, "x"), (0, "x")],
            Some(RejectionKind::Repeated),
            Some(RejectionKind::Repeated),
        ),
        ("twice, second", &[(0, "x"), (0, "x"), (1, "x")], Some(RejectionKind::Repeated), None),
        (
            "second twice",
            &[(1, "x"), (1, "x")],
            Some(RejectionKind::Missing),
            Some(RejectionKind::Missing),
        ),
    ] {
        let any = Requires::any_header(names.clone());
        for (requires, kind) in [(one.clone(), of_one), (any, of_any), (Requires::nothing(), None)]
        {
            // Without the provider's defaults nobody can tell that this is a challenge.
            let request = || {
                let mut request = Request::get(uri);
                for (name, value) in headers {
                    request = request.header(&names[*name], *value);
                }
                request.body(Script::data([""])).unwrap()
            };
            let before = look_ups.load(Ordering::SeqCst);
            let answers = [
                send(&by_head(requires.clone(), VerifierDefaults::DEFAULT), request()).await,
                send(&by_body(requires.clone(), VerifierDefaults::DEFAULT), request()).await,
            ];
            for answer in answers {
                let Some(kind) = kind else {
                    assert_eq!(answer.0.status(), StatusCode::OK, "{case}: the challenge's answer");
                    continue;
                };
                assert_refused(case, kind, &answer);
                let rejection = answer.0.extensions().get::<Rejection>().unwrap();
                assert_eq!(
                    rejection.field().map(|field| field.to_string()).as_deref(),
                    Some("x-hub-signature-256"),
                    "{case}"
                );
            }
            let asked = look_ups.load(Ordering::SeqCst) - before;
            assert_eq!(asked, if kind.is_none() { 2 } else { 0 }, "{case}");
            // With them it needs no header, and is answered by the verifier that is looked up.
            for answer in [
                send(&by_head(requires.clone(), Meta::DEFAULTS), request()).await,
                send(&by_body(requires, Meta::DEFAULTS), request()).await,
            ] {
                assert_eq!(answer.0.status(), StatusCode::OK, "{case}: the challenge's answer");
                assert_eq!(answer.1.count(), 0, "{case}");
            }
        }
    }
    // A request that is none needs the header, whatever the defaults say.
    for request in [
        Request::get("/?hub.challenge=42"),
        Request::post(uri),
        Request::get("/?hub%2Emod=subscribe"),
    ] {
        let request = request.body(Script::data([""])).unwrap();
        let before = look_ups.load(Ordering::SeqCst);
        let answer = send(&by_head(one.clone(), Meta::DEFAULTS), request).await;
        assert_refused("no challenge", RejectionKind::Missing, &answer);
        assert_eq!(look_ups.load(Ordering::SeqCst), before);
    }
}

#[tokio::test]
async fn handshakes_work_behind_look_ups() {
    let challenge = || {
        let uri = "/a?hub.mode=subscribe&hub.verify_token=token&hub.challenge=42";
        Request::get(uri).body(Script::data([""])).unwrap()
    };
    let meta = || -> Result<Meta, Rejection> {
        let secret = |text| Secret::new(text).map_err(Rejection::unavailable);
        Ok(Meta::new(secret("secret")?).unwrap().verify_token(secret("token")?).unwrap())
    };
    let before = SignatureLayer::by_head(move |_| async move { meta() });
    let after = SignatureLayer::by_body(Requires::nothing(), move |_, _| async move { meta() });
    let answers = [send(&before, challenge()).await, send(&after, challenge()).await];
    for (response, inner) in answers {
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "42");
    }
}

#[tokio::test]
async fn a_make_verifier_of_ones_own_needs_no_closure() {
    #[derive(Clone)]
    struct ByPath;
    impl MakeVerifier for ByPath {
        type Verifier = Meta;
        type Future = std::future::Ready<Result<Meta, Rejection>>;

        fn make_verifier(&self, head: &Parts) -> Self::Future {
            ready(Meta::new(head.uri.path()).map_err(Rejection::unavailable))
        }
    }
    let request = request("x", "/x", Script::data(["hello"]));
    let (response, _) = send(&SignatureLayer::new(ByPath), request).await;
    assert_eq!(response.status(), StatusCode::OK);
}

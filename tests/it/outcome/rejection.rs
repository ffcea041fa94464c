//! What a refused sender is told, and what the server learns.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_webhook::{
    Context, Outcome, Rejection, RejectionKind, Secret, SignatureLayer, Verified, Verifier,
    layer::default_response,
    providers::{Meta, WebexContactCenter, Wsapi},
    verifier::{VerifierDefaults, verifier_fn},
};

use crate::support::{Event, Script, assert_refused, meta_layer, meta_request, secret, send};

const KINDS: [(RejectionKind, u16); 19] = [
    (RejectionKind::BodyTimeout, 408),
    (RejectionKind::BodyTooLarge, 413),
    (RejectionKind::BodyUnreadable, 400),
    (RejectionKind::ClockUnreliable, 503),
    (RejectionKind::ChallengeFailed, 403),
    (RejectionKind::ChallengeMalformed, 400),
    (RejectionKind::Malformed, 403),
    (RejectionKind::Missing, 403),
    (RejectionKind::Overloaded, 503),
    (RejectionKind::Repeated, 403),
    (RejectionKind::SignatureMismatch, 403),
    (RejectionKind::TimestampInFuture, 403),
    (RejectionKind::TimestampStale, 403),
    (RejectionKind::BodyNotSigned, 403),
    (RejectionKind::UnknownKey, 403),
    (RejectionKind::UnknownTenant, 403),
    (RejectionKind::UrlUnresolved, 403),
    (RejectionKind::VerifierPanicked, 500),
    (RejectionKind::VerifierUnavailable, 503),
];

/// A layer whose verifier refuses everything for one reason.
fn refusing(kind: RejectionKind) -> SignatureLayer<impl Verifier + Clone> {
    SignatureLayer::new(verifier_fn(move |_: &Parts, _: &Bytes| -> Result<Verified, Rejection> {
        Err(Rejection::new(kind)
            .with_field(http::HeaderName::from_static("x-header"))
            .with_source("cause"))
    }))
}

fn request() -> Request<Script> {
    Request::post("/").body(Script::data(["hello"])).unwrap()
}

#[tokio::test]
async fn every_rejection_kind_has_its_status_and_no_body() {
    for (kind, status) in KINDS {
        let answer = send(&refusing(kind), request()).await;
        assert_refused(kind.as_str(), kind, &answer);
        let (head, body) = answer.0.into_parts();
        assert_eq!(head.status, status, "{kind}");
        assert_eq!(kind.is_authentication_failure(), status == 403, "{kind}");
        let retry = (status == 503).then(|| HeaderValue::from_static("5"));
        assert_eq!(head.headers.get(header::RETRY_AFTER), retry.as_ref(), "{kind}");
        assert_eq!(head.headers.len(), usize::from(status == 503), "{kind}");
        assert_eq!(body.collect().await.unwrap().to_bytes(), "", "{kind}");

        let rejection = head.extensions.get::<Rejection>().unwrap();
        assert_eq!(rejection.provider(), "custom");
        assert_eq!(rejection.field().map(|field| field.to_string()).as_deref(), Some("x-header"));
        assert_eq!(std::error::Error::source(rejection).unwrap().to_string(), "cause");
        let text = rejection.to_string();
        assert!(text.starts_with("custom: x-header: "), "{text}");
        assert!(!text.contains("cause"), "a source is not repeated: {text}");
    }
}

#[tokio::test]
async fn custom_status_is_only_for_authentication_failures() {
    #[derive(Clone)]
    struct Picky(RejectionKind);
    impl Verifier for Picky {
        type State = ();
        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            Err(Rejection::new(self.0))
        }
        fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            Ok(Verified::new("picky").into())
        }
        fn defaults(&self) -> VerifierDefaults {
            VerifierDefaults::DEFAULT.with_provider("picky").with_status(StatusCode::UNAUTHORIZED)
        }
    }

    for (kind, status) in KINDS {
        let expected = |verdict| if kind.is_authentication_failure() { verdict } else { status };
        let layer = SignatureLayer::new(Picky(kind));
        let (response, _) = send(&layer, request()).await;
        assert_eq!(response.status(), expected(401), "{kind}");
        assert_eq!(response.extensions().get::<Rejection>().unwrap().provider(), "picky");

        let layer = layer.rejection_status(StatusCode::NOT_ACCEPTABLE);
        assert_eq!(send(&layer, request()).await.0.status(), expected(406), "{kind}");
    }
}

#[tokio::test]
async fn rejection_with_2xx_does_not_call_inner_service() {
    let layer = SignatureLayer::new(WebexContactCenter::new(secret()).unwrap())
        .rejection_status(StatusCode::NO_CONTENT);
    let (response, inner) = send(&layer, request()).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::NO_CONTENT, 0));
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::Missing, "the server still learns of it");

    // Our own failures are never passed off as a success: the sender must come again.
    let layer = refusing(RejectionKind::VerifierUnavailable).rejection_status(StatusCode::OK);
    assert_eq!(send(&layer, request()).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
}

fn json(rejection: &Rejection, body: String) -> Response<Bytes> {
    let mut response = default_response(rejection).map(|_| Bytes::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[tokio::test]
async fn the_json_answers_of_other_receivers_can_be_given() {
    // The Flask bot of S1.17.
    let token = Secret::new("token").unwrap();
    let flask = SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(token).unwrap())
        .rejection_response(|rejection| {
            let message = match rejection.kind() {
                RejectionKind::ChallengeMalformed => "Missing parameters",
                RejectionKind::ChallengeFailed => "Verification failed",
                _ => "Invalid signature",
            };
            json(rejection, format!(r#"{{"status":"error","message":"{message}"}}"#))
        });
    for (name, request, status, message) in [
        ("forged", meta_request(b"a", Script::data(["b"])), 403, "Invalid signature"),
        (
            "no parameters",
            Request::get("/").body(Script::data([""])).unwrap(),
            400,
            "Missing parameters",
        ),
        (
            "wrong token",
            Request::get("/?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1")
                .body(Script::data([""]))
                .unwrap(),
            403,
            "Verification failed",
        ),
    ] {
        let (response, inner) = send(&flask, request).await;
        assert_eq!((response.status().as_u16(), inner.count()), (status, 0), "{name}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json", "{name}");
        assert!(response.extensions().get::<Rejection>().is_some(), "{name}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = format!(r#"{{"status":"error","message":"{message}"}}"#);
        assert_eq!(body, expected, "{name}");
    }

    // WSAPI's n8n node, S3.6.
    let n8n = SignatureLayer::new(Wsapi::new(secret()).unwrap())
        .rejection_status(StatusCode::UNAUTHORIZED)
        .rejection_response(|rejection| {
            let message = match rejection.kind() {
                RejectionKind::Missing => "Missing X-Webhook-Signature header",
                _ => "Invalid webhook signature",
            };
            json(rejection, format!(r#"{{"error":"Unauthorized","message":"{message}"}}"#))
        });
    let (response, _) = send(&n8n, request()).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let expected = r#"{"error":"Unauthorized","message":"Missing X-Webhook-Signature header"}"#;
    assert_eq!(body, expected);
}

fn grpc(content_type: &str, version: Version) -> Request<Script> {
    let mut request = request();
    request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    *request.version_mut() = version;
    request
}

#[tokio::test]
async fn grpc_requests_are_answered_in_grpcs_way() {
    for (kind, status) in KINDS {
        let code = match status {
            403 => "7",
            408 => "4",
            413 => "8",
            503 => "14",
            _ => "13",
        };
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web",
            "Application/GRPC",
        ] {
            let request = grpc(content_type, Version::HTTP_2);
            let (response, inner) = send(&refusing(kind), request).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0), "{kind}");
            assert_eq!(response.headers()["grpc-status"], code, "{kind}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], content_type, "{kind}");
            assert_eq!(response.extensions().get::<Rejection>().unwrap().kind(), kind);
        }
    }
    let missing = || refusing(RejectionKind::Missing);
    for (status, code) in [(StatusCode::UNAUTHORIZED, "16"), (StatusCode::NO_CONTENT, "0")] {
        let request = grpc("application/grpc", Version::HTTP_2);
        let (response, _) = send(&missing().rejection_status(status), request).await;
        assert_eq!(response.headers()["grpc-status"], code, "{status}");
    }
    // A closure overrides this too: a plain 403 is PERMISSION_DENIED to gRPC clients.
    let layer = missing().rejection_response(default_response);
    let request = grpc("application/grpc", Version::HTTP_2);
    assert_eq!(send(&layer, request).await.0.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn only_true_grpc_requests_are_rejected_with_200() {
    for (content_type, version) in [
        ("application/grpc", Version::HTTP_11),
        ("application/grpc", Version::HTTP_10),
        ("application/grpcevil", Version::HTTP_2),
        ("application/grpc/x", Version::HTTP_2),
        ("text/application/grpc", Version::HTTP_2),
    ] {
        let request = grpc(content_type, version);
        let answer = send(&refusing(RejectionKind::Missing), request).await;
        assert_refused(content_type, RejectionKind::Missing, &answer);
    }
}

#[tokio::test]
async fn http1_connection_closes_unless_body_has_ended() {
    type Make = fn() -> Request<Script>;
    let unsigned: Make = || Request::post("/").body(Script::data(["b"])).unwrap();
    let waiting: Make = || Request::post("/").body(Script::untouchable()).unwrap();
    let challenge: Make = || {
        let uri = "/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=1";
        Request::get(uri).body(Script::data(["b"])).unwrap()
    };
    let declared: Make = || meta_request(b"", Script::data(["0123456789"]).declared(10));
    let endless: Make = || meta_request(b"", Script::data(["b"]).declared(u64::MAX));
    let long: Make = || meta_request(b"", Script::data(["0123456789"]));
    let broken: Make = || meta_request(b"", Script::new([Event::Error("x".into())]));
    let forged: Make = || meta_request(b"a", Script::data(["b"]));
    let genuine: Make = || meta_request(b"b", Script::data(["b"]));

    let token = Secret::new("t").unwrap();
    let with_token = SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(token).unwrap());
    let (plain, small) = (meta_layer(), meta_layer().body_limit(5));
    for (name, layer, request, closes) in [
        ("refused by the head", &plain, unsigned, false),
        ("a sender that waits", &plain, waiting, true),
        ("declared too long", &small, declared, false),
        ("declared without end", &small, endless, true),
        ("limit", &small, long, false),
        ("body error", &plain, broken, true),
        ("forged, and the whole body read", &plain, forged, false),
        ("accepted", &plain, genuine, false),
        ("handshake with a body", &with_token, challenge, false),
    ] {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            if name == "a sender that waits" && version == Version::HTTP_10 {
                continue; // HTTP/1.0 does not know `Expect`.
            }
            let mut request = request();
            *request.version_mut() = version;
            let (response, _) = send(layer, request).await;
            let connection = response.headers().get(header::CONNECTION);
            let says_close = connection.is_some_and(|value| value == "close");
            assert_eq!(says_close, closes && version < Version::HTTP_2, "{name}, {version:?}");
        }
    }

    // A request without a body has nothing unread.
    let request = Request::get("/").body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let (response, _) = send(&meta_layer(), request).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!response.headers().contains_key(header::CONNECTION));
}

#[tokio::test]
async fn layers_above_get_a_default_body_for_any_inner_body() {
    /// A body without a `Default`.
    #[derive(Debug)]
    struct NoDefault(#[expect(dead_code, reason = "never read")] u8);

    let body = tower_webhook::layer::ResponseBody::<NoDefault>::default();
    drop(body);
    let service = tower::Layer::layer(&meta_layer(), crate::support::Inner::default());
    let response = service.oneshot(meta_request(b"a", Script::data(["b"]))).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

/// The part at fault, by its kind: a layer above need not guess it from a name.
#[test]
fn the_part_at_fault_has_a_kind() {
    use tower_webhook::{
        providers::{
            GitHub, Mailgun, MicrosoftGraph, SharedToken, Stripe, Twilio, WebexContactCenter,
        },
        verifier::Field,
    };

    fn field<V: Verifier>(verifier: V, request: Request<&'static str>) -> Option<Field> {
        let (head, body) = request.into_parts();
        crate::support::verify(&verifier, &head, &Bytes::from(body)).unwrap_err().field()
    }
    let header = |name: &'static str| Some(Field::Header(http::HeaderName::from_static(name)));
    let post = |body| Request::post("/").body(body).unwrap();
    let json =
        |body| Request::post("/").header("content-type", "application/json").body(body).unwrap();
    let url = tower_webhook::PublicUrl::base("https://example.com").unwrap();
    assert_eq!(field(GitHub::new(secret()).unwrap(), post("")), header("x-hub-signature-256"));
    let graph = || MicrosoftGraph::new(secret()).unwrap();
    assert_eq!(field(graph(), post("{}")), Some(Field::Json("value".into())));
    assert_eq!(field(graph(), post(r#"{"value":[{}]}"#)), Some(Field::Json("clientState".into())));
    let mailgun = || Mailgun::new(secret()).unwrap();
    assert_eq!(field(mailgun(), post("")), header("content-type"));
    assert_eq!(field(mailgun(), json("{}")), Some(Field::Json("signature".into())));
    let path = SharedToken::in_path(secret()).unwrap();
    assert_eq!(field(path, post("")), Some(Field::Path));
    let query = SharedToken::in_query("code", secret()).unwrap();
    assert_eq!(field(query, post("")), Some(Field::Query("code".into())));
    let twilio = Twilio::new(secret(), url).unwrap();
    let unsigned = Request::post("/").header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(
        field(twilio, unsigned.body("{}").unwrap()),
        Some(Field::Query("bodySHA256".into()))
    );
    let webex = WebexContactCenter::new(secret()).unwrap();
    assert_eq!(field(webex, post("")), header("x-webexcc-signature"));
    let stripe = Stripe::new(secret()).unwrap();
    let old = Request::post("/").header("stripe-signature", format!("t=1,v1={}", "0".repeat(64)));
    assert_eq!(field(stripe, old.body("").unwrap()), header("stripe-signature"));
    // A name that is no header's names nothing.
    assert_eq!(Rejection::missing("no header").field(), None);
    assert_eq!(Rejection::missing("no header").to_string(), "no header: missing or empty");
    assert_eq!(Field::Query("".into()).to_string(), "query");
    assert_eq!(Rejection::mismatch().field(), None);
}

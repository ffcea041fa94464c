//! Unsigned requests before the first delivery are answered by the layer, and by their whole form
//! alone.

use std::{
    future::ready,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower_webhook::{
    Context, Outcome, Rejection, RejectionKind, Scheme, Secret, SignatureLayer, Verifier,
    layer::{Requires, Source},
    observe::{Event, EventKind},
    providers::{
        self, Bitbucket, GitHub, SalesforceMarketingCloud, SharedToken, Slack, WooCommerce,
    },
    scheme::{ContactField, FirstContact},
    verifier::{VerifierDefaults, any_of},
};

use crate::support::{Inner, Script, hmac_sha256, kind, send};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

fn secret() -> Secret {
    Secret::new("the secret of the webhook").unwrap()
}

fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/hook");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::new(body.into())).unwrap()
}

type Contact = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// As the vendors send them.
const CONTACTS: [Contact; 7] = [
    ("woocommerce", &[FORM], "webhook_id=123"),
    ("bitbucket", &[("x-event-key", "diagnostics:ping"), JSON], r#"{"test":true}"#),
    ("bitbucket", &[("x-event-key", "diagnostics:ping"), JSON], r#"{"test": true}"#),
    ("slack", &[FORM], "ssl_check=1&token=Jhj5dZrVaK7ZwHHjRyZWjbDl"),
    ("slack", &[FORM], "ssl_check=1"),
    (
        "salesforce_marketing_cloud",
        &[JSON],
        r#"{"callbackId":"0c1f9b6a-9b54","verificationKey":"A9F2d+/3="}"#,
    ),
    (
        "salesforce_marketing_cloud",
        &[],
        "{ \"verificationKey\" : \"k\",\n \"callbackId\" : \"c\" }",
    ),
];

async fn status<M: Source + Clone>(
    layer: &SignatureLayer<M>,
    request: Request<Full<Bytes>>,
) -> (StatusCode, usize) {
    let (response, inner) = send(layer, request).await;
    (response.status(), inner.count())
}

#[tokio::test]
async fn documented_first_contacts_are_answered() {
    for (name, headers, body) in CONTACTS {
        let provider = providers::by_name(name).unwrap();
        let layer = SignatureLayer::new(provider.verifier(secret()).unwrap());
        let (response, inner) = send(&layer, post(headers, body)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0), "{name}: {body}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.is_empty(), "{name}");
    }
}

/// The same answer to everybody: nothing is looked up, and no secret is needed.
#[tokio::test]
async fn it_is_the_same_for_everybody() {
    fn never() -> Rejection {
        panic!("somebody was looked up")
    }
    let slack = CONTACTS[3];
    let contact = || post(slack.1, slack.2);
    let answer = (StatusCode::OK, 0);
    let by_head =
        SignatureLayer::by_head(|_| ready(Err::<Slack, _>(never()))).defaults(Slack::DEFAULTS);
    assert_eq!(status(&by_head, contact()).await, answer);
    let header = http::HeaderName::from_static("x-slack-signature");
    let look_up = |_: &_, _: &Bytes| ready(Err::<Slack, _>(never()));
    let by_body =
        SignatureLayer::by_body(Requires::header(header), look_up).defaults(Slack::DEFAULTS);
    assert_eq!(status(&by_body, contact()).await, answer);
    let reporting = SignatureLayer::new(Slack::new(secret()).unwrap()).dangerously_report_only();
    assert_eq!(status(&reporting, contact()).await, answer);
    let either = any_of(GitHub::new(secret()).unwrap(), Slack::new(secret()).unwrap());
    assert_eq!(status(&SignatureLayer::new(either), contact()).await, answer);
    let either = any_of(WooCommerce::new(secret()).unwrap(), Slack::new(secret()).unwrap());
    assert_eq!(status(&SignatureLayer::new(either.clone()), contact()).await, answer);
    // However many are combined.
    let github = || GitHub::new(secret()).unwrap();
    let three = any_of(
        any_of(Bitbucket::new(secret()).unwrap(), WooCommerce::new(secret()).unwrap()),
        github(),
    );
    let nested = SignatureLayer::new(any_of(three, Slack::new(secret()).unwrap()));
    assert_eq!(status(&nested, contact()).await, answer);
    let ping = post(&[FORM], "webhook_id=1");
    assert_eq!(status(&SignatureLayer::new(either), ping).await, answer);
}

/// Everything that is near to one is verified as ever.
#[tokio::test]
async fn what_is_not_wholly_one_is_refused() {
    let long = format!("ssl_check=1&token={}", "a".repeat(257));
    let longer = format!("ssl_check=1&token={}", "%61".repeat(400));
    let refused = StatusCode::FORBIDDEN;
    for (name, headers, body) in [
        ("woocommerce", &[FORM][..], "webhook_id="),
        ("woocommerce", &[FORM], "webhook_id=12x"),
        ("woocommerce", &[FORM], "webhook_id=1&webhook_id=1"),
        ("woocommerce", &[FORM], "webhook_id=1&a=b"),
        ("woocommerce", &[FORM], "webhook_id=123456789012345678901"),
        ("woocommerce", &[JSON], r#"{"webhook_id":123}"#),
        ("woocommerce", &[FORM], ""),
        // With a signature, however wrong, it is verified.
        ("woocommerce", &[FORM, ("x-wc-webhook-signature", "AAAA")], "webhook_id=123"),
        ("woocommerce", &[FORM, ("x-wc-webhook-signature", "")], "webhook_id=123"),
        ("slack", &[FORM, ("x-slack-signature", "v0=00")], "ssl_check=1"),
        ("slack", &[FORM], "ssl_check=2"),
        ("slack", &[FORM], "ssl_check=1&token=a%20b"),
        ("slack", &[FORM], "ssl_check=1&token="),
        ("slack", &[FORM], "ssl_check=1&token=a&token=b"),
        ("slack", &[FORM], "ssl_check=1&ssl_check=1"),
        ("slack", &[FORM], "ssl_check=1&command=%2Fpay"),
        ("slack", &[FORM], &long),
        ("slack", &[FORM], &longer),
        ("bitbucket", &[JSON], r#"{"test":true}"#),
        ("bitbucket", &[("x-event-key", "repo:refs_changed")], r#"{"test":true}"#),
        ("bitbucket", &[("x-event-key", "diagnostics:ping")], r#"{"test":false}"#),
        ("bitbucket", &[("x-event-key", "diagnostics:ping")], r#"{"test":"true","a":1}"#),
        ("bitbucket", &[("x-event-key", "diagnostics:ping")], r#"{"test":true}{}"#),
        ("bitbucket", &[("x-event-key", "diagnostics:ping")], r#"{"test":true,"test":true}"#),
        ("salesforce_marketing_cloud", &[JSON], r#"{"callbackId":"1"}"#),
        ("salesforce_marketing_cloud", &[JSON], r#"{"callbackId":"1","verificationKey":2}"#),
        ("salesforce_marketing_cloud", &[JSON], r#"[{"callbackId":"1","verificationKey":"2"}]"#),
        // No other provider has one.
        ("meta", &[FORM], "ssl_check=1"),
    ] {
        let provider = providers::by_name(name).unwrap();
        let layer = SignatureLayer::new(provider.verifier(secret()).unwrap());
        assert_eq!(status(&layer, post(headers, body.to_owned())).await, (refused, 0), "{body}");
    }
    let layer = SignatureLayer::new(Slack::new(secret()).unwrap());
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let mut request = post(&[FORM], "ssl_check=1");
        *request.method_mut() = method.clone();
        assert_eq!(status(&layer, request).await, (refused, 0), "{method}");
    }
    // Without a declared length nothing is read.
    let request = Request::post("/").body(Script::untouchable()).unwrap();
    assert_eq!(send(&layer, request).await.0.status(), refused);
    let request = Request::post("/").body(Script::untouchable().declared(1025)).unwrap();
    assert_eq!(send(&layer, request).await.0.status(), refused);
}

/// To the byte, and whatever length was declared.
#[tokio::test]
async fn a_first_contact_has_at_most_1_kib() {
    let layer = SignatureLayer::new(Bitbucket::new(secret()).unwrap());
    let ping = |len: usize| format!("{{\"test\":true{}}}", " ".repeat(len - 13));
    let request = |body: Script| {
        let request = Request::post("/").header("x-event-key", "diagnostics:ping");
        request.body(body).unwrap()
    };
    for (len, declared, expected) in [
        (1024, 1024, StatusCode::OK),
        (1025, 1025, StatusCode::FORBIDDEN),
        (1025, 1024, StatusCode::FORBIDDEN),
        (5000, 1, StatusCode::FORBIDDEN),
        (13, 0, StatusCode::FORBIDDEN),
    ] {
        let body = Script::data([ping(len)]).declared(declared);
        let (response, inner) = send(&layer, request(body)).await;
        assert_eq!((response.status(), inner.count()), (expected, 0), "{len} {declared}");
    }
}

/// One that is none is somebody else's request.
#[tokio::test]
async fn failed_first_contact_is_verified_with_its_body() {
    let header = http::HeaderName::from_static("x-token");
    let token = || SharedToken::new(header.clone(), secret()).unwrap();
    let either = || any_of(WooCommerce::new(secret()).unwrap(), token());
    let request = || post(&[FORM, ("x-token", "the secret of the webhook")], "webhook_id=1&a=b");
    let found = SignatureLayer::by_head(move |_| {
        ready(Ok(any_of(WooCommerce::new(secret()).unwrap(), token())))
    })
    .defaults(WooCommerce::DEFAULTS);
    let by_body = SignatureLayer::by_body(Requires::nothing(), move |_, body| {
        assert_eq!(body, "webhook_id=1&a=b");
        let header = http::HeaderName::from_static("x-token");
        ready(Ok(any_of(
            WooCommerce::new(secret()).unwrap(),
            SharedToken::new(header, secret()).unwrap(),
        )))
    })
    .defaults(WooCommerce::DEFAULTS);
    let (_, one) = send(&SignatureLayer::new(either()), request()).await;
    let (_, two) = send(&found, request()).await;
    let (_, three) = send(&by_body, request()).await;
    for inner in [one, two, three] {
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), "webhook_id=1&a=b");
        assert_eq!(call.verified().provider(), "shared_token");
    }
    // A scheme's own state sees each byte.
    let github = GitHub::SCHEME.defaults();
    assert!(github != Slack::SCHEME.defaults());
    let body = "webhook_id=1&a=b";
    let tag = format!("sha256={}", hmac_sha256("the secret of the webhook", body.as_bytes()));
    let either = any_of(WooCommerce::new(secret()).unwrap(), GitHub::new(secret()).unwrap());
    let request = post(&[("x-hub-signature-256", &tag)], body);
    let (_, inner): (_, Inner) = send(&SignatureLayer::new(either), request).await;
    assert_eq!(inner.only_call().verified().provider(), "github");
    // And where nothing is proven the reason is as ever.
    let (response, _) =
        send(&SignatureLayer::new(WooCommerce::new(secret()).unwrap()), post(&[], body)).await;
    assert_eq!(kind(&response), Some(RejectionKind::Missing));
    let reporting =
        SignatureLayer::new(WooCommerce::new(secret()).unwrap()).dangerously_report_only();
    let (response, inner) = send(&reporting, post(&[], body)).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    assert_eq!(inner.only_call().body.bytes(), body);
}

/// A verifier that panics on a body that was read as a possible first contact.
#[tokio::test]
async fn verifier_panic_on_a_body_read_early_is_a_500() {
    #[derive(Clone)]
    struct Panics;
    impl Verifier for Panics {
        type State = ();
        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            Ok(())
        }
        fn update(&self, (): &mut (), _: &[u8]) {
            panic!("in `update`")
        }
        fn finish(&self, (): &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            unreachable!("it has panicked")
        }
        fn defaults(&self) -> VerifierDefaults {
            const PING: &[FirstContact] = &[FirstContact::json(&[("ping", ContactField::True)])];
            VerifierDefaults::DEFAULT.with_first_contacts(PING, &["x-signature"])
        }
    }
    for body in [r#"{"ping":false}"#, "x"] {
        let layer = SignatureLayer::new(Panics);
        assert_eq!(status(&layer, post(&[], body)).await.0, StatusCode::INTERNAL_SERVER_ERROR);
        let reporting = layer.dangerously_report_only();
        assert_eq!(status(&reporting, post(&[], body)).await, (StatusCode::OK, 1), "{body}");
    }
}

const ECHO: Scheme = Scheme::hmac_sha256("x-acme-signature").provider("acme").first_contacts(&[
    FirstContact::json(&[("challenge", ContactField::Token)]).echo_json("challenge"),
    FirstContact::form(&[("challenge", ContactField::Token)]).echo_text("challenge"),
]);

#[tokio::test]
async fn a_challenge_is_echoed_as_a_token_alone() {
    let layer = SignatureLayer::new(ECHO.verifier(secret()).unwrap());
    let longest = "a".repeat(256);
    for token in ["3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "a.b_c~d+e/f=-", &longest]
    {
        let json = format!(r#"{{"challenge":"{token}"}}"#);
        let form = format!("challenge={}", token.replace('+', "%2B"));
        for (body, content_type, expected) in
            [(json.clone(), "application/json", &*json), (form, "text/plain; charset=utf-8", token)]
        {
            let (response, inner) = send(&layer, post(&[], body)).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
            assert_eq!(response.headers()["content-type"], content_type);
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            let answer = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(answer, expected);
        }
    }
    for token in ["", "<b>", "a b", "\\u0061\\u0022", "ä", "a\\n", &format!("{longest}a")] {
        let json = format!(r#"{{"challenge":"{token}"}}"#);
        assert_eq!(status(&layer, post(&[], json)).await, (StatusCode::FORBIDDEN, 0), "{token}");
    }
}

#[tokio::test]
async fn an_event_tells_of_it_without_its_body() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let layer = SignatureLayer::new(SalesforceMarketingCloud::new(secret()).unwrap()).observer(
        move |event: &Event<'_>| {
            assert!(event.body().is_none(), "{:?}", event.kind());
            assert!(event.verified().is_none() && event.rejection().is_none());
            let shown = format!("{event:?}");
            assert!(!shown.contains("A9F2d"), "{shown}");
            let name = event.name().to_owned();
            events.lock().unwrap().push((event.kind(), name, event.provider(), event.is_last()));
        },
    );
    let (_, headers, body) = CONTACTS[5];
    let _: (Response<_>, _) = send(&layer, post(headers, body)).await;
    let expected = (
        EventKind::FirstContact { status: StatusCode::OK },
        "webhook_first_contact".to_owned(),
        "salesforce_marketing_cloud",
        true,
    );
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_profile_of_ones_own_has_them() {
    const PING: &[FirstContact] = &[FirstContact::json(&[("ping", ContactField::Digits)])];
    let defaults = VerifierDefaults::DEFAULT.with_first_contacts(PING, &["x-acme-signature"]);
    let found = SignatureLayer::by_head(|_| ready(Ok(Bitbucket::new(secret()).unwrap())))
        .defaults(defaults);
    let layer = found;
    let answer = |headers| status(&layer, post(headers, r#"{"ping":"1"}"#));
    assert_eq!(answer(&[]).await, (StatusCode::OK, 0));
    assert_eq!(answer(&[("x-acme-signature", "1")]).await, (StatusCode::FORBIDDEN, 0));
}

/// Answers a ping by code: `{"ping":"<number>"}` with the number doubled.
#[tokio::test]
async fn a_verifier_answers_a_first_contact_by_code() {
    #[derive(Clone, Debug)]
    struct Doubles(GitHub);
    impl Verifier for Doubles {
        type State = <GitHub as Verifier>::State;
        fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
            self.0.begin(request)
        }
        fn update(&self, state: &mut Self::State, chunk: &[u8]) {
            self.0.update(state, chunk);
        }
        fn finish(
            &self,
            state: &mut Self::State,
            request: &Context<'_>,
            body: &Bytes,
        ) -> Result<Outcome, Rejection> {
            self.0.finish(state, request, body)
        }
        fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
            assert_ne!(body, "panic");
            assert_eq!(request.head().method, "POST");
            let number: u64 =
                std::str::from_utf8(body).ok()?.strip_prefix("ping ")?.parse().ok()?;
            Some(Response::new((2 * number).to_string().into()))
        }
        fn defaults(&self) -> VerifierDefaults {
            self.0.defaults().with_first_contacts(&[], &["x-hub-signature-256"])
        }
    }
    let doubles = Doubles(GitHub::new(crate::support::secret()).unwrap());
    let body = |text: &str| Script::data([text.to_owned()]).declared(text.len() as u64);
    let other = SharedToken::in_query("token", crate::support::secret()).unwrap();
    for layer in [
        SignatureLayer::new(providers::BoxVerifier::new(doubles.clone())),
        SignatureLayer::new(providers::BoxVerifier::new(any_of(other.clone(), doubles.clone()))),
        SignatureLayer::new(providers::BoxVerifier::new(doubles.clone().and(other))),
        SignatureLayer::new(providers::BoxVerifier::new(Arc::new(doubles.clone()))),
    ] {
        let request = Request::post("/").body(body("ping 21")).unwrap();
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
        let answer = response.into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), "42");
        // Signed, of another method, too long, of no declared length, or no ping: verified, and refused.
        let signed = Request::post("/").header("x-hub-signature-256", "sha256=00");
        let long = format!("ping 21{}", " ".repeat(1_024));
        for request in [
            signed.body(body("ping 21")).unwrap(),
            Request::put("/").body(body("ping 21")).unwrap(),
            Request::post("/").body(body(&long)).unwrap(),
            Request::post("/").body(Script::data(["ping 21"])).unwrap(),
            Request::post("/").body(body("pong 21")).unwrap(),
        ] {
            let (response, inner) = send(&layer, request).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
        }
        let request = Request::post("/").body(body("panic")).unwrap();
        let answer = send(&layer, request).await;
        assert_eq!(kind(&answer.0), Some(RejectionKind::VerifierPanicked));
    }
}

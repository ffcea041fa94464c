//! Panics in the code of users: verifiers, lookups, rejection responses and handlers.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request::Parts};
use tower::{ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_webhook::{
    BufferedBody, Context, Outcome, Rejection, RejectionKind, SignatureLayer, Verified, Verifier,
    layer::Requires, providers::Meta,
};

use super::composition::{call, signed, unsigned};
use crate::support::{Script, assert_refused, meta_layer, send};

fn request() -> Request<Script> {
    Request::post("/").body(Script::data(["hello"])).unwrap()
}

#[tokio::test]
async fn panic_in_verifier_or_lookup_is_answered_with_500() {
    /// Panics in the step that the request names.
    #[derive(Clone)]
    struct Panics;
    fn step(request: &Context<'_>, step: &str) {
        assert!(request.head().headers.get("x-step").is_none_or(|it| it != step), "{step}");
    }
    impl Verifier for Panics {
        type State = bool;
        fn begin(&self, request: &Context<'_>) -> Result<bool, Rejection> {
            step(request, "begin");
            Ok(request.head().headers.get("x-step").is_some_and(|it| it == "update"))
        }
        fn update(&self, panics: &mut bool, _: &[u8]) {
            assert!(!*panics, "update");
        }
        fn finish(
            &self,
            _: &mut bool,
            request: &Context<'_>,
            _: &Bytes,
        ) -> Result<Outcome, Rejection> {
            step(request, "finish");
            Ok(Verified::new("panics").into())
        }
        fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
            step(request, "challenge");
            None
        }
    }

    let layer = SignatureLayer::new(Panics);
    for step in ["begin", "update", "finish", "challenge"] {
        let mut panicking = request();
        panicking.headers_mut().insert("x-step", HeaderValue::from_static(step));
        let answer = send(&layer, panicking).await;
        assert_refused(step, RejectionKind::VerifierPanicked, &answer);
        assert_eq!(answer.0.status(), StatusCode::INTERNAL_SERVER_ERROR, "{step}");
        // The next request of the same layer is not affected.
        assert_eq!(send(&layer, request()).await.0.status(), StatusCode::OK, "{step}");
    }

    let panicked = RejectionKind::VerifierPanicked;
    let later = |_: &Parts| async { panic!("the look-up panics") };
    let layer = SignatureLayer::by_head::<_, Meta>(later);
    assert_refused("look-up's future", panicked, &send(&layer, request()).await);

    let at_once = |head: &Parts| {
        let tenant = head.headers["x-tenant"].clone();
        async move { Err(Rejection::missing(tenant.to_str().unwrap().to_owned())) }
    };
    let layer = SignatureLayer::by_head::<_, Meta>(at_once);
    assert_refused("look-up's closure", panicked, &send(&layer, request()).await);

    let later = |_: &Parts, _: &Bytes| async { panic!("the look-up panics") };
    let layer = SignatureLayer::by_body::<_, Meta>(Requires::nothing(), later);
    assert_refused("late look-up's future", panicked, &send(&layer, request()).await);

    let at_once = |head: &Parts, _: &Bytes| {
        let tenant = head.headers["x-tenant"].clone();
        async move { Err(Rejection::missing(tenant.to_str().unwrap().to_owned())) }
    };
    let layer = SignatureLayer::by_body::<_, Meta>(Requires::nothing(), at_once);
    assert_refused("late look-up's closure", panicked, &send(&layer, request()).await);

    // An answer that cannot be built is the empty one.
    let layer = meta_layer().rejection_response(|_| panic!("the answer panics"));
    assert_refused("answer", RejectionKind::Missing, &send(&layer, request()).await);
}

#[tokio::test]
async fn inner_panic_is_left_to_the_catch_panic_layer() {
    let panicking = service_fn(
        |_: Request<BufferedBody>| -> std::future::Ready<Result<Response<String>, Infallible>> {
            panic!("in the handler")
        },
    );
    let above =
        ServiceBuilder::new().layer(CatchPanicLayer::new()).layer(meta_layer()).service(panicking);
    let below =
        ServiceBuilder::new().layer(meta_layer()).layer(CatchPanicLayer::new()).service(panicking);
    for (name, answer) in [
        ("above", call("above", &above, signed("hello")).await),
        ("below", call("below", &below, signed("hello")).await),
    ] {
        assert_eq!(answer.0, StatusCode::INTERNAL_SERVER_ERROR, "{name}");
        assert_eq!(answer.1, "Service panicked", "{name}");
    }
    assert_eq!(call("above", &above, unsigned("hello")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call("below", &below, unsigned("hello")).await.0, StatusCode::FORBIDDEN);
}

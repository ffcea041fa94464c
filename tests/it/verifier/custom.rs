//! A third party's verifiers, written outside the crate.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, request::Parts};
use tower::{Layer, Service};
use tower_webhook::{
    Context, Outcome, Rejection, RejectionKind, Scheme, Secret, SignatureLayer, Verified, Verifier,
    observe::SensitiveParts,
    providers::{BoxVerifier, GitHub, Meta, MicrosoftGraph, SharedToken, Wsapi},
    scheme::Challenge,
    verifier::{VerifierDefaults, all_of, any_of, verifier_fn, with_challenge},
};

use crate::support::{
    Inner, SECRET, Script, assert_refused, hmac_sha256, meta_request, secret, send,
};

const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature");

fn acme_request(body: &'static str) -> Request<Script> {
    let signature = hmac_sha256(SECRET, b"hello");
    Request::post("/").header("x-acme-signature", signature).body(Script::data([body])).unwrap()
}

#[tokio::test]
async fn a_declared_scheme_is_one_line() {
    let layer = SignatureLayer::new(ACME.verifier(secret()).unwrap());
    let (response, inner) = send(&layer, acme_request("hello")).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    let answer = send(&layer, acme_request("hullo")).await;
    assert_refused("changed", RejectionKind::SignatureMismatch, &answer);
}

#[tokio::test]
async fn a_function_is_five_lines() {
    let token = secret();
    let layer = SignatureLayer::new(verifier_fn(move |head, _body| {
        let received = head.headers.get("x-token").ok_or(Rejection::missing("x-token"))?;
        let is_genuine = token.matches(received.as_bytes());
        is_genuine.then(|| Verified::new("acme")).ok_or(Rejection::mismatch())
    }));
    for (token, status) in [(SECRET, 200), ("other", 403)] {
        let request = Request::post("/").header("x-token", token).body(Script::data(["x"]));
        let (response, _) = send(&layer, request.unwrap()).await;
        assert_eq!(response.status(), status, "{token}");
    }
    let answer = send(&layer, Request::post("/").body(Script::data(["x"])).unwrap()).await;
    assert_refused("missing", RejectionKind::Missing, &answer);
}

/// The sum of all bytes, in a header. No signature at all, but a verifier.
#[derive(Clone)]
struct Sum;

impl Verifier for Sum {
    type State = (u64, u64);

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        let sum = request.head().headers.get("x-sum").ok_or(Rejection::missing("x-sum"))?.to_str();
        let sum = sum.ok().and_then(|sum| sum.parse().ok());
        Ok((sum.ok_or(Rejection::malformed("x-sum"))?, 0))
    }

    fn update(&self, (_, sum): &mut Self::State, chunk: &[u8]) {
        *sum += chunk.iter().copied().map(u64::from).sum::<u64>();
    }

    fn finish(
        &self,
        (told, sum): &mut Self::State,
        _: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let is_told = told == sum;
        is_told.then(|| Verified::new("sum").into()).ok_or(Rejection::mismatch())
    }
}

#[tokio::test]
async fn own_verifier_sees_every_body_chunk() {
    for (sum, expected) in [("3", Ok(())), ("4", Err(RejectionKind::SignatureMismatch))] {
        let body = Script::data([&b"\x01"[..], b"", b"\x02"]);
        let request = Request::post("/").header("x-sum", sum).body(body).unwrap();
        let answer = send(&SignatureLayer::new(Sum), request).await;
        match expected {
            Ok(()) => assert_eq!(answer.1.only_call().verified().provider(), "sum"),
            Err(kind) => assert_refused(sum, kind, &answer),
        }
    }
    for (sum, kind) in [("x", RejectionKind::Malformed), ("-1", RejectionKind::Malformed)] {
        let request = Request::post("/").header("x-sum", sum).body(Script::untouchable()).unwrap();
        assert_refused(sum, kind, &send(&SignatureLayer::new(Sum), request).await);
    }
}

#[tokio::test]
async fn a_verifier_that_is_not_clone_goes_into_an_arc() {
    struct NotClone(Sum);
    impl Verifier for NotClone {
        type State = (u64, u64);
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
    }
    let request = Request::post("/").header("x-sum", "1").body(Script::data([&b"\x01"[..]]));
    let layer = SignatureLayer::new(Arc::new(NotClone(Sum)));
    assert_eq!(send(&layer, request.unwrap()).await.0.status(), StatusCode::OK);

    // An `Arc` forwards everything, handshakes included.
    let meta =
        Arc::new(Meta::new(secret()).unwrap().verify_token(Secret::new("t").unwrap()).unwrap());
    assert_eq!(Verifier::defaults(&meta), Meta::DEFAULTS);
    let uri = "/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=1";
    let request = Request::get(uri).body(Script::untouchable()).unwrap();
    let (response, inner) = send(&SignatureLayer::new(meta), request).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
}

fn both_headers(signed: &[u8], token: &str) -> Request<Script> {
    let signature = format!("sha256={}", hmac_sha256(SECRET, signed));
    Request::post("/")
        .header("x-webhook-signature", signature)
        .header("x-webhook-auth", token)
        .body(Script::data(["hel", "lo"]))
        .unwrap()
}

fn token() -> SharedToken {
    SharedToken::new(HeaderName::from_static("x-webhook-auth"), Secret::new("token").unwrap())
        .unwrap()
}

#[tokio::test]
async fn all_of_wants_both() {
    let layer = SignatureLayer::new(all_of(Wsapi::new(secret()).unwrap(), token()));
    let (response, inner) = send(&layer, both_headers(b"hello", "token")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(inner.only_call().verified().provider(), "wsapi", "the first one's proof");

    let mismatch = RejectionKind::SignatureMismatch;
    for (name, request) in [
        ("bad signature", both_headers(b"other", "token")),
        ("bad token", both_headers(b"hello", "nekot")),
        ("both bad", both_headers(b"other", "nekot")),
    ] {
        assert_refused(name, mismatch, &send(&layer, request).await);
    }
    let mut unsigned = both_headers(b"hello", "token").map(|_| Script::untouchable());
    unsigned.headers_mut().remove("x-webhook-signature");
    assert_refused("unsigned", RejectionKind::Missing, &send(&layer, unsigned).await);
}

#[tokio::test]
async fn any_of_wants_either() {
    let layer = SignatureLayer::new(any_of(Wsapi::new(secret()).unwrap(), token()));
    for (name, request, provider) in [
        ("both good", both_headers(b"hello", "token"), "wsapi"),
        ("signature", both_headers(b"hello", "nekot"), "wsapi"),
        ("token", both_headers(b"other", "token"), "shared_token"),
    ] {
        let (response, inner) = send(&layer, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(inner.only_call().verified().provider(), provider, "{name}");
    }
    let answer = send(&layer, both_headers(b"other", "nekot")).await;
    assert_refused("both bad", RejectionKind::SignatureMismatch, &answer);

    let neither = Request::post("/").body(Script::untouchable()).unwrap();
    assert_refused("neither", RejectionKind::Missing, &send(&layer, neither).await);

    // The larger body limit holds, and each one keeps its own state through the chunks.
    let layer =
        SignatureLayer::new(any_of(GitHub::new(secret()).unwrap(), Meta::new("x").unwrap()));
    assert_eq!(
        send(&layer, meta_request(b"hello", Script::data(["hel", "lo"]))).await.0.status(),
        200
    );
    let declared = Script::untouchable().declared((25 << 20) + 1);
    let answer = send(&layer, meta_request(b"", declared)).await;
    assert_refused("limit", RejectionKind::BodyTooLarge, &answer);
}

/// Accepts or refuses after the body, and answers a GET in its own name.
#[derive(Clone)]
struct Late(&'static str, Result<(), RejectionKind>);

impl Verifier for Late {
    type State = Vec<u8>;
    fn begin(&self, request: &Context<'_>) -> Result<Vec<u8>, Rejection> {
        let refuses = request.head().headers.contains_key(self.0);
        if refuses { Err(Rejection::missing(self.0)) } else { Ok(Vec::new()) }
    }
    fn update(&self, seen: &mut Vec<u8>, chunk: &[u8]) {
        seen.extend_from_slice(chunk);
    }
    fn finish(
        &self,
        seen: &mut Vec<u8>,
        _: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        assert_eq!(seen[..], body[..], "{} has seen each chunk", self.0);
        self.1.map(|()| Verified::new(self.0).into()).map_err(Rejection::new)
    }
    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let query = request.head().uri.query()?;
        Some(if query == self.0 {
            Ok(Response::new(Bytes::from_static(self.0.as_bytes())))
        } else {
            Err(Rejection::new(RejectionKind::ChallengeFailed))
        })
    }
    fn defaults(&self) -> VerifierDefaults {
        let limit = if self.0 == "a" { 10 } else { 20 };
        VerifierDefaults::DEFAULT.with_provider(self.0).with_body_limit(limit)
    }
}

fn plain(body: &'static str) -> Request<Script> {
    Request::post("/").body(Script::data([body])).unwrap()
}

#[tokio::test]
async fn combined_verifiers_keep_separate_verdicts() {
    use RejectionKind::{ClockUnreliable, Missing, SignatureMismatch};
    const GOOD: Result<(), RejectionKind> = Ok(());
    const BAD: Result<(), RejectionKind> = Err(SignatureMismatch);
    const DOWN: Result<(), RejectionKind> = Err(ClockUnreliable);
    for (name, first, second, refused_head, all, any) in [
        ("both", GOOD, GOOD, "", Ok("a"), Ok("a")),
        ("first", GOOD, BAD, "", Err(SignatureMismatch), Ok("a")),
        ("second", BAD, GOOD, "", Err(SignatureMismatch), Ok("b")),
        ("neither", BAD, BAD, "", Err(SignatureMismatch), Err(SignatureMismatch)),
        ("first's head refused", GOOD, GOOD, "a", Err(Missing), Ok("b")),
        ("second's head refused", GOOD, GOOD, "b", Err(Missing), Ok("a")),
        // The one whose head was in order was meant; one that cannot decide asks to come again.
        ("head and mismatch", GOOD, BAD, "a", Err(Missing), Err(SignatureMismatch)),
        ("mismatch and head", BAD, GOOD, "b", Err(Missing), Err(SignatureMismatch)),
        ("cannot decide", BAD, DOWN, "", Err(SignatureMismatch), Err(ClockUnreliable)),
        ("cannot decide, head", GOOD, DOWN, "a", Err(Missing), Err(ClockUnreliable)),
    ] {
        let request = || {
            let mut request = plain("hello");
            if !refused_head.is_empty() {
                let refused = HeaderName::from_static(refused_head);
                request.headers_mut().insert(refused, "1".parse().unwrap());
            }
            request
        };
        let (a, b) = (Late("a", first), Late("b", second));
        let answers = [
            (send(&SignatureLayer::new(all_of(a.clone(), b.clone())), request()).await, all),
            (send(&SignatureLayer::new(any_of(a, b)), request()).await, any),
        ];
        for (answer, expected) in answers {
            match expected {
                Ok(provider) => {
                    assert_eq!(answer.1.only_call().verified().provider(), provider, "{name}");
                }
                Err(kind) => assert_refused(name, kind, &answer),
            }
        }
    }
}

#[tokio::test]
async fn either_challenge_is_answered_and_larger_limit_used() {
    let (a, b) = (Late("a", Ok(())), Late("b", Ok(())));
    let any = SignatureLayer::new(any_of(a.clone(), b.clone()));
    let all = SignatureLayer::new(all_of(a, b));
    for (query, status) in [("a", 200), ("b", 200), ("c", 403)] {
        let request = Request::get(format!("/?{query}")).body(Script::untouchable()).unwrap();
        assert_eq!(send(&any, request).await.0.status(), status, "{query}");
    }
    for (layer, len, status) in [(&any, 20, 200), (&any, 21, 413)] {
        let body = Script::data([vec![b'x'; len]]);
        let request = Request::post("/").body(body).unwrap();
        assert_eq!(send(layer, request).await.0.status(), status, "{len}");
    }
    // `all_of` judges the same body: the larger limit holds there too.
    for (len, status) in [(20, 200), (21, 413)] {
        let request = Request::post("/").body(Script::data([vec![b'x'; len]])).unwrap();
        assert_eq!(send(&all, request).await.0.status(), status, "{len}");
    }
}

/// Refuses from the head.
struct Refusing(RejectionKind);

impl Verifier for Refusing {
    type State = ();
    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Err(Rejection::new(self.0))
    }
    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        unreachable!("the head is refused")
    }
}

#[test]
fn any_of_tells_the_refusal_that_came_further() {
    use RejectionKind::*;
    let (head, _) = Request::new(()).into_parts();
    // Each says more than those before it.
    let ranks: [&[RejectionKind]; 6] = [
        &[Missing],
        &[Malformed, Repeated],
        &[ChallengeFailed, BodyNotSigned, UnknownTenant, UrlUnresolved],
        &[SignatureMismatch],
        &[TimestampInFuture, TimestampStale],
        &[ClockUnreliable, VerifierPanicked, VerifierUnavailable],
    ];
    let ranked = |rank: usize| ranks[rank].iter().map(move |kind| (rank, *kind));
    let kinds: Vec<_> = (0..ranks.len()).flat_map(ranked).collect();
    for (first_rank, first) in &kinds {
        for (second_rank, second) in &kinds {
            let told = any_of(Refusing(*first), Refusing(*second))
                .begin(&Context::new(&head))
                .unwrap_err();
            let expected = if second_rank > first_rank { second } else { first };
            assert_eq!(told.kind(), *expected, "{first} and {second}");
        }
    }
}

/// Takes every head, and refuses the body.
struct RefusingBody(RejectionKind);

impl Verifier for RefusingBody {
    type State = ();
    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }
    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Err(Rejection::new(self.0))
    }
}

#[test]
fn any_of_tells_the_refusal_of_the_head_in_order() {
    use RejectionKind::*;
    let (head, _) = Request::new(()).into_parts();
    for (body, other, expected) in [
        // The verifier whose head was in order is meant, though the other one came as far.
        (Malformed, TimestampStale, Malformed),
        (SignatureMismatch, Missing, SignatureMismatch),
        // A verifier that could not decide makes the sender send again.
        (SignatureMismatch, VerifierUnavailable, VerifierUnavailable),
    ] {
        let (body, other) = (|| RefusingBody(body), || Refusing(other));
        let told =
            tower_webhook::verify(&any_of(body(), other()), &head, &Bytes::new()).unwrap_err();
        assert_eq!(told.kind(), expected, "first");
        let told =
            tower_webhook::verify(&any_of(other(), body()), &head, &Bytes::new()).unwrap_err();
        assert_eq!(told.kind(), expected, "second");
    }
}

#[test]
fn any_of_meta_and_a_password_tells_a_mismatch() {
    use tower_webhook::providers::BasicAuth;
    let (guess, _) = Request::post("/")
        .header("authorization", "Basic dXNlcjpndWVzcw==")
        .body(())
        .unwrap()
        .into_parts();
    let password = || BasicAuth::new("user", secret()).unwrap();
    let meta = || Meta::new(secret()).unwrap();
    for told in [
        any_of(meta(), password()).begin(&Context::new(&guess)).err(),
        any_of(password(), meta()).begin(&Context::new(&guess)).err(),
    ] {
        assert_eq!(told.map(|why| why.kind()), Some(RejectionKind::SignatureMismatch));
    }
}

#[test]
fn futures_and_services_move_between_threads() {
    fn is_send<T: Send + 'static>(_: T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let layer = SignatureLayer::new(all_of(Meta::new(secret()).unwrap(), token()));
    is_sync(&layer);
    let mut service = layer.layer(Inner::default());
    is_sync(&service);
    is_send(service.call(acme_request("hello")));
    is_send(service);
}

#[test]
fn every_type_has_a_debug_that_names_it() {
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap())
        .rejection_response(tower_webhook::layer::default_response);
    let text = format!("{layer:?}");
    assert!(text.starts_with("SignatureLayer") && text.contains("<fn>"), "{text}");
    let mut service = layer.layer(());
    assert!(format!("{service:?}").starts_with("SignatureService"));
    assert_eq!(service.get_ref(), &());
    *service.get_mut() = ();
    service.into_inner();
    let mut service = layer.layer(Inner::default());
    let text = format!("{:?}", service.call(acme_request("")));
    assert!(text.contains("Drain"), "{text}");
}

#[tokio::test]
async fn a_verifiers_reply_is_given_in_the_handlers_place() {
    #[derive(Clone)]
    struct Pongs;
    impl Verifier for Pongs {
        type State = ();
        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            Ok(())
        }
        fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            let response = Response::new(Bytes::from_static(b"pong"));
            Ok(Outcome::Reply(response, Verified::new("acme")))
        }
    }
    let verifier = verifier_fn(|_: &Parts, _: &Bytes| Ok(Verified::new("acme")));
    assert!(format!("{verifier:?}").starts_with("VerifierFn"), "{verifier:?}");
    let request = Request::post("/").body(Script::data(["ping"])).unwrap();
    let (response, inner) = send(&SignatureLayer::new(Pongs), request).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
    let answer = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(answer.to_bytes(), "pong");
}

#[test]
fn combined_verifiers_unite_their_sensitive_parts() {
    let header: HeaderName = "x-token".parse().unwrap();
    let open = || SharedToken::new(header.clone(), secret()).unwrap();
    let hidden = || SharedToken::in_query("code", secret()).unwrap();
    let graph = || MicrosoftGraph::new(secret()).unwrap();
    let parts = |verifier: &dyn Fn() -> SensitiveParts| {
        let parts = verifier();
        (parts.has_url(), parts.has_header(&header), parts.has_field("clientState"))
    };
    assert_eq!(parts(&|| open().sensitive_parts()), (false, true, false));
    assert_eq!(parts(&|| hidden().sensitive_parts()), (true, false, false));
    assert_eq!(parts(&|| all_of(open(), hidden()).sensitive_parts()), (true, true, false));
    assert_eq!(parts(&|| any_of(graph(), open()).sensitive_parts()), (false, true, true));
    assert_eq!(parts(&|| graph().for_tenant("a").sensitive_parts()), (false, false, true));
    assert_eq!(parts(&|| Arc::new(open()).sensitive_parts()), (false, true, false));
    assert_eq!(parts(&|| BoxVerifier::new(hidden()).sensitive_parts()), (true, false, false));
    let with = with_challenge(open(), Challenge::Head).unwrap();
    assert_eq!(parts(&|| with.sensitive_parts()), (false, true, false));
    let defaults = VerifierDefaults::DEFAULT.with_secret_url().with_sensitive_headers(&["x-token"]);
    let closure = verifier_fn(|_: &Parts, _: &Bytes| Err(Rejection::mismatch()));
    assert_eq!(parts(&|| closure.sensitive_parts()), (false, false, false));
    let closure = closure.with_defaults(defaults.with_sensitive_fields(&["ClientSTATE"]));
    assert_eq!(parts(&|| closure.sensitive_parts()), (true, true, true));
}

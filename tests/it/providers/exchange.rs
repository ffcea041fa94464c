//! A token that a provider sends once is handed to whoever waits for it, and is no secret by that.

use std::{
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use http_body_util::Full;
use tower_webhook::{
    Rejection, RejectionKind, Secret, SignatureLayer,
    layer::{ByHead, Source},
    observe::{Event, EventKind},
    providers::{Notion, SalesforceMarketingCloud, TokenExchange},
};

use crate::support::{hmac_sha256, kind, send};

const GENUINE: &str = "secret_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const STRANGERS: &str = "secret_of-a-stranger";

fn place(head: &Parts) -> Option<String> {
    Some(head.uri.path().to_owned())
}

fn contact(path: &str, token: &str) -> Request<Full<Bytes>> {
    signed(path, format!(r#"{{"verification_token":"{token}"}}"#), None)
}

fn signed(path: &str, body: String, secret: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(secret) = secret {
        let tag = format!("sha256={}", hmac_sha256(secret, body.as_bytes()));
        request = request.header("x-notion-signature", tag);
    }
    request.body(Full::from(body)).unwrap()
}

/// Webhooks whose secrets are stored under their paths.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<Vec<(String, Secret)>>>);

impl Secrets {
    fn store(&self, path: &str, secret: &str) {
        self.0.lock().unwrap().push((path.to_owned(), Secret::new(secret).unwrap()));
    }

    fn layer(&self, exchange: &TokenExchange) -> SignatureLayer<impl Source + Clone> {
        let secrets = self.clone();
        let look_up = ByHead::new(move |head: &Parts| {
            let secrets = secrets.0.lock().unwrap();
            let found = secrets.iter().find(|(path, _)| path == head.uri.path());
            let found = found.map(|(_, secret)| Notion::new(secret.clone()).unwrap());
            ready(found.ok_or(Rejection::unknown_tenant()))
        });
        let source = Notion::with_token_exchange(look_up, exchange.clone(), place);
        SignatureLayer::new(source).defaults(Notion::DEFAULTS)
    }
}

async fn status<M: Source + Clone>(
    layer: &SignatureLayer<M>,
    request: Request<Full<Bytes>>,
) -> (u16, usize) {
    let (response, inner) = send(layer, request).await;
    (response.status().as_u16(), inner.count())
}

async fn taken(receipt: impl Future<Output = Secret>, token: &str) {
    let found = tokio::time::timeout(Duration::from_secs(5), receipt).await.unwrap();
    assert!(found.matches(token.as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn token_is_handed_over_once_and_is_not_a_secret() {
    let (exchange, secrets) = (TokenExchange::new(), Secrets::default());
    let layer = secrets.layer(&exchange);
    let event = |secret| signed("/a", r#"{"id":"1"}"#.to_owned(), Some(secret));
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (403, 0), "not open");
    let receipt = exchange.open("/a").unwrap();
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (200, 0));
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (403, 0), "once");
    taken(receipt, GENUINE).await;
    // Nobody has stored it.
    assert_eq!(status(&layer, event(GENUINE)).await, (403, 0));
    secrets.store("/a", GENUINE);
    assert_eq!(status(&layer, event(GENUINE)).await, (200, 1));
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (403, 0), "closed");
}

/// A stranger's token is shown to the operator, who finds that Notion does not take it.
#[tokio::test(start_paused = true)]
async fn forged_first_contact_changes_no_secret() {
    let (exchange, secrets) = (TokenExchange::new(), Secrets::default());
    let layer = secrets.layer(&exchange);
    secrets.store("/a", "the secret of an older webhook");
    let event = |secret| signed("/a", r#"{"id":"1"}"#.to_owned(), Some(secret));
    let receipt = exchange.open("/a").unwrap();
    assert_eq!(status(&layer, contact("/a", STRANGERS)).await, (200, 0));
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (403, 0));
    taken(receipt, STRANGERS).await;
    assert_eq!(status(&layer, event(STRANGERS)).await, (403, 0));
    assert_eq!(status(&layer, event("the secret of an older webhook")).await, (200, 1));
    // The operator tries again, and has the token sent again.
    let receipt = exchange.open("/a").unwrap();
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (200, 0));
    taken(receipt, GENUINE).await;
}

#[tokio::test]
async fn of_two_at_once_one_is_handed_over() {
    let (exchange, secrets) = (TokenExchange::new(), Secrets::default());
    let layer = secrets.layer(&exchange);
    let receipt = exchange.open("/a").unwrap();
    assert!(exchange.open("/a").is_none(), "one receipt at a time");
    let tokens = [GENUINE, STRANGERS];
    let answer = async |token| status(&layer, contact("/a", token)).await.0;
    let (first, second) = tokio::join!(answer(tokens[0]), answer(tokens[1]));
    let answers = [first, second];
    let winner = answers.iter().position(|status| *status == 200).unwrap();
    assert_eq!(answers[1 - winner], 403);
    taken(receipt, tokens[winner]).await;
}

#[tokio::test(start_paused = true)]
async fn exchange_is_open_only_at_its_path_while_awaited() {
    let (exchange, secrets) = (TokenExchange::new(), Secrets::default());
    secrets.store("/known", GENUINE);
    let layer = secrets.layer(&exchange);
    let receipt = exchange.open("/a").unwrap();
    // The same answer wherever no exchange is open, whether there is such a tenant or not.
    for path in ["/known", "/nobody", "/a/b", "/"] {
        let (response, inner) = send(&layer, contact(path, STRANGERS)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0), "{path}");
        assert!(response.headers().is_empty(), "{path}");
    }
    drop(receipt);
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (403, 0));
    // A receipt that was dropped late closes nobody else's.
    let first = exchange.open("/a").unwrap();
    assert_eq!(status(&layer, contact("/a", STRANGERS)).await, (200, 0));
    let second = exchange.open("/a").unwrap();
    drop(first);
    assert_eq!(status(&layer, contact("/a", GENUINE)).await, (200, 0));
    taken(second, GENUINE).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_whole_form_is_taken() {
    let (exchange, secrets) = (TokenExchange::new(), Secrets::default());
    let layer = secrets.layer(&exchange);
    let receipt = exchange.open("/a").unwrap();
    let body = |token: &str| format!(r#"{{"verification_token":"{token}"}}"#);
    for (name, request) in [
        ("another field", signed("/a", r#"{"verification_token":"a","b":1}"#.to_owned(), None)),
        ("a page", signed("/a", body("<b>"), None)),
        ("too long", signed("/a", body(&"a".repeat(257)), None)),
        ("longer", signed("/a", format!("{}{}", body("a"), " ".repeat(1024)), None)),
        ("a stranger's signature", signed("/a", body(GENUINE), Some(STRANGERS))),
    ] {
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0), "{name}");
        assert_eq!(kind(&response), Some(RejectionKind::UnknownTenant), "{name}");
    }
    let mut put = contact("/a", GENUINE);
    *put.method_mut() = http::Method::PUT;
    assert_eq!(status(&layer, put).await, (403, 0));
    // Notion's own samples sign it with the token that is in it.
    assert_eq!(status(&layer, signed("/a", body(GENUINE), Some(GENUINE))).await, (200, 0));
    taken(receipt, GENUINE).await;
}

#[tokio::test(start_paused = true)]
async fn marketing_cloud_contact_is_always_answered_200() {
    let exchange = TokenExchange::new();
    let secret = Secret::new("the signature key of the callback").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let source = SalesforceMarketingCloud::with_token_exchange(
        SalesforceMarketingCloud::new(secret).unwrap(),
        exchange.clone(),
        place,
    );
    let layer = SignatureLayer::new(source).observer(move |event: &Event<'_>| {
        assert!(event.body().is_none() && !format!("{event:?}").contains("key-1"));
        events.lock().unwrap().push(event.kind());
    });
    let contact = || {
        let body = r#"{"callbackId":"c-1","verificationKey":"key-1"}"#;
        Request::post("/sfmc").body(Full::<Bytes>::from(body)).unwrap()
    };
    assert_eq!(status(&layer, contact()).await, (200, 0));
    let receipt = exchange.open("/sfmc").unwrap();
    assert_eq!(status(&layer, contact()).await, (200, 0));
    taken(receipt, "key-1").await;
    assert_eq!(status(&layer, contact()).await, (200, 0));
    let expected = EventKind::FirstContact { status: StatusCode::OK };
    assert_eq!(*seen.lock().unwrap(), [expected; 3]);
}

#[test]
fn nothing_shows_a_token() {
    let exchange = TokenExchange::new();
    let receipt = exchange.open("/a").unwrap();
    let notion = Notion::new("the secret").unwrap();
    let source = Notion::with_token_exchange(notion, exchange.clone(), place);
    let shown = format!("{exchange:?} {receipt:?} {source:?}");
    assert!(shown.contains("open: 1") && shown.contains("/a"), "{shown}");
    assert!(shown.contains("WithTokenExchange"), "{shown}");
    let hidden = format!("{:?}", SignatureLayer::new(source));
    assert!(hidden.contains("verification_token"), "{hidden}");
    assert!(hidden.contains("x-notion-signature"), "{hidden}");
}

//! What leaves the layer never holds a secret, a tag, a received signature or the body.

use bytes::Bytes;
use http_body_util::BodyExt;
use tower_webhook::{
    Rejection, SignatureLayer, Verified,
    layer::{ByBody, ByHead, Requires, TrustedProxies},
    providers::Meta,
};

use crate::{
    genuine::genuine,
    support::{SECRET, Script, hmac_sha256, meta_layer, meta_request, secret, send},
};

const BODY: &str = "body-canary-4711";

#[tokio::test]
async fn rejection_shows_no_request_data_and_no_secret() {
    let expected_tag = hmac_sha256(SECRET, BODY.as_bytes());
    let received = hmac_sha256(SECRET, b"something else");
    let request = meta_request(b"something else", Script::data([BODY]));
    let (response, _) = send(&meta_layer(), request).await;
    let rejection = response.extensions().get::<Rejection>().unwrap().clone();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let shown = format!("{rejection:?} {rejection} {head:?} {body:?}");
    for canary in [SECRET, BODY, &expected_tag, &received, &expected_tag[..16], &received[..16]] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
    assert!(shown.contains("SignatureMismatch"), "{shown}");
}

#[tokio::test]
async fn verified_debug_shows_no_signature_and_no_secret() {
    let tag = hmac_sha256(SECRET, BODY.as_bytes());
    let (_, inner) = send(&meta_layer(), meta_request(BODY.as_bytes(), Script::data([BODY]))).await;
    let call = inner.only_call();
    let verified: &Verified = call.verified();
    let key = verified.replay_key().unwrap();
    let shown = format!("{verified:?} {key:?}");
    let tag_bytes: Vec<u8> = (0..tag.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap())
        .collect();
    for canary in [SECRET.to_owned(), tag.clone(), format!("{:?}", &tag_bytes[..8])] {
        let canary = canary.trim_matches(['[', ']']);
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
}

#[tokio::test]
async fn layer_service_and_future_debug_show_no_secret() {
    use tower::{Layer, Service};
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(secret()).unwrap());
    let mut service = layer.layer(crate::support::Inner::default());
    let request = meta_request(BODY.as_bytes(), Bytes::from(BODY)).map(http_body_util::Full::new);
    let future = service.call(request);
    let shown = format!("{layer:?} {service:?} {future:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(BODY), "{shown}");
}

#[tokio::test]
async fn what_is_shown_says_what_it_is() {
    use std::sync::{Arc, Mutex};

    use tower_webhook::{
        Context, PublicUrl, Verifier,
        observe::{Alerts, ClientIp, Event, Throttled},
        providers::{Asana, Mailgun, Twilio, Worldpay, by_name},
        verifier::MakeVerifier,
    };

    let look_up = || async { Ok(Meta::new(secret()).unwrap()) };
    let url = TrustedProxies::new(["2001:db8::/32"], |_| None)
        .and_then(|proxies| PublicUrl::forwarded(["a.example"], proxies))
        .unwrap();
    let twilio = Twilio::new(secret(), url).unwrap();
    let worldpay = Worldpay::new("1", secret()).unwrap();
    let exchange = Asana::with_secret_exchange(
        |_| async { Ok(Asana::new(secret()).unwrap()) },
        |_, _| async { Ok(false) },
    );
    let addresses = ClientIp::new(|_| None);
    let begun = |name| genuine().into_iter().find(|genuine| genuine.name == name).unwrap().debug;
    let (head, _) = meta_request(b"", ()).into_parts();
    let any = by_name("github").unwrap().verifier(secret()).unwrap();
    for (shown, expected) in [
        (format!("{:?}", ByHead::new(move |_| look_up())), "ByHead { requires"),
        (
            format!("{:?}", ByBody::new(Requires::nothing(), move |_, _| look_up())),
            "ByBody { requires",
        ),
        (format!("{twilio:?}"), "Twilio { url: PublicUrl::forwarded"),
        (format!("{twilio:?}"), "2001:db8::/32"),
        (format!("{worldpay:?}"), "Worldpay"),
        (format!("{exchange:?}"), "AsanaExchange"),
        (format!("{:?}", Alerts::new(|_| {})), "Alerts { threshold"),
        (format!("{:?}", Throttled::new((), 7)), "Window { passed: 0"),
        (format!("{addresses:?}"), "ClientIp::Peer"),
        (format!("{:?}", secret()), "Secret("),
        (format!("{:?}", Meta::new(secret()).unwrap()), "secrets: 1"),
        (begun("GitHub"), "SchemeState"),
        (begun("Twilio"), "TwilioState"),
        (begun("Worldpay"), "WorldpayState"),
        (begun("Persona"), "PersonaState"),
        (format!("{any:?}"), "BoxVerifier(\"github\")"),
        (format!("{:?}", any.begin(&Context::new(&head)).unwrap()), "AnyState"),
        (format!("{:?}", exchange.make_verifier(&head)), "AsanaFuture"),
        (format!("{:?}", by_name("github").unwrap()), "Scheme { defaults"),
        (format!("{:?}", by_name("twilio").unwrap()), "build: Own"),
        (format!("{:?}", Mailgun::new(secret()).unwrap()), "Mac([redacted])"),
        (format!("{:?}", Verified::new("acme")), "Verified { provider: \"acme\", key_index: 0"),
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    let events = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&events);
    let observer = move |event: &Event<'_>| *told.lock().unwrap() += &format!("{event:?}");
    let layer = meta_layer().observer(observer);
    assert!(format!("{layer:?}").contains("observers: 1"), "{layer:?}");
    let two = layer.clone().observer(|_: &Event<'_>| {});
    assert!(format!("{two:?}").contains("observers: 2"), "{two:?}");
    send(&layer, meta_request(b"", Script::data([BODY]))).await;
    let events = events.lock().unwrap();
    assert!(events.starts_with("Event { kind: "), "{events}");
    assert!(events.contains("attempt: Attempt { provider: \"meta\""), "{events}");
    let kind = tower_webhook::RejectionKind::UrlUnresolved;
    assert_eq!(kind.to_string(), kind.as_str());
}

use std::{
    env::VarError,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::{json, post};
use crate::{
    net::{send, serve_axum},
    support::hmac_sha256,
};

#[path = "../../../examples/whatsapp.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

use example::Notification;

const APP_SECRET: &str = "the-app-secret-of-this-test";
const VERIFY_TOKEN: &str = "the-verify-token-of-this-test";

fn environment(name: &str) -> Result<String, VarError> {
    match name {
        "WHATSAPP_APP_SECRET" => Ok(APP_SECRET.to_owned()),
        "WHATSAPP_WEBHOOK_VERIFY_TOKEN" => Ok(VERIFY_TOKEN.to_owned()),
        _ => Err(VarError::NotPresent),
    }
}

type Received = Arc<Mutex<Vec<Notification>>>;

async fn serve() -> (SocketAddr, Received) {
    let received = Received::default();
    let inbox = Arc::clone(&received);
    let meta = example::verifier(environment).unwrap();
    let app = example::app(meta, move |notification| inbox.lock().unwrap().push(notification));
    (serve_axum(app).await, received)
}

fn signed(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let body = body.into();
    let signature = format!("sha256={}", hmac_sha256(APP_SECRET, &body));
    post("/webhook", &[("x-hub-signature-256", &signature)], body)
}

fn error(message: &str) -> Value {
    json!({"status": "error", "message": message})
}

#[tokio::test]
async fn messages_and_statuses_arrive_in_types() {
    let (address, received) = serve().await;
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"defaults": {"name": "Anna"}, "wa_id": "16505551234"}],
        "messages": [
            {"from": "16505551234", "id": "wamid.1", "timestamp": "1749416383", "type": "text",
             "text": {"body": "grüß dich"}},
            {"from": "16505551234", "id": "wamid.2", "timestamp": "1749416384", "type": "image",
             "image": {"id": "7"}},
        ],
    });
    let status = json!({
        "messaging_product": "whatsapp",
        "statuses": [{"id": "wamid.3", "status": "delivered", "timestamp": "1749416385",
                      "recipient_id": "16505551234"}],
    });
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [
            {"field": "messages", "value": value}, {"field": "messages", "value": status},
        ]}],
    });
    let response = send(address, signed(body.to_string())).await;
    assert_eq!(json(&response), (200, json!({"status": "ok"})));

    let received = received.lock().unwrap();
    let [notification] = &received[..] else { panic!("received {received:?}") };
    let [messages, statuses] = &notification.entry[0].changes[..] else { panic!() };
    let [text, image] = &messages.value.messages[..] else { panic!() };
    assert_eq!((&*text.id, &*text.from), ("wamid.1", "16505551234"));
    assert_eq!(text.text.as_ref().unwrap().body, "grüß dich");
    assert_eq!(image.id, "wamid.2");
    assert!(image.text.is_none() && messages.value.statuses.is_empty());
    let [status] = &statuses.value.statuses[..] else { panic!() };
    assert_eq!((&*status.id, &*status.status), ("wamid.3", "delivered"));
}

#[tokio::test]
async fn input_is_validated_after_the_signature() {
    let (address, received) = serve().await;
    for (body, expected) in [
        (&b"{"[..], (400, error("Invalid JSON provided"))),
        (b"", (400, error("Invalid JSON provided"))),
        (b"\xff\xfe", (400, error("Invalid JSON provided"))),
        (b"[1]", (404, error("Not a WhatsApp API event"))),
        (br#"{"object":"page","entry":[]}"#, (404, error("Not a WhatsApp API event"))),
    ] {
        let name = String::from_utf8_lossy(body);
        assert_eq!(json(&send(address, signed(body)).await), expected, "{name}");
        // Unsigned, nobody looks whether it is in form.
        let response = send(address, post("/webhook", &[], body)).await;
        assert_eq!(json(&response), (403, error("Invalid signature")), "{name}");
    }
    assert!(received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refusals_have_the_json_of_their_reason() {
    let (address, received) = serve().await;
    let body = r#"{"object":"whatsapp_business_account","entry":[]}"#;
    let tag = hmac_sha256(APP_SECRET, body.as_bytes());
    let wrong = hmac_sha256("another secret", body.as_bytes());
    for signature in [tag.as_str(), &format!("sha256={wrong}"), "sha256=", ""] {
        let request = post("/webhook", &[("x-hub-signature-256", signature)], body);
        let response = send(address, request).await;
        assert_eq!(json(&response), (403, error("Invalid signature")), "{signature}");
    }
    let too_long = vec![b' '; (3 << 20) + 1];
    let response = send(address, signed(too_long)).await;
    assert_eq!(json(&response), (413, error("body_too_large")));
    assert!(received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_of_three_megabytes_gets_through() {
    let (address, received) = serve().await;
    let mut body = br#"{"object":"whatsapp_business_account","entry":[]}"#.to_vec();
    body.resize(3_000_000, b' ');
    assert_eq!(json(&send(address, signed(body)).await), (200, json!({"status": "ok"})));
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_handshake_stands_at_the_same_path() {
    let (address, received) = serve().await;
    let challenge = async |query: &str| {
        let request = Request::get(format!("/webhook?{query}"));
        send(address, request.body(Full::<Bytes>::default()).unwrap()).await
    };
    let query = |mode, token| format!("hub.mode={mode}&hub.verify_token={token}&hub.challenge=42");
    let response = challenge(&query("subscribe", VERIFY_TOKEN)).await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"42"[..]));
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");

    for (query, expected) in [
        (query("subscribe", "another"), (403, error("Verification failed"))),
        (query("unsubscribe", VERIFY_TOKEN), (403, error("Verification failed"))),
        ("hub.mode=subscribe&hub.challenge=42".to_owned(), (400, error("Missing parameters"))),
        (String::new(), (400, error("Missing parameters"))),
    ] {
        assert_eq!(json(&challenge(&query).await), expected, "{query}");
    }
    assert!(received.lock().unwrap().is_empty());
}

#[test]
fn it_does_not_start_without_its_secrets() {
    for missing in ["WHATSAPP_APP_SECRET", "WHATSAPP_WEBHOOK_VERIFY_TOKEN"] {
        for text in [None, Some(""), Some("changeme")] {
            let verifier = example::verifier(|name| match text {
                _ if name != missing => environment(name),
                Some(text) => Ok(text.to_owned()),
                None => Err(VarError::NotPresent),
            });
            let error = verifier.map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with(missing), "{error}");
        }
    }
}

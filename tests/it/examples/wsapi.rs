use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tower_webhook::Secret;

use super::{json, post};
use crate::{
    net::{send, serve_axum},
    support::hmac_sha256,
};

#[path = "../../../examples/wsapi.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

use example::Event;

type Received = Arc<Mutex<Vec<Event>>>;

async fn serve() -> (SocketAddr, Received) {
    let secret = |id: &str| (id.to_owned(), Secret::new(format!("secret-of-{id}")).unwrap());
    let received = Received::default();
    let inbox = Arc::clone(&received);
    let secrets = HashMap::from(["ins-1", "ins-2"].map(secret));
    let app = example::app(secrets, move |event| inbox.lock().unwrap().push(event));
    (serve_axum(app).await, received)
}

fn event(instance: &str, event_type: &str) -> String {
    json!({
        "eventId": "evt_1749416383000_0123456789abcdef", "instanceId": instance,
        "eventType": event_type,
        "eventData": {"text": "hi"},
    })
    .to_string()
}

/// `body`, signed by one instance and sent under the name of another.
fn signed(signer: &str, sender: &str, body: &str) -> Request<Full<Bytes>> {
    let tag = hmac_sha256(&format!("secret-of-{signer}"), body.as_bytes());
    let signature = format!("sha256={tag}");
    let headers = [("x-instance-id", sender), ("x-webhook-signature", signature.as_str())];
    post("/wsapi", &headers, body.to_owned())
}

#[tokio::test]
async fn messages_are_picked_out_after_verification() {
    let (address, received) = serve().await;
    for (instance, event_type) in [
        ("ins-1", "message"),
        ("ins-2", "message"),
        ("ins-1", "message_read"),
        ("ins-2", "call_offer"),
    ] {
        let request = signed(instance, instance, &event(instance, event_type));
        assert_eq!(send(address, request).await.status(), 200, "{instance} {event_type}");
    }
    let received: Vec<_> = std::mem::take(&mut *received.lock().unwrap());
    let received: Vec<_> =
        received.iter().map(|event| (&*event.instance_id, &event.event_data["text"])).collect();
    assert_eq!(received, [("ins-1", &json!("hi")), ("ins-2", &json!("hi"))]);
}

#[tokio::test]
async fn an_instance_speaks_only_for_itself() {
    let (address, received) = serve().await;
    let invalid = json!({"error": "Unauthorized", "message": "Invalid webhook signature"});
    for (name, request) in [
        ("a body that names another", signed("ins-1", "ins-1", &event("ins-2", "message"))),
        ("a header that names another", signed("ins-1", "ins-2", &event("ins-1", "message"))),
        ("header and body name another", signed("ins-1", "ins-2", &event("ins-2", "message"))),
    ] {
        assert_eq!(json(&send(address, request).await), (401, invalid.clone()), "{name}");
    }
    let old =
        event("ins-1", "message").replacen('{', r#"{"receivedAt":"2025-06-08T20:59:43Z","#, 1);
    let answer = json(&send(address, signed("ins-1", "ins-1", &old)).await);
    assert_eq!(answer, (401, invalid), "an old one, sent again");
    assert_eq!(send(address, signed("ins-1", "ins-1", "{}")).await.status(), 400);
    assert!(received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn answers_do_not_tell_which_instances_exist() {
    let (address, received) = serve().await;
    let unauthorized = |message| (401, json!({"error": "Unauthorized", "message": message}));
    let body = event("ins-1", "message");
    for sender in ["ins-1", "ins-9", ""] {
        for (signature, message) in [
            (None, "Missing X-Webhook-Signature header"),
            (Some(""), "Missing X-Webhook-Signature header"),
            (Some("sha256=00"), "Invalid webhook signature"),
            (Some("x"), "Invalid webhook signature"),
        ] {
            let mut headers = vec![("x-instance-id", sender)];
            headers.extend(signature.map(|signature| ("x-webhook-signature", signature)));
            let response = send(address, post("/wsapi", &headers, body.clone())).await;
            assert_eq!(json(&response), unauthorized(message), "{sender:?} {signature:?}");
        }
    }
    assert!(received.lock().unwrap().is_empty());
}

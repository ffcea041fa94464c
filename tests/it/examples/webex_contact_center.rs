use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc, oneshot},
    task::yield_now,
};
use tower_webhook::Secret;

use super::post;
use crate::{
    net::{Client, listen, send, serve_axum, within},
    support::hmac_sha256,
};

#[path = "../../../examples/webex_contact_center.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

fn secrets() -> example::Secrets {
    let secret = |id: &str| (id.to_owned(), Secret::new(format!("secret-of-{id}")).unwrap());
    HashMap::from(["7", "8"].map(secret))
}

fn event(subscription: &str, id: &str, event_type: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    json!({
        "id": id, "specversion": "1.0", "type": event_type,
        "source": format!("/com/cisco/wxcc/{subscription}"), "comciscoorgid": "org-1",
        "comciscotimestamp": now.as_millis().to_string(), "datacontenttype": "application/json",
        "data": {"agentId": "anna"},
    })
    .to_string()
}

fn signed(signer: &str, body: String) -> Request<Full<Bytes>> {
    let tag = hmac_sha256(&format!("secret-of-{signer}"), body.as_bytes());
    post("/webex", &[("x-webexcc-signature", &tag)], body)
}

#[tokio::test]
async fn full_queue_is_answered_503_until_it_has_room() {
    let (queue, mut events) = mpsc::channel(1);
    let address = serve_axum(example::app(secrets(), queue)).await;
    let login = |id| signed("7", event("7", id, "agent:login"));
    assert_eq!(send(address, login("1")).await.status(), StatusCode::ACCEPTED);
    let full = send(address, login("2")).await;
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(full.headers()["retry-after"], "5");

    let event = events.recv().await.unwrap();
    assert_eq!((&*event.id, &*event.event_type), ("1", "agent:login"));
    assert_eq!(event.data, json!({"agentId": "anna"}));
    assert_eq!(send(address, login("2")).await.status(), StatusCode::ACCEPTED);
    assert_eq!(events.recv().await.unwrap().id, "2");
}

#[tokio::test]
async fn only_genuine_events_of_wanted_types_are_queued() {
    let (queue, mut events) = mpsc::channel(10);
    let address = serve_axum(example::app(secrets(), queue)).await;
    let login = |subscription| event(subscription, "1", "agent:login");
    let altered = {
        let mut request = signed("7", login("7"));
        *request.body_mut() = Full::new(event("7", "1", "agent:logout").into());
        request
    };
    for (name, request, expected) in [
        ("wanted", signed("7", event("7", "a", "capture:available")), StatusCode::ACCEPTED),
        ("wanted", signed("8", event("8", "b", "agent:logout")), StatusCode::ACCEPTED),
        ("not wanted", signed("7", event("7", "1", "agent:state_change")), StatusCode::OK),
        ("in another's name", signed("8", login("7")), StatusCode::FORBIDDEN),
        ("unknown subscription", signed("9", login("9")), StatusCode::FORBIDDEN),
        ("altered", altered, StatusCode::FORBIDDEN),
        ("not signed", post("/webex", &[], login("7")), StatusCode::FORBIDDEN),
        ("no JSON", signed("7", "agent:login".to_owned()), StatusCode::FORBIDDEN),
        (
            "no event",
            signed("7", r#"{"source":"/com/cisco/wxcc/7"}"#.to_owned()),
            StatusCode::BAD_REQUEST,
        ),
    ] {
        assert_eq!(send(address, request).await.status(), expected, "{name}");
    }
    assert_eq!([events.recv().await.unwrap().id, events.recv().await.unwrap().id], ["a", "b"]);
    assert!(events.is_empty());
}

#[tokio::test]
async fn what_was_accepted_is_worked_off_before_the_end() {
    let (listener, address) = listen().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let gate = Arc::new(Semaphore::new(0));
    let done = Arc::new(Mutex::new(Vec::new()));
    let (worked, behind) = (Arc::clone(&done), Arc::clone(&gate));
    let work = move |event: example::Event| {
        let (worked, behind) = (Arc::clone(&worked), Arc::clone(&behind));
        async move {
            behind.acquire().await.unwrap().forget();
            worked.lock().unwrap().push(event.id);
        }
    };
    let stopped = async { stopped.await.unwrap() };
    let server = tokio::spawn(example::serve(listener, secrets(), stopped, work));

    // Answered although the worker stands still.
    for id in ["1", "2", "3"] {
        let mut client = Client::http1(address).await;
        let response = client.send(signed("7", event("7", id, "agent:login"))).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
    stop.send(()).unwrap();
    within(async {
        // Until nobody listens any more.
        while TcpStream::connect(address).await.is_ok() {
            yield_now().await;
        }
        for _ in 0..100 {
            yield_now().await;
        }
    })
    .await;
    assert!(!server.is_finished(), "ended before its work was done");
    assert!(done.lock().unwrap().is_empty());
    gate.add_permits(3);
    within(server).await.unwrap().unwrap();
    assert_eq!(*done.lock().unwrap(), ["1", "2", "3"]);
}

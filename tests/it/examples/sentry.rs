use std::collections::BTreeSet;

use sentry::{
    Level,
    protocol::{Context, Event, Map, Value},
    test::with_captured_events,
};
use tower_webhook::providers::Meta;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{layer::SubscriberExt, registry};

use super::{post, serve_with_addresses};
use crate::{net::send, support::hmac_sha256};

#[path = "../../../examples/sentry.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

const SECRET: &str = "canary-secret-4711";
const BODY: &str = r#"{"canary":"body-4712"}"#;

/// What Sentry is sent when these requests come: signature, path and body.
fn captured(requests: &[(&str, &str)]) -> Vec<Event<'static>> {
    // With a single subscriber in the process, a call site that another thread comes to first is
    // switched off for all.
    let _second = Dispatch::new(registry());
    let dispatch = Dispatch::new(registry().with(example::sentry_layer()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    with_captured_events(|| {
        dispatcher::with_default(&dispatch, || {
            runtime.block_on(async {
                let app = example::app(Meta::new(SECRET).unwrap(), "anna");
                let address = serve_with_addresses(app).await;
                for (signature, query) in requests {
                    let mut request =
                        post(query, &[("x-hub-signature-256", signature)], BODY.to_owned());
                    request
                        .headers_mut()
                        .insert("user-agent", "facebookplatform/1.0".parse().unwrap());
                    send(address, request).await;
                }
            });
        });
    })
}

fn fields(event: &Event<'_>) -> Map<String, Value> {
    match &event.contexts["Rust Tracing Fields"] {
        Context::Other(fields) => fields.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn forged_request_is_an_error_with_request_fields() {
    let forged = format!("sha256={}", hmac_sha256("a guess", BODY.as_bytes()));
    let events = captured(&[(&forged, "/webhook?a=1&access_token=canary-4713")]);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.level, Level::Error);
    assert_eq!(event.message.as_deref(), Some("invalid webhook signature"));
    assert_eq!(event.logger.as_deref(), Some("tower_webhook::security"));
    let fields = fields(event);
    for (name, expected) in [
        ("event_type", "invalid_webhook_signature"),
        ("provider", "meta"),
        ("tenant_id", "anna"),
        ("ip_address", "127.0.0.1"),
        ("method", "POST"),
        ("url", "/webhook?a=1&access_token=[redacted]"),
        ("user_agent", "facebookplatform/1.0"),
        ("reason", "signature_mismatch"),
    ] {
        assert_eq!(fields[name], expected, "{name}");
    }
    assert!(fields.contains_key("timestamp"));
}

#[test]
fn no_secret_no_signature_and_no_body_gets_there() {
    let genuine = hmac_sha256(SECRET, BODY.as_bytes());
    let forged = format!("sha256={}", hmac_sha256("a guess", BODY.as_bytes()));
    let events = captured(&[
        (&forged, "/webhook?token=canary-4713"),
        // The right signature in the wrong form.
        (&format!("sha1={genuine}"), "/webhook"),
        ("canary-signature-4714", "/webhook"),
    ]);
    let reasons: BTreeSet<_> =
        events.iter().map(|event| fields(event)["reason"].to_string()).collect();
    assert_eq!(events.len(), 3);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for event in &events {
        let text = serde_json::to_string(event).unwrap();
        for canary in
            ["canary", "secret-4711", "body-4712", &genuine, forged.trim_start_matches("sha256=")]
        {
            assert!(!text.contains(canary), "{canary} in {text}");
        }
    }
}

#[test]
fn genuine_requests_are_no_events() {
    let genuine = format!("sha256={}", hmac_sha256(SECRET, BODY.as_bytes()));
    assert!(captured(&[(&genuine, "/webhook")]).is_empty());
}

//! Genuine bodies that are unusual are accepted.

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use tower_webhook::{
    SignatureLayer,
    providers::{AzureEventGrid, Linear, Mailgun, MicrosoftGraph, SharedToken, Wsapi},
};

use crate::support::{AtTime, SECRET, Script, at, hmac_sha256, secret, send, verify};

const NOW: u64 = 1_700_000_000;
const TIME: &str = "1700000000";
const TOKEN: &str = "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKAnsYLfUB7PdszbgR5Xi";

/// JSON's grammar has it (RFC 8259, section 8.2), and senders write it where they cut a text inside of
/// an emoji.
#[test]
fn lone_surrogate_in_an_unread_field_is_accepted() {
    for other in [r#""cut \ud83d""#, r#""\udc80""#, r#"{"\ud83d":["\ud83d\n"]}"#] {
        let head = |name: &'static str, value: &str| {
            Request::post("/").header(name, value).body(()).unwrap().into_parts().0
        };
        let json = || head("content-type", "application/json");

        let body = Bytes::from(format!(r#"{{"webhookTimestamp":1700000000000,"title":{other}}}"#));
        let linear = Linear::new(secret()).unwrap().clock(at(NOW));
        verify(&linear, &head("linear-signature", &hmac_sha256(SECRET, &body)), &body).unwrap();

        let body =
            Bytes::from(format!(r#"{{"receivedAt":"2023-11-14T22:13:20Z","text":{other}}}"#));
        let value = format!("sha256={}", hmac_sha256(SECRET, &body));
        let wsapi = Wsapi::new(secret()).unwrap().clock(at(NOW));
        verify(&wsapi, &head("x-webhook-signature", &value), &body).unwrap();

        let tag = hmac_sha256(SECRET, format!("{TIME}{TOKEN}").as_bytes());
        let proof = format!(r#"{{"timestamp":"{TIME}","token":"{TOKEN}","signature":"{tag}"}}"#);
        let body = format!(r#"{{"signature":{proof},"event-data":{{"subject":{other}}}}}"#);
        verify(&Mailgun::new(secret()).unwrap().clock(at(NOW)), &json(), &body.into()).unwrap();

        let body = format!(r#"{{"value":[{{"clientState":"{SECRET}","subject":{other}}}]}}"#);
        verify(&MicrosoftGraph::new(secret()).unwrap(), &json(), &body.into()).unwrap();
        #[cfg(feature = "tenants")]
        {
            let field = |json: &str| tower_webhook::tenants::json_field(json.as_bytes(), "account");
            assert_eq!(field(&format!(r#"{{"account":"a","t":{other}}}"#)).as_deref(), Some("a"));
            assert_eq!(field(&format!(r#"{{"account":{other}}}"#)), None);
        }
    }
}

/// Event Grid puts an event of the documented maximum into an array, and never repeats a 413.
#[tokio::test]
async fn largest_event_grid_event_in_an_array_is_accepted() {
    let event = format!("{{\"data\":\"{}\"}}", "x".repeat((1 << 20) - 11));
    assert_eq!(event.len(), 1 << 20);
    let token = SharedToken::new(HeaderName::from_static("x-token"), secret()).unwrap();
    let layer = SignatureLayer::new(AzureEventGrid::new(token));
    let request = Request::post("/").header("x-token", SECRET);
    let request = request.body(Script::data([format!("[{event}]")])).unwrap();
    assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
}

//! Nine faults of people who set up a webhook, and the line that tells each of them: at startup, or after
//! the first refused delivery.

use std::{
    sync::{Mutex, mpsc::channel},
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Request;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, PublicUrl, Secret, SignatureLayer, Verifier,
    observe::{Event, EventKind},
    providers::{Stripe, Twilio},
};

use crate::{
    observe::tracing::Lines,
    support::{BoxError, Script, Sha1Mac, hmac_sha256, mac, send},
};

const SIGNING_SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBlbmRwb2ludA";
const SENT: &str = r#"{"id": "evt_1", "type": "invoice.paid"}"#;

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A delivery that Stripe signed at this time, and the body that arrives.
fn stripe(time: u64, received: &'static str) -> Request<Script> {
    signed_by(SIGNING_SECRET, time, received)
}

fn signed_by(secret: &str, time: u64, received: &'static str) -> Request<Script> {
    let tag = hmac_sha256(secret, format!("{time}.{SENT}").as_bytes());
    let value = format!("t={time},v1={tag}");
    Request::post("/stripe")
        .header("stripe-signature", value)
        .body(Script::data([received]))
        .unwrap()
}

/// Sends the first delivery to a layer without any settings, and returns the lines at level warn and
/// error.
async fn lines_of(verifier: impl Verifier + Clone, delivery: Request<Script>) -> Vec<Value> {
    let lines = Lines::default();
    let guard = lines.subscribe();
    let (sender, explained) = channel();
    let sender = Mutex::new(sender);
    let layer = SignatureLayer::new(verifier).observer(move |event: &Event<'_>| {
        if event.kind() == EventKind::Explained {
            sender.lock().unwrap().send(()).unwrap();
        }
    });
    send(&layer, delivery).await;
    explained.recv_timeout(Duration::from_secs(60)).unwrap();
    drop(guard);
    let mut lines = lines.all();
    lines.retain(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR")));
    lines
}

fn assert_explained(lines: &[Value], cause: &str, strength: &str) {
    let [rejected, explained] = lines else { panic!("two lines: {lines:?}") };
    assert_eq!(rejected["event_type"], "invalid_webhook_signature");
    assert_eq!(explained["event_type"], "webhook_explained");
    assert_eq!((&explained["cause"], &explained["strength"]), (&cause.into(), &strength.into()));
    assert!(explained["fix"].as_str().unwrap().len() > 20, "{explained}");
}

#[tokio::test]
async fn bad_secrets_are_told_at_startup_and_by_their_cause() {
    // No layer of another test has it.
    const OWN: &str = "whsec_b2YgdGhpcyB0ZXN0IGFsb25l";

    for (text, error, cause, strength) in [
        (format!("{OWN}\n"), "whitespace", "secret_padded", "proven"),
        (format!("\"{OWN}\""), "quotation marks", "secret_quoted", "proven"),
        (format!("STRIPE_SECRET={OWN}"), "`NAME=`", "secret_assigned", "proven"),
        ("sk_live_51Habcdefghijklmnop".to_owned(), "API key", "secret_of_other_kind", "clue"),
    ] {
        let refused = Stripe::new(text.as_str()).unwrap_err();
        // `main` prints `Debug`.
        for shown in [format!("{refused}"), format!("{refused:?}")] {
            assert!(shown.contains(error) && !shown.contains(OWN), "{shown}");
        }
        // A secret that is documented is taken as it is, but for white space around it.
        let Ok(secret) = Secret::documented(&*text) else {
            assert!(text.ends_with('\n'));
            let lines = lines_of(
                Stripe::new(Secret::from_bytes(text.as_bytes()).unwrap()).unwrap(),
                signed_by(OWN, now(), SENT),
            );
            assert_explained(&lines.await, cause, strength);
            continue;
        };
        let lines = lines_of(Stripe::new(secret).unwrap(), signed_by(OWN, now(), SENT)).await;
        assert_explained(&lines, cause, strength);
    }
}

#[tokio::test]
async fn another_url_for_twilio_is_shown() {
    let token = "12345678901234567890123456789012";
    let url = PublicUrl::base("https://old.ngrok.app").unwrap();
    let tag = mac::<Sha1Mac>(token.as_bytes(), b"https://shop.example/smsBodyHi");
    let delivery = Request::post("/sms")
        .header("host", "shop.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", STANDARD.encode(tag))
        .body(Script::data(["Body=Hi"]))
        .unwrap();
    let lines = lines_of(Twilio::new(token, url).unwrap(), delivery).await;
    assert_explained(&lines, "url_host", "proven");
    assert_eq!(lines[0]["signed_url"], "https://old.ngrok.app/sms");
    let finding = lines[1]["finding"].as_str().unwrap();
    assert!(finding.ends_with("the signed URL is https://shop.example/sms"), "{finding}");
}

#[tokio::test]
async fn json_written_again_and_a_wrong_clock_are_proven() {
    let of_stripe = || Stripe::new(SIGNING_SECRET).unwrap();
    let rewritten = stripe(now(), r#"{"id":"evt_1","type":"invoice.paid"}"#);
    assert_explained(&lines_of(of_stripe(), rewritten).await, "json_rewritten", "proven");
    for (time, words) in [(now() - 600, "seconds ago"), (now() + 600, "seconds in the future")] {
        let lines = lines_of(of_stripe(), stripe(time, SENT)).await;
        assert_explained(&lines, "time_outside_tolerance", "proven");
        let finding = lines[1]["finding"].as_str().unwrap();
        assert!(finding.ends_with(words), "{finding}");
    }
}

#[tokio::test]
async fn a_handler_that_fails_has_a_line_of_its_own() {
    let lines = Lines::default();
    let guard = lines.subscribe();
    let handler = service_fn(async |_: Request<BufferedBody>| {
        let response = http::Response::builder().status(500).body(String::new());
        Ok::<_, BoxError>(response.unwrap())
    });
    let layer = SignatureLayer::new(Stripe::new(SIGNING_SECRET).unwrap());
    layer.layer(handler).oneshot(stripe(now(), SENT)).await.unwrap();
    drop(guard);
    let mut lines = lines.all();
    lines.retain(|line| line["level"] == "WARN");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["event_type"], "webhook_completed");
    assert_eq!(lines[0]["message"], "webhook verified; the handler returned an error");
    assert_eq!(lines[0]["status"], 500);
}

/// Refused from the first day, 14 times in a row.
#[tokio::test]
async fn a_secret_that_was_always_wrong_is_a_clue() {
    let lines = Lines::default();
    let guard = lines.subscribe();
    let (sender, explained) = channel();
    let sender = Mutex::new(sender);
    let stripe_of_another = Stripe::new("whsec_YW5vdGhlciBlbmRwb2ludA").unwrap();
    let layer = SignatureLayer::new(stripe_of_another).observer(move |event: &Event<'_>| {
        if event.kind() == EventKind::Explained {
            sender.lock().unwrap().send(()).unwrap();
        }
    });
    for number in 0..14 {
        send(&layer, signed_by("whsec_Z29uZSBsb25nIGFnbw", now(), SENT)).await;
        if number == 0 {
            explained.recv_timeout(Duration::from_secs(60)).unwrap();
        }
    }
    drop(guard);
    let lines = lines.all();
    let of =
        |name: &str| lines.iter().filter(|line| line["event_type"] == name).collect::<Vec<_>>();
    let explained = of("webhook_explained");
    assert_eq!(
        (&explained[0]["cause"], &explained[0]["strength"]),
        (&"nothing_matches".into(), &"clue".into())
    );
    let fix = explained[0]["fix"].as_str().unwrap();
    assert!(fix.starts_with("compare the secret with the one in the provider's console"), "{fix}");
    let never = of("webhook_secret_never_worked");
    assert_eq!(never.len(), 1, "{lines:?}");
    // Strangers can cause a clue, so this line has proven causes alone.
    assert_eq!((&never[0]["count"], never[0].get("cause")), (&5.into(), None));
}

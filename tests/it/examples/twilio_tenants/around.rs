//! What attackers, operators and a failing database add to the table.

use std::env::VarError;

use http::StatusCode;
use http_body_util::Full;

use super::{
    ANNA, OF_ANNA, ORIGIN, SIGNATURE, System, Webhook, example, message, plain, refusal, signature,
    status,
};
use crate::delivery_log::helpers::rows;

/// What could not be stored is not acknowledged.
#[tokio::test]
async fn a_message_that_cannot_be_stored_comes_again() {
    let system = System::start().await;
    system.sql("ALTER TABLE received RENAME TO away").await;
    let response = system.send(message().signed(OF_ANNA)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    let row = system.last_row().await;
    assert_eq!((&*row.status, row.event_name.as_deref()), ("error", Some("message.received")));
    assert!(row.verified && row.message.unwrap().contains("no such table"));
    system.sql("ALTER TABLE away RENAME TO received").await;
    system.assert_accepted(message().signed(OF_ANNA)).await;
    assert_eq!(system.stored().await.len(), 1);
}

#[tokio::test]
async fn repeated_parameters() {
    let system = System::start().await;
    // Which of two tenants is meant is not ours to guess.
    let two_tenants = message().and("To", "whatsapp:+15550000002");
    system.assert_refused(two_tenants.signed(OF_ANNA), None, "unknown_tenant").await;
    let two_messages = status().and("MessageSid", "SM-bert");
    system.assert_refused(two_messages.signed(OF_ANNA), None, "unknown_tenant").await;
    // All values are signed, and each is covered.
    let media = message().and("MediaUrl", "https://b.example").and("MediaUrl", "https://a.example");
    let signature = media.signature(OF_ANNA);
    system.assert_accepted(media.signed(OF_ANNA)).await;
    system.events();
    let tampered = media.and("MediaUrl", "https://c.example");
    let request = tampered.request(&[(SIGNATURE, &signature)]);
    system.assert_refused(request, Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn json_without_a_hash_of_the_body() {
    let system = System::start().await;
    // Genuine for the URL alone, as Twilio's GET there would be.
    let of_url = |webhook: &Webhook| signature(OF_ANNA, &format!("{ORIGIN}{}", webhook.0));
    let json = r#"{"To":"whatsapp:+15550000001","MessageSid":"SM-anna"}"#;
    for webhook in [message(), status()] {
        let mut request = webhook.request(&[(SIGNATURE, &of_url(&webhook))]);
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        // A form under a false name finds its tenant, and is not covered.
        system.assert_refused(request, Some(ANNA), "uncovered").await;
        let mut request = webhook.request(&[(SIGNATURE, &of_url(&webhook))]);
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        *request.body_mut() = Full::new(json.into());
        system.assert_refused(request, None, "unknown_tenant").await;
    }
}

#[tokio::test]
async fn a_forged_host_changes_nothing() {
    let system = System::start().await;
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
    ];
    for webhook in [message(), status()] {
        let genuine = webhook.signature(OF_ANNA);
        let request = webhook.request(&[&forged[..], &[(SIGNATURE, &genuine)]].concat());
        system.assert_accepted(request).await;
        system.events();

        // Signed with the right token, for a server of somebody else's.
        let parameters: String =
            webhook.1.iter().flat_map(|(name, value)| [*name, *value]).collect();
        for origin in ["http://evil.example", "https://evil.example"] {
            let foreign = signature(OF_ANNA, &format!("{origin}{}{parameters}", webhook.0));
            let request = webhook.request(&[&forged[..], &[(SIGNATURE, &foreign)]].concat());
            system.assert_refused(request, Some(ANNA), "signature_mismatch").await;
        }
    }
}

#[tokio::test]
async fn rotated_token_is_used_after_tenant_is_forgotten() {
    let system = System::start().await;
    let mismatch = "signature_mismatch";
    for webhook in [message(), status()] {
        system.tenants.forget(ANNA);
        system.assert_accepted(webhook.signed(OF_ANNA)).await;
        system.events();
        system
            .sql("UPDATE tenant SET previous_auth_token = auth_token, auth_token = 'new' WHERE number = '+15550000001'")
            .await;
        // From the cache.
        system.assert_refused(webhook.signed("new"), Some(ANNA), mismatch).await;

        system.tenants.forget(ANNA);
        for (token, key_index) in [("new", 0), (OF_ANNA, 1)] {
            system.assert_accepted(webhook.signed(token)).await;
            assert_eq!(system.last_row().await.key_index, Some(key_index));
        }
        system.sql("UPDATE tenant SET previous_auth_token = NULL").await;
        system.tenants.forget(ANNA);
        system.events();
        system.assert_refused(webhook.signed(OF_ANNA), Some(ANNA), mismatch).await;
        system.assert_accepted(webhook.signed("new")).await;
        system.sql("UPDATE tenant SET auth_token = 'canary-token-of-anna' WHERE number = '+15550000001'").await;
    }
}

#[tokio::test]
async fn responses_do_not_reveal_tenants_or_messages() {
    let system = System::start().await;
    let forged = "canary-a-guess";
    let mut answers = Vec::new();
    for request in [
        message().signed(forged),
        message().with("To", "whatsapp:+15559999999").signed(forged),
        message().with("To", "whatsapp:+15550000003").signed(forged),
        message().with("To", "whatsapp:+15550000004").signed(forged),
        message().with("To", "nobody").signed(forged),
        status().signed(forged),
        status().with("MessageSid", "SM-nobody").signed(forged),
        status().with("MessageSid", "SM-carl").signed(forged),
        status().with("MessageSid", "SM-dora").signed(forged),
        message().request(&[]),
        status().request(&[(SIGNATURE, "x")]),
    ] {
        answers.push(plain(&system.send(request).await));
    }
    answers.dedup();
    assert_eq!(answers, [refusal()]);
}

#[tokio::test]
async fn a_genuine_form_out_of_form_is_the_senders_error() {
    let system = System::start().await;
    for webhook in [
        message().with("Body", "1").and("Body", "2"),
        status().with("MessageStatus", "1").and("MessageStatus", "2"),
    ] {
        assert_eq!(system.send(webhook.signed(OF_ANNA)).await.status(), StatusCode::BAD_REQUEST);
        let row = system.last_row().await;
        assert_eq!((&*row.status, row.http_status, row.verified), ("error", Some(400), true));
    }
    assert!(system.stored().await.is_empty());
}

#[tokio::test]
async fn no_token_signature_or_body_gets_out() {
    let system = System::start().await;
    let mut signatures = Vec::new();
    let mut answers = Vec::new();
    for webhook in [message(), status()] {
        let of_url = format!("{ORIGIN}{}", webhook.0);
        for signature in [
            webhook.signature(OF_ANNA),
            webhook.signature("canary-a-guess"),
            signature(OF_ANNA, &of_url),
            "canary signature".to_owned(),
        ] {
            let request = webhook.request(&[(SIGNATURE, &signature)]);
            answers.push(plain(&system.send(request).await));
            signatures.push(signature);
        }
    }
    let has_canary = |text: &str| {
        let signature = signatures.iter().find(|signature| text.contains(*signature));
        signature.map(String::as_str).or(text.contains("canary").then_some("canary"))
    };
    let lines = system.lines.text();
    assert!(lines.contains("signature_mismatch") && lines.contains("webhook_completed"));
    assert_eq!(has_canary(&lines), None);
    assert_eq!(has_canary(&format!("{answers:?}")), None);
    assert_eq!(has_canary(&format!("{:?} {:?}", system.tenants, system.log)), None);
    let rows = rows(&system.log).await;
    assert_eq!(rows.iter().filter(|row| row.status == "unauthorized").count(), 6);
    for mut row in rows {
        if row.verified {
            // What was proven is kept, but for the signature.
            row.payload = None;
        }
        let texts = [&row.message, &row.user_agent, &row.request_id, &row.delivery_id];
        let payload = row.payload.as_deref().map(String::from_utf8_lossy);
        let text = format!("{row:?} {texts:?} {payload:?} {:?}", row.headers);
        assert_eq!(has_canary(&text), None, "{text}");
    }
}

#[tokio::test]
async fn forged_requests_raise_one_alert_for_all_endpoints() {
    let system = System::start().await;
    for i in 0..20 {
        let webhook = if i % 2 == 0 { message() } else { status() };
        system.send(webhook.with("To", "nobody").request(&[(SIGNATURE, "x")])).await;
    }
    let (events, _) = system.events();
    let alerts = events.iter().filter_map(|event| event["message"].as_str());
    let alerts: Vec<_> = alerts.filter(|message| message.starts_with("twilio: 10")).collect();
    let of_address = "twilio: 10 invalid signatures from 127.0.0.1";
    let of_tenant = "twilio: 10 invalid signatures for tenant \"+15550000001\"";
    assert_eq!(alerts, [of_address, of_tenant]);
}

#[test]
fn it_does_not_start_without_its_settings() {
    let settings = |name: &'static str, text: Option<&'static str>| {
        example::settings(move |asked| match (asked == name, text) {
            (true, Some(text)) => Ok(text.to_owned()),
            (true, None) => Err(VarError::NotPresent),
            (false, _) if asked == "TWILIO_DATABASE" => Ok("webhooks.db".to_owned()),
            (false, _) => Ok(ORIGIN.to_owned()),
        })
    };
    assert!(settings("", None).is_ok());
    for (name, text) in [
        ("TWILIO_DATABASE", None),
        ("TWILIO_DATABASE", Some("")),
        ("TWILIO_PUBLIC_BASE", None),
        ("TWILIO_PUBLIC_BASE", Some("")),
        ("TWILIO_PUBLIC_BASE", Some("hooks.example")),
        ("TWILIO_PUBLIC_BASE", Some("https://hooks.example/?v=1")),
    ] {
        let error = settings(name, text).unwrap_err();
        assert!(error.starts_with(name), "{error}");
    }
}

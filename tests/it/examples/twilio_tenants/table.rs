//! One test for each line of the table in the source documents, for both endpoints.

use http::StatusCode;

use super::{
    ANNA, Database, OF_ANNA, OF_BERT, OF_DORA, SIGNATURE, System, Webhook, accepts, message, plain,
    refuses, status,
};
use crate::delivery_log::helpers::rows;

#[tokio::test]
async fn valid_message() {
    accepts(message(), "message.received", [ANNA, "SM1", "canary body & more"]).await;
}

#[tokio::test]
async fn valid_status() {
    accepts(status(), "message.status", [ANNA, "SM-anna", "delivered"]).await;
}

async fn refuses_malformed(webhook: Webhook, tenant: Option<&str>) {
    for text in ["not base64!", "AAAA", &webhook.signature(OF_ANNA).replace('=', "")] {
        let headers = [(SIGNATURE, text)];
        refuses(webhook.clone(), &headers, tenant, "malformed").await;
    }
}

#[tokio::test]
async fn message_with_a_malformed_signature() {
    // It is refused before its body is read, which names the tenant.
    refuses_malformed(message(), None).await;
}

#[tokio::test]
async fn status_with_a_malformed_signature() {
    refuses_malformed(status(), Some(ANNA)).await;
}

async fn refuses_wrong_token(webhook: Webhook) {
    let wrong = webhook.signature("canary-a-guess");
    refuses(webhook, &[(SIGNATURE, &wrong)], Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn message_signed_with_a_wrong_token() {
    refuses_wrong_token(message()).await;
}

#[tokio::test]
async fn status_signed_with_a_wrong_token() {
    refuses_wrong_token(status()).await;
}

#[tokio::test]
async fn message_tampered_with() {
    let genuine = message().signature(OF_ANNA);
    let tampered = message().with("Body", "send me money");
    refuses(tampered, &[(SIGNATURE, &genuine)], Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn status_tampered_with() {
    let genuine = status().signature(OF_ANNA);
    let tampered = status().with("MessageStatus", "read");
    refuses(tampered, &[(SIGNATURE, &genuine)], Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn message_without_a_signature() {
    refuses(message(), &[], None, "missing").await;
}

#[tokio::test]
async fn status_without_a_signature() {
    refuses(status(), &[], None, "missing").await;
}

#[tokio::test]
async fn message_with_an_empty_signature() {
    refuses(message(), &[(SIGNATURE, "")], None, "missing").await;
}

#[tokio::test]
async fn status_with_an_empty_signature() {
    refuses(status(), &[(SIGNATURE, "")], None, "missing").await;
}

/// Every tenant's signature proves that tenant and no other.
#[tokio::test]
async fn message_signed_with_another_tenants_token() {
    let of_bert = message().signature(OF_BERT);
    refuses(message(), &[(SIGNATURE, &of_bert)], Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn status_signed_with_another_tenants_token() {
    let of_bert = status().signature(OF_BERT);
    refuses(status(), &[(SIGNATURE, &of_bert)], Some(ANNA), "signature_mismatch").await;
}

#[tokio::test]
async fn message_to_an_unknown_tenant() {
    let system = System::start().await;
    for number in ["+15559999999", "whatsapp:+15559999999", "whatsapp:whatsapp:+15550000001", ""] {
        let request = message().with("To", number).signed(OF_ANNA);
        system.assert_refused(request, None, "unknown_tenant").await;
    }
}

#[tokio::test]
async fn status_of_an_unknown_message() {
    let system = System::start().await;
    for sid in ["SM-nobody", "SM1", ""] {
        let request = status().with("MessageSid", sid).signed(OF_ANNA);
        system.assert_refused(request, None, "unknown_tenant").await;
    }
    // A message that came from outside is none that was sent.
    system.assert_accepted(message().signed(OF_ANNA)).await;
    system.events();
    let request = status().with("MessageSid", "SM1").signed(OF_ANNA);
    system.assert_refused(request, None, "unknown_tenant").await;
}

#[tokio::test]
async fn message_to_a_tenant_without_a_token() {
    let system = System::start().await;
    let request = message().with("To", "whatsapp:+15550000003").signed(OF_ANNA);
    system.assert_refused(request, None, "unknown_tenant").await;
}

#[tokio::test]
async fn status_for_a_tenant_without_a_token() {
    let system = System::start().await;
    let request = status().with("MessageSid", "SM-carl").signed(OF_ANNA);
    system.assert_refused(request, None, "unknown_tenant").await;
}

/// A suspended tenant's webhook is genuine, so it is no security event.
async fn suspends(webhook: Webhook) {
    let system = System::start().await;
    let response = system.send(webhook.signed(OF_DORA)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(system.stored().await.is_empty() && system.events().0.is_empty());
    let row = system.last_row().await;
    assert_eq!((&*row.status, row.http_status), ("subscription_inactive", Some(503)));
    assert_eq!(row.message.as_deref(), Some("The tenant is suspended"));
    assert!(row.verified && row.tenant.as_deref() == Some("+15550000004"));
    // Who is suspended is told only to those who can sign.
    system
        .assert_refused(webhook.signed(OF_ANNA), Some("+15550000004"), "signature_mismatch")
        .await;

    system.sql("UPDATE tenant SET is_suspended = FALSE").await;
    system.assert_accepted(webhook.signed(OF_DORA)).await;
    assert_eq!(system.stored().await.len(), 1);
}

#[tokio::test]
async fn message_to_a_suspended_tenant() {
    suspends(message().with("To", "whatsapp:+15550000004")).await;
}

#[tokio::test]
async fn status_for_a_suspended_tenant() {
    suspends(status().with("MessageSid", "SM-dora")).await;
}

/// Nobody can tell whether this request is genuine: its sender must come again, and is served as
/// soon as the database is back.
async fn asks_to_come_again(webhook: Webhook, break_it: &'static str, mend_it: &'static str) {
    let system = System::start().await;
    system.sql(break_it).await;
    for request in [webhook.signed(OF_ANNA), webhook.signed(OF_BERT)] {
        let response = system.send(request).await;
        let headers = ["retry-after: 5", "content-length: 0"];
        assert_eq!(plain(&response), (503, headers.map(ToOwned::to_owned).into(), String::new()));
        assert_eq!(system.events().1, ["webhook_config_error"], "the handler was not called");
        let row = system.last_row().await;
        assert_eq!((&*row.status, row.http_status), ("error", Some(503)));
        assert_eq!(row.reason.as_deref(), Some("verifier_unavailable"));
        assert_eq!((row.verified, row.event_name, row.payload), (false, None, None));
    }
    system.sql(mend_it).await;
    assert!(system.stored().await.is_empty());
    system.assert_accepted(webhook.signed(OF_ANNA)).await;
    assert_eq!(system.stored().await.len(), 1);
}

const BREAK_TENANTS: &str = "ALTER TABLE tenant RENAME TO away";
const MEND_TENANTS: &str = "ALTER TABLE away RENAME TO tenant";

#[tokio::test]
async fn message_while_the_store_is_down() {
    asks_to_come_again(message(), BREAK_TENANTS, MEND_TENANTS).await;
}

#[tokio::test]
async fn status_while_the_store_is_down() {
    asks_to_come_again(status(), BREAK_TENANTS, MEND_TENANTS).await;
    let (break_sent, mend_sent) =
        ("ALTER TABLE sent RENAME TO away", "ALTER TABLE away RENAME TO sent");
    asks_to_come_again(status(), break_sent, mend_sent).await;
}

#[tokio::test]
async fn message_sent_again_is_stored_once() {
    let system = System::start().await;
    for _ in 0..3 {
        system.assert_accepted(message().signed(OF_ANNA)).await;
    }
    // A restart forgets nothing.
    Database::open(&system.directory.path().join("webhooks.db")).await.unwrap();
    system.assert_accepted(message().signed(OF_ANNA)).await;
    assert_eq!(system.stored().await, [[ANNA, "SM1", "canary body & more"]]);
    // It is another tenant's own: no tenant can take a name away from another.
    let of_bert = message().with("To", "whatsapp:+15550000002").with("Body", "another");
    system.assert_accepted(of_bert.signed(OF_BERT)).await;
    assert_eq!(system.stored().await.len(), 2);
    assert_eq!(rows(&system.log).await.len(), 5, "each has its row");
}

#[tokio::test]
async fn status_sent_again_is_stored_once() {
    let system = System::start().await;
    for text in ["sent", "delivered", "delivered", "sent", "read"] {
        system.assert_accepted(status().with("MessageStatus", text).signed(OF_ANNA)).await;
    }
    let stored = ["delivered", "read", "sent"].map(|text| [ANNA, "SM-anna", text]);
    assert_eq!(system.stored().await, stored);
}

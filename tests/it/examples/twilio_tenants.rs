//! Twilio for many tenants. Signatures are made with the primitive.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower_webhook::{
    PublicUrl,
    delivery_log::{DeliveryLog, Entry},
    providers::Twilio,
    tenants::Tenants,
};
use tracing::subscriber::DefaultGuard;

use super::{post, serve_with_addresses};
use crate::{
    delivery_log::helpers::{NOW, TempDir, rows},
    net,
    observe::tracing::Lines,
    support::{Sha1Mac, at, mac},
};

#[path = "../../../examples/twilio_tenants.rs"]
#[allow(dead_code, reason = "`main`, and what only it uses")]
mod example;

mod around;
mod table;

use example::Database;

const ORIGIN: &str = "https://hooks.example";
const FORM: &str = "application/x-www-form-urlencoded";
const SIGNATURE: &str = "x-twilio-signature";

const ANNA: &str = "+15550000001";
const OF_ANNA: &str = "canary-token-of-anna";
const OF_BERT: &str = "canary-token-of-bert";
const OF_DORA: &str = "canary-token-of-dora";

/// Carl has no token, and Dora is suspended. Each has sent a message.
const ROWS: &str = "
    INSERT INTO tenant (number, auth_token, is_suspended) VALUES
        ('+15550000001', 'canary-token-of-anna', FALSE),
        ('+15550000002', 'canary-token-of-bert', FALSE),
        ('+15550000003', NULL, FALSE),
        ('+15550000004', 'canary-token-of-dora', TRUE);
    INSERT INTO sent (sid, tenant) VALUES
        ('SM-anna', '+15550000001'), ('SM-bert', '+15550000002'),
        ('SM-carl', '+15550000003'), ('SM-dora', '+15550000004')";

type Parameters = Vec<(&'static str, &'static str)>;

/// Path and parameters of a webhook.
#[derive(Clone)]
struct Webhook(&'static str, Parameters);

fn message() -> Webhook {
    let parameters = vec![
        ("AccountSid", "AC1"),
        ("Body", "canary body & more"),
        ("From", "whatsapp:+15551112222"),
        ("MessageSid", "SM1"),
        ("To", "whatsapp:+15550000001"),
    ];
    Webhook("/v1/webhooks/twilio", parameters)
}

fn status() -> Webhook {
    let parameters = vec![
        ("AccountSid", "AC1"),
        ("MessageSid", "SM-anna"),
        ("MessageStatus", "delivered"),
        ("To", "whatsapp:+15551112222"),
    ];
    Webhook("/v1/webhooks/twilio/status", parameters)
}

impl Webhook {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.1.retain(|(found, _)| *found != name);
        self.and(name, value)
    }

    fn and(mut self, name: &'static str, value: &'static str) -> Self {
        self.1.push((name, value));
        self
    }

    fn body(&self) -> String {
        let encode = |text: &str| -> String {
            let encode = |byte| match byte {
                b' ' => "+".to_owned(),
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().map(encode).collect()
        };
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
        self.1.iter().map(pair).collect::<Vec<_>>().join("&")
    }

    /// As Twilio makes it: the URL, and the parameters sorted.
    fn signature(&self, token: &str) -> String {
        let mut parameters = self.1.clone();
        parameters.sort_unstable();
        let parameters: String = parameters.into_iter().flat_map(|(n, v)| [n, v]).collect();
        signature(token, &format!("{ORIGIN}{}{parameters}", self.0))
    }

    fn request(&self, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
        let common = [
            ("content-type", FORM),
            ("user-agent", "TwilioProxy/1.1"),
            ("x-request-id", "r-1"),
            ("i-twilio-idempotency-token", "i-1"),
        ];
        post(self.0, &[&common, headers].concat(), self.body())
    }

    fn signed(&self, token: &str) -> Request<Full<Bytes>> {
        self.request(&[(SIGNATURE, &self.signature(token))])
    }
}

fn signature(token: &str, signed: &str) -> String {
    BASE64_STANDARD.encode(mac::<Sha1Mac>(token.as_bytes(), signed.as_bytes()))
}

struct System {
    address: SocketAddr,
    database: Database,
    tenants: Tenants<Twilio>,
    log: DeliveryLog,
    lines: Lines,
    directory: TempDir,
    _subscriber: DefaultGuard,
}

impl System {
    async fn start() -> Self {
        let (lines, directory) = (Lines::default(), TempDir::new());
        let subscriber = lines.subscribe();
        let path = directory.path().join("webhooks.db");
        let database = Database::open(&path).await.unwrap();
        let log = DeliveryLog::builder().sqlite(&path).await.unwrap();
        let tenants = example::tenants(database.clone(), PublicUrl::base(ORIGIN).unwrap());
        let tenants = tenants.clock(at(NOW)).build().unwrap();
        let app = example::app(database.clone(), &tenants, log.clone());
        let address = serve_with_addresses(app).await;
        let _subscriber = subscriber;
        let system = Self { address, database, tenants, log, lines, directory, _subscriber };
        system.sql(ROWS).await;
        system
    }

    async fn sql(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(&self.database.0).await.unwrap();
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        net::send(self.address, request).await
    }

    /// The messages and statuses that are stored, and whose they are.
    async fn stored(&self) -> Vec<[String; 3]> {
        let query = "SELECT tenant, sid, body FROM received
            UNION ALL SELECT tenant, sid, status FROM status ORDER BY 1, 2, 3";
        let rows: Vec<(String, String, String)> =
            sqlx::query_as(query).fetch_all(&self.database.0).await.unwrap();
        rows.into_iter().map(<[String; 3]>::from).collect()
    }

    /// The log's newest row.
    async fn last_row(&self) -> Entry {
        rows(&self.log).await.remove(0)
    }

    /// Events for security, and the types of all since this was asked last.
    fn events(&self) -> (Vec<Value>, Vec<String>) {
        let mut lines = self.lines.json();
        lines.retain(|line| target(line).starts_with("tower_webhook::"));
        let types = lines.iter().filter_map(|line| line["event_type"].as_str());
        let types = types.map(ToOwned::to_owned).collect();
        lines.retain(|line| target(line) == "tower_webhook::security");
        (lines, types)
    }

    async fn assert_accepted(&self, request: Request<Full<Bytes>>) {
        let response = self.send(request).await;
        let answer = (response.status().as_u16(), &response.body()[..]);
        assert_eq!(answer, (200, &b"<Response/>"[..]));
        assert_eq!(response.headers()["content-type"], "text/xml");
    }

    /// Sends what must be refused, and looks at everything that it leaves behind: the empty 403, an
    /// event, a row, and nothing stored.
    async fn assert_refused(
        &self,
        request: Request<Full<Bytes>>,
        tenant: Option<&str>,
        reason: &str,
    ) {
        let (url, stored) = (request.uri().to_string(), self.stored().await);
        let response = self.send(request).await;
        assert_eq!(plain(&response), refusal());
        assert_eq!(self.stored().await, stored);

        let (events, types) = self.events();
        assert_eq!(types, ["invalid_webhook_signature"], "the handler was not called");
        let mut expected = vec![
            ("level", Value::from("ERROR")),
            ("provider", "twilio".into()),
            ("ip_address", "127.0.0.1".into()),
            ("method", "POST".into()),
            ("url", url.as_str().into()),
            ("user_agent", "TwilioProxy/1.1".into()),
            ("request_id", "r-1".into()),
            ("reason", reason.into()),
            ("status", 403.into()),
        ];
        expected.extend(tenant.map(|tenant| ("tenant_id", tenant.into())));
        for (field, expected) in expected {
            assert_eq!(events[0].get(field), Some(&expected), "{field}: {}", events[0]);
        }
        assert!(events[0]["timestamp"].is_number());
        // Of an unknown tenant it is the id that was looked up.
        let is_named = events[0].get("tenant_id").is_some();
        assert!(is_named == tenant.is_some() || reason == "unknown_tenant", "{}", events[0]);

        let row = self.last_row().await;
        let mut expected = Entry::new(row.id, "unauthorized");
        expected.url = url;
        expected.tenant = tenant.map(ToOwned::to_owned);
        expected.headers = row.headers.clone();
        expected.http_status = Some(403);
        expected.reason = Some(reason.to_owned());
        expected.message = Some("Signature verification failed".to_owned());
        // Of a stranger's body there is no more than this, where it was read.
        (expected.body_sha256, expected.body_len) = (row.body_sha256, row.body_len);
        // The cause comes at any time.
        expected.cause.clone_from(&row.cause);
        expected.explanation.clone_from(&row.explanation);
        // A malformed signature that costs no look-up costs no body either.
        let is_of_head = reason == "missing" || (reason == "malformed" && tenant.is_none());
        assert_eq!(row.body_len.is_some(), !is_of_head);
        assert_eq!(row, common(expected, &row));
    }
}

fn target(line: &Value) -> &str {
    line["target"].as_str().unwrap_or_default()
}

/// Status, headers without the date, and body.
type Plain = (u16, Vec<String>, String);

/// What whoever is not believed is told.
fn refusal() -> Plain {
    (403, vec!["content-length: 0".to_owned()], String::new())
}

fn plain(response: &Response<Bytes>) -> Plain {
    let headers = response.headers().iter().filter(|(name, _)| *name != header::DATE);
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), headers.collect(), body)
}

/// What every row has; its times are the row's own.
fn common(mut expected: Entry, row: &Entry) -> Entry {
    assert!(row.received_at.unwrap() <= row.processed_at.unwrap());
    assert!(row.processing_ms.is_some());
    expected.provider = "twilio".into();
    expected.method = "POST".into();
    expected.ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    expected.user_agent = Some("TwilioProxy/1.1".to_owned());
    expected.request_id = Some("r-1".to_owned());
    expected.received_at = row.received_at;
    expected.processed_at = row.processed_at;
    expected.processing_ms = row.processing_ms;
    expected
}

async fn accepts(webhook: Webhook, event_name: &str, stored: [&str; 3]) {
    let system = System::start().await;
    system.assert_accepted(webhook.signed(OF_ANNA)).await;
    assert_eq!(system.stored().await, [stored]);
    let (security, types) = system.events();
    assert_eq!(
        (security, types),
        (vec![], ["webhook_accepted", "webhook_completed"].map(Into::into).into())
    );

    let row = system.last_row().await;
    let mut expected = Entry::new(row.id, "success");
    expected.url = webhook.0.to_owned();
    expected.tenant = Some(ANNA.to_owned());
    expected.event_name = Some(event_name.to_owned());
    expected.http_status = Some(200);
    expected.headers = vec![("content-type".to_owned(), FORM.to_owned())];
    expected.payload = Some(webhook.body().into());
    expected.body_sha256 = Some(Sha256::digest(webhook.body()).into());
    expected.body_len = Some(webhook.body().len() as u64);
    expected.verified = true;
    expected.key_index = Some(0);
    expected.delivery_id = Some("i-1".to_owned());
    assert_eq!(row, common(expected, &row));
}

/// The same request is accepted with its right signature, so that it is the signature which is at
/// fault.
async fn refuses(webhook: Webhook, headers: &[(&str, &str)], tenant: Option<&str>, reason: &str) {
    let system = System::start().await;
    system.assert_refused(webhook.request(headers), tenant, reason).await;
    system.assert_accepted(webhook.signed(OF_ANNA)).await;
}

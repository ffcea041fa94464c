//! Stores each of Twilio's messages and status callbacks once, for many tenants with an auth token
//! each, and logs every request in SQLite.
//!
//! The path of the database and the base of the public URL come from the environment. Without them
//! the server does not start. The database contains the auth tokens in plain text, so make it
//! unreadable for other users:
//!
//! ```sh
//! umask 077
//! export TWILIO_DATABASE=webhooks.db TWILIO_PUBLIC_BASE=https://example.com
//! cargo run --example twilio_tenants --features tenants,delivery-log-sqlite
//! ```
//!
//! And then:
//!
//! ```sh
//! sqlite3 webhooks.db "INSERT INTO tenant (number, auth_token) VALUES ('+15550000001', 'token-of-anna')"
//! url=https://example.com/v1/webhooks/twilio
//! signature=$(printf %s "${url}BodyhiFrom+15551112222MessageSidSM1To+15550000001" |
//!     openssl dgst -sha1 -hmac token-of-anna -binary | base64)
//! curl -i http://127.0.0.1:3000/v1/webhooks/twilio -H "x-twilio-signature: $signature" \
//!     -d Body=hi -d From=%2B15551112222 -d MessageSid=SM1 -d To=%2B15550000001
//! sqlite3 webhooks.db 'SELECT * FROM received; SELECT status, tenant, event_name FROM webhook_deliveries'
//! ```

use std::{
    env,
    error::Error,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Form, Router,
    extract::{ConnectInfo, State, rejection::FormRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::{net::TcpListener, time::interval};
use tower_webhook::{
    PublicUrl, Rejection, Secret, Secrets, SignatureLayer, Verified,
    delivery_log::{DeliveryLog, Retention},
    layer::Requires,
    observe::{Alert, Alerts, Attempt, ClientIp, Event, Observer},
    providers::Twilio,
    tenants::{TenantId, Tenants, TenantsBuilder, form_field},
};

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Schema of the database. The ID of a tenant is its number at Twilio.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tenant (
        number TEXT NOT NULL PRIMARY KEY,
        -- NULL until the tenant is set up.
        auth_token TEXT CHECK (auth_token <> ''),
        -- During a rotation, Twilio signs with it until the new token is promoted to primary.
        previous_auth_token TEXT CHECK (previous_auth_token <> ''),
        is_suspended BOOLEAN NOT NULL DEFAULT FALSE
    );
    -- Written by the program that sends messages. A status without a row here is rejected.
    CREATE TABLE IF NOT EXISTS sent (
        sid TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS received (
        tenant TEXT NOT NULL,
        sid TEXT NOT NULL,
        sender TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (tenant, sid)
    );
    CREATE TABLE IF NOT EXISTS status (
        tenant TEXT NOT NULL,
        sid TEXT NOT NULL,
        status TEXT NOT NULL,
        PRIMARY KEY (tenant, sid, status)
    )";

/// A message from Twilio.
///
/// Twilio sends many more parameters, and adds new ones without notice.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_sid: String,
    from: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    message_sid: String,
    message_status: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Database(pub(crate) SqlitePool);

impl Database {
    pub(crate) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(2));
        // Short enough for a `503 Service Unavailable` before Twilio gives up.
        let pool = SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(2));
        let pool = pool.connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    async fn secrets(&self, number: &str) -> Result<Option<Secrets>, Box<dyn Error + Send + Sync>> {
        let row: Option<(Option<String>, Option<String>)> =
            sqlx::query_as("SELECT auth_token, previous_auth_token FROM tenant WHERE number = ?")
                .bind(number)
                .fetch_optional(&self.0)
                .await?;
        let Some((current, previous)) = row else { return Ok(None) };
        let tokens = current.into_iter().chain(previous);
        Ok(Some(tokens.map(Secret::new).collect::<Result<_, _>>()?))
    }

    async fn sender_of(&self, sid: &str) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query_scalar("SELECT tenant FROM sent WHERE sid = ?");
        query.bind(sid).fetch_optional(&self.0).await
    }

    async fn is_suspended(&self, tenant: &str) -> Result<bool, sqlx::Error> {
        let query = sqlx::query_scalar("SELECT is_suspended FROM tenant WHERE number = ?");
        query.bind(tenant).fetch_one(&self.0).await
    }

    async fn store_message(&self, tenant: &str, message: &Message) -> Result<(), sqlx::Error> {
        // Twilio may repeat a message that got no response. A stored message stays unchanged.
        sqlx::query(
            "INSERT INTO received (tenant, sid, sender, body) VALUES (?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(tenant)
        .bind(&message.message_sid)
        .bind(&message.from)
        .bind(&message.body)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    async fn store_status(&self, tenant: &str, status: &Status) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO status (tenant, sid, status) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(tenant)
        .bind(&status.message_sid)
        .bind(&status.message_status)
        .execute(&self.0)
        .await?;
        Ok(())
    }
}

/// Returns a lookup of the tenants' verifiers.
///
/// A changed token takes effect within a minute, or immediately after [`Tenants::forget`].
pub(crate) fn tenants(database: Database, url: PublicUrl) -> TenantsBuilder<Twilio> {
    let store = move |number: TenantId| {
        let database = database.clone();
        async move { database.secrets(&number).await }
    };
    let make = move |tokens: Secrets| Twilio::new(tokens, url.clone());
    Tenants::builder(store, make).check_id(is_number)
}

/// Returns `true` if the text is a phone number in E.164 form.
fn is_number(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn app(database: Database, tenants: &Tenants<Twilio>, log: DeliveryLog) -> Router {
    // Both lookups read the unverified body, which only selects the token to try.
    let by_recipient = tenants.by_body(Requires::nothing(), |_head, body| {
        let recipient = form_field(body, "To")?;
        Some(recipient.strip_prefix("whatsapp:").unwrap_or(&recipient).to_owned())
    });
    let (store, tenants) = (database.clone(), tenants.clone());
    // A closure has no decoy, so `Requires` rejects unsigned requests before their body is read.
    let by_message = SignatureLayer::by_body(Requires::header(SIGNATURE), move |_head, body| {
        let sid = form_field(body, "MessageSid");
        let (store, tenants) = (store.clone(), tenants.clone());
        async move {
            let tenant = match sid {
                Some(sid) => store.sender_of(&sid).await.map_err(Rejection::unavailable)?,
                None => None,
            };
            // No tenant has an empty number. The decoy then rejects as a tenant's verifier would.
            tenants.verifier(tenant.as_deref().unwrap_or_default()).await
        }
    });

    let observer = observer();
    let messages = SignatureLayer::new(by_recipient)
        .client_ip(client_ip())
        .observer(observer.clone())
        .observer(log.clone());
    let statuses = by_message
        .defaults(Twilio::DEFAULTS)
        .client_ip(client_ip())
        .observer(observer)
        .observer(log);
    Router::new()
        .route("/v1/webhooks/twilio", post(receive_message).layer(messages))
        .route("/v1/webhooks/twilio/status", post(receive_status).layer(statuses))
        .with_state(database)
}

/// Returns an observer that logs alerts. Both endpoints share its counts.
fn observer() -> impl Observer + Clone + 'static {
    let alerts = Arc::new(Alerts::new(|alert: &Alert| {
        tracing::error!(target: "tower_webhook::security", "{alert}");
    }));
    move |event: &Event<'_>| alerts.observe(event)
}

/// Returns the rule for the client's address: the address of the connection.
///
/// Behind a proxy, add [`ClientIp::forwarded`].
fn client_ip() -> ClientIp {
    ClientIp::new(|head| {
        let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    })
}

async fn receive_message(
    State(database): State<Database>,
    Extension(verified): Extension<Verified>,
    Extension(attempt): Extension<Arc<Attempt>>,
    form: Result<Form<Message>, FormRejection>,
) -> Response {
    attempt.set_event_name("message.received");
    let Ok(Form(message)) = form else { return StatusCode::BAD_REQUEST.into_response() };
    // The proven tenant, not the one that the form names.
    let tenant = verified.tenant().unwrap_or_default();
    accept(&database, tenant, &attempt, database.store_message(tenant, &message)).await
}

async fn receive_status(
    State(database): State<Database>,
    Extension(verified): Extension<Verified>,
    Extension(attempt): Extension<Arc<Attempt>>,
    form: Result<Form<Status>, FormRejection>,
) -> Response {
    attempt.set_event_name("message.status");
    let Ok(Form(status)) = form else { return StatusCode::BAD_REQUEST.into_response() };
    let tenant = verified.tenant().unwrap_or_default();
    accept(&database, tenant, &attempt, database.store_status(tenant, &status)).await
}

/// Stores a delivery unless the tenant is suspended, and responds with `200 OK` only if it is
/// stored.
async fn accept(
    database: &Database,
    tenant: &str,
    attempt: &Attempt,
    store: impl Future<Output = Result<(), sqlx::Error>>,
) -> Response {
    let stored = async {
        if database.is_suspended(tenant).await? {
            return Ok(false);
        }
        store.await.map(|()| true)
    };
    match stored.await {
        // Empty TwiML: no reply to the sender.
        Ok(true) => ([(header::CONTENT_TYPE, "text/xml")], "<Response/>").into_response(),
        Ok(false) => {
            attempt.set_status("subscription_inactive", "The tenant is suspended");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(error) => {
            attempt.set_status("error", error.to_string());
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
        }
    }
}

/// Deletes rows of the delivery log after 30 days, because they contain people's messages.
async fn prune(log: DeliveryLog) {
    let mut each_hour = interval(Duration::from_secs(3600));
    let retention = Retention::new().max_age(Duration::from_secs(30 * 24 * 3600));
    loop {
        each_hour.tick().await;
        if let Err(error) = log.prune(retention).await {
            tracing::warn!("cannot prune the delivery log: {error}");
        }
    }
}

/// Reads the path of the database and the base of the public URL with `variable`.
///
/// The error names the variable that is missing, empty or invalid.
pub(crate) fn settings(
    variable: impl Fn(&str) -> Result<String, env::VarError>,
) -> Result<(PathBuf, PublicUrl), String> {
    const DATABASE: &str = "TWILIO_DATABASE";
    const BASE: &str = "TWILIO_PUBLIC_BASE";
    let text = |name| match variable(name) {
        Ok(text) if text.is_empty() => Err(format!("{name}: environment variable is empty")),
        Ok(text) => Ok(text),
        Err(error) => Err(format!("{name}: {error}")),
    };
    let url = PublicUrl::base(&text(BASE)?).map_err(|error| format!("{BASE}: {error}"))?;
    Ok((text(DATABASE)?.into(), url))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (path, url) = settings(|name| env::var(name))?;
    tracing_subscriber::fmt().init();
    let database = Database::open(&path).await?;
    let log = DeliveryLog::builder().sqlite(&path).await?;
    tokio::spawn(prune(log.clone()));
    let tenants = tenants(database.clone(), url).build()?;
    let app = app(database.clone(), &tenants, log.clone());

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    // Writes the rows that are still queued.
    log.shutdown(Duration::from_secs(10)).await?;
    database.0.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}

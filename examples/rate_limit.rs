//! Limits the rate of requests by address above the layer, and by tenant below it.
//!
//! Above the layer only the sender's address is known. A request over that limit is counted and not
//! verified. Below the layer the tenant is proven, so no sender can use up the quota of a tenant
//! whose secret it does not have.
//!
//! Set both limits well above the provider's rate: some providers treat `429 Too Many Requests` as
//! final. Providers send from few addresses. If you know them, exempt them from the first limit.
//!
//! Run `cargo run --example rate_limit`, and then:
//!
//! ```sh
//! body='{"object":"page"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-anna -r | cut -d' ' -f1)
//! for i in $(seq 150); do
//!     curl -si http://127.0.0.1:3000/hooks/anna -H "x-hub-signature-256: sha256=$tag" -d "$body"
//! done | grep -iE '^(http|retry-after)' | sort | uniq -c
//! ```

use std::{
    collections::HashMap,
    env,
    error::Error,
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tower_webhook::{
    Rejection, Secret, SignatureLayer, Verified, Verifier,
    layer::ByHead,
    observe::{Alert, Alerts, Attempt, ClientIp, Event, EventKind, Observer},
    providers::Meta,
};

/// Quota of an address: a burst of 100 requests, which refills evenly within a minute.
pub(crate) const PER_ADDRESS: Quota = Quota::per_minute(NonZeroU32::new(100).unwrap());
/// Quota of a tenant: a burst of 10,000 requests, which refills evenly within an hour.
pub(crate) const PER_TENANT: Quota = Quota::per_hour(NonZeroU32::new(10_000).unwrap());

/// Secret of each tenant, in place of a database.
pub(crate) type Secrets = HashMap<String, Secret>;

/// Rate limit for each key.
struct Limit<K: Hash + Eq + Clone, C: Clock> {
    limiter: RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Limit<K, C> {
    fn new(quota: Quota, clock: C) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(quota, clock.clone());
        Self { limiter, clock, checks: AtomicU32::new(0) }
    }

    /// Counts a request of this key, or returns the time to wait if the quota is used up.
    fn check(&self, key: &K) -> Result<(), Duration> {
        // Drops the keys that are back at their full quota, so that addresses of strangers do not
        // fill the memory.
        if self.checks.fetch_add(1, Ordering::Relaxed) % 10_000 == 9_999 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

fn too_many(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response()
}

struct ByAddress<C: Clock, O> {
    limit: Limit<IpAddr, C>,
    client_ip: ClientIp,
    observer: O,
}

async fn limit_address<C: Clock + Clone + Send + Sync, O: Observer>(
    State(by_address): State<Arc<ByAddress<C, O>>>,
    request: Request,
    next: Next,
) -> Response
where
    C::Instant: Send + Sync,
{
    let (head, body) = request.into_parts();
    // Clients whose address is not known share one quota.
    let address = by_address.client_ip.of(&head);
    match by_address.limit.check(&network(address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()))) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(wait) => {
            // The layer has not seen this request, so its extensions hold no attempt.
            let mut attempt = Attempt::new(Meta::DEFAULTS.provider(), &head);
            if let Some(address) = address {
                attempt = attempt.with_client_ip(address);
            }
            // An attempt without a layer reports to `tracing` only.
            attempt.report(EventKind::RateLimited);
            by_address.observer.observe(&Event::new(&attempt, EventKind::RateLimited));
            too_many(wait)
        }
    }
}

/// Returns the network that shares a quota: an IPv4 address, or the first 64 bits of an IPv6
/// address.
///
/// A client that has one IPv6 address has 2^64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

async fn limit_tenant<C: Clock + Clone + Send + Sync>(
    State(limit): State<Arc<Limit<String, C>>>,
    Extension(verified): Extension<Verified>,
    Extension(attempt): Extension<Arc<Attempt>>,
    request: Request,
    next: Next,
) -> Response
where
    C::Instant: Send + Sync,
{
    let tenant = verified.tenant().unwrap_or_default().to_owned();
    match limit.check(&tenant) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            attempt.report(EventKind::RateLimited);
            too_many(wait)
        }
    }
}

async fn handler(Extension(verified): Extension<Verified>) -> String {
    format!("genuine, for {}\n", verified.tenant().unwrap_or_default())
}

/// Returns the application.
///
/// It needs connection info: serve `into_make_service_with_connect_info::<SocketAddr>()`.
pub(crate) fn app<C, O>(
    secrets: Secrets,
    [per_address, per_tenant]: [Quota; 2],
    clock: C,
    observer: O,
) -> Router
where
    C: Clock + Clone + Send + Sync + 'static,
    C::Instant: Send + Sync,
    O: Observer + Clone + 'static,
{
    let secrets = Arc::new(secrets);
    let look_up = ByHead::new(move |head| {
        let tenant = head.uri.path().trim_start_matches("/hooks/").to_owned();
        let secret = secrets.get(&tenant).cloned();
        async move {
            let secret = secret.ok_or(Rejection::unknown_tenant())?;
            Ok(Meta::new(secret).map_err(Rejection::unavailable)?.for_tenant(tenant))
        }
    });
    // Behind a proxy, use `ClientIp::forwarded`. Otherwise all clients have the proxy's address.
    let client_ip = ClientIp::new(|head| {
        let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    });
    let layer = SignatureLayer::new(look_up)
        .defaults(Meta::DEFAULTS)
        .observer(observer.clone())
        .client_ip(client_ip.clone());
    let by_tenant = Arc::new(Limit::new(per_tenant, clock.clone()));
    let limit = Limit::new(per_address, clock);
    let by_address = Arc::new(ByAddress { limit, client_ip, observer });
    Router::new()
        .route("/hooks/{tenant}", post(handler))
        // The last layer is the outermost one.
        .route_layer(from_fn_with_state(by_tenant, limit_tenant::<C>))
        .route_layer(layer)
        .route_layer(from_fn_with_state(by_address, limit_address::<C, O>))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let secrets = HashMap::from([("anna".to_owned(), Secret::new("secret-of-anna")?)]);
    let alerts = Arc::new(Alerts::new(|alert: &Alert| {
        tracing::error!(target: "tower_webhook::security", "{alert}");
    }));
    let observer = move |event: &Event<'_>| alerts.observe(event);
    let app = app(secrets, [PER_ADDRESS, PER_TENANT], DefaultClock::default(), observer);

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}

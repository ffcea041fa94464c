//! What strangers can cost a store of tenants: which requests are looked up, and how many at once.

use std::{
    future::{Future, pending},
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{self, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use base64::Engine;
use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, request::Parts};
use proptest::prelude::*;
use tokio::{
    task::{JoinSet, yield_now},
    time::{Instant, advance, sleep},
};
use tower_webhook::{
    ConfigError, Context, Outcome, Rejection, RejectionKind, Secret, Secrets, SignatureLayer,
    Verified, Verifier,
    layer::Requires,
    observe::ClientIp,
    providers::{BasicAuth, BoxVerifier, GitHub, Meta, SharedToken, Strava},
    tenants::{TenantId, Tenants, TenantsBuilder, decoy_secret},
    verifier::any_of,
};

use crate::{
    net::within,
    support::{BoxError, Script, assert_refused, assert_refused_with, send},
    tenants::lookup::{ByPath, by_path},
};

/// A store that counts the calls that are under way. Ids that begin with `stuck` are never
/// answered, those with `tenant` are known, all others are not; both after 10 ms.
#[derive(Default)]
struct Store {
    asked: Mutex<Vec<String>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A call that is under way.
struct Calling(Arc<Store>);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

impl Store {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn load(
        self: Arc<Self>,
        id: TenantId,
    ) -> impl Future<Output = Result<Option<Secrets>, BoxError>> {
        self.asked.lock().unwrap().push(id.to_string());
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        let calling = Calling(self);
        async move {
            let _calling = calling;
            if id.starts_with("stuck") {
                return pending().await;
            }
            sleep(Duration::from_millis(10)).await;
            Ok(id.starts_with("tenant").then(|| secret_of(&id).into()))
        }
    }

    fn builder<V>(
        self: &Arc<Self>,
        make: impl Fn(Secrets) -> Result<V, ConfigError> + Send + Sync + 'static,
    ) -> TenantsBuilder<V>
    where
        V: Verifier + Clone,
    {
        let store = Arc::clone(self);
        Tenants::builder(move |id| Arc::clone(&store).load(id), make)
    }

    fn meta(self: &Arc<Self>) -> TenantsBuilder<Meta> {
        self.builder(Meta::new)
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// How many calls are under way.
    fn now(&self) -> usize {
        self.now.load(SeqCst)
    }
}

fn secret_of(id: &str) -> Secret {
    Secret::new(format!("the secret of {id}")).unwrap()
}

/// A genuine request, from this address.
fn request(id: &str, address: &str) -> Request<Script> {
    let mut request = crate::tenants::lookup::request(id, &format!("the secret of {id}"), hello());
    if !address.is_empty() {
        request.extensions_mut().insert::<IpAddr>(address.parse().unwrap());
    }
    request
}

fn unsigned(id: &str) -> Request<Script> {
    Request::post(format!("/hooks/{id}")).body(hello()).unwrap()
}

fn hello() -> Script {
    Script::data(["hello"])
}

fn client_ip() -> ClientIp {
    ClientIp::new(|head| head.extensions.get().copied())
}

/// Spawned requests, and what each is told.
type Crowd = JoinSet<Option<RejectionKind>>;

/// Sends requests all at once. They have come as far as they can when this returns.
async fn crowd(
    layer: &SignatureLayer<ByPath>,
    requests: impl IntoIterator<Item = Request<Script>>,
) -> Crowd {
    let (mut crowd, arrived) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for request in requests {
        let (layer, arrived) = (layer.clone(), Arc::clone(&arrived));
        crowd.spawn(async move {
            arrived.fetch_add(1, SeqCst);
            told(&send(&layer, request).await.0)
        });
    }
    while arrived.load(SeqCst) < crowd.len() {
        yield_now().await;
    }
    settle().await;
    crowd
}

fn told<B>(response: &http::Response<B>) -> Option<RejectionKind> {
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

/// Lets everything happen that needs no time.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Requests of one network for ids whose look-up never ends.
fn stuck(count: usize, address: &'static str) -> impl Iterator<Item = Request<Script>> {
    (0..count).map(move |number| request(&format!("stuck-{number}"), address))
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(Waker::noop()))
}

/// How many ids are being asked for or wait for it, as the look-up's `Debug` shows.
fn flights<V: Clone>(tenants: &Tenants<V>) -> usize {
    let text = format!("{tenants:?}");
    let (_, rest) = text.split_once(" asking: ").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn distinct_ids_make_at_most_64_calls_at_once() {
    for (networks, most) in [(100, 64), (1, 48)] {
        let store = Store::new();
        let layer = by_path(&store.meta().build().unwrap()).client_ip(client_ip());
        let requests = (0..2000).map(|number| {
            let address = format!("10.0.{}.{}", number % networks, number % 250);
            request(&format!("id-{number}"), &address)
        });
        for kind in crowd(&layer, requests).await.join_all().await {
            assert_eq!(kind, Some(RejectionKind::UnknownTenant));
        }
        assert_eq!((store.calls(), store.most.load(SeqCst)), (2000, most));
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_can_be_set_and_is_not_zero() {
    let store = Store::new();
    let error = store.meta().max_concurrent_lookups(0).build().unwrap_err();
    assert!(matches!(error, ConfigError::TenantsInvalid { .. }), "{error}");
    assert!(error.to_string().contains("at least one"), "{error}");

    let tenants = store.meta().max_concurrent_lookups(2).build().unwrap();
    let _crowd = crowd(&by_path(&tenants), stuck(10, "")).await;
    assert_eq!((store.now(), flights(&tenants)), (2, 10));
}

#[tokio::test(start_paused = true)]
async fn a_crowded_network_holds_no_other_one_back() {
    for (crowded, quiet) in [
        ("192.0.2.7", "198.51.100.7"),
        ("192.0.2.7", "2001:db8::7"),
        ("2001:db8:1::7", "2001:db8:2::7"),
        ("2001:db8:1::7", ""),
        ("", "192.0.2.7"),
    ] {
        let store = Store::new();
        let layer = by_path(&store.meta().build().unwrap()).client_ip(client_ip());
        let _crowd = crowd(&layer, stuck(2000, crowded)).await;
        assert_eq!(store.now(), 48, "{crowded}");
        let start = Instant::now();
        let (response, _) = send(&layer, request("tenant-1", quiet)).await;
        assert_eq!(response.status(), StatusCode::OK, "{quiet}");
        assert_eq!(start.elapsed(), Duration::from_millis(10), "{quiet} is looked up at once");
    }
}

#[tokio::test(start_paused = true)]
async fn known_tenants_pass_a_crowded_network() {
    let (store, now) = (Store::new(), Arc::new(AtomicU64::new(1_700_000_000)));
    let clock = Arc::clone(&now);
    let clock = move || UNIX_EPOCH + Duration::from_secs(clock.load(SeqCst));
    let layer = by_path(&store.meta().clock(clock).build().unwrap());
    let tenants = ["tenant-1", "tenant-2", "tenant-3"];
    for tenant in tenants {
        assert_eq!(told(&send(&layer, request(tenant, "")).await.0), None);
    }
    now.fetch_add(60, SeqCst);
    let _crowd = crowd(&layer, stuck(2000, "")).await;
    let calls = store.calls();
    for tenant in tenants {
        let start = Instant::now();
        assert_eq!(told(&send(&layer, request(tenant, "")).await.0), None);
        assert_eq!(start.elapsed(), Duration::from_millis(10), "{tenant} is looked up at once");
    }
    assert_eq!(store.calls() - calls, tenants.len());
    // One that nobody has asked for before waits with the strangers.
    let mut unknown = pin!(send(&layer, request("tenant-4", "")));
    assert!(poll(unknown.as_mut()).is_pending());
    settle().await;
    assert_eq!(store.now(), 48);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_asks_first_holds_no_tenant_back() {
    let store = Store::new();
    let layer = by_path(&store.meta().build().unwrap()).client_ip(client_ip());
    let before = stuck(2000, "192.0.2.7");
    let _crowd = crowd(&layer, before.chain([request("tenant-1", "192.0.2.8")])).await;
    let start = Instant::now();
    let (response, _) = send(&layer, request("tenant-1", "198.51.100.7")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(start.elapsed(), Duration::from_millis(10), "it is looked up at once");
    let asked = store.asked.lock().unwrap().iter().filter(|id| *id == "tenant-1").count();
    assert_eq!(asked, 1, "one call for both");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_is_followed_by_one_who_waits() {
    let store = Store::new();
    let layer = by_path(&store.meta().build().unwrap()).client_ip(client_ip());
    let mut first = Box::pin(send(&layer, request("tenant-1", "192.0.2.7")));
    let mut second = Box::pin(send(&layer, request("tenant-1", "198.51.100.7")));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    assert_eq!((store.calls(), store.now()), (1, 1));
    drop(first);
    assert_eq!(second.await.0.status(), StatusCode::OK);
    assert_eq!((store.calls(), store.now()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_leaves_nothing_behind() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    let layer = by_path(&tenants);
    let callers = crowd(&layer, stuck(48, "")).await;
    for _ in 0..10 {
        let waiters = crowd(&layer, (0..100).map(|id| request(&format!("id-{id}"), ""))).await;
        assert_eq!((store.now(), flights(&tenants)), (48, 148));
        drop(waiters);
        settle().await;
        assert_eq!((store.now(), flights(&tenants)), (48, 48));
    }
    drop(callers);
    settle().await;
    assert_eq!((store.now(), flights(&tenants), store.calls()), (0, 0, 48));
}

#[tokio::test(start_paused = true)]
async fn a_slot_for_a_dropped_waiter_goes_to_the_next() {
    let store = Store::new();
    let tenants = store.meta().max_concurrent_lookups(1).build().unwrap();
    let ids = ["stuck-1", "stuck-2", "tenant-3"];
    let [mut first, mut second, mut third] = ids.map(|id| Box::pin(tenants.verifier(id)));
    for look_up in [&mut first, &mut second, &mut third] {
        assert!(poll(look_up.as_mut()).is_pending());
    }
    // The slot is the second one's now, who is not polled any more.
    drop(first);
    assert_eq!(store.calls(), 1);
    drop(second);
    assert!(within(third).await.unwrap().tenant().is_some());
    assert_eq!(*store.asked.lock().unwrap(), ["stuck-1", "tenant-3"]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_is_told_in_time() {
    let store = Store::new();
    let builder = store.meta().max_concurrent_lookups(1).time_limit(Duration::from_millis(1500));
    let layer = by_path(&builder.build().unwrap());
    let start = Instant::now();
    let mut crowd = crowd(&layer, stuck(3, "")).await;
    // The first call ends when the others have waited for as long as they may.
    for _ in 0..2 {
        let kind = within(crowd.join_next()).await.unwrap().unwrap();
        assert_eq!(kind, Some(RejectionKind::VerifierUnavailable));
        assert!((1500..1510).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
    // Its slot was given to one of them in the same moment, or to nobody.
    crowd.join_all().await;
    assert!(start.elapsed() <= Duration::from_millis(3010), "{:?}", start.elapsed());
    assert_eq!(told(&send(&layer, request("tenant-1", "")).await.0), None);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_slot_that_ends_in_time_is_none() {
    let store = Store::new();
    let tenants = store.meta().max_concurrent_lookups(1).build().unwrap();
    let mut stuck = Box::pin(tenants.verifier("stuck"));
    assert!(poll(stuck.as_mut()).is_pending());
    let mut waiting = Box::pin(tenants.verifier("tenant-1"));
    assert!(poll(waiting.as_mut()).is_pending());
    advance(Duration::from_millis(1990)).await;
    drop(stuck);
    // Its own call has a time of its own.
    assert!(within(waiting).await.unwrap().tenant().is_some());
}

#[tokio::test(start_paused = true)]
async fn cached_tenants_wait_for_nobody() {
    let store = Store::new();
    let tenants = store.meta().max_concurrent_lookups(1).build().unwrap();
    for id in ["tenant-1", "id-1"] {
        tenants.verifier(id).await.unwrap();
    }
    let mut stuck = Box::pin(tenants.verifier("stuck"));
    assert!(poll(stuck.as_mut()).is_pending());
    for id in ["tenant-1", "id-1"] {
        assert!(poll(pin!(tenants.verifier(id))).is_ready(), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn challenges_are_looked_up_within_the_bound() {
    let store = Store::new();
    let tenants = store.builder(|secrets| {
        let token = Secret::new("the verify token")?;
        Meta::new(secrets)?.verify_token(token)
    });
    let layer = by_path(&tenants.build().unwrap());
    let challenge = |id: &str| {
        let query = "hub.mode=subscribe&hub.verify_token=the+verify+token&hub.challenge=42";
        Request::get(format!("/hooks/{id}?{query}")).body(hello()).unwrap()
    };
    let requests = (0..500).map(|number| challenge(&format!("id-{number}")));
    for kind in crowd(&layer, requests).await.join_all().await {
        assert_eq!(kind, None, "the decoy has the token, too");
    }
    assert_eq!((store.calls(), store.most.load(SeqCst)), (500, 48));
    assert_eq!(send(&layer, challenge("tenant-1")).await.0.status(), StatusCode::OK);
    assert_eq!(store.calls(), 501);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_panics_is_none() {
    let store = Store::new();
    let client_ip = ClientIp::new(|_| panic!("no address"));
    let layer = by_path(&store.meta().build().unwrap()).client_ip(client_ip.clone());
    assert_eq!(told(&send(&layer, request("tenant-1", "")).await.0), None);
    let tenants = store
        .meta()
        .build()
        .unwrap()
        .by_body(Requires::nothing(), |_, _| Some("tenant-1".to_owned()));
    let layer = SignatureLayer::new(tenants).client_ip(client_ip);
    assert_eq!(told(&send(&layer, request("tenant-1", "")).await.0), None);
}

#[tokio::test(start_paused = true)]
async fn an_address_counts_behind_a_look_up_by_the_body() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    let by_body = tenants.by_body(Requires::nothing(), |head, _| {
        head.uri.path().strip_prefix("/hooks/").map(str::to_owned)
    });
    let by_body = SignatureLayer::new(by_body).client_ip(client_ip());
    let _crowd = crowd(&by_path(&tenants).client_ip(client_ip()), stuck(100, "192.0.2.7")).await;
    let start = Instant::now();
    assert_eq!(told(&send(&by_body, request("tenant-1", "198.51.100.7")).await.0), None);
    assert_eq!(start.elapsed(), Duration::from_millis(10), "it is looked up at once");
    let mut crowded = pin!(send(&by_body, request("tenant-2", "192.0.2.9")));
    assert!(poll(crowded.as_mut()).is_pending());
    assert_eq!(store.now(), 48, "it waits with its network");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Look-ups of a few ids, from a few networks, that are polled and dropped in any order.
    #[test]
    fn no_order_of_drops_loses_a_slot(
        slots in 1..6_usize,
        steps in prop::collection::vec((0..4_u8, 0..6_u8, 0..3_u8, any::<usize>()), 0..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::new();
            let tenants = store.meta().max_concurrent_lookups(slots).build().unwrap();
            let layer = by_path(&tenants).client_ip(client_ip());
            let mut crowd: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
            for (step, id, network, at) in steps {
                match step {
                    0 | 1 => {
                        let request = request(&format!("stuck-{id}"), &format!("10.0.{network}.1"));
                        let layer = layer.clone();
                        crowd.push(Box::pin(async move { drop(send(&layer, request).await) }));
                    }
                    _ if crowd.is_empty() => {}
                    2 => {
                        let at = at % crowd.len();
                        assert!(poll(crowd[at].as_mut()).is_pending());
                    }
                    _ => drop(crowd.swap_remove(at % crowd.len())),
                }
                assert!(store.now() <= slots);
            }
            // Whoever is left gets on: each id that somebody waits for is asked for, or all slots
            // that one network may have are taken.
            drop(crowd);
            assert_eq!((store.now(), flights(&tenants)), (0, 0));
            let mut fresh: Vec<_> = (0..slots).map(|number| {
                let request = request(&format!("stuck-fresh-{number}"), &format!("10.1.{number}.1"));
                let layer = layer.clone();
                Box::pin(async move { drop(send(&layer, request).await) })
            }).collect();
            for look_up in &mut fresh {
                assert!(poll(look_up.as_mut()).is_pending());
            }
            assert_eq!(store.now(), slots, "all slots are free again");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_request_costs_no_look_up() {
    let store = Store::new();
    let tenants = store.meta().build().unwrap();
    let by_head = by_path(&tenants);
    let by_body = SignatureLayer::new(
        tenants.by_body(Requires::nothing(), |_, _| panic!("the body was read")),
    );
    let header = HeaderName::from_static("x-hub-signature-256");
    for (case, values, kind) in [
        ("missing", &[][..], RejectionKind::Missing),
        ("empty", &[""], RejectionKind::Missing),
        ("malformed", &["sha256=x"], RejectionKind::Malformed),
        ("repeated", &["sha256=00", "sha256=00"], RejectionKind::Repeated),
    ] {
        for id in ["tenant-1", "id-1"] {
            let mut request = unsigned(id);
            for value in values {
                request.headers_mut().append(&header, value.parse().unwrap());
            }
            let (head, _) = request.into_parts();
            let request = || Request::from_parts(head.clone(), hello());
            for answer in [send(&by_head, request()).await, send(&by_body, request()).await] {
                assert_refused(case, kind, &answer);
                let rejection = answer.0.extensions().get::<Rejection>().unwrap();
                let field = rejection.field().map(|field| field.to_string());
                let told = (rejection.provider(), field.as_deref(), rejection.tenant());
                assert_eq!(told, ("meta", Some("x-hub-signature-256"), None), "{case}");
            }
        }
    }
    assert_eq!((store.calls(), flights(&tenants)), (0, 0));
    // A tenant in the cache is told the same.
    assert_eq!(told(&send(&by_head, request("tenant-1", "")).await.0), None);
    assert_refused("cached", RejectionKind::Missing, &send(&by_head, unsigned("tenant-1")).await);
    assert_eq!(store.calls(), 1);
}

/// Refuses from the head as it is told to.
#[derive(Clone)]
struct Begins(Result<(), RejectionKind>);

impl Verifier for Begins {
    type State = ();
    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        self.0.map_err(Rejection::new)
    }
    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new("begins").into())
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_no_secret_can_change_costs_no_look_up() {
    use RejectionKind::*;
    for (begins, calls) in [
        (Err(Missing), 0),
        (Err(Malformed), 0),
        (Err(Repeated), 0),
        (Ok(()), 1),
        (Err(SignatureMismatch), 1),
        (Err(TimestampStale), 1),
        (Err(TimestampInFuture), 1),
        (Err(UrlUnresolved), 1),
        (Err(BodyNotSigned), 1),
        (Err(ClockUnreliable), 1),
        (Err(VerifierUnavailable), 1),
    ] {
        let store = Store::new();
        let tenants = store.builder(move |_| Ok(Begins(begins))).build().unwrap();
        let by_head = SignatureLayer::new(tenants.by_head(|_| Some("tenant-1".to_owned())));
        let kind = told(&send(&by_head, unsigned("tenant-1")).await.0);
        assert_eq!((kind, store.calls()), (begins.err(), calls), "by head");
        let by_body = SignatureLayer::new(
            tenants.by_body(Requires::nothing(), |_, _| Some("tenant-2".to_owned())),
        );
        let kind = told(&send(&by_body, unsigned("tenant-2")).await.0);
        assert_eq!((kind, store.calls()), (begins.err(), 2 * calls), "by body");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decoy_that_panics_decides_nothing() {
    /// The decoy's, or a tenant's.
    #[derive(Clone)]
    struct Panics {
        is_decoy: bool,
        at_the_handshake: bool,
    }
    impl Verifier for Panics {
        type State = ();
        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            assert!(!self.is_decoy, "begin panics");
            Ok(())
        }
        fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            Ok(Verified::new("panics").into())
        }
        fn challenge(&self, _: &Context<'_>) -> Option<Result<http::Response<Bytes>, Rejection>> {
            assert!(!(self.is_decoy && self.at_the_handshake), "handshake panics");
            None
        }
    }
    for at_the_handshake in [false, true] {
        let store = Store::new();
        let made = AtomicUsize::new(0);
        let make =
            move |_| Ok(Panics { is_decoy: made.fetch_add(1, SeqCst) == 0, at_the_handshake });
        let tenants = store.builder(make).build().unwrap();
        let by_head = SignatureLayer::new(tenants.by_head(|_| Some("tenant-1".to_owned())));
        assert_eq!(told(&send(&by_head, unsigned("x")).await.0), None);
        let by_body = SignatureLayer::new(
            tenants.by_body(Requires::nothing(), |_, _| Some("tenant-2".to_owned())),
        );
        assert_eq!(told(&send(&by_body, unsigned("x")).await.0), None);
        assert_eq!(store.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn either_of_two_verifiers_is_looked_up() {
    for basic_is_first in [false, true] {
        let store = Store::new();
        let tenants = store.builder(move |secrets: Secrets| {
            let (meta, basic) = (Meta::new(secrets.clone())?, BasicAuth::new("user", secrets)?);
            Ok(if basic_is_first {
                BoxVerifier::new(any_of(basic, meta))
            } else {
                BoxVerifier::new(any_of(meta, basic))
            })
        });
        let tenants = tenants.build().unwrap();
        let path_of = |head: &Parts| head.uri.path().strip_prefix("/hooks/").map(str::to_owned);
        let layer = SignatureLayer::new(tenants.by_head(path_of));
        let basic = base64::prelude::BASE64_STANDARD.encode("user:the secret of tenant-1");
        let by_password = Request::post("/hooks/tenant-1")
            .header("authorization", format!("Basic {basic}"))
            .body(hello())
            .unwrap();
        assert_eq!(told(&send(&layer, by_password).await.0), None);
        tenants.clear();
        assert_eq!(told(&send(&layer, request("tenant-1", "")).await.0), None);
        assert_eq!(store.calls(), 2);
        let answer = send(&layer, unsigned("tenant-2")).await;
        assert_refused_with("neither", StatusCode::UNAUTHORIZED, RejectionKind::Missing, &answer);
        assert_eq!(answer.0.headers()["www-authenticate"], "Basic realm=\"webhooks\"");
        assert_eq!(store.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_the_url_is_looked_up() {
    let store = Store::new();
    let tenants = store
        .builder(|secrets: Secrets| Strava::new(SharedToken::in_query("code", secrets)?, token()));
    let tenants = tenants.build().unwrap();
    let layer = SignatureLayer::new(tenants.by_head(|_| Some("tenant-1".to_owned())));
    let post = |query: &str| Request::post(format!("/?{query}")).body(hello()).unwrap();
    let answer = send(&layer, post("code=")).await;
    assert_refused("no code", RejectionKind::Missing, &answer);
    let answer = send(&layer, post("code=1&code=2")).await;
    assert_refused("two codes", RejectionKind::Repeated, &answer);
    assert_eq!(store.calls(), 0);
    assert_eq!(told(&send(&layer, post("code=the+secret+of+tenant-1")).await.0), None);
    assert_eq!(store.calls(), 1);
}

fn token() -> Secret {
    Secret::new("the verify token").unwrap()
}

/// Tenants of GitHub behind a decoy of Meta, which answers challenges.
fn of_two_providers(store: &Arc<Store>) -> Tenants<BoxVerifier> {
    let store = Arc::clone(store);
    let decoy = Meta::new(decoy_secret().unwrap()).unwrap().verify_token(token()).unwrap();
    let tenants = Tenants::builder_with_decoy(
        BoxVerifier::new(decoy),
        move |id: TenantId| {
            let loading = Arc::clone(&store).load(id.clone());
            async move {
                let is_known = loading.await?.is_some();
                let github = || BoxVerifier::new(GitHub::new(secret_of(&id)).unwrap());
                Ok::<_, BoxError>(is_known.then(github))
            }
        },
        Ok::<_, ConfigError>,
    );
    tenants.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_decoy_of_several_providers_decides_nothing() {
    let store = Store::new();
    let tenants = of_two_providers(&store);
    let layer = SignatureLayer::new(tenants.by_head(|_| Some("tenant-1".to_owned())));
    assert_refused("unsigned", RejectionKind::Missing, &send(&layer, unsigned("x")).await);
    assert_eq!(store.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn required_headers_come_before_a_look_up() {
    let store = Store::new();
    let tenants = of_two_providers(&store);
    let names = ["x-hub-signature-256", "x-shopify-hmac-sha256"].map(HeaderName::from_static);
    let requires = Requires::any_header(names);
    let by_head = tenants.by_head(|_| Some("tenant-1".to_owned())).requires(requires.clone());
    let by_head = SignatureLayer::new(by_head);
    let by_body = tenants.by_body(requires, |_, _| Some("tenant-2".to_owned()));
    let by_body = SignatureLayer::new(by_body);
    for answer in [send(&by_head, unsigned("x")).await, send(&by_body, unsigned("x")).await] {
        assert_refused("unsigned", RejectionKind::Missing, &answer);
        let field = answer
            .0
            .extensions()
            .get::<Rejection>()
            .unwrap()
            .field()
            .map(|field| field.to_string());
        assert_eq!(field.as_deref(), Some("x-hub-signature-256"), "the first name's");
    }
    assert_eq!(store.calls(), 0);

    // What the decoy takes for a challenge needs no header.
    let query = "hub.mode=subscribe&hub.verify_token=x&hub.challenge=42";
    let challenge = || Request::get(format!("/?{query}")).body(hello()).unwrap();
    send(&by_head, challenge()).await;
    send(&by_body, challenge()).await;
    assert_eq!(store.calls(), 2);

    tenants.clear();
    assert_eq!(told(&send(&by_head, request("tenant-1", "")).await.0), None);
    assert_eq!(told(&send(&by_body, request("tenant-2", "")).await.0), None);
    let mut second_name = unsigned("x");
    second_name.headers_mut().insert("x-shopify-hmac-sha256", "x".parse().unwrap());
    send(&by_head, second_name).await;
    assert_eq!(store.calls(), 4, "and the second name finds the first look-up in the cache");
}

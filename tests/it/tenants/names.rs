//! Tenants whose store finds them by other spellings of their ids.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, StatusCode};
use tower::{Layer, ServiceExt};
use tower_webhook::{
    Scheme, Secret, Secrets, SignatureLayer, Verifier,
    providers::{BoxVerifier, Meta},
    replay::{MemoryReplayStore, ReplayLayer},
    scheme::Component,
    tenants::{TenantId, TenantSecrets, Tenants, decoy_secret},
};

use crate::{
    support::{Inner, Script, head_of, hmac_sha256, verify},
    tenants::lookup::{hello, path_of, request},
};

/// Signs an id alone, which another tenant's delivery may have too.
const NUMBERED: Scheme = Scheme::hmac_sha256("x-sig")
    .provider("acme")
    .signed_content(&[Component::Id, Component::Literal("."), Component::Body])
    .delivery_id("x-id");

fn numbered(tenant: &str, secret: &str) -> Request<Script> {
    let signature = hmac_sha256(secret, b"1.{}");
    let request = Request::post(format!("/hooks/{tenant}")).header("x-id", "1");
    request.header("x-sig", signature).body(Script::data(["{}"])).unwrap()
}

/// Sends the same delivery for each id. Returns how often the handler was called, and the tenants
/// that it saw.
async fn handled<S: Into<TenantSecrets> + Send + 'static>(
    store: impl Fn(&str) -> Option<S> + Send + Sync + 'static,
    ids: &[(&str, &str)],
) -> Vec<String> {
    let store = move |id: TenantId| ready(Ok::<_, Infallible>(store(id.as_str())));
    let tenants = Tenants::new(store, |secrets: Secrets| NUMBERED.verifier(secrets)).unwrap();
    let guard = ReplayLayer::new("/", MemoryReplayStore::new(100));
    let layer = SignatureLayer::new(tenants.by_head(path_of));
    let inner = Inner::default();
    let service = layer.layer(guard.layer(inner.clone()));
    for (id, secret) in ids {
        let answer = service.clone().oneshot(numbered(id, secret)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{id}");
    }
    let calls = inner.calls.lock().unwrap();
    calls.iter().map(|call| call.verified().tenant().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn another_spelling_of_an_id_makes_no_new_delivery() {
    let secret = || Secret::new("the tenant's secret").unwrap();
    let all = ["anna", "Anna", "aNNa"].map(|id| (id, "the tenant's secret"));
    // As MySQL's usual collation, SQLite's NOCASE and PostgreSQL's citext compare.
    let is_anna = |id: &str| id.eq_ignore_ascii_case("anna");
    assert_eq!(handled(move |id| is_anna(id).then(secret), &all).await, ["anna"]);
    let reversed: Vec<_> = all.into_iter().rev().collect();
    assert_eq!(handled(move |id| is_anna(id).then(secret), &reversed).await, ["aNNa"]);
    // The store tells the tenant's own id.
    let named = move |id: &str| is_anna(id).then(|| TenantSecrets::new("Anna", secret()));
    assert_eq!(handled(named, &all).await, ["Anna"]);
    // As a column of numbers compares.
    let number =
        move |id: &str| Some(TenantSecrets::new(id.parse::<u32>().ok()?.to_string(), secret()));
    let sevens = ["007", "7", "07"].map(|id| (id, "the tenant's secret"));
    assert_eq!(handled(number, &sevens).await, ["7"]);
}

#[tokio::test]
async fn tenants_whose_ids_differ_in_case_alone_are_two() {
    let exact = |id: &str| match id {
        "anna" => Some(Secret::new("the one secret").unwrap()),
        "Anna" => Some(Secret::new("the other secret").unwrap()),
        _ => None,
    };
    let ids =
        [("anna", "the one secret"), ("Anna", "the other secret"), ("anna", "the one secret")];
    assert_eq!(handled(exact, &ids).await, ["anna", "Anna"]);
}

#[tokio::test]
async fn a_new_secret_makes_no_new_delivery() {
    let count = AtomicUsize::new(0);
    let rotating = move |_: &str| {
        let old = Secret::new("the old secret").unwrap();
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let new = || Secret::new("the new secret").unwrap();
        Some(Secrets::from(if is_first { vec![old] } else { vec![new(), old] }))
    };
    // Another spelling of the id, so that the store is asked again.
    let ids = [("anna", "the old secret"), ("Anna", "the new secret")];
    assert_eq!(handled(rotating, &ids).await, ["anna"]);
}

#[tokio::test]
async fn forget_by_own_id_clears_other_spelling() {
    let secret = Arc::new(Mutex::new("first secret"));
    let now = Arc::clone(&secret);
    let store = move |_: TenantId| {
        let row = TenantSecrets::new("anna", Secret::new(*now.lock().unwrap()).unwrap());
        ready(Ok::<_, Infallible>(Some(row)))
    };
    let tenants = Tenants::new(store, Meta::new).unwrap();
    let accepts = async |secret: &str| {
        let verifier = tenants.verifier("ANNA").await.unwrap();
        assert_eq!(verifier.tenant().unwrap().as_str(), "anna");
        let head = head_of(request("ANNA", secret, hello()));
        verify(&verifier, &head, &Bytes::from("hello")).is_ok()
    };
    assert!(accepts("first secret").await);
    *secret.lock().unwrap() = "second secret";
    assert!(!accepts("second secret").await, "cached");
    tenants.forget("anna");
    assert!(accepts("second secret").await);
}

/// A row that holds more than secrets names its tenant itself.
#[tokio::test]
async fn a_row_names_its_tenant_by_its_verifier() {
    type Row = (&'static str, Secret);
    let store = |_: TenantId| {
        ready(Ok::<Option<Row>, Infallible>(Some(("anna", Secret::new("the secret").unwrap()))))
    };
    let make = |(id, secret): Row| Ok(BoxVerifier::new(Meta::new(secret).unwrap()).for_tenant(id));
    let decoy = ("", decoy_secret().unwrap());
    let tenants = Tenants::builder_with_decoy(decoy, store, make).build().unwrap();
    let keys = ["anna", "Anna"].map(async |id| {
        let verifier = tenants.verifier(id).await.unwrap();
        let head = head_of(request(id, "the secret", hello()));
        let verified = verify(&verifier, &head, &Bytes::from("hello")).unwrap();
        assert_eq!(verified.tenant(), Some("anna"));
        verified.replay_key().unwrap()
    });
    let [first, second] = keys;
    assert_eq!(first.await, second.await);
}

//! The same delivery twice, through the layer and the guard below it.

use std::convert::Infallible;

use ::axum::Router;
use base64::{Engine as _, engine::general_purpose::URL_SAFE, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    SignatureLayer,
    providers::{BoxVerifier, Telnyx},
    replay::{MemoryReplayStore, ReplayLayer},
    sign::{PrivateKey, Signing, signed},
};

use super::{
    data::{Case, Entry, Op, base},
    verifiers::{Url, build},
    ways::Calls,
};
use crate::support::{AtTime, at, head_of, verify};

/// What an endpoint is made of.
struct Endpoint {
    verifier: BoxVerifier,
    store: MemoryReplayStore,
    calls: Calls,
    body_only: Option<&'static str>,
}

impl Endpoint {
    fn of(provider: &'static str, is_body_only: bool) -> Self {
        let case = base(provider);
        Self {
            verifier: build(provider, &case, Url::Base).unwrap(),
            store: MemoryReplayStore::new(100),
            calls: Calls::default(),
            body_only: is_body_only.then_some(provider),
        }
    }

    async fn send(&self, case: &Case) -> StatusCode {
        let mut guard = ReplayLayer::new("/", self.store.clone());
        if let Some(provider) = self.body_only {
            guard = guard.guard_body_only(provider);
        }
        let router = Router::new().fallback_service(self.calls.handler().layer(guard));
        let service = SignatureLayer::new(self.verifier.clone()).layer(router);
        answer(service, case.request(Full::from(case.body.clone())).unwrap()).await
    }
}

async fn answer<S, B>(service: S, request: Request<Full<Bytes>>) -> StatusCode
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<B>, Error = Infallible>,
{
    let Ok(response) = service.oneshot(request).await;
    response.status()
}

fn changed(case: &Case, ops: &[Op]) -> Case {
    let mut case = case.clone();
    ops.iter().filter(|op| !matches!(op, Op::Other)).for_each(|op| case.apply(op));
    case
}

/// A delivery, and the same one changed in what is not signed: handled once.
pub(super) async fn once(entry: &Entry) {
    let (provider, is_body_only) = match &*entry.provider {
        "github" => ("github", true),
        "shopify" => ("shopify", true),
        "twilio" => ("twilio", true),
        "standard_webhooks" => ("standard_webhooks", false),
        "stripe" => ("stripe", false),
        other => panic!("{other}"),
    };
    let mut ops = entry.ops.clone();
    if entry.id == "REPLAY-8" {
        let shifted = super::data::bad().into_iter().find(|entry| entry.id == "TWI-URL-28");
        ops = shifted.unwrap().ops;
    }
    let (first, endpoint) = (base(provider), Endpoint::of(provider, is_body_only));
    for case in [&first, &changed(&first, &ops)] {
        assert_eq!(endpoint.send(case).await, StatusCode::OK, "{entry}");
    }
    assert_eq!(endpoint.calls.take().len(), 1, "{entry}");
}

/// A refused request leaves nothing behind that would refuse the genuine one, nor the other way.
pub(super) async fn after_a_refusal(entry: &Entry) {
    for (provider, is_body_only) in [("stripe", false), ("slack", false), ("github", true)] {
        let endpoint = Endpoint::of(provider, is_body_only);
        let good = base(provider);
        let mut bad = good.clone();
        bad.body[0] ^= 1;
        let forbidden = StatusCode::FORBIDDEN;
        for (case, status, calls) in
            [(&bad, forbidden, 0), (&good, StatusCode::OK, 1), (&bad, forbidden, 0)]
        {
            assert_eq!(endpoint.send(case).await, status, "{entry} {provider}");
            assert_eq!(endpoint.calls.take().len(), calls, "{entry} {provider}");
        }
    }
}

/// A store in memory forgets with its process: the module says so. Within the tolerance the delivery
/// is handled again.
pub(super) async fn after_a_restart(entry: &Entry) {
    let mut endpoint = Endpoint::of("stripe", false);
    let case = base("stripe");
    for handled in [1, 0] {
        assert_eq!(endpoint.send(&case).await, StatusCode::OK, "{entry}");
        assert_eq!(endpoint.calls.take().len(), handled, "{entry}");
    }
    endpoint.store = MemoryReplayStore::new(100);
    assert_eq!(endpoint.send(&case).await, StatusCode::OK, "{entry}");
    assert_eq!(endpoint.calls.take().len(), 1, "{entry}");
}

/// One signature in another alphabet is refused.
pub(super) async fn re_encoded(entry: &Entry) {
    const NOW: u64 = 1_700_000_000;
    let key = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap();
    let telnyx = Telnyx::new(key.public_key().unwrap()).unwrap().clock(at(NOW));
    let mut spelt_otherwise = 0;
    for n in 0..20 {
        let body = Bytes::from(format!("{{\"n\":{n}}}"));
        let request = Request::post("/").body(body.clone()).unwrap();
        let request = signed(&telnyx, request, Signing::at(at(NOW)()).private_key(&key)).unwrap();
        let mut head = head_of(request);
        verify(&telnyx, &head, &body).unwrap();
        let text = head.headers["telnyx-signature-ed25519"].clone();
        let other = URL_SAFE.encode(BASE64_STANDARD.decode(&text).unwrap());
        for other in [other.as_str(), other.trim_end_matches('=')] {
            head.headers.insert("telnyx-signature-ed25519", other.parse().unwrap());
            let is_same_text = other.as_bytes() == text.as_bytes();
            spelt_otherwise += usize::from(!is_same_text);
            assert_eq!(verify(&telnyx, &head, &body).is_ok(), is_same_text, "{entry} {other}");
        }
    }
    assert!(spelt_otherwise > 20, "{entry}");
}

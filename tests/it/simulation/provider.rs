//! Providers as their receivers see them: signatures and retries.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::time::SystemTime;
use tower_webhook::{
    providers::{GitHub, Meta, StandardWebhooks, Stripe},
    sign::signed,
};

use crate::support::{SECRET, hmac_sha256, secret};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Standard,
    Stripe,
    Meta,
    GitHub,
}

pub(super) const PROVIDERS: [Provider; 4] =
    [Provider::Standard, Provider::Stripe, Provider::Meta, Provider::GitHub];

/// Pauses before the retries that Standard Webhooks recommends.
const STANDARD: [u64; 7] =
    [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

impl Provider {
    pub(super) const fn of(delivery: u32) -> Self {
        PROVIDERS[delivery as usize % PROVIDERS.len()]
    }

    /// Returns the time that the sender waits for a response.
    pub(super) const fn time_limit(self) -> u64 {
        match self {
            Self::Standard => 15 * SECOND,
            Self::Stripe => 20 * SECOND,
            Self::Meta | Self::GitHub => 10 * SECOND,
        }
    }

    /// Returns the pause after so many failed attempts; `None` if the sender gives up.
    pub(super) fn pause(self, failed: u32) -> Option<u64> {
        let pauses = |first: u64, all: u64| {
            // Each pause is twice as long, so all before it are about as long together.
            let pause = first.checked_shl(failed - 1)?;
            (2 * pause <= all).then_some(pause)
        };
        match self {
            Self::Standard => STANDARD.get(failed as usize - 1).copied(),
            // Three days, with exponential pauses.
            Self::Stripe => pauses(MINUTE, 72 * HOUR),
            // 36 hours, ever more rarely.
            Self::Meta => pauses(10 * SECOND, 36 * HOUR),
            // It does not retry. Its users redeliver what has failed in the last three days.
            Self::GitHub => (failed <= 3 * 24).then_some(HOUR),
        }
    }

    /// Returns `true` if the provider signs each retry anew.
    pub(super) const fn signs_anew(self) -> bool {
        matches!(self, Self::Standard | Self::Stripe)
    }
}

/// The receivers' verifiers, which also sign.
pub(super) struct Signers {
    standard: StandardWebhooks,
    stripe: Stripe,
    meta: Meta,
    github: GitHub,
}

pub(super) fn standard() -> StandardWebhooks {
    StandardWebhooks::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

impl Signers {
    pub(super) fn new() -> Self {
        Self {
            standard: standard(),
            stripe: Stripe::new(secret()).unwrap(),
            meta: Meta::new(secret()).unwrap(),
            github: GitHub::new(secret()).unwrap(),
        }
    }

    /// Returns an authentic request.
    pub(super) fn genuine(&self, delivery: u32, at: SystemTime) -> Request<Bytes> {
        self.request(Provider::of(delivery), &format!("evt_{delivery}"), at)
    }

    fn request(&self, provider: Provider, id: &str, at: SystemTime) -> Request<Bytes> {
        let body =
            Bytes::from(format!(r#"{{"id":"{id}","object":"event","type":"invoice.paid"}}"#));
        let request = Request::post("/").header("content-type", "application/json");
        match provider {
            Provider::Standard => {
                signed(&self.standard, request.header("webhook-id", id).body(body).unwrap(), at)
            }
            Provider::Stripe => signed(&self.stripe, request.body(body).unwrap(), at),
            Provider::Meta => signed(&self.meta, request.body(body).unwrap(), at),
            Provider::GitHub => {
                let request = request.header("x-github-delivery", id);
                signed(&self.github, request.body(body).unwrap(), at)
            }
        }
        .unwrap()
    }

    /// Returns a request that its provider has not signed as it is.
    pub(super) fn forged(&self, number: u32, at: SystemTime, knows: bool) -> Request<Bytes> {
        let provider = Provider::of(number);
        let id = format!("forged_{number}");
        let mut request = self.request(provider, &id, at);
        if knows {
            return request;
        }
        match number / 4 % 3 {
            0 => *request.body_mut() = Bytes::from(format!(r#"{{"id":"{id}","object":"charge"}}"#)),
            1 => {
                let names = ["webhook-signature", "stripe-signature", "x-hub-signature-256"];
                for name in names {
                    request.headers_mut().remove(name);
                }
            }
            // A tag by the wrong key, or of a genuine delivery.
            _ => {
                let genuine = self.request(provider, "evt_0", at);
                *request.headers_mut() = genuine.headers().clone();
                if provider == Provider::Meta {
                    let tag = hmac_sha256(&SECRET[1..], request.body());
                    let tag = format!("sha256={tag}").parse().unwrap();
                    request.headers_mut().insert("x-hub-signature-256", tag);
                }
            }
        }
        request
    }
}

/// Returns the number of the delivery with this body; `None` if it is forged.
pub(super) fn delivery_in(body: &[u8]) -> Option<u32> {
    let id = body.strip_prefix(br#"{"id":"evt_"#)?;
    let digits = id.split(|byte| *byte == b'"').next()?;
    str::from_utf8(digits).ok()?.parse().ok()
}

pub(super) fn with_body(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    request.clone().map(Full::new)
}

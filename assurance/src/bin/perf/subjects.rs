//! Providers with a request of 1 KiB that each would send, and what the signature is of.

use std::time::SystemTime;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request, header};
use sha1::Sha1;
use tower_webhook::{
    PublicUrl, Secret,
    providers::{Meta, StandardWebhooks, Stripe, Twilio},
    sign::{Sign, signed},
};

use crate::support::{
    Case, case,
    signature::{HmacSha256, SECRET},
};

/// A provider's verifier and a signed request.
pub(crate) struct Subject<V> {
    pub(crate) name: &'static str,
    pub(crate) verifier: V,
    pub(crate) request: Request<Bytes>,
    /// The bytes of which the signature is an HMAC.
    pub(crate) content: Vec<u8>,
    pub(crate) is_sha1: bool,
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn json() -> Bytes {
    vec![b'x'; 1 << 10].into()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

pub(crate) fn meta() -> Subject<Meta> {
    let verifier = Meta::new(secret()).unwrap();
    let request = request(&verifier, json());
    let content = request.body().to_vec();
    Subject { name: "Meta", verifier, request, content, is_sha1: false }
}

pub(crate) fn stripe() -> Subject<Stripe> {
    let verifier = Stripe::new(secret()).unwrap();
    let request = request(&verifier, json());
    let value = text(request.headers(), "stripe-signature");
    let time = value.split(',').find_map(|part| part.strip_prefix("t=")).unwrap();
    let content = [time.as_bytes(), b".", request.body()].concat();
    Subject { name: "Stripe", verifier, request, content, is_sha1: false }
}

pub(crate) const STANDARD_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn standard() -> Subject<StandardWebhooks> {
    let verifier = StandardWebhooks::new(Secret::new(STANDARD_KEY).unwrap()).unwrap();
    let request = request(&verifier, json());
    let headers = request.headers();
    let [id, time] = ["webhook-id", "webhook-timestamp"].map(|name| text(headers, name));
    let content = [id.as_bytes(), b".", time.as_bytes(), b".", request.body()].concat();
    Subject { name: "Standard Webhooks", verifier, request, content, is_sha1: false }
}

pub(crate) fn twilio() -> Subject<Twilio> {
    let url = "https://example.com/";
    let verifier = Twilio::new(secret(), PublicUrl::fixed(url).unwrap()).unwrap();
    let request = request(&verifier, form());
    let text = String::from_utf8(request.body().to_vec()).unwrap();
    let mut fields: Vec<_> = text.split('&').collect();
    fields.sort_unstable();
    let fields = fields.concat().replace('=', "").replace("%2C", ",").replace("%2B", "+");
    let content =
        (url.to_owned() + &fields.replace("%21", "!").replace(",+world", ", world")).into();
    Subject { name: "Twilio", verifier, request, content, is_sha1: true }
}

/// As Twilio sends a message: 16 fields, 1 KiB.
fn form() -> Bytes {
    let names = [
        "ToCountry",
        "ToState",
        "SmsMessageSid",
        "NumMedia",
        "ToCity",
        "FromZip",
        "SmsSid",
        "FromState",
        "SmsStatus",
        "FromCity",
        "FromCountry",
        "To",
        "ToZip",
        "NumSegments",
        "MessageSid",
        "AccountSid",
    ];
    let mut form = String::from("Body=Hello%2C+world%21");
    for name in names {
        form.push_str(&format!("&{name}=SM0123456789%2Babcdef0123456789"));
    }
    while form.len() < 1 << 10 {
        form.push('x');
    }
    form.truncate(1 << 10);
    form.into()
}

fn media_type(body: &[u8]) -> &'static str {
    if body.contains(&b'&') { "application/x-www-form-urlencoded" } else { "application/json" }
}

/// Signs a request with this body.
fn request(signer: &impl Sign, body: Bytes) -> Request<Bytes> {
    let request = Request::post("/").header(header::CONTENT_TYPE, media_type(&body));
    signed(signer, request.body(body).unwrap(), SystemTime::now()).unwrap()
}

impl<V> Subject<V> {
    /// Returns the case that hashes what the signature is of, with a keyed HMAC.
    pub(crate) fn bare_hmac(&self) -> Case {
        fn hashes<M: Mac + Clone + 'static>(keyed: M, content: Vec<u8>) -> Case {
            case("bare HMAC", move || {
                let content = std::hint::black_box(&content);
                std::hint::black_box(keyed.clone().chain_update(content).finalize());
            })
        }
        let content = self.content.clone();
        if self.is_sha1 {
            hashes(Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap(), content)
        } else {
            hashes(HmacSha256::new_from_slice(SECRET.as_bytes()).unwrap(), content)
        }
    }
}

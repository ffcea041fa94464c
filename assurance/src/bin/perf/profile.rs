//! Requests for a profiler, one after the other:
//! `valgrind --tool=callgrind --toggle-collect='*ResponseFuture*poll*' perf profile meta 1000`.

use std::{convert::Infallible, hint::black_box, time::SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    PublicUrl, Secret, SignatureLayer, Verifier,
    providers::{Meta, StandardWebhooks, Stripe, Twilio},
    sign::{Sign, signed},
};

use crate::support::{ready, signature::SECRET};

pub(crate) fn run(what: &str, count: usize) {
    let secret = || Secret::new(SECRET).unwrap();
    match what {
        "meta" => requests(&Meta::new(secret()).unwrap(), &json(), count),
        "stripe" => requests(&Stripe::new(secret()).unwrap(), &json(), count),
        "standard" => {
            let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
            requests(&StandardWebhooks::new(key).unwrap(), &json(), count);
        }
        "twilio" => requests(&twilio(), &form(), count),
        what => panic!("there is no profile of {what}"),
    }
}

fn json() -> Bytes {
    vec![b'x'; 1 << 10].into()
}

pub(crate) fn twilio() -> Twilio {
    let url = PublicUrl::fixed("https://example.com/").unwrap();
    Twilio::new(Secret::new(SECRET).unwrap(), url).unwrap()
}

/// As Twilio sends a message: 16 fields, 1 KiB.
pub(crate) fn form() -> Bytes {
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

/// A signed request with this body.
pub(crate) fn request(signer: &impl Sign, body: &Bytes) -> Request<Bytes> {
    let request = Request::post("/").header(header::CONTENT_TYPE, media_type(body));
    signed(signer, request.body(body.clone()).unwrap(), SystemTime::now()).unwrap()
}

fn media_type(body: &[u8]) -> &'static str {
    if body.contains(&b'&') { "application/x-www-form-urlencoded" } else { "application/json" }
}

fn requests<V>(verifier: &V, body: &Bytes, count: usize)
where
    V: Verifier + Sign + Clone,
{
    let (head, body) = request(verifier, body).into_parts();
    let mut service =
        SignatureLayer::new(verifier.clone()).layer(service_fn(async |request: Request<_>| {
            black_box(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    for _ in 0..count {
        let request = Request::from_parts(head.clone(), Full::new(body.clone()));
        let Ok(response) = ready(service.call(request));
        assert_eq!(response.status(), StatusCode::OK);
    }
}

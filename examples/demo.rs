//! Sends genuine and forged webhooks to a server over HTTP, and prints the result of each.
//!
//! Run `cargo run --example demo`. The program starts the server itself, ends after the last
//! request, and fails if a result is not the expected one.

use std::{
    convert::Infallible,
    error::Error,
    process::ExitCode,
    sync::mpsc::{self, Sender},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use axum::{Extension, Router, response::Response, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tower::util::MapResponseLayer;
use tower_webhook::{
    PublicUrl, Rejection,
    RejectionKind::{self, *},
    SignatureLayer, Verified,
    providers::{Meta, Stripe, Twilio},
};

const SECRET: &str = "the-secret-of-this-demo";
const PREVIOUS: &str = "the-secret-before-it";
const TOKEN: &str = "the-token-of-this-demo";
const BODY_LIMIT: usize = 16 << 10;

/// Event inside the server.
enum Event {
    Handled,
    Refused(Rejection),
}

async fn handler(Extension(_): Extension<Verified>, Extension(events): Extension<Sender<Event>>) {
    _ = events.send(Event::Handled);
}

fn app(events: Sender<Event>) -> Result<Router, Box<dyn Error>> {
    let meta = Meta::new([SECRET, PREVIOUS])?.verify_token(TOKEN)?;
    // The server has a loopback address, but Twilio signs the public URL.
    let twilio = Twilio::new(SECRET, PublicUrl::base("https://example.com")?)?;
    let stripe = Stripe::new(SECRET)?;

    let meta = SignatureLayer::new(meta).body_limit(BODY_LIMIT);
    let refusals = events.clone();
    Ok(Router::new()
        .route("/meta", post(handler).layer(meta))
        .route("/twilio", post(handler).layer(SignatureLayer::new(twilio)))
        .route("/stripe", post(handler).layer(SignatureLayer::new(stripe)))
        .layer(Extension(events))
        // A layer above reads the reason for a rejection from the response.
        .layer(MapResponseLayer::new(move |response: Response| {
            if let Some(rejection) = response.extensions().get::<Rejection>() {
                _ = refusals.send(Event::Refused(rejection.clone()));
            }
            response
        })))
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

enum Expected {
    /// The handler is called.
    Accept,
    /// The layer responds in place of the handler, with `200 OK` and this text.
    Reply(&'static str),
    Refuse(u16, RejectionKind),
}

use Expected::{Accept, Refuse, Reply};

struct Case {
    sent: &'static str,
    request: Request<Body>,
    expected: Expected,
}

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

/// Creates a body of undeclared length, in chunks of `size` bytes.
fn chunked(body: &'static [u8], size: usize) -> Body {
    let frames = body.chunks(size).map(|chunk| Ok(Frame::data(Bytes::from_static(chunk))));
    StreamBody::new(tokio_stream::iter(frames)).boxed_unsync()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computes a signature without any code of `tower-webhook`.
fn hmac_sha256(secret: &str, content: &[u8]) -> Result<String, Box<dyn Error>> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?.chain_update(content);
    Ok(hex(&mac.finalize().into_bytes()))
}

fn hmac_sha1(secret: &str, content: &str) -> Result<String, Box<dyn Error>> {
    let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes())?.chain_update(content);
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

fn meta_cases(origin: &str) -> Result<Vec<Case>, Box<dyn Error>> {
    const HEADER: &str = "x-hub-signature-256";
    const BODY: &[u8] = br#"{"object":"page","entry":[{"id":"1"}]}"#;
    const TAMPERED: &[u8] = br#"{"object":"page","entry":[{"id":"2"}]}"#;
    const TOO_LONG: &[u8] = &[b' '; BODY_LIMIT + 1];

    let sign =
        |secret, body| Ok::<_, Box<dyn Error>>(format!("sha256={}", hmac_sha256(secret, body)?));
    let genuine = sign(SECRET, BODY)?;
    let url = format!("{origin}/meta");
    let post = || Request::post(&url);
    let signed = || post().header(HEADER, &genuine);
    let challenge = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
        Request::get(format!("{url}?{query}"))
    };
    Ok(vec![
        case("signed", signed(), whole(BODY), Accept)?,
        case("signed, in chunks of 4 bytes", signed(), chunked(BODY, 4), Accept)?,
        case(
            "signed with the previous secret",
            post().header(HEADER, sign(PREVIOUS, BODY)?),
            whole(BODY),
            Accept,
        )?,
        case("tampered body", signed(), whole(TAMPERED), Refuse(403, SignatureMismatch))?,
        case("unsigned", post(), whole(BODY), Refuse(403, Missing))?,
        case(
            "signed with a wrong secret",
            post().header(HEADER, sign("a guess", BODY)?),
            whole(BODY),
            Refuse(403, SignatureMismatch),
        )?,
        case(
            "signature without `sha256=`",
            post().header(HEADER, genuine.trim_start_matches("sha256=")),
            whole(BODY),
            Refuse(403, Malformed),
        )?,
        case(
            "truncated signature",
            post().header(HEADER, &genuine[..genuine.len() - 2]),
            whole(BODY),
            Refuse(403, Malformed),
        )?,
        case(
            "repeated signature header",
            signed().header(HEADER, &genuine),
            whole(BODY),
            Refuse(403, Repeated),
        )?,
        case(
            "only the older SHA-1 header",
            post().header("x-hub-signature", "sha1=00"),
            whole(BODY),
            Refuse(403, Missing),
        )?,
        case(
            "signed, one byte over the body limit",
            post().header(HEADER, sign(SECRET, TOO_LONG)?),
            whole(TOO_LONG),
            Refuse(413, BodyTooLarge),
        )?,
        case(
            "the same, with undeclared length",
            post().header(HEADER, sign(SECRET, TOO_LONG)?),
            chunked(TOO_LONG, 4 << 10),
            Refuse(413, BodyTooLarge),
        )?,
        case("challenge with the verify token", challenge(TOKEN), whole(""), Reply("1158201444"))?,
        case(
            "challenge with a wrong token",
            challenge("a-guess"),
            whole(""),
            Refuse(403, ChallengeFailed),
        )?,
        case(
            "challenge without a token",
            Request::get(format!("{url}?hub.mode=subscribe&hub.challenge=1158201444")),
            whole(""),
            Refuse(400, ChallengeMalformed),
        )?,
        case(
            "unsigned POST with the query of a challenge",
            challenge(TOKEN).method("POST"),
            whole(BODY),
            Refuse(403, Missing),
        )?,
    ])
}

fn twilio_cases(origin: &str) -> Result<Vec<Case>, Box<dyn Error>> {
    const HEADER: &str = "x-twilio-signature";
    const FORM: &str = "Body=Hello&From=%2B15550100";
    const CONTENT: &str = "BodyHelloFrom+15550100";
    const JSON: &str = r#"{"status":"delivered"}"#;

    let genuine = hmac_sha1(SECRET, &format!("https://example.com/twilio{CONTENT}"))?;
    let elsewhere = hmac_sha1(SECRET, &format!("https://evil.example/twilio{CONTENT}"))?;
    let url_alone = hmac_sha1(SECRET, "https://example.com/twilio")?;
    let with_hash = format!("/twilio?bodySHA256={}", hex(&Sha256::digest(JSON)));
    let json_signed = hmac_sha1(SECRET, &format!("https://example.com{with_hash}"))?;

    let form = |target: &str| {
        Request::post(format!("{origin}{target}"))
            .header("content-type", "application/x-www-form-urlencoded")
    };
    let json = |target: &str| {
        Request::post(format!("{origin}{target}")).header("content-type", "application/json")
    };
    let forge = |request: request::Builder| {
        request.header("host", "evil.example").header("x-forwarded-host", "evil.example")
    };
    Ok(vec![
        case("signed", form("/twilio").header(HEADER, &genuine), whole(FORM), Accept)?,
        case(
            "signed, with forged Host and X-Forwarded-Host",
            forge(form("/twilio").header(HEADER, &genuine)),
            whole(FORM),
            Accept,
        )?,
        case(
            "signed for another host, with matching headers",
            forge(form("/twilio").header(HEADER, &elsewhere)),
            whole(FORM),
            Refuse(403, SignatureMismatch),
        )?,
        case("unsigned", form("/twilio"), whole(FORM), Refuse(403, Missing))?,
        case(
            "tampered parameter",
            form("/twilio").header(HEADER, &genuine),
            whole(FORM.replace("Hello", "Hullo")),
            Refuse(403, SignatureMismatch),
        )?,
        case(
            "query added to the URL",
            form("/twilio?debug=1").header(HEADER, &genuine),
            whole(FORM),
            Refuse(403, SignatureMismatch),
        )?,
        case(
            "JSON covered by bodySHA256",
            json(&with_hash).header(HEADER, &json_signed),
            whole(JSON),
            Accept,
        )?,
        case(
            "tampered JSON",
            json(&with_hash).header(HEADER, &json_signed),
            whole(JSON.replace("delivered", "failed")),
            Refuse(403, BodyNotSigned),
        )?,
        case(
            "JSON, with a signature of the URL alone",
            json("/twilio").header(HEADER, &url_alone),
            whole(JSON),
            Refuse(403, BodyNotSigned),
        )?,
    ])
}

fn stripe_cases(origin: &str) -> Result<Vec<Case>, Box<dyn Error>> {
    const BODY: &str = r#"{"id":"evt_1","type":"charge.succeeded"}"#;

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let tag = |time: u64| hmac_sha256(SECRET, format!("{time}.{BODY}").as_bytes());
    let post = |time: u64, tag: String| {
        Request::post(format!("{origin}/stripe"))
            .header("stripe-signature", format!("t={time},v1={tag}"))
    };
    let (past, future) = (now - 3600, now + 3600);
    Ok(vec![
        case("signed now", post(now, tag(now)?), whole(BODY), Accept)?,
        case(
            "signed an hour ago",
            post(past, tag(past)?),
            whole(BODY),
            Refuse(403, TimestampStale),
        )?,
        case(
            "signed an hour in the future",
            post(future, tag(future)?),
            whole(BODY),
            Refuse(403, TimestampInFuture),
        )?,
        case(
            "old signature with a new timestamp",
            post(now, tag(past)?),
            whole(BODY),
            Refuse(403, SignatureMismatch),
        )?,
    ])
}

fn case(
    sent: &'static str,
    request: request::Builder,
    body: Body,
    expected: Expected,
) -> Result<Case, http::Error> {
    Ok(Case { sent, request: request.body(body)?, expected })
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (sender, events) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let app = app(sender)?;
    tokio::spawn(async move { axum::serve(listener, app).await });

    println!(
        "{:7}  {:48}  {:8}  {:6}  {:7}  reason",
        "to", "sent", "expected", "status", "handler"
    );
    let start = Instant::now();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (mut sent, mut wrong) = (0, 0);
    for cases in [meta_cases(&origin)?, twilio_cases(&origin)?, stripe_cases(&origin)?] {
        for Case { sent: what, request, expected } in cases {
            let route = request.uri().path().to_owned();
            let (head, body) = client.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();

            // The server sends both events before the response.
            let (mut calls, mut rejection) = (0, None);
            for event in events.try_iter() {
                match event {
                    Event::Handled => calls += 1,
                    Event::Refused(reason) => rejection = Some(reason),
                }
            }
            let kind = rejection.as_ref().map(Rejection::kind);
            let (verdict, is_right) = match expected {
                Accept => ("accept", head.status == 200 && calls == 1 && kind.is_none()),
                Reply(text) => {
                    ("reply", head.status == 200 && calls == 0 && kind.is_none() && body == text)
                }
                Refuse(status, expected) => {
                    let is_refused = kind == Some(expected) && calls == 0 && body.is_empty();
                    ("reject", head.status == status && is_refused)
                }
            };
            sent += 1;
            wrong += usize::from(!is_right);
            println!(
                "{route:7}  {what:48}  {verdict:8}  {:6}  {:7}  {}{}",
                head.status.as_str(),
                if calls == 0 { "no" } else { "called" },
                rejection.map_or("-".to_owned(), |rejection| rejection.to_string()),
                if is_right { "" } else { "  <-- WRONG" },
            );
        }
    }
    let took = start.elapsed().as_millis();
    println!("\n{sent} requests in {took} ms, {} results as expected, {wrong} wrong", sent - wrong);
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! Verifies messages of Amazon SNS with the key of a certificate that is fetched.
//!
//! ```sh
//! cargo run --example sns --features axum,certificates,http-client,sign
//! ```
//!
//! The program serves the webhook, and a certificate that stands in for Amazon's. It sends a request
//! to confirm a subscription, a notification, a notification that was changed, and one of another
//! topic. It prints each response and the number of fetches.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_webhook::{
    SignatureLayer,
    fetched_keys::{KeyClient, KeyFetcher, KeyRequest},
    providers::AmazonSns,
    sign::{PrivateKey, Signing, signed},
};

type BoxError = Box<dyn Error + Send + Sync>;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";

/// A self-signed certificate, and its key. Both were made for this example.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIC5zCCAc+gAwIBAgIBATANBgkqhkiG9w0BAQsFADAmMSQwIgYDVQQDDBtzbnMu\n\
YW1hem9uYXdzLmNvbSAobWFkZSB1cCkwHhcNMjMwMTAxMDAwMDAwWhcNNDMwMTAx\n\
MDAwMDAwWjAmMSQwIgYDVQQDDBtzbnMuYW1hem9uYXdzLmNvbSAobWFkZSB1cCkw\n\
ggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCVIO9PfKGiCTVdrQBO1/Tx\n\
8BzOajmLrpPAWKzFJQvxWaSmsQYIwgAEu6m9+5OhwwkkuVk75kwhrEd9yCH3wBIN\n\
tlyESCS5DAgafQ+3VxcHZwuIY9GqocKhCAxaMcFLaSgevSzzTLkDtyfKVukr00x7\n\
2bCvmN6B2ZLxu4fBFb+0mStxXiec/CVp5TCW33XwIi190GCICFQBOUr8SpM1dtWG\n\
LM58S/lqPhM/7QVjxF1h2F3xpIZsq7GafOhRMfgA26a2foUg3VLhA05FTJzu/C1m\n\
mgRs1uiTggzkRl2bg77IDnDY3oLY5VRfoyZWKiSiWuTCngygN0hjPRFgpr1nghkb\n\
AgMBAAGjIDAeMBwGA1UdEQQVMBOCEXNucy5hbWF6b25hd3MuY29tMA0GCSqGSIb3\n\
DQEBCwUAA4IBAQBzlQjR+OrOWUqsS3y37LeSUos7lqQfyIJ/gVuBUK44eSk82N/4\n\
xLbTXvO8bRKMPFO0AhfJScUu1koX4kslyV7oIbr2VBRx2rzihs+QCkLxbW9nUB4s\n\
rPJzXtTHO/6ZMs+34BpyGXMO0wz+fWggq5Tx3aidnSxlU3zO0tCbfRhAgFNrFn4/\n\
qz7ynZ3HNtjgL6TAuAXa88mGTbkMitFRpbOPywU1cst/NIiCDXDkdkqZlfzX74E/\n\
LHvdY7I1CqTUFBe87tsfKOz17MwYTKbzM9ATEVuHDqS8s/6vexuQpBeH044qfmjK\n\
TBHxFVuqCQHOBJLn8fceKDfKe5GLWEqmP4/8\n\
-----END CERTIFICATE-----\n";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCVIO9PfKGiCTVd\n\
rQBO1/Tx8BzOajmLrpPAWKzFJQvxWaSmsQYIwgAEu6m9+5OhwwkkuVk75kwhrEd9\n\
yCH3wBINtlyESCS5DAgafQ+3VxcHZwuIY9GqocKhCAxaMcFLaSgevSzzTLkDtyfK\n\
Vukr00x72bCvmN6B2ZLxu4fBFb+0mStxXiec/CVp5TCW33XwIi190GCICFQBOUr8\n\
SpM1dtWGLM58S/lqPhM/7QVjxF1h2F3xpIZsq7GafOhRMfgA26a2foUg3VLhA05F\n\
TJzu/C1mmgRs1uiTggzkRl2bg77IDnDY3oLY5VRfoyZWKiSiWuTCngygN0hjPRFg\n\
pr1nghkbAgMBAAECggEAQ0ZZTzV9QTkAPyM1eVwJHz/f7uqSzUXTV7lpL4K38Ygs\n\
NBq2CythkMEMIS2l+xqePFf1PoV1INe0ZLTtRfP68P6sm+xjzKr12OVEOsRqGifN\n\
VxkY0+4nfDfCQsohViC5Pay/435gFKICrFAq3l9zKIgbIgxHjLKXjL+5zUw/cHvc\n\
SAcDTzN+xaatV8cMvQ7UCGjWdvoAjzKVagXY9S4bSfDdEsp05ivejC+j432fsTTZ\n\
PYz2IX9+3fGKxm8j4SDG2xq/ubVVtORUIIznzgi9CGO1+o3iG8uE7CWC1IhT7eXi\n\
WA89Z7aBGeP50V4Ia/8l3dxRoZYI7UcsZyAjSg470QKBgQDOEcwmXDPLw7p9DcgY\n\
fE0okV1TbKGJ3GGpntQCohvzLohYtzCCxqXLlVB7dhcAMITctwfo9P5kJ2gEMr1o\n\
yZEhNpfkpYTus+8nWOiI5fCvWjreSaB/Jj8JvQeM+0b4PjrEVs25i1YV8kBhiA6z\n\
uC180E/AGpbeaVLbro8VGcv3AwKBgQC5Qyzf9TE1pOhJppR9exMet2XFAY8yLcBF\n\
ouERuQDYUKCdiNhyQsgmEcoF9QqeYNUz0Ka20RVNIBdetjHDFswaFBeuUsuReAD2\n\
uqU1FALQyqK4QQSDebvZeyEAqkEeSRyoU4lL9RM91cbVWWmkLNQbrc/8yrFa31cC\n\
7RA7sYbOCQKBgBVdnQghKTGoUo6ivitjv/BD2iRLMBiGJA4dLKg1PKajHXntTHdS\n\
t1/7VEPow4u+fBgSVhyeQj4KI+vDgwX5WDXUXj1TuAuz1kkDG+ENzj2wIkhn498r\n\
DQAqfDzu1LXqZddzlJL3Um6mFmzGWZfisbyuMIafeyMGUpP6blVmvlIXAoGAU2rI\n\
2OqpRrNDGG6WK83v9QO1IjiqhniNO420c+tuUvgy6dwFQaWKQ4H9CiOkrV2Cgjsv\n\
5d9NDRYnD7FPxL0OF6v2YbrMCGsVXAL8gmLJRcQH8pjr9Fsq1ykW2hrPCVj4O16p\n\
0na+PDh2t/fzlkXNF81yeiu2IemwXxPpHEe6ICkCgYA+XRrCkB90npUW6m8BOcwh\n\
QMcCAEm/ycHLQnibMoxAQSnK4Wh7gXYZJ+OhdCA5YHNpzj4QsFdSfVEp2HF1e+g0\n\
QcMCE7qgRzpMsBNuujLtmmsxXF277WrpP0XjdKLsUhKs2z5aaY8MkNoK9e3Bnv3b\n\
PdbSSf4ToAHglDyePyxF2A==\n\
-----END PRIVATE KEY-----\n";

async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Returns a message of a topic, with these fields more, as Amazon sends it.
fn message(topic: &str, fields: &str, time: SystemTime) -> Result<String, BoxError> {
    let body = format!(
        r#"{{"TopicArn":"{topic}","MessageId":"m-1",{fields},"Timestamp":"2023-11-14T22:13:20.000Z",
            "SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"}}"#
    );
    let key = PrivateKey::from_pem(KEY)?;
    let sns = AmazonSns::new([topic], key.public_key()?)?;
    let request = signed(&sns, Request::new(body), Signing::at(time).private_key(&key))?;
    Ok(String::from_utf8(request.into_body().to_vec())?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let certificate = get(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        CERTIFICATE
    });
    let path = "/SimpleNotificationService-0123abcd.pem";
    let amazon = serve(Router::new().route(path, certificate)).await?;

    // Outside of this example, the client requests the URL as it is: `KeyFetcher::from(client)`.
    let client = KeyClient::new()?;
    let fetcher = KeyFetcher::new(move |request: KeyRequest| {
        let client = client.clone();
        async move {
            let path = request.url().parse::<Uri>()?.path().to_owned();
            let request = KeyRequest::new(format!("http://{amazon}{path}"));
            Ok::<_, BoxError>(client.fetch(&request).await?)
        }
    });
    let sns = AmazonSns::with_fetched_keys([TOPIC], &fetcher)?.map_verifier(|sns| {
        sns.sha256_only().on_subscription(|subscription| {
            // Start a task here that requests the URL.
            println!("confirm: {}", subscription.subscribe_url);
        })
    });
    // The messages below are of this time.
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let layer = SignatureLayer::new(sns).clock(time);
    let router = Router::new().route("/sns", post(|| async { "handled" }).layer(layer));
    let address = serve(router).await?;

    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t-1";
    let confirmation = format!(
        r#""Type":"SubscriptionConfirmation","Message":"Confirm","Token":"t-1","SubscribeURL":"{url}""#
    );
    let notification = r#""Type":"Notification","Message":"an order""#;
    let authentic = message(TOPIC, notification, time)?;
    let sender = Client::builder(TokioExecutor::new()).build_http();
    for (name, body) in [
        ("confirmation", message(TOPIC, &confirmation, time)?),
        ("authentic", authentic.clone()),
        ("changed", authentic.replace("an order", "no order")),
        ("another topic", message(&format!("{TOPIC}2"), notification, time)?),
    ] {
        let request = Request::post(format!("http://{address}/sns"))
            .header("content-type", "text/plain; charset=UTF-8")
            .body(Full::<Bytes>::from(body))?;
        println!("{name}: {}", sender.request(request).await?.status());
    }
    println!("fetches: {}", fetches.load(Ordering::Relaxed));
    Ok(())
}

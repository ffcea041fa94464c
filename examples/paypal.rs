//! Verifies webhooks of PayPal with the key of a certificate that is fetched.
//!
//! ```sh
//! cargo run --example paypal --features axum,certificates,http-client,sign
//! ```
//!
//! The program serves the webhook, and a certificate that stands in for PayPal's. It sends an authentic
//! request, one whose body was changed, and one to another webhook. It prints each response and the
//! number of fetches.

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
    providers::PayPal,
    sign::{PrivateKey, Signing, signed},
};

type BoxError = Box<dyn Error + Send + Sync>;

const WEBHOOK_ID: &str = "4JH86294D6297924G";
const BODY: &str = r#"{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED"}"#;

/// A certificate and its key, and the authority that issued it. They were made for this example.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIICdzCCAh6gAwIBAgIUag9cAUG0sBTBR3ai3V/k5TutugMwCgYIKoZIzj0EAwIw\n\
HjEcMBoGA1UEAwwTYXV0aG9yaXR5IChtYWRlIHVwKTAeFw0yMzAxMDEwMDAwMDBa\n\
Fw00MzAxMDEwMDAwMDBaMC4xLDAqBgNVBAMMI21lc3NhZ2V2ZXJpZmljYXRpb25j\n\
ZXJ0cy5wYXlwYWwuY29tMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n\
xr8/UuNDYeVQRH+zUiUctF5gY3v9yjFsgToSUpHdc+GL/PLZCu7KF09QqY428Jnw\n\
v/N7Kdt8eS/DZvcsSysGFc9HTqoi/J7CiZ7tdzXN7xupOrulUO9UIoQc2A5ZlZOx\n\
k9qXC1couZLlDEBp8PyfiRwgUju6f8TiB6rxg903QqIs7tzVBKY5ZoRKazd7Z4N1\n\
kgBridcNAMU5VWYbBYhlyDD7noPjnhPAPeHSeXn0xEsUqB2/Ufcg61KgUMyKyM25\n\
ZJpPPfnDtLRcZGBE+rXbP8DlhIZheQE1tuIJ9wpUktN8T/uzcULIzE93EGu7ocdF\n\
Ol7p5UplOfyqzJfNTCU4kQIDAQABo18wXTAMBgNVHRMBAf8EAjAAMB0GA1UdJQQW\n\
MBQGCCsGAQUFBwMBBggrBgEFBQcDAjAuBgNVHREEJzAlgiNtZXNzYWdldmVyaWZp\n\
Y2F0aW9uY2VydHMucGF5cGFsLmNvbTAKBggqhkjOPQQDAgNHADBEAiBYMnDNAuxO\n\
5+fatef+OdNIrsON9gVxgVBtoCSGYpRiEwIgMuZZu7VeOI+XuBIXZBTPz2dPqxR1\n\
FqU1PRfkentMLiA=\n\
-----END CERTIFICATE-----\n";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDGvz9S40Nh5VBE\n\
f7NSJRy0XmBje/3KMWyBOhJSkd1z4Yv88tkK7soXT1CpjjbwmfC/83sp23x5L8Nm\n\
9yxLKwYVz0dOqiL8nsKJnu13Nc3vG6k6u6VQ71QihBzYDlmVk7GT2pcLVyi5kuUM\n\
QGnw/J+JHCBSO7p/xOIHqvGD3TdCoizu3NUEpjlmhEprN3tng3WSAGuJ1w0AxTlV\n\
ZhsFiGXIMPueg+OeE8A94dJ5efTESxSoHb9R9yDrUqBQzIrIzblkmk89+cO0tFxk\n\
YET6tds/wOWEhmF5ATW24gn3ClSS03xP+7NxQsjMT3cQa7uhx0U6XunlSmU5/KrM\n\
l81MJTiRAgMBAAECggEAHByDcrAqAQAMLzAn10vgCEQcGp44Wr/MYufpnQu8OM6T\n\
fCMGX5VAePUTSfRPYY9IngHsrxI4RDTlDNyTw4sRmIahxabrfXNgPVKBMJ4n43T0\n\
ZhYSD0VWz24D3WyEL9O855agzC4XGM6F/spiob89uolDqhYALl/U/7QmZpok3ZPu\n\
VJ4pLPZHWB+kjZ+W+w69UP1Zxh7+azyivDVgkx4Z2oFTc+iAZFLGyV8GMmQI0hAH\n\
usZ6r22W5gZ6ESO6hxlWJTnmrXJ2LcGsd2dc0gNcnoFYbyZMHuGtDkX82mT17iRG\n\
do+8/CpjNnzlVHz6gasshAe9OlsuF5Oj93G5x5RP5QKBgQDxnm8RbaAxtH/qLks3\n\
fd0MtEol5GXbN3+mAOO3j/rTfSRmOhRrAA/nthlWc/07uKN9w7u2kVGXS2whbZEo\n\
cW7/9pOKhKYAS9BMLlreEfNl1jmX5RW+4e+kgecPmxZ3srB7MLobPFKwu06v1Uew\n\
YiTw/xt23dkzjzXo7FUru76jDQKBgQDSk5J3JoAiwzAqC/DTeV5Ds5I5l6PlzKO2\n\
+UnJgo498R/Kyifr+iIAD0TgCaajoEcxL2XhgwFlQ5hPaUoEMZugUUv/0ivm6zYX\n\
tPIAgMOLvLJ9kozmd5BGP+wcGmjTDE3SOf2UiVMBsYPoTF87zTTIQel82BwS5uJ4\n\
MTonS+UalQKBgA112RQsekcqmhGuwIv33A+wH41a2v3KarcRx53bTIrpptR3GdoY\n\
J8qtz12MmqfwElOYSuXR1KzMC9sU4ohRQXDLCM8nsqPDlXgZAQDsGRYsSAsZPQvk\n\
RFhy0C+DYU4Ly18hiMypoKWt2aVcCWFfJlWysJH/q/D+Ym92cww7qlQlAoGAMyLp\n\
H4w287oouR07N2+yx4gVC21avNRsMWPqWkgdGMe0a7+Z4EFW/mK23B0b3YJvp28W\n\
M6Rns1qt4yLzeX8+hrkXVqGITcRy12D2n86lLgr94Wa0VsdUPusJAG4dZJsJTvMM\n\
NIUAplmgacoaGmCj37m55LpqXuC4wG1b7O0OTt0CgYBiTv2nGW4QQwbbpLzBmN7r\n\
82tL87hL+8yGnqd//9ZEiRVzJHRxND9eb9TfOlA8toM5An2X3nEZFU2uSeVOwYoO\n\
A7DinBGp6ziUvTk85Df/o1ndJsUpP0BINX68dKf7Xs/2eVWB8pRXVYYlpT1ea+z8\n\
mJpG0Q+Ys/jzHFRBTa/5fw==\n\
-----END PRIVATE KEY-----\n";
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBYTCCAQegAwIBAgIUBP3fU81U5m/K6/s1+4eZBMlkSJEwCgYIKoZIzj0EAwIw\n\
HjEcMBoGA1UEAwwTYXV0aG9yaXR5IChtYWRlIHVwKTAeFw0yMzAxMDEwMDAwMDBa\n\
Fw00MzAxMDEwMDAwMDBaMB4xHDAaBgNVBAMME2F1dGhvcml0eSAobWFkZSB1cCkw\n\
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATucNTwcuhKYN1M0NhV9CyDyecSBzzr\n\
DTs+pWp4yU7hdaOGYBEdIgL2DTu02BiHz6hXi0CuOE98yQZ9m8YkSr5boyMwITAP\n\
BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNIADBF\n\
AiB2ScUKH8OrfpSMWU1junWxh8PHh3PDkgY/tZ4ALRkgTgIhANUa6tRL13iZUPtq\n\
b8vjMUNSZposcjRpG4NyqTJV9Tnl\n\
-----END CERTIFICATE-----\n";

async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Returns a request to a webhook, as PayPal sends it.
fn request(webhook_id: &str, time: SystemTime) -> Result<Request<Bytes>, BoxError> {
    let key = PrivateKey::from_pem(KEY)?;
    let paypal = PayPal::new([webhook_id], key.public_key()?)?;
    let request = Request::post("/paypal").body(BODY)?;
    Ok(signed(&paypal, request, Signing::at(time).private_key(&key))?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let certificate = get(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        CERTIFICATE
    });
    let certificates = Router::new().route("/v1/notifications/certs/{name}", certificate);
    let paypal = serve(certificates).await?;

    // Outside of this example: `KeyFetcher::from(client)`, and no root certificates.
    let client = KeyClient::new()?;
    let fetcher = KeyFetcher::new(move |request: KeyRequest| {
        let client = client.clone();
        async move {
            let path = request.url().parse::<Uri>()?.path().to_owned();
            let request = request.with_url(format!("http://{paypal}{path}"));
            Ok::<_, BoxError>(client.fetch(&request).await?)
        }
    });
    let fetcher = fetcher.root_certificates(AUTHORITY)?;
    // The requests below are of this time.
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let fetcher = fetcher.clock(time);
    let source = PayPal::with_fetched_keys([WEBHOOK_ID], &fetcher)?;
    let layer = SignatureLayer::new(source).clock(time);
    let router = Router::new().route("/paypal", post(|| async { "handled" }).layer(layer));
    let address = serve(router).await?;

    let sender = Client::builder(TokioExecutor::new()).build_http();
    for (name, request, body) in [
        ("authentic", request(WEBHOOK_ID, time)?, BODY.to_owned()),
        ("changed", request(WEBHOOK_ID, time)?, BODY.replace("COMPLETED", "REFUNDED")),
        ("another webhook", request("0AB12345CD678901E", time)?, BODY.to_owned()),
    ] {
        let (mut head, _) = request.into_parts();
        head.uri = format!("http://{address}/paypal").parse()?;
        let request = Request::from_parts(head, Full::<Bytes>::from(body));
        println!("{name}: {}", sender.request(request).await?.status());
    }
    println!("fetches: {}", fetches.load(Ordering::Relaxed));
    Ok(())
}

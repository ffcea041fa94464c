//! Verifies push requests of Google Pub/Sub, as Gmail and Google Play cause them, with keys that are
//! fetched.
//!
//! ```sh
//! cargo run --example pub_sub --features axum,http-client,sign
//! ```
//!
//! The program serves the push endpoint, and a list of keys that stands in for Google's. It sends an
//! authentic request, one of another service account, and one for another audience. It prints each
//! response and the number of fetches.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tokio::net::TcpListener;
use tower_webhook::{
    SignatureLayer,
    fetched_keys::{KeyClient, KeyFetcher, KeyRequest},
    providers::GooglePubSub,
    sign::{PrivateKey, Signing, signed},
};

type BoxError = Box<dyn Error + Send + Sync>;

const AUDIENCE: &str = "https://example.com/push";
const ACCOUNT: &str = "push@made-up-project.iam.gserviceaccount.com";
const BODY: &str = r#"{"message":{"data":"e30=","messageId":"1"},"subscription":"s"}"#;

/// A key that was made for this example, and the number of its public key.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCRgZlGq/uRnN+6\n\
ChbOzSKbjh34h1gsTiBG4UqHI9EQJAQnTCXAFjvR1gACLKSRGlSPD2S5im+H4qXf\n\
9oE0gU7Kl+3p1p42hc3PJZSskUC6l69KSoA8tBh+mnRfmIcr9gF/xtk1AKGxOuXF\n\
HL2Yd75JkMEcaqREjndY+YIz6l3H4OUkCBe+NKQ0551BpLpk0MDTPGvMMqWoieDy\n\
m2U3Hz49UeyHrGbN3kFNYmOI5tIZqyzAhorr/jrhs2U+lBrKLn9dfe32S9Pn8hGx\n\
btyqcxCgSancfhLmtU/H8mkbw3nDlJhMuVBKkNmo+YRfv+CqX4wYz1tqCFaOoiWz\n\
qPU2vaDhAgMBAAECggEAH44H8/wTE+p92EYc2R9CfJKO7FlJpV4SAN0VwQXi7kmp\n\
Pu50F1qbAXAT02TkEXWw1c+ES/p6InFkAJRgQ8cxE51sInSBHhjZX61qNxxO+cgw\n\
Yv+SHNf/oeEUELEuyzlP7OpuK2DmL92ye5M2iKybLy/9uRBlbFqrBjgh5OlUCibn\n\
P565ExDejnbi7bOBo+sZxqhTkhcqVBQ8pdldyN8dk+WoZsi9kd7ik9gOF7rN8OuS\n\
NFtXhIMS3B7zF0yLOzB56tot4A+sEC97K+SdvUEteWZFGkG09N+ouQNFmT5lS32/\n\
hylgmYHkvzujSxBLNI/nhdbP+bRu0ru1t5xmDgt58wKBgQDFJ8clrHmEYAIbtW7A\n\
2+iYpw4rfKL7no+b5k1QpCgnEYwW9Ty6CPb6tpiCf1bFAgdSFBoR5qCj9tsDMmgO\n\
eQT3kO1MG9aGOpXSTOJNoq7R5Esi9C+YBFxUd7KUJ4QPPBGc7GxiQwSmRvknzCDw\n\
pYEEJR+g6GPAhdy44R3MtiKbPwKBgQC872uhmmHjnpTW/xzQfHAg3Sr1uSnC0cvI\n\
7HV/dsAuTr1M0If3lM+1Iq3H7pvvqkl+QO81V6KbI0Nj7OQpEcqKZVyXL4wq9gVu\n\
TJHJ9b8ro9E8J+cIDeGadUqw9xgBJnzP99b9TlYPZFYJZrJSrx6ippjB1k1sijdR\n\
XaspwVdb3wKBgBiKsRGRfLbrtJd6aET9muCVuv/Szf8AZ+QCMRGevZjPaF7bPCn0\n\
P7pJzIZCD60KaZrgAbbEvK5sZirptWZHzkR69+8HcBbZaBj7lRgQ7i4Wevvo5ZvI\n\
vy2MkOA8YwX6dj7Qd1Vr/kIsh4tar6cFEyBO9rby9qfagfVJoIoBCiHFAoGBAIxO\n\
jLKVMI7V7JiBGcfmMWrmdAnJOS8Zl+mdWGCRMoTxKnlJ/z8oPtu4Zi+sjhb8cdmV\n\
pU8KxpHJLTme6Y1qTexa+9i2kbQxwbS4nifKHO7ul+rBgzui+2A2LIKg7S2lhFj5\n\
J6ozK4wAqjgPEOyAahLF/3kriZHKTuxY0EyQ7SwnAoGBALUxGpuXN61ZQuKZQlQI\n\
Kod2X1EL32GiT4PWAFPlBifwuDLMAgvCS1k0/cNY+obAR+jZjtUNnhNJlGN/kGF8\n\
VObeNFgPkDZEJoLWsSgXZICaA7OS5lsYc9FynVInnG/xXPKOIyEyGkCdPY9sFjFL\n\
0X/geHdKWMRdJDuRmRe3g4Rs\n\
-----END PRIVATE KEY-----\n";
const N: &str = "kYGZRqv7kZzfugoWzs0im44d-IdYLE4gRuFKhyPRECQEJ0wlwBY70dYAAiykkRpUjw9kuYpvh-Kl3_aBNIFOypft6daeNoXNzyWUrJFAupevSkqAPLQYfpp0X5iHK_YBf8bZNQChsTrlxRy9mHe-SZDBHGqkRI53WPmCM-pdx-DlJAgXvjSkNOedQaS6ZNDA0zxrzDKlqIng8ptlNx8-PVHsh6xmzd5BTWJjiObSGasswIaK6_464bNlPpQayi5_XX3t9kvT5_IRsW7cqnMQoEmp3H4S5rVPx_JpG8N5w5SYTLlQSpDZqPmEX7_gql-MGM9baghWjqIls6j1Nr2g4Q";
const KEY_ID: &str = "00000000-0000-4000-8000-000000000000";

async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Returns a push request with a token, as Google sends it.
fn request(audience: &str, account: &str) -> Result<Request<Bytes>, BoxError> {
    let key = PrivateKey::from_pem(KEY)?;
    let google = GooglePubSub::new(audience, account, key.public_key()?)?;
    let request = Request::post("/push").body(BODY)?;
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    Ok(signed(&google, request, Signing::at(time).private_key(&key))?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let keys = get(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        Json(json!({"keys": [
            {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID, "n": N, "e": "AQAB"},
        ]}))
    });
    let google = serve(Router::new().route("/oauth2/v3/certs", keys)).await?;

    // Outside of this example: `KeyFetcher::from(client)`.
    let client = KeyClient::new()?;
    let fetcher = KeyFetcher::new(move |request: KeyRequest| {
        let client = client.clone();
        async move {
            let path = request.url().parse::<Uri>()?.path().to_owned();
            let request = request.with_url(format!("http://{google}{path}"));
            Ok::<_, BoxError>(client.fetch(&request).await?)
        }
    });
    let source = GooglePubSub::with_fetched_keys(AUDIENCE, ACCOUNT, &fetcher)?;
    // The tokens below are of this time.
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let layer = SignatureLayer::new(source).clock(time);
    let router = Router::new().route("/push", post(|| async { "handled" }).layer(layer));
    let address = serve(router).await?;

    let sender = Client::builder(TokioExecutor::new()).build_http();
    for (name, request) in [
        ("authentic", request(AUDIENCE, ACCOUNT)?),
        ("another account", request(AUDIENCE, "push@another.iam.gserviceaccount.com")?),
        ("another audience", request("https://example.com/other", ACCOUNT)?),
    ] {
        let (mut head, body) = request.into_parts();
        head.uri = format!("http://{address}/push").parse()?;
        let request = Request::from_parts(head, Full::new(body));
        println!("{name}: {}", sender.request(request).await?.status());
    }
    println!("fetches: {}", fetches.load(Ordering::Relaxed));
    Ok(())
}

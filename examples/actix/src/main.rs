//! Verifies Meta's webhooks in actix-web, and answers Meta's challenge on the same path.
//!
//! actix-web does not accept tower layers, so an extractor calls `verify`. Without the layer, its
//! limits on time and memory, its bounded logging and its observers are not available. actix-web
//! uses another version of `http`, so the program copies the head.
//!
//! ```sh
//! cargo run -p actix-example
//! curl -i 'http://127.0.0.1:3000/webhook?hub.mode=subscribe&hub.verify_token=my-verify-token&hub.challenge=42'
//! echo '{"object":"page"}' |
//!     cargo run --example send --features sign -- meta my-app-secret http://127.0.0.1:3000/webhook
//! ```

use std::{env, future::Future, net::SocketAddr, pin::Pin};

use actix_web::{
    App, FromRequest, HttpRequest, HttpResponse, HttpServer,
    dev::{Payload, ServerHandle},
    error,
    http::StatusCode,
    web::{self, Bytes, Data, PayloadConfig},
};
use http::request::Parts;
use tower_webhook::{Context, Outcome, Rejection, Verified, Verifier, providers::Meta, verify};

/// The proof of verification, and the verified body.
struct Signed(Verified, Bytes);

impl FromRequest for Signed {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, body) = (request.clone(), Bytes::from_request(request, payload));
        Box::pin(async move {
            let meta =
                request.app_data::<Data<Meta>>().ok_or(error::ErrorInternalServerError(""))?;
            let (head, body) = (head(&request)?, body.await?);
            match verify(meta.get_ref(), &head, &body).map_err(refused)? {
                Outcome::Accept(verified) => Ok(Self(verified, body)),
                // A signed challenge, such as Slack's `url_verification`.
                Outcome::Reply(response, _) => {
                    Err(error::InternalError::from_response("", replied(response)).into())
                }
                _ => Err(error::ErrorInternalServerError("")),
            }
        })
    }
}

/// Copies the head into the types of `http` 1.
fn head(request: &HttpRequest) -> Result<Parts, actix_web::Error> {
    let mut head =
        http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        head = head.header(name.as_str(), value.as_bytes());
    }
    Ok(head.body(()).map_err(error::ErrorBadRequest)?.into_parts().0)
}

/// Logs the reason for a rejection, as the layer does, and returns only its status.
fn refused(rejection: Rejection) -> actix_web::Error {
    tracing::warn!("webhook rejected: {rejection}");
    let status = StatusCode::from_u16(rejection.status().as_u16());
    error::InternalError::new("", status.unwrap_or(StatusCode::FORBIDDEN)).into()
}

/// Converts a response that replaces the handler's.
fn replied(response: http::Response<Bytes>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    for (name, value) in &head.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(body)
}

/// Answers the challenge that Meta sends when you configure the URL.
async fn challenge(
    request: HttpRequest,
    meta: Data<Meta>,
) -> Result<HttpResponse, actix_web::Error> {
    let head = head(&request)?;
    let answer = meta.challenge(&Context::new(&head)).ok_or(error::ErrorNotFound(""))?;
    Ok(replied(answer.map_err(refused)?))
}

async fn handler(Signed(verified, body): Signed) -> &'static str {
    println!("verified webhook from {}: {}", verified.provider(), String::from_utf8_lossy(&body));
    "thanks"
}

fn routes(meta: Meta) -> impl Fn(&mut web::ServiceConfig) + Clone {
    // actix-web's default limit is 256 KiB.
    let limit = PayloadConfig::new(meta.defaults().body_limit());
    let meta = Data::new(meta);
    move |app| {
        app.app_data(limit.clone()).app_data(meta.clone()).service(
            web::resource("/webhook")
                .route(web::get().to(challenge))
                .route(web::post().to(handler)),
        );
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let routes = routes(Meta::new("my-app-secret")?.verify_token("my-verify-token")?);
    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let server = HttpServer::new(move || App::new().configure(routes.clone()));
    let server = server.disable_signals().bind(address)?;
    let address = server.addrs()[0];
    let server = server.run();
    actix_web::rt::spawn(stop(address, server.handle()));
    Ok(server.await?)
}

/// Prints the address, waits for Ctrl-C, and stops the server.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr, server: ServerHandle) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
    server.stop(true).await;
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use actix_web::test::{TestRequest, call_and_read_body, call_service, init_service};
    use tower_webhook::sign::signed;

    use super::*;

    fn meta() -> Meta {
        Meta::new("secret of the test").unwrap().verify_token("token of the test").unwrap()
    }

    fn signature(body: &'static str) -> String {
        let request = http::Request::post("/webhook").body(body).unwrap();
        let signed = signed(&meta(), request, SystemTime::UNIX_EPOCH).unwrap();
        signed.headers()["x-hub-signature-256"].to_str().unwrap().to_owned()
    }

    #[actix_web::test]
    async fn a_genuine_request_reaches_the_handler_and_no_other() {
        let app = init_service(App::new().configure(routes(meta()))).await;
        let request = |body: &'static str| {
            TestRequest::post()
                .uri("/webhook")
                .insert_header(("x-hub-signature-256", signature("{}")))
                .set_payload(body)
        };
        assert_eq!(call_and_read_body(&app, request("{}").to_request()).await, "thanks");
        let forged = call_service(&app, request("{ }").to_request()).await;
        assert_eq!(forged.status(), StatusCode::FORBIDDEN);
        let unsigned = TestRequest::post().uri("/webhook").set_payload("{}").to_request();
        assert_eq!(call_service(&app, unsigned).await.status(), StatusCode::FORBIDDEN);
    }

    #[actix_web::test]
    async fn a_body_is_as_long_as_the_provider_sends_it() {
        let app = init_service(App::new().configure(routes(meta()))).await;
        let body: &'static str = "x".repeat(1 << 20).leak();
        let request = TestRequest::post()
            .uri("/webhook")
            .insert_header(("x-hub-signature-256", signature(body)))
            .set_payload(body);
        assert_eq!(call_and_read_body(&app, request.to_request()).await, "thanks");
    }

    #[actix_web::test]
    async fn the_challenge_is_answered_and_a_wrong_token_refused() {
        let app = init_service(App::new().configure(routes(meta()))).await;
        let challenge = |token: &str| {
            let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
            TestRequest::get().uri(&format!("/webhook?{query}")).to_request()
        };
        let answer = call_and_read_body(&app, challenge("token+of+the+test")).await;
        assert_eq!(answer, "42");
        let refused = call_service(&app, challenge("another")).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}

//! Extractors for axum (feature `axum`).
//!
//! Guide: [frameworks](crate::guide::frameworks).
//!
//! [`Signed`] extracts the proof of verification together with any other extractor. [`Verified`] is
//! an extractor, too.
//!
//! ```
//! use axum::{Json, Router, routing::post};
//! use serde_json::Value;
//! use tower_webhook::{SignatureLayer, axum::Signed, providers::GitHub};
//!
//! async fn pushed(Signed(verified, Json(event)): Signed<Json<Value>>) {
//!     println!("{}: {event}", verified.provider());
//! }
//!
//! let github = GitHub::new("s3cret-of-the-hook")?;
//! let app: Router =
//!     Router::new().route("/github", post(pushed).layer(SignatureLayer::new(github)));
//! # let _ = app;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! On a route without the layer the extractors respond with `500 Internal Server Error`, and with
//! the feature `tracing` the log names the cause. A handler with [`Signed`] or [`Verified`] is
//! never called without proof.

use std::{error::Error, fmt};

use ::axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};

use crate::outcome::verified::{Unverified, Verified};

/// Extractor of the proof of verification, and of `E` from the verified body.
///
/// `E` is any extractor of a body, such as `Json<T>`, `Form<T>`, `String` or `Bytes`. Its own
/// rejections get the same responses as without `Signed`.
///
/// The length of the verified body is the limit of `E` instead of axum's 2 MB, so that no second
/// limit rejects a verified body. If a layer between the [`SignatureLayer`](crate::SignatureLayer)
/// and the handler has replaced the body, the response is `500 Internal Server Error`, because the
/// proof does not cover the body that the handler would get.
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use serde_json::Value;
/// use tower_webhook::axum::Signed;
///
/// async fn pushed(Signed(verified, Json(event)): Signed<Json<Value>>) -> String {
///     format!("{} from {}", event["action"], verified.provider())
/// }
/// # let _: Router = Router::new().route("/", post(pushed));
/// ```
#[derive(Clone, Debug)]
pub struct Signed<E>(
    /// Proof of verification.
    pub Verified,
    /// Value that the extractor `E` took from the verified body.
    pub E,
);

/// Rejection of [`Signed`], and of [`Verified`] as an extractor.
///
/// The response is an empty `500 Internal Server Error`, or that of the inner extractor. The sender
/// does not learn the cause. With the feature `tracing` the log contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedRejection<R = std::convert::Infallible> {
    /// The body is not the verified one.
    BodyReplaced,
    /// The inner extractor rejected the request.
    Extractor(R),
    /// No layer has verified the request.
    NotSigned,
    /// The layer is in [report-only mode](crate::SignatureLayer::dangerously_report_only), and the
    /// request failed verification.
    Unverified,
}

impl<R> SignedRejection<R> {
    /// Returns the cause and its fix, for the log.
    const fn cure(&self) -> &'static str {
        match self {
            Self::BodyReplaced => {
                "a layer between the `SignatureLayer` and the handler has replaced the body; \
                 move that layer above the `SignatureLayer`, \
                 or extract `Verified` and the body separately"
            }
            Self::Extractor(_) => "the inner extractor rejected the request",
            Self::NotSigned => {
                "no `SignatureLayer` has verified this request; add one to the route: \
                 `post(handler).layer(SignatureLayer::new(…))`"
            }
            Self::Unverified => {
                "this request failed verification and the `SignatureLayer` is in report-only mode; \
                 extract `Option<Verified>` while that mode is on"
            }
        }
    }

    fn log(self, head: &Parts) -> Self {
        #[cfg(feature = "tracing")]
        {
            use crate::{
                observe::{tracing::take_line, window::Window},
                outcome::redact::text::escape,
            };

            static WINDOW: std::sync::Mutex<Window> = std::sync::Mutex::new(Window::new());
            if let Some(suppressed) = take_line(&WINDOW) {
                let path = crate::parse::headers::original_uri(head).path();
                let attempt =
                    head.extensions.get::<std::sync::Arc<crate::observe::attempt::Attempt>>();
                let is_secret = attempt.is_some_and(|attempt| attempt.has_secret_url());
                tracing::error!(
                    target: "tower_webhook::axum",
                    method = head.method.as_str(),
                    path = escape(if is_secret { b"[redacted]" } else { path.as_bytes() }),
                    suppressed = (suppressed > 0).then_some(suppressed),
                    "{}",
                    self.cure()
                );
            }
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (head, self.cure());
        self
    }
}

impl<R> fmt::Display for SignedRejection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cure())
    }
}

impl<R: fmt::Debug> Error for SignedRejection<R> {}

impl<R: IntoResponse> IntoResponse for SignedRejection<R> {
    fn into_response(self) -> Response {
        match self {
            Self::Extractor(rejection) => rejection.into_response(),
            Self::BodyReplaced | Self::NotSigned | Self::Unverified => {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn proof<R>(head: &Parts) -> Result<Verified, SignedRejection<R>> {
    let marks = &head.extensions;
    let missing = || match marks.get::<Unverified>() {
        Some(_) => SignedRejection::Unverified,
        None => SignedRejection::NotSigned,
    };
    marks.get::<Verified>().cloned().ok_or_else(|| missing().log(head))
}

impl<S, E> FromRequest<S> for Signed<E>
where
    S: Send + Sync,
    E: FromRequest<S>,
{
    type Rejection = SignedRejection<E::Rejection>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (head, body) = request.into_parts();
        let verified = proof(&head)?;
        let Some(signed) = verified.body().cloned() else {
            return Err(SignedRejection::NotSigned.log(&head));
        };
        // The whole body is already in memory. Collecting it does not copy it.
        let received = Limited::new(body, signed.len()).collect().await;
        let received = received.map(|body| body.to_bytes());
        let Some(body) = received.ok().filter(|received| *received == signed) else {
            return Err(SignedRejection::BodyReplaced.log(&head));
        };
        let limit = DefaultBodyLimit::max(body.len());
        let mut request = Request::from_parts(head, Body::from(body));
        limit.apply(&mut request);
        let extracted = E::from_request(request, state).await;
        extracted.map(|extracted| Self(verified, extracted)).map_err(SignedRejection::Extractor)
    }
}

/// Extracts the proof of verification.
impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = SignedRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, SignedRejection> {
        proof(head)
    }
}

/// Extracts the proof of verification, or `None` for a request that failed verification in
/// [report-only mode](crate::SignatureLayer::dangerously_report_only).
impl<S: Send + Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = SignedRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, SignedRejection> {
        if head.extensions.get::<Unverified>().is_some() {
            return Ok(None);
        }
        proof(head).map(Some)
    }
}

//! Extractors for axum: the proof beside any other extractor (feature `axum`).
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
//! A route without the layer answers 500, and the log says why: a handler with [`Signed`] or [`Verified`] is never called
//! without proof.

use std::{error::Error, fmt};

use ::axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};

use crate::outcome::verified::{Unverified, Verified};

/// Extracts the proof, and `E` from the body that was verified.
///
/// The body's own length is the limit of `E`, in place of axum's 2 MB: nothing that was verified is lost to
/// another limit. Where a layer between the [`SignatureLayer`](crate::SignatureLayer) and the handler has replaced the body,
/// the answer is 500: the proof is not of what the handler would get.
///
/// `E` is any extractor of a body, such as `Json<T>`, `Form<T>`, `String` or `Bytes`. Its own rejections are answered
/// as without `Signed`.
#[derive(Clone, Debug)]
pub struct Signed<E>(pub Verified, pub E);

/// The refusal of [`Signed`] and of [`Verified`] as an extractor.
///
/// Its response is an empty 500, or that of the inner extractor. Nothing of the cause goes to the sender; with the
/// feature `tracing` the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedRejection<R = std::convert::Infallible> {
    /// The body is not the one that was verified.
    BodyReplaced,
    /// The inner extractor refused.
    Extractor(R),
    /// No layer has verified the request.
    NotSigned,
    /// The layer [only reports](crate::SignatureLayer::dangerously_report_only), and the request is not proven
    /// genuine.
    Unverified,
}

impl<R> SignedRejection<R> {
    /// The cause and its cure, for the log.
    const fn cure(&self) -> &'static str {
        match self {
            Self::BodyReplaced => {
                "a layer between the `SignatureLayer` and the handler has replaced the body; \
                 move it above the `SignatureLayer`, or extract `Verified` and the body on their own"
            }
            Self::Extractor(_) => "the extractor refused the body",
            Self::NotSigned => {
                "no `SignatureLayer` has verified this request; put one around the route: \
                 `post(handler).layer(SignatureLayer::new(…))`"
            }
            Self::Unverified => {
                "the `SignatureLayer` only reports, and this request is not proven genuine; \
                 extract `Option<Verified>` meanwhile"
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
        // It is here whole already, and is not copied.
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

/// Extracts the proof alone.
impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = SignedRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, SignedRejection> {
        proof(head)
    }
}

/// Extracts the proof where there is one: `None` for a request that a layer
/// [only reports](crate::SignatureLayer::dangerously_report_only).
impl<S: Send + Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = SignedRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, SignedRejection> {
        if head.extensions.get::<Unverified>().is_some() {
            return Ok(None);
        }
        proof(head).map(Some)
    }
}

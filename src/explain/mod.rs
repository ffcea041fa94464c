//! The cause of a rejection.
//!
//! A signature does not match, and the log cannot tell why: a wrong secret, another URL, or a proxy
//! that rewrites JSON all look the same. [`explain`] finds the cause. It changes one thing of the
//! request or the configuration at a time, and checks the received signature again. If it is then
//! valid, the cause is **proven**: only a holder of the secret can have made that signature.
//!
//! ```
//! use bytes::Bytes;
//! use tower_webhook::{
//!     explain::{Cause, explain},
//!     providers::GitHub,
//! };
//!
//! // GitHub signed `{"zen": "Keep it logically awesome."}`.
//! let github = GitHub::new("made-up-secret")?;
//! let signature = "sha256=9b81ceeedb367ee7a5142c6e0e1d8c6355a1430c5c59dc2bbf8d7730d14b3e79";
//! let request = http::Request::post("/").header("x-hub-signature-256", signature);
//! let (head, ()) = request.body(())?.into_parts();
//! let body = Bytes::from(r#"{"zen":"Keep it logically awesome."}"#);
//!
//! let explanation = explain(&github, &head, &body);
//! assert_eq!(explanation.proven(), Some(Cause::JsonRewritten));
//! println!("{explanation}");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a layer
//!
//! With this feature, each layer explains a few of its rejections without further code. It responds
//! first, and reports an event of its own,
//! [`Explained`](crate::observe::EventKind::Explained), within about a second. The event is written
//! to `tracing`, counted by `MetricsObserver`, and added to the row of the delivery log.
//! [`SignatureLayer::explainer`](crate::SignatureLayer::explainer) changes the settings.
//!
//! # What is tried
//!
//! - The body: JSON and forms as other programs write them, line ends, white space, a byte order
//!   mark, base64, character sets.
//! - The secret: quotation marks, white space, prefixes, base64 and hexadecimal.
//! - The URL: scheme, host, port, path, slash, query, from the configuration and the headers.
//! - The time at which the request was signed.
//! - The signature: its algorithm, encoding, header and format, and other signed contents.
//! - Other verifiers that you name with [`Explainer::also`]. A layer also tries those of the
//!   process's other layers, and the tenants in its cache.
//!
//! A custom [`Verifier`](crate::Verifier) gets the changes of the request. It adds variants of its
//! own with [`Verifier::explain`](crate::Verifier::explain).
//!
//! # Security
//!
//! - An explanation accepts nothing, and there is no way from it to a
//!   [`Verified`](crate::Verified). Remove the cause; never accept a changed request.
//! - It has no byte of a secret, a key, a signature or a body. Even so, do not send it to the
//!   caller: it tells about your configuration.
//! - A proof does not show that a request is harmless. A captured request with a changed body has
//!   the same explanation.
//! - The work is bounded by an [`Effort`]. A layer explains 6 rejections in each minute. Whether it
//!   explains one depends on public facts alone: who had a verified request, the tenant, the network,
//!   the reason, and the time.
//! - In a layer, rejected requests are kept until they have been explained: in memory, with bodies of
//!   at most 1 MiB each, and about 8 MiB of all layers. Their heads and spans are dropped on the
//!   thread that explains.
//! - **A verifier must have no effect**: the same request is verified again, with changes, also by
//!   the verifiers of other layers. If yours has one,
//!   [turn explanations off](crate::SignatureLayer::without_explanations) in its layer.
//! - With this feature, a verifier keeps the text of its secrets. It is wiped like the keys.

pub(crate) mod bodies;
pub(crate) mod clues;
pub(crate) mod explainer;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod layers;
pub(crate) mod other;
pub(crate) mod places;
pub(crate) mod search;
pub(crate) mod thread;

pub use self::explainer::{Explainer, explain};
pub use crate::{
    outcome::{
        cause::Cause,
        explanation::{Explanation, Finding, Strength},
    },
    verifier::probe::{Effort, Probe},
};

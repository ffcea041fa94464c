//! The same small program for each kind of user; `scripts/performance` compares the binaries.

use std::env;

use bytes::Bytes;
use http::Request;
use tower_webhook::{ConfigError, Secret, Verifier, verify};

/// Judges a body and a signature that are arguments, so that nothing is known to the compiler.
pub fn judge<V: Verifier>(make: impl FnOnce(Secret) -> Result<V, ConfigError>) {
    let [secret, signature, body] =
        [1, 2, 3].map(|at| env::args().nth(at).expect("a secret, a signature, a body"));
    let verifier = make(Secret::new(secret).unwrap()).unwrap();
    let request = Request::post("/").header("x-hub-signature-256", signature).body(()).unwrap();
    let (head, ()) = request.into_parts();
    println!("{}", verify(&verifier, &head, &Bytes::from(body)).is_ok());
}

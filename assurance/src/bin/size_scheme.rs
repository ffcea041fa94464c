//! A user of none of the providers, but of a scheme of their own.

#[path = "../size.rs"]
mod size;

use tower_webhook::Scheme;

fn main() {
    const SCHEME: Scheme = Scheme::hmac_sha256("x-hub-signature-256").prefix("sha256=");
    size::judge(|secret| SCHEME.verifier(secret));
}

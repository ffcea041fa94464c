//! A user of whatever provider is named.

#[path = "../size.rs"]
mod size;

use tower_webhook::providers;

fn main() {
    let name = std::env::var("PROVIDER").unwrap();
    size::judge(|secret| providers::by_name(&name).unwrap().verifier(secret));
}

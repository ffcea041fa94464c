//! A user of one provider.

#[path = "../size.rs"]
mod size;

fn main() {
    size::judge(tower_webhook::providers::Meta::new);
}

//! What the layer costs: time as ratios against baselines in the same run, and allocations.
//!
//! `cargo bench --bench layer`. The cases of one size run by turns, so that a busy machine slows
//! all of them; the ratios of each round are compared. Each case includes making its request.
//! `scripts/performance` measures the rest of `docs/performance.md`.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

#[path = "support/cases.rs"]
mod cases;
mod support;

use self::support::rounds;

fn main() {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] =
        if is_test { &[256] } else { &[256, 1 << 10, 16 << 10, 64 << 10, 1 << 20] };
    for &size in sizes {
        let rounds = rounds(cases::cases(size), (400_000 / (400 + size)).max(2));
        println!("\n{size} bytes{:24}ns    allocations", "");
        for (name, series) in rounds.series() {
            println!("  {name:26} {:>10.0} {:>8}", series.time().median, series.allocations);
        }
        let ratio = |case, baselines: &[_]| rounds.ratio(case, baselines);
        println!(
            "  layer / (no layer + bare HMAC)      {}",
            ratio("tower, layer", &["tower, no layer", "bare HMAC"])
        );
        println!(
            "  axum layer / from_fn by hand        {}",
            ratio("axum, layer", &["axum, from_fn by hand"])
        );
        println!(
            "  axum layer - no-op - bare HMAC      {:.0} ns",
            rounds.above("axum, layer", &["axum, no-op layer", "bare HMAC"])
        );
        let more = |case, baseline| rounds.more_allocations(case, baseline);
        println!(
            "  allocations above no layer: tower {}, axum {} (by hand {})",
            more("tower, layer", "tower, no layer"),
            more("axum, layer", "axum, no layer"),
            more("axum, from_fn by hand", "axum, no layer")
        );
    }
}

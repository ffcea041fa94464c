//! Nanoseconds of one request in `memcpy` and `memmove`, sampled by Linux's `perf`.
//!
//! An instruction count does not show them: what was only just written in small pieces takes long
//! to be read in large ones.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    report::{Row, row},
    support::cases,
};

const TIME: Duration = Duration::from_millis(2500);

const SIZE: usize = 256;

/// Calls the case of this name for some seconds, and prints the nanoseconds of a call.
pub(crate) fn run(name: &str) {
    let mut case = cases::tower(SIZE).into_iter().find(|case| case.name == name).unwrap();
    let (start, mut calls) = (Instant::now(), 0_u64);
    while start.elapsed() < TIME {
        for _ in 0..1000 {
            case.call();
        }
        calls += 1000;
    }
    println!("{}", start.elapsed().as_nanos() as f64 / calls as f64);
}

/// Returns nanoseconds of a call, if `perf` can sample.
fn moves(name: &str, file: &Path) -> Option<f64> {
    let record = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", "5000", "-o"])
        .arg(file)
        .arg("--")
        .arg(env::current_exe().unwrap())
        .args(["sampled", name])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let time: f64 = String::from_utf8(record.stdout).ok()?.trim().parse().ok()?;
    let report = Command::new("perf")
        .args(["report", "--stdio", "-g", "none", "-F", "overhead,sym", "-i"])
        .arg(file)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(report.stdout).ok()?;
    let moved = text.lines().filter(|line| line.contains("memcpy") || line.contains("memmove"));
    let percent = moved.filter_map(|line| line.trim().split_once('%')?.0.parse::<f64>().ok());
    let percent: f64 = percent.sum();
    // Without symbols there would be none in any case.
    (percent > 0.0).then_some(time * percent / 100.0)
}

pub(crate) fn row_of_moves() -> Row {
    let file = env::temp_dir().join(format!("perf-samples-{}", std::process::id()));
    let names = ["layer", "no layer", "reference, a mark", "by hand"];
    let found: Option<Vec<_>> = names.iter().map(|name| moves(name, &file)).collect();
    let _ = fs::remove_file(&file);
    let asked = "tower, 256 B: time in `memcpy` and `memmove`, sampled";
    let Some(found) = found else {
        return row(asked, "`perf` does not sample here", "", None);
    };
    let told: Vec<_> = names
        .iter()
        .zip(&found)
        .skip(1)
        .map(|(name, time)| format!("{name} {time:.0} ns"))
        .collect();
    row(asked, format!("{:.0} ns", found[0]), told.join(", "), None)
}

//! Instructions of one request, counted by callgrind: G1i.

use std::{collections::HashMap, env, fs, path::Path, process::Stdio};

use crate::{
    profile::{COUNTS, NAMED},
    report::{Row, row},
    sampled,
    starts::Program,
};

/// Counts of one request, or of a section.
#[derive(Clone, Copy, Default)]
struct Counts {
    all: f64,
    /// In the functions that compress the blocks of a hash.
    compress: f64,
    /// In `memcpy` and `memmove`.
    moves: f64,
    calls_of_moves: f64,
}

impl Counts {
    fn minus(self, other: Self) -> Self {
        Self {
            all: self.all - other.all,
            compress: self.compress - other.compress,
            moves: self.moves - other.moves,
            calls_of_moves: self.calls_of_moves - other.calls_of_moves,
        }
    }

    fn over(self, requests: f64) -> Self {
        Self {
            all: self.all / requests,
            compress: self.compress / requests,
            moves: self.moves / requests,
            calls_of_moves: self.calls_of_moves / requests,
        }
    }
}

fn is_move(function: &str) -> bool {
    function.contains("memcpy") || function.contains("memmove")
}

fn is_compress(function: &str) -> bool {
    function.contains("compress") || function.contains("sha2::") || function.contains("sha1::")
}

/// Splits `(12) name` into the number and the name, which only the first mention has.
fn function(text: &str) -> (&str, Option<&str>) {
    text.split_once(' ').map_or((text, None), |(number, name)| (number, Some(name)))
}

/// Sums what callgrind dumped. The names are those of this dump and of those before it.
fn read(dump: &str, names: &mut HashMap<String, String>) -> Counts {
    let mut counts = Counts::default();
    let (mut current, mut called, mut is_of_call) = (String::new(), String::new(), false);
    for line in dump.lines() {
        let named = line.strip_prefix("fn=").map(|text| (text, &mut current));
        let named = named.or_else(|| line.strip_prefix("cfn=").map(|text| (text, &mut called)));
        if let Some((text, place)) = named {
            let (number, name) = function(text);
            if let Some(name) = name {
                names.insert(number.to_owned(), name.to_owned());
            }
            *place = names.get(number).cloned().unwrap_or_default();
        } else if let Some(text) = line.strip_prefix("calls=") {
            let calls = text.split(' ').next().unwrap().parse::<f64>().unwrap();
            counts.calls_of_moves += if is_move(&called) { calls } else { 0.0 };
            is_of_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            && !std::mem::take(&mut is_of_call)
        {
            let cost = line.split(' ').nth(1).map_or(0.0, |cost| cost.parse().unwrap());
            counts.all += cost;
            counts.compress += if is_compress(&current) { cost } else { 0.0 };
            counts.moves += if is_move(&current) { cost } else { 0.0 };
        }
    }
    counts
}

/// Runs a program in callgrind, and returns the counts of one request by section. `what` is `all`, or
/// the name of a scheme.
fn count(program: &Program, what: &str) -> Option<HashMap<String, Counts>> {
    let directory = env::temp_dir().join(format!("perf-callgrind-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let counts = count_in(&directory, program, what);
    fs::remove_dir_all(&directory).unwrap();
    counts
}

fn count_in(directory: &Path, program: &Program, what: &str) -> Option<HashMap<String, Counts>> {
    let out = format!("--callgrind-out-file={}", directory.join("out").display());
    let options = ["--tool=callgrind", "--dump-before=*profile::boundary*", &out];
    let output = program
        .in_valgrind(&options)
        .args(["profile", what])
        .stderr(Stdio::piped())
        .output()
        .ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut names = HashMap::new();
    // The first dump has the start.
    let mut dumps = (1..).map(|number| {
        let dump = fs::read_to_string(directory.join(format!("out.{number}"))).unwrap();
        read(&dump, &mut names)
    });
    dumps.next();
    let text = String::from_utf8(output.stdout).unwrap();
    let requests = (COUNTS[1] - COUNTS[0]) as f64;
    let sections = text.lines().map(|name| {
        let (few, many) = (dumps.next().unwrap(), dumps.next().unwrap());
        (name.to_owned(), many.minus(few).over(requests))
    });
    Some(sections.collect())
}

/// Returns the instructions of a whole request with Meta's scheme and 1 KiB, or `None` without
/// valgrind.
pub(crate) fn of_request(program: &Program) -> Option<f64> {
    Some(count(program, NAMED[0])?[&format!("{}, layer", NAMED[0])].all)
}

pub(crate) fn instructions() -> Vec<Row> {
    let Some(counts) = count(&Program::this(), "all") else {
        let missing = "valgrind is missing: `apt-get install valgrind`";
        return vec![row(
            "instructions in the layer beside the hash and the mark",
            missing,
            "",
            None,
        )];
    };
    let get = |name: &str, what: &str| counts[&format!("{name}, {what}")];
    let [mark, hash] = ["mark", "hash"].map(|what| get("Meta", what));
    let mark = mark.minus(get("Meta", "no layer"));
    let mut rows: Vec<_> = NAMED
        .iter()
        .zip([3_000.0, 5_500.0, 5_500.0, 20_000.0])
        .map(|(name, goal)| {
            let [layer, none, hash, marked] =
                ["layer", "no layer", "hash", "mark"].map(|what| get(name, what));
            let above = layer.minus(hash).minus(marked);
            let what = if *name == "Twilio" { "a Twilio form" } else { name };
            row(
                format!("instructions in the layer beside the hash and the mark, {what}, 1 KiB: ≤ {goal}"),
                format!(
                    "{:.0}; {:.0} of them in {:.0} calls of `memcpy` and `memmove`",
                    above.all, above.moves, above.calls_of_moves
                ),
                format!(
                    "whole request {:.0}, no layer {:.0}, bare HMAC {:.0}, the mark {:.0}",
                    layer.all, none.all, hash.all, marked.all - none.all
                ),
                above.all <= goal,
            )
        })
        .collect();
    // The content of their signatures differs, so the blocks are counted in the layer itself.
    let ends = hash.all - hash.compress;
    let mut others: Vec<_> = counts
        .iter()
        .filter_map(|(section, layer)| Some((section.strip_suffix(", layer")?, layer)))
        .filter(|(name, _)| !NAMED.contains(name))
        .map(|(name, layer)| {
            let above = layer.minus(get(name, "no layer")).minus(mark);
            (above.all - above.compress - ends, name)
        })
        .collect();
    others.sort_by(|left, right| left.0.total_cmp(&right.0));
    let worst: Vec<_> =
        others.iter().rev().take(5).map(|(count, name)| format!("{name} {count:.0}")).collect();
    rows.push(row(
        format!("the same, {} HMAC providers: the median and the worst", others.len()),
        format!("{:.0}; worst {}", others[others.len() / 2].0, worst.join(", ")),
        format!("beginning and end of an HMAC {ends:.0}"),
        None,
    ));
    rows.push(sampled::row_of_moves());
    rows
}

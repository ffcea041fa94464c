//! Mutation testing in one build: `scripts/mutants-old`.

mod find;
mod render;
mod report;
mod run;
mod tree;
mod values;

use std::{env, fs, path::PathBuf, sync::Mutex, time::Instant};

use self::{report::Report, run::Suite, tree::Tree};

fn main() -> std::io::Result<()> {
    let (mut again, mut list, mut build) = (false, false, false);
    let mut only = Vec::new();
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--again" => again = true,
            "--list" => list = true,
            "--build" => build = true,
            _ => only.push(argument),
        }
    }
    let project = env::current_dir()?;
    let directory = project.join("target/mutants");
    let mut tree = Tree::new(&project, &directory.join("tree"), &only)?;
    if list {
        for (number, mutant) in tree.mutants.iter().enumerate() {
            println!("{number} {} ({}:{})", mutant.name, mutant.file, mutant.line);
        }
        return Ok(());
    }
    tree.copy(&project)?;
    let mut report = Report::new(&project, &directory, &tree)?;
    if again {
        report.keep_what_was_caught()?;
        tree.keep_what_did_not_build()?;
    }
    eprintln!("{} mutants", tree.mutants.len());
    let binaries: Vec<PathBuf> = tree.build()?;
    if build {
        println!("{binaries:?}");
        return Ok(());
    }
    let binaries = tree.keep(binaries)?;
    let suite = Suite::record(&tree.directory, &binaries)?;
    let of: Vec<(usize, &str)> = (0..tree.mutants.len())
        .filter(|mutant| {
            !tree.dead.contains(mutant) && !tree.is_constant(*mutant) && !report.knows(*mutant)
        })
        .map(|mutant| (mutant, tree.mutants[mutant].file.as_str()))
        .collect();
    eprintln!("{} to try with {} tests", of.len(), suite.len());
    let begin = Instant::now();
    let report = Mutex::new(report);
    suite.judge(&of, |mutant, outcome| report.lock().unwrap().tell(&tree, mutant, outcome));
    let report = report.into_inner().unwrap();
    let text = report.text(&tree, &suite, begin.elapsed());
    print!("{text}");
    fs::write(directory.join("report.txt"), &text)?;
    if report.is_met(&tree) { Ok(()) } else { std::process::exit(1) }
}

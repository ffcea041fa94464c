//! What came out: kept in `target/mutants/outcomes.txt`, held to the accepted survivors.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    run::{Outcome, Suite},
    tree::Tree,
};

/// One line for each accepted survivor: what the report prints, without the line, and why.
const ACCEPTED: &str = "assurance/mutants/accepted.txt";

pub struct Report {
    names: Vec<String>,
    outcomes: HashMap<usize, Outcome>,
    accepted: HashMap<String, String>,
    path: PathBuf,
    file: Option<File>,
}

impl Report {
    pub fn new(project: &Path, directory: &Path, tree: &Tree) -> io::Result<Self> {
        let names = tree.mutants.iter().map(|mutant| mutant.name.clone()).collect();
        let accepted = fs::read_to_string(project.join(ACCEPTED)).unwrap_or_default();
        let accepted = accepted
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(" -- "))
            .map(|(name, why)| (name.to_owned(), why.to_owned()))
            .collect();
        let path = directory.join("outcomes.txt");
        Ok(Self { names, outcomes: HashMap::new(), accepted, path, file: None })
    }

    /// Takes over what an earlier run saw caught, so that new tests are tried on the rest alone.
    pub fn keep_what_was_caught(&mut self) -> io::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let numbers: HashMap<&str, usize> =
            self.names.iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        for line in text.lines() {
            let mut parts = line.split('\t');
            let (Some(name), Some(outcome), Some(by)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let Some(&number) = numbers.get(name) else { continue };
            match outcome {
                "caught" => self.outcomes.insert(number, Outcome::Caught(by.to_owned())),
                "ended" => self.outcomes.insert(number, Outcome::Ended(by.to_owned())),
                _ => None,
            };
        }
        self.file = Some(fs::OpenOptions::new().append(true).open(&self.path)?);
        Ok(())
    }

    pub fn knows(&self, mutant: usize) -> bool {
        self.outcomes.contains_key(&mutant)
    }

    pub fn tell(&mut self, tree: &Tree, mutant: usize, outcome: &Outcome) {
        let (word, by) = match outcome {
            Outcome::Caught(by) => ("caught", by.as_str()),
            Outcome::Ended(by) => ("ended", by.as_str()),
            Outcome::Survived => ("survived", ""),
            Outcome::NotReached => ("not reached", ""),
        };
        let file = self.file.get_or_insert_with(|| File::create(&self.path).unwrap());
        writeln!(file, "{}\t{word}\t{by}\t{}", self.names[mutant], tree.mutants[mutant].line)
            .unwrap();
        self.outcomes.insert(mutant, outcome.clone());
        if self.outcomes.len().is_multiple_of(100) {
            eprintln!("{} judged", self.outcomes.len());
        }
    }

    fn is_open(&self, mutant: usize) -> bool {
        matches!(self.outcomes.get(&mutant), Some(Outcome::Survived | Outcome::NotReached))
            && !self.accepted.contains_key(&self.names[mutant])
    }

    /// No survivor but those that are accepted.
    pub fn is_met(&self, tree: &Tree) -> bool {
        !(0..tree.mutants.len()).any(|mutant| self.is_open(mutant))
    }

    pub fn text(&self, tree: &Tree, suite: &Suite, took: Duration) -> String {
        let mut files: BTreeMap<&str, [usize; 7]> = BTreeMap::new();
        let mut text = String::new();
        for (number, mutant) in tree.mutants.iter().enumerate() {
            let accepted = self.accepted.contains_key(&self.names[number]);
            let column = match self.outcomes.get(&number) {
                Some(Outcome::Caught(_)) => 0,
                Some(Outcome::Ended(_)) => 1,
                Some(Outcome::Survived | Outcome::NotReached) if accepted => 2,
                Some(Outcome::Survived) => 3,
                Some(Outcome::NotReached) => 4,
                None if tree.is_constant(number) => 6,
                None => 5,
            };
            files.entry(&mutant.file).or_default()[column] += 1;
        }
        let columns =
            ["caught", "ended", "accepted", "survived", "not reached", "unviable", "const"];
        let _ =
            writeln!(text, "{:<40}{}", "file", columns.map(|name| format!("{name:>12}")).concat());
        let mut sums = [0; 7];
        for (file, counts) in &files {
            let _ =
                writeln!(text, "{file:<40}{}", counts.map(|count| format!("{count:>12}")).concat());
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        let _ =
            writeln!(text, "{:<40}{}", "all", sums.map(|count| format!("{count:>12}")).concat());
        let viable: usize = sums[..5].iter().sum();
        let caught = sums[0] + sums[1];
        let _ = writeln!(
            text,
            "{caught} of {viable} caught, {:.2} %, in {} s, by {} tests; left out: {}",
            100.0 * caught as f64 / viable.max(1) as f64,
            took.as_secs(),
            suite.len(),
            suite.left_out.join(" "),
        );
        for (number, mutant) in tree.mutants.iter().enumerate() {
            if self.is_open(number) {
                let how = if self.outcomes[&number] == Outcome::Survived {
                    "survived"
                } else {
                    "not reached"
                };
                let _ = writeln!(
                    text,
                    "{how}: {}  ({}:{})",
                    self.names[number], mutant.file, mutant.line
                );
            }
        }
        let open: HashSet<&str> = self
            .outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Survived | Outcome::NotReached))
            .map(|(&number, _)| self.names[number].as_str())
            .collect();
        for name in self.accepted.keys().filter(|name| self.names.contains(name)) {
            if !open.contains(name.as_str()) {
                let _ = writeln!(text, "accepted, but caught: {name}");
            }
        }
        text
    }
}

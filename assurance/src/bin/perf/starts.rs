//! Values of several starts of a program: one binary varies by some 3 % from start to start.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{Rounds, Spread};

pub(crate) const STARTS: usize = 7;

/// Names the environment variable that installs a `tracing` subscriber.
const SUBSCRIBER: &str = "PERF_SUBSCRIBER";

/// Installs a subscriber at `info`, which writes to nowhere.
pub(crate) fn subscribe() {
    #[cfg(feature = "tracing")]
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
}

/// Installs it if the environment variable is set.
pub(crate) fn subscribe_if_asked() {
    if env::var_os(SUBSCRIBER).is_some() {
        subscribe();
    }
}

/// Named values of one start, one a line.
#[derive(Default)]
pub(crate) struct Values(Vec<(String, f64)>);

impl Values {
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// Adds the nanoseconds of each case.
    pub(crate) fn add_times(&mut self, set: &str, rounds: &Rounds) {
        for (name, series) in rounds.series() {
            self.add(format!("{set}: {name}"), series.time().median);
        }
    }

    /// Adds how many times as long as the baseline the case took.
    pub(crate) fn add_ratio(&mut self, set: &str, rounds: &Rounds, case: &str, baseline: &str) {
        self.add(format!("{set}: {case} / {baseline}"), rounds.ratio(case, &[baseline]).median);
    }

    pub(crate) fn print(&self) {
        for (name, value) in &self.0 {
            println!("{name}\t{value}");
        }
    }
}

/// A program that can be started for its values.
pub(crate) struct Program {
    path: PathBuf,
    with_subscriber: bool,
}

impl Program {
    /// Returns this same program.
    pub(crate) fn this() -> Self {
        Self { path: env::current_exe().unwrap(), with_subscriber: false }
    }

    /// Returns the program beside this one whose name ends so, if it was built.
    pub(crate) fn beside(ending: &str) -> Option<Self> {
        let this = env::current_exe().unwrap();
        let path = Path::new(&this).with_file_name(format!("perf-{ending}"));
        path.exists().then_some(Self { path, with_subscriber: false })
    }

    pub(crate) fn with_subscriber(self) -> Self {
        Self { with_subscriber: true, ..self }
    }

    pub(crate) fn command(&self) -> Command {
        self.set_up(Command::new(&self.path))
    }

    /// Returns the command that runs this program in valgrind, with these options.
    pub(crate) fn in_valgrind(&self, options: &[&str]) -> Command {
        let mut command = Command::new("valgrind");
        command.args(options).arg(&self.path);
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.env_remove(SUBSCRIBER).stdin(Stdio::null()).stderr(Stdio::inherit());
        if self.with_subscriber {
            command.env(SUBSCRIBER, "info");
        }
        command
    }

    fn values(&self, what: &str) -> Vec<(String, f64)> {
        let output = self.command().args(["once", what]).output().unwrap();
        assert!(output.status.success(), "{} once {what}", self.path.display());
        let text = String::from_utf8(output.stdout).unwrap();
        let values = text.lines().map(|line| line.split_once('\t').unwrap());
        values.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }
}

/// The values of one program's starts.
#[derive(Default)]
pub(crate) struct Starts(BTreeMap<String, Vec<f64>>);

impl Starts {
    /// Starts this program [`STARTS`] times.
    pub(crate) fn of(what: &str) -> Self {
        let [starts] = Self::by_turns([&Program::this()], what, STARTS);
        starts
    }

    /// Starts the programs by turns.
    pub(crate) fn by_turns<const N: usize>(
        programs: [&Program; N],
        what: &str,
        turns: usize,
    ) -> [Self; N] {
        let mut starts = [(); N].map(|()| Self::default());
        for _ in 0..turns {
            for (program, starts) in programs.iter().zip(&mut starts) {
                for (name, value) in program.values(what) {
                    starts.0.entry(name).or_default().push(value);
                }
            }
        }
        starts
    }

    fn each(&self, name: &str) -> &[f64] {
        self.0.get(name).unwrap_or_else(|| panic!("no start printed {name}"))
    }

    /// Returns the median, the least and the most of the starts.
    pub(crate) fn get(&self, name: &str) -> Spread {
        Spread::whole(self.each(name).to_vec())
    }

    /// Returns this value over the other program's, turn by turn.
    pub(crate) fn over(&self, other: &Self, name: &str) -> Spread {
        let pairs = self.each(name).iter().zip(other.each(name));
        Spread::whole(pairs.map(|(this, other)| this / other).collect())
    }

    /// Returns the nanoseconds of these cases, for the column of baselines.
    pub(crate) fn times(&self, set: &str, cases: &[&str]) -> String {
        let time =
            |case: &&str| format!("{case} {:.0} ns", self.get(&format!("{set}: {case}")).median);
        cases.iter().map(time).collect::<Vec<_>>().join(", ")
    }
}

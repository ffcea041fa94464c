//! Runs the tests: once each to see what they reach, then against each mutant that they reach.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How many run at once, each with one thread for tests.
const WORKERS: usize = 2;

/// How long fast tests take together.
const FAST: Duration = Duration::from_secs(3);

/// How many mutants of a file each test has caught.
type Catches = Mutex<HashMap<(String, usize), usize>>;

pub struct Test {
    binary: PathBuf,
    pub name: String,
    takes: Duration,
    reaches: HashSet<usize>,
}

impl Test {
    fn needs_server(&self) -> bool {
        let name = self.binary.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with("servers-")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// By this test.
    Caught(String),
    /// By running out of time, or of memory, or of the stack.
    Ended(String),
    Survived,
    NotReached,
}

pub struct Suite {
    directory: PathBuf,
    tests: Vec<Test>,
    /// Tests that fail in the copy without any mutant.
    pub left_out: Vec<String>,
}

enum End {
    Passed,
    Failed(String),
    Broken(String),
}

impl Suite {
    /// Runs each test alone; what it reached is kept for as long as the binaries stay the same.
    pub fn record(directory: &Path, binaries: &[PathBuf]) -> io::Result<Self> {
        let path = directory.with_file_name("reached.txt");
        let mut all = Vec::new();
        let mut stamp = String::new();
        for binary in binaries {
            let mut hash = DefaultHasher::new();
            fs::read(binary)?.hash(&mut hash);
            stamp += &format!("{:x} ", hash.finish());
            let mut list = Command::new(binary);
            let list =
                list.args(["--list", "--format", "terse"]).current_dir(directory).output()?;
            for line in String::from_utf8_lossy(&list.stdout).lines() {
                if let Some(name) = line.strip_suffix(": test") {
                    all.push((binary.clone(), name.to_owned()));
                }
            }
        }
        if let Some(suite) = Self::read(directory, &path, &stamp) {
            return Ok(suite);
        }
        eprintln!("{} tests, one by one", all.len());
        let tests = Mutex::new(Vec::new());
        let left_out = Mutex::new(Vec::new());
        each(&all, |(binary, name)| {
            let file = directory.with_file_name(format!("reached-{:?}", thread::current().id()));
            let _ = fs::remove_file(&file);
            let begin = Instant::now();
            let environment = ("MUTANTS_REACHED", file.to_str().unwrap());
            let end = run(directory, binary, &[name], environment, Duration::from_secs(300));
            if matches!(end, End::Passed) {
                let bytes = fs::read(&file).unwrap_or_default();
                let ids = bytes.chunks_exact(4);
                let reaches =
                    ids.map(|id| u32::from_le_bytes(id.try_into().unwrap()) as usize).collect();
                let (binary, name) = (binary.clone(), name.clone());
                let test = Test { binary, name, takes: begin.elapsed(), reaches };
                tests.lock().unwrap().push(test);
            } else {
                left_out.lock().unwrap().push(name.clone());
            }
            let _ = fs::remove_file(&file);
        });
        let (mut tests, mut left_out) =
            (tests.into_inner().unwrap(), left_out.into_inner().unwrap());
        tests.sort_by_key(|test| test.takes);
        // Once more as they will run: many in one process, and no mutant.
        for binary in binaries {
            loop {
                let of = tests.iter().filter(|test| test.binary == *binary);
                let names: Vec<&String> = of.map(|test| &test.name).collect();
                if names.is_empty() {
                    break;
                }
                let none = ("MUTANT", "4294967295");
                match run(directory, binary, &names, none, Duration::from_secs(1800)) {
                    End::Failed(name) if tests.iter().any(|test| test.name == name) => {
                        tests.retain(|test| test.name != name);
                        left_out.push(name);
                    }
                    End::Passed => break,
                    End::Failed(why) | End::Broken(why) => return Err(io::Error::other(why)),
                }
            }
        }
        left_out.sort();
        let suite = Self { directory: directory.to_owned(), tests, left_out };
        suite.write(&path, &stamp)?;
        Ok(suite)
    }

    fn write(&self, path: &Path, stamp: &str) -> io::Result<()> {
        let mut text = format!("{stamp}\n{}\n", self.left_out.join(" "));
        for Test { binary, name, takes, reaches } in &self.tests {
            let reaches: Vec<String> = reaches.iter().map(ToString::to_string).collect();
            let (binary, takes) = (binary.display(), takes.as_micros());
            text += &format!("{binary}\t{name}\t{takes}\t{}\n", reaches.join(" "));
        }
        fs::write(path, text)
    }

    fn read(directory: &Path, path: &Path, stamp: &str) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        if lines.next()? != stamp {
            return None;
        }
        let left_out = lines.next()?.split_whitespace().map(str::to_owned).collect();
        let test = |line: &str| {
            let [binary, name, takes, reaches] =
                line.split('\t').collect::<Vec<_>>().try_into().ok()?;
            Some(Test {
                binary: binary.into(),
                name: name.to_owned(),
                takes: Duration::from_micros(takes.parse().ok()?),
                reaches: reaches
                    .split_whitespace()
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .ok()?,
            })
        };
        let tests = lines.map(test).collect::<Option<_>>()?;
        Some(Self { directory: directory.to_owned(), tests, left_out })
    }

    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Judges these mutants, given with their files; `done` hears of each. The fast tests are tried
    /// on all of them before the slow ones are on any.
    pub fn judge(&self, mutants: &[(usize, &str)], done: impl Fn(usize, &Outcome) + Sync) {
        let catches = Mutex::default();
        let slow = Mutex::new(Vec::new());
        let mut mutants = mutants.to_vec();
        // The log's tests are the slowest.
        let at = |file: &str| file.starts_with("src/log/");
        mutants.sort_by_key(|&(mutant, file)| (at(file), mutant));
        each(&mutants, |&(mutant, file)| {
            let (tests, fast) = self.order(mutant, file, &catches);
            let outcome = self.outcome(mutant, &tests[..fast]);
            self.count(file, &outcome, &catches);
            if outcome == Outcome::Survived && fast < tests.len() {
                slow.lock().unwrap().push((mutant, file, tests[fast..].to_vec()));
            } else {
                done(mutant, &outcome);
            }
        });
        let mut slow = slow.into_inner().unwrap();
        slow.sort_by_key(|&(mutant, file, _)| (at(file), mutant));
        eprintln!("{} go to the slow tests", slow.len());
        each(&slow, |(mutant, _, tests)| done(*mutant, &self.outcome(*mutant, tests)));
    }

    /// The tests that reach a mutant: those that caught its neighbours first, then the fastest; and
    /// how many of them are the fast ones.
    fn order(&self, mutant: usize, file: &str, catches: &Catches) -> (Vec<usize>, usize) {
        let mut tests: Vec<usize> = (0..self.tests.len())
            .filter(|&test| self.tests[test].reaches.contains(&mutant))
            .collect();
        // Those with servers are slow, and for what no other reaches.
        if tests.iter().any(|&test| !self.tests[test].needs_server()) {
            tests.retain(|&test| !self.tests[test].needs_server());
        }
        {
            let catches = catches.lock().unwrap();
            let caught =
                |test: &usize| catches.get(&(file.to_owned(), *test)).copied().unwrap_or(0);
            let mut first = tests.clone();
            first.retain(|test| caught(test) > 0);
            first.sort_by_key(|test| Reverse(caught(test)));
            first.truncate(4);
            tests.sort_by_key(|test| (!first.contains(test), *test));
        }
        let mut takes = Duration::ZERO;
        let fast = tests.iter().take_while(|&&test| {
            takes += self.tests[test].takes;
            takes < FAST
        });
        let fast = fast.count().max(1).min(tests.len());
        (tests, fast)
    }

    fn count(&self, file: &str, outcome: &Outcome, catches: &Catches) {
        let Outcome::Caught(name) = outcome else { return };
        if let Some(test) = self.tests.iter().position(|test| test.name == *name) {
            *catches.lock().unwrap().entry((file.to_owned(), test)).or_default() += 1;
        }
    }

    fn outcome(&self, mutant: usize, tests: &[usize]) -> Outcome {
        if tests.is_empty() {
            return Outcome::NotReached;
        }
        let number = mutant.to_string();
        let (mut rest, mut size) = (tests, 8);
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            (rest, size) = (after, size * 4);
            let binaries: HashSet<&PathBuf> =
                batch.iter().map(|&test| &self.tests[test].binary).collect();
            for binary in binaries {
                let of = || {
                    let tests = batch.iter().map(|&test| &self.tests[test]);
                    tests.filter(|test| test.binary == *binary)
                };
                let names: Vec<&String> = of().map(|test| &test.name).collect();
                let takes: Duration = of().map(|test| test.takes).sum();
                let limit = takes * 10 + Duration::from_secs(10);
                match run(&self.directory, binary, &names, ("MUTANT", &number), limit) {
                    End::Passed => {}
                    End::Failed(name) => return Outcome::Caught(name),
                    End::Broken(why) => return Outcome::Ended(why),
                }
            }
        }
        Outcome::Survived
    }
}

/// Calls `work` with each item, by all workers.
fn each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// Runs these tests until the first fails.
fn run(
    directory: &Path,
    binary: &Path,
    names: &[&String],
    environment: (&str, &str),
    limit: Duration,
) -> End {
    // A mutant may ask for memory for ever.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v 4194304; ulimit -c 0; exec \"$@\"", "sh"])
        .arg(binary)
        .args(["--exact", "--test-threads=1"])
        .args(names)
        .env_remove("MUTANT")
        .env_remove("MUTANTS_REACHED")
        .env(environment.0, environment.1)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let failed: Arc<Mutex<(Option<String>, Option<String>)>> = Arc::default();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let heard = Arc::clone(&failed);
    // Not joined if the child is ended: what it started may hold the pipe.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let mut heard = heard.lock().unwrap();
            if line.starts_with("test result: ") {
                heard.1 = Some(line);
            } else if let Some(name) =
                line.strip_suffix(" ... FAILED").and_then(|line| line.strip_prefix("test "))
            {
                let name = name.strip_suffix(" - should panic").unwrap_or(name);
                heard.0.get_or_insert(name.to_owned());
            }
        }
    });
    let end = wait(&mut child, limit, || failed.lock().unwrap().0.is_some());
    let failed = failed.lock().unwrap().0.clone();
    match (failed, end) {
        (Some(name), _) => End::Failed(name),
        (None, None) => End::Broken("out of time".to_owned()),
        (None, Some(status)) if status.success() => End::Passed,
        (None, Some(status)) => End::Broken(status.to_string()),
    }
}

/// Ends the child after `limit`, or when `enough`.
fn wait(
    child: &mut Child,
    limit: Duration,
    enough: impl Fn() -> bool,
) -> Option<std::process::ExitStatus> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            // The reader may be behind.
            thread::sleep(Duration::from_millis(5));
            return Some(status);
        }
        if enough() || begin.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

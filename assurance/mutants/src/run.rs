//! Runs the tests: once each to see what they reach, then against each mutant that they reach.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
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

pub struct Test {
    binary: PathBuf,
    pub name: String,
    takes: Duration,
    reaches: HashSet<usize>,
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
    pub fn record(directory: &Path, binaries: &[PathBuf]) -> io::Result<Self> {
        let mut all = Vec::new();
        for binary in binaries {
            let list = Command::new(binary)
                .args(["--list", "--format", "terse"])
                .current_dir(directory)
                .output()?;
            for line in String::from_utf8_lossy(&list.stdout).lines() {
                if let Some(name) = line.strip_suffix(": test") {
                    all.push((binary.clone(), name.to_owned()));
                }
            }
        }
        eprintln!("{} tests, one by one", all.len());
        let next = AtomicUsize::new(0);
        let tests = Mutex::new(Vec::new());
        let left_out = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (all, next, tests, left_out) = (&all, &next, &tests, &left_out);
                scope.spawn(move || {
                    let file = directory.parent().unwrap().join(format!("reached-{worker}"));
                    while let Some((binary, name)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let _ = fs::remove_file(&file);
                        let begin = Instant::now();
                        let environment = ("MUTANTS_REACHED", file.to_str().unwrap());
                        let end =
                            run(directory, binary, &[name], environment, Duration::from_secs(300));
                        if matches!(end, End::Passed) {
                            let bytes = fs::read(&file).unwrap_or_default();
                            let reaches = bytes
                                .chunks_exact(4)
                                .map(|id| u32::from_le_bytes(id.try_into().unwrap()) as usize)
                                .collect();
                            let test = Test {
                                binary: binary.clone(),
                                name: name.clone(),
                                takes: begin.elapsed(),
                                reaches,
                            };
                            tests.lock().unwrap().push(test);
                        } else {
                            left_out.lock().unwrap().push(name.clone());
                        }
                    }
                });
            }
        });
        let (mut tests, mut left_out) =
            (tests.into_inner().unwrap(), left_out.into_inner().unwrap());
        tests.sort_by_key(|test| test.takes);
        // Once more as they will run: many in one process, and no mutant.
        for binary in binaries {
            loop {
                let names: Vec<&String> = tests
                    .iter()
                    .filter(|test| test.binary == *binary)
                    .map(|test| &test.name)
                    .collect();
                if names.is_empty() {
                    break;
                }
                match run(directory, binary, &names, ("NO_MUTANT", ""), Duration::from_secs(1800)) {
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
        Ok(Self { directory: directory.to_owned(), tests, left_out })
    }

    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Judges these mutants, given with their files; `done` hears of each.
    pub fn judge(&self, mutants: &[(usize, &str)], done: impl Fn(usize, &Outcome) + Sync) {
        let next = AtomicUsize::new(0);
        let catches: Mutex<HashMap<(String, usize), usize>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(&(mutant, file)) =
                        mutants.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let mut tests: Vec<usize> = (0..self.tests.len())
                            .filter(|&test| self.tests[test].reaches.contains(&mutant))
                            .collect();
                        // Those that caught its neighbours first, then the fastest.
                        let caught = |test: usize| {
                            catches
                                .lock()
                                .unwrap()
                                .get(&(file.to_owned(), test))
                                .copied()
                                .unwrap_or(0)
                        };
                        let mut first: Vec<(usize, usize)> = tests
                            .iter()
                            .map(|&test| (caught(test), test))
                            .filter(|&(count, _)| count > 0)
                            .collect();
                        first.sort_by_key(|&(count, _)| usize::MAX - count);
                        first.truncate(4);
                        let known: HashSet<usize> = first.iter().map(|&(_, test)| test).collect();
                        tests.sort_by_key(|test| (!known.contains(test), *test));
                        let outcome = self.outcome(mutant, &tests);
                        if let Outcome::Caught(name) = &outcome
                            && let Some(test) =
                                self.tests.iter().position(|test| test.name == *name)
                        {
                            let mut catches = catches.lock().unwrap();
                            *catches.entry((file.to_owned(), test)).or_default() += 1;
                        }
                        done(mutant, &outcome);
                    }
                });
            }
        });
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
                let of: Vec<&Test> = batch
                    .iter()
                    .map(|&test| &self.tests[test])
                    .filter(|test| test.binary == *binary)
                    .collect();
                let names: Vec<&String> = of.iter().map(|test| &test.name).collect();
                let takes: Duration = of.iter().map(|test| test.takes).sum();
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

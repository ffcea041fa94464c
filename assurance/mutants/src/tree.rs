//! A copy of the project with every switch in, that builds.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    find::{Finder, Mutant, Site},
    render::{Rendered, render},
};

/// What all switches ask. It allocates nothing once it knows: tests count allocations.
const SWITCH: &str = r#"
use std::{env, fs::{File, OpenOptions}, io::Write, sync::{LazyLock, atomic::{AtomicBool, Ordering}}};

struct State { mutant: usize, reached: Option<File> }

static STATE: LazyLock<State> = LazyLock::new(|| State {
    mutant: env::var("MUTANT").map_or(usize::MAX, |number| number.parse().unwrap()),
    reached: env::var_os("MUTANTS_REACHED")
        .map(|path| OpenOptions::new().append(true).create(true).open(path).unwrap()),
});
static SEEN: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

pub(crate) fn on(mutant: usize) -> bool {
    let state = &*STATE;
    if let Some(mut file) = state.reached.as_ref() {
        if !SEEN[mutant].swap(true, Ordering::Relaxed) {
            file.write_all(&(mutant as u32).to_le_bytes()).unwrap();
        }
    }
    state.mutant == mutant
}
"#;

pub struct File {
    pub path: String,
    text: String,
    sites: Vec<Site>,
    rendered: Rendered,
}

pub struct Tree {
    pub directory: PathBuf,
    pub files: Vec<File>,
    pub mutants: Vec<Mutant>,
    /// Mutants that do not build.
    pub dead: HashSet<usize>,
    /// Functions that a constant calls.
    pub kept: HashSet<String>,
}

impl Tree {
    /// Finds the mutants of those files whose path begins so.
    pub fn new(project: &Path, directory: &Path, only: &[String]) -> io::Result<Self> {
        let mut paths = Vec::new();
        walk(&project.join("src"), &mut paths)?;
        paths.sort();
        let mut tree = Self {
            directory: directory.to_owned(),
            files: Vec::new(),
            mutants: Vec::new(),
            dead: HashSet::new(),
            kept: HashSet::new(),
        };
        for path in paths {
            let text = fs::read_to_string(&path)?;
            let path = path.strip_prefix(project).unwrap().to_str().unwrap().to_owned();
            // Pages of the documentation are copied as they are.
            let code = if path.ends_with(".rs") { text.as_str() } else { "" };
            let found = Finder::find(&path, code, tree.mutants.len());
            let Finder { mutants, mut sites, .. } = found.unwrap_or_else(|e| panic!("{path}: {e}"));
            let wanted = only.is_empty() || only.iter().any(|only| path.starts_with(only.as_str()));
            if wanted {
                tree.mutants.extend(mutants);
            } else {
                sites.clear();
            }
            tree.files.push(File { path, text, sites, rendered: Rendered::default() });
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        for mutant in &mut tree.mutants {
            let count = seen.entry(mutant.name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                mutant.name = format!("{} #{count}", mutant.name);
            }
        }
        Ok(tree)
    }

    /// Copies what is not changed.
    pub fn copy(&self, project: &Path) -> io::Result<()> {
        copy(project, &self.directory, &["target", ".git", "fuzz", "src"])
    }

    fn unviable(&self) -> PathBuf {
        self.directory.with_file_name("unviable.txt")
    }

    /// Begins with what did not build last time.
    pub fn keep_what_did_not_build(&mut self) -> io::Result<()> {
        let text = fs::read_to_string(self.unviable())?;
        let names: HashSet<&str> = text.lines().collect();
        self.dead = (0..self.mutants.len())
            .filter(|&mutant| names.contains(self.mutants[mutant].name.as_str()))
            .collect();
        self.kept = names
            .iter()
            .filter_map(|name| name.strip_prefix("const "))
            .map(str::to_owned)
            .collect();
        Ok(())
    }

    /// Whether a mutant stands in a function that constants call.
    pub fn is_constant(&self, mutant: usize) -> bool {
        self.mutants[mutant].constant.as_ref().is_some_and(|name| self.kept.contains(name))
    }

    fn write(&mut self) -> io::Result<()> {
        let mut files = std::mem::take(&mut self.files);
        for file in &mut files {
            let dead = |mutant| self.dead.contains(&mutant) || self.is_constant(mutant);
            file.rendered = render(&file.text, &file.sites, &dead, &self.kept);
            let mut text = file.rendered.text.clone();
            if file.path == "src/lib.rs" {
                text.push_str("\n#[allow(warnings)]\nmod mutants;\n");
            }
            write(&self.directory.join(&file.path), text.as_bytes())?;
        }
        self.files = files;
        let count = self.mutants.len();
        let switch = format!("{SWITCH}\nconst COUNT: usize = {count};\n");
        write(&self.directory.join("src/mutants.rs"), switch.as_bytes())
    }

    /// Builds, without what does not build; the test binaries.
    pub fn build(&mut self) -> io::Result<Vec<PathBuf>> {
        // Without the library's own tests first: fewer errors say the same.
        let all = ["--lib", "--test", "it", "--test", "servers"];
        for targets in [&all[1..3], &all] {
            loop {
                self.write()?;
                let (messages, done) = self.cargo(targets)?;
                if done {
                    if targets.len() == all.len() {
                        let dead =
                            self.dead.iter().map(|&mutant| self.mutants[mutant].name.clone());
                        let kept = self.kept.iter().map(|name| format!("const {name}"));
                        let lines: Vec<String> = dead.chain(kept).collect();
                        fs::write(self.unviable(), lines.join("\n"))?;
                        return Ok(binaries(&messages));
                    }
                    break;
                }
                let before = (self.dead.len(), self.kept.len());
                for message in &messages {
                    if message["message"]["level"] == "error" {
                        self.drop_for(&message["message"]);
                    }
                }
                eprintln!("{} do not build, {} const", self.dead.len(), self.kept.len());
                if before == (self.dead.len(), self.kept.len()) {
                    for message in messages.iter().map(|message| &message["message"]) {
                        if message["level"] == "error" {
                            eprintln!("{}", message["rendered"].as_str().unwrap_or_default());
                        }
                    }
                    return Err(io::Error::other("errors that no mutant is at fault for"));
                }
            }
        }
        unreachable!("the last build returns")
    }

    /// Copies of the binaries, so that the next build may begin while they run.
    pub fn keep(&self, binaries: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
        let directory = self.directory.with_file_name("bin");
        fs::create_dir_all(&directory)?;
        let copy = |binary: PathBuf| {
            let to = directory.join(binary.file_name().unwrap());
            // Not written over: one that runs may not be.
            let _ = fs::remove_file(&to);
            fs::copy(&binary, &to)?;
            Ok(to)
        };
        binaries.into_iter().map(copy).collect()
    }

    fn cargo(&self, targets: &[&str]) -> io::Result<(Vec<Value>, bool)> {
        let output = Command::new("cargo")
            .args(["test", "--locked", "--all-features", "--no-run", "--message-format=json"])
            .args(targets)
            // Its own: cargo would take the copy's build for the project's.
            .env("CARGO_TARGET_DIR", self.directory.with_file_name("build"))
            .current_dir(&self.directory)
            .stderr(Stdio::inherit())
            .output()?;
        let lines = output.stdout.split(|&byte| byte == b'\n');
        let messages = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        Ok((messages, output.status.success()))
    }

    fn drop_for(&mut self, message: &Value) {
        let text = message["message"].as_str().unwrap_or_default();
        if message["code"]["code"] == "E0015" {
            let path = text.split('`').nth(1).unwrap_or_default();
            // `a::<impl B>::c`, or `B::c::<D>`.
            let path = path
                .strip_suffix('>')
                .and_then(|path| path.rsplit_once("::<"))
                .map_or(path, |(path, _)| path);
            let name = path.rsplit("::").next().unwrap_or_default();
            if self.mutants.iter().any(|mutant| mutant.constant.as_deref() == Some(name))
                || self.files.iter().flat_map(|file| &file.sites).any(
                    |site| matches!(site, Site::Const { name: constant, .. } if constant == name),
                )
            {
                self.kept.insert(name.to_owned());
                return;
            }
        }
        let spans: Vec<&Value> = message["spans"].as_array().into_iter().flatten().collect();
        for primary in [true, false] {
            let spans = || spans.iter().filter(|span| span["is_primary"] == primary);
            let found: Vec<usize> = spans().flat_map(|span| self.switches_at(span)).collect();
            if !found.is_empty() {
                self.dead.extend(found);
                return;
            }
        }
        let found = spans.iter().find_map(|span| self.place_at(span));
        if let Some(found) = found.or_else(|| spans.iter().find_map(|span| self.function_at(span)))
        {
            eprintln!("{text}: {} mutants fall with it", found.len());
            self.dead.extend(found);
        }
    }

    fn file_at(&self, span: &Value) -> Option<(&File, Range<usize>)> {
        let name = span["file_name"].as_str()?;
        let file = self.files.iter().find(|file| file.path == name)?;
        let at = |field: &str| span[field].as_u64().map(|byte| byte as usize);
        Some((file, at("byte_start")?..at("byte_end")?))
    }

    /// The innermost switches that a span meets: those within it, or those that it is within.
    fn switches_at(&self, span: &Value) -> Vec<usize> {
        let Some((file, at)) = self.file_at(span) else { return Vec::new() };
        let switches = &file.rendered.switches;
        let around =
            switches.iter().filter(|(range, _)| range.start <= at.start && at.end <= range.end);
        around.map(|&(_, mutant)| mutant).collect()
    }

    fn place_at(&self, span: &Value) -> Option<Vec<usize>> {
        let (file, at) = self.file_at(span)?;
        let around = file.rendered.places.iter();
        around
            .filter(|(range, mutants)| {
                range.start <= at.start
                    && at.end <= range.end
                    && mutants.iter().any(|mutant| !self.dead.contains(mutant))
            })
            .min_by_key(|(range, _)| range.len())
            .map(|(_, mutants)| mutants.clone())
    }

    fn function_at(&self, span: &Value) -> Option<Vec<usize>> {
        let (file, at) = self.file_at(span)?;
        let at = file.rendered.original(at.start);
        let within: Vec<usize> = (0..self.mutants.len())
            .filter(|&mutant| {
                let of = &self.mutants[mutant];
                of.file == file.path && of.within.contains(&at) && !self.dead.contains(&mutant)
            })
            .collect();
        (!within.is_empty()).then_some(within)
    }
}

fn binaries(messages: &[Value]) -> Vec<PathBuf> {
    let found: HashMap<&str, &str> = messages
        .iter()
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| {
            Some((message["target"]["name"].as_str()?, message["executable"].as_str()?))
        })
        .collect();
    let mut found: Vec<PathBuf> = found.values().map(PathBuf::from).collect();
    found.sort();
    found
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    // What is the same keeps its time, and cargo its build.
    if fs::read(path).ok().as_deref() != Some(text) {
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Makes `to` like `from`, but for those names at its top.
fn copy(from: &Path, to: &Path, but: &[&str]) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let name = entry.file_name();
        if !but.iter().any(|but| name == *but) && !from.join(&name).exists() {
            if entry.path().is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if but.iter().any(|but| name == *but) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name), &["target"])?;
        } else {
            write(&to.join(name), &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

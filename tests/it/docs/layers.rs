//! The layers of the source: each folder of `src` uses only folders to its left, and nothing is imported through
//! a re-export.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream::IntoIter};

use crate::support::files;

/// From left to right. The folders of one layer do not use each other.
const LAYERS: [&[&str]; 9] = [
    &["error"],
    &["outcome"],
    &["panic", "parse"],
    &["crypto", "verifier"],
    &["scheme", "observe", "tenants", "fetched_keys"],
    &["explain"],
    &["layer", "sign", "axum"],
    &["replay", "delivery_log", "providers"],
    // Documentation alone.
    &["guide"],
];

/// Files of one folder that import each other, because neither type can be told without the other.
const CIRCLES: [(&[&str], &str); 2] = [
    (
        &["observe/attempt", "observe/event", "observe/observer", "observe/observers"],
        "an event shows its attempt, which tells its observers",
    ),
    (
        &[
            "verifier/combine",
            "verifier/delegate",
            "verifier/probe",
            "verifier/tenant",
            "verifier/verifier",
        ],
        "methods of the trait return verifiers around a verifier, which a macro writes, and take a \
         search that calls verifiers",
    ),
];

/// What is data may be longer than 400 lines.
const DATA: [&str; 1] = ["providers/catalogue/"];

const MAX_LINES: usize = 400;

/// A module's path: `["layer", "future"]`.
type Module = Vec<String>;

struct Source {
    /// Its path below `src`.
    file: String,
    module: Module,
    paths: Vec<Vec<String>>,
    /// Items at the top that are neither modules nor re-exports.
    items: Vec<String>,
    /// Modules that are there for tests alone.
    tests: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let read = |path: &PathBuf| {
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let stem = file.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("lib");
        let module = stem.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let tokens: TokenStream = fs::read_to_string(path).unwrap().parse().unwrap();
        let mut source =
            Source { file, module, paths: Vec::new(), items: Vec::new(), tests: BTreeSet::new() };
        source.read(tokens, true);
        source
    };
    let sources: Vec<_> = files("src").iter().map(read).collect();
    let tests: BTreeSet<Module> = sources
        .iter()
        .flat_map(|source| {
            source.tests.iter().map(|name| [&*source.module, std::slice::from_ref(name)].concat())
        })
        .collect();
    sources.into_iter().filter(|source| !tests.contains(&source.module)).collect()
}

impl Source {
    /// Collects the paths into this crate, but for those of tests.
    fn read(&mut self, tokens: TokenStream, is_top: bool) {
        let mut tokens = tokens.into_iter().peekable();
        let mut is_test = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.next_if(is_bracketed) {
                        is_test |= attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    }
                }
                _ if is_test => {
                    self.skip(token, &mut tokens);
                    is_test = false;
                }
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if matches!(&*name, "crate" | "super" | "self") && is_separator(&mut tokens) {
                        let mut found = Vec::new();
                        tree(&mut tokens, vec![name], &mut found);
                        self.paths.append(&mut found);
                    } else if name == "mod" {
                        tokens.next();
                    } else if is_top && name == "use" {
                        let is_own = |token: &TokenTree| {
                            matches!(&*token.to_string(), "crate" | "self" | "super")
                        };
                        if !tokens.peek().is_some_and(is_own) {
                            while tokens.next_if(|token| token.to_string() != ";").is_some() {}
                        }
                    } else if is_top && name != "pub" {
                        self.items.push(name);
                    }
                }
                TokenTree::Group(group) => self.read(group.stream(), false),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Skips an item of the tests.
    fn skip(&mut self, first: TokenTree, tokens: &mut Peekable<IntoIter>) {
        let mut last = first;
        let mut is_module = false;
        loop {
            match &last {
                TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
                TokenTree::Ident(ident) if is_module => {
                    self.tests.insert(ident.to_string());
                    is_module = false;
                }
                TokenTree::Ident(ident) => is_module = ident == "mod",
                _ => {}
            }
            let Some(next) = tokens.next() else { return };
            last = next;
        }
    }
}

fn is_bracketed(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

/// Takes `::`.
fn is_separator(tokens: &mut Peekable<IntoIter>) -> bool {
    let mut takes_colon = || {
        tokens
            .next_if(|token| matches!(token, TokenTree::Punct(it) if it.as_char() == ':'))
            .is_some()
    };
    takes_colon() && takes_colon()
}

/// The paths of a tree such as `a::{b, c::d}`, after its first `::`.
fn tree(tokens: &mut Peekable<IntoIter>, prefix: Vec<String>, found: &mut Vec<Vec<String>>) {
    match tokens.peek().cloned() {
        Some(TokenTree::Ident(ident)) => {
            tokens.next();
            let path = [prefix, vec![ident.to_string()]].concat();
            if is_separator(tokens) { tree(tokens, path, found) } else { found.push(path) }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            tokens.next();
            let mut inner = group.stream().into_iter().peekable();
            while inner.peek().is_some() {
                tree(&mut inner, prefix.clone(), found);
                // `as other,`
                for token in inner.by_ref() {
                    if matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                        break;
                    }
                }
            }
        }
        // The variable of a macro.
        Some(TokenTree::Punct(punct)) if punct.as_char() == '$' => {}
        _ => {
            tokens.next();
            found.push([prefix, vec!["*".to_owned()]].concat());
        }
    }
}

/// The file that defines what a path names; `None` where it is a folder's `mod.rs`.
fn definer(path: &[String]) -> Option<Module> {
    let mut module = Vec::new();
    for name in path.iter().skip(1) {
        module.push(name.clone());
        let place = root().join(module.join("/"));
        if place.with_extension("rs").exists() {
            return Some(module);
        }
        if !place.is_dir() {
            return None;
        }
    }
    None
}

fn layer_of(module: &[String]) -> usize {
    let folder = &*module[0];
    LAYERS
        .iter()
        .position(|layer| layer.contains(&folder))
        .unwrap_or_else(|| panic!("`src/{folder}` has no layer"))
}

#[test]
fn each_folder_uses_only_folders_to_its_left() {
    let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
    for source in sources().iter().filter(|source| !source.module.is_empty()) {
        let (folder, layer) = (&source.module[0], layer_of(&source.module));
        for path in source.paths.iter().filter(|path| path[0] == "crate") {
            if path[1] != *folder && layer_of(&path[1..]) >= layer {
                edges.entry((folder.clone(), path[1].clone())).or_default().insert(format!(
                    "{}: {}",
                    source.file,
                    path.join("::")
                ));
            }
        }
    }
    assert!(edges.is_empty(), "{edges:#?}");
}

#[test]
fn sibling_folders_do_not_use_each_other_mutually() {
    let mut edges = BTreeSet::new();
    for source in sources() {
        for path in source.paths.iter().filter(|path| path[0] == "crate") {
            let Some(used) = definer(path) else { continue };
            let common = source.module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            let folder = |module: &Module| {
                let end = module.get(..=common)?;
                root().join(end.join("/")).is_dir().then(|| end.join("/"))
            };
            if let (Some(from), Some(to)) = (folder(&source.module), folder(&used)) {
                edges.insert((from, to));
            }
        }
    }
    let both: Vec<_> =
        edges.iter().filter(|(from, to)| edges.contains(&(to.clone(), from.clone()))).collect();
    assert!(both.is_empty(), "{both:#?}");
    assert!(edges.contains(&("providers/exchange".to_owned(), "providers/catalogue".to_owned())));
}

#[test]
fn nothing_is_imported_through_a_re_export() {
    let mut wrong = Vec::new();
    for source in sources() {
        let is_facade = source.file.ends_with("mod.rs") || source.file == "lib.rs";
        for path in &source.paths {
            let is_wrong = match &*path[0] {
                "crate" => definer(path).is_none(),
                "self" => !is_facade,
                // Of a module in the file.
                _ => path[1..] != ["*"],
            };
            if is_wrong {
                wrong.push(format!("{}: {}", source.file, path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_folder_s_own_file_holds_docs_and_re_exports() {
    for source in sources().iter().filter(|source| source.file.ends_with("mod.rs")) {
        assert!(source.items.is_empty(), "{}: {:?}", source.file, source.items);
    }
}

#[test]
fn no_files_import_each_other() {
    let sources = sources();
    let uses: BTreeMap<Module, BTreeSet<Module>> = sources
        .iter()
        .filter(|source| !source.file.ends_with("mod.rs") && source.file != "lib.rs")
        .map(|source| {
            let used = source.paths.iter().filter(|path| path[0] == "crate");
            let used = used.filter_map(|path| definer(path)).filter(|used| *used != source.module);
            (source.module.clone(), used.collect())
        })
        .collect();
    // Those that reach each other.
    let reached = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut todo = vec![from.clone()];
        while let Some(next) = todo.pop() {
            for used in uses.get(&next).into_iter().flatten() {
                if reached.insert(used.clone()) {
                    todo.push(used.clone());
                }
            }
        }
        reached
    };
    let reach: BTreeMap<_, _> = uses.keys().map(|module| (module, reached(module))).collect();
    let mut circles = BTreeSet::new();
    for (module, reached) in &reach {
        if reached.contains(*module) {
            let circle = reached
                .iter()
                .filter(|other| reach.get(other).is_some_and(|it| it.contains(*module)));
            circles.insert(circle.map(|other| other.join("/")).collect::<Vec<_>>());
        }
    }
    let known: BTreeSet<Vec<String>> = CIRCLES
        .iter()
        .map(|(circle, _)| circle.iter().map(|name| (*name).to_owned()).collect())
        .collect();
    assert_eq!(circles, known);
}

#[test]
fn files_are_short_and_the_root_is_small() {
    let entries = fs::read_dir(root()).unwrap().count();
    assert!(entries <= 19, "{entries} entries in `src`");
    let mut long = Vec::new();
    for path in files("src") {
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let is_data = DATA.iter().any(|data| file.starts_with(data));
        if !is_data && lines > MAX_LINES {
            long.push(format!("{file}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

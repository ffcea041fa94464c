//! The code of the crate as tokens, without its tests and documentation.

use std::fs;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::support::files;

/// A statement, a field, a match arm, or the head of an item.
pub(crate) struct Statement {
    pub(crate) path: String,
    pub(crate) tokens: Vec<String>,
}

impl Statement {
    pub(crate) fn has(&self, token: &str) -> bool {
        self.tokens.iter().any(|found| found == token)
    }

    /// The token after each run of these.
    pub(crate) fn after(&self, run: &[&str]) -> Vec<&str> {
        let windows = self.tokens.windows(run.len() + 1);
        let is_run =
            |window: &&[String]| window.iter().zip(run).all(|(found, token)| found == token);
        windows.filter(is_run).filter_map(|window| window.last()).map(String::as_str).collect()
    }
}

/// All statements of `src`.
pub(crate) fn statements() -> Vec<Statement> {
    let mut all = Vec::new();
    for file in files("src") {
        let path = file.display().to_string();
        let tokens: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        collect(&path, tokens, &mut all);
    }
    all
}

fn collect(path: &str, tokens: TokenStream, all: &mut Vec<Statement>) {
    let mut statement = Vec::<TokenTree>::new();
    let end = |statement: &mut Vec<TokenTree>, all: &mut Vec<Statement>| {
        let mut tokens = Vec::new();
        flatten(std::mem::take(statement), &mut tokens);
        if !tokens.is_empty() {
            all.push(Statement { path: path.to_owned(), tokens });
        }
    };
    let mut is_test = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // `#![doc = "…"]`
                let is_inner = |token: &TokenTree| token.to_string() == "!";
                tokens.next_if(is_inner);
                if let Some(TokenTree::Group(attribute)) = tokens.peek() {
                    let text = attribute.stream().to_string().replace(' ', "");
                    is_test |= text == "cfg(test)";
                    if !text.starts_with("doc") {
                        statement.extend(attribute.stream());
                    }
                    tokens.next();
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                end(&mut statement, all);
                if !std::mem::take(&mut is_test) {
                    collect(path, group.stream(), all);
                }
            }
            TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => {
                end(&mut statement, all);
                is_test = false;
            }
            token => statement.push(token),
        }
    }
    end(&mut statement, all);
}

/// Adds the tokens, also those in brackets of any kind, with operators in one piece.
fn flatten(tokens: impl IntoIterator<Item = TokenTree>, out: &mut Vec<String>) {
    let mut operator = String::new();
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => {
                operator.push(punct.as_char());
                if punct.spacing() == Spacing::Alone {
                    out.push(std::mem::take(&mut operator));
                }
            }
            TokenTree::Group(group) => flatten(group.stream(), out),
            token => out.push(token.to_string()),
        }
    }
}

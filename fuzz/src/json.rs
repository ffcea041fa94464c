//! JSON documents, right but for what is done to their text.

use arbitrary::Arbitrary;

use crate::{Edit, edit};

/// A document, and what was done to it.
#[derive(Arbitrary, Debug)]
pub struct Document<'a> {
    tree: Tree<'a>,
    edits: Vec<Edit>,
}

#[derive(Arbitrary, Debug)]
enum Tree<'a> {
    Object(Vec<(Literal<'a>, u8, Tree<'a>)>),
    Array(Vec<Tree<'a>>),
    Text(Literal<'a>),
    Word(u8),
    Raw(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Literal<'a> {
    /// With so many of its letters in escapes.
    Known(u8, u16),
    Raw(&'a str),
}

const NAMES: [&str; 12] = [
    "id",
    "a",
    "",
    "text",
    "TEXT",
    "pushName",
    "\u{e9}\u{1f600}",
    "stra\u{df}e",
    "14155557391",
    "x token=c4n4ry",
    "c4n4ry@a.example",
    "}]\\\"",
];
const WORDS: [&str; 12] =
    ["1", "-0", "1.5e3", "true", "false", "null", "01", "1.", "14155557391", "1e-7", "nul", "-"];
const SPACES: [&str; 4] = ["", " ", "\n\t", "\r "];

impl Document<'_> {
    pub fn text(&self) -> Vec<u8> {
        let mut text = String::new();
        self.tree.write(&mut text);
        let mut text = text.into_bytes();
        edit(&mut text, &self.edits);
        text
    }
}

impl Tree<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Object(members) => {
                out.push('{');
                for (at, (name, spaces, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    out.push_str(SPACES[usize::from(spaces % 4)]);
                    name.write(out);
                    out.push_str(SPACES[usize::from(spaces / 4 % 4)]);
                    out.push(':');
                    out.push_str(SPACES[usize::from(spaces / 16 % 4)]);
                    value.write(out);
                    out.push_str(SPACES[usize::from(spaces / 64 % 4)]);
                }
                out.push('}');
            }
            Self::Array(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Text(text) => text.write(out),
            Self::Word(which) => out.push_str(WORDS[usize::from(*which) % WORDS.len()]),
            Self::Raw(raw) => out.push_str(raw),
        }
    }
}

impl Literal<'_> {
    fn write(&self, out: &mut String) {
        match *self {
            Self::Raw(text) => out.push_str(&serde_json::Value::from(text).to_string()),
            Self::Known(which, escapes) => {
                out.push('"');
                for (at, char) in NAMES[usize::from(which) % NAMES.len()].chars().enumerate() {
                    if escapes >> (at % 16) & 1 == 1 || matches!(char, '"' | '\\') {
                        for unit in char.encode_utf16(&mut [0; 2]) {
                            out.push_str(&format!("\\u{unit:04x}"));
                        }
                    } else {
                        out.push(char);
                    }
                }
                out.push('"');
            }
        }
    }
}

//! Writes a file with its switches in, and remembers where each stands.

use std::{collections::HashSet, ops::Range};

use crate::find::Site;

/// A file with switches.
#[derive(Default)]
pub struct Rendered {
    pub text: String,
    /// Which mutant's switch stands where.
    pub switches: Vec<(Range<usize>, usize)>,
    /// Where an expression with switches stands, and its mutants.
    pub places: Vec<(Range<usize>, Vec<usize>)>,
    /// Bytes of the original, and where they went.
    pub moved: Vec<(usize, usize)>,
}

impl Rendered {
    /// Where in the original the text at `at` came from.
    pub fn original(&self, at: usize) -> usize {
        let next = self.moved.partition_point(|&(_, here)| here <= at);
        let Some(&(from, here)) = self.moved.get(next.saturating_sub(1)) else { return at };
        from + at.saturating_sub(here)
    }
}

struct Edit {
    at: usize,
    /// Among edits at one place: what ends there first, small before large; then what begins.
    order: (u8, isize),
    pieces: Vec<(Option<usize>, String)>,
    place: Option<usize>,
    takes: usize,
}

/// `dead` mutants do not build, and `kept` functions are needed as `const`.
pub fn render(
    text: &str,
    sites: &[Site],
    dead: &dyn Fn(usize) -> bool,
    kept: &HashSet<String>,
) -> Rendered {
    let mut rendered = Rendered::default();
    let mut edits = Vec::new();
    for site in sites {
        edits.extend(edits_of(site, dead, kept, &mut rendered));
    }
    edits.sort_by_key(|edit| (edit.at, edit.order));
    let mut done = 0;
    for edit in edits {
        rendered.moved.push((done, rendered.text.len()));
        rendered.text.push_str(&text[done..edit.at]);
        done = edit.at + edit.takes;
        let start = rendered.text.len();
        for (mutant, piece) in edit.pieces {
            let start = rendered.text.len();
            rendered.text.push_str(&piece);
            if let Some(mutant) = mutant {
                rendered.switches.push((start..rendered.text.len(), mutant));
            }
        }
        if let Some(place) = edit.place {
            let range = &mut rendered.places[place].0;
            if edit.order.0 == 0 {
                range.end = rendered.text.len();
            } else {
                range.start = start;
            }
        }
    }
    rendered.moved.push((done, rendered.text.len()));
    rendered.text.push_str(&text[done..]);
    rendered
}

fn edits_of(
    site: &Site,
    dead: &dyn Fn(usize) -> bool,
    kept: &HashSet<String>,
    rendered: &mut Rendered,
) -> Vec<Edit> {
    let living = |other: &[(usize, String)]| -> Vec<(usize, String)> {
        other.iter().filter(|(mutant, _)| !dead(*mutant)).cloned().collect()
    };
    let edit = |at, order, pieces| Edit { at, order, pieces, place: None, takes: 0 };
    let on = |mutant| format!("crate::mutants::on({mutant})");
    match site {
        Site::Const { word, name } if !kept.contains(name) => {
            vec![Edit { takes: word.len(), ..edit(word.start, (1, 0), Vec::new()) }]
        }
        Site::Const { .. } => Vec::new(),
        Site::Body { at, other } => {
            let pieces = living(other)
                .into_iter()
                .map(|(mutant, text)| (Some(mutant), format!(" if {} {{ {text} }}", on(mutant))))
                .collect();
            vec![edit(*at, (1, 0), pieces)]
        }
        Site::Arm { at, mutant } if !dead(*mutant) => {
            vec![edit(*at, (1, 0), vec![(Some(*mutant), format!(" if !{}", on(*mutant)))])]
        }
        Site::Arm { .. } => Vec::new(),
        Site::Expression { range, other } => {
            let living = living(other);
            if living.is_empty() {
                return Vec::new();
            }
            let mutants = living.iter().map(|(mutant, _)| *mutant).collect();
            let mut pieces = vec![(None, "(".to_owned())];
            pieces.extend(living.into_iter().map(|(mutant, text)| {
                (Some(mutant), format!("if {} {{ {text} }} else ", on(mutant)))
            }));
            pieces.push((None, "{ (".to_owned()));
            rendered.places.push((0..0, mutants));
            let place = Some(rendered.places.len() - 1);
            let size = range.len().cast_signed();
            vec![
                Edit { place, ..edit(range.start, (2, -size), pieces) },
                Edit { place, ..edit(range.end, (0, size), vec![(None, ") })".to_owned())]) },
            ]
        }
    }
}

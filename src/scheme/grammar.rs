//! How signatures stand in a header's value.

/// Most candidate signatures in one request.
pub(crate) const MAX_CANDIDATES: usize = 16;

/// How signatures, and perhaps the time, stand in a header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grammar {
    /// Items without names: `<time>,<signature>,<signature>`.
    Positional {
        /// Between two items.
        separator: u8,
        /// Whether the first item is the time.
        time_first: bool,
    },
    /// Named items: `t=1700000000,v1=<signature>,v1=<signature>`, or with other punctuation
    /// `v1,<signature> v1,<signature>`. Items under other names are skipped.
    Tagged {
        /// Between two items.
        separator: u8,
        /// Between an item's name and its value.
        assign: u8,
        /// The name of a signature.
        signature: &'static str,
        /// The name of the time, which must then be there exactly once.
        time: Option<&'static str>,
        /// Whether a space may follow the separator.
        spaced: bool,
    },
    /// One signature after a literal prefix, which may be empty. The prefix is checked, not
    /// skipped.
    Whole {
        /// What stands before the signature.
        prefix: &'static str,
    },
}

/// A header's value that does not follow its grammar.
#[derive(Debug)]
pub(crate) struct Malformed;

impl Grammar {
    /// `t=<time>,v1=<signature>,v1=<signature>`, as Stripe writes it.
    #[must_use]
    pub const fn pairs(time: &'static str, signature: &'static str) -> Self {
        Self::Tagged { separator: b',', assign: b'=', signature, time: Some(time), spaced: false }
    }

    /// `v1,<signature> v1,<signature>`, as Standard Webhooks writes it.
    #[must_use]
    pub const fn list(tag: &'static str) -> Self {
        Self::Tagged { separator: b' ', assign: b',', signature: tag, time: None, spaced: false }
    }

    /// A space may follow the separator of named items.
    #[must_use]
    pub const fn spaced(mut self) -> Self {
        if let Self::Tagged { spaced, .. } = &mut self {
            *spaced = true;
        }
        self
    }

    /// Another separator between two items, for example `;`.
    #[must_use]
    pub const fn separated_by(mut self, by: u8) -> Self {
        if let Self::Positional { separator, .. } | Self::Tagged { separator, .. } = &mut self {
            *separator = by;
        }
        self
    }

    /// Another sign between an item's name and its value, for example `=`.
    #[must_use]
    pub const fn assigned_by(mut self, by: u8) -> Self {
        if let Self::Tagged { assign, .. } = &mut self {
            *assign = by;
        }
        self
    }

    pub(super) const fn has_time(self) -> bool {
        matches!(
            self,
            Self::Positional { time_first: true, .. } | Self::Tagged { time: Some(_), .. }
        )
    }

    /// The time's text, where the grammar has one.
    pub(crate) fn time(self, value: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        match self {
            Self::Whole { .. } | Self::Positional { time_first: false, .. } => Ok(None),
            Self::Positional { separator, .. } => {
                let first = value.split(|byte| *byte == separator).next();
                Ok(Some(first.unwrap_or_default()))
            }
            Self::Tagged { time: None, .. } => Ok(None),
            Self::Tagged { time: Some(name), .. } => {
                let mut times = self.tagged(value, name);
                match (times.next(), times.next()) {
                    // With two times, which one was signed would be a guess.
                    (Some(time), None) => Ok(Some(time)),
                    _ => Err(Malformed),
                }
            }
        }
    }

    /// Every candidate signature's text, in order.
    pub(crate) fn candidates(self, value: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (whole, positional, tagged) = match self {
            Self::Whole { prefix } => (value.strip_prefix(prefix.as_bytes()), None, None),
            Self::Positional { separator, time_first } => {
                let items = value.split(move |byte| *byte == separator);
                (None, Some(items.skip(usize::from(time_first))), None)
            }
            Self::Tagged { signature, .. } => (None, None, Some(self.tagged(value, signature))),
        };
        whole
            .into_iter()
            .chain(positional.into_iter().flatten())
            .chain(tagged.into_iter().flatten())
    }

    /// The values of the items with this name.
    fn tagged<'a>(self, value: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let (separator, assign, spaced) = match self {
            Self::Tagged { separator, assign, spaced, .. } => (separator, assign, spaced),
            _ => (b',', b'=', false),
        };
        value.split(move |byte| *byte == separator).filter_map(move |item| {
            let item = match item {
                [b' ', rest @ ..] if spaced => rest,
                _ => item,
            };
            let rest = item.strip_prefix(name.as_bytes())?;
            rest.strip_prefix(&[assign])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_times_and_candidates() {
        const SPACED: Grammar = Grammar::Tagged {
            separator: b',',
            assign: b'=',
            signature: "v1",
            time: Some("t"),
            spaced: true,
        };
        const POSITIONAL: Grammar = Grammar::Positional { separator: b',', time_first: true };
        const PREFIXED: Grammar = Grammar::Whole { prefix: "sha256=" };
        let stripe = Grammar::pairs("t", "v1");
        let list = Grammar::list("v1");
        for (name, grammar, value, time, candidates) in [
            ("prefix", PREFIXED, "sha256=ab", Some(None), vec!["ab"]),
            ("other prefix", PREFIXED, "sha255=ab", Some(None), vec![]),
            ("prefix in capitals", PREFIXED, "SHA256=ab", Some(None), vec![]),
            ("pairs", stripe, "t=1,v1=a,v0=b,v1=c", Some(Some("1")), vec!["a", "c"]),
            ("value with the assign sign", stripe, "t=1,v1=a==", Some(Some("1")), vec!["a=="]),
            ("longer name", stripe, "t=1,v11=a,xv1=b", Some(Some("1")), vec![]),
            ("no time", stripe, "v1=a", None, vec!["a"]),
            ("two times", stripe, "t=1,v1=a,t=1", None, vec!["a"]),
            ("space where none belongs", stripe, "t=1, v1=a", Some(Some("1")), vec![]),
            ("space round the sign", stripe, "t =1,v1 =a", None, vec![]),
            ("name alone", stripe, "t,v1", None, vec![]),
            ("separators alone", stripe, ",,", None, vec![]),
            ("spaced", SPACED, "t=1, v1=a", Some(Some("1")), vec!["a"]),
            ("two spaces", SPACED, "t=1,  v1=a", Some(Some("1")), vec![]),
            ("list", list, "v1,a v2,b  v1,c v1a,d", Some(None), vec!["a", "c"]),
            ("list, tag alone", list, "v1,", Some(None), vec![""]),
            ("positional", POSITIONAL, "1,a,b", Some(Some("1")), vec!["a", "b"]),
        ] {
            let value = value.as_bytes();
            let found = grammar.time(value).ok();
            assert_eq!(found, time.map(|time| time.map(str::as_bytes)), "{name}");
            let found: Vec<_> = grammar.candidates(value).collect();
            let candidates: Vec<_> = candidates.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(found, candidates, "{name}");
        }
    }
}

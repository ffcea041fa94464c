//! Format of the signatures in a header.

/// Maximum number of candidate signatures in a request.
pub(crate) const MAX_CANDIDATES: usize = 16;

/// Format of a signature header: its signatures and, in some formats, a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureFormat {
    /// Items without names: `<time>,<signature>,<signature>`.
    Unnamed {
        /// The byte between two items.
        separator: u8,
        /// `true` if the first item is the timestamp.
        time_first: bool,
    },
    /// Named items, such as `t=1700000000,v1=<signature>,v1=<signature>` or, with other separators,
    /// `v1,<signature> v1,<signature>`.
    ///
    /// Items with other names are skipped.
    Named {
        /// The byte between two items.
        separator: u8,
        /// The byte between the name and the value of an item.
        assign: u8,
        /// The name of a signature.
        signature: &'static str,
        /// The name of the timestamp, which must then be present exactly once.
        time: Option<&'static str>,
        /// `true` if a space can follow the separator.
        spaced: bool,
    },
    /// One signature after a literal prefix, which can be empty. A value without the prefix has no
    /// signature.
    Single {
        /// The text before the signature.
        prefix: &'static str,
    },
}

/// Error returned when a header value does not have its format.
#[derive(Debug)]
pub(crate) struct Malformed;

impl SignatureFormat {
    /// Creates the format of Stripe: `t=<time>,v1=<signature>,v1=<signature>`.
    ///
    /// `time` and `signature` are the names of the items.
    #[must_use]
    pub const fn pairs(time: &'static str, signature: &'static str) -> Self {
        Self::Named { separator: b',', assign: b'=', signature, time: Some(time), spaced: false }
    }

    /// Creates the format of Standard Webhooks: `v1,<signature> v1,<signature>`.
    ///
    /// `tag` is the name of a signature.
    #[must_use]
    pub const fn tagged(tag: &'static str) -> Self {
        Self::Named { separator: b' ', assign: b',', signature: tag, time: None, spaced: false }
    }

    /// Allows a space after the separator of named items.
    #[must_use]
    pub const fn spaced(mut self) -> Self {
        if let Self::Named { spaced, .. } = &mut self {
            *spaced = true;
        }
        self
    }

    /// Sets the separator between two items, such as `;`.
    #[must_use]
    pub const fn separated_by(mut self, by: u8) -> Self {
        if let Self::Unnamed { separator, .. } | Self::Named { separator, .. } = &mut self {
            *separator = by;
        }
        self
    }

    /// Sets the byte between the name and the value of an item, such as `=`.
    #[must_use]
    pub const fn assigned_by(mut self, by: u8) -> Self {
        if let Self::Named { assign, .. } = &mut self {
            *assign = by;
        }
        self
    }

    /// Returns `true` if the format has a timestamp.
    pub(crate) const fn has_time(self) -> bool {
        matches!(self, Self::Unnamed { time_first: true, .. } | Self::Named { time: Some(_), .. })
    }

    /// Returns the text of the timestamp, if the format has one.
    pub(crate) fn time(self, value: &[u8]) -> Result<Option<&[u8]>, Malformed> {
        match self {
            Self::Single { .. } | Self::Unnamed { time_first: false, .. } => Ok(None),
            Self::Unnamed { separator, .. } => {
                let first = value.split(|byte| *byte == separator).next();
                Ok(Some(first.unwrap_or_default()))
            }
            Self::Named { time: None, .. } => Ok(None),
            Self::Named { time: Some(name), .. } => {
                let mut times = self.named(value, name);
                match (times.next(), times.next()) {
                    // If there are two timestamps, it is unknown which one was signed.
                    (Some(time), None) => Ok(Some(time)),
                    _ => Err(Malformed),
                }
            }
        }
    }

    /// Returns the text of each candidate signature, in order.
    pub(crate) fn candidates(self, value: &[u8]) -> impl Iterator<Item = &[u8]> {
        let (single, unnamed, named) = match self {
            Self::Single { prefix } => (value.strip_prefix(prefix.as_bytes()), None, None),
            Self::Unnamed { separator, time_first } => {
                let items = value.split(move |byte| *byte == separator);
                (None, Some(items.skip(usize::from(time_first))), None)
            }
            Self::Named { signature, .. } => (None, None, Some(self.named(value, signature))),
        };
        single.into_iter().chain(unnamed.into_iter().flatten()).chain(named.into_iter().flatten())
    }

    /// Returns the values of the items with this name.
    fn named<'a>(self, value: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let (separator, assign, spaced) = match self {
            Self::Named { separator, assign, spaced, .. } => (separator, assign, spaced),
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
        const SPACED: SignatureFormat = SignatureFormat::Named {
            separator: b',',
            assign: b'=',
            signature: "v1",
            time: Some("t"),
            spaced: true,
        };
        const UNNAMED: SignatureFormat =
            SignatureFormat::Unnamed { separator: b',', time_first: true };
        const PREFIXED: SignatureFormat = SignatureFormat::Single { prefix: "sha256=" };
        let stripe = SignatureFormat::pairs("t", "v1");
        let list = SignatureFormat::tagged("v1");
        for (name, format, value, time, candidates) in [
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
            ("unnamed", UNNAMED, "1,a,b", Some(Some("1")), vec!["a", "b"]),
        ] {
            let value = value.as_bytes();
            let found = format.time(value).ok();
            assert_eq!(found, time.map(|time| time.map(str::as_bytes)), "{name}");
            let found: Vec<_> = format.candidates(value).collect();
            let candidates: Vec<_> = candidates.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(found, candidates, "{name}");
        }
    }
}

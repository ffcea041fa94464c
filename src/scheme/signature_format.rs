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
        /// Another name of a signature, such as the name for the previous secret.
        other: Option<&'static str>,
        /// The name of the timestamp, which must then be present exactly once.
        time: Option<&'static str>,
        /// `true` if a space can follow the separator.
        spaced: bool,
    },
    /// Signatures with or without a literal prefix: `sha256=<signature>, <signature>`. Spaces
    /// around a signature are skipped.
    OptionalPrefix {
        /// The text before a signature.
        prefix: &'static str,
        /// The byte between two signatures.
        separator: u8,
    },
    /// One signature after a literal prefix, which can be empty. A value without the prefix has no
    /// signature.
    Single {
        /// The text before the signature.
        prefix: &'static str,
    },
}

impl SignatureFormat {
    /// Creates the format of Stripe: `t=<time>,v1=<signature>,v1=<signature>`.
    ///
    /// `time` and `signature` are the names of the items.
    #[must_use]
    pub const fn pairs(time: &'static str, signature: &'static str) -> Self {
        Self::Named {
            separator: b',',
            assign: b'=',
            signature,
            other: None,
            time: Some(time),
            spaced: false,
        }
    }

    /// Creates the format of Standard Webhooks: `v1,<signature> v1,<signature>`.
    ///
    /// `tag` is the name of a signature.
    #[must_use]
    pub const fn tagged(tag: &'static str) -> Self {
        Self::Named {
            separator: b' ',
            assign: b',',
            signature: tag,
            other: None,
            time: None,
            spaced: false,
        }
    }

    /// Allows a space after the separator of named items.
    #[must_use]
    pub const fn spaced(mut self) -> Self {
        if let Self::Named { spaced, .. } = &mut self {
            *spaced = true;
        }
        self
    }

    /// Adds another name of named items with a signature, such as `v2` for the previous secret.
    #[must_use]
    pub const fn or_named(mut self, name: &'static str) -> Self {
        if let Self::Named { other, .. } = &mut self {
            *other = Some(name);
        }
        self
    }

    /// Sets the separator between two items, such as `;`.
    #[must_use]
    pub const fn separated_by(mut self, by: u8) -> Self {
        if let Self::Unnamed { separator, .. }
        | Self::Named { separator, .. }
        | Self::OptionalPrefix { separator, .. } = &mut self
        {
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

    /// Calls `visit` with the text of each candidate signature, in order, and returns the text of the
    /// timestamp. The value is read once.
    #[inline]
    pub(crate) fn read<'a, E>(
        self,
        value: &'a [u8],
        mut visit: impl FnMut(&'a [u8]) -> Result<(), E>,
    ) -> Result<TimeText<'a>, E> {
        let mut time = TimeText::Absent;
        match self {
            Self::Single { prefix } => {
                if let Some(candidate) = value.strip_prefix(prefix.as_bytes()) {
                    visit(candidate)?;
                }
            }
            Self::OptionalPrefix { prefix, separator } => {
                for item in value.split(|byte| *byte == separator) {
                    let item = item.trim_ascii();
                    visit(item.strip_prefix(prefix.as_bytes()).unwrap_or(item))?;
                }
            }
            Self::Unnamed { separator, time_first } => {
                let mut items = value.split(|byte| *byte == separator);
                if time_first {
                    time.add(items.next().unwrap_or_default());
                }
                items.try_for_each(visit)?;
            }
            Self::Named { separator, assign, signature, other, time: time_name, spaced } => {
                for item in value.split(|byte| *byte == separator) {
                    let item = match item {
                        [b' ', rest @ ..] if spaced => rest,
                        _ => item,
                    };
                    if let Some(candidate) = value_of(item, signature, assign) {
                        visit(candidate)?;
                    }
                    if let Some(candidate) = other.and_then(|name| value_of(item, name, assign)) {
                        visit(candidate)?;
                    }
                    if let Some(text) = time_name.and_then(|name| value_of(item, name, assign)) {
                        time.add(text);
                    }
                }
            }
        }
        Ok(time)
    }
}

/// Returns the value of an item with this name.
fn value_of<'a>(item: &'a [u8], name: &str, assign: u8) -> Option<&'a [u8]> {
    item.strip_prefix(name.as_bytes())?.strip_prefix(&[assign])
}

/// The timestamp in a signature header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TimeText<'a> {
    Absent,
    Found(&'a [u8]),
    /// There are several, so it is unknown which one was signed.
    Several,
}

impl<'a> TimeText<'a> {
    fn add(&mut self, text: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Found(text),
            _ => Self::Several,
        };
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
            other: None,
            time: Some("t"),
            spaced: true,
        };
        const UNNAMED: SignatureFormat =
            SignatureFormat::Unnamed { separator: b',', time_first: true };
        const PREFIXED: SignatureFormat = SignatureFormat::Single { prefix: "sha256=" };
        const OPTIONAL: SignatureFormat =
            SignatureFormat::OptionalPrefix { prefix: "sha256=", separator: b',' };
        let stripe = SignatureFormat::pairs("t", "v1");
        let two_names = stripe.or_named("v2");
        let list = SignatureFormat::tagged("v1");
        let absent = TimeText::Absent;
        let found = TimeText::Found(b"1");
        for (name, format, value, time, candidates) in [
            ("prefix", PREFIXED, "sha256=ab", absent, vec!["ab"]),
            ("other prefix", PREFIXED, "sha255=ab", absent, vec![]),
            ("prefix in capitals", PREFIXED, "SHA256=ab", absent, vec![]),
            ("pairs", stripe, "t=1,v1=a,v0=b,v1=c", found, vec!["a", "c"]),
            ("value with the assign sign", stripe, "t=1,v1=a==", found, vec!["a=="]),
            ("longer name", stripe, "t=1,v11=a,xv1=b", found, vec![]),
            ("no time", stripe, "v1=a", absent, vec!["a"]),
            ("two times", stripe, "t=1,v1=a,t=1", TimeText::Several, vec!["a"]),
            ("space where none belongs", stripe, "t=1, v1=a", found, vec![]),
            ("space round the sign", stripe, "t =1,v1 =a", absent, vec![]),
            ("name alone", stripe, "t,v1", absent, vec![]),
            ("separators alone", stripe, ",,", absent, vec![]),
            ("spaced", SPACED, "t=1, v1=a", found, vec!["a"]),
            ("two spaces", SPACED, "t=1,  v1=a", found, vec![]),
            ("list", list, "v1,a v2,b  v1,c v1a,d", absent, vec!["a", "c"]),
            ("list, tag alone", list, "v1,", absent, vec![""]),
            ("unnamed", UNNAMED, "1,a,b", found, vec!["a", "b"]),
            ("two names", two_names, "t=1,v2=a,v1=b,v3=c", found, vec!["a", "b"]),
            ("prefix or none", OPTIONAL, "sha256=a, b ,\tsha256=c", absent, vec!["a", "b", "c"]),
            ("other optional prefix", OPTIONAL, "sha255=a", absent, vec!["sha255=a"]),
        ] {
            let mut read = Vec::new();
            let read_time = format.read(value.as_bytes(), |candidate| {
                read.push(candidate);
                Ok::<_, ()>(())
            });
            assert_eq!(read_time, Ok(time), "{name}");
            let candidates: Vec<_> = candidates.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(read, candidates, "{name}");
        }
    }
}

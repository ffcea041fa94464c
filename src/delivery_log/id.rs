//! The names of rows.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The name of a row: a UUID of version 7, so that their order is that of the requests' arrival.
///
/// It is made before the row is written, and not by the store. So a write whose outcome is unknown
/// can be done again without a second row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u128);

impl EntryId {
    /// Before all others.
    pub const MIN: Self = Self(0);

    /// After all others.
    pub const MAX: Self = Self(u128::MAX);

    pub(crate) fn new(time: SystemTime) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        // The count keeps rows of one millisecond in order and apart, the keyed hash those of
        // several processes.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let random = RANDOM.hash_one(count) >> 22;
        let bits = u128::from(count) << 42 | u128::from(random);
        Self(Self::first(time).0 | (bits >> 62) << 64 | bits & (u128::MAX >> 66))
    }

    /// The id right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the time at which the row's request arrived, in milliseconds.
    #[must_use]
    pub fn time(self) -> SystemTime {
        let millis = u64::try_from(self.0 >> 80).unwrap_or(u64::MAX);
        UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
    }

    /// Before all ids of this millisecond.
    #[must_use]
    pub fn first(time: SystemTime) -> Self {
        let millis = u128::from(millis(time)) & 0xffff_ffff_ffff;
        Self(millis << 80 | 7 << 76 | 2 << 62)
    }
}

/// Milliseconds since 1970, or 0 before.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, because each row is written with it.
        let mut text = String::with_capacity(36);
        for (at, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        f.write_str(&text)
    }
}

/// The text is no row's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEntryId(());

impl fmt::Display for InvalidEntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID in lower case with hyphens")
    }
}

impl std::error::Error for InvalidEntryId {}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        let digits: String = text.split('-').collect();
        let id = u128::from_str_radix(&digits, 16).map(Self).map_err(|_| InvalidEntryId(()))?;
        // Only as it is written, so that one row has one name.
        if id.to_string() == text { Ok(id) } else { Err(InvalidEntryId(())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_in_the_order_of_time() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let first = EntryId::first(at(1_000));
        let ids: Vec<_> = (0..5_000).map(|_| EntryId::new(at(1_000))).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "in order and apart");
        assert!(ids.iter().all(|id| *id >= first && *id < EntryId::first(at(1_001))));
        for id in ids {
            let text = id.to_string();
            assert_eq!((text.parse(), id.time()), (Ok(id), at(1_000)));
            assert_eq!((text.len(), &text[14..15]), (36, "7"), "{text}");
            assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        }
        assert_eq!(EntryId::first(UNIX_EPOCH - Duration::from_secs(1)), EntryId::first(at(0)));
        // The count goes on after 20 bits.
        let mut last = EntryId::new(at(1_000));
        for _ in 0..1 << 20 {
            let next = EntryId::new(at(1_000));
            assert!(last < next && next < EntryId::first(at(1_001)));
            last = next;
        }
        for text in ["", "7", "00000000-03e8-7000-8000-00000000000G", "+0000000-03e8-7000-8000-0"] {
            assert!(text.parse::<EntryId>().is_err(), "{text}");
        }
    }
}

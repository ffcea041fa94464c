//! Row identifiers (UUIDv7).

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

use uuid::{Uuid, fmt::Hyphenated};

// `uuid` could create them, too, but only in the order of a clock that never goes back. Tests set it.
/// Identifier of a row: a UUID of version 7, so that IDs sort in the order in which the requests
/// arrived.
///
/// The log creates the ID before the row is written, rather than the store. A write whose outcome
/// is unknown can therefore be repeated without a second row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u128);

impl EntryId {
    /// ID before all others.
    pub const MIN: Self = Self(0);

    /// ID after all others.
    pub const MAX: Self = Self(u128::MAX);

    pub(crate) fn new(time: SystemTime) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        // The count keeps the IDs of one millisecond distinct and in order. The keyed hash keeps
        // the IDs of several processes distinct.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let random = RANDOM.hash_one(count) >> 22;
        let bits = u128::from(count) << 42 | u128::from(random);
        Self(Self::first(time).0 | (bits >> 62) << 64 | bits & (u128::MAX >> 66))
    }

    /// Returns the ID that directly follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the time at which the row's request arrived, in milliseconds.
    #[must_use]
    pub fn time(self) -> SystemTime {
        time(u64::try_from(self.0 >> 80).unwrap_or(u64::MAX))
    }

    /// Returns an ID before all IDs of this millisecond.
    #[must_use]
    pub fn first(time: SystemTime) -> Self {
        let millis = u128::from(millis(time)) & 0xffff_ffff_ffff;
        Self(millis << 80 | 7 << 76 | 2 << 62)
    }
}

/// Returns the milliseconds since 1970, or 0 for earlier times.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time that is so many milliseconds after the beginning of 1970.
pub(crate) fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Hyphenated::LENGTH];
        f.write_str(Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}

/// Error returned when a string is not a valid [`EntryId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEntryId(());

impl fmt::Display for InvalidEntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid entry ID: expected a UUID in lower case with hyphens")
    }
}

impl std::error::Error for InvalidEntryId {}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidEntryId(()))?;
        let id = Self(id.as_u128());
        // Only one spelling is accepted, so that a row has one ID.
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
        // The count continues beyond 20 bits.
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

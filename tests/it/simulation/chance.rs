//! Random numbers from one seed.

/// SplitMix64.
///
/// Each delivery, attempt and fault has a stream of its own, so one decision more in one of them
/// leaves the others as they are.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, stream: Stream, first: u32, second: u32) -> Self {
        let mut mixed = Self(seed ^ ((stream as u64) << 56));
        mixed.0 = mixed.next() ^ (u64::from(first) << 32 | u64::from(second));
        Self(mixed.next())
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below this one.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) const fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(super) const fn is_one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    /// Returns an exponentially distributed number with this mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        -mean * (1.0 - uniform).ln()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Stream {
    Arrivals,
    Delivery,
    Attempt,
    Handler,
    Faults,
    Network,
    Skew,
}

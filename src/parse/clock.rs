//! Clocks.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::outcome::{kind::RejectionKind, rejection::Rejection};

/// A clock: the system clock, or a clock that a test sets.
///
/// A closure and a [`SystemTime`] convert into a clock:
///
/// ```
/// use std::time::SystemTime;
/// use tower_webhook::{SignatureLayer, providers::Stripe};
///
/// let layer = SignatureLayer::new(Stripe::new("whsec_of_the_test")?);
/// let stopped = layer.clone().clock(SystemTime::UNIX_EPOCH);
/// let running = layer.clock(|| SystemTime::now());
/// # let _ = (stopped, running);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl Clock {
    /// Creates a clock from this function.
    #[must_use]
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Creates a clock that always returns this time.
    #[must_use]
    pub fn fixed(time: SystemTime) -> Self {
        Self::new(move || time)
    }

    /// Creates the system clock, which is the default.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// Returns the time.
    ///
    /// `wasm32-unknown-unknown` has no clock of its own. The system clock returns the start of 1970
    /// there.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Some(now) => now(),
            // Reading the system clock ends the program there.
            None if HAS_NO_SYSTEM => UNIX_EPOCH,
            None => SystemTime::now(),
        }
    }

    pub(crate) const fn is_system(&self) -> bool {
        self.0.is_none()
    }

    /// Returns milliseconds since 1970.
    ///
    /// A clock before 1990 or after 2099 cannot be right. It would make the layer reject every
    /// authentic request for good, so this case asks the sender to retry.
    pub(crate) fn millis(&self) -> Result<i64, Rejection> {
        const PLAUSIBLE: std::ops::Range<i64> = 631_152_000_000..4_102_444_800_000; // 1990 to 2100
        let now = self.now();
        now.duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .filter(|millis| PLAUSIBLE.contains(millis))
            .ok_or(Rejection::new(RejectionKind::ClockUnreliable))
    }
}

impl<F: Fn() -> SystemTime + Send + Sync + 'static> From<F> for Clock {
    fn from(now: F) -> Self {
        Self::new(now)
    }
}

impl From<SystemTime> for Clock {
    fn from(time: SystemTime) -> Self {
        Self::fixed(time)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "<fn>" } else { "system" })
    }
}

/// `true` if the target has no system clock.
pub(crate) const HAS_NO_SYSTEM: bool = cfg!(all(target_family = "wasm", target_os = "unknown"));

/// Milliseconds by which the times of two threads can be out of order.
#[cfg(any(feature = "fetched-keys", feature = "tenants"))]
const OUT_OF_ORDER: i64 = 10_000;

/// Returns `true` if less than `time` has passed since `since`. Both times are in milliseconds.
///
/// A time in the future counts as long ago: if the clock was set back, an entry of a cache would stay
/// for that long. A time in the near future counts as now: threads read the clock before they wait
/// for each other.
#[cfg(any(feature = "fetched-keys", feature = "tenants"))]
pub(crate) fn is_within(since: i64, now: i64, time: Duration) -> bool {
    let age = now.saturating_sub(since);
    let age = if age >= -OUT_OF_ORDER { age.max(0) } else { age };
    u128::try_from(age).is_ok_and(|age| age < time.as_millis())
}

/// Returns the time since this function was first called, by a clock that no correction moves.
/// Returns zero on a target without a clock.
pub(crate) fn steady() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    if HAS_NO_SYSTEM { Duration::ZERO } else { START.elapsed() }
}

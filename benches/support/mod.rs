//! What the benches share: an allocator that counts, and cases that are measured by turns, so that a
//! busy machine slows all of them.
#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod by_hand;
pub(crate) mod cases;
pub(crate) mod frames;
pub(crate) mod guard;
pub(crate) mod marks;
pub(crate) mod reference;
pub(crate) mod signature;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt,
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::Instant,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static MOVED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Bytes that were allocated, and those that stood in memory whose growth moved it: at most so
/// many were copied for it.
pub(crate) fn bytes() -> (u64, u64) {
    (ALLOCATED.load(Ordering::Relaxed), MOVED.load(Ordering::Relaxed))
}

#[expect(unsafe_code, reason = "only an allocator can count allocations; it hands all on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        ALLOCATED.fetch_add(size.saturating_sub(layout.size()) as u64, Ordering::Relaxed);
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if moved != pointer {
            MOVED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        }
        moved
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub(crate) const ROUNDS: usize = 31;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut()>,
}

impl Case {
    pub(crate) fn call(&mut self) {
        (self.run)();
    }
}

pub(crate) fn case(name: &'static str, run: impl FnMut() + 'static) -> Case {
    Case { name, run: Box::new(run) }
}

/// Runs a future without a runtime. A request that is all there waits only to let others run.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    for _ in 0..100 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("a request that is all there waited")
}

/// What a case took in each round, and its allocations.
pub(crate) struct Series {
    /// Nanoseconds a call.
    times: Vec<f64>,
    pub(crate) allocations: u64,
}

impl Series {
    pub(crate) fn time(&self) -> Spread {
        Spread::of(self.times.clone())
    }
}

/// The cases of one run, whose rounds can be compared with each other.
pub(crate) struct Rounds(Vec<(&'static str, Series)>);

/// Runs the cases by turns, in [`ROUNDS`] rounds.
pub(crate) fn rounds(cases: Vec<Case>, repeats: usize) -> Rounds {
    many_rounds(cases, ROUNDS, repeats)
}

/// Runs the cases by turns, in so many rounds. Another one before them warms up and is not told.
pub(crate) fn many_rounds(mut cases: Vec<Case>, count: usize, repeats: usize) -> Rounds {
    let new = |case: &Case| (case.name, Series { times: Vec::new(), allocations: 0 });
    let mut series: Vec<_> = cases.iter().map(new).collect();
    for round in 0..=count {
        for (case, (_, series)) in cases.iter_mut().zip(&mut series) {
            let (start, before) = (Instant::now(), allocations());
            for _ in 0..repeats {
                (case.run)();
            }
            let elapsed = start.elapsed();
            let allocated = allocations() - before;
            if round > 0 {
                series.times.push(elapsed.as_nanos() as f64 / repeats as f64);
                series.allocations = allocated / repeats as u64;
            }
        }
    }
    Rounds(series)
}

impl Rounds {
    pub(crate) fn series(&self) -> &[(&'static str, Series)] {
        &self.0
    }

    pub(crate) fn get(&self, name: &str) -> &Series {
        let found = self.0.iter().find(|(other, _)| *other == name);
        &found.unwrap_or_else(|| panic!("there is no case {name}")).1
    }

    fn each<'a>(
        &'a self,
        case: &str,
        baselines: &'a [&str],
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.get(case).times.iter().enumerate().map(|(round, time)| {
            (*time, baselines.iter().map(|name| self.get(name).times[round]).sum())
        })
    }

    /// How many times as long as the baselines together.
    pub(crate) fn ratio(&self, case: &str, baselines: &[&str]) -> Spread {
        Spread::of(self.each(case, baselines).map(|(time, baseline)| time / baseline).collect())
    }

    /// Nanoseconds more than the baselines together.
    pub(crate) fn above(&self, case: &str, baselines: &[&str]) -> Spread {
        Spread::of(self.each(case, baselines).map(|(time, baseline)| time - baseline).collect())
    }

    pub(crate) fn more_allocations(&self, case: &str, baseline: &str) -> i64 {
        self.get(case).allocations as i64 - self.get(baseline).allocations as i64
    }
}

/// The median of some values, and the limits of the half of them in the middle.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
        Self { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// Returns the median, the least and the most of a few values.
    pub(crate) fn whole(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        Self { low: values[0], median: values[last / 2], high: values[last] }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let Self { low, median, high } = self;
        write!(f, "{median:.places$} ({low:.places$}–{high:.places$})")
    }
}

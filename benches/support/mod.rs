//! What the benches share: an allocator that counts, and cases that are measured by turns, so that a
//! busy machine slows all of them.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::Instant,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "only an allocator can count allocations; it hands all on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

pub(crate) const ROUNDS: usize = 31;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut()>,
}

pub(crate) fn case(name: &'static str, run: impl FnMut() + 'static) -> Case {
    Case { name, run: Box::new(run) }
}

/// A request that is all there needs one poll, and no runtime.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a request that is all there waited"),
    }
}

/// Nanoseconds and allocations of each case.
pub(crate) fn measure(cases: &mut [Case], repeats: usize) -> Vec<(f64, u64)> {
    let mut times = vec![Vec::with_capacity(ROUNDS); cases.len()];
    let mut allocations = vec![0; cases.len()];
    for round in 0..ROUNDS + 1 {
        for (at, case) in cases.iter_mut().enumerate() {
            let (start, before) = (Instant::now(), ALLOCATIONS.load(Ordering::Relaxed));
            for _ in 0..repeats {
                (case.run)();
            }
            let elapsed = start.elapsed();
            // The first round warms up.
            if round > 0 {
                times[at].push(elapsed.as_nanos() as f64 / repeats as f64);
                let count = ALLOCATIONS.load(Ordering::Relaxed) - before;
                allocations[at] = count / repeats as u64;
            }
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.into_iter().map(median).zip(allocations).collect()
}

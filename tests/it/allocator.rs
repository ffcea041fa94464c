//! What requests cost in memory, counted by an allocator.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tower_webhook::RejectionKind;

use crate::support::{BoxError, Event, Script, assert_refused, meta_layer, meta_request, send};

/// Counts per thread, so that tests that run beside each other do not meet.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends may free when its counters are gone already.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[expect(unsafe_code, reason = "only an allocator can count allocations; it hands all on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it moves, both are there.
        count(size.cast_signed());
        count(-layout.size().cast_signed());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that are allocated at once while `run` runs, above those at its start.
async fn peak<T>(run: impl Future<Output = T>) -> (T, usize) {
    let start = LIVE.get();
    PEAK.set(start);
    let result = run.await;
    (result, (PEAK.get() - start).cast_unsigned())
}

/// As [`peak`], of what runs at once.
pub(crate) fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let start = LIVE.get();
    PEAK.set(start);
    let result = run();
    (result, (PEAK.get() - start).cast_unsigned())
}

const MIB: usize = 1 << 20;

/// One mebibyte in frames of one byte, which themselves cost nothing.
struct Tiny {
    left: usize,
    is_declared: bool,
}

impl Body for Tiny {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(b"x")))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_declared { SizeHint::with_exact(self.left as u64) } else { SizeHint::default() }
    }
}

#[tokio::test]
async fn one_mebibyte_in_one_byte_frames_stays_small() {
    let body = vec![b'x'; MIB];
    for is_declared in [true, false] {
        let request = meta_request(&body, Tiny { left: MIB, is_declared });
        let layer = meta_layer();
        let ((response, inner), peak) = peak(send(&layer, request)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(inner.only_call().body.bytes(), &body);
        // The buffer, and its half while it grows for the last time.
        assert!(peak <= 2 * MIB, "declared: {is_declared}, peak {peak}");
    }
}

#[tokio::test]
async fn t28_nothing_is_reserved_on_the_senders_word() {
    let stalled = || [Event::Data("a".into()), Event::Data("b".into()), Event::Data("c".into())];
    let request = meta_request(b"abc", Script::new(stalled()).declared(1 << 40));
    let layer = meta_layer().body_limit(usize::MAX).byte_budget(usize::MAX);
    let ((response, _), peak) = peak(send(&layer, request)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(peak <= 80 << 10, "peak {peak}");
}

/// One mebibyte in frames of this length, each allocated when it is polled and written to.
struct Lazy {
    left: usize,
    frame: usize,
}

impl Body for Lazy {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let left = self.left.checked_sub(self.frame);
        self.left = left.unwrap_or(0);
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; self.frame])))))
    }
}

#[tokio::test]
async fn t27_an_unsigned_flood_costs_nothing() {
    const FRAME: usize = 16 << 10;
    for (name, kind, layer, body) in [
        ("unsigned", RejectionKind::Missing, meta_layer(), Lazy { left: MIB, frame: FRAME }),
        (
            "too long",
            RejectionKind::BodyTooLarge,
            meta_layer().body_limit(1),
            Lazy { left: MIB, frame: FRAME },
        ),
    ] {
        let mut request = meta_request(b"", body);
        if kind == RejectionKind::Missing {
            request.headers_mut().remove("x-hub-signature-256");
        }
        let (answer, peak) = peak(send(&layer, request)).await;
        assert_refused(name, kind, &answer);
        assert!(!answer.0.headers().contains_key(header::CONNECTION), "{name}: it was drained");
        assert!(peak <= FRAME + 4096, "{name}: peak {peak}");
    }
    // Where the sender waits, not even a frame.
    let mut request = meta_request(b"", Script::untouchable());
    request.headers_mut().remove("x-hub-signature-256");
    let (answer, peak) = peak(send(&meta_layer(), request)).await;
    assert_refused("waiting", RejectionKind::Missing, &answer);
    assert!(peak <= 4096, "peak {peak}");
}

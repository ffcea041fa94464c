//! Collects the frames of a body.

use std::{mem, task::Waker};

use bytes::Bytes;

use crate::{
    layer::budget::{Budget, NoRoom, Reservation},
    outcome::kind::RejectionKind,
};

/// Maximum number of bytes that are allocated only because of the declared length.
const MAX_PREALLOCATION: usize = 64 << 10;

/// Longest body, in bytes, that takes the place of older ones when the budget is spent.
const SMALL: usize = 64 << 10;

/// The bytes of a body that have arrived.
///
/// A body of one frame is passed on without a copy. More frames are copied into one buffer, so that
/// a million tiny frames cost no more than their bytes.
#[derive(Debug, Default)]
pub(crate) struct BodyBuffer {
    pub(crate) declared: usize,
    bytes: Gathered,
    reservation: Reservation,
}

#[derive(Debug, Default)]
enum Gathered {
    #[default]
    Nothing,
    One(Bytes),
    Many(Vec<u8>),
}

impl BodyBuffer {
    /// Creates a buffer for a body that is declared to be at least this long.
    pub(crate) fn new(declared: usize) -> Self {
        Self { declared, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.bytes {
            Gathered::Nothing => 0,
            Gathered::One(bytes) => bytes.len(),
            Gathered::Many(bytes) => bytes.len(),
        }
    }

    /// Adds a frame of a body that may be at most `limit` bytes long.
    pub(crate) fn push(&mut self, chunk: Bytes, limit: usize) {
        if chunk.is_empty() {
            return;
        }
        let buffer = match &mut self.bytes {
            Gathered::Nothing => {
                self.bytes = Gathered::One(chunk);
                return;
            }
            Gathered::Many(buffer) => buffer,
            Gathered::One(first) => {
                let mut buffer = Vec::new();
                grow(&mut buffer, first.len() + chunk.len(), self.declared, limit);
                buffer.extend_from_slice(first);
                self.bytes = Gathered::Many(buffer);
                match &mut self.bytes {
                    Gathered::Many(buffer) => buffer,
                    _ => return,
                }
            }
        };
        grow(buffer, chunk.len(), self.declared, limit);
        buffer.extend_from_slice(&chunk);
    }

    /// Counts the bytes that have arrived towards the budget, before the request waits for more.
    ///
    /// A body that has arrived completely is not counted: each thread holds at most one.
    pub(crate) fn reserve(&mut self, budget: &Budget, waker: &Waker) -> Result<(), RejectionKind> {
        let len = self.len();
        reserve(&mut self.reservation, len, self.declared.max(len), budget, waker)
    }

    /// Takes the body and its reservation in the budget. The reservation must be kept until the body
    /// has been verified.
    #[inline]
    pub(crate) fn take(&mut self) -> (Bytes, Reservation) {
        let bytes = match mem::take(&mut self.bytes) {
            Gathered::Nothing => Bytes::new(),
            Gathered::One(bytes) => bytes,
            Gathered::Many(bytes) => bytes.into(),
        };
        (bytes, mem::take(&mut self.reservation))
    }
}

/// Counts this many bytes of a body towards the budget, before its request waits.
///
/// A body whose whole length is small takes the place of the oldest ones. It needs a few packets,
/// and otherwise senders that stall with the whole budget would keep it out for as long as they
/// stay.
pub(crate) fn reserve(
    reservation: &mut Reservation,
    bytes: usize,
    whole: usize,
    budget: &Budget,
    waker: &Waker,
) -> Result<(), RejectionKind> {
    let no_room = if is_small(whole, budget) { NoRoom::EvictOldest } else { NoRoom::GiveUp };
    reservation.reserve(bytes, budget, no_room, waker).map_err(|_| RejectionKind::Overloaded)
}

/// Returns whether a body of this length takes the place of older ones.
///
/// The limit is 64 KiB, and at most a sixteenth of the budget, so that many of these bodies have
/// room together in a small budget.
pub(crate) fn is_small(len: usize, budget: &Budget) -> bool {
    len <= SMALL.min(budget.limit() / 16)
}

/// Doubles the capacity as bytes arrive, and stops at the declared length, so that no room is left
/// over if that length was true.
fn grow(buffer: &mut Vec<u8>, more: usize, declared: usize, limit: usize) {
    let needed = buffer.len().saturating_add(more);
    if needed <= buffer.capacity() {
        return;
    }
    let doubled = buffer.capacity().saturating_mul(2).min(limit).max(needed);
    let target =
        if declared >= needed { declared.min(doubled.max(MAX_PREALLOCATION)) } else { doubled };
    buffer.reserve_exact(target - buffer.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(declared: usize, limit: usize, frames: &[&[u8]]) -> BodyBuffer {
        let mut buffer = BodyBuffer::new(declared);
        for frame in frames {
            buffer.push(Bytes::copy_from_slice(frame), limit);
        }
        buffer
    }

    #[test]
    fn one_frame_is_handed_on_uncopied() {
        let frame = Bytes::from(vec![7; 100]);
        let mut buffer = BodyBuffer::new(100);
        buffer.push(Bytes::new(), 100);
        buffer.push(frame.clone(), 100);
        buffer.push(Bytes::new(), 100);
        assert_eq!(buffer.take().0.as_ptr(), frame.as_ptr());
    }

    #[test]
    fn frames_are_put_together_in_order() {
        let mut buffer = buffer(0, 6, &[b"a", b"", b"bc", b"def"]);
        assert_eq!(buffer.len(), 6);
        assert_eq!(buffer.take().0, "abcdef");
    }

    #[test]
    fn capacity_grows_with_bytes_up_to_declared_length() {
        for (declared, limit, frame, frames, room) in [
            // The declared length reserves at most 64 KiB.
            (usize::MAX, usize::MAX, 1, 2, 64 << 10),
            (1 << 30, 1 << 30, 1000, 2, 64 << 10),
            // A true length is met exactly.
            (1 << 20, 1 << 20, 16 << 10, 64, 1 << 20),
            (100_000, 1 << 20, 1000, 100, 100_000),
            (99_999, 1 << 20, 33_333, 3, 99_999),
            // Without a declared length, or with one that is too short, the capacity doubles.
            (0, 1 << 20, 1, 1000, 1024),
            (0, 1 << 20, 1, 1024, 1024),
            (10, 1 << 20, 1, 1000, 1280),
            // The capacity never exceeds the limit.
            (0, 1001, 1, 1001, 1001),
        ] {
            let mut buffer = BodyBuffer::new(declared);
            for _ in 0..frames {
                buffer.push(Bytes::from(vec![0; frame]), limit);
            }
            let Gathered::Many(buffer) = &buffer.bytes else {
                panic!("more than one frame");
            };
            assert_eq!(buffer.capacity(), room, "{declared}");
            assert_eq!(buffer.len(), frame * frames);
        }
    }
}

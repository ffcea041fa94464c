//! A bound on calls to the store at once, shared out between those who wait.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::oneshot;

/// The slots, and the lanes that wait for them.
///
/// Ids are the sender's to choose, networks are not: so slots go round the lanes, and within a lane
/// to whoever came first.
pub(super) struct Gate(Mutex<Queue>);

/// Those who count as one when slots are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Ids for which the store has named a tenant before, whoever asks.
    Known,
    /// An IPv4 network of 24 bits.
    V4([u8; 3]),
    /// An IPv6 network of 48 bits, which is what one customer is given at the most.
    V6([u8; 6]),
    /// Requests whose address is not known.
    NoAddress,
}

impl Lane {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::NoAddress,
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

struct Queue {
    slots: usize,
    free: usize,
    /// Those that hold a slot or wait for one, and no others.
    lanes: BTreeMap<Lane, State>,
    /// The lanes that have somebody waiting, in the order in which they are served.
    turns: BTreeMap<u64, Lane>,
    /// The numbers that have been given out, to places and to turns.
    numbers: u64,
}

#[derive(Default)]
struct State {
    held: usize,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    /// Where it stands in [`Queue::turns`] while somebody waits.
    turn: u64,
}

/// A place in a lane, and from its turn on a slot. To drop it is to leave the lane, or to give the
/// slot back.
pub(super) struct Place {
    gate: Arc<Gate>,
    lane: Lane,
    number: u64,
    turn: oneshot::Receiver<()>,
}

impl Gate {
    pub(super) fn new(slots: usize) -> Self {
        Self(Mutex::new(Queue {
            slots,
            free: slots,
            lanes: BTreeMap::new(),
            turns: BTreeMap::new(),
            numbers: 0,
        }))
    }

    pub(super) fn slots(&self) -> usize {
        self.lock().slots
    }

    /// Takes a place at the end of this lane.
    pub(super) fn enter(self: &Arc<Self>, lane: Lane) -> Place {
        let (sender, turn) = oneshot::channel();
        let number = self.lock().enter(lane, sender);
        self.serve();
        Place { gate: Arc::clone(self), lane, number, turn }
    }

    /// Hands out what is free. Nobody is woken under the lock: a waker is foreign code.
    fn serve(&self) {
        while let Some(sender) = { self.lock().serve_one() } {
            // Where nobody receives it any more, its `Place` gives the slot back.
            _ = sender.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing is left half done by a panic in here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    const fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn enter(&mut self, lane: Lane, sender: oneshot::Sender<()>) -> u64 {
        let (number, turn) = (self.next_number(), self.next_number());
        let state = self.lanes.entry(lane).or_default();
        if state.waiting.is_empty() {
            state.turn = turn;
            self.turns.insert(turn, lane);
        }
        state.waiting.insert(number, sender);
        number
    }

    /// Gives a slot to the next lane that may have one. A lane that holds a slot already leaves a
    /// quarter of them free for the others, so that no one network holds them all.
    fn serve_one(&mut self) -> Option<oneshot::Sender<()>> {
        let reserve = if self.slots < 4 { 0 } else { self.slots.div_ceil(4) };
        if self.free == 0 {
            return None;
        }
        let may_have_one =
            |lane| self.free > reserve || self.lanes.get(lane).is_some_and(|state| state.held == 0);
        // Of those that are passed over each holds a slot, so that they are few.
        let (turn, lane) = self.turns.iter().find(|(_, lane)| may_have_one(lane))?;
        let (turn, lane, next) = (*turn, *lane, self.numbers + 1);
        self.turns.remove(&turn);
        let state = self.lanes.get_mut(&lane)?;
        let (_, sender) = state.waiting.pop_first()?;
        state.held += 1;
        self.free -= 1;
        if !state.waiting.is_empty() {
            self.numbers = next;
            state.turn = next;
            self.turns.insert(next, lane);
        }
        Some(sender)
    }

    /// The sender is the caller's to drop: that wakes, too.
    #[must_use]
    fn leave(&mut self, lane: Lane, number: u64) -> Option<oneshot::Sender<()>> {
        let Entry::Occupied(mut entry) = self.lanes.entry(lane) else { return None };
        let state = entry.get_mut();
        let sender = state.waiting.remove(&number);
        if sender.is_none() {
            // It had its turn, whether or not it has seen it.
            state.held -= 1;
            self.free += 1;
        } else if state.waiting.is_empty() {
            self.turns.remove(&state.turn);
        }
        if state.held == 0 && state.waiting.is_empty() {
            entry.remove();
        }
        sender
    }
}

/// Ready with its turn.
impl Future for Place {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The sender is used before it is dropped, as long as this is here.
        Pin::new(&mut self.turn).poll(cx).map(drop)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let sender = self.gate.lock().leave(self.lane, self.number);
        drop(sender);
        self.gate.serve();
    }
}

//! Limit on concurrent calls to the store, shared between the requests that wait.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::oneshot;

use crate::parse::client_ip::network;

/// Slots, and the lanes that wait for them.
///
/// Senders choose IDs, but not networks. Slots therefore rotate among the lanes. Within a lane, the
/// first request is served first.
pub(crate) struct Gate(Mutex<Queue>);

/// Lookups that count as one when slots are assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// IDs for which the store has found a tenant before, from any sender.
    Known,
    /// Network, by its first address.
    Network(IpAddr),
    /// Requests without a known address.
    NoAddress,
}

impl Lane {
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        address.map_or(Self::NoAddress, |address| Self::Network(network(address)))
    }
}

struct Queue {
    slots: usize,
    free: usize,
    /// Lanes that hold a slot or wait for one, and no others.
    lanes: BTreeMap<Lane, State>,
    /// Lanes in which requests wait, in the order in which they are served.
    turns: BTreeMap<u64, Lane>,
    /// Last number that was given to a place or a turn.
    numbers: u64,
}

#[derive(Default)]
struct State {
    held: usize,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    /// Key of the lane in [`Queue::turns`] while a request waits.
    turn: u64,
}

/// Place in a lane and, from its turn on, a slot. Dropping it leaves the lane or returns the slot.
pub(crate) struct Place {
    gate: Arc<Gate>,
    lane: Lane,
    number: u64,
    turn: oneshot::Receiver<()>,
}

impl Gate {
    pub(crate) fn new(slots: usize) -> Self {
        Self(Mutex::new(Queue {
            slots,
            free: slots,
            lanes: BTreeMap::new(),
            turns: BTreeMap::new(),
            numbers: 0,
        }))
    }

    pub(crate) fn slots(&self) -> usize {
        self.lock().slots
    }

    /// Takes a place at the end of this lane.
    pub(crate) fn enter(self: &Arc<Self>, lane: Lane) -> Place {
        let (sender, turn) = oneshot::channel();
        let number = self.lock().enter(lane, sender);
        self.serve();
        Place { gate: Arc::clone(self), lane, number, turn }
    }

    /// Assigns the free slots. No task is woken under the lock, because a waker is foreign code.
    fn serve(&self) {
        while let Some(sender) = { self.lock().serve_one() } {
            // If the receiver is gone, its `Place` returns the slot.
            _ = sender.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic under the lock leaves nothing half done.
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

    /// Assigns a slot to the next lane that may have one. A lane that holds a slot already leaves a
    /// quarter of the slots free for the others, so that no network holds them all.
    fn serve_one(&mut self) -> Option<oneshot::Sender<()>> {
        let reserve = if self.slots < 4 { 0 } else { self.slots.div_ceil(4) };
        if self.free == 0 {
            return None;
        }
        let may_have_one =
            |lane| self.free > reserve || self.lanes.get(lane).is_some_and(|state| state.held == 0);
        // Each lane that is passed over holds a slot, so there are few of them.
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

    /// Removes a place. The caller must drop the sender outside of the lock, because that also
    /// wakes a task.
    #[must_use]
    fn leave(&mut self, lane: Lane, number: u64) -> Option<oneshot::Sender<()>> {
        let Entry::Occupied(mut entry) = self.lanes.entry(lane) else { return None };
        let state = entry.get_mut();
        let sender = state.waiting.remove(&number);
        if sender.is_none() {
            // The place has had its turn, whether it has been polled since or not.
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

/// Completes when it is the place's turn.
impl Future for Place {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The sender is used before it is dropped, as long as this place exists.
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, task::Waker};

    use proptest::prelude::*;

    use super::*;

    fn is_served(place: &mut Place) -> bool {
        Pin::new(place).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn lane(number: u8) -> Lane {
        Lane::of(Some([10, 0, number, 1].into()))
    }

    /// Returns the lanes in the order in which they are served, as one slot after the other is
    /// returned.
    fn served(gate: &Arc<Gate>, held: Vec<Place>, mut waiting: Vec<(u8, Place)>) -> Vec<u8> {
        let mut order = Vec::new();
        drop(held);
        while let Some(at) = waiting.iter_mut().position(|(_, place)| is_served(place)) {
            order.push(waiting.remove(at).0);
        }
        assert!(waiting.is_empty(), "all are served");
        assert_empty(gate);
        order
    }

    fn assert_empty(gate: &Gate) {
        let queue = gate.lock();
        assert_eq!(queue.free, queue.slots);
        assert!(queue.lanes.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn networks_are_one_lane_each() {
        let lane = |address: &str| Lane::of(Some(address.parse().unwrap()));
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.255", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("192.0.2.1", "::ffff:192.0.2.9", true),
            ("2001:db8:1:2::3", "2001:db8:1:ffff::1", true),
            ("2001:db8:1::", "2001:db8:2::", false),
            ("::1", "0.0.0.1", false),
        ] {
            assert_eq!(lane(one) == lane(other), is_same, "{one} {other}");
        }
        assert_eq!(Lane::of(None), Lane::NoAddress);
    }

    #[test]
    fn slots_go_round_the_lanes_first_come_first_served() {
        let gate = Arc::new(Gate::new(1));
        let held = vec![gate.enter(lane(9))];
        let order = [1, 1, 1, 2, 2, 3];
        let waiting = order.map(|number| (number, gate.enter(lane(number))));
        assert_eq!(served(&gate, held, waiting.into()), [1, 2, 3, 1, 2, 1]);

        let held = vec![gate.enter(lane(9))];
        let waiting = [1, 2, 3].map(|number| (number, gate.enter(lane(1))));
        assert_eq!(served(&gate, held, waiting.into()), [1, 2, 3]);
    }

    #[test]
    fn a_lane_leaves_a_quarter_of_the_slots() {
        for (slots, most) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (8, 6), (64, 48)] {
            let gate = Arc::new(Gate::new(slots));
            let mut crowd: Vec<_> = (0..100).map(|_| gate.enter(lane(1))).collect();
            let held = crowd.iter_mut().filter_map(|place| is_served(place).then_some(())).count();
            assert_eq!(held, most, "of {slots}");
            // The remaining slots are for lanes that hold none.
            let mut others: Vec<_> = (2..200).map(|number| gate.enter(lane(number))).collect();
            let held = others.iter_mut().filter_map(|place| is_served(place).then_some(())).count();
            assert_eq!(held, slots - most, "of {slots}");
            drop((crowd, others));
            assert_empty(&gate);
        }
    }

    #[test]
    fn a_slot_for_a_place_that_is_gone_goes_on() {
        let gate = Arc::new(Gate::new(1));
        let [first, second, mut third] = [1, 1, 2].map(|number| gate.enter(lane(number)));
        // The slot now belongs to the second place, which has not been polled.
        drop(first);
        assert_eq!(gate.lock().free, 0);
        drop(second);
        assert!(is_served(&mut third));
        drop(third);
        assert_empty(&gate);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter(u8),
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..5_u8).prop_map(Step::Enter),
            2 => any::<usize>().prop_map(Step::Leave),
        ]
    }

    proptest! {
        /// Checks that, in whatever order requests come and go, no slot is lost or assigned twice,
        /// no lane takes more than its share, no request waits for a slot that it may have, and
        /// nothing is left in the end.
        #[test]
        fn no_order_of_events_loses_a_slot(
            slots in 1..10_usize,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let gate = Arc::new(Gate::new(slots));
            let mut places: Vec<Place> = Vec::new();
            for step in steps {
                match step {
                    Step::Enter(number) => places.push(gate.enter(lane(number))),
                    Step::Leave(_) if places.is_empty() => {}
                    Step::Leave(at) => drop(places.swap_remove(at % places.len())),
                }
                let queue = gate.lock();
                let mut counts = BTreeMap::<Lane, (usize, usize)>::new();
                for place in &places {
                    let (held, waiting) = counts.entry(place.lane).or_default();
                    let state = &queue.lanes[&place.lane];
                    *(if state.waiting.contains_key(&place.number) { waiting } else { held }) += 1;
                }
                let held: usize = counts.values().map(|(held, _)| held).sum();
                prop_assert_eq!(held + queue.free, slots);
                prop_assert_eq!(counts.len(), queue.lanes.len());
                let reserve = if slots < 4 { 0 } else { slots.div_ceil(4) };
                for (lane, (held, waiting)) in counts {
                    let state = &queue.lanes[&lane];
                    prop_assert_eq!((state.held, state.waiting.len()), (held, waiting));
                    prop_assert_eq!(queue.turns.values().any(|turn| *turn == lane), waiting > 0);
                    prop_assert!(held <= 1 || held <= slots - reserve);
                    let may_have_one = queue.free > if held == 0 { 0 } else { reserve };
                    prop_assert!(waiting == 0 || !may_have_one);
                }
            }
            for place in &mut places {
                let lane = place.lane;
                let is_waiting = gate.lock().lanes[&lane].waiting.contains_key(&place.number);
                prop_assert_eq!(is_served(place), !is_waiting, "who has a slot is told");
            }
            drop(places);
            assert_empty(&gate);
        }
    }
}

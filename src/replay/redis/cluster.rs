//! Nodes of a Redis Cluster.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{Cmd, Value};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::replay::{
    redis::{
        connection::{Connect, FIRST_PAUSE, Failure, Link, Manner, no_answer, no_runtime},
        slots::{Node, Slots},
    },
    store::StoreError,
};

/// Maximum number of nodes that are asked for the slots at a time.
const ASKED: usize = 8;

/// Function that returns how a node is connected to.
type ConnectTo = Box<dyn Fn(&Node) -> Connect + Send + Sync>;

/// Nodes of a cluster, each with a link of its own.
///
/// A node that fails or is silent holds up no command to the others, because each node has its own
/// connection, and because the slots are asked for in the background.
pub(crate) struct Cluster {
    connect_to: ConnectTo,
    /// Nodes that are asked while no other one is known or replies.
    seeds: Vec<Node>,
    state: Mutex<State>,
    /// Notified when the nodes have been asked for the slots.
    ended: Notify,
}

#[derive(Default)]
struct State {
    slots: Slots,
    links: HashMap<Node, Arc<Link>>,
    is_looking: bool,
    /// Time of the last inquiry, and its result if it failed.
    looked: Option<(Instant, Option<StoreError>)>,
    /// Number of inquiries, so that others are asked if there are many nodes.
    turn: usize,
}

/// Next step of a command.
enum Next {
    Use(Arc<Link>),
    /// An inquiry is in progress.
    Wait,
    Fail(StoreError),
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Node>, connect_to: ConnectTo) -> Arc<Self> {
        Arc::new(Self { connect_to, seeds, state: Mutex::default(), ended: Notify::new() })
    }

    /// Returns the link to the primary of a slot.
    pub(crate) async fn primary(
        self: &Arc<Self>,
        slot: u16,
        limit: Duration,
    ) -> Result<Arc<Link>, StoreError> {
        loop {
            let ended = self.ended.notified();
            match self.next(slot, limit) {
                Next::Use(link) => return Ok(link),
                Next::Wait => ended.await,
                Next::Fail(reason) => return Err(reason),
            }
        }
    }

    fn next(self: &Arc<Self>, slot: u16, limit: Duration) -> Next {
        let mut state = self.state();
        if let Some(node) = state.slots.primary(slot).cloned() {
            return Next::Use(self.link(&mut state, &node));
        }
        if state.is_looking {
            return Next::Wait;
        }
        if let Some((at, reason)) = &state.looked
            && at.elapsed() < FIRST_PAUSE
        {
            let unserved = || StoreError::new("no node of the cluster serves the key's slot");
            return Next::Fail(reason.clone().unwrap_or_else(unserved));
        }
        drop(state);
        if self.look_again(limit) { Next::Wait } else { Next::Fail(no_runtime()) }
    }

    fn link(&self, state: &mut State, node: &Node) -> Arc<Link> {
        let link = state.links.entry(node.clone());
        Arc::clone(link.or_insert_with(|| Link::in_cluster((self.connect_to)(node))))
    }

    /// Returns the link to the node at an address that the node of another link has redirected to.
    pub(crate) fn redirected(&self, address: &str, from: &Arc<Link>) -> Option<Arc<Link>> {
        let mut state = self.state();
        let replied = state.links.iter().find(|(_, link)| Arc::ptr_eq(link, from));
        let node = Node::of_redirection(address, replied.map(|(node, _)| node)?)?;
        Some(self.link(&mut state, &node))
    }

    /// Asks the nodes for the slots in the background, unless they were asked a moment ago.
    ///
    /// Returns `false` without a runtime.
    pub(crate) fn look_again(self: &Arc<Self>, limit: Duration) -> bool {
        let Ok(runtime) = Handle::try_current() else { return false };
        let mut state = self.state();
        let is_spaced = state.looked.as_ref().is_none_or(|(at, _)| at.elapsed() >= FIRST_PAUSE);
        if state.is_looking || !is_spaced {
            return true;
        }
        state.is_looking = true;
        state.turn = state.turn.wrapping_add(1);
        // A runtime that has shut down drops the task immediately, and the drop takes the lock.
        drop(state);
        let inquiry = Inquiry(Some(Arc::clone(self)));
        runtime.spawn(inquiry.run(limit));
        true
    }

    /// Returns some of the nodes, others in each turn, or the seeds.
    fn some(&self, are_known: bool) -> Vec<(Node, Arc<Link>)> {
        let mut state = self.state();
        let mut nodes: Vec<Node> =
            if are_known { state.slots.nodes().cloned().collect() } else { self.seeds.clone() };
        nodes.sort_unstable_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        nodes.dedup();
        let first = (state.turn * ASKED).checked_rem(nodes.len()).unwrap_or_default();
        nodes.rotate_left(first);
        nodes.truncate(ASKED);
        nodes.into_iter().map(|node| (node.clone(), self.link(&mut state, &node))).collect()
    }

    /// Returns the slots as most of these nodes know them.
    ///
    /// One that was cut off or stopped for a while has outdated ones.
    async fn ask(nodes: Vec<(Node, Arc<Link>)>, limit: Duration) -> Result<Slots, StoreError> {
        let majority = nodes.len() / 2 + 1;
        let mut reason = StoreError::new("no node of the cluster is known");
        let mut asked = JoinSet::new();
        for (node, link) in nodes {
            asked.spawn(async move { slots(&node, &link, limit).await });
        }
        let mut replies: Vec<(Slots, usize)> = Vec::new();
        // After the first reply, the others have little time: a silent node must not hold it up.
        let patience = |replies: &[_]| if replies.is_empty() { limit } else { FIRST_PAUSE };
        while let Ok(Some(answer)) = timeout(patience(&replies), asked.join_next()).await {
            match answer.map_err(StoreError::new).and_then(|slots| slots) {
                Ok(slots) => match replies.iter_mut().find(|(known, _)| known.agrees(&slots)) {
                    Some((_, count)) => *count += 1,
                    None => replies.push((slots, 1)),
                },
                Err(error) => reason = error,
            }
            if replies.iter().any(|(_, count)| *count >= majority) {
                break;
            }
        }
        let best = replies.into_iter().max_by_key(|(_, count)| *count);
        best.map(|(slots, _)| slots).ok_or(reason)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks one node for the slots.
async fn slots(node: &Node, link: &Arc<Link>, limit: Duration) -> Result<Slots, StoreError> {
    let connected = link.connected(limit).await?;
    let (mut command, answers_before) = (Cmd::new(), connected.answers());
    command.arg("CLUSTER").arg("SLOTS");
    let manner = Manner { writes: false, is_asking: false };
    let Ok(reply) = timeout(limit, link.ask::<Value>(&connected, &command, manner)).await else {
        link.timed_out(&connected, answers_before);
        return Err(no_answer());
    };
    let reply = reply.map_err(Failure::into_error)?;
    Slots::of_reply(&reply, node)
        .ok_or_else(|| StoreError::new("reply to CLUSTER SLOTS without slots"))
}

/// Inquiry for the slots.
///
/// However it ends, it notifies those who wait.
struct Inquiry(Option<Arc<Cluster>>);

impl Inquiry {
    async fn run(mut self, limit: Duration) {
        let Some(cluster) = &self.0 else { return };
        let known = cluster.some(true);
        let found = match Cluster::ask(known, limit).await {
            Ok(slots) => Ok(slots),
            Err(_) => Cluster::ask(cluster.some(false), limit).await,
        };
        self.end(found);
    }

    fn end(&mut self, found: Result<Slots, StoreError>) {
        let Some(cluster) = self.0.take() else { return };
        let mut state = cluster.state();
        state.is_looking = false;
        let mut reason = None;
        match found {
            Ok(slots) => {
                for node in slots.nodes() {
                    cluster.link(&mut state, node);
                }
                let is_known = |node: &Node| {
                    cluster.seeds.contains(node) || slots.nodes().any(|known| known == node)
                };
                state.links.retain(|node, _| is_known(node));
                state.slots = slots;
            }
            Err(error) => reason = Some(error),
        }
        state.looked = Some((Instant::now(), reason));
        drop(state);
        cluster.ended.notify_waiters();
    }
}

impl Drop for Inquiry {
    /// Ends an inquiry whose runtime has shut down.
    fn drop(&mut self) {
        self.end(Err(StoreError::new("inquiry for the cluster's slots aborted")));
    }
}

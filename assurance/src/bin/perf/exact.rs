//! Allocations and sizes, which are counted and not timed: G2, G9.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Pending,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{Empty, Full};
use tower::Service;
use tower_webhook::{
    BufferedBody, SignatureLayer, Verifier,
    layer::ResponseFuture,
    providers::{Meta, StandardWebhooks, Twilio},
};

use crate::{
    catalogue::{self, Sender},
    report::{Row, row},
    starts::Values,
    subjects,
    support::allocations as count,
};

/// Allocations above no layer: those of a mark, and of the layer in one frame and in four.
struct Found {
    name: &'static str,
    mark: u64,
    one: u64,
    four: u64,
}

fn allocated(send: &mut dyn FnMut(usize), frames: usize) -> u64 {
    // The first call may do what is done once.
    send(frames);
    let before = count();
    send(frames);
    count() - before
}

fn find(mut sender: Sender) -> Found {
    let none = allocated(&mut sender.no_layer, 1);
    Found {
        name: sender.name,
        mark: allocated(&mut sender.mark, 1) - none,
        one: allocated(&mut sender.layer, 1) - none,
        four: allocated(&mut sender.layer, 4) - none,
    }
}

/// Counts the providers by their allocations, and names those that have most.
fn told(found: &[Found], pick: fn(&Found) -> u64) -> String {
    let mut counts = BTreeMap::<u64, usize>::new();
    for found in found {
        *counts.entry(pick(found)).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(most, count)| format!("{most} for {count}")).collect();
    let mut found: Vec<_> = found.iter().map(|found| (pick(found), found.name)).collect();
    found.sort_unstable();
    let most: Vec<_> = found.iter().rev().take(4).map(|(_, name)| *name).collect();
    format!("{}; most for {}", counts.join(", "), most.join(", "))
}

pub(crate) fn allocations() -> Vec<Row> {
    let found: Vec<_> = catalogue::all().into_iter().map(find).collect();
    let twilio = subjects::twilio();
    let form = find(Sender::new("twilio", &SignatureLayer::new(twilio.verifier), twilio.request));
    let mark = form.mark;
    let most = |pick: fn(&Found) -> u64| found.iter().map(pick).max().unwrap_or_default();
    vec![
        row(
            format!("{} HMAC providers, one frame: the mark's {mark} and none more", found.len()),
            told(&found, |found| found.one),
            format!("no layer, but a mark: {mark}"),
            most(|found| found.one) <= mark,
        ),
        row(
            "the same in four frames: the mark's and 1 more",
            told(&found, |found| found.four),
            format!("no layer, but a mark: {mark}"),
            most(|found| found.four) <= mark + 1,
        ),
        row(
            "Twilio's form of 1 KiB: at most 6 above no layer",
            format!("{}", form.one),
            format!("no layer, but a mark: {mark}"),
            form.one <= 6,
        ),
    ]
}

/// Its future takes no room.
struct Nothing;

impl Service<Request<BufferedBody>> for Nothing {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        std::future::pending()
    }
}

fn size<V: Verifier + Clone>() -> usize {
    size_of::<ResponseFuture<V, Nothing, Empty<Bytes>>>()
}

/// Values that must be the same in each build, and with a subscriber: the size of the future, and the
/// allocations of all providers.
pub(crate) fn once() -> Values {
    let mut values = Values::default();
    values.add("bytes", size::<Meta>() as f64);
    let found: Vec<_> = catalogue::all().into_iter().map(find).collect();
    values.add("allocations", found.iter().map(|found| (found.one + found.four) as f64).sum());
    values
}

pub(crate) fn sizes() -> Vec<Row> {
    let meta = size::<Meta>();
    vec![row(
        "`ResponseFuture` without inner future and body, HMAC-SHA256: ≤ 600 bytes",
        format!("{meta} bytes with `Meta`"),
        format!(
            "its state {}, the head {}; with `StandardWebhooks` {}, `Twilio` {}",
            size_of::<<Meta as Verifier>::State>(),
            size_of::<Parts>(),
            size::<StandardWebhooks>(),
            size::<Twilio>()
        ),
        meta <= 600,
    )]
}

//! Allocations and sizes, which are counted and not timed: G2, G9.

use std::{
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

/// Names those that are above the least.
fn above(found: &[Found], least: u64, pick: fn(&Found) -> u64) -> String {
    let above = found.iter().filter(|found| pick(found) > least);
    let above: Vec<_> = above.map(|found| format!("{} {}", found.name, pick(found))).collect();
    if above.is_empty() {
        "none above that".into()
    } else {
        format!("above that {}", above.join(", "))
    }
}

pub(crate) fn allocations() -> Vec<Row> {
    let found: Vec<_> = catalogue::all().into_iter().map(find).collect();
    let twilio = subjects::twilio();
    let form = find(Sender::new("twilio", &SignatureLayer::new(twilio.verifier), twilio.request));
    let mark = form.mark;
    let most = |pick: fn(&Found) -> u64| found.iter().map(pick).max().unwrap_or_default();
    let usual = found.iter().filter(|found| found.one <= mark).count();
    vec![
        row(
            format!("{} HMAC providers, one frame: the mark's {mark} and none more", found.len()),
            format!("{mark} for {usual}; {}", above(&found, mark, |found| found.one)),
            format!("no layer, but a mark: {mark}"),
            most(|found| found.one) <= mark,
        ),
        row(
            "the same in four frames: the mark's and 1 more",
            above(&found, mark + 1, |found| found.four),
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

pub(crate) fn sizes() -> Vec<Row> {
    fn size<V: Verifier + Clone>() -> usize {
        size_of::<ResponseFuture<V, Nothing, Empty<Bytes>>>()
    }
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

//! Bodies for the layer.

use std::{
    cell::Cell,
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, buf::Chain};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub enum Event<'a> {
    Data(&'a [u8]),
    /// In two pieces, as a buffer that is none.
    Pieces(&'a [u8], &'a [u8]),
    Empty,
    Trailers(u8),
    Error,
    Pending,
}

thread_local! {
    /// How often a script has been polled.
    pub static POLLS: Cell<usize> = const { Cell::new(0) };
}

/// A body that follows a script; polling it after its end is a mistake.
pub struct Script {
    events: VecDeque<OwnEvent>,
    declared: u64,
    has_ended: bool,
}

enum OwnEvent {
    Data(Chain<Bytes, Bytes>),
    Trailers(HeaderMap),
    Error,
    Pending,
}

impl Script {
    pub fn new(events: &[Event<'_>], declared: u64) -> Self {
        let copy = Bytes::copy_from_slice;
        let own = |event: &Event<'_>| match *event {
            Event::Data(data) => OwnEvent::Data(copy(data).chain(Bytes::new())),
            Event::Pieces(a, b) => OwnEvent::Data(copy(a).chain(copy(b))),
            Event::Empty => OwnEvent::Data(Bytes::new().chain(Bytes::new())),
            Event::Trailers(count) => OwnEvent::Trailers(trailers(count)),
            Event::Error => OwnEvent::Error,
            Event::Pending => OwnEvent::Pending,
        };
        let events = events.iter().map(own).collect();
        Self { events, declared, has_ended: false }
    }
}

/// Calls a service that answers at once, and reads its answer.
pub fn answer<S, B, R>(
    mut service: S,
    request: http::Request<B>,
) -> (http::response::Parts, Vec<u8>)
where
    S: tower_service::Service<
            http::Request<B>,
            Response = http::Response<R>,
            Error: std::fmt::Debug,
        >,
    R: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let future = std::pin::pin!(service.call(request));
    let Poll::Ready(response) = future.poll(&mut cx) else { panic!("it waits") };
    let (parts, own) = response.unwrap().into_parts();
    let (mut own, mut answer) = (std::pin::pin!(own), Vec::new());
    while let Poll::Ready(Some(Ok(frame))) = own.as_mut().poll_frame(&mut cx) {
        answer.extend(frame.into_data().unwrap_or_default());
    }
    (parts, answer)
}

pub fn trailers(count: u8) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for _ in 0..count % 4 {
        trailers.append("x-trailer", u16::from(count).into());
    }
    trailers
}

/// What a whole body of these events is; `None` where it breaks off.
pub fn whole(events: &[Event<'_>]) -> Option<(Vec<u8>, Option<HeaderMap>)> {
    let (mut body, mut all) = (Vec::new(), None::<HeaderMap>);
    for event in events {
        match *event {
            Event::Data(data) => body.extend(data),
            Event::Pieces(a, b) => body.extend([a, b].concat()),
            Event::Trailers(count) => {
                let all = all.get_or_insert_default();
                for (name, value) in &trailers(count) {
                    all.append(name, value.clone());
                }
            }
            Event::Error => return None,
            Event::Empty | Event::Pending => {}
        }
    }
    Some((body, all))
}

impl Body for Script {
    type Data = Chain<Bytes, Bytes>;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        assert!(!self.has_ended, "polled after its end");
        POLLS.set(POLLS.get() + 1);
        Poll::Ready(match self.events.pop_front() {
            Some(OwnEvent::Data(data)) => Some(Ok(Frame::data(data))),
            Some(OwnEvent::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(OwnEvent::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(OwnEvent::Error) => {
                self.has_ended = true;
                Some(Err(std::io::Error::other("it broke off")))
            }
            None => {
                self.has_ended = true;
                None
            }
        })
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.declared);
        hint
    }
}

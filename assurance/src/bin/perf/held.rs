//! Large uploads: what unsigned ones hold, for G7, and how soon a signed one is answered: G8.

use std::{
    convert::Infallible,
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hmac::Mac;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
};
use tower::{Layer, Service, service_fn};
use tower_webhook::BufferedBody;

use crate::{
    client::{Server, answer, head, parse},
    report::{Row, row},
    server::SMALL_BUFFERS,
    support::{Spread, bytes as allocated, cases, frames::Frames, ready, signature::keyed},
};

const UPLOADS: usize = 1000;
const MIB: usize = 1 << 20;
const FRAME: usize = 16 << 10;

async fn drops(request: Request<BufferedBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request);
    Ok(Response::new(Full::default()))
}

/// Sends all of an unsigned upload but its last byte, and that one when it is released.
async fn upload(
    mut stream: TcpStream,
    wire: Vec<u8>,
    body: Bytes,
    mut released: watch::Receiver<bool>,
) -> TcpStream {
    stream.write_all(&wire).await.unwrap();
    stream.write_all(&body[1..]).await.unwrap();
    released.wait_for(|released| *released).await.unwrap();
    stream.write_all(&body[..1]).await.unwrap();
    let (mut buffer, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        if let Some((answer, _)) = parse(&buffer) {
            assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
            return stream;
        }
        let read = stream.read(&mut chunk).await.unwrap();
        assert_ne!(read, 0, "an answer is lost");
        buffer.extend_from_slice(&chunk[..read]);
    }
}

/// Waits until the server has read what was sent: its processor rests and its memory stays.
async fn rests(server: &Server) {
    let (mut last, mut still) = ((Duration::ZERO, 0.0), 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    while still < 5 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = (server.cpu(), server.resident());
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
}

/// A new server under a thousand unsigned uploads: MiB above idle while their last bytes are missing,
/// and after their answers, on kept connections.
fn hold(kind: &str) -> [f64; 2] {
    let server = Server::start(kind);
    let body = Bytes::from(vec![b'x'; MIB]);
    let wire = head(&Request::new(body.clone()), "");
    let mut first = server.connect();
    first.write_all(&[&wire[..], &body].concat()).unwrap();
    answer(&mut first, &mut Vec::new()).unwrap();
    drop(first);
    thread::sleep(Duration::from_millis(200));
    let idle = server.resident();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (release, released) = watch::channel(false);
        let mut senders = JoinSet::new();
        for number in 0..UPLOADS {
            // The kernel takes connections before the server does, and loses some if its queue is full.
            if number % 32 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let stream = TcpStream::connect(server.address()).await.unwrap();
            senders.spawn(upload(stream, wire.clone(), body.clone(), released.clone()));
        }
        rests(&server).await;
        let stalled = server.resident() - idle;
        release.send(true).unwrap();
        let kept = senders.join_all().await;
        rests(&server).await;
        let ended = server.resident() - idle;
        drop(kept);
        [stalled, ended]
    })
}

pub(crate) fn unsigned() -> Vec<Row> {
    let told = |[stalled, ended]: [f64; 2]| format!("{stalled:.0} MiB stalled, {ended:.0} ended");
    [("hyper's defaults", ""), ("`max_buf_size` of 16 KiB", SMALL_BUFFERS)]
        .into_iter()
        .map(|(buffers, ending)| {
            let kinds = ["layer", "reads and drops"].map(|kind| format!("{kind}{ending}"));
            let [layer, dropped] = kinds.each_ref().map(|kind| hold(kind));
            row(
                format!(
                    "1,000 unsigned uploads of 1 MiB: memory of the process above idle, with {buffers}"
                ),
                told(layer),
                format!("a handler that reads and drops: {}", told(dropped)),
                None,
            )
        })
        .collect()
}

/// A body whose frames share their bytes, so that those still held can be counted.
struct Shared {
    frame: Arc<[u8]>,
    left: usize,
    /// The most frames that were held when another one was asked for.
    held: Arc<Mutex<usize>>,
}

/// A frame's share of the bytes.
struct Share(Arc<[u8]>);

impl AsRef<[u8]> for Share {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Body for Shared {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let now = Arc::strong_count(&self.frame) - 1;
        {
            let mut held = self.held.lock().unwrap();
            *held = now.max(*held);
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        let share = Share(Arc::clone(&self.frame));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(share)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.frame.len()) as u64)
    }
}

/// In this process: whether the layer keeps or copies a body that it drains.
pub(crate) fn drained() -> Row {
    let mut service = cases::layer().layer(service_fn(drops));
    let mut bytes = |body: Bytes| {
        let request = || Request::post("/").body(Frames::new(body.clone(), FRAME)).unwrap();
        let mut last = 0;
        for _ in 0..2 {
            let request = request();
            let before = allocated().0;
            let Ok(response) = ready(service.call(request));
            last = allocated().0 - before;
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
        }
        last
    };
    let (empty, full) = (bytes(Bytes::new()), bytes(vec![b'x'; MIB].into()));
    let held = Arc::default();
    let frame = vec![b'x'; FRAME].into();
    let body = Shared { frame, left: MIB / FRAME, held: Arc::clone(&held) };
    let Ok(_) = ready(service.call(Request::post("/").body(body).unwrap()));
    let held = *held.lock().unwrap();
    row(
        "the layer holds no byte of a drained body: 1 MiB in 64 frames",
        format!("{full} bytes allocated; {held} frames held when the next one is read"),
        format!("an empty body: {empty} bytes allocated"),
        full <= empty && held == 0,
    )
}

/// Microseconds from the last byte of 1 MiB to the answer: the median of each of several servers,
/// started by turns, because a server's memory makes it fast or slow for as long as it runs.
fn last_byte(kinds: &[&str]) -> Vec<Vec<f64>> {
    const TURNS: usize = 21;
    const UPLOADS: usize = 30;
    let body = Bytes::from(vec![b'x'; MIB]);
    let wire = head(&cases::request(&body), "");
    let mut times: Vec<_> = kinds.iter().map(|_| Vec::new()).collect();
    for _ in 0..TURNS {
        for (kind, times) in kinds.iter().zip(&mut times) {
            let server = Server::start(kind);
            let mut stream = server.connect();
            let uploads = (0..UPLOADS).map(|_| {
                stream.write_all(&wire).unwrap();
                stream.write_all(&body).unwrap();
                let start = Instant::now();
                assert_eq!(answer(&mut stream, &mut Vec::new()).unwrap().status, 200);
                start.elapsed().as_secs_f64() * 1e6
            });
            // The first ones warm up.
            times.push(Spread::of(uploads.skip(5).collect()).median);
        }
    }
    times
}

/// In this process: microseconds after the last frame, beside those of its hash.
fn after_last_frame() -> (Spread, Spread) {
    let body = Bytes::from(vec![b'x'; MIB]);
    let signed = cases::request(&body);
    let (mut last, mut hash) = (Vec::new(), Vec::new());
    let mut service = cases::layer().body_deadline(None).layer(service_fn(drops));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..200 {
        let request = signed.clone().map(|body| Frames::new(body, FRAME).waiting());
        let mut future = Box::pin(service.call(request));
        while future.as_mut().poll(&mut context).is_pending() {
            let start = Instant::now();
            let Poll::Ready(Ok(_)) = future.as_mut().poll(&mut context) else { continue };
            last.push(start.elapsed().as_secs_f64() * 1e6);
            break;
        }
        let start = Instant::now();
        std::hint::black_box(keyed().chain_update(&body[..FRAME]).finalize());
        hash.push(start.elapsed().as_secs_f64() * 1e6);
    }
    (Spread::of(last), Spread::of(hash))
}

pub(crate) fn uploads() -> Vec<Row> {
    let kinds = ["unverified", "by hand", "one buffer by hand", "layer"];
    let times = last_byte(&kinds);
    let median = |at: usize| Spread::of(times[at].clone()).median;
    let pairs = times[3].iter().zip(&times[2]);
    let ratio = Spread::of(pairs.map(|(layer, one)| layer / one).collect());
    let told: Vec<_> = (0..3).map(|at| format!("{} {:.0} µs", kinds[at], median(at))).collect();
    let (last, hash) = after_last_frame();
    vec![
        row(
            "server, last byte of 1 MiB to the answer ≤ one buffer by hand",
            format!("{ratio} ×; {:.0} µs", median(3)),
            told.join(", "),
            ratio.median <= 1.0,
        ),
        row(
            "after the last frame of 1 MiB ≤ 20 µs remain",
            format!("{last:.1} µs"),
            format!("its hash alone {hash:.1} µs"),
            last.median <= 20.0,
        ),
    ]
}

//! Many large uploads at once, and one: G8.

use std::{
    cell::Cell,
    convert::Infallible,
    hint::black_box,
    io::Write,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hmac::Mac;
use http::{Request, Response};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    task::JoinSet,
};
use tower::{Layer, Service, service_fn};
use tower_webhook::BufferedBody;

use crate::{
    client::{Server, answer, head, parse},
    report::{Row, row},
    support::{Spread, bytes as allocated, cases, frames::Frames, signature::keyed},
};

const UPLOADS: usize = 1000;
const MIB: usize = 1 << 20;
const FRAME: usize = 16 << 10;

fn upload() -> (Vec<u8>, Bytes) {
    let body = Bytes::from(vec![b'x'; MIB]);
    (head(&cases::request(&body), ""), body)
}

/// A new server under a thousand uploads, whose last bytes come when it has all others: MiB above idle
/// before those come.
fn hold(kind: &str) -> f64 {
    let server = Server::start(kind);
    let (wire, body) = upload();
    let mut first = server.connect();
    first.write_all(&wire).unwrap();
    let _ = first.write_all(b"x");
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
            let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
            let (wire, body) = (wire.clone(), body.clone());
            let mut released = released.clone();
            senders.spawn(async move {
                let mut written = stream.write_all(&wire).await;
                if written.is_ok() {
                    written = stream.write_all(&body[..MIB - 1]).await;
                }
                released.wait_for(|released| *released).await.unwrap();
                if written.is_ok() {
                    let _ = stream.write_all(&body[MIB - 1..]).await;
                }
                let (mut buffer, mut chunk) = (Vec::new(), [0; 1024]);
                loop {
                    if let Some((answer, _)) = parse(&buffer) {
                        return answer.status;
                    }
                    let read = stream.read(&mut chunk).await.unwrap();
                    assert_ne!(read, 0, "an answer is lost");
                    buffer.extend_from_slice(&chunk[..read]);
                }
            });
        }
        // Until it has read what was sent: its processor rests and its memory stays.
        let (mut last, mut still) = ((Duration::ZERO, 0.0), 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        while still < 5 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = (server.cpu(), server.resident());
            still = if now == last { still + 1 } else { 0 };
            last = now;
        }
        let held = server.resident() - idle;
        release.send(true).unwrap();
        while let Some(status) = senders.join_next().await {
            assert_eq!(status.unwrap(), 200, "{kind}");
        }
        held
    })
}

/// Microseconds from the last byte of 1 MiB to the answer, by turns.
fn last_byte(kinds: &[&str]) -> Vec<Vec<f64>> {
    let servers: Vec<_> = kinds.iter().map(|kind| Server::start(kind)).collect();
    let (wire, body) = upload();
    let mut streams: Vec<_> = servers.iter().map(Server::connect).collect();
    let mut times: Vec<_> = kinds.iter().map(|_| Vec::new()).collect();
    for round in 0..155 {
        for (stream, times) in streams.iter_mut().zip(&mut times) {
            stream.write_all(&wire).unwrap();
            stream.write_all(&body).unwrap();
            let start = Instant::now();
            assert_eq!(answer(stream, &mut Vec::new()).unwrap().status, 200);
            if round >= 5 {
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    times
}

/// In this process: microseconds after the last frame beside those of its hash, and how often the
/// body is copied at least and at most.
fn frames() -> (Spread, Spread, f64, f64) {
    let body = Bytes::from(vec![b'x'; MIB]);
    let signed = cases::request(&body);
    let (mut last, mut hash) = (Vec::new(), Vec::new());
    let (is_copied, mut moved) = (Cell::new(false), 0.0);
    let inner = service_fn(async |request: Request<BufferedBody>| {
        is_copied.set(!body.as_ptr_range().contains(&request.body().bytes().as_ptr()));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let mut service = cases::layer().body_deadline(None).layer(inner);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..200 {
        let request = signed.clone().map(|body| Frames::new(body, FRAME).waiting());
        let before = allocated();
        let mut future = Box::pin(service.call(request));
        while future.as_mut().poll(&mut context).is_pending() {
            let is_last = Instant::now();
            let Poll::Ready(Ok(_)) = future.as_mut().poll(&mut context) else { continue };
            last.push(is_last.elapsed().as_secs_f64() * 1e6);
            break;
        }
        let after = allocated();
        // The growth of the buffer may have moved what it held.
        moved = (after.1 - before.1) as f64 / MIB as f64;
        let start = Instant::now();
        black_box(keyed().chain_update(&body[..FRAME]).finalize());
        hash.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let copied = f64::from(u8::from(is_copied.get()));
    (Spread::of(last), Spread::of(hash), copied, copied + moved)
}

pub(crate) fn uploads() -> Vec<Row> {
    let kinds = ["unverified", "by hand", "one buffer by hand", "layer"];
    let held = kinds.map(|kind| hold(kind) / UPLOADS as f64);
    let times = last_byte(&kinds);
    let median = |at: usize| Spread::of(times[at].clone()).median;
    let ratio =
        Spread::of(times[3].iter().zip(&times[2]).map(|(layer, one)| layer / one).collect());
    let (last, hash, least, most) = frames();
    let baselines = |value: &dyn Fn(usize) -> String| {
        (0..3).map(|at| format!("{} {}", kinds[at], value(at))).collect::<Vec<_>>().join(", ")
    };
    vec![
        row(
            "1,000 signed uploads of 1 MiB held within 1.08 × their size",
            format!("{:.3} ×", held[3]),
            baselines(&|at| format!("{:.3} ×", held[at])),
            held[3] <= 1.08,
        ),
        row(
            "last byte of 1 MiB to the answer ≤ 1.1 × one buffer by hand",
            format!("{ratio} ×; {:.0} µs", median(3)),
            baselines(&|at| format!("{:.0} µs", median(at))),
            ratio.median <= 1.1,
        ),
        row(
            "after the last frame of 1 MiB ≤ 20 µs remain",
            format!("{last:.1} µs"),
            format!("its hash alone {hash:.1} µs"),
            last.median <= 20.0,
        ),
        row(
            "1 MiB in frames of 16 KiB is copied at most once",
            format!("{least:.2} to {most:.2} times"),
            "the more if the allocator moves what grows by copying it",
            most <= 1.0,
        ),
    ]
}

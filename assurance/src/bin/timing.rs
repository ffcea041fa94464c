//! Whether the time of a verdict tells more than the verdict: Welch's t-test over two classes of
//! requests, as dudect does it (Reparaz, Balasch, Verbauwhede, 2017). The classes come in random
//! order. Beside the test over all samples there are 100 over those faster than a percentile, and
//! the largest |t| counts: noise of the machine is slow, a leak need not be.

use std::{
    convert::Infallible,
    env,
    future::Future,
    hint::black_box,
    pin::pin,
    process::ExitCode,
    sync::atomic::{Ordering, fence},
    task::{Context, Poll, Waker},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, request::Parts};
use http_body_util::Full;
use tokio::runtime::Builder;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Secret, SignatureLayer,
    explain::Explainer,
    observe::Event,
    providers::{GitHub, StandardWebhooks},
    sign::{Sign, Signing},
    tenants::{TenantId, Tenants},
    verify,
};

/// From here on the classes differ; dudect's own limit.
const LIMIT: f64 = 4.5;
/// The least that the leak of the control must show, or the test is blind.
const CONTROL: f64 = 50.0;
const SECRET: &str = "the secret of the measurement";

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Left,
    Right,
}

/// xorshift64*: no secret depends on it.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn class(&mut self) -> Class {
        if self.next() >> 63 == 0 { Class::Left } else { Class::Right }
    }

    fn body(&mut self) -> Bytes {
        (0..8).flat_map(|_| self.next().to_le_bytes()).collect::<Vec<u8>>().into()
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    // The way here differs by class. What it left in the store buffer and in the history by which
    // branches are predicted must not be measured with the work.
    for step in 0..4000 {
        black_box(step);
    }
    fence(Ordering::SeqCst);
    let begin = Instant::now();
    black_box(work());
    begin.elapsed().as_nanos() as f64
}

/// The control: what a verifier must not do.
#[inline(never)]
fn leaks(tag: &[u8; 32], candidate: &[u8; 32]) -> bool {
    for at in 0..32 {
        if black_box(tag[at]) != black_box(candidate[at]) {
            return false;
        }
    }
    true
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).map(|text| text.parse::<usize>());
    let samples = arguments.next().transpose().ok().flatten().unwrap_or(1_000_000);
    let runs = arguments.next().transpose().ok().flatten().unwrap_or(3) as u64;
    let mut report = Report { runs, is_met: true };
    println!(
        "| classes | samples a run | largest \\|t\\| of each run (difference of the medians) | goal |\n|---|---|---|---|"
    );

    report.row(
        "control: `==` that ends at the first difference, first or last byte",
        samples,
        Goal::Caught,
        {
            let tag = [0x5a; 32];
            move |_, class| {
                let mut candidate = tag;
                candidate[if class == Class::Left { 0 } else { 31 }] ^= 1;
                timed(|| leaks(&tag, &candidate))
            }
        },
    );

    let github = GitHub::new(secret(SECRET)).unwrap();
    report.row("signature wrong in its first byte, or its last", samples, Goal::Alike, {
        let github = github.clone();
        move |random, class| {
            let body = random.body();
            let at = 31 * class as usize;
            let head = changed(signed(&github, &body), at, random);
            timed(|| verify(&github, &head, &body))
        }
    });

    report.row("shared token right, or wrong in some byte", samples, Goal::Alike, {
        let token = secret("0123456789abcdef0123456789abcdef");
        move |random, class| {
            let mut candidate = token.expose().to_vec();
            let flip = u8::from(class == Class::Right);
            candidate[(random.next() % 32) as usize] ^= flip;
            timed(|| token.matches(&candidate))
        }
    });

    let keys: Vec<Secret> = (1..=16).map(|n| secret(&format!("secret number {n:02}"))).collect();
    report.row("signed with the first of 16 secrets, or the last", samples / 4, Goal::Alike, {
        let verifier = GitHub::new(keys.clone()).unwrap();
        let signers =
            [GitHub::new(keys[0].clone()).unwrap(), GitHub::new(keys[15].clone()).unwrap()];
        move |random, class| {
            let body = random.body();
            let head = signed(&signers[class as usize], &body);
            timed(|| verify(&verifier, &head, &body))
        }
    });

    report.row("the first of 8 signatures good, or the last", samples / 4, Goal::Alike, {
        let of = |key| StandardWebhooks::new(secret(key)).expect("it is base64");
        let verifier = of("whsec_c2VjcmV0IG9mIHRoZSBtZWFzdXJlbWVudA");
        let stranger = of("whsec_YW5vdGhlciBvbmUncyBzZWNyZXQsIGFzIGxvbmc");
        move |random, class| {
            let body = random.body();
            let mut head = signed(&verifier, &body);
            let good = signature(&verifier, &body);
            let place = 7 * class as usize;
            let mut list: Vec<String> = (0..8).map(|at| signature(&stranger, &[at])).collect();
            list[place] = good;
            head.headers.insert("webhook-signature", list.join(" ").parse().expect("visible"));
            timed(|| verify(&verifier, &head, &body))
        }
    });

    report.row(
        "tenant unknown, or its signature bad (both in the caches)",
        samples / 10,
        Goal::Within(20.0),
        {
            let mut send = tenants();
            let signer = GitHub::new(secret("not the tenants'")).unwrap();
            move |random, class| {
                let body = random.body();
                let mut head = signed(&signer, &body);
                head.uri = path(class, random.next() % 16);
                timed(|| send(head, body))
            }
        },
    );

    report.row("rejection by a layer with explanations, or without", samples / 4, Goal::Alike, {
        let stranger = GitHub::new(secret("a stranger's")).unwrap();
        // Many of each, in turn, and their services after all layers: where one lies in memory must
        // not count, and a layer without explanations frees memory that its service would take.
        let layer = || SignatureLayer::new(github.clone()).observer(|_: &Event<'_>| ());
        let pair = |_| [layer(), layer().without_explanations()];
        let layers: Vec<_> = (0..64).map(pair).collect();
        let mut sends: Vec<_> = layers.into_iter().map(|pair| pair.map(poll_of)).collect();
        move |random, class| {
            let body = random.body();
            let head = signed(&stranger, &body);
            let send = &mut sends[(random.next() % 64) as usize][class as usize];
            timed(|| send(head, body))
        }
    });

    report.row("explanation finds the cause, or nothing", samples / 20, Goal::Alike, {
        let layer = SignatureLayer::new(github.clone()).observer(|_: &Event<'_>| ());
        let mut send = poll_of(layer.explainer(Explainer::new().per_minute(u32::MAX)));
        move |random, class| {
            // The text that was signed, and one of the same length. The other arrives.
            let number = random.next();
            let texts = [format!("{{\"n\": {number}}}"), format!("{{\"n\":-{number}}}")];
            let head = signed(&github, texts[class as usize].as_bytes());
            let body = Bytes::from(format!("{{\"n\":{number}}}"));
            timed(|| send(head, body))
        }
    });

    let github = GitHub::new(secret(SECRET)).unwrap();
    report.row("whole verification of a good signature, or a bad one", samples, Goal::None, {
        move |random, class| {
            let body = random.body();
            let good = signed(&github, &body);
            let bad = changed(signed(&github, &body), (random.next() % 32) as usize, random);
            let head = if class == Class::Left { good } else { bad };
            timed(|| verify(&github, &head, &body))
        }
    });

    if report.is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the comparison of the two classes must show.
enum Goal {
    /// No difference.
    Alike,
    /// The difference that is there.
    Caught,
    /// As good as no difference: so many nanoseconds between the medians, which is far below what
    /// a network or a scheduler adds. The paths differ by what the decoy need not do.
    Within(f64),
    /// Nothing: the answer tells the two apart anyway.
    None,
}

impl Goal {
    const fn text(&self) -> &'static str {
        match self {
            Self::Alike => "met: below 4.5",
            Self::Caught => "met: above 50",
            Self::Within(_) => "met: medians within 20 ns",
            Self::None => "none: the answer tells it",
        }
    }
}

struct Report {
    runs: u64,
    is_met: bool,
}

impl Report {
    fn row(
        &mut self,
        name: &str,
        samples: usize,
        goal: Goal,
        mut sample: impl FnMut(&mut Random, Class) -> f64,
    ) {
        let found: Vec<_> = (1..=self.runs).map(|r| largest_t(r, samples, &mut sample)).collect();
        let is_met = match goal {
            Goal::Alike => found.iter().all(|(t, _)| *t < LIMIT),
            Goal::Caught => found.iter().all(|(t, _)| *t > CONTROL),
            Goal::Within(most) => found.iter().all(|(_, median)| median.abs() <= most),
            Goal::None => true,
        };
        let shown: Vec<_> =
            found.iter().map(|(t, median)| format!("{t:.1} ({median:+.0} ns)")).collect();
        let verdict = if is_met { goal.text() } else { "NOT MET" };
        println!("| {name} | {samples} | {} | {verdict} |", shown.join(", "));
        self.is_met &= is_met;
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("a secret")
}

fn signed(signer: &impl Sign, body: &[u8]) -> Parts {
    let (mut head, ()) = Request::post("/").body(()).expect("a request").into_parts();
    signer.sign(&mut head, body, &Signing::at(SystemTime::now())).expect("it signs");
    head
}

/// With one bit of this byte of the signature changed. Every byte is written, so that no class leaves
/// other traces in the caches.
fn changed(mut head: Parts, at: usize, random: &mut Random) -> Parts {
    let value = head.headers["x-hub-signature-256"].to_str().expect("visible");
    let bit = 1 << (random.next() % 8);
    let mut text = value[..7].to_owned();
    for place in 0..32 {
        let byte = u8::from_str_radix(&value[7 + 2 * place..][..2], 16).expect("hex");
        let byte = byte ^ (bit * u8::from(black_box(place) == at));
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    head.headers.insert("x-hub-signature-256", text.parse().expect("visible"));
    head
}

fn signature(signer: &StandardWebhooks, body: &[u8]) -> String {
    signed(signer, body).headers["webhook-signature"].to_str().expect("base64").to_owned()
}

/// The layer above 16 tenants, all looked up before and none forgotten meanwhile, and as many ids
/// of one length that are nobody's.
fn tenants() -> impl FnMut(Parts, Bytes) -> StatusCode {
    let by_path = |head: &Parts| head.uri.path().strip_prefix('/').map(str::to_owned);
    let store = |tenant: TenantId| async move {
        Ok::<_, Infallible>(tenant.as_str().starts_with("known").then(|| secret(SECRET)))
    };
    let start = SystemTime::now();
    let tenants =
        Tenants::builder(store, GitHub::new).clock(move || start).build().expect("a look-up");
    let handler = service_fn(|_: Request<BufferedBody>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let layer = SignatureLayer::new(tenants.by_head(by_path)).layer(handler);

    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let signer = GitHub::new(secret("not the tenants'")).unwrap();
    for at in 0..16 {
        for class in [Class::Left, Class::Right] {
            let mut head = signed(&signer, b"");
            head.uri = path(class, at);
            let request = Request::from_parts(head, Full::<Bytes>::default());
            runtime.block_on(layer.clone().oneshot(request)).expect("an answer");
        }
    }
    move |head, body| {
        let request = Request::from_parts(head, Full::new(body));
        match pin!(layer.clone().oneshot(request)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.expect("an answer").status(),
            Poll::Pending => panic!("nothing is waited for"),
        }
    }
}

/// The layer above a handler that answers at once.
fn poll_of(layer: SignatureLayer<GitHub>) -> impl FnMut(Parts, Bytes) -> StatusCode {
    let handler = service_fn(|_: Request<BufferedBody>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let layer = layer.body_deadline(None).layer(handler);
    move |head, body| {
        let request = Request::from_parts(head, Full::new(body));
        match pin!(layer.clone().oneshot(request)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.expect("an answer").status(),
            Poll::Pending => panic!("nothing is waited for"),
        }
    }
}

fn path(class: Class, at: u64) -> Uri {
    let kind = if class == Class::Left { "known" } else { "other" };
    format!("/{kind}-{at:02}").parse().expect("a path")
}

fn largest_t(
    run: u64,
    samples: usize,
    sample: &mut dyn FnMut(&mut Random, Class) -> f64,
) -> (f64, f64) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ run << 32);
    (0..samples / 10).for_each(|_| {
        let class = random.class();
        sample(&mut random, class);
    });
    let times: Vec<(Class, f64)> = (0..samples)
        .map(|_| {
            let class = random.class();
            (class, sample(&mut random, class))
        })
        .collect();

    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let percentiles = (1..=100).map(|step| 1.0 - 0.5_f64.powf(10.0 * f64::from(step) / 100.0));
    let limits = percentiles.map(|part| sorted[(part * samples as f64) as usize]);
    let t = limits.chain([f64::INFINITY]).map(|limit| welch(&times, limit)).fold(0.0, f64::max);
    (t, median(&times, Class::Right) - median(&times, Class::Left))
}

fn median(times: &[(Class, f64)], wanted: Class) -> f64 {
    let mut times: Vec<_> = times.iter().filter(|(class, _)| *class == wanted).collect();
    times.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    times.get(times.len() / 2).map_or(f64::NAN, |(_, time)| *time)
}

/// |t| over the samples below the limit; 0 where they are too few to say.
fn welch(times: &[(Class, f64)], limit: f64) -> f64 {
    let [left, right] = [Class::Left, Class::Right].map(|wanted| {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for (class, time) in times {
            if *class == wanted && *time < limit {
                count += 1.0;
                let delta = time - mean;
                mean += delta / count;
                squares += delta * (time - mean);
            }
        }
        (count, mean, squares / (count - 1.0))
    });
    if left.0 < 1000.0 || right.0 < 1000.0 {
        return 0.0;
    }
    (left.1 - right.1).abs() / (left.2 / left.0 + right.2 / right.0).sqrt()
}

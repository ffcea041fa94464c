//! Load against a real server on loopback: slow bodies, tiny chunks, held memory, broken connections,
//! and genuine requests meanwhile. `scripts/load` runs it and says what it takes; Linux only.
#![allow(missing_docs, reason = "a bench")]

mod client;
mod dots;
mod server;
#[path = "../support/signature.rs"]
mod signature;

use std::{
    env,
    error::Error,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{
    client::{
        Answer, Honest, Open, answers, answers_to_tricklers, count, forged, genuine, head, once,
        open_all, p99, unsigned,
    },
    server::{Server, Settings, serve, serve_logging},
    signature::hmac_sha256,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

type Failure = Box<dyn Error>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "serve" => {
            serve(rest)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some((first, rest)) if first == "serve-logging" => {
            serve_logging(rest)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let mut load = Load {
        deadline: Duration::from_secs(number("LOAD_DEADLINE", 5)?),
        divisor: usize::try_from(number("LOAD_DIVISOR", 1)?)?.max(1),
        failed: 0,
    };
    let is_asked_for = |name: &str| {
        let mut names = arguments.iter().filter(|name| !name.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|asked| asked == name)
    };
    println!("| load | figure | goal | |\n|---|---:|---:|---|");
    tokio::runtime::Runtime::new()?.block_on(async {
        if is_asked_for("slow") {
            load.slow_bodies().await?;
        }
        if is_asked_for("tiny") {
            load.tiny_chunks().await?;
        }
        if is_asked_for("held") {
            load.held_memory().await?;
        }
        if is_asked_for("spent") {
            load.spent_budget().await?;
        }
        if is_asked_for("drained") {
            load.drained_bodies().await?;
            load.trickled_bodies().await?;
            load.drained_memory().await?;
        }
        if is_asked_for("broken") {
            load.broken_connections().await?;
        }
        if is_asked_for("dots") {
            load.dots().await?;
        }
        Ok::<_, Failure>(())
    })?;
    println!("\n{} of the goals were missed", load.failed);
    Ok(if load.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn number(name: &str, default: u64) -> Result<u64, Failure> {
    Ok(env::var(name).ok().map(|value| value.parse()).transpose()?.unwrap_or(default))
}

fn mib(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

fn kib(bytes: usize) -> String {
    format!("{:.2} KiB", bytes as f64 / KIB as f64)
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

struct Load {
    deadline: Duration,
    /// Of the numbers of connections.
    divisor: usize,
    failed: usize,
}

impl Load {
    fn row(&mut self, load: &str, figure: impl ToString, goal: impl ToString, is_met: bool) {
        let verdict = if is_met { "pass" } else { "FAIL" };
        println!("| {load} | {} | {} | {verdict} |", figure.to_string(), goal.to_string());
        self.failed += usize::from(!is_met);
    }

    fn guarded(&self, byte_budget: usize) -> Settings {
        Settings {
            is_guarded: true,
            deadline: self.deadline,
            byte_budget,
            max_buf_size: 0,
            drains: true,
        }
    }

    fn bare(&self) -> Settings {
        Settings { is_guarded: false, ..self.guarded(0) }
    }

    /// Each is answered with 408 at the deadline, and not before.
    fn timeouts(&mut self, name: &str, answers: &[Answer]) {
        let late: Vec<_> = answers.iter().filter(|answer| answer.status == 408).collect();
        let (all, got) = (answers.len(), late.len());
        self.row(&format!("{name}: answered 408"), got, all, got == all);
        let first = late.iter().map(|answer| answer.after).min().unwrap_or_default();
        let last = late.iter().map(|answer| answer.after).max().unwrap_or_default();
        let goal = format!("{} + 1 s", ms(self.deadline));
        let is_met = first >= self.deadline && last <= self.deadline + Duration::from_secs(1);
        self.row(&format!("{name}: the last 408 after"), ms(last), goal, is_met);
    }

    async fn slow_bodies(&mut self) -> Result<(), Failure> {
        let connections = 10_000 / self.divisor;
        let name = format!("{connections} bodies, 1 byte of 256 KiB");
        let request = forged(256 * KIB, 1);

        let held_each = async |server: &Server| {
            let (start, idle) = (Instant::now(), server.memory("VmRSS")?);
            let open = open_all(server.address, connections, &request).await?;
            sleep(Duration::from_millis(300)).await;
            let held = server.memory("VmRSS")?.saturating_sub(idle);
            Ok::<_, Failure>((open, held / connections, start.elapsed()))
        };
        let (_, hyper, _) = held_each(&Server::start(self.bare())?).await?;

        let server = Server::start(self.guarded(256 * MIB))?;
        let honest = Honest::start(server.address)?;
        sleep(Duration::from_secs(3)).await;
        let quiet = p99(&honest.end()?);

        let honest = Honest::start(server.address)?;
        let (open, held, took) = held_each(&server).await?;
        self.row(&format!("{name}: open after"), ms(took), ms(self.deadline), took < self.deadline);
        let answers = answers(open).await;
        let genuine = honest.end()?;
        self.timeouts(&name, &answers);
        let peak = server.memory("VmHWM")?;
        self.row(&format!("{name}: peak RSS"), mib(peak), mib(256 * MIB), peak <= 256 * MIB);
        let ours = held.saturating_sub(hyper);
        let figure = format!("{} over {}", kib(ours), kib(hyper));
        let goal = "2 KiB over hyper's";
        self.row(&format!("{name}: RSS for each"), figure, goal, ours <= 2 * KIB);

        let failures = genuine.len() - count(&genuine, 200);
        let name = format!("{} genuine requests meanwhile", genuine.len());
        self.row(&format!("{name}: failures"), failures, 0, failures == 0);
        let busy = p99(&genuine);
        let is_met = busy <= Duration::from_millis(50) && busy <= 3 * quiet;
        let goal = format!("50 ms, 3 × {}", ms(quiet));
        self.row(&format!("{name}: p99"), ms(busy), goal, is_met);
        Ok(())
    }

    async fn tiny_chunks(&mut self) -> Result<(), Failure> {
        let connections = 64_usize.div_ceil(self.divisor);
        let mut request = head(&hmac_sha256(&vec![b'x'; MIB]), "transfer-encoding: chunked");
        request.extend_from_slice(&b"1\r\nx\r\n".repeat(MIB));
        request.extend_from_slice(b"0\r\n\r\n");
        let request: Arc<[u8]> = request.into();

        let send = async |settings: Settings| {
            let settings = Settings { deadline: Duration::from_secs(300), ..settings };
            let server = Server::start(settings)?;
            let (idle, before) = (server.memory("VmRSS")?, server.processor()?);
            let answers = answers(open_all(server.address, connections, &request).await?).await;
            let used = server.processor()? - before;
            Ok::<_, Failure>((count(&answers, 200), server.memory("VmHWM")? - idle, used))
        };
        let (_, _, bare) = send(self.bare()).await?;
        let (accepted, growth, used) = send(self.guarded(256 * MIB)).await?;

        let name = format!("{connections} × 1 MiB in one-byte chunks");
        self.row(&format!("{name}: accepted"), accepted, connections, accepted == connections);
        let each = growth / connections;
        self.row(
            &format!("{name}: peak growth for each"),
            mib(each),
            mib(4 * MIB),
            each <= 4 * MIB,
        );
        let ratio = used as f64 / bare.max(1) as f64;
        let figure = format!("{ratio:.2} × {:.1} s", bare as f64 / 100.0);
        self.row(&format!("{name}: processor"), figure, "2 × hyper's own", ratio <= 2.0);
        Ok(())
    }

    async fn held_memory(&mut self) -> Result<(), Failure> {
        let (connections, sent) = (4_000 / self.divisor, 64 * KIB);
        let name = format!("{connections} connections holding 64 KiB");
        let request = forged(256 * KIB, sent);
        let server = Server::start(self.bare())?;
        let idle = server.memory("VmRSS")?;
        let open = open_all(server.address, connections, &request).await?;
        sleep(Duration::from_secs(1)).await;
        let bare = server.memory("VmHWM")? - idle;
        drop((open, server));

        let server = Server::start(self.guarded(256 * MIB))?;
        let idle = server.memory("VmRSS")?;
        let mut peaks = [0; 2];
        for peak in &mut peaks {
            let open = open_all(server.address, connections, &request).await?;
            self.timeouts(&name, &answers(open).await);
            *peak = server.memory("VmHWM")?;
        }
        let growth = peaks[0] - idle;
        let goal = connections * (sent * 13 / 10 + 20 * KIB);
        self.row(
            &format!("{name}: peak growth"),
            format!("{}, hyper's own {}", mib(growth), mib(bare)),
            mib(goal),
            growth <= goal,
        );
        let goal = peaks[0] * 105 / 100;
        self.row(&format!("{name}: second wave"), mib(peaks[1]), mib(goal), peaks[1] <= goal);
        Ok(())
    }

    async fn spent_budget(&mut self) -> Result<(), Failure> {
        let (connections, sent) = (4_000 / self.divisor, 64 * KIB);
        let budget = connections * sent / 4;
        let name = format!("the same with a budget of {}", mib(budget));
        let server = Server::start(self.guarded(budget))?;
        let idle = server.memory("VmRSS")?;
        let open = open_all(server.address, connections, &forged(256 * KIB, sent)).await?;
        let answers = answers(open).await;
        let (held, refused) = (count(&answers, 408), count(&answers, 503));
        let most = connections / 4;
        self.row(
            &format!("{name}: held"),
            held,
            format!("1 to {most}"),
            (1..=most).contains(&held),
        );
        // An answer is lost where the connection is reset while its sender still writes.
        let all = answers.len() - held;
        self.row(&format!("{name}: answered 503"), refused, all, refused == all);
        let may_retry = answers.iter().filter(|answer| answer.may_retry).count();
        self.row(&format!("{name}: with Retry-After"), may_retry, refused, may_retry == refused);
        let growth = server.memory("VmHWM")? - idle;
        // Requests that drain keep nothing, but their connections have hyper's buffers.
        let draining = 1024.min(connections) * 96 * KIB;
        let goal = budget * 13 / 10 + connections * 20 * KIB + draining;
        self.row(&format!("{name}: peak growth"), mib(growth), mib(goal), growth <= goal);
        let after = once(server.address, &genuine(&vec![b'x'; budget.min(MIB)])).await?.status;
        self.row(&format!("{name}: a genuine request after it"), after, 200, after == 200);
        Ok(())
    }

    /// Genuine requests meanwhile: none fails, and few wait.
    fn honest(&mut self, name: &str, quiet: Duration, genuine: &[Answer]) {
        let failures = genuine.len() - count(genuine, 200);
        let name = format!("{name}: {} genuine requests meanwhile", genuine.len());
        self.row(&format!("{name}: failures"), failures, 0, failures == 0);
        let busy = p99(genuine);
        let goal = format!("3 × {}", ms(quiet));
        self.row(&format!("{name}: p99"), ms(busy), goal, busy <= 3 * quiet);
    }

    /// Unsigned requests whose bodies stall: each is answered, most of them to make place.
    async fn drained_bodies(&mut self) -> Result<(), Failure> {
        let connections = 10_000 / self.divisor;
        let name = format!("{connections} unsigned, 1 byte of 256 KiB");
        let request = unsigned(256 * KIB, 1);
        let flood = async |settings: Settings| {
            let server = Server::start(settings)?;
            let honest = Honest::start(server.address)?;
            sleep(Duration::from_secs(3)).await;
            let quiet = p99(&honest.end()?);
            let honest = Honest::start(server.address)?;
            let open = open_all(server.address, connections, &request).await?;
            let opened = Instant::now();
            let answers = answers(open).await;
            let last = opened.elapsed();
            Ok::<_, Failure>((quiet, honest.end()?, count(&answers, 403), last))
        };
        // The same connections, answered at once: to open so many takes its part of the two processors
        // that client and server share.
        let at_once = Settings { drains: false, ..self.guarded(256 * MIB) };
        let (_, without, ..) = flood(at_once).await?;
        let (quiet, genuine, refused, last) = flood(self.guarded(256 * MIB)).await?;
        println!("| {name}: p99 before them | {} | | |", ms(quiet));
        self.row(&format!("{name}: answered 403"), refused, connections, refused == connections);
        let goal = Duration::from_millis(1000);
        let row = format!("{name}: the last, after all were open");
        self.row(&row, ms(last), ms(goal), last <= goal);
        self.honest(&name, p99(&without), &genuine);
        Ok(())
    }

    /// Senders that trickle hold all places, and other refusals arrive all the same.
    async fn trickled_bodies(&mut self) -> Result<(), Failure> {
        let (connections, others) = (1_500 / self.divisor, 300 / self.divisor);
        let name = format!("{connections} unsigned, 1 byte every 200 ms");
        let server = Server::start(self.guarded(256 * MIB))?;
        let honest = Honest::start(server.address)?;
        sleep(Duration::from_secs(3)).await;
        let quiet = p99(&honest.end()?);

        let honest = Honest::start(server.address)?;
        let open = open_all(server.address, connections, &unsigned(256 * KIB, 1)).await?;
        let every = Duration::from_millis(200);
        let tricklers = tokio::spawn(answers_to_tricklers(open, every));
        sleep(Duration::from_millis(500)).await;
        let whole = open_all(server.address, others, &unsigned(100 * KIB, 100 * KIB)).await?;
        let whole = answers(whole).await;
        let tricklers = tricklers.await?;
        let genuine = honest.end()?;
        let refused = count(&whole, 403);
        let row = format!("{name}: {others} whole ones of 100 KiB: answered 403");
        self.row(&row, refused, others, refused == others);
        let refused = count(&tricklers, 403);
        self.row(&format!("{name}: answered 403"), refused, connections, refused == connections);
        let last = tricklers.iter().map(|answer| answer.after).max().unwrap_or_default();
        let goal = Duration::from_secs(6);
        self.row(&format!("{name}: the last after"), ms(last), ms(goal), last <= goal);
        self.honest(&name, quiet, &genuine);
        Ok(())
    }

    /// The process's memory while it discards, beside a handler that reads and drops.
    async fn drained_memory(&mut self) -> Result<(), Failure> {
        let connections = 1_000 / self.divisor;
        for max_buf_size in [0, 16 * KIB] {
            let buffers = match max_buf_size {
                0 => "hyper's own buffers".to_owned(),
                size => format!("max_buf_size {}", kib(size)),
            };
            for (kind, sent) in [("ended", MIB), ("stalled", MIB / 2)] {
                let growth = async |settings: Settings| {
                    let server = Server::start(Settings { max_buf_size, ..settings })?;
                    let idle = server.memory("VmRSS")?;
                    let open = open_all(server.address, connections, &unsigned(MIB, sent)).await?;
                    let got = match kind {
                        "ended" => answers(open).await.len(),
                        // The plain handler waits for the rest for ever.
                        _ => {
                            sleep(Duration::from_millis(600)).await;
                            open.len()
                        }
                    };
                    assert_eq!(got, connections);
                    Ok::<_, Failure>(server.memory("VmHWM")?.saturating_sub(idle))
                };
                let plain = growth(self.bare()).await?;
                let ours = growth(self.guarded(256 * MIB)).await?;
                let name =
                    format!("{connections} unsigned of 1 MiB, {kind}, {buffers}: peak growth");
                // hyper's buffers vary by a quarter from run to run. A body for each would be a GiB.
                let goal = plain * 5 / 4 + connections * 8 * KIB;
                let figure = format!("{}, plain handler {}", mib(ours), mib(plain));
                self.row(&name, figure, mib(goal), ours <= goal);
            }
        }
        Ok(())
    }

    async fn broken_connections(&mut self) -> Result<(), Failure> {
        const WAVES: usize = 10;
        let (connections, sent) = (2_000 / self.divisor, 4 * KIB);
        let name = format!("{} sockets dropped mid-body", WAVES * connections);
        let budget = connections * sent + KIB;
        let server = Server::start(self.guarded(budget))?;
        // The first request opens what the server opens once.
        once(server.address, &genuine(b"x")).await?;
        sleep(Duration::from_millis(500)).await;
        let before = server.descriptors()?;
        let request = forged(64 * KIB, sent);
        let mut resident = Vec::new();
        for _ in 0..WAVES {
            let open = open_all(server.address, connections, &request).await?;
            // They are accepted and read by then, and their deadline has not passed.
            sleep(Duration::from_millis(300)).await;
            open.into_iter().try_for_each(Open::reset)?;
            settles(&server, before).await?;
            resident.push(server.memory("VmRSS")?);
        }
        let after = server.descriptors()?;
        self.row(&format!("{name}: descriptors"), after, before, after == before);
        let goal = resident[2] * 105 / 100;
        let last = resident[WAVES - 1];
        self.row(
            &format!("{name}: RSS in the end"),
            mib(last),
            format!("{}: wave 3 + 5 %", mib(goal)),
            last <= goal,
        );
        // A body as large as the whole budget is refused while anybody holds a byte of it.
        let whole = once(server.address, &genuine(&vec![b'x'; budget])).await?.status;
        self.row(&format!("{name}: a body as large as the budget"), whole, 200, whole == 200);
        Ok(())
    }
}

/// Waits, but not for long, until the server has as many descriptors as it should.
async fn settles(server: &Server, descriptors: usize) -> Result<(), Failure> {
    for _ in 0..500 {
        if server.descriptors()? == descriptors {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

//! The senders: genuine ones, and those who mean harm.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::signature::hmac_sha256;

/// Connections that are opened at a time, each of which takes a millisecond at least. The kernel takes
/// them before the server does, and with its queue full it lets each wait for seconds.
const OPENING: usize = 32;

/// Nobody waits longer than this for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A head with this signature, whose body is `framing`.
pub(crate) fn head(signature: &str, framing: &str) -> Vec<u8> {
    format!(
        "POST /webhook HTTP/1.1\r\nhost: localhost\r\nx-hub-signature-256: sha256={signature}\r\n\
         {framing}\r\n\r\n"
    )
    .into_bytes()
}

/// A head in the right form, which no secret has signed, and the beginning of its body.
pub(crate) fn forged(declared: usize, sent: usize) -> Arc<[u8]> {
    let mut request = head(&"0".repeat(64), &format!("content-length: {declared}"));
    request.resize(request.len() + sent, b'x');
    request.into()
}

/// A head without a signature, and the beginning of its body.
pub(crate) fn unsigned(declared: usize, sent: usize) -> Arc<[u8]> {
    let head =
        format!("POST /webhook HTTP/1.1\r\nhost: localhost\r\ncontent-length: {declared}\r\n\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + sent, b'x');
    request.into()
}

pub(crate) fn genuine(body: &[u8]) -> Vec<u8> {
    let mut request = head(&hmac_sha256(body), &format!("content-length: {}", body.len()));
    request.extend_from_slice(body);
    request
}

/// What came back on a connection.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answer {
    /// 0 if it ended without an answer.
    pub(crate) status: u16,
    pub(crate) after: Duration,
    pub(crate) may_retry: bool,
}

/// Reads the head of one answer; none of them has a body.
async fn read_answer(mut stream: impl AsyncRead + Unpin) -> io::Result<(u16, bool)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if timeout(PATIENCE, stream.read_buf(&mut head)).await?? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, head.contains("\r\nretry-after: ")))
}

/// A connection on which a request was begun, and when.
pub(crate) struct Open(TcpStream, Instant);

impl Open {
    async fn begin(address: SocketAddr, request: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let start = Instant::now();
        // A server that has answered already need not take the rest.
        let _ = stream.write_all(request).await;
        Ok(Self(stream, start))
    }

    /// Writes a byte again and again, until the answer comes.
    async fn answer_while_trickling(mut self, every: Duration) -> Answer {
        let mut answer = Answer::default();
        let (from, mut to) = self.0.split();
        let trickle = async {
            while to.write_all(b"x").await.is_ok() {
                sleep(every).await;
            }
        };
        tokio::select! {
            read = read_answer(from) => (answer.status, answer.may_retry) = read.unwrap_or_default(),
            () = trickle => {}
        }
        answer.after = self.1.elapsed();
        answer
    }

    async fn answer(mut self) -> Answer {
        let read = read_answer(&mut self.0).await;
        let after = self.1.elapsed();
        let (status, may_retry) = read.unwrap_or_default();
        Answer { status, after, may_retry }
    }

    /// Resets the connection, as one that breaks.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.0.set_zero_linger()
    }
}

/// Begins the same request on many connections.
pub(crate) async fn open_all(
    address: SocketAddr,
    count: usize,
    request: &Arc<[u8]>,
) -> Result<Vec<Open>, Box<dyn Error>> {
    let opening = Arc::new(Semaphore::new(OPENING));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (opening, request) = (Arc::clone(&opening), Arc::clone(request));
        tasks.spawn(async move {
            let _permit = opening.acquire().await;
            let open = Open::begin(address, &request).await;
            sleep(Duration::from_millis(1)).await;
            open
        });
    }
    Ok(tasks.join_all().await.into_iter().collect::<io::Result<_>>()?)
}

/// As [`answers`], of senders that write a byte every so often meanwhile.
pub(crate) async fn answers_to_tricklers(open: Vec<Open>, every: Duration) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for open in open {
        tasks.spawn(open.answer_while_trickling(every));
    }
    tasks.join_all().await
}

pub(crate) async fn answers(open: Vec<Open>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for open in open {
        tasks.spawn(open.answer());
    }
    tasks.join_all().await
}

/// One request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    Ok(Open::begin(address, request).await?.answer().await)
}

/// A genuine sender: one connection, used for twenty requests, then another.
async fn honest_sender(address: SocketAddr, request: &[u8], ends: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut stream = None;
    while !ends.load(Ordering::Relaxed) {
        let start = Instant::now();
        let answer = async {
            let mut open = match stream.take() {
                Some(open) => open,
                None => TcpStream::connect(address).await?,
            };
            open.write_all(request).await?;
            let answer = read_answer(&mut open).await?;
            Ok::<_, io::Error>((answer, open))
        };
        let (status, may_retry) = match answer.await {
            Ok((answer, open)) => {
                stream = (answers.len() % 20 != 19).then_some(open);
                answer
            }
            Err(_) => Default::default(),
        };
        answers.push(Answer { status, after: start.elapsed(), may_retry });
        sleep(Duration::from_millis(10)).await;
    }
    answers
}

/// Four genuine senders on a thread of their own, until they are told to end.
pub(crate) struct Honest {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Vec<Answer>>>,
}

impl Honest {
    pub(crate) fn start(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let request = genuine(&[b'x'; 1024]);
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(async {
                let send = || honest_sender(address, &request, &told);
                let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
                [a, b, c, d].concat()
            }))
        });
        Ok(Self { ends, thread })
    }

    pub(crate) fn end(self) -> Result<Vec<Answer>, Box<dyn Error>> {
        self.ends.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the senders panicked")??)
    }
}

/// How long all but the slowest hundredth took at most.
pub(crate) fn p99(answers: &[Answer]) -> Duration {
    let mut times: Vec<_> = answers.iter().map(|answer| answer.after).collect();
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

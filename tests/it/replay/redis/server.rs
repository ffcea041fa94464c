//! A server that speaks as much of Redis's protocol as the store needs, and answers as it is told.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use redis::{
    AsyncConnectionConfig, RedisConnectionInfo, RedisError, RedisResult, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::{Duration, Instant, sleep},
};
use tower_webhook::replay::RedisStore;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// This, at once.
    Say(&'static str),
    /// This, so long after the command before was answered.
    Late(Duration, &'static str),
    /// Nothing any more.
    Nothing,
}

/// Nothing was under the key.
pub(super) const NONE: Answer = Answer::Say("$-1\r\n");
/// The answer to a release that found its token.
pub(super) const ONE: Answer = Answer::Say(":1\r\n");

/// What the server answers to a command, such as `SET`, on its n-th connection from 0 on.
type Answers = dyn Fn(usize, &str) -> Answer + Send + Sync;

/// What the store asked of the server.
#[derive(Clone, Default)]
pub(super) struct Server {
    connections: Arc<AtomicUsize>,
    attempts: Arc<Mutex<Vec<Instant>>>,
    /// The connection and the command.
    commands: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Server {
    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// When it was tried to connect.
    pub(super) fn attempts(&self) -> Vec<Instant> {
        self.attempts.lock().unwrap().clone()
    }

    pub(super) fn commands(&self) -> Vec<(usize, String)> {
        self.commands.lock().unwrap().clone()
    }

    /// A server in the test's own memory, so that the test can stop the time.
    pub(super) fn start(
        answers: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (Self, RedisStore) {
        Self::connected_by(answers, async || Ok(()))
    }

    /// As `start`, for attempts to connect which wait for this first, and fail as it does.
    pub(super) fn connected_by<C>(
        answers: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
        connect: impl Fn() -> C + Send + Sync + 'static,
    ) -> (Self, RedisStore)
    where
        C: Future<Output = RedisResult<()>> + Send + 'static,
    {
        let server = Self::default();
        let answers: Arc<Answers> = Arc::new(answers);
        let store = RedisStore::from_connector({
            let server = server.clone();
            move || {
                server.attempts.lock().unwrap().push(Instant::now());
                let (server, answers, connect) = (server.clone(), Arc::clone(&answers), connect());
                async move {
                    connect.await?;
                    server.connect(answers).await
                }
            }
        });
        (server, store)
    }

    async fn connect(&self, answers: Arc<Answers>) -> RedisResult<MultiplexedConnection> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let nth = self.connections.fetch_add(1, SeqCst);
        tokio::spawn(self.clone().serve(theirs, nth, answers));
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(
            &RedisConnectionInfo::default(),
            ours,
            config.set_pipeline_buffer_size(1024),
        )
        .await?;
        tokio::spawn(driver);
        Ok(connection)
    }

    /// A server on a socket. Returns its address.
    pub(super) async fn listen(
        answers: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> (Self, String) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("redis://{}/", listener.local_addr().unwrap());
        let answers: Arc<Answers> = Arc::new(answers);
        tokio::spawn({
            let server = server.clone();
            async move {
                while let Ok((socket, _)) = listener.accept().await {
                    let nth = server.connections.fetch_add(1, SeqCst);
                    tokio::spawn(server.clone().serve(socket, nth, Arc::clone(&answers)));
                }
            }
        });
        (server, address)
    }

    async fn serve(
        self,
        mut socket: impl AsyncRead + AsyncWrite + Unpin,
        nth: usize,
        answers: Arc<Answers>,
    ) {
        let mut bytes = Vec::new();
        loop {
            while let Some((command, len)) = parse(&bytes) {
                bytes.drain(..len);
                // What the client says of itself.
                let is_setup = command == "CLIENT" || command == "HELLO";
                let answer = if is_setup { Answer::Say("+OK\r\n") } else { answers(nth, &command) };
                if !is_setup {
                    self.commands.lock().unwrap().push((nth, command));
                }
                let text = match answer {
                    Answer::Say(text) => text,
                    Answer::Late(time, text) => {
                        sleep(time).await;
                        text
                    }
                    Answer::Nothing => pending().await,
                };
                if socket.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            if !matches!(socket.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        }
    }
}

/// The name of the first command and its length, once all of it is there.
fn parse(bytes: &[u8]) -> Option<(String, usize)> {
    /// A number between this sign and the end of the line, and what follows.
    fn number(bytes: &[u8], sign: u8) -> Option<(usize, &[u8])> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        assert_eq!(bytes[0], sign);
        let number = std::str::from_utf8(&bytes[1..end]).unwrap().parse().unwrap();
        Some((number, &bytes[end + 2..]))
    }

    let (words, mut rest) = number(bytes, b'*')?;
    let mut name = None;
    for _ in 0..words {
        let (len, text) = number(rest, b'$')?;
        rest = text.get(len + 2..)?;
        name.get_or_insert_with(|| String::from_utf8_lossy(&text[..len]).into_owned());
    }
    Some((name?, bytes.len() - rest.len()))
}

/// A connection that is refused.
pub(super) fn refused() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()
}

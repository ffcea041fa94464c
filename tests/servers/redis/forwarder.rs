//! Stands between a store and its Redis, as a virtual address or a proxy does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Forwards connections to a port, until it is told of another one.
#[derive(Clone)]
pub(super) struct Forwarder {
    address: SocketAddr,
    port: Arc<AtomicU16>,
    accepted: Arc<AtomicUsize>,
    /// Connections before this one are deaf: what they send is read and swallowed.
    first_heard: Arc<AtomicUsize>,
}

impl Forwarder {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let forwarder = Self {
            address: listener.local_addr().unwrap(),
            port: Arc::new(port.into()),
            accepted: Arc::default(),
            first_heard: Arc::default(),
        };
        let accepting = forwarder.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let nth = accepting.accepted.fetch_add(1, SeqCst);
                tokio::spawn(accepting.clone().forward(socket, nth));
            }
        });
        forwarder
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections it has accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    /// New connections go to this port. Those that are there stay where they are.
    pub(super) fn point_at(&self, port: u16) {
        self.port.store(port, SeqCst);
    }

    /// All connections fall silent, new ones too.
    pub(super) fn fall_silent(&self) {
        self.first_heard.store(usize::MAX, SeqCst);
    }

    /// New connections are heard again. Those that are there stay silent.
    pub(super) fn hear_new_ones(&self) {
        self.first_heard.store(self.accepted(), SeqCst);
    }

    async fn forward(self, socket: TcpStream, nth: usize) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.port.load(SeqCst))).await else {
            return;
        };
        let ((from, to), (from_server, to_server)) = (socket.into_split(), server.into_split());
        tokio::join!(self.copy(from, to_server, nth), self.copy(from_server, to, nth));
    }

    async fn copy(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, nth: usize) {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(len @ 1..) = from.read(&mut chunk).await {
            if nth >= self.first_heard.load(SeqCst) && to.write_all(&chunk[..len]).await.is_err() {
                return;
            }
        }
    }
}

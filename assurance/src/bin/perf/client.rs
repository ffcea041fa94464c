//! What talks to the servers, and what `/proc` tells of them.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;

pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start(kind: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["serve", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().parse().unwrap() }
    }

    pub(crate) fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Time on a processor so far, of all threads.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = |task: io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        Duration::from_nanos(tasks.map(nanoseconds).sum())
    }

    /// MiB that are resident now.
    pub(crate) fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    fn status(&self, field: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The head as it is written on the wire, with headers that proxies and senders add.
pub(crate) fn head(request: &Request<Bytes>, more: &str) -> Vec<u8> {
    let mut text = format!(
        "POST / HTTP/1.1\r\nhost: example.com\r\nuser-agent: perf\r\naccept: */*\r\n\
         content-length: {}\r\n{more}",
        request.body().len()
    )
    .into_bytes();
    for (name, value) in request.headers() {
        text.extend_from_slice(
            &[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat(),
        );
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// An answer's status, and whether the connection ends with it.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) closes: bool,
}

/// Reads one answer to its end. The servers' answers have a length.
pub(crate) fn answer(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Answer> {
    loop {
        if let Some((answer, len)) = parse(buffer) {
            buffer.drain(..len);
            return Ok(answer);
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

/// An answer at the beginning of these bytes, and how many of them it takes.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let len = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len = end + len.map_or(0, |len| len.parse::<usize>().unwrap());
    let closes = text.contains("connection: close");
    (bytes.len() >= len).then_some((Answer { status, closes }, len))
}

pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Microseconds of the server for each request.
    pub(crate) cpu: f64,
}

/// Sends this request over and over, on so many kept connections by turns: the server always has
/// some waiting.
pub(crate) fn load(server: &Server, streams: &mut [TcpStream], wire: &[u8], count: usize) -> Load {
    let (start, before) = (Instant::now(), server.cpu());
    let connections = streams.len();
    let mut buffers = vec![Vec::new(); connections];
    for turn in 0..count + connections {
        let at = turn % connections;
        let (stream, buffer) = (&mut streams[at], &mut buffers[at]);
        if turn >= connections {
            assert_eq!(answer(stream, buffer).unwrap().status, 200);
        }
        if turn < count {
            stream.write_all(wire).unwrap();
        }
    }
    let (time, cpu) = (start.elapsed(), server.cpu() - before);
    Load {
        per_second: count as f64 / time.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / count as f64,
    }
}

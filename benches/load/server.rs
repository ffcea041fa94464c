//! The server under load: the example `axum` with its limits set from outside, in a process of its
//! own, so that its memory can be told from the clients'.

use std::{
    env,
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{self, Child, Command, Stdio},
    thread,
    time::Duration,
};

use axum::{Router, body::Body, extract::DefaultBodyLimit, http::StatusCode, routing::post};
use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower_webhook::{SignatureLayer, layer::Drain, providers::Meta};

use crate::{dots::strict_router, signature::SECRET};

/// What the layer is set to. Without it the same server reads and drops every body: that is hyper's
/// own share.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) is_guarded: bool,
    pub(crate) deadline: Duration,
    pub(crate) byte_budget: usize,
    /// The most that hyper buffers of a connection; 0 is hyper's own, by `axum::serve`.
    pub(crate) max_buf_size: usize,
    pub(crate) drains: bool,
}

pub(crate) const BODY_LIMIT: usize = 8 << 20;

async fn handler(mut body: Body) -> StatusCode {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    StatusCode::OK
}

/// The server's process, ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(settings: Settings) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command
            .arg("serve")
            .arg(settings.is_guarded.to_string())
            .arg(settings.deadline.as_millis().to_string())
            .arg(settings.byte_budget.to_string())
            .arg(settings.max_buf_size.to_string())
            .arg(settings.drains.to_string());
        Self::spawn(command)
    }

    /// A server with a strict log in this file, and so many threads.
    pub(crate) fn start_logging(threads: usize, file: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("serve-logging").arg(threads.to_string()).arg(file);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// `VmRSS`, or `VmHWM` for the most there ever was, in bytes.
    pub(crate) fn memory(&self, name: &str) -> Result<usize, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.strip_prefix(':')?.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no such line")?.parse::<usize>()? << 10)
    }

    pub(crate) fn descriptors(&self) -> Result<usize, Box<dyn Error>> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Processor time, in hundredths of a second.
    pub(crate) fn processor(&self) -> Result<u64, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no name")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        Ok(ticks.sum::<Result<_, _>>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The parent's end is ours too, also where it is killed.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
}

/// The whole life of a child with a log.
pub(crate) fn serve_logging(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [threads, file] = arguments else {
        return Err("serve-logging <threads> <file>".into());
    };
    end_with_parent();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads.parse()?).enable_all().build()?.block_on(async {
        let app = Router::new().route("/webhook", post(handler));
        let app = strict_router(Path::new(file), app).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, app.route_layer(DefaultBodyLimit::disable())).await?;
        Ok(())
    })
}

/// The child's whole life.
pub(crate) fn serve(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [is_guarded, deadline, byte_budget, max_buf_size, drains] = arguments else {
        return Err("serve <guarded> <deadline in ms> <byte budget> <max_buf_size> <drains>".into());
    };
    let drain = if drains.parse()? { Drain::new() } else { Drain::new().max_bytes(0) };
    let max_buf_size = max_buf_size.parse()?;
    let mut app = Router::new().route("/webhook", post(handler));
    if is_guarded.parse()? {
        let layer = SignatureLayer::new(Meta::new(SECRET)?)
            .body_limit(BODY_LIMIT)
            .body_deadline(Some(Duration::from_millis(deadline.parse()?)))
            .byte_budget(byte_budget.parse()?)
            .drain(drain);
        app = app.route_layer(layer);
    }
    let app = app.route_layer(DefaultBodyLimit::disable());
    end_with_parent();
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        if max_buf_size == 0 {
            axum::serve(listener, app).await?;
            return Ok(());
        }
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).max_buf_size(max_buf_size);
        loop {
            let (stream, _) = listener.accept().await?;
            // A sender that goes is an error here.
            tokio::spawn(
                server
                    .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone())),
            );
        }
    })
}

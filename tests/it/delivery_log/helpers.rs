//! What the log's tests share.

use std::{
    convert::Infallible,
    future::ready,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, SignatureLayer,
    delivery_log::{DeliveryLog, Entry, Filter, MemoryLog},
    providers::Meta,
};

use crate::support::{at, meta_layer, meta_request, unexplained};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// 2026-01-01.
pub(crate) const NOW: u64 = 1_767_225_600;

pub(crate) fn memory() -> DeliveryLog {
    DeliveryLog::builder().store(MemoryLog::new(100_000)).unwrap()
}

/// Meta's layer, observed by the log, in [`NOW`].
pub(crate) fn logged(log: &DeliveryLog) -> SignatureLayer<Meta> {
    unexplained(meta_layer()).clock(at(NOW)).observer(log.clone())
}

pub(crate) fn genuine(body: &'static [u8]) -> Request<Full<Bytes>> {
    meta_request(body, Full::new(Bytes::from_static(body)))
}

pub(crate) fn forged(body: &'static [u8]) -> Request<Full<Bytes>> {
    meta_request(b"something else", Full::new(Bytes::from_static(body)))
}

/// Sends one request to a handler that answers with this status.
pub(crate) async fn send_to(
    layer: &SignatureLayer<Meta>,
    status: u16,
    request: Request<Full<Bytes>>,
) -> StatusCode {
    let Ok(response) = layer.layer(handler(status)).oneshot(request).await;
    response.status()
}

/// Answers with this status.
pub(crate) fn handler(
    status: u16,
) -> impl Service<Request<BufferedBody>, Response = Response<String>, Error = Infallible, Future: Send>
+ Clone {
    service_fn(move |_: Request<BufferedBody>| {
        ready(Ok(Response::builder().status(status).body(String::new()).unwrap()))
    })
}

/// All rows, the newest first, once all are written.
pub(crate) async fn rows(log: &DeliveryLog) -> Vec<Entry> {
    log.flush().await.unwrap();
    log.find(&Filter::new().limit(1_000)).await.unwrap().entries
}

pub(crate) async fn only_row(log: &DeliveryLog) -> Entry {
    let mut rows = rows(log).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// Calls a service once, ready or not.
pub(crate) async fn call<S, R>(service: S, request: R) -> Result<S::Response, S::Error>
where
    S: Service<R>,
{
    service.oneshot(request).await
}

/// A directory for one test, gone with it.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-webhook-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! Bytes on a socket that no client would send, at hyper and at axum.

use std::net::SocketAddr;

use ::axum::Router;
use bytes::Bytes;
use http::{Response, StatusCode};
use tower::Layer;
use tower_webhook::SignatureLayer;

use super::{
    data::{Entry, Op, base, expanded},
    verifiers::{Url, build},
    ways::{Calls, bodies},
};
use crate::{
    net::{self, Raw},
    support::{Inner, meta_layer, meta_signature},
};

/// All that is answered to these bytes until the server closes. Nothing more is written once the
/// first answer is there, or at once where the bytes end in `<FIN>`.
async fn answers(address: SocketAddr, text: &str) -> Vec<Response<String>> {
    let mut raw = Raw::connect(address).await;
    raw.offer(text.trim_end_matches("<FIN>")).await;
    if text.ends_with("<FIN>") {
        raw.end();
    }
    let mut answers = Vec::new();
    while let Some(answer) = raw.answer_or_end().await {
        answers.push(answer);
        raw.end();
    }
    answers
}

fn statuses(answers: &[Response<String>]) -> Vec<StatusCode> {
    answers.iter().map(Response::status).collect()
}

fn text(entry: &Entry) -> String {
    match &entry.ops[..] {
        [Op::RawTcp { text }] => expanded(text),
        other => panic!("{entry}: {other:?}"),
    }
}

/// The body of the first request: `{}`, but where there is none.
fn body(entry: &Entry) -> &'static [u8] {
    if text(entry).contains('}') { b"{}" } else { b"" }
}

/// What hyper must refuse is refused whether signed or not, and never handed on. What it may take is
/// verified, once: a signature of the body makes no second request of it.
pub(super) async fn framing(entry: &Entry) {
    let unsigned = text(entry);
    let signature = format!("X-Hub-Signature-256: {}\r\nHost: a", meta_signature(body(entry)));
    let signed = unsigned.replace("Host: a", &signature);
    for (text, is_signed) in [(&unsigned, false), (&signed, true)] {
        let inner = Inner::default();
        let hyper = net::serve(meta_layer().layer(inner.clone())).await;
        judge(entry, is_signed, &answers(hyper, text).await, &bodies(&inner));

        let calls = Calls::default();
        let router = Router::new().fallback_service(calls.handler().layer(meta_layer()));
        let axum = net::serve_axum(router).await;
        judge(entry, is_signed, &answers(axum, text).await, &calls.take());
    }
}

fn judge(entry: &Entry, is_signed: bool, answers: &[Response<String>], calls: &[Bytes]) {
    let statuses = statuses(answers);
    let about = format!("{entry}, signed: {is_signed}: {statuses:?} {calls:?}");
    let said = entry.expected_status.as_str().unwrap_or_default();
    let may_be_taken = said.contains("403") || said.contains("response");
    let most = if said.starts_with("two") { 2 } else { 1 };
    assert!(answers.len() <= most, "{about}");
    let taken = if is_signed { StatusCode::OK } else { StatusCode::FORBIDDEN };
    if may_be_taken && !answers.is_empty() && statuses.iter().all(|status| *status == taken) {
        // Framed so that there is one body, whatever else it says.
        assert_eq!(calls.len(), if is_signed { answers.len() } else { 0 }, "{about}");
        assert!(calls.iter().all(|call| call == body(entry)), "{about}");
        return;
    }
    assert!(!may_be_taken || said.contains("400"), "{about}");
    assert_eq!(calls.len(), 0, "{about}");
    let may_close = said.contains("closed");
    let allowed = entry.statuses();
    // Without a signature, what is wrong with a body is never come to.
    let is_early = |status: &StatusCode| !is_signed && *status == StatusCode::FORBIDDEN;
    assert!(may_close || !answers.is_empty(), "{about}");
    assert!(statuses.iter().all(|status| allowed.contains(status) || is_early(status)), "{about}");
}

/// A head that cannot be genuine gets its answer, and no `100 Continue` before it.
pub(super) async fn no_continue(entry: &Entry) {
    let inner = Inner::default();
    let address = net::serve(meta_layer().layer(inner.clone())).await;
    let answers = answers(address, &text(entry)).await;
    assert_eq!(statuses(&answers), [StatusCode::FORBIDDEN], "{entry}");
    assert_eq!(inner.count(), 0, "{entry}");
}

/// GitHub's base, its signature in a trailer.
pub(super) async fn trailer(entry: &Entry) {
    let mut case = base("github");
    let (name, value) = case.lines.remove(4);
    let mut head = format!("{} {} HTTP/1.1\r\n", case.method, case.uri);
    for (name, value) in &case.lines {
        head += &format!("{name}: {}\r\n", String::from_utf8_lossy(value));
    }
    let chunk = format!("{:x}\r\n{}\r\n", case.body.len(), String::from_utf8_lossy(&case.body));
    let line = format!("{name}: {}\r\n", String::from_utf8(value).unwrap());
    let inner = Inner::default();
    let layer = SignatureLayer::new(build("github", &case, Url::Base).unwrap());
    let address = net::serve(layer.layer(inner.clone())).await;
    for announced in ["", "Trailer: X-Hub-Signature-256\r\nTE: trailers\r\n"] {
        let sent =
            format!("{head}{announced}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n{line}\r\n");
        assert_eq!(statuses(&answers(address, &sent).await), entry.statuses(), "{entry}");
        assert_eq!(inner.count(), 0, "{entry}");
    }
    // In the head, the same line is good.
    let sent = format!("{head}{line}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    assert_eq!(statuses(&answers(address, &sent).await), [StatusCode::OK], "{entry}");
}

/// Twilio's base with a target in absolute form, whose host is not the one of the header. Behind a
/// listed proxy the two are two requests in one. A configured base asks neither.
pub(super) async fn absolute_form(entry: &Entry) {
    let mut case = base("twilio");
    case.uri = format!("http://mycompany.com{}", case.uri);
    case.set("Host", b"evil.example");
    for url in [Url::Proxy, Url::Stranger] {
        let inner = Inner::default();
        let layer = SignatureLayer::new(build("twilio", &case, url).unwrap());
        let address = net::serve(layer.layer(inner.clone())).await;
        let sent = String::from_utf8(case.bytes()).unwrap();
        let answers = answers(address, &sent).await;
        assert!(entry.statuses().contains(&answers[0].status()), "{entry} {url:?}");
        assert_eq!((answers.len(), inner.count()), (1, 0), "{entry} {url:?}");
    }
}

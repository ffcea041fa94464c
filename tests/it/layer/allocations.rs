//! What requests cost in memory, counted by an allocator.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tower_webhook::{
    PublicUrl, RejectionKind, Secret,
    providers::{CredentialKind, Provider, all},
};

#[cfg(feature = "sign")]
use crate::support::AtTime;
use crate::support::{BoxError, Event, Script, assert_refused, meta_layer, meta_request, send};

/// Counts per thread, so that tests that run beside each other do not meet.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    /// How many blocks were freed that held [`SECRET`], where that is looked for.
    static LEAKS: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What must not stay in memory that is freed.
const SECRET: &[u8] = b"canary-of-a-secret-0123456789-abcdef";

/// Looks for the secret in a block that is about to be freed.
///
/// # Safety
///
/// The block is allocated.
#[expect(unsafe_code, reason = "only an allocator sees what is freed")]
unsafe fn search(pointer: *const u8, len: usize) {
    let Ok(Some(leaks)) = LEAKS.try_with(Cell::get) else { return };
    let byte = |at| unsafe { pointer.add(at).read_volatile() };
    let is_there =
        |start: usize| SECRET.iter().enumerate().all(|(at, found)| byte(start + at) == *found);
    if (0..(len + 1).saturating_sub(SECRET.len())).any(is_there) {
        LEAKS.set(Some(leaks + 1));
    }
}

/// Returns how many blocks with the secret in them were freed while `run` ran.
fn leaks(run: impl FnOnce()) -> usize {
    LEAKS.set(Some(0));
    run();
    LEAKS.replace(None).unwrap()
}

fn count(bytes: isize) {
    // A thread that ends may free when its counters are gone already.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[expect(unsafe_code, reason = "only an allocator can count allocations; it hands all on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { search(pointer, layout.size()) };
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it moves, both are there.
        count(size.cast_signed());
        count(-layout.size().cast_signed());
        unsafe { search(pointer, layout.size()) };
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that are allocated at once while `run` runs, above those at its start.
async fn peak<T>(run: impl Future<Output = T>) -> (T, usize) {
    let start = LIVE.get();
    PEAK.set(start);
    let result = run.await;
    (result, (PEAK.get() - start).cast_unsigned())
}

/// As [`peak`], of what runs at once.
pub(crate) fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let start = LIVE.get();
    PEAK.set(start);
    let result = run();
    (result, (PEAK.get() - start).cast_unsigned())
}

const MIB: usize = 1 << 20;

/// One mebibyte in frames of one byte, which themselves cost nothing.
struct Tiny {
    left: usize,
    is_declared: bool,
}

impl Body for Tiny {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(b"x")))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_declared { SizeHint::with_exact(self.left as u64) } else { SizeHint::default() }
    }
}

#[tokio::test]
async fn one_mebibyte_in_one_byte_frames_stays_small() {
    let body = vec![b'x'; MIB];
    for is_declared in [true, false] {
        let request = meta_request(&body, Tiny { left: MIB, is_declared });
        let layer = meta_layer();
        let ((response, inner), peak) = peak(send(&layer, request)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(inner.only_call().body.bytes(), &body);
        // The buffer, and its half while it grows for the last time.
        assert!(peak <= 2 * MIB, "declared: {is_declared}, peak {peak}");
    }
}

#[tokio::test]
async fn declared_length_reserves_no_memory() {
    let stalled = || [Event::Data("a".into()), Event::Data("b".into()), Event::Data("c".into())];
    let request = meta_request(b"abc", Script::new(stalled()).declared(1 << 40));
    let layer = meta_layer().body_limit(usize::MAX).byte_budget(usize::MAX);
    let ((response, _), peak) = peak(send(&layer, request)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(peak <= 80 << 10, "peak {peak}");
}

/// One mebibyte in frames of this length, each allocated when it is polled and written to.
struct Lazy {
    left: usize,
    frame: usize,
}

impl Body for Lazy {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let left = self.left.checked_sub(self.frame);
        self.left = left.unwrap_or(0);
        Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; self.frame])))))
    }
}

#[tokio::test]
async fn rejected_body_allocates_at_most_one_frame() {
    const FRAME: usize = 16 << 10;
    for (name, kind, layer, body) in [
        ("unsigned", RejectionKind::Missing, meta_layer(), Lazy { left: MIB, frame: FRAME }),
        (
            "too long",
            RejectionKind::BodyTooLarge,
            meta_layer().body_limit(1),
            Lazy { left: MIB, frame: FRAME },
        ),
    ] {
        let mut request = meta_request(b"", body);
        if kind == RejectionKind::Missing {
            request.headers_mut().remove("x-hub-signature-256");
        }
        let (answer, peak) = peak(send(&layer, request)).await;
        assert_refused(name, kind, &answer);
        assert!(!answer.0.headers().contains_key(header::CONNECTION), "{name}: it was drained");
        assert!(peak <= FRAME + 4096, "{name}: peak {peak}");
    }
    // Where the sender waits, not even a frame.
    let mut request = meta_request(b"", Script::untouchable());
    request.headers_mut().remove("x-hub-signature-256");
    let (answer, peak) = peak(send(&meta_layer(), request)).await;
    assert_refused("waiting", RejectionKind::Missing, &answer);
    assert!(peak <= 4096, "peak {peak}");
}

#[test]
fn no_secret_stays_in_memory_that_is_freed() {
    let text = String::from_utf8(SECRET.to_vec()).unwrap();
    // It is found where it is left.
    assert_eq!(leaks(|| drop(std::hint::black_box(text.clone()))), 1);
    let base64 = STANDARD.encode(SECRET);
    let cut = format!("{base64}!");
    let hex = crate::support::hex(SECRET);
    let constructors: [(&str, &dyn Fn()); 11] = [
        ("new", &|| drop(Secret::new(&*text).unwrap())),
        ("new, owned", &|| drop(Secret::new(text.clone()).unwrap())),
        ("new, refused", &|| drop(Secret::new([" ", &text].concat()).unwrap_err())),
        ("new, unfilled", &|| drop(Secret::new(["${", &text, "}"].concat()).unwrap_err())),
        ("from_bytes", &|| drop(Secret::from_bytes(SECRET).unwrap())),
        ("from_base64", &|| drop(Secret::from_base64(&base64).unwrap())),
        ("from_base64, refused", &|| drop(Secret::from_base64(&cut).unwrap_err())),
        ("from_whsec", &|| drop(Secret::from_whsec(&format!("whsec_{base64}")).unwrap())),
        ("from_hex", &|| drop(Secret::from_hex(&hex).unwrap())),
        ("from_hex, refused", &|| drop(Secret::from_hex(&format!("{hex}x0")).unwrap_err())),
        ("a verifier", &|| drop(meta_layer())),
    ];
    for (name, build) in constructors {
        assert_eq!(leaks(build), 0, "{name}");
    }
}

#[test]
fn no_providers_secret_stays_in_memory_that_is_freed() {
    let url = || PublicUrl::base("https://a.example").unwrap();
    let texts = |provider: &Provider| match provider.credential_kind() {
        CredentialKind::UserAndPassword | CredentialKind::KeyIdAndSecret => Some(b"user:".to_vec()),
        CredentialKind::HeaderAndToken => Some(b"x-token:".to_vec()),
        CredentialKind::PublicKey => None,
        _ => Some(Vec::new()),
    };
    let mut count = 0;
    for (provider, before) in all().filter_map(|provider| Some((provider, texts(&provider)?))) {
        let credentials = [&before, SECRET].concat();
        let found = leaks(|| {
            // Text where the provider takes any, and key bytes where it decodes them.
            let text = String::from_utf8(credentials.clone()).unwrap();
            let secrets = [Secret::new(text), Secret::from_bytes(credentials.clone())];
            for secret in secrets {
                if let Ok(verifier) = provider.verifier_at(secret.unwrap(), url()) {
                    drop(verifier.clone());
                    count += 1;
                }
            }
        });
        assert_eq!(found, 0, "{}", provider.name());
    }
    assert!(count > 250, "{count}");
}

/// Each variant of a secret is wiped, too.
#[cfg(feature = "explain")]
#[test]
fn no_variant_of_a_secret_stays_in_freed_memory() {
    use tower_webhook::providers::{BasicAuth, GitHub, SharedToken, Twilio};

    fn check<V: tower_webhook::Verifier>(name: &str, build: impl Fn(Secret) -> V) {
        let request = http::Request::post("/")
            .header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
            .header("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .header("x-token", "another")
            .header("authorization", "Basic YTpi");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body = Bytes::from_static(b"");
        let found = leaks(|| {
            let secret = Secret::new(String::from_utf8(SECRET.to_vec()).unwrap()).unwrap();
            drop(tower_webhook::explain::explain(&build(secret), &head, &body));
        });
        assert_eq!(found, 0, "{name}");
    }

    let url = || PublicUrl::base("https://a.example").unwrap();
    check("GitHub", |secret| GitHub::new(secret).unwrap());
    check("Twilio", |secret| Twilio::new(secret, url()).unwrap());
    check("BasicAuth", |secret| BasicAuth::new("user", secret).unwrap());
    let name = http::HeaderName::from_static("x-token");
    check("SharedToken", |secret| SharedToken::new(name.clone(), secret).unwrap());
}

/// Messages of Mailgun have attachments of megabytes, and the proof stands behind them.
#[cfg(feature = "multipart")]
#[tokio::test]
async fn multipart_form_is_verified_without_copying_files() {
    use crate::support::{at, hmac_sha256, secret};
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let tag = hmac_sha256(crate::support::SECRET, b"1700000000token");
    let file = "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n";
    let proof =
        field("timestamp", "1700000000") + &field("token", "token") + &field("signature", &tag);
    // Each of many short parts is read from what the reader has.
    let short = field("x", "1").repeat(990);
    let file = [file.as_bytes(), &vec![0xff; 40 * MIB], b"\r\n"].concat();
    let body = [short.as_bytes(), &file, proof.as_bytes(), b"--b--\r\n"];
    let body = Bytes::from(body.concat());
    let request = http::Request::post("/")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(())
        .unwrap();
    let (head, ()) = request.into_parts();
    let mailgun =
        tower_webhook::providers::Mailgun::new(secret()).unwrap().clock(at(1_700_000_000));
    let verify = async { tower_webhook::verify(&mailgun, &head, &body).is_ok() };
    let (is_genuine, peak) = peak(verify).await;
    assert!(is_genuine);
    assert!(peak <= 128 << 10, "peak {peak}");
}

//! Run under valgrind's memcheck by `scripts/timing`: secrets are marked as undefined memory, and
//! all that is computed of them becomes so too. A jump or an address that depends on them is then
//! reported, whatever its time. Only the verdict may decide; `scripts/timing_taint.py` knows where.
//!
//! `taint control` jumps on a secret and must be reported. `taint baseline` marks nothing: what is
//! reported there is of no secret.
//!
//! `unsafe` is for the one instruction sequence that valgrind takes as a request.

use std::{arch::asm, env, hint::black_box, time::SystemTime};

use bytes::Bytes;
use http::Request;
use tower_webhook::{
    PublicUrl, Secret, Verifier,
    providers::{GitHub, SharedToken, Slack, StandardWebhooks, Stripe, Telegram, Twilio, Webex},
    sign::{Sign, Signing},
    verify,
};

/// `VALGRIND_MAKE_MEM_UNDEFINED` of `memcheck.h`, for x86-64. Without valgrind it does nothing.
fn mark_undefined(memory: &[u8]) {
    if what() == "baseline" {
        return;
    }
    const MAKE_MEM_UNDEFINED: u64 = (b'M' as u64) << 24 | (b'C' as u64) << 16 | 1;
    let request = [MAKE_MEM_UNDEFINED, memory.as_ptr() as u64, memory.len() as u64, 0, 0, 0];
    // SAFETY: the rotations add up to a full turn, and the exchange is of a register with itself.
    // Valgrind reads the request and changes no memory that Rust knows of.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") 0u64 => _,
            options(nostack),
        );
    }
}

/// A secret whose checks at start-up are done and which is undefined from here on.
fn tainted(text: &str) -> Secret {
    let secret = Secret::from_bytes(text).expect("a secret");
    mark_undefined(secret.expose());
    secret
}

/// Verifies what a signer with this secret, or another one, has signed.
fn run<V: Verifier, S: Sign>(name: &str, verifier: &V, signer: &S, content_type: &str) {
    for body in ["", "A=1&B=%32&A=0", &"a=1&".repeat(100)] {
        let request = Request::post("https://example.com/x").header("content-type", content_type);
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        signer.sign(&mut head, body.as_bytes(), &Signing::at(SystemTime::now())).expect("it signs");
        let verdict = black_box(verify(verifier, &head, &Bytes::from(body.to_owned())));
        // Reading the verdict is what the secret may decide on.
        drop(verdict);
    }
    println!("{name}");
}

fn control() {
    let key = tainted("the secret of the control");
    let candidate = black_box(*b"the secret of a stranger.");
    let is_equal = key.expose().iter().zip(&candidate).all(|(a, b)| black_box(a) == black_box(b));
    println!("control: {is_equal}");
}

/// What is run: `control`, `baseline` or `verifiers`.
fn what() -> String {
    env::args().nth(1).unwrap_or_default()
}

fn main() {
    if what() == "control" {
        return control();
    }
    const FORM: &str = "application/x-www-form-urlencoded";
    const WHSEC: &str = "whsec_c2VjcmV0IG9mIHRoZSBtZWFzdXJlbWVudA==";
    let url = || PublicUrl::base("https://example.com").expect("a URL");
    let secret = |text: &str| Secret::new(text).expect("a secret");
    for (what, text) in [("good", "the secret"), ("bad", "a strange one")] {
        println!("{what} signatures:");
        let keys = || tainted("the secret");
        run("GitHub", &GitHub::new(keys()).unwrap(), &GitHub::new(secret(text)).unwrap(), FORM);
        run("Webex", &Webex::new(keys()).unwrap(), &Webex::new(secret(text)).unwrap(), FORM);
        run("Slack", &Slack::new(keys()).unwrap(), &Slack::new(secret(text)).unwrap(), FORM);
        run("Stripe", &Stripe::new(keys()).unwrap(), &Stripe::new(secret(text)).unwrap(), FORM);
        let several = GitHub::new([tainted("first"), keys(), tainted("third")]).unwrap();
        run("GitHub with three secrets", &several, &GitHub::new(secret(text)).unwrap(), FORM);
        run(
            "Twilio",
            &Twilio::new(keys(), url()).unwrap(),
            &Twilio::new(secret(text), url()).unwrap(),
            FORM,
        );
        run(
            "Telegram",
            &Telegram::new(keys()).unwrap(),
            &Telegram::new(secret(text)).unwrap(),
            FORM,
        );
        let token = |secret| SharedToken::new("x-token".parse().expect("a name"), secret).unwrap();
        run("SharedToken", &token(keys()), &token(secret(text)), FORM);
    }
    // The key is decoded at start-up, so it is the decoded one that is marked.
    let decoded = Secret::from_whsec(WHSEC).expect("base64");
    mark_undefined(decoded.expose());
    let verifier = StandardWebhooks::new(decoded).expect("a key");
    let signer = StandardWebhooks::new(secret(WHSEC)).expect("a key");
    run("StandardWebhooks", &verifier, &signer, FORM);
}

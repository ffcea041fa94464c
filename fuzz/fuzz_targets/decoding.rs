//! Hexadecimal and base64, of tags and of secrets, held to the crate `data-encoding`.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use http::Method;
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    Secret,
    scheme::{Encoding, Scheme, SchemeVerifier},
};
use tower_webhook_fuzz::{
    Edit, KEYS, add, edit, head, hmac_sha1, hmac_sha256, hmac_sha384, hmac_sha512, secret, trimmed,
    verify,
};

const ENCODINGS: [Encoding; 3] = [Encoding::Hex, Encoding::Base64, Encoding::Base64Url];

static CASES: LazyLock<Vec<(SchemeVerifier, Vec<u8>, Encoding)>> = LazyLock::new(|| {
    let key = KEYS[0].as_bytes();
    let algorithms = [
        (Scheme::hmac_sha1("x-signature"), hmac_sha1(key, &[b"body"])),
        (Scheme::hmac_sha256("x-signature"), hmac_sha256(key, &[b"body"])),
        (Scheme::hmac_sha384("x-signature"), hmac_sha384(key, &[b"body"])),
        (Scheme::hmac_sha512("x-signature"), hmac_sha512(key, &[b"body"])),
    ];
    let mut cases = Vec::new();
    for (scheme, tag) in algorithms {
        for encoding in ENCODINGS {
            let verifier = scheme.encoding(encoding).verifier(secret(0)).unwrap();
            cases.push((verifier, tag.clone(), encoding));
        }
    }
    cases
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    case: u8,
    edits: Vec<Edit>,
    text: Option<&'a [u8]>,
    secret: &'a str,
}

/// Without padding, or with bits to spare, where there are 16 bytes or more.
fn lenient_base64(text: &str) -> Option<Vec<u8>> {
    static LENIENT: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
        let mut rule = BASE64_NOPAD.specification();
        rule.check_trailing_bits = false;
        rule.encoding().unwrap()
    });
    let bare = text.trim_end_matches('=');
    let is_padded = text.len() - bare.len() <= (4 - bare.len() % 4) % 4;
    let lenient =
        || LENIENT.decode(bare.as_bytes()).ok().filter(|key| is_padded && key.len() >= 16);
    // The crate reads what is padded and put one after the other.
    let canonical = BASE64.decode(text.as_bytes()).ok().filter(|_| !bare.contains('='));
    canonical.or_else(lenient)
}

fuzz_target!(|input: Input<'_>| {
    let (verifier, tag, encoding) = &CASES[usize::from(input.case) % CASES.len()];
    let mut text = match encoding {
        Encoding::Hex => HEXLOWER_PERMISSIVE.encode(tag),
        Encoding::Base64 => BASE64.encode(tag),
        _ => BASE64URL_NOPAD.encode(tag),
    }
    .into_bytes();
    if let Some(other) = input.text {
        text = other.to_vec();
    }
    edit(&mut text, &input.edits);
    let mut request = head(Method::POST, b"/").unwrap();
    if add(&mut request, "x-signature", &text).is_some() {
        let text = trimmed(&text);
        let decoded = match encoding {
            Encoding::Hex => HEXLOWER_PERMISSIVE.decode(text),
            Encoding::Base64 => BASE64.decode(text),
            _ => BASE64URL_NOPAD.decode(text),
        };
        let verdict = verify(verifier, &request, &Bytes::from_static(b"body"));
        assert_eq!(verdict.is_ok(), decoded.as_ref() == Ok(tag), "{encoding:?} {text:?}");
    }

    let text = input.secret;
    let is_key = |key: &Vec<u8>| {
        !key.iter().all(u8::is_ascii_whitespace) && !key.iter().all(|byte| *byte == 0)
    };
    let base64 = |text: &str| lenient_base64(text).filter(is_key);
    let key = |secret: Result<Secret, _>| secret.ok().map(|secret| secret.expose().to_vec());
    assert_eq!(
        key(Secret::from_hex(text)),
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().filter(is_key)
    );
    assert_eq!(key(Secret::from_base64(text)), base64(text));
    let rest = text.strip_prefix("whsec_").unwrap_or(text);
    assert_eq!(key(Secret::from_whsec(text)), base64(rest));
});

//! Public keys in every form, spoiled: a text that is read as a key is the key that it spells, and
//! no other key verifies what the first one's owner signed.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use http::{Request, request::Parts};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_webhook::{
    PublicKey,
    providers::{Discord, SendGrid, Wise},
    sign::{PrivateKey, Signing, signed},
};
use tower_webhook_fuzz::{Edit, NOW, at, edit, hex, loose_base64, verify};

/// A key, and a request that was signed with its private part.
struct Key {
    spki: Vec<u8>,
    algorithm: &'static str,
    head: Parts,
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let keys = include_str!("../../tests/data/keys.json");
    let keys: Vec<Value> = serde_json::from_str(keys).unwrap();
    let build = |algorithm: &'static str| {
        let key = keys.iter().find(|key| key["algorithm"] == algorithm).unwrap();
        let spki = pem(key["public"].as_str().unwrap()).unwrap();
        let private = PrivateKey::from_pem(key["private"].as_str().unwrap()).unwrap();
        let public = private.public_key().unwrap();
        let request = Request::post("/").body("body").unwrap();
        let signed = match algorithm {
            "ed25519" => signed(
                &Discord::new(public).unwrap(),
                request,
                Signing::at(at(NOW)()).private_key(&private),
            ),
            "ecdsa" => signed(
                &SendGrid::new(public).unwrap(),
                request,
                Signing::at(at(NOW)()).private_key(&private),
            ),
            _ => signed(
                &Wise::new(public).unwrap(),
                request,
                Signing::at(at(NOW)()).private_key(&private),
            ),
        };
        Key { spki, algorithm, head: signed.unwrap().into_parts().0 }
    };
    ["ed25519", "ecdsa", "rsa"].map(build).into()
});

fn pem(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let text = text.strip_suffix("-----END PUBLIC KEY-----")?;
    let text: String = text.chars().filter(|char| !char.is_ascii_whitespace()).collect();
    loose_base64(&text)
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    key: u8,
    form: u8,
    /// Of the key's bytes, before they are written.
    spoiled: Vec<(u16, u8)>,
    extra: &'a [u8],
    edits: Vec<Edit>,
    other: Option<&'a str>,
}

fuzz_target!(|input: Input<'_>| {
    let key = &KEYS[usize::from(input.key) % KEYS.len()];
    let mut spki = key.spki.clone();
    for (at, mask) in input.spoiled.iter().take(4) {
        let at = usize::from(*at) % spki.len();
        spki[at] ^= mask;
    }
    spki.extend(input.extra);
    let raw = if key.algorithm == "ed25519" { &spki[12..] } else { &spki[..] };
    let text = match input.form % 6 {
        0 => hex(raw),
        1 => BASE64.encode(raw),
        2 => format!("whpk_{}", BASE64_NOPAD.encode(raw)),
        3 => BASE64.encode(&spki),
        _ => {
            let lines: Vec<_> = BASE64.encode(&spki).into_bytes();
            let lines: Vec<_> =
                lines.chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
            let end = if input.form % 6 == 4 { "\n" } else { "\r\n" };
            let lines = lines.join(end);
            format!("-----BEGIN PUBLIC KEY-----{end}{lines}{end}-----END PUBLIC KEY-----{end}")
        }
    };
    let mut text = input.other.map_or(text, str::to_owned).into_bytes();
    edit(&mut text, &input.edits);
    let Ok(text) = str::from_utf8(&text) else { return };

    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let spelt = if text.trim_start().starts_with("-----") {
        pem(text)
    } else if is_hex {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
    } else {
        loose_base64(text.strip_prefix("whpk_").unwrap_or(text))
    };
    let is_key = |key: &&Key| {
        spelt.as_ref().is_some_and(|bytes| {
            *bytes == key.spki || (key.algorithm == "ed25519" && bytes[..] == key.spki[12..])
        })
    };
    let expected = KEYS.iter().find(is_key).map(|key| key.algorithm);

    let found: Result<PublicKey, _> = text.parse();
    let Ok(found) = found else {
        assert_eq!(expected, None, "{text:?}");
        return;
    };
    assert!(spelt.is_some(), "{text:?}");
    let body = Bytes::from_static(b"body");
    let verifies = KEYS.iter().find(|key| match key.algorithm {
        "ed25519" => Discord::new(found.clone())
            .is_ok_and(|discord| verify(&discord, &key.head, &body).is_ok()),
        "ecdsa" => {
            SendGrid::new(found.clone()).is_ok_and(|grid| verify(&grid, &key.head, &body).is_ok())
        }
        _ => Wise::new(found.clone()).is_ok_and(|wise| verify(&wise, &key.head, &body).is_ok()),
    });
    assert_eq!(verifies.map(|key| key.algorithm), expected, "{text:?}");
});

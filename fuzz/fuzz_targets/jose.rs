//! Tokens in bodies, detached signatures and chains of certificates, spoiled: only what was signed is
//! accepted, whatever stands around it.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{HeaderValue, Request, request::Parts};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_webhook::{
    PublicUrl, Rejection, Verified,
    providers::{
        AppleAppStore, BoxVerifier, Fireblocks, GoogleRisc, Kinde, NeonAuth, OpenBanking,
        SecurityEventTokens, SignInWithApple, TrueLayer, TrueLayerEnvironment, Wix,
    },
    sign::{PrivateKey, Sign, Signing, signed},
};
use tower_webhook_fuzz::{Edit, NOW, at, edit, members, trimmed, verify};

/// Place of the signature.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Header(&'static str),
    Body,
    Json(&'static str),
}

/// A verifier, and a request that it accepts.
struct Genuine {
    verifier: BoxVerifier,
    place: Place,
    head: Parts,
    body: Bytes,
}

static ALL: LazyLock<Vec<Genuine>> = LazyLock::new(all);

fn all() -> Vec<Genuine> {
    let keys: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/data/keys.json")).unwrap();
    let read = |pem: &Value| PrivateKey::from_pem(pem.as_str().unwrap()).unwrap();
    let key = |algorithm: &str| {
        read(&keys.iter().find(|key| key["algorithm"] == algorithm).unwrap()["private"])
    };
    let detached: Value =
        serde_json::from_str(include_str!("../../tests/data/detached.json")).unwrap();
    let apple: Value =
        serde_json::from_str(include_str!("../../tests/data/apple_app_store.json")).unwrap();
    let chain =
        [0, 1, 2].map(|at| BASE64.decode(apple["chain"][at].as_str().unwrap().as_bytes()).unwrap());
    let (rsa, ecdsa, ed25519) = (&key("rsa"), &key("ecdsa"), &key("ed25519"));
    let p521 = &read(&detached["p521"]);
    let public = |key: &PrivateKey| key.public_key().unwrap();
    let url = PublicUrl::base("https://example.com").unwrap();
    let truelayer = TrueLayer::new(TrueLayerEnvironment::Production, url, public(p521));
    let store = AppleAppStore::sandbox("com.example.app").unwrap();
    let store = store.root_certificates(apple["root"].as_str().unwrap()).unwrap();
    let events = r#"{"events":{"a":{}}}"#;
    let notification =
        r#"{"notificationUUID":"a","data":{"bundleId":"com.example.app","environment":"Sandbox"}}"#;
    let issuer = "https://idp.example.com";
    vec![
        genuine(truelayer.unwrap(), Place::Header("tl-signature"), p521, "{}"),
        genuine(
            Fireblocks::new(public(rsa)).unwrap(),
            Place::Header("fireblocks-webhook-signature"),
            rsa,
            "{}",
        ),
        genuine(
            NeonAuth::new(public(ed25519)).unwrap(),
            Place::Header("x-neon-signature"),
            ed25519,
            "{}",
        ),
        genuine(
            OpenBanking::new("bank", "openbanking.org.uk", public(ecdsa)).unwrap(),
            Place::Header("x-jws-signature"),
            ecdsa,
            "{}",
        ),
        genuine(GoogleRisc::new(["a"], public(rsa)).unwrap(), Place::Body, rsa, events),
        genuine(
            SecurityEventTokens::new(issuer, ["a"], public(ed25519)).unwrap(),
            Place::Body,
            ed25519,
            events,
        ),
        genuine(
            SignInWithApple::new(["a"], public(rsa)).unwrap(),
            Place::Json("payload"),
            rsa,
            "{}",
        ),
        genuine(
            Kinde::new(public(rsa)).unwrap(),
            Place::Body,
            rsa,
            r#"{"event_id":"a","type":"b","data":{}}"#,
        ),
        genuine(Wix::new(public(rsa)).unwrap(), Place::Body, rsa, "{}"),
        genuine(store.signing_chain(chain), Place::Json("signedPayload"), ecdsa, notification),
    ]
}

fn genuine<V>(verifier: V, place: Place, key: &PrivateKey, body: &str) -> Genuine
where
    V: Sign + std::fmt::Debug,
{
    let request = Request::post("/hook").body(body.to_owned()).unwrap();
    let with = Signing::at(at(NOW)()).private_key(key);
    let (head, body) = signed(&verifier, request, with).unwrap().into_parts();
    let genuine = Genuine { verifier: BoxVerifier::signing(verifier), place, head, body };
    assert!(genuine.judge(&genuine.head, &genuine.body).is_ok());
    genuine
}

impl Genuine {
    fn judge(&self, head: &Parts, body: &Bytes) -> Result<Verified, Rejection> {
        verify(&self.verifier, head, body)
    }

    fn token(&self) -> Vec<u8> {
        match self.place {
            Place::Header(name) => self.head.headers[name].as_bytes().to_vec(),
            Place::Body => self.body.to_vec(),
            Place::Json(name) => {
                let body: Value = serde_json::from_slice(&self.body).unwrap();
                body[name].as_str().unwrap().as_bytes().to_vec()
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    /// Edits of the decoded header, of a certificate in it, and of the token.
    header: Vec<Edit>,
    certificate: Option<(u8, Vec<Edit>)>,
    token: Vec<Edit>,
    body: Vec<Edit>,
    /// Beginning of what is edited.
    offset: u16,
    /// Another token.
    other: Option<&'a [u8]>,
    /// Text before the token in JSON.
    before: &'a str,
    time: i8,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let genuine = &ALL[usize::from(input.provider) % ALL.len()];
    let right = genuine.token();
    let mut token = input.other.map_or_else(|| spoiled(&right, input), <[u8]>::to_vec);
    edit_at(&mut token, input.offset, &input.token);
    let (mut head, mut body) = (genuine.head.clone(), genuine.body.to_vec());
    match genuine.place {
        Place::Header(name) => {
            head.headers.insert(name, HeaderValue::from_bytes(&token).ok()?);
            edit(&mut body, &input.body);
        }
        Place::Body => body.clone_from(&token),
        Place::Json(name) => {
            let text = std::str::from_utf8(&token).ok()?;
            body = format!("{{{}\"{name}\":{}}}", input.before, Value::from(text)).into_bytes();
        }
    }
    if let Some(value) = head.headers.get_mut("x-neon-timestamp") {
        let time = NOW.checked_add_signed(input.time.into())? * 1_000;
        *value = HeaderValue::from(time);
    }
    let body = Bytes::from(body);
    let judged = genuine.judge(&head, &body);
    let is_body = match genuine.place {
        Place::Header(_) => body == genuine.body,
        Place::Body => true,
        Place::Json(name) => {
            let members = members(&body);
            // The reader here holds no such number, and nothing else is wrong with it.
            if members.as_ref().is_err_and(|why| why.contains("out of range")) {
                return None;
            }
            let members = members.unwrap_or_default();
            members.iter().filter(|(known, _)| known == name).count() == 1
        }
    };
    // White space around the value of a header is not part of it.
    let is_token = match genuine.place {
        Place::Header(_) => trimmed(&token) == right,
        Place::Body | Place::Json(_) => token == right,
    };
    let is_time = !head.headers.contains_key("x-neon-timestamp") || input.time == 0;
    assert_eq!(judged.is_ok(), is_token && is_body && is_time, "{judged:?} {input:?}");
    Some(())
}

fn edit_at(text: &mut Vec<u8>, offset: u16, edits: &[Edit]) {
    let mut tail = text.split_off(usize::from(offset) % (text.len() + 1));
    edit(&mut tail, edits);
    text.extend(tail);
}

/// Returns the token with other bytes in its header.
fn spoiled(right: &[u8], input: &Input<'_>) -> Vec<u8> {
    if input.header.is_empty() && input.certificate.is_none() {
        return right.to_vec();
    }
    let dot = right.iter().position(|byte| *byte == b'.').unwrap();
    let mut header = BASE64URL_NOPAD.decode(&right[..dot]).unwrap();
    if let Some((at, edits)) = &input.certificate {
        let mut json: Value = serde_json::from_slice(&header).unwrap();
        if let Some(text) = json["x5c"].get_mut(usize::from(*at) % 3) {
            let mut der = BASE64.decode(text.as_str().unwrap().as_bytes()).unwrap();
            edit_at(&mut der, input.offset, edits);
            *text = BASE64.encode(&der).into();
            header = json.to_string().into_bytes();
        }
    }
    edit_at(&mut header, input.offset, &input.header);
    [BASE64URL_NOPAD.encode(&header).as_bytes(), &right[dot..]].concat()
}

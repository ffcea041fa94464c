//! Published test vectors, and vectors derived from published algorithms with another tool: each
//! gives its stated verdict as a function and through the whole layer.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicUrl, Scheme, Secret, SignatureLayer, Verifier,
    providers::{
        self, BoxVerifier, Datadog, GitHub, Mailgun, Meta, Persona, Pusher, SharedToken, Shopify,
        Slack, StandardWebhooks, Stripe, Twilio, Webex, WebexContactCenter, Worldline, Worldpay,
        Wsapi,
    },
    scheme::{Encoding, SignatureFormat},
    verifier::any_of,
};

use crate::support::{
    AtTime, ByNameAtTime, Script, assert_refused_with, at, head_of, send, verify,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    provider: String,
    description: String,
    /// Where it was published, or what it was derived from.
    source: String,
    origin: String,
    method: Option<String>,
    url: String,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    body_base64: Option<String>,
    secret: String,
    #[serde(default)]
    secrets: Vec<String>,
    secret_kind: Option<String>,
    /// The time of verification, in seconds since 1970.
    now: Option<u64>,
    valid: bool,
    /// What must be switched on for it.
    optional: Option<String>,
    policy: Option<String>,
    expect: Option<Expect>,
    static_header: Option<String>,
    hash: Option<String>,
    encoding: Option<String>,
    advanced: Option<bool>,
}

/// The answer to a challenge.
#[derive(Debug, Deserialize)]
struct Expect {
    status: u16,
    body: Option<String>,
}

const fn tagged(name: &'static str) -> SignatureFormat {
    SignatureFormat::tagged(name).separated_by(b',').assigned_by(b'=')
}

const CONVOY: Scheme = Scheme::hmac_sha256("x-convoy-signature");
const CONVOY_512: Scheme = Scheme::hmac_sha512("x-convoy-signature");
const HUB: Scheme = Scheme::hmac_sha256("x-hub-signature");

/// Schemes that this crate does not ship, declared with the public builder alone. Where one name
/// stands twice, the header may be written either way.
const DECLARED: &[(&str, Scheme)] = &[
    ("convoy SHA256 hex", CONVOY),
    ("convoy SHA256 base64", CONVOY.encoding(Encoding::Base64)),
    ("convoy SHA512 base64", CONVOY_512.encoding(Encoding::Base64)),
    ("generic_hmac_sha512_b64", CONVOY_512.encoding(Encoding::Base64)),
    ("generic_hmac_sha512_hex", CONVOY_512),
    ("generic_hub_sha1", Scheme::hmac_sha1("x-hub-signature")),
    ("generic_hub_sha1", Scheme::hmac_sha1("x-hub-signature").signature_format(tagged("sha1"))),
    ("generic_hub_sha256", HUB),
    ("generic_hub_sha256", HUB.signature_format(tagged("sha256"))),
    ("generic_hub_sha512", Scheme::hmac_sha512("x-hub-signature")),
    (
        "generic_hub_sha512",
        Scheme::hmac_sha512("x-hub-signature").signature_format(tagged("sha512")),
    ),
];

impl Vector {
    fn name(&self) -> String {
        format!("{}: {} ({})", self.provider, self.description, self.source)
    }

    fn body(&self) -> Bytes {
        match &self.body_base64 {
            Some(body) => STANDARD.decode(body).unwrap().into(),
            None => self.body.clone().into(),
        }
    }

    /// Senders may write hex in either case: that is one spelling of the same tag.
    fn is_accepted(&self) -> bool {
        self.valid || self.policy.as_deref() == Some("strict-lowercase")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Its origin and its path and query.
    fn url_parts(&self) -> (&str, &str) {
        let authority = self.url.find("://").unwrap() + 3;
        let path = self.url[authority..].find('/').map_or(self.url.len(), |at| authority + at);
        self.url.split_at(path)
    }

    fn request(&self, target: &str) -> Request<()> {
        let method = self.method.as_deref().unwrap_or("POST");
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    fn secret(&self) -> Result<Secret, ConfigError> {
        match self.secret_kind.as_deref() {
            // The one composed letter, as Unicode takes it apart.
            Some("utf8_nfkd") => Secret::new(self.secret.replace('é', "e\u{301}")),
            _ => Secret::new(&*self.secret),
        }
    }

    /// Runs it in both ways, which must agree.
    async fn run<V: Verifier + Clone>(&self, run: &str, verifier: V, target: &str, expected: bool) {
        let (name, body) = (format!("{} ({run})", self.name()), self.body());
        let verdict = verify(&verifier, &head_of(self.request(target)), &body);
        assert_eq!(verdict.is_ok(), expected, "{name}: {verdict:?}");

        let (first, second) = body.split_at(body.len() / 2);
        let chunks = [first, b"", second].map(Bytes::copy_from_slice);
        let request = self.request(target).map(|()| Script::data(chunks));
        let status = verifier.defaults().status();
        let (response, inner) = send(&SignatureLayer::new(verifier), request).await;
        match (verdict, self.expect.as_ref().and_then(|expect| expect.body.clone())) {
            // A signed challenge.
            (Ok(_), Some(expected)) => {
                assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0), "{name}");
                let answer = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(answer, expected, "{name}");
            }
            (Ok(verdict), None) => {
                assert_eq!(response.status(), StatusCode::OK, "{name}");
                let call = inner.only_call();
                assert_eq!(call.body.bytes(), &body, "{name}");
                assert_eq!(call.verified().replay_key(), verdict.replay_key(), "{name}");
            }
            (Err(rejection), _) => {
                assert!(rejection.kind().is_authentication_failure(), "{name}: {rejection}");
                assert_refused_with(&name, status, rejection.kind(), &(response, inner));
            }
        }
    }

    async fn run_declared(&self, secret: Secret) {
        let convoy = [&self.hash, &self.encoding].map(|text| text.as_deref().unwrap_or_default());
        let name = match self.advanced {
            Some(true) => format!("{} {} advanced", self.provider, convoy.join(" ")),
            Some(false) => format!("{} {}", self.provider, convoy.join(" ")),
            None => self.provider.clone(),
        };
        let verifier = |scheme: &Scheme| -> BoxVerifier {
            let url = PublicUrl::fixed(&self.url).unwrap();
            let further = self.secrets.iter().skip(1).filter(|secret| !secret.is_empty());
            let further = further.map(|text| Secret::new(&**text).unwrap());
            let all: Vec<_> = std::iter::once(secret.clone()).chain(further).collect();
            let verifier = scheme.verifier_at(all, url).unwrap();
            match self.now {
                Some(now) => BoxVerifier::new(verifier.clock(at(now))),
                None => BoxVerifier::new(verifier),
            }
        };
        let schemes: Vec<_> = DECLARED.iter().filter(|(n, _)| *n == name).collect();
        match *schemes {
            [(_, one)] => self.run("declared", verifier(one), "/", self.is_accepted()).await,
            [(_, one), (_, other)] => {
                let either = any_of(verifier(one), verifier(other));
                self.run("declared", either, "/", self.is_accepted()).await;
            }
            _ => {
                // Shipped: by its name, and as one type for all.
                let id = self.provider.trim_end_matches("_server");
                let provider = providers::by_name(id).unwrap();
                let shipped = provider.scheme().unwrap();
                self.run("shipped", verifier(shipped), "/", self.is_accepted()).await;
                if self.secrets.len() < 2 {
                    let url = PublicUrl::fixed(&self.url).ok();
                    let now = at(self.now.unwrap_or(1_700_000_000));
                    let any = provider.verifier_at_time(secret.clone(), url, now).unwrap();
                    self.run("by name", any, "/", self.is_accepted()).await;
                }
            }
        }
    }

    async fn run_twilio(&self, secret: Secret) {
        let settings = self.header("x-twilio-webhooks-signature-settings");
        let twilio = |url: PublicUrl| {
            if !self.description.starts_with("SharedKey") && settings.is_none() {
                return Twilio::new(secret.clone(), url).unwrap();
            }
            let id = settings.and_then(|text| text.split(',').next()?.strip_prefix("key="));
            let auth_token = Secret::new("another auth token").unwrap();
            Twilio::new(auth_token, url)
                .unwrap()
                .shared_key(id.unwrap_or("id"), secret.clone())
                .unwrap()
        };
        let switch = |twilio: Twilio| match self.optional.as_deref() {
            None => twilio,
            Some("legacy-query-candidate") => twilio.accept_legacy_query(),
            Some("wss-trailing-slash-candidate") => twilio.accept_trailing_slash(),
            Some(other) => panic!("{other}"),
        };
        let fixed = twilio(PublicUrl::fixed(&self.url).unwrap());
        if self.optional.is_some() {
            self.run("switched off", fixed.clone(), "/", false).await;
        }
        self.run("fixed", switch(fixed), "/", self.valid).await;

        let (origin, target) = self.url_parts();
        if target.parse::<Uri>().is_ok_and(|uri| uri == target) {
            let verifier = switch(twilio(PublicUrl::base(origin).unwrap()));
            self.run("base", verifier, target, self.valid).await;
        }
    }

    async fn run_handshake(&self, token: Secret) {
        let (name, expect) = (self.name(), self.expect.as_ref().unwrap());
        let meta = Meta::new("app secret").unwrap().verify_token(token).unwrap();
        let request = self.request(self.url_parts().1).map(|()| Script::untouchable());
        assert_eq!(request.method(), Method::GET);
        let (response, inner) = send(&SignatureLayer::new(meta), request).await;
        assert_eq!(inner.count(), 0, "{name}");
        assert_eq!(response.status(), expect.status, "{name}");
        assert_eq!(self.valid, expect.status == 200, "{name}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expect.body.clone().unwrap_or_default(), "{name}");
    }

    async fn run_any(&self) {
        let Ok(secret) = self.secret() else {
            assert!(self.secret.is_empty() && !self.valid, "{}", self.name());
            return;
        };
        let now = at(self.now.unwrap_or(1_700_000_000));
        let expected = self.is_accepted();
        match self.provider.as_str() {
            "datadog" => {
                let header = self.static_header.as_ref().unwrap().parse().unwrap();
                self.run("", Datadog::new(header, secret).unwrap(), "/", expected).await;
            }
            "github" => self.run("", GitHub::new(secret).unwrap(), "/", expected).await,
            "mailgun" => {
                self.run("", Mailgun::new(secret).unwrap().clock(now), "/", expected).await
            }
            "meta" => self.run("", Meta::new(secret).unwrap(), "/", expected).await,
            "meta-handshake" => self.run_handshake(secret).await,
            "meta-sha1" => {
                self.run("switched off", Meta::new(secret.clone()).unwrap(), "/", false).await;
                self.run("", Meta::new(secret).unwrap().accept_legacy_sha1(), "/", expected).await;
            }
            "persona" => {
                let further = self.secrets.iter().skip(1).map(|text| Secret::new(&**text).unwrap());
                let all: Vec<_> = std::iter::once(secret).chain(further).collect();
                let persona = Persona::new(all).unwrap();
                self.run("", persona.clock(now), "/", expected).await;
            }
            "pusher" => self.run("", Pusher::new("key", secret).unwrap(), "/", expected).await,
            "shopify" => self.run("", Shopify::new(secret).unwrap(), "/", expected).await,
            "slack" => self.run("", Slack::new(secret).unwrap().clock(now), "/", expected).await,
            "stripe" => self.run("", Stripe::new(secret).unwrap().clock(now), "/", expected).await,
            "standard_webhooks" | "svix" => {
                let verifier = StandardWebhooks::new(secret).unwrap().clock(now);
                self.run("", verifier, "/", expected).await;
            }
            "twilio" => self.run_twilio(secret).await,
            "webex" => self.run("", Webex::new(secret).unwrap(), "/", expected).await,
            "webexcc" => {
                self.run("", WebexContactCenter::new(secret).unwrap().clock(now), "/", expected)
                    .await;
            }
            "worldline" => {
                self.run("", Worldline::new("dummy-key-id", secret).unwrap(), "/", expected).await;
            }
            "worldpay" => self.run("", Worldpay::new("1", secret).unwrap(), "/", expected).await,
            "wsapi" => self.run("", Wsapi::new(secret).unwrap().clock(now), "/", expected).await,
            "wsapi-static" => {
                let header: HeaderName = self.static_header.as_ref().unwrap().parse().unwrap();
                self.run("", SharedToken::new(header, secret).unwrap(), "/", expected).await;
            }
            _ => self.run_declared(secret).await,
        }
    }
}

#[tokio::test]
async fn every_vector_gives_its_stated_verdict() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let mut by_provider = BTreeMap::<_, usize>::new();
    for vector in &vectors {
        vector.run_any().await;
        *by_provider.entry(&*vector.provider).or_default() += 1;
    }
    let derived = vectors.iter().filter(|vector| vector.origin == "derived").count();
    let valid = vectors.iter().filter(|vector| vector.valid).count();
    eprintln!("{} published, {derived} derived: {by_provider:?}", vectors.len() - derived);
    // A vector that is dropped is noticed here.
    assert_eq!((vectors.len(), derived, valid, by_provider.len()), (329, 129, 148, 60));
}

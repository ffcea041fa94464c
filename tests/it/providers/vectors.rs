//! Published test vectors, and vectors derived from published algorithms with another tool: each
//! gives its stated verdict as a function and through the whole layer.
//!
//! Those of a provider are in `src/providers/vectors/`, in a file of the provider's name. A vector
//! that needs more than the provider's name has a `setup`.

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicUrl, Scheme, Secret, SignatureLayer, Verifier,
    providers::{self, BoxVerifier, HubSpot, Meta, Plivo, Provider, Recharge, Twilio},
    scheme::{Encoding, SignatureFormat},
    verifier::any_of,
};

use crate::support::{
    AtTime, ByNameAtTime, Script, assert_refused_with, at, head_of, send, verify,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    /// The provider, or a scheme that this crate does not ship.
    #[serde(default, rename = "scheme")]
    name: String,
    description: String,
    /// Where it was published, or what it was derived from.
    source: String,
    pub(crate) origin: String,
    method: Option<String>,
    #[serde(default = "url")]
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    body_base64: Option<String>,
    pub(crate) secret: String,
    #[serde(default)]
    secrets: Vec<String>,
    secret_kind: Option<String>,
    /// The time of verification, in seconds since 1970.
    pub(crate) now: Option<u64>,
    pub(crate) valid: bool,
    pub(crate) setup: Option<Setup>,
    /// What must be switched on for it.
    optional: Option<String>,
    policy: Option<String>,
    pub(crate) expect: Option<Expect>,
}

/// Setup of a verifier that needs more than secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Setup {
    AcceptLegacySha1,
    /// A GET that is answered: by Meta with the secret as verify token.
    Challenge,
}

fn url() -> String {
    "https://example.com/webhook".to_owned()
}

/// The answer to a challenge.
#[derive(Debug, Deserialize)]
pub(crate) struct Expect {
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
    fn read(path: &Path) -> Vec<Self> {
        let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"))
    }

    /// Those of a provider.
    pub(crate) fn of(name: &str) -> Vec<Self> {
        let path = directory().join(format!("{name}.json"));
        assert!(path.exists(), "`{name}` has no vector: write {path:?}");
        let vectors = Self::read(&path).into_iter();
        vectors.map(|vector| Self { name: name.to_owned(), ..vector }).collect()
    }

    pub(crate) fn name(&self) -> String {
        format!("{}: {} ({})", self.name, self.description, self.source)
    }

    pub(crate) fn body(&self) -> Bytes {
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
    pub(crate) fn url_parts(&self) -> (&str, &str) {
        let authority = self.url.find("://").unwrap() + 3;
        let path = self.url[authority..].find('/').map_or(self.url.len(), |at| authority + at);
        self.url.split_at(path)
    }

    pub(crate) fn request(&self, target: &str) -> Request<()> {
        let method = self.method.as_deref().unwrap_or("POST");
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap()
    }

    pub(crate) fn secret(&self) -> Result<Secret, ConfigError> {
        match self.secret_kind.as_deref() {
            // The one composed letter, as Unicode takes it apart.
            Some("utf8_nfkd") => Secret::new(self.secret.replace('é', "e\u{301}")),
            // A public key, with its last line's end.
            _ if self.secret.starts_with("-----BEGIN") => Secret::new(self.secret.trim_end()),
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
        match (verdict, &self.expect) {
            // A signed challenge.
            (Ok(_), Some(Expect { status, body: Some(expected) })) => {
                let found = (response.status().as_u16(), inner.count());
                assert_eq!(found, (*status, 0), "{name}");
                let answer = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(answer, expected, "{name}");
            }
            (Ok(verdict), _) => {
                assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{name}");
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

    pub(crate) fn secrets(&self, secret: Secret) -> Vec<Secret> {
        let further = self.secrets.iter().skip(1).filter(|secret| !secret.is_empty());
        let further = further.map(|text| Secret::new(&**text).unwrap());
        std::iter::once(secret).chain(further).collect()
    }

    /// The verifier of a scheme, as one type for all.
    fn declared(&self, scheme: &Scheme, secret: Secret) -> BoxVerifier {
        let url = PublicUrl::fixed(&self.url).unwrap();
        let verifier = scheme.verifier_at(self.secrets(secret), url).unwrap();
        match self.now {
            Some(now) => BoxVerifier::new(verifier.clock(at(now))),
            None => BoxVerifier::new(verifier),
        }
    }

    /// By a scheme that is not shipped.
    async fn run_scheme(&self, secret: Secret) {
        let verifier = |scheme| self.declared(scheme, secret.clone());
        let schemes: Vec<_> = DECLARED.iter().filter(|(name, _)| *name == self.name).collect();
        match *schemes {
            [(_, one)] => self.run("declared", verifier(one), "/", self.is_accepted()).await,
            [(_, one), (_, other)] => {
                let either = any_of(verifier(one), verifier(other));
                self.run("declared", either, "/", self.is_accepted()).await;
            }
            _ => panic!("{}", self.name()),
        }
    }

    /// By the provider's name, and by its scheme if it is no more.
    async fn run_provider(&self, provider: Provider, secret: Secret) {
        let expected = self.is_accepted();
        let target = self.url_parts().1;
        let target = if target.parse::<Uri>().is_ok() { target } else { "/" };
        if let Some(scheme) = provider.scheme() {
            self.run("shipped", self.declared(scheme, secret.clone()), target, expected).await;
        }
        let url = PublicUrl::fixed(&self.url).ok();
        let now = at(self.now.unwrap_or(1_700_000_000));
        let secrets = self.secrets(secret);
        let Ok(by_name) = provider.verifier_at_time(secrets, url, now) else {
            // A key ID without a secret.
            assert!(self.secret.ends_with(':') && !self.valid, "{}", self.name());
            return;
        };
        self.run("by name", by_name, target, expected).await;
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

    async fn run_older_hubspot(&self, secret: Secret) {
        let hubspot = HubSpot::new(secret, PublicUrl::fixed(&self.url).unwrap()).unwrap();
        let [other, switched_on] = match self.optional.as_deref() {
            Some("accept-v1") => [hubspot.clone().accept_v2(), hubspot.clone().accept_v1()],
            Some("accept-v2") => [hubspot.clone().accept_v1(), hubspot.clone().accept_v2()],
            other => panic!("{other:?}"),
        };
        self.run("switched off", hubspot, "/", false).await;
        self.run("the other one", other, "/", false).await;
        self.run("switched on", switched_on, "/", self.valid).await;
    }

    async fn run_handshake(&self, verifier: impl Verifier + Clone) {
        let (name, expect) = (self.name(), self.expect.as_ref().unwrap());
        let request = self.request(self.url_parts().1).map(|()| Script::untouchable());
        assert_eq!(request.method(), Method::GET);
        let (response, inner) = send(&SignatureLayer::new(verifier), request).await;
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
        let expected = self.is_accepted();
        match (&*self.name, self.setup) {
            ("meta", Some(Setup::Challenge)) => {
                let meta = Meta::new("app secret").unwrap().verify_token(secret).unwrap();
                self.run_handshake(meta).await;
            }
            (name, Some(Setup::Challenge)) => {
                let provider = providers::by_name(name).unwrap();
                self.run_handshake(provider.verifier(secret).unwrap()).await;
            }
            ("meta", Some(Setup::AcceptLegacySha1)) => {
                self.run("switched off", Meta::new(secret.clone()).unwrap(), "/", false).await;
                self.run("", Meta::new(secret).unwrap().accept_legacy_sha1(), "/", expected).await;
            }
            ("twilio", _) => self.run_twilio(secret).await,
            ("plivo", _) if self.optional.is_some() => {
                let plivo = Plivo::new(secret, PublicUrl::fixed(&self.url).unwrap()).unwrap();
                self.run("switched off", plivo.clone(), "/", false).await;
                self.run("switched on", plivo.accept_v2(), "/", self.valid).await;
            }
            ("recharge", _) if self.optional.is_some() => {
                let recharge = Recharge::new(secret).unwrap();
                self.run("switched off", recharge.clone(), "/", false).await;
                self.run("switched on", recharge.accept_plain_hash(), "/", self.valid).await;
            }
            ("hubspot", _) if self.optional.is_some() => self.run_older_hubspot(secret).await,
            (name, None) => match providers::by_name(name) {
                Ok(provider) => self.run_provider(provider, secret).await,
                Err(_) => self.run_scheme(secret).await,
            },
            (_, Some(_)) => panic!("{}", self.name()),
        }
    }
}

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/providers/vectors"))
}

#[tokio::test]
async fn every_vector_gives_its_stated_verdict() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemes.json");
    let mut vectors = Vector::read(&data);
    let names: Vec<_> = providers::all().map(|provider| provider.name()).collect();
    for name in &names {
        let of_provider = Vector::of(name);
        for is_valid in [true, false] {
            let is_there = of_provider.iter().any(|vector| vector.valid == is_valid);
            assert!(is_there, "`{name}` has no vector that is valid: {is_valid}");
        }
        vectors.extend(of_provider);
    }
    let mut by_name = BTreeMap::<_, usize>::new();
    for vector in &vectors {
        vector.run_any().await;
        *by_name.entry(&*vector.name).or_default() += 1;
    }
    let derived = vectors.iter().filter(|vector| vector.origin == "derived").count();
    let valid = vectors.iter().filter(|vector| vector.valid).count();
    eprintln!(
        "{} published, {derived} derived, {valid} valid: {by_name:?}",
        vectors.len() - derived
    );
}

/// Counted in the files, so that the features of a build do not change the number.
#[test]
fn no_vector_is_dropped() {
    let mut vectors =
        Vector::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemes.json"));
    for file in fs::read_dir(directory()).unwrap() {
        vectors.extend(Vector::read(&file.unwrap().path()));
    }
    let derived = vectors.iter().filter(|vector| vector.origin == "derived").count();
    let published = vectors.len() - derived;
    assert!(published >= 208 && vectors.len() >= 579, "{published} of {}", vectors.len());
}

/// A file of another name would be read by nobody.
#[test]
fn every_file_of_vectors_is_of_a_provider() {
    for file in fs::read_dir(directory()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let id = name.strip_suffix(".json").unwrap();
        let is_built = crate::providers::registry::is_built(id);
        assert_eq!(providers::all().any(|provider| provider.name() == id), is_built, "{name}");
    }
}

//! Calls of other libraries' own tests, recorded while those ran: each gets the verdict that it got
//! there, or stands among the differences with the reason.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Uri};
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicKey, PublicUrl, Secret, SignatureLayer, Verifier,
    providers::{
        Clerk, Discord, Dropbox, GitHub, Line, Linear, OpenAi, Paddle, SendGrid, Shopify, Slack,
        Square, StandardWebhooks, Stripe, Twilio, WorkOs, Zoom,
    },
    scheme::Tolerance,
};

use crate::support::{AtTime, Script, send, verify};

const CALLS: &str = include_str!("../../data/peers/calls.jsonl");
const DIFFERENCES: &str = include_str!("../../data/peers/differences.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    suite: String,
    provider: String,
    secret: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    url: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    body_b64: Option<String>,
    now_ms: u64,
    /// In seconds. 0 and less mean that no time is judged.
    tolerance: Option<i64>,
    /// The verdict there.
    accepted: bool,
}

/// Calls with another verdict here, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    reason: String,
    suite: String,
    /// Numbers of lines, from 1.
    calls: Vec<usize>,
}

fn post() -> String {
    "POST".to_owned()
}

impl Call {
    fn all() -> Vec<Self> {
        CALLS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn body(&self) -> Vec<u8> {
        let decoded = self.body_b64.as_ref().map(|text| STANDARD.decode(text).unwrap());
        decoded.unwrap_or_else(|| self.body.clone().into_bytes())
    }

    /// `None` where no HTTP message can be so.
    fn request(&self) -> Option<Request<Script>> {
        let target = self.url.parse::<Uri>().ok();
        let target = target.as_ref().and_then(|uri| uri.path_and_query());
        let mut request = Request::builder()
            .method(self.method.parse::<Method>().unwrap())
            .uri(target.map_or("/", |target| target.as_str()));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Script::data([self.body()])).ok()
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.now_ms)
    }

    /// That of the call, or the library's own where it has none.
    fn tolerance(&self) -> Tolerance {
        let own = match &*self.suite {
            "paddle-node-sdk" => 5,
            // They judge none unless they are told to.
            "sendgrid-nodejs" | "webhook-verify 0.1.0" => 0,
            "workos-node" => 180,
            suite if suite.starts_with("linear") => 60,
            _ => 300,
        };
        match self.tolerance.unwrap_or(own) {
            seconds @ 1.. => Tolerance::seconds(seconds.unsigned_abs()),
            _ => Tolerance::UNBOUNDED,
        }
    }

    /// The verdict here, as a function and through the layer.
    async fn is_accepted(&self) -> bool {
        self.by_verifier().await.unwrap_or(false)
    }

    async fn by_verifier(&self) -> Result<bool, ConfigError> {
        let (now, tolerance) = (self.now(), self.tolerance());
        let clock = move || now;
        let secret = || Secret::new(self.secret.clone());
        let key = || self.secret.parse::<PublicKey>();
        let url = || PublicUrl::fixed(&self.url);
        macro_rules! judged {
            ($verifier:expr) => {
                self.judged($verifier.tolerance(tolerance).clock(clock)).await
            };
        }
        Ok(match &*self.provider {
            "clerk" => judged!(Clerk::new(secret()?)?),
            "discord" => judged!(Discord::new(key()?)?),
            "dropbox" => self.judged(Dropbox::new(secret()?).unwrap()).await,
            "github" => self.judged(GitHub::new(secret()?).unwrap()).await,
            "line" => self.judged(Line::new(secret()?).unwrap()).await,
            "linear" => judged!(Linear::new(secret()?).unwrap()),
            "openai" => judged!(OpenAi::new(secret()?)?),
            "paddle" => judged!(Paddle::new(secret()?).unwrap()),
            "sendgrid" => judged!(SendGrid::new(key()?)?),
            "shopify" => self.judged(Shopify::new(secret()?).unwrap()).await,
            "slack" => judged!(Slack::new(secret()?).unwrap()),
            "square" => self.judged(Square::new(secret()?, url()?).unwrap()).await,
            "standard_webhooks" | "svix" => judged!(StandardWebhooks::new(secret()?)?),
            "stripe" => judged!(Stripe::new(secret()?).unwrap()),
            "twilio" => {
                let twilio = Twilio::new(secret()?, url()?).unwrap();
                let is_accepted = self.judged(twilio.clone()).await;
                if is_accepted != self.accepted && self.suite == "twilio-node" {
                    assert!(self.judged(twilio.accept_legacy_query()).await, "{}", self.url);
                }
                is_accepted
            }
            "workos" => judged!(WorkOs::new(secret()?).unwrap()),
            "zoom" => judged!(Zoom::new(secret()?).unwrap()),
            other => panic!("{other}"),
        })
    }

    async fn judged(&self, verifier: impl Verifier + Clone) -> bool {
        let Some(request) = self.request() else { return false };
        let (response, inner) = send(&SignatureLayer::new(verifier.clone()), request).await;
        let (head, _) = self.request().unwrap().into_parts();
        let verdict = verify(&verifier, &head, &Bytes::from(self.body()));
        let is_accepted = response.status().is_success();
        let name = format!("{}, {}: {verdict:?} {response:?}", self.suite, self.provider);
        assert_eq!(verdict.is_ok(), is_accepted, "{name}");
        // A genuine PING is answered in the handler's place.
        let is_ping = self.provider == "discord" && inner.count() == 0;
        assert_eq!(inner.count() == 1, is_accepted && !is_ping, "{name}");
        is_accepted
    }
}

#[tokio::test]
async fn peer_library_verdicts_match_or_are_listed() {
    let differences: Vec<Difference> = serde_json::from_str(DIFFERENCES).unwrap();
    let mut listed = Vec::new();
    for difference in &differences {
        assert!(!difference.reason.is_empty() && !difference.calls.is_empty());
        listed.extend(difference.calls.iter().map(|line| (*line, difference.suite.clone())));
    }
    listed.sort();
    let mut found = Vec::new();
    for (at, call) in Call::all().iter().enumerate() {
        if call.is_accepted().await != call.accepted {
            found.push((at + 1, call.suite.clone()));
        }
    }
    assert_eq!(found, listed);
    assert_eq!((Call::all().len(), listed.len()), (706, 50));
}

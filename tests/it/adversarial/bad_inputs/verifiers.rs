//! The verifiers of the eight bases.

use std::net::IpAddr;

use tower_webhook::{
    ConfigError, PublicUrl, Secret, Secrets,
    layer::TrustedProxies,
    providers::{
        BoxVerifier, GitHub, Meta, Shopify, Slack, StandardWebhooks, Stripe, Twilio, Webex,
    },
};

use super::data::{Case, Entry};
use crate::support::{AtTime, at};

/// How the URL is known that Twilio signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Url {
    /// It is configured.
    Base,
    /// From the headers of a listed proxy.
    Proxy,
    /// From the headers of a proxy, but the peer is none.
    Stranger,
}

impl Url {
    /// Under which of them an entry is run. A configured base is changed by no header, so entries
    /// about those headers ask nothing of it; see `hosts_change_no_configured_base`.
    pub(super) fn of(entry: &Entry) -> &'static [Self] {
        if entry.provider != "twilio" {
            return &[Self::Base];
        }
        match (entry.names_a_host(), entry.description.contains("untrusted")) {
            (false, _) => &[Self::Base, Self::Proxy],
            (true, false) => &[Self::Proxy, Self::Stranger],
            (true, true) => &[Self::Stranger],
        }
    }

    fn public(self) -> Result<PublicUrl, ConfigError> {
        let peer = match self {
            Self::Base => return PublicUrl::base("https://mycompany.com"),
            Self::Proxy => [10, 0, 0, 1],
            Self::Stranger => [192, 0, 2, 1],
        };
        let proxies = TrustedProxies::new(["10.0.0.0/8"], move |_| Some(IpAddr::from(peer)))?;
        PublicUrl::forwarded(["mycompany.com"], proxies)
    }
}

pub(super) fn build(provider: &str, case: &Case, url: Url) -> Result<BoxVerifier, ConfigError> {
    let secrets: Result<Secrets, _> =
        case.secrets.iter().map(|text| Secret::new(&**text)).collect();
    let (secrets, now) = (secrets?, at(case.now));
    Ok(match provider {
        "github" => BoxVerifier::new(GitHub::new(secrets)?),
        "meta" => BoxVerifier::new(Meta::new(secrets)?),
        "shopify" => BoxVerifier::new(Shopify::new(secrets)?),
        "slack" => BoxVerifier::new(Slack::new(secrets)?.clock(now)),
        "standard_webhooks" => BoxVerifier::new(StandardWebhooks::new(secrets)?.clock(now)),
        "stripe" => BoxVerifier::new(Stripe::new(secrets)?.clock(now)),
        "twilio" => BoxVerifier::new(Twilio::new(secrets, url.public()?)?),
        "webex" => BoxVerifier::new(Webex::new(secrets)?),
        other => panic!("no verifier for {other}"),
    })
}

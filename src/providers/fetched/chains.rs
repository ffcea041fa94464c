//! Providers whose requests name the URL of a chain of certificates.

use std::sync::Arc;

use crate::{
    crypto::x509::{Untrusted, certified},
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::{NamedKey, NoKeys, ReadKeys, given_to},
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    providers::own::{
        alexa::{self, Alexa},
        paypal::{self, PayPal},
    },
};

/// Certificates of the authorities that issue PayPal's. PayPal's URL may return a certificate
/// without them, so its own libraries have them, too. They are trusted only if they lead to a root.
///
/// DigiCert publishes them at <https://www.digicert.com/kb/digicert-root-certificates.htm>.
const DIGICERT: &str = include_str!("digicert.pem");

impl PayPal {
    /// Creates a source of verifiers for requests to the webhooks with these IDs, which fetches
    /// PayPal's certificates.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no webhook ID or more than 16, if an ID has a character other than
    /// a letter, a digit and `_`, or if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys<T: Into<String>>(
        webhook_ids: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::of_webhooks(webhook_ids)?;
        FetchedKeys::new(
            fetcher,
            KeyRules {
                make: given_to(&keyless, Self::with_keys),
                keyless,
                name: KeyName::Inside(paypal::URL, paypal::certificate_url),
                in_body: None,
                url: KeyUrl::Named,
                read: chain_of(DIGICERT, |name| {
                    name.starts_with("messageverificationcerts.") && name.ends_with(".paypal.com")
                }),
            },
        )
    }
}

impl Alexa {
    /// Creates a source of verifiers for requests to the skills with these IDs, which fetches
    /// Amazon's certificates.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no skill ID, if one is empty, or if the limits of the fetcher
    /// contradict each other.
    pub fn with_fetched_keys<T: Into<String>>(
        skill_ids: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::of_skills(skill_ids)?;
        FetchedKeys::new(
            fetcher,
            KeyRules {
                make: given_to(&keyless, Self::with_keys),
                keyless,
                name: KeyName::Inside(alexa::URL, alexa::certificate_url),
                in_body: None,
                url: KeyUrl::Named,
                read: chain_of("", |name| name == "echo-api.amazon.com"),
            },
        )
    }
}

/// Returns the reader of a chain whose first certificate is for a host with an allowed name.
fn chain_of(intermediates: &'static str, is_name: fn(&str) -> bool) -> ReadKeys {
    Arc::new(move |document, settings| {
        let now = settings.clock.millis().map_err(|_| "the time is unknown")?;
        let roots = settings.roots.as_ref();
        match certified(document, intermediates, roots, is_name, now) {
            Ok(leaf) => {
                Ok(vec![NamedKey { until: Some(leaf.until), ..NamedKey::new(None, leaf.key) }])
            }
            Err(Untrusted::Expired) => Err(NoKeys::Expired),
            Err(Untrusted::Because(why)) => Err(why.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::x509::Roots, parse::json::text_field};

    /// A bundled certificate that could not be read would be missing without a word.
    #[test]
    fn bundled_authorities_complete_a_chain() {
        assert!(Roots::from_pem(DIGICERT).is_some());
        assert_eq!(DIGICERT.matches("BEGIN CERTIFICATE").count(), 2);
        let data: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/certificates.json")).unwrap();
        let roots = Roots::from_pem(&text_field(data.to_string().as_bytes(), "root").unwrap());
        let chain = data["chains"]["paypal"].as_str().unwrap();
        let at = chain.find("-----BEGIN CERTIFICATE-----\n").unwrap();
        let second = at + 1 + chain[at + 1..].find("-----BEGIN").unwrap();
        let (leaf, authority) = chain.split_at(second);
        let is_trusted = |authorities: &str| {
            let now = 1_700_000_000_000;
            certified(leaf.as_bytes(), authorities, roots.as_ref(), |_| true, now).is_ok()
        };
        assert!(is_trusted(authority));
        assert!(is_trusted(&format!("{DIGICERT}{authority}")));
        assert!(!is_trusted(DIGICERT));
    }
}

//! Certificates of Amazon SNS.

use crate::{
    crypto::x509,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::{NamedKey, given_to, plain},
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    providers::own::sns::AmazonSns,
};

impl AmazonSns {
    /// Creates a source of verifiers for messages of these topics, which fetches Amazon's
    /// certificates.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no topic, if a topic is not an ARN of SNS, or if the limits of
    /// the fetcher contradict each other.
    #[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
    pub fn with_fetched_keys<T: Into<String>>(
        topic_arns: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::of_topics(topic_arns)?;
        FetchedKeys::new(
            fetcher,
            KeyRules {
                make: given_to(&keyless, Self::with_keys),
                keyless,
                name: KeyName::Unnamed,
                in_body: Some(Self::certificate_url),
                url: KeyUrl::Named,
                read: plain(read),
            },
        )
    }
}

/// Reads the key of a certificate.
fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let key = x509::key_of_pem(document).ok_or("it is not a certificate with an RSA key")?;
    Ok(vec![NamedKey::new(None, key)])
}

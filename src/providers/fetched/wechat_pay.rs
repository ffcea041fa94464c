//! Platform certificates of WeChat Pay.

use std::{borrow::Cow, cell::Cell, sync::Arc};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    crypto::{secret::Secret, x509},
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::{NamedKey, NoKeys, keys_of, list},
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    parse::{
        json::{Value, field, text_field},
        timestamp::{Timestamp, TimestampFormat},
    },
    providers::{fetched::keyless::keyless, own::pinned_keys_timed::WeChatPay},
};

const URL: &str = "https://api.mch.weixin.qq.com/v3/certificates";

impl WeChatPay {
    /// Creates a source of verifiers that fetches the platform certificates from
    /// <https://api.mch.weixin.qq.com/v3/certificates>, and decrypts them with your API v3 key.
    /// `Wechatpay-Serial` names the certificate, so several may be in use.
    ///
    /// WeChat Pay demands that you sign each of your requests with the key of your merchant
    /// certificate: `Authorization: WECHATPAY2-SHA256-RSA2048 …`. Pass a function that does it.
    /// ([WeChat Pay](https://pay.weixin.qq.com/doc/v3/merchant/4012551764))
    ///
    /// ```
    /// use tower_webhook::{Secret, fetched_keys::KeyFetcher, providers::WeChatPay};
    ///
    /// # fn signing_fetcher() -> KeyFetcher {
    /// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
    /// # }
    /// // Your function: the headers of your request, and a GET.
    /// let fetcher: KeyFetcher = signing_fetcher();
    /// let api_v3_key = Secret::new("made-up-api-v3-key-of-32-letters")?;
    /// let source = WeChatPay::with_fetched_keys(&api_v3_key, &fetcher)?;
    /// # let _ = source;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// A merchant with a public key of WeChat Pay (`PUB_KEY_ID_…`) instead of certificates passes it to
    /// [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// Returns an error if the API v3 key does not have 32 bytes, or if the limits of the fetcher
    /// contradict each other.
    #[cfg_attr(docsrs, doc(cfg(feature = "certificates")))]
    pub fn with_fetched_keys(
        api_v3_key: &Secret,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let key = UnboundKey::new(&AES_256_GCM, api_v3_key.expose()).map_err(|_| {
            ConfigError::CredentialsInvalid { form: "an API v3 key of 32 letters and digits" }
        })?;
        let key = LessSafeKey::new(key);
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self(keyless(Self::SCHEME)?),
                name: KeyName::Header("wechatpay-serial", is_serial),
                in_body: None,
                url: KeyUrl::All(URL.into()),
                read: Arc::new(move |document, _| read(document, &key)),
                make: Arc::new(|keys| Self::new(keys_of(keys))),
            },
        )
    }
}

/// Returns `true` if this can be the serial number of a certificate, or the ID of a public key.
fn is_serial(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(is_allowed)
}

/// Reads a list of certificates:
/// `{"data": [{"serial_no": "…", "expire_time": "…", "encrypt_certificate": {…}}]}`.
fn read(document: &[u8], key: &LessSafeKey) -> Result<Vec<NamedKey>, NoKeys> {
    let is_closed = Cell::new(false);
    let keys = list(document, "data", "it has no `data`", |item| {
        let Some(Value::Object(encrypted)) =
            field(item.as_bytes(), "encrypt_certificate").ok().flatten()
        else {
            return None;
        };
        let until = text_field(item.as_bytes(), "expire_time")?;
        let until = Timestamp::parse(until.as_bytes(), TimestampFormat::Rfc3339)?;
        let [nonce, data, sealed] = ["nonce", "associated_data", "ciphertext"]
            .map(|name| text_field(encrypted.as_bytes(), name).map(Cow::into_owned));
        let opened = open(key, &nonce?, &data.unwrap_or_default(), &sealed?);
        is_closed.set(is_closed.get() || opened.is_none());
        let key = x509::key_of_pem(&opened?)?;
        let named =
            NamedKey::new(Some(text_field(item.as_bytes(), "serial_no")?.into_owned()), key);
        Some(NamedKey { until: Some(until.millis), ..named })
    })?;
    match keys.is_empty() && is_closed.get() {
        true => Err("its certificates cannot be decrypted; check the API v3 key".into()),
        false => Ok(keys),
    }
}

/// Decrypts a certificate. The key is the merchant's, so nobody else can have encrypted it.
fn open(key: &LessSafeKey, nonce: &str, data: &str, sealed: &str) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
    let mut sealed = STANDARD.decode(sealed).ok()?;
    let opened = key.open_in_place(nonce, Aad::from(data.as_bytes()), &mut sealed).ok()?;
    Some(opened.to_vec())
}

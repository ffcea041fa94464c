//! DingTalk event callbacks.

use bytes::Bytes;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{
        macros::registered,
        own::{
            body_fields::{pick, text},
            body_format::check_json,
            encrypted_callback::{CallbackState, EncryptedCallback, Rules, encrypted_callback},
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const MESSAGE: &str = "encrypt";

/// DingTalk event callbacks over HTTP: SHA-1 of a token, the time, a nonce and an encrypted message.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::DingTalk};
///
/// let layer = SignatureLayer::new(DingTalk::new("made-up-token")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the query has `msg_signature=<hex>` (or `signature`), `timestamp` and `nonce` |
/// | algorithm | plain SHA-1, which is **no MAC**: the secret is hashed with the other parts |
/// | signed content | the token, the time, the nonce and `encrypt` of the body, sorted and joined |
/// | proves | that the sender knows the token and signed `encrypt`; **nothing about other fields** |
/// | tolerance | 5 minutes both ways; the time is in milliseconds or in seconds |
/// | delivery ID | none known |
/// | challenge | none: a `check_url` event reaches the handler |
///
/// - **The message is encrypted.** The handler decrypts `encrypt`, with AES-256-CBC and your AES key,
///   and checks the app key, suite key or corporation ID at the end of the message. This type checks
///   only the signature.
/// - The response is also encrypted and signed: DingTalk expects the encrypted text `success`.
/// - The parts have no separators. This type limits the forms of the time, the nonce and the message,
///   so that no other message decrypts. The time and the nonce can be exchanged for each other: a
///   captured request can be accepted again at a later time that its nonce gives. Add a
///   [`ReplayLayer`](crate::replay::ReplayLayer): it remembers such a delivery without an end, or for
///   its [retention](crate::replay::ReplayLayer::retention).
///
/// # Secret
///
/// The token of the event subscription, beside the AES key.
///
/// # Evidence
///
/// Vendor vector: `DingCallbackCrypto3.py` in open-dingtalk/DingTalk-Callback-Crypto. The vendor
/// names no tolerance.
///
#[doc = crate::providers::macros::page!(DingTalk)]
#[derive(Clone, Debug)]
pub struct DingTalk(EncryptedCallback);

registered! {
    DingTalk = "dingtalk" as "DingTalk";
    policy: DeliveryPolicy::UNKNOWN.unknown_retries().leaves_body_open();
    signature: "plain SHA-1 of token, time, nonce and an encrypted message";
    "dingtalk": Secret timed, p => DingTalk::new(p.secrets);
}

static RULES: Rules = Rules {
    provider: DingTalk::DEFAULTS.provider(),
    signatures: &["msg_signature", "signature"],
    mode: None,
    times: &[(TimestampFormat::UnixMillis, 13), (TimestampFormat::UnixSeconds, 10)],
    head: check_json,
    message: |_, body| {
        let [message] = pick(body, [MESSAGE])?;
        Ok((Field::json(MESSAGE), text(message, MESSAGE)?))
    },
};

impl DingTalk {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY.defaults().with_secret_url();
}

encrypted_callback!(DingTalk);

//! Messages of WeChat official accounts.

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::{timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{
        macros::registered,
        own::{
            encrypted_callback::{
                CallbackState, EncryptedCallback, Rules, encrypted_callback, only, query,
            },
            wecom::{ECHO, check_head, of_body},
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        challenge::{challenge::Challenge, response::echo},
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        verifier::Verifier,
    },
};

const SIGNATURE: &str = "msg_signature";

/// Maximum length of the text of a challenge, in bytes.
const MAX_ECHO: usize = 256;

/// Messages of WeChat official accounts in the safe mode: SHA-1 of a token, the time, a nonce and an
/// encrypted message.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::WeChat};
///
/// let layer = SignatureLayer::new(WeChat::new("QDG6eK")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the query has `msg_signature=<hex>`, `timestamp=<seconds>`, `nonce` and `encrypt_type=aes` |
/// | algorithm | plain SHA-1, which is **no MAC**: the secret is hashed with the other parts |
/// | signed content | the token, the time, the nonce and `Encrypt` of the XML body, sorted and joined |
/// | proves | that the sender knows the token and signed `Encrypt`; **nothing about other elements** |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | none: `MsgId` is in the encrypted message |
/// | challenge | a signed GET with `echostr`: the response is its value |
///
/// - **Choose the safe mode** (安全模式) in the settings of the account. The plain mode signs only the
///   token, the time and the nonce: a reader of one request can send any other body with its signature.
///   This type rejects a message without `encrypt_type=aes` in its query, with
///   [`BodyNotSigned`](crate::RejectionKind::BodyNotSigned).
/// - The compatible mode also sends the elements in plain text. They are not signed, and messages with
///   nested elements are rejected.
/// - **The message is encrypted.** The handler decrypts it, with AES-256-CBC and your
///   `EncodingAESKey`, and checks the app ID at its end. This type checks only the signature.
/// - No GET with `echostr` reaches the handler. Its signature covers the token, the time and the
///   nonce.
/// - The parts have no separators. This type limits the forms of the time, the nonce and the message,
///   so that no other message decrypts. The time and the nonce can be exchanged for each other: a
///   captured request can be accepted again at a later time that its nonce gives. Add a
///   [`ReplayLayer`](crate::replay::ReplayLayer): it remembers such a delivery without an end, or for
///   its [retention](crate::replay::ReplayLayer::retention).
/// - A body with attributes, comments, entities, prefixes, nested elements or another encoding than UTF-8
///   is rejected: parsers can differ on its text. A content type must be that of XML.
///
/// # Secret
///
/// The token of the server configuration, which you choose.
///
/// # Evidence
///
/// Public vector: `tests/test_crypto.py` in wechatpy/wechatpy, for messages. Public receivers show the
/// signature of the challenge. The vendor names no tolerance.
///
#[doc = crate::providers::macros::page!(WeChat)]
#[derive(Clone, Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "xml")))]
pub struct WeChat(EncryptedCallback);

registered! {
    WeChat = "wechat" as "WeChat official accounts";
    policy: DeliveryPolicy::UNKNOWN.unknown_retries().leaves_body_open();
    signature: "plain SHA-1 of token, time, nonce and an encrypted message";
    "wechat": Secret timed, p => WeChat::new(p.secrets);
}

static RULES: Rules = Rules {
    provider: WeChat::DEFAULTS.provider(),
    signatures: &[SIGNATURE],
    mode: Some(("encrypt_type", "aes")),
    times: &[(TimestampFormat::UnixSeconds, 10)],
    head: check_head,
    message: of_body,
};

impl WeChat {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_secret_url().with_challenge(Challenge::Query(ECHO));
}

/// Responds to the GET with which WeChat checks the URL.
fn challenge(
    callback: &EncryptedCallback,
    request: &Context<'_>,
) -> Option<Result<Response<Bytes>, Rejection>> {
    let head = request.head();
    if head.method != Method::GET {
        return None;
    }
    let form = query(head).ok()?;
    form.first(ECHO)?;
    let verified = callback.check_short(&RULES, &form, request.clock());
    Some(verified.and_then(|()| match only(&form, ECHO) {
        Ok(text) if text.len() <= MAX_ECHO => Ok(echo(text)),
        _ => Err(Rejection::new(RejectionKind::ChallengeMalformed)),
    }))
}

encrypted_callback!(WeChat, challenge challenge);

//! WeCom callbacks.

use bytes::Bytes;
use http::{Method, request::Parts};

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{timestamp::TimestampFormat, tolerance::Tolerance, xml},
    providers::{
        macros::registered,
        own::{
            body_format::check_xml,
            encrypted_callback::{
                CallbackState, EncryptedCallback, Message, Rules, encrypted_callback, only, query,
            },
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

pub(crate) const ECHO: &str = "echostr";
const MESSAGE: &str = "Encrypt";

/// WeCom (WeChat Work) callbacks: SHA-1 of a token, the time, a nonce and an encrypted message.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::WeCom};
///
/// let layer = SignatureLayer::new(WeCom::new("QDG6eK")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the query has `msg_signature=<hex>`, `timestamp=<seconds>` and `nonce` |
/// | algorithm | plain SHA-1, which is **no MAC**: the secret is hashed with the other parts |
/// | signed content | the token, the time, the nonce and the message, sorted and joined; the message is `Encrypt` of the XML body, or `echostr` of the query of a GET |
/// | proves | that the sender knows the token and signed the message; **nothing about other elements** |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | none: `MsgId` is in the encrypted message |
/// | challenge | none: the GET with `echostr` is verified and reaches the handler |
///
/// - **The message is encrypted.** The handler decrypts it, with AES-256-CBC and your
///   `EncodingAESKey`, and checks the receive ID at its end. This type checks only the signature.
/// - When you save the URL, WeCom sends a GET with `echostr`. The handler decrypts `echostr` and
///   responds with the text in it, within one second. **Respond only to a text of digits**: a captured
///   message is also accepted as `echostr`, and your response would decrypt it.
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
/// The `Token` of the app, beside `EncodingAESKey`: the app → *Receive messages* → *Set API receive*.
/// ([WeCom](https://developer.work.weixin.qq.com/document/10514))
///
/// # Not covered
///
/// Callbacks in JSON.
///
/// # Evidence
///
/// Vendor vector: the two samples of the vendor's library `WXBizMsgCrypt`, `Sample.php`. The vendor
/// names no tolerance.
///
#[doc = crate::providers::macros::page!(WeCom)]
#[derive(Clone, Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "xml")))]
pub struct WeCom(EncryptedCallback);

registered! {
    WeCom = "wecom" as "WeCom";
    policy: DeliveryPolicy::UNKNOWN.unknown_retries().leaves_body_open();
    signature: "plain SHA-1 of token, time, nonce and an encrypted message";
    "wecom": Secret timed, p => WeCom::new(p.secrets);
}

static RULES: Rules = Rules {
    provider: WeCom::DEFAULTS.provider(),
    signatures: &["msg_signature"],
    mode: None,
    times: &[(TimestampFormat::UnixSeconds, 10)],
    head: |head| match head.method {
        Method::GET => echo(head).map(drop),
        _ => check_head(head),
    },
    message: |head, body| match head.method {
        Method::GET if body.is_empty() => echo(head),
        Method::GET => Err(Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::Body)),
        _ => of_body(head, body),
    },
};

/// Returns the encrypted message of a query.
fn echo(head: &Parts) -> Result<Message, Rejection> {
    let form = query(head)?;
    let echo = String::from_utf8(only(&form, ECHO)?.to_vec());
    let echo = echo.map_err(|_| Rejection::malformed_in(Field::query(ECHO)))?;
    Ok((Field::query(ECHO), echo))
}

/// Rejects a request that is no POST of XML.
pub(crate) fn check_head(head: &Parts) -> Result<(), Rejection> {
    if head.method != Method::POST {
        return Err(Rejection::malformed_in(Field::Method));
    }
    check_xml(head)
}

/// Returns the encrypted message of an XML body.
pub(crate) fn of_body(_: &Parts, body: &[u8]) -> Result<Message, Rejection> {
    let field = || Field::xml(MESSAGE);
    let message = xml::only(body, "xml", MESSAGE).map_err(|flaw| match flaw {
        xml::Flaw::Malformed => Rejection::malformed_in(Field::Body),
        xml::Flaw::Missing => Rejection::missing_in(field()),
        xml::Flaw::Repeated => Rejection::new(RejectionKind::Repeated).with_field(field()),
    })?;
    Ok((field(), message))
}

impl WeCom {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY.defaults().with_secret_url();
}

encrypted_callback!(WeCom);

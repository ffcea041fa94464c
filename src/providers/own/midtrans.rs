//! Midtrans payment notifications.

use bytes::Bytes;
use http::request::Parts;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::encoding::Encoding,
    providers::{
        macros::registered,
        own::{
            body_fields::{pick, text},
            body_format::check_json,
            body_signature::{BodySignature, Hash, Proof, Rules, verifies_body},
        },
        policy::DeliveryPolicy,
    },
    scheme::key::SecretEncoding,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const SIGNATURE: &str = "signature_key";
const FIELDS: [&str; 4] = ["order_id", "status_code", "gross_amount", SIGNATURE];

const RULES: Rules = Rules {
    provider: "midtrans",
    hash: Hash::Sha512BeforeKey,
    key: SecretEncoding::Text,
    encoding: Encoding::Hex,
    field: SIGNATURE,
    proofs,
};

/// Midtrans payment notifications: SHA-512 of three fields and the server key, which does not cover
/// the rest of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Midtrans};
///
/// let layer = SignatureLayer::new(Midtrans::new("made-up-server-key")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the signature is `signature_key: <hex>` in the body |
/// | algorithm | SHA-512; the server key stands behind the content, it is no HMAC |
/// | signed content | `<order_id><status_code><gross_amount>` |
/// | proves | that Midtrans signed these three texts, written one behind the other; **nothing else about the body** |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - **Fetch the transaction's status** from Midtrans before you act. `transaction_status` and
///   `fraud_status` are not covered: anyone who sees one notification can send another status with
///   its signature.
/// - No delimiter separates the three fields. `status_code` must be three digits from 100 to 599,
///   and `gross_amount` a number with two decimals and no leading zero. This leaves little room, but
///   digits can still move: order `1`, status `200` and amount `12015000.00` have the same signed
///   content as order `12001`, status `201` and amount `5000.00`. If all your order IDs end with a
///   letter and the handler rejects others, there is one reading.
/// - The signature is in the body. The layer therefore reads the whole body, up to the body limit,
///   before anything is known about the sender.
/// - The replay key consists of the signed content.
///
/// # Secret
///
/// The server key of the environment, under "Access Keys" in the settings.
/// ([Midtrans](https://docs.midtrans.com/docs/https-notification-webhooks))
///
/// # Not covered
///
/// Payout notifications (Iris) sign the body in the header `Iris-Signature`, with the merchant key.
/// This type does not verify them.
/// ([Midtrans](https://docs.midtrans.com/reference/notification-payload-1))
///
/// # Evidence
///
/// Vendor vector: <https://docs.midtrans.com/docs/https-notification-webhooks>.
///
#[doc = crate::providers::macros::page!(Midtrans)]
#[derive(Clone, Debug)]
pub struct Midtrans(BodySignature);

registered! {
    Midtrans = "midtrans";
    policy: DeliveryPolicy::UNKNOWN.leaves_body_open();
    signature: "SHA-512 of three fields and the secret, **not** of the body";
    "midtrans": Secret, p => Midtrans::new(p.secrets);
}

impl Midtrans {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_fields(&[SIGNATURE]);

    /// Creates a verifier with these server keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(server_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        BodySignature::new(RULES, server_keys).map(Self)
    }
}

verifies_body!(Midtrans, check_json);

fn proofs(_: &Parts, body: &Bytes) -> Result<Vec<Proof>, Rejection> {
    let [.., signature] = pick(body, FIELDS)?;
    Ok(vec![Proof { content: content(body)?, signature: text(signature, SIGNATURE)? }])
}

/// Returns the signed content.
fn content(body: &[u8]) -> Result<Vec<u8>, Rejection> {
    let [order, status, amount, _] = pick(body, FIELDS)?;
    let [status, amount] = [text(status, "status_code")?, text(amount, "gross_amount")?];
    // Each text that is not in its form would be another place at which the content can be split.
    if !is_status(status.as_bytes()) {
        return Err(Rejection::malformed_in(Field::json("status_code")));
    }
    if !is_amount(&amount) {
        return Err(Rejection::malformed_in(Field::json("gross_amount")));
    }
    Ok([text(order, "order_id")?, status, amount].concat().into_bytes())
}

fn is_status(status: &[u8]) -> bool {
    matches!(status, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'])
}

/// Returns `true` for a number with two decimals, and without a leading zero.
fn is_amount(amount: &str) -> bool {
    let Some((whole, decimals)) = amount.split_once('.') else { return false };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = whole == "0" || (!whole.is_empty() && !whole.starts_with('0'));
    is_plain && is_number(whole) && decimals.len() == 2 && is_number(decimals)
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Midtrans {
    /// Adds `signature_key` to a JSON object with the three fields.
    fn sign(
        &self,
        _: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let signature = crate::sign::json::quoted(&self.0.sign(RULES, &content(body)?)?);
        let signed = crate::sign::json::with_member(body, SIGNATURE, &signature);
        Ok(Some(signed.ok_or(Rejection::malformed_in(Field::Body))?.into()))
    }
}

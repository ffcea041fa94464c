//! Adyen standard webhooks.

use bytes::Bytes;
use http::request::Parts;
use serde_json::value::RawValue;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{
        encoding::Encoding,
        json::{self, Value},
    },
    providers::{
        macros::registered,
        own::{
            body_fields::{object, pick, text},
            body_format::check_json,
            body_signature::{BodySignature, Hash, MAX_PROOFS, Proof, Rules, verifies_body},
        },
        policy::DeliveryPolicy,
    },
    scheme::key::SecretEncoding,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const ITEMS: &str = "notificationItems";
const ITEM: &str = "NotificationRequestItem";
const DATA: &str = "additionalData";
const SIGNATURE: &str = "hmacSignature";
const FIELDS: [&str; 8] = [
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount",
    "eventCode",
    "success",
    DATA,
];

const RULES: Rules = Rules {
    provider: "adyen",
    hash: Hash::HmacSha256,
    key: SecretEncoding::Hex,
    encoding: Encoding::Base64,
    field: SIGNATURE,
    proofs,
};

/// Adyen standard webhooks: HMAC-SHA256 of eight fields of each item, which does not cover the rest
/// of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Adyen};
///
/// let key = "6d6164652d75702d6b65792d6f662d616479656e";
/// let layer = SignatureLayer::new(Adyen::new(key)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the signature is `additionalData.hmacSignature: <base64>` in **each** item of `notificationItems` |
/// | algorithm | HMAC-SHA256; the key is decoded from hexadecimal |
/// | signed content | `pspReference:originalReference:merchantAccountCode:merchantReference:amount.value:amount.currency:eventCode:success` |
/// | proves | that Adyen signed these eight fields of each item; **nothing else about the body** |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - All items must be signed, and there must be one to 64 of them.
/// - Not covered are all other fields, so `live`, `eventDate`, `reason` and `paymentMethod` as well.
///   The `reason` of `REPORT_AVAILABLE` is the URL of a report: **do not fetch a URL from an event**
///   with your credentials before you have compared its host with Adyen's.
/// - Adyen escapes nothing. Only `merchantReference`, which you choose, may therefore have colons:
///   a colon in another field is rejected, so no two items have the same signed content. A field
///   that is `null`, empty or missing is the same. `amount.value` must be an integer and `success`
///   `true` or `false`, each also as text.
/// - The signature is in the body. The layer therefore reads the whole body, up to the body limit,
///   before anything is known about the sender. It reads only JSON: set the webhook's method to JSON.
/// - The replay key consists of the eight fields of all items. A part of a body with several items
///   has another one.
///
/// # Secret
///
/// The HMAC key of the webhook, generated on the webhook's page in the Customer Area.
/// ([Adyen](https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures))
///
/// # Not covered
///
/// Webhooks of the balance platform and of management sign the body: see
/// [`AdyenPlatform`](crate::providers::AdyenPlatform). Form posts and SOAP are rejected.
///
/// # Evidence
///
/// Vendor vector: Adyen/adyen-node-api-library @3b84a18 `src/utils/hmacValidator.ts` and its tests.
///
#[doc = crate::providers::macros::page!(Adyen)]
#[derive(Clone, Debug)]
pub struct Adyen(BodySignature);

registered! {
    Adyen = "adyen";
    policy: DeliveryPolicy::UNKNOWN.leaves_body_open();
    signature: "HMAC-SHA256 of eight fields of each item, **not** of the body";
    "adyen": Secret, p => Adyen::new(p.secrets);
}

impl Adyen {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_fields(&[SIGNATURE]);

    /// Creates a verifier with these HMAC keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)) or not
    /// hexadecimal, or if there are none or more than 16.
    pub fn new(keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        BodySignature::new(RULES, keys).map(Self)
    }
}

verifies_body!(Adyen, check_json);

/// Returns the signatures of all items.
fn proofs(_: &Parts, body: &Bytes) -> Result<Vec<Proof>, Rejection> {
    let malformed = || Rejection::malformed_in(Field::json(ITEMS));
    let [items] = pick(body, [ITEMS])?;
    let Some(Value::Array(items)) = items.map(Value::of) else { return Err(malformed()) };
    let mut proofs = Ok(Vec::new());
    let visited = json::items(items.as_bytes(), &mut |item| {
        let Ok(found) = &mut proofs else { return };
        match proof(item) {
            // The rest of a body with too many items is not looked at.
            Ok(_) if found.len() == MAX_PROOFS => proofs = Err(malformed()),
            Ok(proof) => found.push(proof),
            Err(why) => proofs = Err(why),
        }
    });
    visited.map_err(|_| malformed())?;
    proofs
}

fn proof(item: Value<'_>) -> Result<Proof, Rejection> {
    let Value::Object(item) = item else { return Err(Rejection::malformed_in(Field::json(ITEMS))) };
    let [item] = pick(item.as_bytes(), [ITEM])?;
    let fields = pick(object(item, ITEM)?, FIELDS)?;
    let [.., data] = fields;
    let [signature] = pick(object(data, DATA)?, [SIGNATURE])?;
    Ok(Proof { content: content(&fields)?, signature: text(signature, SIGNATURE)? })
}

/// Returns the signed content of an item.
fn content(fields: &[Option<&RawValue>; 8]) -> Result<Vec<u8>, Rejection> {
    let [psp, original, account, reference, amount, event, success, _] = *fields;
    let [value, currency] = pick(object(amount, "amount")?, ["value", "currency"])?;
    let parts = [
        plain(psp, "pspReference")?,
        plain(original, "originalReference")?,
        plain(account, "merchantAccountCode")?,
        // The other parts have no colon, so this one ends at the fourth from the end.
        or_empty(reference, "merchantReference")?,
        integer(value)?,
        plain(currency, "currency")?,
        plain(event, "eventCode")?,
        truth(success)?,
    ];
    Ok(parts.join(":").into_bytes())
}

/// Returns a text, or an empty one in place of `null` or of no value.
fn or_empty(value: Option<&RawValue>, name: &'static str) -> Result<String, Rejection> {
    let Some(value) = value.filter(|value| value.get() != "null") else {
        return Ok(String::new());
    };
    let text = Value::of(value).into_text();
    text.map(Into::into).ok_or(Rejection::malformed_in(Field::json(name)))
}

/// Returns a text without colons, which would shift the parts behind it.
fn plain(value: Option<&RawValue>, name: &'static str) -> Result<String, Rejection> {
    let text = or_empty(value, name)?;
    if text.contains(':') { Err(Rejection::malformed_in(Field::json(name))) } else { Ok(text) }
}

/// Returns the text of an integer. Any other number has several texts, of which the handler could
/// make the same amount.
fn integer(value: Option<&RawValue>) -> Result<String, Rejection> {
    let text = match value.map(Value::of) {
        Some(Value::Number(number)) => number.to_owned(),
        Some(Value::Text(text)) => text.into_owned(),
        Some(_) => String::new(),
        None => return Err(Rejection::missing_in(Field::json("value"))),
    };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let is_integer = digits == "0"
        || (digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.bytes().next().is_some_and(|first| first != b'0'));
    if is_integer { Ok(text) } else { Err(Rejection::malformed_in(Field::json("value"))) }
}

fn truth(value: Option<&RawValue>) -> Result<String, Rejection> {
    match value.map(RawValue::get) {
        Some(r#"true"# | r#""true""#) => Ok("true".to_owned()),
        Some(r#"false"# | r#""false""#) => Ok("false".to_owned()),
        Some(_) => Err(Rejection::malformed_in(Field::json("success"))),
        None => Err(Rejection::missing_in(Field::json("success"))),
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Adyen {
    /// Adds `hmacSignature` to the `additionalData` of each item, which is created if it is missing.
    fn sign(
        &self,
        _: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::sign::json::{quoted, with_member, with_value};

        let malformed = |name| Rejection::malformed_in(Field::json(name));
        let [items] = pick(body, [ITEMS])?;
        let Some(Value::Array(items)) = items.map(Value::of) else { return Err(malformed(ITEMS)) };
        let signed = |item: Value<'_>| {
            let Value::Object(wrapper) = item else { return Err(malformed(ITEMS)) };
            let [item] = pick(wrapper.as_bytes(), [ITEM])?;
            let item = object(item, ITEM)?;
            let fields = pick(item, FIELDS)?;
            let signature = quoted(&self.0.sign(RULES, &content(&fields)?)?);
            let [.., data] = fields;
            let data =
                with_member(data.map_or("{}", RawValue::get).as_bytes(), SIGNATURE, &signature);
            let item = with_value(item, DATA, &data.ok_or_else(|| malformed(DATA))?);
            let item = item.ok_or_else(|| malformed(ITEM))?;
            with_value(wrapper.as_bytes(), ITEM, &item).ok_or_else(|| malformed(ITEMS))
        };
        let mut list = Ok(Vec::new());
        let visited = json::items(items.as_bytes(), &mut |item| {
            let Ok(found) = &mut list else { return };
            match signed(item) {
                Ok(item) => found.push(item),
                Err(why) => list = Err(why),
            }
        });
        visited.map_err(|_| malformed(ITEMS))?;
        let list = [b"[", &*list?.join(&b","[..]), b"]"].concat();
        Ok(Some(with_value(body, ITEMS, &list).ok_or_else(|| malformed(ITEMS))?.into()))
    }
}

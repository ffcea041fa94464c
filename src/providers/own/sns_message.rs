//! Messages of Amazon SNS, and the URLs in them.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    crypto::public_key::PublicKey,
    outcome::{field::Field, rejection::Rejection},
    parse::json::{Malformed, Value, members},
};

/// Names of what is signed, in the order of the signed content.
const SIGNED: [&str; 8] =
    ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
/// A verified message of SNS that asks you to confirm a subscription to one of your topics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnsSubscription {
    /// The topic.
    pub topic_arn: String,
    /// The URL of SNS whose request confirms the subscription. It is of the topic's region.
    pub subscribe_url: String,
}

/// Returns the region of a topic.
pub(crate) fn region(topic: &str) -> Option<&str> {
    let mut parts = topic.split(':');
    let is_arn = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("sns");
    let region = parts.next().filter(|region| is_arn && is_region(region))?;
    let [account, name] = [parts.next()?, parts.next()?];
    let is_whole = parts.next().is_none() && !account.is_empty() && !name.is_empty();
    (is_whole && topic.bytes().all(|byte| byte.is_ascii_graphic())).then_some(region)
}

fn is_region(region: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (3..=32).contains(&region.len()) && region.bytes().all(is_allowed)
}

/// Returns the region and the path of a URL of SNS, without the slash before it. Everything before
/// the path is compared as a whole: no port, no user information, and no other host.
fn of_sns(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.strip_prefix("https://sns.")?.split_once('/')?;
    let region = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    is_region(region).then_some((region, path))
}

/// Returns `true` if SNS can have a certificate at this URL. Another path could be a file that
/// anyone can write.
#[cfg(feature = "certificates")]
fn is_certificate_url(url: &str) -> bool {
    let name = of_sns(url).and_then(|(_, path)| {
        path.strip_prefix("SimpleNotificationService-")?.strip_suffix(".pem")
    });
    name.is_some_and(|name| {
        (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Version of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Sha1,
    Sha256,
}

/// The signed fields of a message, and its signature.
pub(crate) struct Message<'a> {
    fields: Texts<'a, { SIGNED.len() }>,
    pub(crate) version: Version,
    signature: Vec<u8>,
    #[cfg_attr(not(feature = "certificates"), expect(dead_code, reason = "keys are pinned"))]
    certificate_url: Option<Cow<'a, str>>,
}

/// Names of the fields that are read and not signed.
const BESIDE: [&str; 3] = ["SignatureVersion", "Signature", "SigningCertURL"];

type Texts<'a, const N: usize> = [Option<Cow<'a, str>>; N];

/// Returns the texts of the signed fields, and of those beside them, in one pass.
fn texts(body: &[u8]) -> Result<(Texts<'_, { SIGNED.len() }>, Texts<'_, 3>), Rejection> {
    let (mut signed, mut beside) = ([const { None }; SIGNED.len()], [const { None }; 3]);
    let mut flaw = Field::Body;
    let read = members(body, &mut |member, value| {
        let names = SIGNED.iter().zip(&mut signed).chain(BESIDE.iter().zip(&mut beside));
        let Some((name, found)) = { names }.find(|(name, _)| **name == member) else {
            return Ok(());
        };
        match Value::of(value) {
            // Two readers could take different ones.
            Value::Text(text) if found.is_none() => *found = Some(text),
            _ => {
                flaw = Field::json(name);
                return Err(Malformed);
            }
        }
        Ok(())
    });
    read.map_err(|_| Rejection::malformed_in(flaw))?;
    Ok((signed, beside))
}

impl<'a> Message<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Rejection> {
        let (fields, [version, signature, certificate_url]) = texts(body)?;
        let missing = |name| Rejection::missing_in(Field::json(name));
        let malformed = |name| Rejection::malformed_in(Field::json(name));
        let version = match version.as_deref() {
            Some("1") => Version::Sha1,
            Some("2") => Version::Sha256,
            Some(_) => return Err(malformed("SignatureVersion")),
            None => return Err(missing("SignatureVersion")),
        };
        let signature = STANDARD.decode(&*signature.ok_or_else(|| missing("Signature"))?);
        let signature = signature.map_err(|_| malformed("Signature"))?;
        let message = Self { fields, version, signature, certificate_url };
        let is_confirmation = match message.value("Type") {
            "Notification" => false,
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => true,
            _ => return Err(malformed("Type")),
        };
        for (name, value) in SIGNED.iter().zip(&message.fields) {
            let is_needed = match *name {
                "Subject" => false,
                "SubscribeURL" | "Token" => is_confirmation,
                _ => true,
            };
            match value {
                None if is_needed => return Err(missing(name)),
                // Only the first field may have several lines. Otherwise, one content could be that
                // of two messages.
                Some(value) if *name != "Message" && value.contains('\n') => {
                    return Err(malformed(name));
                }
                _ => {}
            }
        }
        Ok(message)
    }

    /// Returns the URL of the certificate, if it is one of SNS.
    #[cfg(feature = "certificates")]
    pub(crate) fn certificate_url(&self) -> Result<&str, Rejection> {
        const NAME: &str = "SigningCertURL";
        let url = self.certificate_url.as_deref();
        let url = url.ok_or(Rejection::missing_in(Field::json(NAME)))?;
        if is_certificate_url(url) {
            Ok(url)
        } else {
            Err(Rejection::malformed_in(Field::json(NAME)))
        }
    }

    /// Returns the value of a signed field, or an empty text.
    pub(crate) fn value(&self, name: &str) -> &str {
        let at = SIGNED.iter().position(|signed| *signed == name);
        at.and_then(|at| self.fields[at].as_deref()).unwrap_or_default()
    }

    pub(crate) fn topic(&self) -> &str {
        self.value("TopicArn")
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let fields = SIGNED.iter().zip(&self.fields);
        let lines = fields.filter_map(|(name, value)| Some([name, "\n", value.as_deref()?, "\n"]));
        lines.flatten().flat_map(str::bytes).collect()
    }

    pub(crate) fn is_signed_by(&self, key: &PublicKey, content: &[u8]) -> bool {
        match self.version {
            Version::Sha1 => key.verifies_rsa_sha1(content, &self.signature),
            Version::Sha256 => key.verifies_rsa_sha256(content, &self.signature),
        }
    }

    /// Returns the subscription that a message asks to confirm.
    pub(crate) fn subscription(&self) -> Result<Option<SnsSubscription>, Rejection> {
        if self.value("Type") != "SubscriptionConfirmation" {
            return Ok(None);
        }
        let (topic, url) = (self.topic(), self.value("SubscribeURL"));
        let is_of_topic = of_sns(url).is_some_and(|(of_url, path)| {
            region(topic) == Some(of_url)
                && path.starts_with('?')
                && path.bytes().all(|byte| byte.is_ascii_graphic())
        });
        if !is_of_topic {
            return Err(Rejection::malformed_in(Field::json("SubscribeURL")));
        }
        Ok(Some(SnsSubscription { topic_arn: topic.to_owned(), subscribe_url: url.to_owned() }))
    }
}

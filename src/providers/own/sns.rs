//! Amazon SNS messages.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response};
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        mac::Algorithm,
        public_key::{IntoPublicKeys, PublicKey},
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        clock::Clock,
        headers::optional,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::{SignedTime, Tolerance},
    },
    providers::{
        macros::registered,
        own::sns_message::{Message, SnsSubscription, Version, region},
        policy::{DeliveryPolicy, HOUR},
    },
    scheme::asymmetric::PublicKeys,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const RAW: &str = "x-amz-sns-rawdelivery";

/// Amazon SNS messages over HTTP: RSA of the message's fields, with the key of a certificate. So also
/// SES, CloudWatch, S3 and others that publish to a topic.
///
/// ```no_run
/// # #[cfg(feature = "certificates")] {
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::AmazonSns};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let topic = "arn:aws:sns:eu-west-1:123456789012:orders";
/// let source = AmazonSns::with_fetched_keys([topic], &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # }
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the body has `Signature`, `SignatureVersion` and `SigningCertURL` |
/// | algorithm | RSA PKCS#1 v1.5 with SHA-256 for the version `2`, and with SHA-1 for the version `1`; the key is that of the certificate |
/// | signed content | `<name>\n<value>\n` for each of `Message`, `MessageId`, `Subject`, `SubscribeURL`, `Timestamp`, `Token`, `TopicArn` and `Type` that the body has |
/// | proves | that Amazon sent these fields for the topic; **nothing about other fields**, such as `MessageAttributes` and `UnsubscribeURL` |
/// | tolerance | 1 hour and 6 minutes back, 5 minutes ahead, of `Timestamp` |
/// | delivery ID | `MessageId`, **signed**; the same for every retry |
/// | challenge | none: see [`on_subscription`](Self::on_subscription) |
///
/// - **Amazon signs for all its customers with the same keys**, so messages of other topics are
///   rejected.
/// - The certificate is fetched only from `https://sns.<region>.amazonaws.com/` (in China,
///   `.amazonaws.com.cn`) and a path `SimpleNotificationService-….pem`, and only for a message of
///   your topics with a current time. As in Amazon's own validators, the connection proves the
///   certificate: its chain and its dates are not checked.
/// - **The version 1 is weak.** SHA-1 has collisions, and anyone can have Amazon sign a message of a
///   topic of their own. Set the attribute `SignatureVersion` of the topic to `2`, and then
///   [reject the version 1](Self::sha256_only).
/// - The body is read before anything is known about the sender. It has the content type
///   `text/plain`.
/// - Messages of a subscription with raw message delivery are not signed. They are rejected.
///
/// # Settings
///
/// Confirm the subscription: see [`on_subscription`](Self::on_subscription). Leave *raw message
/// delivery* off. ([AWS](https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html>,
/// and vendor's source: `src/MessageValidator.php` in aws/aws-php-sns-message-validator.
///
#[doc = crate::providers::macros::page!(AmazonSns)]
#[derive(Clone, Debug)]
pub struct AmazonSns(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    topics: Vec<String>,
    keys: Vec<PublicKey>,
    sha256_only: bool,
    tolerance: Tolerance,
    on_subscription: Option<OnSubscription>,
}

#[derive(Clone)]
struct OnSubscription(Arc<dyn Fn(SnsSubscription) + Send + Sync>);

registered! {
    AmazonSns = "amazon_sns" as "Amazon SNS";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(HOUR, "https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html");
    signature: "RSA of the message's fields and the topic";
}

impl AmazonSns {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        // Anyone who has these values can confirm or end the subscription.
        .with_sensitive_fields(&["Token", "SubscribeURL", "UnsubscribeURL"]);

    /// Creates a verifier for messages of these topics, with these public keys: for tests. Amazon
    /// changes its keys, so use `AmazonSns::with_fetched_keys` (feature `certificates`).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no topic, if a topic is not an ARN of SNS, if a key is not one of
    /// RSA, or if there are no keys or more than 16.
    pub fn new<T: Into<String>>(
        topic_arns: impl IntoIterator<Item = T>,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::of_topics(topic_arns)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no message.
    pub(crate) fn of_topics<T: Into<String>>(
        topic_arns: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let topics: Vec<String> = topic_arns.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Err(ConfigError::IdInvalid { why: "there is no topic" });
        }
        if topics.iter().any(|topic| region(topic).is_none()) {
            return Err(ConfigError::IdInvalid {
                why: "a topic is not an ARN such as `arn:aws:sns:eu-west-1:123456789012:orders`",
            });
        }
        Ok(Self(Arc::new(Inner {
            topics,
            keys: Vec::new(),
            sha256_only: false,
            tolerance: Self::POLICY.tolerance(),
            on_subscription: None,
        })))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        let keys = PublicKeys::checked(&[Algorithm::RsaPkcs1Sha256], keys)?;
        Ok(self.change(|inner| inner.keys = keys))
    }

    /// Rejects messages with the signature version 1, which has SHA-1.
    #[must_use]
    pub fn sha256_only(self) -> Self {
        self.change(|inner| inner.sha256_only = true)
    }

    /// Sets how far `Timestamp` can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        self.change(|inner| inner.tolerance = tolerance)
    }

    /// Calls this function for each verified request to confirm a subscription to one of your topics,
    /// and responds with an empty `200 OK`. Without it, such a request is for the handler.
    ///
    /// Request [`SnsSubscription::subscribe_url`] to confirm the subscription. This crate requests
    /// nothing. The function must not block: start a task.
    #[must_use]
    pub fn on_subscription(
        self,
        confirm: impl Fn(SnsSubscription) + Send + Sync + 'static,
    ) -> Self {
        self.change(|inner| inner.on_subscription = Some(OnSubscription(Arc::new(confirm))))
    }

    /// Returns the URL of the certificate of a message that a key could make authentic.
    #[cfg(feature = "certificates")]
    pub(crate) fn certificate_url(
        &self,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<String, Rejection> {
        let (message, _) = self.check(body, request.clock())?;
        message.certificate_url().map(str::to_owned)
    }

    /// Returns a message that a key could make authentic.
    fn check<'a>(
        &self,
        body: &'a [u8],
        clock: &Clock,
    ) -> Result<(Message<'a>, SignedTime), Rejection> {
        let message = Message::read(body)?;
        if self.0.sha256_only && message.version == Version::Sha1 {
            return Err(Rejection::malformed_in(Field::json("SignatureVersion")));
        }
        // Otherwise, everybody could send the messages of a topic of their own.
        if !self.0.topics.iter().any(|topic| *topic == message.topic()) {
            return Err(Rejection::mismatch().with_field(Field::json("TopicArn")));
        }
        let malformed = || Rejection::malformed_in(Field::json("Timestamp"));
        let time = message.value("Timestamp").as_bytes();
        let time = Timestamp::parse(time, TimestampFormat::Rfc3339).ok_or_else(malformed)?;
        let judged = self.0.tolerance.judge(time, clock);
        let time = judged.map_err(|why| why.with_field(Field::json("Timestamp")))?;
        Ok((message, time))
    }
}

impl Verifier for AmazonSns {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        match optional(request.head(), RAW)? {
            Some(raw) if raw.eq_ignore_ascii_case(b"true") => {
                Err(Rejection::new(RejectionKind::BodyNotSigned).in_header(RAW))
            }
            _ => Ok(()),
        }
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let (message, time) = self.check(body, request.clock())?;
        let (content, keys) = (message.content(), &self.0.keys);
        let index = keys.iter().position(|key| message.is_signed_by(key, &content));
        let index = index.ok_or(Rejection::mismatch().with_secrets_tried(keys.len()))?;
        let mut verified = Verified::new(Self::DEFAULTS.provider())
            .with_key_index(index)
            .with_replay_material(&Sha256::digest(&content))
            .with_unique_content();
        time.record(&mut verified);
        if let Ok(id) = HeaderValue::try_from(message.value("MessageId")) {
            verified = verified.with_delivery_id(id, true);
        }
        match (&self.0.on_subscription, message.subscription()?) {
            (Some(OnSubscription(confirm)), Some(subscription)) => {
                confirm(subscription);
                Ok(Outcome::Reply(Response::default(), verified))
            }
            _ => Ok(verified.into()),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for AmazonSns {
    /// Adds `SignatureVersion` 2 and `Signature` to a message.
    fn sign(
        &self,
        _: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};

        use crate::sign::sign::no_private_key;

        let malformed = || Rejection::malformed_in(Field::Body);
        let json = |signature: &str| {
            let rest = body.trim_ascii().strip_prefix(b"{")?;
            let start = format!(r#"{{"SignatureVersion":"2","Signature":"{signature}","#);
            Some([start.as_bytes(), rest].concat())
        };
        let unsigned = json("").ok_or_else(malformed)?;
        let content = Message::read(&unsigned)?.content();
        let signature = with.signature(Algorithm::RsaPkcs1Sha256, &content);
        let signature = signature.ok_or_else(no_private_key)?;
        Ok(Some(json(&STANDARD.encode(signature)).ok_or_else(malformed)?.into()))
    }
}

impl fmt::Debug for OnSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnSubscription").finish_non_exhaustive()
    }
}

//! App Store Server Notifications of Apple.

use std::{fmt, sync::Arc};

#[cfg(feature = "sign")]
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderValue;

use crate::{
    crypto::x509::Roots,
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{
        json::{Value, field},
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::{
        macros::registered,
        own::jwt::{
            apple_jws::{Chain, PAYLOAD, ROOT},
            claims::{Claims, malformed, missing},
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

/// Objects of which a notification has one, and which names the app.
const SUBJECTS: [&str; 4] = ["data", "summary", "externalPurchaseToken", "appData"];

/// App Store Server Notifications, version 2: a JSON Web Signature in the body, with its chain of
/// certificates.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::AppleAppStore};
///
/// let layer = SignatureLayer::new(AppleAppStore::production("com.example.app", 1234567890)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: `signedPayload` in the body is the JWS |
/// | algorithm | ES256; the key is that of the first certificate in `x5c` |
/// | signed content | the JWS, with the bundle ID, the environment and, in production, the Apple ID of the app; **nothing else in the body** |
/// | tolerance | none by default: Apple retries for days. See [`tolerance`](Self::tolerance) |
/// | delivery ID | `notificationUUID`, **signed**; the same for every retry |
/// | challenge | none |
///
/// - **Apple signs for all apps and both environments with the same keys**, so notifications for other
///   apps, and of the sandbox in production, are rejected.
/// - `x5c` has three certificates. The second must be issued by Apple Root CA - G3, which this crate
///   contains, and the first by the second. Both must be valid now and have Apple's extensions for the App
///   Store. The third one is ignored. Revocation is not checked.
/// - `signedTransactionInfo`, `signedRenewalInfo` and `signedAppTransactionInfo` are JWS of the same kind,
///   and verified, too.
/// - Read only the JWS, with [`token_claims`](crate::providers::token_claims).
/// - Requests of Xcode and of local tests are not signed by Apple, and are rejected.
/// - Version 1 of the notifications is not signed. Choose version 2 in App Store Connect.
///
/// # Settings
///
/// The bundle ID, and the Apple ID of the app: App Store Connect shows both under *App Information*.
/// ([Apple](https://developer.apple.com/documentation/appstoreservernotifications/receiving-app-store-server-notifications))
///
/// # Evidence
///
/// Vendor vector: `tests/resources/mock_signed_data/testNotification` in
/// apple/app-store-server-library-node @bc5cf76, and for the chain of certificates that signs in
/// production `tests/test_x509_verifiction.py` in app-store-server-library 3.1.2.
///
#[doc = crate::providers::macros::page!(AppleAppStore)]
#[derive(Clone, Debug)]
pub struct AppleAppStore(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    bundle_id: String,
    /// Set in production.
    app_apple_id: Option<u64>,
    roots: Roots,
    tolerance: Option<Tolerance>,
    /// Certificates of signed requests.
    #[cfg(feature = "sign")]
    chain: Vec<String>,
}

registered! {
    AppleAppStore = "apple_app_store" as "Apple App Store";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(157 * 60 * 60, "https://developer.apple.com/documentation/appstoreservernotifications/responding-to-app-store-server-notifications");
    signature: "JWS in the body, with app, environment and ID";
}

impl AppleAppStore {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY.defaults();

    /// Creates a verifier for notifications of the production environment about the app with this bundle
    /// ID and this Apple ID.
    ///
    /// # Errors
    ///
    /// Returns an error if the bundle ID is empty.
    pub fn production(bundle_id: &str, app_apple_id: u64) -> Result<Self, ConfigError> {
        Self::new(bundle_id, Some(app_apple_id))
    }

    /// Creates a verifier for notifications of the sandbox about the app with this bundle ID. Anyone with
    /// a copy of the app from TestFlight can cause them.
    ///
    /// # Errors
    ///
    /// Returns an error if the bundle ID is empty.
    pub fn sandbox(bundle_id: &str) -> Result<Self, ConfigError> {
        Self::new(bundle_id, None)
    }

    fn new(bundle_id: &str, app_apple_id: Option<u64>) -> Result<Self, ConfigError> {
        if bundle_id.is_empty() {
            return Err(ConfigError::IdInvalid {
                why: "pass the bundle ID of the app, such as `com.example.app`",
            });
        }
        Ok(Self(Arc::new(Inner {
            bundle_id: bundle_id.to_owned(),
            app_apple_id,
            roots: roots(ROOT)?,
            tolerance: None,
            #[cfg(feature = "sign")]
            chain: Vec::new(),
        })))
    }

    /// Sets the certificates that must have issued the second one of a chain, in PEM, instead of Apple's:
    /// for tests.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no certificate, or if one is malformed.
    pub fn root_certificates(mut self, pem: &str) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.0).roots = roots(pem)?;
        Ok(self)
    }

    /// Sets the certificates of requests that this verifier signs, in DER: that of the private key, that of
    /// its authority, and the root.
    #[cfg(feature = "sign")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
    #[must_use]
    pub fn signing_chain<T: AsRef<[u8]>>(mut self, der: [T; 3]) -> Self {
        Arc::make_mut(&mut self.0).chain = der.iter().map(|der| STANDARD.encode(der)).collect();
        self
    }

    /// Sets how far `signedDate` can be off. By default, it is not limited: Apple retries for 6 days and a
    /// half, and does not say whether a retry is signed anew.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        Arc::make_mut(&mut self.0).tolerance = Some(tolerance);
        self
    }

    fn environment(&self) -> &'static str {
        if self.0.app_apple_id.is_some() { "Production" } else { "Sandbox" }
    }

    /// Checks that a notification is for the app, and its inner signatures.
    fn check(&self, payload: &str, chain: &mut Chain<'_>) -> Result<(), Rejection> {
        let mut is_named = false;
        for subject in SUBJECTS {
            match Claims(payload.as_bytes()).value(subject)? {
                None | Some(Value::Other) => {}
                Some(Value::Object(object)) => {
                    is_named = true;
                    self.check_subject(subject, Claims(object.as_bytes()))?;
                    self.check_inner(Claims(object.as_bytes()), chain)?;
                }
                Some(_) => return Err(malformed(subject)),
            }
        }
        if is_named { Ok(()) } else { Err(missing("data")) }
    }

    fn check_subject(&self, subject: &'static str, object: Claims<'_>) -> Result<(), Rejection> {
        self.check_text(object, "bundleId", &self.0.bundle_id)?;
        if subject == "externalPurchaseToken" {
            // It names its environment in its ID.
            let is_sandbox = object.required("externalPurchaseId")?.starts_with("SANDBOX");
            let is_same = is_sandbox == self.0.app_apple_id.is_none();
            is_same.then_some(()).ok_or_else(|| wrong("externalPurchaseId"))?;
        } else {
            self.check_text(object, "environment", self.environment())?;
        }
        let Some(wanted) = self.0.app_apple_id else { return Ok(()) };
        match object.value("appAppleId")?.ok_or_else(|| missing("appAppleId"))? {
            Value::Number(number) if number.parse() == Ok(wanted) => Ok(()),
            _ => Err(wrong("appAppleId")),
        }
    }

    /// Checks the JWS in an object. They are also valid by themselves, so each names the app again.
    fn check_inner(&self, object: Claims<'_>, chain: &mut Chain<'_>) -> Result<(), Rejection> {
        for (name, has_bundle, environment) in [
            ("signedTransactionInfo", true, "environment"),
            ("signedRenewalInfo", false, "environment"),
            ("signedAppTransactionInfo", true, "receiptType"),
        ] {
            let jws = match object.value(name)? {
                Some(Value::Text(jws)) => jws,
                None | Some(Value::Other) => continue,
                Some(_) => return Err(malformed(name)),
            };
            let payload = chain.payload(jws.as_bytes())?;
            let claims = Claims(payload.as_bytes());
            if has_bundle {
                self.check_text(claims, "bundleId", &self.0.bundle_id)?;
            }
            self.check_text(claims, environment, self.environment())?;
        }
        Ok(())
    }

    fn check_text(
        &self,
        claims: Claims<'_>,
        name: &'static str,
        wanted: &str,
    ) -> Result<(), Rejection> {
        if claims.required(name)? == wanted { Ok(()) } else { Err(wrong(name)) }
    }
}

fn roots(pem: &str) -> Result<Roots, ConfigError> {
    Roots::from_pem(pem).ok_or(ConfigError::PublicKeyInvalid {
        why: "there is no root certificate, or one is malformed; \
              pass blocks that begin with `-----BEGIN CERTIFICATE-----`",
    })
}

fn wrong(name: &'static str) -> Rejection {
    Rejection::mismatch().with_field(Field::jwt(name))
}

impl Verifier for AppleAppStore {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let now = request.clock().millis()?;
        let not_one = || Rejection::malformed_in(Field::json(PAYLOAD));
        let jws = match field(body, PAYLOAD).map_err(|_| not_one())? {
            Some(Value::Text(jws)) => jws,
            Some(_) => return Err(not_one()),
            None => return Err(Rejection::missing_in(Field::json(PAYLOAD))),
        };
        let mut chain = Chain::new(&self.0.roots, now);
        let payload = chain.payload(jws.as_bytes())?;
        self.check(&payload, &mut chain)?;
        let claims = Claims(payload.as_bytes());
        let id = HeaderValue::try_from(&*claims.required("notificationUUID")?);
        let id = id.map_err(|_| malformed("notificationUUID"))?;
        let mut verified = Verified::new(Self::DEFAULTS.provider())
            .with_replay_material(id.as_bytes())
            .with_delivery_id(id, true);
        let signed = match claims.value("signedDate")? {
            None => None,
            Some(Value::Number(text)) => {
                let time = Timestamp::parse(text.as_bytes(), TimestampFormat::UnixMillis);
                Some(time.ok_or_else(|| malformed("signedDate"))?)
            }
            Some(_) => return Err(malformed("signedDate")),
        };
        if let Some(tolerance) = self.0.tolerance {
            let time = signed.ok_or_else(|| missing("signedDate"))?;
            let judged = tolerance.judge(time, request.clock());
            judged.map_err(|why| why.with_field(Field::jwt("signedDate")))?.record(&mut verified);
        }
        verified.signed_at = signed.and_then(Timestamp::to_system_time);
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for AppleAppStore {
    /// Returns a body with the notification `body` as a JWS. `body` must name the app, as Apple's does. The
    /// inner signatures are not made.
    fn sign(
        &self,
        _: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::{
            crypto::{jwt::message, mac::Algorithm},
            parse::encoding::Encoding,
            sign::{json::quoted, sign::no_private_key},
        };

        let payload = str::from_utf8(body).map_err(|_| Rejection::malformed_in(Field::Body))?;
        let certificates: Vec<_> = self.0.chain.iter().map(|text| quoted(text)).collect();
        let header = format!(r#"{{"alg":"ES256","x5c":[{}]}}"#, certificates.join(","));
        let message = message(&header, payload);
        let signature = with.jws_signature(Algorithm::EcdsaP256Sha256, message.as_bytes());
        let signature = Encoding::Base64Url.encode(&signature.ok_or_else(no_private_key)?);
        Ok(Some(format!(r#"{{"{PAYLOAD}":"{message}.{signature}"}}"#).into()))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("bundle_id", &self.bundle_id)
            .field("app_apple_id", &self.app_apple_id)
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

//! Macros that generate provider types.

/// Generates the constructor and the options of a provider with a [`SchemeVerifier`] in `self.0`.
///
/// The arguments are the kind of its keys (secrets, or `public_key`), `url` if it signs the URL,
/// and `timed` if it signs a timestamp.
///
/// [`SchemeVerifier`]: crate::scheme::SchemeVerifier
macro_rules! scheme_methods {
    (timed) => {
        $crate::providers::macros::scheme_methods!();
        $crate::providers::macros::scheme_methods!(@timed);
    };
    (url, timed) => {
        $crate::providers::macros::scheme_methods!(url);
        $crate::providers::macros::scheme_methods!(@timed);
    };
    (public_key, timed) => {
        $crate::providers::macros::scheme_methods!(public_key);
        $crate::providers::macros::scheme_methods!(@timed);
    };
    () => {
        $crate::providers::macros::scheme_methods!(@defaults);

        /// Creates a verifier with these secrets, the current one first.
        ///
        /// # Errors
        ///
        /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not
        /// in the provider's format, or if there are none or more than 16.
        pub fn new(secrets: impl $crate::crypto::secrets::IntoSecrets) -> Result<Self, $crate::error::ConfigError> {
            Self::SCHEME.verifier(secrets).map(Self)
        }
    };
    (url) => {
        $crate::providers::macros::scheme_methods!(@defaults);

        /// Creates a verifier with these secrets, the current one first, for webhooks that the
        /// provider sends to this URL.
        ///
        /// # Errors
        ///
        /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not
        /// in the provider's format, or if there are none or more than 16.
        pub fn new(
            secrets: impl $crate::crypto::secrets::IntoSecrets,
            url: $crate::scheme::public_url::PublicUrl,
        ) -> Result<Self, $crate::error::ConfigError> {
            Self::SCHEME.verifier_at(secrets, url).map(Self)
        }
    };
    (public_key) => {
        $crate::providers::macros::scheme_methods!(@defaults);

        /// Creates a verifier with these public keys, the current one first.
        ///
        /// # Errors
        ///
        /// Returns an error if a key has another algorithm than the provider's, or if there are
        /// none or more than 16.
        pub fn new(keys: impl $crate::crypto::public_key::IntoPublicKeys) -> Result<Self, $crate::error::ConfigError> {
            Self::SCHEME.verifier(keys.into_public_keys()).map(Self)
        }
    };
    (@defaults) => {
        /// Default layer settings for this provider: its name, the status of rejections and the
        /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
        pub const DEFAULTS: $crate::verifier::defaults::VerifierDefaults = Self::SCHEME.defaults();
    };
    (@timed) => {
        /// Sets how far the signed timestamp can be off, instead of the provider's default (see
        /// above).
        #[must_use]
        pub fn tolerance(self, tolerance: $crate::parse::tolerance::Tolerance) -> Self {
            Self(self.0.with_tolerance(tolerance))
        }
    };
}
pub(crate) use scheme_methods;

/// Implements `Sign` for a provider with the signer in one of its fields.
macro_rules! sign_as {
    ($name:ident, $self:ident => $signer:expr) => {
        #[cfg(feature = "sign")]
        impl $crate::sign::sign::Sign for $name {
            fn sign(
                &$self,
                head: &mut http::request::Parts,
                body: &[u8],
                with: &$crate::sign::sign::Signing<'_>,
            ) -> Result<Option<bytes::Bytes>, $crate::outcome::rejection::Rejection> {
                $crate::sign::sign::Sign::sign($signer, head, body, with)
            }
        }
    };
}
pub(crate) use sign_as;

/// Includes the generated part of a provider's page.
macro_rules! page {
    ($name:ident) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/providers/pages/",
            stringify!($name),
            ".md"
        ))
    };
}
pub(crate) use page;

/// Generates provider types that consist of a scheme, and their registrations.
///
/// A type has, in this order: its name, the vendor's own spelling of the name if it is another, the
/// arguments of [`scheme_methods`], other names of the provider, its scheme, and its delivery
/// policy if anything is known about it.
macro_rules! providers {
    ($(
        $(#[$doc:meta])*
        $name:ident $($title:literal)? ($($kind:ident),*) $(also [$($alias:literal),+])?
            = $scheme:expr $(, $policy:expr)?;
    )*) => {
        $(
            #[doc = $crate::providers::macros::page!($name)]
            ///
            $(#[$doc])*
            $(#[doc(alias = $title)])?
            $($(#[doc(alias = $alias)])+)?
            #[derive(Clone, Debug)]
            pub struct $name($crate::scheme::verifier::SchemeVerifier);

            impl $name {
                pub(crate) const POLICY: $crate::providers::policy::DeliveryPolicy =
                    $crate::verifier::delegate::first!(
                        $($policy,)? $crate::providers::policy::DeliveryPolicy::UNKNOWN
                    ).of($scheme.defaults().provider());

                /// The provider's signature scheme.
                pub const SCHEME: Scheme = Self::POLICY.apply($scheme);

                $crate::providers::macros::scheme_methods!($($kind),*);
            }

            impl $crate::verifier::verifier::Verifier for $name {
                $crate::verifier::delegate::delegate_verifier!(self => self.0, $crate::scheme::state::SchemeState);
            }

            $crate::providers::macros::sign_as!($name, self => &self.0);
        )*

        /// Types of this module.
        pub(crate) const TYPES: &[$crate::providers::registration::Registration] = &[$(
            $crate::providers::registration::Registration {
                type_name: stringify!($name),
                title: $crate::verifier::delegate::first!($($title,)? stringify!($name)),
                aliases: &[$($($alias),+)?],
                policy: &$name::POLICY,
                signature: $crate::providers::registration::Signature::Scheme(&$name::SCHEME),
                entries: &[$crate::providers::registration::Entry::of(&$name::SCHEME)],
            }
        ),*];
    };
}
pub(crate) use providers;

/// Registers a provider type with code of its own.
///
/// The arguments are the type and its name, the delivery policy, what is signed (the scheme, or
/// words), and the names by which the registry creates verifiers. A name has the kind of
/// credential, `timed` if a timestamp is signed, `url` if the URL is, and the constructor.
macro_rules! registered {
    (
        $type:ident = $id:literal $(as $title:literal)?;
        policy: $policy:expr;
        signature: $signature:tt;
        $(
            $(#[$meta:meta])*
            $name:literal: $needs:ident $($option:ident)*, $parameters:ident => $verifier:expr;
        )*
    ) => {
        impl $type {
            pub(crate) const POLICY: $crate::providers::policy::DeliveryPolicy = $policy.of($id);

            pub(crate) const REGISTRATION: $crate::providers::registration::Registration =
                $crate::providers::registration::Registration {
                    type_name: stringify!($type),
                    title: $crate::verifier::delegate::first!($($title,)? stringify!($type)),
                    aliases: &[],
                    policy: &Self::POLICY,
                    signature: registered!(@signature $signature),
                    entries: &[$(
                        $(#[$meta])*
                        $crate::providers::registration::Entry {
                            name: $name,
                            needs: $crate::providers::credentials::CredentialKind::$needs,
                            signs_time: registered!(@has timed $($option)*),
                            signs_url: registered!(@has url $($option)*),
                            build: $crate::providers::registration::Build::Own(
                                $crate::providers::registration::Constructors {
                                    verifier: |$parameters| {
                                        Ok($crate::providers::boxed::BoxVerifier::signing($verifier?))
                                    },
                                    #[cfg(all(test, feature = "sign"))]
                                    debug: |$parameters, head| {
                                        let build = || Ok::<_, $crate::error::ConfigError>($verifier?);
                                        let verifier = build().unwrap();
                                        let context = $crate::verifier::context::Context::new(head);
                                        let state = $crate::verifier::verifier::Verifier::begin(&verifier, &context);
                                        format!("{verifier:?} {state:?}")
                                    },
                                },
                            ),
                        }
                    ),*],
                };
        }
    };
    (@signature SCHEME) => {
        $crate::providers::registration::Signature::Scheme(&Self::SCHEME)
    };
    (@signature $words:literal) => {
        $crate::providers::registration::Signature::Words($words)
    };
    (@has $option:ident) => { false };
    (@has timed timed $($others:ident)*) => { true };
    (@has url url $($others:ident)*) => { true };
    (@has $option:ident $other:ident $($others:ident)*) => { registered!(@has $option $($others)*) };
}
pub(crate) use registered;

/// Creates a verifier with credentials of two parts each: one by `new`, and the others by `further`.
macro_rules! of_pairs {
    ($type:ident, $further:ident, $needs:ident, $parameters:ident) => {{
        let mut verifier: Option<$type> = None;
        let pairs = $crate::crypto::secrets::each($parameters.secrets, |pair| {
            let (name, secret) =
                $crate::providers::credentials::CredentialKind::$needs.split(&pair)?;
            verifier = Some(match verifier.take() {
                Some(verifier) => verifier.$further(&name, secret)?,
                None => $type::new(&name, secret)?,
            });
            Ok(())
        });
        pairs.and_then(|_| verifier.ok_or($crate::error::ConfigError::SecretEmpty))
    }};
}
pub(crate) use of_pairs;

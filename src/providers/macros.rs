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
        pub fn tolerance(self, tolerance: $crate::parse::timestamp::Tolerance) -> Self {
            Self(self.0.map_scheme(|scheme| scheme.tolerance(tolerance)))
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

/// Generates provider types that consist of a scheme, and the list of them for the registry.
macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident ($($kind:ident),*) = $scheme:expr;)*) => {
        $(
            #[doc = $crate::providers::macros::page!($name)]
            ///
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name($crate::scheme::verifier::SchemeVerifier);

            impl $name {
                /// The provider's signature scheme.
                pub const SCHEME: Scheme = $crate::providers::apply::applied($scheme);

                $crate::providers::macros::scheme_methods!($($kind),*);
            }

            impl $crate::verifier::verifier::Verifier for $name {
                $crate::verifier::delegate::delegate_verifier!(self => self.0, $crate::scheme::verification::SchemeState);
            }

            $crate::providers::macros::sign_as!($name, self => &self.0);
        )*

        /// Types of this module's providers, with their schemes.
        pub(crate) const SCHEMES: &[(&str, Scheme)] = &[$((stringify!($name), $name::SCHEME)),*];
    };
}
pub(crate) use providers;

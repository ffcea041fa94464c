//! Macros that make provider types.

/// The constructor and knobs of a provider around a [`SchemeVerifier`] in `self.0`: by its key (secrets
/// or `public_key`), by what it signs (`url`), and whether that is `timed`.
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
        /// When a secret's text is not in the provider's form (see the table above), or there are none or
        /// more than 16.
        pub fn new(secrets: impl $crate::crypto::secrets::IntoSecrets) -> Result<Self, $crate::error::ConfigError> {
            Self::SCHEME.verifier(secrets).map(Self)
        }
    };
    (url) => {
        $crate::providers::macros::scheme_methods!(@defaults);

        /// Creates a verifier with these secrets, the current one first, for webhooks that the provider
        /// sends to this URL.
        ///
        /// # Errors
        ///
        /// When a secret's text is not in the provider's form (see the table above), or there are none or
        /// more than 16.
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
        /// When a key is of another algorithm than the provider's, or there are none or more than 16.
        pub fn new(keys: impl $crate::crypto::public_key::IntoPublicKeys) -> Result<Self, $crate::error::ConfigError> {
            Self::SCHEME.verifier(keys.into_public_keys()).map(Self)
        }
    };
    (@defaults) => {
        /// The provider's name, the status of refusals and the body limit, for look-ups.
        pub const DEFAULTS: $crate::verifier::defaults::VerifierDefaults = Self::SCHEME.defaults();
    };
    (@timed) => {
        /// How far the signed time may be off, in place of the table's freshness.
        #[must_use]
        pub fn tolerance(self, tolerance: $crate::parse::timestamp::Tolerance) -> Self {
            Self(self.0.map_scheme(|scheme| scheme.tolerance(tolerance)))
        }
    };
}
pub(crate) use scheme_methods;

/// Signs as this part of the provider does.
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

/// Providers that are a scheme and nothing more, and the list of them for the registry.
macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident ($($kind:ident),*) = $scheme:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name($crate::scheme::verifier::SchemeVerifier);

            impl $name {
                /// How it signs.
                pub const SCHEME: Scheme = $crate::providers::apply::applied($scheme);

                $crate::providers::macros::scheme_methods!($($kind),*);
            }

            impl $crate::verifier::verifier::Verifier for $name {
                $crate::verifier::delegate::delegate_verifier!(self => self.0, $crate::scheme::verification::SchemeState);
            }

            $crate::providers::macros::sign_as!($name, self => &self.0);
        )*

        /// The schemes of this module's providers.
        pub(crate) const SCHEMES: &[Scheme] = &[$($name::SCHEME),*];
    };
}
pub(crate) use providers;

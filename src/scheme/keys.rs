//! Keys of a scheme's verifier: secrets or public keys.

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::{IntoPublicKeys, PublicKey};
use crate::{
    crypto::secrets::{IntoSecrets, Secrets},
    error::ConfigError,
};

/// Conversion into the keys of a scheme's verifier.
///
/// It is implemented for all types that implement [`IntoSecrets`] and, with the feature
/// `asymmetric`, for a `PublicKey` and for arrays and `Vec`s of them.
///
/// This trait is sealed and cannot be implemented outside of this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted into secrets or public keys",
    note = "pass a `&str`, a `String`, a `Secret`, or with the feature `asymmetric` a `PublicKey`, \
            or several of one type in an array or a `Vec`"
)]
pub trait IntoKeys: sealed::IntoKeys {}

/// Keys of a verifier, all of one kind.
#[allow(unnameable_types, reason = "the trait that names it is sealed")]
#[derive(Debug)]
pub enum AnyKeys {
    #[cfg(feature = "asymmetric")]
    Public(Vec<PublicKey>),
    Secrets(Secrets),
}

mod sealed {
    use super::*;

    #[allow(unnameable_types, reason = "it seals the trait")]
    pub trait IntoKeys {
        fn into_keys(self) -> Result<AnyKeys, ConfigError>;
    }
}

impl<S: IntoSecrets> IntoKeys for S {}

impl<S: IntoSecrets> sealed::IntoKeys for S {
    fn into_keys(self) -> Result<AnyKeys, ConfigError> {
        self.into_secrets().map(AnyKeys::Secrets)
    }
}

#[cfg(feature = "asymmetric")]
macro_rules! public {
    ($($type:ty $(, $size:ident)?;)*) => {$(
        impl$(<const $size: usize>)? IntoKeys for $type {}

        impl$(<const $size: usize>)? sealed::IntoKeys for $type {
            fn into_keys(self) -> Result<AnyKeys, ConfigError> {
                Ok(AnyKeys::Public(self.into_public_keys()))
            }
        }
    )*};
}

#[cfg(feature = "asymmetric")]
public! {
    PublicKey;
    Vec<PublicKey>;
    [PublicKey; N], N;
}

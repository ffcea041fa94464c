//! Lookups of tenants by head or by body, as sources of a layer.

#![expect(unnameable_types, reason = "only the engine uses what is behind `Source`")]

use std::{
    fmt,
    future::{Ready, ready},
};

use bytes::Bytes;
use http::request::Parts;

use crate::{
    outcome::rejection::Rejection,
    parse::client_ip::ClientIp,
    tenants::{
        tenants::{Miss, Tenants},
        verifier::{LookUp, TenantVerifier},
    },
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        requires::Requires,
        sensitive::SensitiveParts,
        source::{
            FoundByHead, LayerContext, LookUpByBody, NoLookUpByBody, Source, VerifierByHead,
            client_address,
            sealed::{Engine, Sealed},
        },
        verifier::Verifier,
    },
};

/// Lookup of tenants by the request head; see [`Tenants::by_head`].
#[must_use]
pub struct ByHead<V, F> {
    tenants: Tenants<V>,
    tenant: F,
    requires: Requires,
}

/// Lookup of tenants by head and body; see [`Tenants::by_body`].
#[must_use]
pub struct ByBody<V, F> {
    tenants: Tenants<V>,
    tenant: F,
    requires: Requires,
}

impl<V, F> ByHead<V, F> {
    /// Sets the headers that a request must carry before its tenant is looked up, none by default.
    ///
    /// A request that the decoy takes for a challenge needs no header.
    pub fn requires(mut self, requires: Requires) -> Self {
        self.requires = requires;
        self
    }
}

macro_rules! settings {
    ($name:ident) => {
        impl<V, F> $name<V, F> {
            pub(crate) const fn new(tenants: Tenants<V>, tenant: F, requires: Requires) -> Self {
                Self { tenants, tenant, requires }
            }
        }

        impl<V, F: Clone> Clone for $name<V, F> {
            fn clone(&self) -> Self {
                Self {
                    tenants: self.tenants.clone(),
                    tenant: self.tenant.clone(),
                    requires: self.requires.clone(),
                }
            }
        }

        impl<V, F> fmt::Debug for $name<V, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("requires", &self.requires)
                    .finish_non_exhaustive()
            }
        }

        impl<V, F> Sealed for $name<V, F> {}
    };
}

settings!(ByHead);
settings!(ByBody);

impl<V, F> Source for ByHead<V, F>
where
    V: Verifier + Clone,
    F: Fn(&Parts) -> Option<String>,
{
}

impl<V, F> Engine for ByHead<V, F>
where
    V: Verifier + Clone,
    F: Fn(&Parts) -> Option<String>,
{
    type Verifier = TenantVerifier<V>;
    type HeadLookUp = VerifierByHead<LookUp<V>>;
    type BodyLookUp = NoLookUpByBody<TenantVerifier<V>>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let Self { tenants, tenant, requires, .. } = self;
        let head = request.head();
        VerifierByHead::new(match tenants.check(requires, request, layer) {
            Err(rejection) => LookUp::refused(rejection),
            Ok(()) => tenants.look_up(tenant(head).as_deref(), || {
                if tenants.is_refused_by_all(request) {
                    Miss::Decoy
                } else {
                    Miss::Ask(client_address(head, layer.client_ip))
                }
            }),
        })
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.tenants.decoy().defaults()
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        // The decoy represents all tenants.
        let decoy = self.tenants.decoy().sensitive_parts();
        decoy.and(self.requires.sensitive_parts())
    }
}

impl<V, F> Source for ByBody<V, F>
where
    V: Verifier + Clone,
    F: Fn(&Parts, &Bytes) -> Option<String> + Clone,
{
}

impl<V, F> Engine for ByBody<V, F>
where
    V: Verifier + Clone,
    F: Fn(&Parts, &Bytes) -> Option<String> + Clone,
{
    type Verifier = TenantVerifier<V>;
    type HeadLookUp = Ready<Result<FoundByHead<Self::Verifier, Self::BodyLookUp>, Rejection>>;
    type BodyLookUp = TenantByBody<V, F>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let Self { tenants, tenant, requires, .. } = self;
        ready(tenants.check(requires, request, layer).map(|()| {
            if tenants.is_refused_by_all(request) {
                // The result does not depend on the body.
                return FoundByHead::Verifier(tenants.decoy());
            }
            FoundByHead::NeedsBody(TenantByBody {
                tenants: tenants.clone(),
                tenant: tenant.clone(),
                client_ip: layer.client_ip.cloned(),
            })
        }))
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.tenants.decoy().defaults()
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        // The decoy represents all tenants.
        let decoy = self.tenants.decoy().sensitive_parts();
        decoy.and(self.requires.sensitive_parts())
    }
}

/// Lookup of a request whose body is being read.
pub struct TenantByBody<V, F> {
    tenants: Tenants<V>,
    tenant: F,
    client_ip: Option<ClientIp>,
}

impl<V, F> LookUpByBody for TenantByBody<V, F>
where
    V: Verifier + Clone,
    F: Fn(&Parts, &Bytes) -> Option<String>,
{
    type Verifier = TenantVerifier<V>;
    type Future = LookUp<V>;

    fn look_up(&self, head: &Parts, body: &Bytes) -> LookUp<V> {
        let tenant = (self.tenant)(head, body);
        let address = || Miss::Ask(client_address(head, self.client_ip.as_ref()));
        self.tenants.look_up(tenant.as_deref(), address)
    }
}

impl<V, F> fmt::Debug for TenantByBody<V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantByBody").finish_non_exhaustive()
    }
}

impl<V: Verifier + Clone> Tenants<V> {
    /// Creates a source for a [`SignatureLayer`](crate::SignatureLayer) in which the head names the
    /// tenant: a segment of the path, the query, or a header. `None` is treated as an unknown
    /// tenant.
    ///
    /// Status and body limit are the decoy's unless
    /// [`SignatureLayer::defaults`](crate::SignatureLayer::defaults) sets others. They are never
    /// the tenant's.
    pub fn by_head<F>(&self, tenant: F) -> ByHead<V, F>
    where
        F: Fn(&Parts) -> Option<String> + Clone,
    {
        ByHead::new(self.clone(), tenant, Requires::nothing())
    }

    /// Creates a source for a [`SignatureLayer`](crate::SignatureLayer) in which the **unverified**
    /// body names the tenant, for providers that name it only there.
    ///
    /// The tenant can be a field of a form ([`form_field`](super::form_field)) or of JSON
    /// ([`json_field`](super::json_field)). `None` is treated as an unknown tenant.
    ///
    /// A request must carry the headers that `requires` names before its body is read. A request
    /// that the decoy takes for a challenge needs none. If the decoy decides on unsigned requests,
    /// as for [`new`](Self::new), [`Requires::nothing`] suffices.
    pub fn by_body<F>(&self, requires: Requires, tenant: F) -> ByBody<V, F>
    where
        F: Fn(&Parts, &Bytes) -> Option<String> + Clone,
    {
        ByBody::new(self.clone(), tenant, requires)
    }
}

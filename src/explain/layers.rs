//! The verifiers of the layers of this process, whose secrets may have signed a request that another
//! layer rejects.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::{explain::other::Other, verifier::verifier::Verifier};

/// Maximum number of layers that are tried for one explanation.
const MAX: usize = 64;

/// Layers that exist, or existed. The layers hold their verifiers.
static LAYERS: Mutex<Layers> = Mutex::new(Layers { known: Vec::new(), next_sweep: MAX });

struct Layers {
    known: Vec<Weak<Other>>,
    /// Number of layers at which those that are gone are removed.
    next_sweep: usize,
}

/// Adds the verifier of a layer, for as long as the layer holds it.
pub(crate) fn register(verifier: impl Verifier) -> Arc<Other> {
    let name = format!("another layer, of {}", verifier.defaults().provider());
    let own = Arc::new(Other::new(name.into(), verifier));
    let mut layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
    if layers.known.len() >= layers.next_sweep {
        layers.known.retain(|layer| layer.strong_count() > 0);
        layers.next_sweep = layers.known.len().saturating_mul(2).max(MAX);
    }
    layers.known.push(Arc::downgrade(&own));
    own
}

/// Returns the verifiers of the newest other layers.
pub(crate) fn others(own: Option<&Arc<Other>>) -> Vec<Arc<Other>> {
    let layers = LAYERS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = layers.known.iter().rev().filter_map(Weak::upgrade);
    known.filter(|layer| own.is_none_or(|own| !Arc::ptr_eq(own, layer))).take(MAX).collect()
}

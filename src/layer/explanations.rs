//! Options of the layer for explanations.

use std::sync::Arc;

use crate::{explain::explainer::Explainer, layer::layer::SignatureLayer};

impl<M> SignatureLayer<M> {
    /// Sets how the layer explains rejections, for example with the verifiers of other endpoints.
    ///
    /// By default, a layer explains at most 6 rejections a minute. It responds first, and searches
    /// the cause on another thread, for at most 50 ms. The
    /// [explanation](crate::observe::Event::explanation) comes as an event of its own,
    /// [`Explained`](crate::observe::EventKind::Explained), which is also written to `tracing`.
    ///
    /// The layer's [`clock`](Self::clock) replaces that of the explainer.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, explain::Explainer, providers::Stripe};
    ///
    /// let live = Stripe::new("whsec_made-up-secret-of-live-mode")?;
    /// let test = Stripe::new("whsec_made-up-secret-of-test-mode")?;
    /// let layer = SignatureLayer::new(live).explainer(Explainer::new().also("test mode", test));
    /// # let _ = layer;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
    pub fn explainer(self, explainer: Explainer) -> Self {
        self.update(|config| config.explaining.explainer = Some(Arc::new(explainer)))
    }

    /// Disables the explanation of rejections. Other layers do not try the secrets of this one either.
    #[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
    pub fn without_explanations(self) -> Self {
        self.update(|config| config.explaining.disable())
    }
}

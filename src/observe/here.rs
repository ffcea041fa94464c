//! The subscriber and the span of a request, for events that another thread reports.

/// The subscriber and the span of the current thread.
///
/// Another thread has its own: without this, a line about the request would lack the request's span,
/// and a subscriber of this thread alone would not get it.
pub(crate) struct Here {
    #[cfg(feature = "tracing")]
    dispatch: tracing::Dispatch,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Here {
    pub(crate) fn now() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            dispatch: tracing::dispatcher::get_default(Clone::clone),
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// Runs code on another thread as if it ran here.
    pub(crate) fn run(&self, code: impl FnOnce()) {
        #[cfg(feature = "tracing")]
        tracing::dispatcher::with_default(&self.dispatch, || self.span.in_scope(code));
        #[cfg(not(feature = "tracing"))]
        code();
    }
}

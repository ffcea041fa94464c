//! The subscriber, the span and the runtime of a request, for code that runs on another thread.

/// The subscriber, the span and the runtime of the current thread.
///
/// Another thread has others, or none: without this, a line about the request would lack the
/// request's span, a subscriber of this thread alone would not get it, and an observer could spawn
/// no task.
pub(crate) struct Here {
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
    #[cfg(feature = "tracing")]
    dispatch: tracing::Dispatch,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Here {
    pub(crate) fn now() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            runtime: tokio::runtime::Handle::try_current().ok(),
            #[cfg(feature = "tracing")]
            dispatch: tracing::dispatcher::get_default(Clone::clone),
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// Enters the runtime.
    #[cfg(feature = "tokio")]
    pub(crate) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.runtime.as_ref().map(tokio::runtime::Handle::enter)
    }

    /// Enters nothing: there is no runtime.
    #[cfg(not(feature = "tokio"))]
    pub(crate) const fn enter(&self) -> Option<&Self> {
        None
    }

    /// Runs code with the subscriber and in the span.
    pub(crate) fn run(&self, code: impl FnOnce()) {
        #[cfg(feature = "tracing")]
        tracing::dispatcher::with_default(&self.dispatch, || self.span.in_scope(code));
        #[cfg(not(feature = "tracing"))]
        code();
    }
}

//! Warnings of failed fetches.

/// Logs that a provider's keys could not be fetched. At most one fetch fails within the retry time
/// of a document, so the log does not flood.
#[cfg(feature = "tracing")]
pub(crate) fn tell_failure(provider: &'static str, url: &str, why: &str) {
    tracing::warn!(
        target: "tower_webhook::keys",
        provider,
        url,
        detail = why,
        "the keys of a provider could not be fetched"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn tell_failure(_: &'static str, _: &str, _: &str) {}

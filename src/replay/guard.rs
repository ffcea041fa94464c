//! The guard of a claim.

use std::time::Duration;

use crate::{
    outcome::replay_key::ReplayKey,
    panic::catch_panic,
    replay::store::{ClaimToken, ReplayStore},
};

/// Claim that is granted or requested.
///
/// However the request ends, the store receives the result: a claim that has not been settled is
/// settled on drop.
pub(crate) struct ClaimGuard<T: ReplayStore> {
    store: T,
    key: ReplayKey,
    token: ClaimToken,
    /// Retention of the success, once the handler has succeeded.
    succeeded: Option<Duration>,
    is_settled: bool,
}

impl<T: ReplayStore> ClaimGuard<T> {
    /// Creates the guard and then requests the claim.
    ///
    /// In this order, a claim that is granted while the request is being dropped is released, too.
    pub(crate) fn claim(store: T, key: ReplayKey, lease: Duration) -> (Self, T::Claim) {
        let guard =
            Self { store, key, token: ClaimToken::unique(), succeeded: None, is_settled: false };
        let claim = guard.store.claim(&guard.key, guard.token, lease);
        (guard, claim)
    }

    pub(crate) const fn key(&self) -> &ReplayKey {
        &self.key
    }

    /// Settles the claim with the result of the handler.
    ///
    /// From here on, a drop does the same.
    pub(crate) fn settle(&mut self, succeeded: Option<Duration>) -> T::Settle {
        self.succeeded = succeeded;
        match succeeded {
            Some(retention) => self.store.commit(&self.key, self.token, retention),
            None => self.store.release(&self.key, self.token),
        }
    }

    /// Disarms the guard: there is nothing to release, or it has been released.
    pub(crate) fn forget(mut self) {
        self.is_settled = true;
    }
}

impl<T: ReplayStore> Drop for ClaimGuard<T> {
    fn drop(&mut self) {
        if !self.is_settled {
            // The guard may be dropped by a panic, and a second panic of the store would abort.
            let _ = catch_panic(|| {
                let settle = self.settle(self.succeeded);
                self.store.settle_in_background(settle);
            });
        }
    }
}

/// A claim that is released on drop, and the retention of a success.
pub(crate) struct Claimed<T: ReplayStore> {
    pub(crate) guard: ClaimGuard<T>,
    pub(crate) retention: Duration,
}

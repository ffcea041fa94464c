//! The hold on a claim.

use std::time::Duration;

use crate::{
    outcome::replay_key::ReplayKey,
    panic::catch_panic,
    replay::store::{ClaimToken, ReplayStore},
};

/// A claim, or one that is being asked for. Whatever ends the request, the store hears of it: what
/// is dropped before it was settled is settled then.
pub(crate) struct ClaimGuard<T: ReplayStore> {
    store: T,
    key: ReplayKey,
    token: ClaimToken,
    /// For how long the success is to be remembered, once there is one.
    succeeded: Option<Duration>,
    is_settled: bool,
}

impl<T: ReplayStore> ClaimGuard<T> {
    /// From here on the claim is given back. It is asked for only afterwards, so that one that
    /// is granted while the request is being dropped does not stay behind.
    pub(crate) fn claim(store: T, key: ReplayKey, lease: Duration) -> (Self, T::Claim) {
        let guard =
            Self { store, key, token: ClaimToken::unique(), succeeded: None, is_settled: false };
        let claim = guard.store.claim(&guard.key, guard.token, lease);
        (guard, claim)
    }

    pub(crate) const fn key(&self) -> &ReplayKey {
        &self.key
    }

    /// The handler has answered. From here on a drop commits or releases accordingly.
    pub(crate) fn settle(&mut self, succeeded: Option<Duration>) -> T::Settle {
        self.succeeded = succeeded;
        match succeeded {
            Some(retention) => self.store.commit(&self.key, self.token, retention),
            None => self.store.release(&self.key, self.token),
        }
    }

    /// There is nothing to give back, or it has been given back.
    pub(crate) fn forget(mut self) {
        self.is_settled = true;
    }
}

impl<T: ReplayStore> Drop for ClaimGuard<T> {
    fn drop(&mut self) {
        if !self.is_settled {
            // A store's own panic must not meet another one, which may be why this is dropped.
            let _ = catch_panic(|| {
                let settle = self.settle(self.succeeded);
                self.store.settle_in_background(settle);
            });
        }
    }
}

/// A claim that is given back on drop, and how long a success is remembered.
pub(crate) struct Claimed<T: ReplayStore> {
    pub(crate) guard: ClaimGuard<T>,
    pub(crate) retention: Duration,
}

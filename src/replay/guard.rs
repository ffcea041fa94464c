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
    on_drop: OnDrop,
}

/// Action of a drop of the guard on the claim.
enum OnDrop {
    /// The handler has not succeeded.
    Release,
    /// The handler has succeeded, and its success is kept for this time.
    Commit(Duration),
    /// There is nothing to settle, or it has been settled.
    Nothing,
}

impl<T: ReplayStore> ClaimGuard<T> {
    /// Creates the guard and then requests the claim.
    ///
    /// In this order, a claim that is granted while the request is being dropped is released, too.
    pub(crate) fn claim(store: T, key: ReplayKey, lease: Duration) -> (Self, T::Claim) {
        let guard = Self { store, key, token: ClaimToken::unique(), on_drop: OnDrop::Release };
        let claim = guard.store.claim(&guard.key, guard.token, lease);
        (guard, claim)
    }

    pub(crate) const fn key(&self) -> &ReplayKey {
        &self.key
    }

    /// Records the success of the handler.
    ///
    /// From here on, a drop does the same.
    pub(crate) fn commit(&mut self, retention: Duration) -> T::Settle {
        self.on_drop = OnDrop::Commit(retention);
        self.store.commit(&self.key, self.token, retention)
    }

    /// Releases the claim, as a drop does.
    pub(crate) fn release(&self) -> T::Settle {
        self.store.release(&self.key, self.token)
    }

    /// Disarms the guard: there is nothing to release, or it has been released.
    pub(crate) fn forget(mut self) {
        self.on_drop = OnDrop::Nothing;
    }
}

impl<T: ReplayStore> Drop for ClaimGuard<T> {
    fn drop(&mut self) {
        // The guard may be dropped by a panic, and a second panic of the store would abort.
        let _ = catch_panic(|| {
            let settle = match self.on_drop {
                OnDrop::Release => self.release(),
                OnDrop::Commit(retention) => self.commit(retention),
                OnDrop::Nothing => return,
            };
            self.store.settle_in_background(settle);
        });
    }
}

/// A claim that is released on drop, and the retention of a success.
pub(crate) struct Claimed<T: ReplayStore> {
    pub(crate) guard: ClaimGuard<T>,
    pub(crate) retention: Duration,
}

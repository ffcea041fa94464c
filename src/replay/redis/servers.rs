//! Servers that have the keys.

use std::{sync::Arc, time::Duration};

use crate::replay::{
    redis::{
        cluster::Cluster,
        connection::{Failure, Link, Redirection},
        slots,
    },
    store::StoreError,
};

/// One server, or the nodes of a cluster.
#[derive(Clone)]
pub(crate) enum Servers {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

/// Way of a command to the server of its key.
pub(crate) struct Way {
    pub(crate) link: Arc<Link>,
    /// Set if the slot is still moving to this node.
    pub(crate) is_asking: bool,
}

impl Servers {
    /// Returns the slot of a key, or 0 if there is one server.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        match self {
            Self::One(_) => 0,
            Self::Cluster(_) => slots::slot(key),
        }
    }

    /// Returns the way to the server of a slot.
    ///
    /// If the slots of a cluster are unknown, asks for them once.
    pub(crate) async fn way(&self, slot: u16, limit: Duration) -> Result<Way, StoreError> {
        let link = match self {
            Self::One(link) => Arc::clone(link),
            Self::Cluster(cluster) => cluster.primary(slot, limit).await?,
        };
        Ok(Way { link, is_asking: false })
    }

    /// Follows a redirection by the node of this link.
    pub(crate) fn follow(
        &self,
        redirection: Redirection,
        from: &Arc<Link>,
        limit: Duration,
    ) -> Result<Way, Failure> {
        let is_asking = redirection.is_once;
        if !is_asking {
            self.look_again(limit);
        }
        let link = match self {
            Self::One(_) => None,
            Self::Cluster(cluster) => cluster.redirected(&redirection.address, from),
        };
        link.map(|link| Way { link, is_asking }).ok_or(Failure::Redirected(redirection))
    }

    /// Asks the cluster again which node serves which slot, in the background.
    pub(crate) fn look_again(&self, limit: Duration) {
        if let Self::Cluster(cluster) = self {
            cluster.look_again(limit);
        }
    }
}

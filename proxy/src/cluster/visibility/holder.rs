//! How a node comes by its lease, and how the primary serves those that ask it for one.
//!
//! A replica keeps one connection to the primary and tells it how far it has come: each time it has come further, so that writes
//! wait no longer than they must, and else every [`RENEW`]. The primary needs nobody's word but the quorum's. The lease runs from
//! before the question left, so that the way there and back shortens it and nothing lengthens it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use host::clock::Clock;
use peer::Lane;
use raft::{BoxedStream, Leadership, Peer};
use store::Embedded;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::LEASE;
use super::lane::{read, write};
use super::leases::{Leases, Standing};
use crate::cache::Cache;
use crate::cluster::peers::{Arrived, Peers};
use crate::cluster::settings::NODES_MAX;

/// How often a lease is renewed that nothing else renews.
const RENEW: Duration = Duration::from_millis(100);
/// The pause after a primary could not be asked.
const AGAIN: Duration = Duration::from_millis(50);
/// Most connections about leases at a time: each node has one, and may have another that is not known to be dead.
const CONNECTIONS_MAX: usize = 2 * NODES_MAX;

/// What it takes to hold leases and to give them.
#[derive(Clone)]
pub struct Parts {
    /// This node's store.
    pub store: Arc<Embedded>,
    /// Its cache, which answers while there is a lease.
    pub cache: Arc<Cache>,
    /// The leases it gives as the primary.
    pub leases: Arc<Leases>,
    /// The way to the others.
    pub peers: Peers,
    /// The fine one.
    pub clock: Arc<dyn Clock>,
}

impl Parts {
    /// Keeps the lease of this node, for ever.
    pub async fn hold(self) {
        tokio::select! {
            () = self.keep() => {}
            () = self.heed_members() => {}
        }
    }

    /// Tells the table who belongs to the group, until the log has ended.
    async fn heed_members(&self) {
        let mut membership = self.store.log().membership();
        loop {
            let members = Arc::clone(&membership.borrow_and_update());
            self.leases.members(members.iter().map(|(id, _)| id));
            if membership.changed().await.is_err() {
                return;
            }
        }
    }

    async fn keep(&self) {
        let mut leadership = self.store.log().leadership();
        loop {
            let now = leadership.borrow_and_update().clone();
            let keeping = async {
                match &now {
                    Leadership::Leader { term } => self.lead(*term).await,
                    Leadership::Follower { leader, .. } => {
                        if let Err(error) = self.follow(leader).await {
                            tracing::debug!(%error, primary = leader.id, "no lease from the primary; it is asked again");
                        }
                        tokio::time::sleep(AGAIN).await;
                    }
                    Leadership::Unknown => std::future::pending().await,
                }
            };
            tokio::select! {
                () = keeping => {}
                changed = leadership.changed() => {
                    // The log has ended, and with it everything.
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// As the primary: as long as a quorum says so, and it belongs to the group.
    async fn lead(&self, term: u64) {
        let log = self.store.log();
        if self.leases.term() < term {
            let floor = match log.read_index().await {
                Ok(index) => index,
                Err(error) => {
                    tracing::debug!(%error, term, "what was committed before this term is not known yet; it is asked again");
                    return tokio::time::sleep(AGAIN).await;
                }
            };
            // What the log says now may not have been heeded yet.
            let members = Arc::clone(&log.membership().borrow());
            self.leases.members(members.iter().map(|(id, _)| id));
            self.leases.begin(term, floor, log.node_id());
        }
        loop {
            let asked = self.clock.monotonic_nanos();
            // Who is removed leads on for a moment: the next primary counts what it held by then, and no more.
            let is_member = log.membership().borrow().get(log.node_id()).is_some();
            if let Some(age) = log.confirmed_age().filter(|_| is_member && log.term() == term) {
                self.cache.permit(asked, LEASE.saturating_sub(age));
            }
            tokio::time::sleep(RENEW).await;
        }
    }

    /// As a replica, until the connection fails.
    async fn follow(&self, primary: &Peer) -> io::Result<()> {
        let mut stream = self.peers.dial(&primary.address, Lane::Lease).await?;
        write(&mut stream, self.store.log().node_id()).await?;
        loop {
            // In this order: it may have applied more by the time it says so, and asked later, but neither the other way round.
            let asked = self.clock.monotonic_nanos();
            let applied = self.store.version().index;
            let asking = async {
                write(&mut stream, applied).await?;
                read(&mut stream).await
            };
            let given = tokio::time::timeout(LEASE, asking).await??;
            self.cache.permit(asked, Duration::from_nanos(given));
            let _ = tokio::time::timeout(RENEW, self.store.reached(applied + 1)).await;
        }
    }

    /// Serves those that ask, until the port is gone.
    pub async fn serve(self, mut arrived: mpsc::Receiver<Arrived>) {
        let mut serving = JoinSet::new();
        while let Some(next) = arrived.recv().await {
            while serving.try_join_next().is_some() {}
            if serving.len() >= CONNECTIONS_MAX {
                // The node that asks finds it closed, and asks again.
                continue;
            }
            let parts = self.clone();
            serving.spawn(async move {
                let served = async { parts.converse(next.register()?).await };
                if let Err(error) = served.await {
                    tracing::debug!(%error, "a node's connection about its lease ended");
                }
            });
        }
    }

    async fn converse(&self, mut stream: BoxedStream) -> io::Result<()> {
        let log = self.store.log();
        let node = tokio::time::timeout(LEASE, read(&mut stream)).await??;
        let registration = self.leases.register(node);
        loop {
            let applied = tokio::time::timeout(LEASE, read(&mut stream)).await??;
            let here = || Standing {
                term: log.term(),
                is_member: log.membership().borrow().get(node).is_some(),
                applied: self.store.version().index,
                // Nothing is known of a quorum: then none is given.
                age: log.confirmed_age().unwrap_or(LEASE),
            };
            match self.leases.report(&registration, applied, here) {
                Some(given) => write(&mut stream, u64::try_from(given.as_nanos()).unwrap_or(0)).await?,
                None => return Ok(()),
            }
        }
    }
}

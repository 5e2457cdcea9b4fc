//! Catching up with what was acknowledged elsewhere: tables that were made and attribute lists that were numbered through another
//! node, and that a client now speaks of here.
//!
//! Whoever waits learns where the primary stands and waits until this node has applied that. Those who come while somebody
//! asks share the next question, so that a crowd costs the primary no more than one of it.

use std::sync::Arc;
use std::time::Duration;

use api::{Context, Error};
use dax::server::{CatchingUp, Follows};
use store::Embedded;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::member::role_of;
use super::way::{Links, judged};
use crate::layer::Role;
use crate::layer::route::not_primary;

/// Longest wait. What is not known by then is refused, as if it were known nowhere.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The pause before asking again, where there is no primary.
const AGAIN: Duration = Duration::from_millis(20);

/// A node that may be behind. Clones are the same one.
#[derive(Clone)]
pub struct Follower {
    store: Arc<Embedded>,
    links: Links,
    /// When the newest question was begun that this node has caught up with.
    caught_up: Arc<Mutex<Option<Instant>>>,
}

impl Follower {
    /// Over this node's store and its connections to the others.
    pub fn new(store: Arc<Embedded>, links: Links) -> Follower {
        Follower { store, links, caught_up: Arc::default() }
    }

    async fn reach(&self, deadline: Instant) -> Result<(), Error> {
        let cx = Context { deadline: Some(deadline.into_std()), hops: 1, ..Context::default() };
        let role = role_of(&self.store.log().leadership().borrow());
        match role {
            Role::Primary => self.store.catch_up(&cx).await,
            Role::ReplicaOf(primary) => {
                let link = self.links.to(primary).map_err(|_| not_primary(None))?;
                let index = link.read_index(&cx).await.map_err(judged)?;
                self.store.reached(index).await;
                Ok(())
            }
            Role::Orphan => Err(not_primary(None)),
        }
    }

    async fn catch_up_by(&self, deadline: Instant) {
        let asked = Instant::now();
        let mut caught_up = self.caught_up.lock().await;
        while caught_up.is_none_or(|begun| begun < asked) {
            let begun = Instant::now();
            match self.reach(deadline).await {
                Ok(()) => *caught_up = Some(begun),
                Err(error) => {
                    tracing::debug!(%error, "this node could not catch up; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

impl Follows for Follower {
    fn catch_up(&self) -> CatchingUp {
        let follower = self.clone();
        Box::pin(async move {
            let deadline = Instant::now() + WAIT_MAX;
            // Late or not, whoever waited looks at what is known now.
            let _ = tokio::time::timeout_at(deadline, follower.catch_up_by(deadline)).await;
        })
    }
}

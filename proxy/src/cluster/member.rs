//! This node's own store, as one of its cluster.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Context, Detail, DynamoDb, Error, ErrorKind, Request, Version};
use raft::Leadership;
use store::Embedded;
use tokio::sync::watch;

use super::visibility::leases::Leases;
use crate::layer::Role;
use crate::layer::route::Member;

/// How long ago somebody was heard that leads.
pub type Heard = Box<dyn Fn() -> Duration + Send + Sync>;

/// The store, and who the primary is.
pub struct OwnStore {
    store: Arc<Embedded>,
    role: watch::Receiver<Role>,
    // Where more is known of it than the log says.
    heard: Option<Heard>,
    // Where writes wait for all that may answer from memory.
    leases: Option<Arc<Leases>>,
}

/// What a change of leadership means for requests.
pub fn role_of(leadership: &Leadership) -> Role {
    match leadership {
        Leadership::Leader { .. } => Role::Primary,
        Leadership::Follower { leader, .. } => Role::ReplicaOf(leader.id),
        Leadership::Unknown => Role::Orphan,
    }
}

/// What is said in place of [`not_primary`](crate::layer::route::not_primary) by a node whose store has failed: the others are well
/// for all that is known. What was asked was not taken.
fn failed(failure: &Error) -> Error {
    let message = format!("{}. Other nodes of the cluster may answer", failure.message);
    Error::new(ErrorKind::ServiceUnavailableException, message).with(Detail::NotPrimary { primary: None })
}

impl OwnStore {
    /// Over a store. Its role is followed for as long as the runtime runs that this is called in.
    pub fn new(store: Arc<Embedded>, leases: Option<Arc<Leases>>) -> OwnStore {
        let mut leadership = store.log().leadership();
        let (tell, role) = watch::channel(role_of(&leadership.borrow_and_update()));
        tokio::spawn(async move {
            // Ends with the log, whose last word stands.
            while leadership.changed().await.is_ok() {
                tell.send_replace(role_of(&leadership.borrow_and_update()));
            }
        });
        OwnStore { store, role, heard: None, leases }
    }

    /// The same, of a node that hears of the primary otherwise than by the log, too.
    pub fn hearing(self, heard: Heard) -> OwnStore {
        OwnStore { heard: Some(heard), ..self }
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<Embedded> {
        &self.store
    }
}

impl DynamoDb for OwnStore {
    fn call(&self, cx: Context, request: Request) -> impl Future<Output = Result<Answer, Error>> + Send {
        self.store.call(cx, request)
    }
}

impl Member for OwnStore {
    fn role(&self) -> watch::Receiver<Role> {
        self.role.clone()
    }

    fn version(&self) -> Version {
        self.store.version()
    }

    async fn reached(&self, index: u64) {
        self.store.reached(index).await;
    }

    async fn catch_up(&self, cx: &Context) -> Result<(), Error> {
        self.store.catch_up(cx).await
    }

    async fn everywhere(&self, index: u64) {
        if let Some(leases) = &self.leases {
            leases.everywhere(index, || self.store.log().term()).await;
        }
    }

    fn age(&self) -> Option<Duration> {
        self.store.log().confirmed_age()
    }

    fn failure(&self) -> Option<Error> {
        let failure = self.store.ready().err()?;
        Some(failed(&failure))
    }

    fn unheard(&self) -> Duration {
        if matches!(*self.store.log().leadership().borrow(), Leadership::Leader { .. }) {
            return Duration::ZERO;
        }
        // What the log says counts where it was applied: who applies slowly may have heard the primary all the while.
        let by_log = self.store.log().confirmed_age();
        let otherwise = self.heard.as_ref().map(|heard| heard());
        by_log.into_iter().chain(otherwise).min().unwrap_or_default()
    }
}

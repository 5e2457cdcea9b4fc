//! Attribute lists in a cluster: the primary gives them their numbers, every node knows them once it has applied that.

use std::sync::Arc;
use std::time::Duration;

use api::{Context, Error};
use grpc::peer::Demand as GrpcDemand;
use store::Embedded;
use store::attribute_lists::{Demand, Names};
use tokio::time::Instant;

use super::member::role_of;
use super::way::{Links, judged};
use crate::front::dax::{Drawing, Registrar};
use crate::layer::Role;
use crate::layer::route::not_primary;

/// Longest a list looks for a primary.
const LIMIT: Duration = Duration::from_secs(5);
/// The pause before asking again.
const AGAIN: Duration = Duration::from_millis(20);

/// Numbers from whoever is the primary.
pub struct PrimarysLists {
    store: Arc<Embedded>,
    links: Links,
}

/// What is drawn.
#[derive(Clone)]
enum Draw {
    List(Names, Demand),
    Passing,
}

impl PrimarysLists {
    /// For this node's store, over connections to the others.
    pub fn new(store: Arc<Embedded>, links: Links) -> PrimarysLists {
        PrimarysLists { store, links }
    }

    async fn draw(&self, draw: Draw) -> Result<u64, Error> {
        let deadline = Instant::now() + LIMIT;
        let mut leadership = self.store.log().leadership();
        loop {
            let role = role_of(&leadership.borrow_and_update());
            let drawn = match role {
                Role::Primary => here(&self.store, &Context::default(), draw.clone()).await,
                Role::ReplicaOf(primary) => self.there(primary, deadline, draw.clone()).await,
                Role::Orphan => Err(not_primary(None)),
            };
            match drawn {
                Err(error) if error.is_not_primary() && Instant::now() < deadline => {
                    tokio::select! {
                        // An error is a log that has ended; then the pause keeps this from spinning.
                        Ok(()) = leadership.changed() => {}
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
                drawn => return drawn,
            }
        }
    }

    async fn there(&self, primary: u64, deadline: Instant, draw: Draw) -> Result<u64, Error> {
        let link = self.links.to(primary).map_err(|_| not_primary(None))?;
        let cx = Context { deadline: Some(deadline.into_std()), hops: 1, ..Context::default() };
        match draw {
            Draw::Passing => link.take_passing_ids(&cx).await.map_err(judged),
            Draw::List(names, demand) => {
                let demand = match demand {
                    Demand::Client => GrpcDemand::Client,
                    Demand::Answer => GrpcDemand::Answer,
                };
                let id = link.define_attribute_list(&cx, names.to_vec(), demand).await.map_err(judged)?;
                // Whoever is given it comes back with it at once, and is to find it known.
                let known = async {
                    let mut applied = self.store.log().watch_applied();
                    while self.store.attribute_lists().names(id).is_none() && applied.changed().await.is_ok()
                    {
                    }
                };
                match tokio::time::timeout_at(deadline, known).await {
                    Ok(()) => Ok(id),
                    Err(_) => Err(not_primary(Some(primary))),
                }
            }
        }
    }
}

async fn here(store: &Embedded, cx: &Context, draw: Draw) -> Result<u64, Error> {
    match draw {
        Draw::List(names, demand) => store.define_attribute_list(cx, names, demand).await,
        Draw::Passing => store.take_passing_ids(cx).await,
    }
}

impl Registrar for PrimarysLists {
    fn define(&self, names: Names, demand: Demand) -> Drawing<'_> {
        Box::pin(self.draw(Draw::List(names, demand)))
    }

    fn take_passing_ids(&self) -> Drawing<'_> {
        Box::pin(self.draw(Draw::Passing))
    }
}

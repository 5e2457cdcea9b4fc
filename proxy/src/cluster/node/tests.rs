//! Requests that others pass on to a node that stops: each is answered, or certainly had no effect.

use api::op::{GetItemInput, GetItemOutput, ReturnConsumedCapacity};
use api::{Answer, AttributeValue, Context, Detail, Error, Item, Request, Response, Source, TableName};
use host::clock::SystemClock;
use raft::Members;
use store::EmbeddedSettings;
use tokio::sync::{Notify, Semaphore, watch};

use super::*;
use crate::cluster::bootstrap::founders;
use crate::layer::route::Way;

/// Says that it was asked, and answers when it is told to.
#[derive(Clone)]
struct Told {
    asked: Arc<Notify>,
    go: Arc<Semaphore>,
}

impl DynamoDb for Told {
    async fn call(&self, _: Context, _: Request) -> Result<Answer, Error> {
        self.asked.notify_one();
        self.go.acquire().await.expect("nobody closes it").forget();
        let response = Response::GetItem(GetItemOutput::default());
        Ok(Answer { response, version: None, source: Source::Store })
    }
}

/// A node as others see it, and what it takes to serve them.
struct World {
    db: Told,
    passed_on: PassedOn,
    fronts: Fronts,
    shutdown: Shutdown,
    system: Arc<System>,
    peers: Peers,
    members: watch::Receiver<Arc<Members>>,
    // Keep the port open and its lanes served.
    _kept: (Listener, mpsc::Receiver<Arrived>, mpsc::Receiver<Arrived>),
}

impl World {
    fn new() -> World {
        let clock = Arc::new(SystemClock::new());
        let system = Arc::new(System::new(Arc::clone(&clock)));
        let membership = Membership::new("test", b"0123456789abcdef").unwrap();
        let peers = Peers::new(membership, None, Arc::clone(&system));
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap().to_string();
        let registry = Registry::new();
        let counted = registry.counter(names::PEERS_REFUSED, &[]);
        let complaints = Arc::new(Complaints::new("peer", counted, clock as Arc<dyn Clock>));
        let desk = Arc::new(Desk::new("test", peers.clone()));
        let (listener, lanes) = Listener::start(port, peers.clone(), desk, complaints).unwrap();
        let Lanes { raft, forward, lease } = lanes;
        let store =
            Embedded::in_memory(EmbeddedSettings::default(), store::Surroundings::system(), Arc::new(()));
        let shutdown = Shutdown::new(Duration::from_secs(20));
        World {
            db: Told { asked: Arc::default(), go: Arc::new(Semaphore::new(0)) },
            passed_on: PassedOn { arrived: forward, store: Arc::new(store.unwrap()) },
            fronts: Fronts::start(1, 10, registry, shutdown.clone()).unwrap(),
            shutdown,
            system,
            peers,
            members: watch::channel(Arc::new(Members { voters: founders(&[address]), ..Members::default() }))
                .1,
            _kept: (listener, raft, lease),
        }
    }
}

/// Another node's way to it, with connections of its own.
fn another(world: &World) -> Links {
    Links::new(world.peers.clone(), Arc::clone(&world.system), world.members.clone())
}

fn get() -> Request {
    let key = Item::new().with("pk", AttributeValue::S("a".to_owned()));
    let (table, return_capacity) = (TableName::new("orders").unwrap(), ReturnConsumedCapacity::None);
    GetItemInput { table, key, projection: None, consistent: true, return_capacity }.into()
}

#[tokio::test]
async fn who_connects_to_a_node_that_stops_is_turned_away_while_what_is_under_way_is_answered() {
    let world = World::new();
    let (first, second) = (another(&world), another(&world));
    let World { db, passed_on, fronts, shutdown, system, .. } = world;
    let late = async {
        db.asked.notified().await;
        shutdown.trigger();
        tokio::time::sleep(Duration::from_millis(100)).await;
        // It has not heard of it yet.
        let refused = second.ask(1, Context::default(), get()).await.unwrap_err();
        assert!(matches!(refused.detail.as_deref(), Some(Detail::NotPrimary { .. })), "{refused:?}");
        db.go.add_permits(1);
    };
    let asking = async {
        let (answered, ()) = tokio::join!(first.ask(1, Context::default(), get()), late);
        answered.unwrap();
    };
    tokio::join!(passed_on.serve(db.clone(), &fronts, &system, &shutdown), asking);
    assert_eq!(fronts.drain().await, 0);
}

#[tokio::test]
async fn who_was_let_in_before_a_node_stops_is_answered() {
    let world = World::new();
    let links: Vec<Links> = (0..8).map(|_| another(&world)).collect();
    let World { db, passed_on, fronts, shutdown, system, .. } = world;
    db.go.add_permits(links.len());
    let serving = async {
        // All are let in, and nobody has looked at one.
        while passed_on.arrived.len() < links.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        shutdown.trigger();
        passed_on.serve(db.clone(), &fronts, &system, &shutdown).await;
    };
    let asking =
        futures_util::future::join_all(links.iter().map(|link| link.ask(1, Context::default(), get())));
    let (answered, ()) = tokio::join!(asking, serving);
    answered.into_iter().for_each(|answer| drop(answer.unwrap()));
    assert_eq!(fronts.drain().await, 0);
}

//! A node's part in its cluster, in the order of start and stop.
//!
//! The peer port opens before the store, since nodes that begin a cluster must answer each other first; of the log's lane nothing
//! is served until the log is there. A node that is to stop first takes itself out of the roster and hands leadership over, while
//! it serves its clients as ever; then the fronts drain, and only then it lets go of its store.

use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use api::DynamoDb;
use grpc::{GrpcServer, GrpcSettings};
use host::admin::{Readiness, Requirement};
use host::clock::Clock;
use host::metrics::{Registry, names};
use host::runtime::Fronts;
use host::settings::ByteSize;
use host::shutdown::Shutdown;
use host::tls::MutualTls;
use peer::Membership;
use raft::{Bootstrap, Leadership, RaftSettings};
use store::Embedded;
use tokio::sync::mpsc;

use super::about::About;
use super::bootstrap::{Beginning, Bootstrapping, founders};
use super::control::{Desk, Seat, successor};
use super::follows::Follower;
use super::identity::IdentityFile;
use super::kept::{Claim, Kept, Start, left_behind};
use super::listener::{Lanes, Listener, LogTransport};
use super::member::OwnStore;
use super::peers::{Arrived, Peers, tls_settings};
use super::presence::Presence;
use super::primary::AsPrimary;
use super::roster::Roster;
use super::settings::{ClusterSettings, split_address};
use super::upkeep;
use super::visibility::leases::Leases;
use super::visibility::{WriteVisibility, holder};
use super::way::Links;
use crate::cache::{Cache, LeaseUse};
use crate::config::Config;
use crate::front::complaints::Complaints;
use crate::front::in_use;
use crate::run::Failure;
use crate::surroundings::System;

/// Longest that a node which is about to stop tries to tell the others so, and to hand leadership over.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is known before anything opens: settings that hold, a secret that was read, certificates that can be used.
pub struct Plan {
    /// The settings.
    pub settings: ClusterSettings,
    /// Where the others reach this node.
    pub address: String,
    membership: Membership,
    tls: Option<MutualTls>,
    numbered: Numbered,
}

/// How the node comes by its number.
enum Numbered {
    /// As [`super::bootstrap`] says.
    WithTheOthers,
    /// By its place in the list, since all nodes are one process and begin and end together.
    ByPlace,
}

impl Plan {
    /// Of a node of a real set. Errors: what is wrong with the settings or the files they name.
    pub fn of(config: &Config) -> Result<Option<Plan>, Failure> {
        let Some(settings) = config.cluster.clone() else { return Ok(None) };
        let membership = settings.membership().map_err(|error| Failure::Config(error.into()))?;
        let open = |tls| MutualTls::open(tls_settings(tls));
        let tls = settings.tls.as_ref().map(open).transpose();
        let tls = tls.map_err(|error| Failure::Usage(format!("[cluster.tls]: {error}")))?;
        let address = config.peer_address()?;
        Ok(Some(Plan { settings, address, membership, tls, numbered: Numbered::WithTheOthers }))
    }

    /// Of one of several nodes in this process.
    pub fn of_one_process(
        config: &Config,
        settings: ClusterSettings,
        membership: Membership,
    ) -> Result<Plan, Failure> {
        let address = config.peer_address()?;
        Ok(Plan { settings, address, membership, tls: None, numbered: Numbered::ByPlace })
    }

    /// The way to other nodes.
    pub fn peers(&self, system: &Arc<System>) -> Peers {
        Peers::new(self.membership.clone(), self.tls.clone(), Arc::clone(system))
    }
}

/// What a node that stops does for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// They go on: it hands over.
    HandsOver,
    /// They stop with it.
    Nothing,
}

/// A node that has its number, and no store yet.
pub struct Opening {
    peers: Peers,
    system: Arc<System>,
    desk: Arc<Desk>,
    listener: Listener,
    forward: mpsc::Receiver<Arrived>,
    lease: mpsc::Receiver<Arrived>,
    ready: Requirement,
    max_lag: Duration,
    farewell: Farewell,
    write_visibility: WriteVisibility,
    listed: Vec<String>,
    // Until the store is open, which has locks of its own.
    claim: Option<Claim>,
    /// What the store's log is told of the cluster.
    pub raft: RaftSettings,
    /// The log's way to the others.
    pub network: raft::Peers,
}

impl Opening {
    /// Looks at the data, opens the peer port and comes by a number, however long that takes. Errors: data that is another node's; a
    /// port in use; a number that can't be used.
    pub async fn begin(
        plan: Plan,
        config: &Config,
        system: &Arc<System>,
        readiness: &Readiness,
        registry: &Registry,
    ) -> Result<Opening, Failure> {
        let ready = readiness.require("cluster", "the data directory is being looked at");
        let claim = claim(&plan, config)?;
        look_at_data(&plan, config, system).await?;
        ready.unmet("the peer port is being opened");
        let at = config.listen.peer();
        let port = TcpListener::bind(at).map_err(in_use("peer", at))?;
        let refused = registry.counter(names::PEERS_REFUSED, &[]);
        let clock = Arc::clone(system.clock()) as Arc<dyn Clock>;
        let complaints = Arc::new(Complaints::new("peer", refused, clock));
        let peers = plan.peers(system);
        let desk = Arc::new(Desk::new(&plan.settings.name, peers.clone()));
        if let Some(tls) = plan.tls.clone() {
            tokio::spawn(tls.clone().watch(host::tls::RELOAD_EVERY));
            let clock = Arc::clone(system.clock()) as Arc<dyn Clock>;
            tokio::spawn(tls.watch_expiry("cluster.tls", registry.clone(), clock));
        }
        let (listener, lanes) =
            Listener::start(port, peers.clone(), Arc::clone(&desk), complaints).map_err(Failure::internal)?;
        let farewell = match plan.numbered {
            Numbered::WithTheOthers => Farewell::HandsOver,
            Numbered::ByPlace => Farewell::Nothing,
        };
        let beginning = match plan.numbered {
            Numbered::ByPlace => by_place(&plan),
            Numbered::WithTheOthers => {
                let data = (!config.store.in_memory).then_some(config.store.data.as_path());
                let file = IdentityFile::beside(data);
                let bootstrapping = Bootstrapping {
                    cluster: &plan.settings.name,
                    nodes: &plan.settings.nodes,
                    address: &plan.address,
                    peers: &peers,
                    desk: &desk,
                    file: &file,
                };
                bootstrapping.begin(|why| ready.unmet(format!("waiting for the cluster: {why}"))).await
            }
        };
        let Beginning { node, bootstrap } = beginning.map_err(|error| {
            let why = format!("this node has no number in its cluster: {error}");
            match error.kind() {
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => Failure::Usage(why),
                // The disk: there may be room again.
                _ => Failure::TryAgain(why),
            }
        })?;
        tracing::info!(
            node,
            cluster = plan.settings.name,
            address = plan.address,
            "this node has its number"
        );
        ready.unmet("the store is being opened");
        let raft = RaftSettings {
            node_id: node,
            life: system.random_u64(),
            address: plan.address.clone(),
            group: plan.settings.name.clone(),
            bootstrap,
            ..keeping(plan.settings.log_kept)
        };
        let Lanes { raft: arrived, forward, lease } = lanes;
        let network = raft::Peers::new(LogTransport::new(peers.clone(), arrived));
        let max_lag = plan.settings.max_replica_lag.get();
        let (write_visibility, listed) = (plan.settings.write_visibility, plan.settings.nodes);
        let system = Arc::clone(system);
        Ok(Opening {
            peers,
            system,
            desk,
            listener,
            forward,
            lease,
            ready,
            max_lag,
            farewell,
            write_visibility,
            listed,
            claim,
            raft,
            network,
        })
    }

    /// Goes on with the store that was opened. `about` is what the node says of itself.
    pub fn join(self, store: Arc<Embedded>, cache: &Arc<Cache>, about: About, registry: &Registry) -> Node {
        let (max_lag, peers, desk) = (self.max_lag, self.peers, self.desk);
        drop(self.claim);
        let about = About { write_visibility: self.write_visibility, ..about };
        let presence = Arc::new(Presence::new(store.log().node_id()));
        desk.member(Seat {
            store: Arc::clone(&store),
            presence: Arc::clone(&presence),
            cache: Arc::clone(cache),
        });
        let clock = Arc::clone(self.system.clock()) as Arc<dyn Clock>;
        let leases = match self.write_visibility {
            WriteVisibility::Node => None,
            WriteVisibility::All => Some(Arc::new(Leases::new(Arc::clone(&clock)))),
        };
        let required = if leases.is_some() { LeaseUse::Required } else { LeaseUse::None };
        cache.follow(Arc::clone(&clock), max_lag, required);
        let links = Links::new(peers.clone(), self.system, store.log().membership());
        let known = {
            let (presence, peers) = (Arc::clone(&presence), peers.clone());
            let (store, text) = (Arc::clone(&store), about.write());
            move || upkeep::Known {
                removed: presence.is_removed(),
                untold: !store.log().is_known_as(&text),
                unreached: peers.troubles(),
            }
        };
        let mut tasks = Tasks {
            of_a_member: vec![
                tokio::spawn(upkeep::tell(Arc::clone(&store), about.clone())),
                tokio::spawn(upkeep::promote(Arc::clone(&store))),
            ],
            to_the_end: vec![
                tokio::spawn(upkeep::follow_knowing(
                    Arc::clone(&store),
                    Arc::clone(cache),
                    max_lag,
                    self.ready,
                    registry.clone(),
                    known,
                )),
                tokio::spawn(Arc::clone(&presence).follow(
                    Arc::clone(&store),
                    peers.clone(),
                    registry.clone(),
                )),
                tokio::spawn(Arc::clone(&presence).ask_others(
                    Arc::clone(&store),
                    peers.clone(),
                    self.raft.address,
                    self.listed,
                )),
            ],
        };
        if let Some(leases) = &leases {
            let (store, cache, leases) = (Arc::clone(&store), Arc::clone(cache), Arc::clone(leases));
            let parts = holder::Parts { store, cache, leases, peers, clock };
            tasks
                .to_the_end
                .extend([tokio::spawn(parts.clone().hold()), tokio::spawn(parts.serve(self.lease))]);
        }
        let heard = Arc::clone(&presence);
        Node {
            member: Arc::new(OwnStore::new(store, leases).hearing(Box::new(move || heard.unheard()))),
            links,
            max_lag,
            about,
            presence,
            desk,
            forward: Some(self.forward),
            farewell: self.farewell,
            tasks,
            _listener: self.listener,
        }
    }
}

/// What the data says holds until the store is open: nobody makes another cluster of it meanwhile.
fn claim(plan: &Plan, config: &Config) -> Result<Option<Claim>, Failure> {
    match plan.numbered {
        Numbered::WithTheOthers if !config.store.in_memory => match Claim::of(&config.store.data) {
            // Nor can it be recovered there.
            Err(Failure::Usage(why)) => {
                tracing::warn!("{why}");
                Ok(None)
            }
            claimed => claimed,
        },
        // Nothing is recovered that has no number of its own.
        Numbered::WithTheOthers | Numbered::ByPlace => Ok(None),
    }
}

/// Refuses data that is not this node's, before another node can hear of it.
async fn look_at_data(plan: &Plan, config: &Config, system: &Arc<System>) -> Result<(), Failure> {
    let settings = config.store.clone();
    let looked = tokio::task::spawn_blocking(move || Kept::of(&settings)).await;
    let kept = looked.map_err(Failure::internal)??;
    let start = match plan.numbered {
        Numbered::WithTheOthers => Start::Member { cluster: &plan.settings.name, address: &plan.address },
        Numbered::ByPlace => Start::OneProcess,
    };
    kept.suits(&config.store.data, start).map_err(Failure::Usage)?;
    match kept.moved_from(&plan.address) {
        Some((node, known)) => left_behind(&plan.peers(system), node, known).await.map_err(Failure::Usage),
        None => Ok(()),
    }
}

/// The log's settings, where it keeps so much for others. What the state does not hold durably yet can't go, so that is to be less.
fn keeping(log_kept: ByteSize) -> RaftSettings {
    let default = RaftSettings::default();
    let flush_after_log_bytes = default.flush_after_log_bytes.min(log_kept.bytes() / 2);
    RaftSettings { keep_log_bytes: log_kept.bytes(), flush_after_log_bytes, ..default }
}

fn by_place(plan: &Plan) -> std::io::Result<Beginning> {
    let nodes = &plan.settings.nodes;
    match nodes.iter().position(|node| *node == plan.address) {
        Some(at) => Ok(Beginning { node: at as u64 + 1, bootstrap: Bootstrap::Members(founders(nodes)) }),
        None => Err(std::io::Error::other("it is not in the list of nodes")),
    }
}

/// A node that belongs to its cluster.
pub struct Node {
    /// Its store.
    pub member: Arc<OwnStore>,
    /// The way of requests to the others.
    pub links: Links,
    /// The oldest it may answer from.
    pub max_lag: Duration,
    about: About,
    presence: Arc<Presence>,
    desk: Arc<Desk>,
    // None: somebody serves it.
    forward: Option<mpsc::Receiver<Arrived>>,
    farewell: Farewell,
    tasks: Tasks,
    // Dropped last: the others may ask until the end.
    _listener: Listener,
}

/// What a node does by itself.
struct Tasks {
    /// Until it takes its leave.
    of_a_member: Vec<tokio::task::JoinHandle<()>>,
    /// Until its store is closed.
    to_the_end: Vec<tokio::task::JoinHandle<()>>,
}

/// Connections by which other nodes pass requests on.
pub struct PassedOn {
    arrived: mpsc::Receiver<Arrived>,
    store: Arc<Embedded>,
}

impl PassedOn {
    /// Serves them with `db`, on the threads of `fronts`, until the shutdown, and until what was passed on by then is answered or the
    /// drain is over. Who connects after that is turned away before it can say anything: of a request that is sent to nobody it
    /// could not tell whether it had an effect. The fronts do not wait for these connections by themselves.
    pub async fn serve<D: DynamoDb + Clone>(
        mut self,
        db: D,
        fronts: &Fronts,
        system: &Arc<System>,
        shutdown: &Shutdown,
    ) {
        let asked = Arc::new(AsPrimary(self.store));
        let server = GrpcServer::trusting(db, asked, GrpcSettings::default(), Arc::clone(system) as _);
        // Each connection holds on to it for as long as it is served. Nothing is ever sent.
        let (open, mut all_closed) = mpsc::channel::<()>(1);
        let (mut worker, mut stopping) = (0, false);
        loop {
            let arrived = tokio::select! {
                () = shutdown.triggered(), if !stopping => {
                    stopping = true;
                    // Whoever has a place by now comes yet, and is told that it was late.
                    self.arrived.close();
                    continue;
                }
                () = shutdown.drained() => break,
                arrived = self.arrived.recv() => arrived,
            };
            // None: all have come, or the peer port is gone.
            let Some(arrived) = arrived else { break };
            let (server, stop, open) = (server.clone(), shutdown.clone(), open.clone());
            let serving = move || async move {
                let served = async { server.serve_connection(arrived.register()?, stop.triggered()).await };
                if let Err(error) = served.await {
                    tracing::debug!(%error, "a connection of another node ended early");
                }
                drop(open);
            };
            worker += 1;
            let placed = tokio::select! {
                placed = fronts.spawn_on(worker, serving) => placed.is_ok(),
                () = shutdown.drained() => false,
            };
            if !placed {
                break;
            }
        }
        drop(open);
        tokio::select! {
            _ = all_closed.recv() => {}
            () = shutdown.drained() => {}
        }
    }
}

impl Node {
    /// The roster for DAX clients.
    pub fn roster(&self) -> Roster {
        Roster::new(Arc::clone(self.member.store()), Arc::clone(&self.presence), self.about.clone())
    }

    /// How the node catches up with what its clients were told elsewhere.
    pub fn follower(&self) -> Follower {
        Follower::new(Arc::clone(self.member.store()), self.links.clone())
    }

    /// Connections by which other nodes pass requests on; for one who serves them.
    pub fn passed_on(&mut self) -> Option<PassedOn> {
        let arrived = self.forward.take()?;
        Some(PassedOn { arrived, store: Arc::clone(self.member.store()) })
    }

    /// Takes the node out of the roster and hands leadership over, as far as that can be done in [`FAREWELL`]. Meanwhile it goes on
    /// answering: what needs the primary waits for the next one, and is passed on to it.
    pub async fn take_leave(&self) {
        self.tasks.of_a_member.iter().for_each(tokio::task::JoinHandle::abort);
        if self.farewell == Farewell::Nothing {
            return;
        }
        let store = self.member.store();
        let leaving = async {
            let about = About { stopping: true, ..self.about.clone() };
            if let Err(error) = store.log().set_about(about.write()).await {
                tracing::debug!(%error, "the others were not told that this node stops");
            }
            if !matches!(*store.log().leadership().borrow(), Leadership::Leader { .. }) {
                return;
            }
            let Some(to) = successor(store) else { return };
            match store.log().transfer_leadership(to).await {
                Ok(()) => tracing::info!(to, "leadership was handed over"),
                Err(error) => {
                    tracing::warn!(%error, "leadership was not handed over; the others elect a primary")
                }
            }
        };
        if tokio::time::timeout(FAREWELL, leaving).await.is_err() {
            tracing::warn!("the farewell took too long; the others elect a primary");
        }
    }

    /// Lets go of the store, which is about to be closed.
    pub fn close(&self) {
        // It may not have taken its leave before.
        let tasks = self.tasks.of_a_member.iter().chain(&self.tasks.to_the_end);
        tasks.for_each(tokio::task::JoinHandle::abort);
        self.desk.closed();
    }
}

/// What a node says of itself, from its settings and the ports it was given.
pub fn about(config: &Config, ports: &crate::front::announce::Endpoints, peer: &str) -> About {
    let given = |address: IpAddr| (!address.is_unspecified()).then_some(address);
    let named = || split_address(peer).and_then(|(host, _)| host.parse().ok());
    let advertise = &config.advertise;
    About {
        name: config.node.name.clone(),
        zone: config.node.zone.clone(),
        address: advertise.address.or_else(|| given(config.listen.address)).or_else(named),
        http_port: Some(advertise.http_port.unwrap_or(ports.http.port())),
        dax_port: ports.dax.map(|dax| advertise.dax_port.unwrap_or(dax.port())),
        dax_tls_port: ports.dax_tls.map(|dax| advertise.dax_tls_port.unwrap_or(dax.port())),
        // As its cluster is told.
        write_visibility: WriteVisibility::default(),
        stopping: false,
    }
}

#[cfg(test)]
mod tests;

//! The start and shutdown order of a node, as a list.
//!
//! No client is listened to before the store is open and brought up; the admin port opens first, so that a slow start can be
//! watched, and in a cluster the port for other nodes, since they have to agree who they are. Stopping goes the other way: a node
//! of a cluster hands over, and whoever looks where to ask has time to look, while it serves as ever; the fronts drain, the store is closed and synced, telemetry sends what it has.
//!
//! Invariant: a store that was opened is closed, whatever becomes of what was to stand over it. Its threads must not run on into
//! the end of the process.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use host::admin::{Admin, Readiness, Requirement};
use host::clock::{Clock, CoarseClock, SystemClock};
use host::metrics::Registry;
use host::runtime::Fronts;
use host::settings::SettingsError;
use host::shutdown::Shutdown;
use host::telemetry;
use host::tls::Tls;
use http_front::server::HttpServer;
use http_front::sigv4::Auth;
use store::Embedded;

use crate::cache::Cache;
use crate::cache::sweep::SWEEP_EVERY;
use crate::cluster::lists::PrimarysLists;
use crate::cluster::node::{self, Node, Opening, Plan};
use crate::config::{BadConfig, Config};
use crate::front::announce::{Endpoints, announce};
use crate::front::counted::Counted;
use crate::front::{self, Doors, in_use};
use crate::layer::Encoders;
use crate::open_files::{self, Fit};
use crate::surroundings::System;
use crate::upstream::Group;
use crate::{alone, credentials, parameters, stack, upstream};

/// Why a node did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The config file.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The config.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// What the config points at.
    #[error("{0}")]
    Usage(String),
    /// Something that another try may get past: a port in use, a directory that is locked.
    #[error("{0}")]
    TryAgain(String),
    /// Anything else.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// Exit code of bad usage.
    pub const USAGE: u8 = 64;

    /// The exit code a failure ends the process with: 64 bad usage or config, 70 internal, 75 try again.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Settings(_) | Failure::Config(_) | Failure::Usage(_) => ExitCode::from(Failure::USAGE),
            Failure::TryAgain(_) => ExitCode::from(75),
            Failure::Internal(_) => ExitCode::from(70),
        }
    }

    /// An internal failure that says what another error says.
    pub fn internal(error: impl std::fmt::Display) -> Failure {
        Failure::Internal(error.to_string())
    }

    /// A failure that another try may get past.
    pub fn try_again(error: impl std::fmt::Display) -> Failure {
        Failure::TryAgain(error.to_string())
    }
}

/// Runs a node until a signal stops it.
pub fn run(config: Config) -> Result<(), Failure> {
    config.check()?;
    let plan = Plan::of(&config)?;
    let registry = Registry::new();
    let Fit { connections, warning } =
        open_files::fit(&config.node, &config.store, host::open_files::raise_limit());
    let asked = Shutdown::new(config.node.drain.get());
    run_with(&config, &registry, warning, &asked, serve(&config, plan, connections, &registry, &asked))
}

/// Runs several nodes of one cluster in this process until a signal stops them, or one of them can't go on. Each has an address of
/// its own.
pub fn run_several(nodes: Vec<(Config, Plan)>) -> Result<(), Failure> {
    let Some((first, _)) = nodes.first() else { return Ok(()) };
    nodes.iter().try_for_each(|(config, _)| config.check())?;
    let first = first.clone();
    // Each counts for itself; what leaves the process is the first one's.
    let registries: Vec<Registry> = nodes.iter().map(|_| Registry::new()).collect();
    let each = host::open_files::raise_limit().map(|files| files / nodes.len() as u64);
    let warning = open_files::fit(&first.node, &first.store, each).warning;
    let asked = Shutdown::new(first.node.drain.get());
    let serving = async {
        let serve_one = |((config, plan), registry): ((Config, Plan), _)| {
            let asked = &asked;
            async move {
                let connections = open_files::fit(&config.node, &config.store, each).connections;
                let served = serve(&config, Some(plan), connections, registry, asked).await;
                // They begin and end together.
                asked.trigger();
                served
            }
        };
        let all = nodes.into_iter().zip(&registries).map(serve_one);
        futures_util::future::join_all(all).await.into_iter().collect()
    };
    run_with(&first, &registries[0], warning, &asked, serving)
}

fn run_with(
    config: &Config,
    registry: &Registry,
    warning: Option<String>,
    asked: &Shutdown,
    serving: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let telemetry = telemetry::start(&config.telemetry, registry, &config.node.name)
        .map_err(|error| Failure::Usage(format!("[telemetry]: {error}")))?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let outcome = runtime.block_on(async {
        asked.listen_to_signals().map_err(Failure::internal)?;
        serving.await
    });
    drop(runtime);
    telemetry.stop();
    outcome
}

/// What a node has when its store opens.
struct Ground<'a> {
    config: &'a Config,
    registry: &'a Registry,
    /// The most of all fronts together.
    connections: usize,
    clock: Arc<SystemClock>,
    system: Arc<System>,
    cache: Arc<Cache>,
    admin: SocketAddr,
    auth: Auth,
    tls: Handshakes,
    store_ready: Requirement,
    serving: Requirement,
    /// Asked to stop is one thing, and to close doors another: in between a node of a cluster hands over, and all have notice.
    asked: Shutdown,
    shutdown: Shutdown,
}

/// The certificate as each protocol shows it, if there is one.
struct Handshakes {
    http: Option<Tls>,
    dax: Option<Tls>,
    grpc: Option<Tls>,
}

async fn serve(
    config: &Config,
    plan: Option<Plan>,
    connections: usize,
    registry: &Registry,
    asked: &Shutdown,
) -> Result<(), Failure> {
    let (asked, shutdown) = (asked.clone(), Shutdown::new(config.node.drain.get()));
    tokio::spawn(stop_at_once(asked.clone(), shutdown.clone()));
    let clock = Arc::new(SystemClock::new());
    #[allow(clippy::disallowed_methods, reason = "the age of the process is counted from here")]
    let started = std::time::Instant::now();
    let coarse = CoarseClock::over(Arc::clone(&clock) as Arc<dyn Clock>);
    tokio::spawn(coarse.clone().run(CoarseClock::TICK));
    host::metrics::process::register(registry, started);

    let readiness = Readiness::new();
    let store_ready = readiness.require("store", "the store is being opened");
    let serving = readiness.require("node", "the node is starting");
    let admin = Admin::new(
        registry.clone(),
        readiness.clone(),
        host::settings::print(config).map_err(Failure::internal)?,
    );
    let listening =
        admin.bind(config.listen.admin()).await.map_err(in_use("admin", config.listen.admin()))?;
    let admin = listening.address();
    tokio::spawn(listening.serve(shutdown.clone()));

    let auth = credentials::open(&config.credentials, &shutdown)?;
    let tls = Handshakes {
        http: open_tls(config, front::http::ALPN)?,
        dax: open_tls(config, front::dax::ALPN)?,
        grpc: open_tls(config, front::grpc::ALPN)?,
    };
    if let Some(tls) = &tls.http {
        // Of the one certificate that they all show.
        tokio::spawn(tls.clone().watch_expiry("tls", registry.clone(), Arc::clone(&clock) as Arc<dyn Clock>));
    }
    let system = Arc::new(System::new(Arc::clone(&clock)));
    let coarse: Arc<dyn Clock> = Arc::new(coarse);
    let cache = Cache::new(config.cache.clone(), coarse, system.random_u64(), threads(config), registry)
        .map_err(BadConfig::from)?;
    let opening = match plan {
        Some(plan) => {
            // Somebody may not want to wait for the others any longer.
            tokio::select! {
                opening = Opening::begin(plan, config, &system, &readiness, registry) => Some(opening?),
                () = asked.triggered() => return Ok(()),
            }
        }
        None => None,
    };
    let group = match &opening {
        Some(opening) => Group { raft: opening.raft.clone(), network: Some(opening.network.clone()) },
        None => Group::default(),
    };
    let store = open_store(config, group, &cache, &system).await?;
    if asked.is_triggered() {
        // While it was opened, which can take long and is not broken off: no door is opened to be shut again.
        drop(opening);
        return store.close().await.map_err(Failure::internal);
    }
    let ground = Ground {
        config,
        registry,
        connections,
        clock,
        system,
        cache,
        admin,
        auth,
        tls,
        store_ready,
        serving,
        asked,
        shutdown,
    };
    let mut node = None;
    let served = serve_over(ground, &store, opening, &mut node).await;
    if let Some(node) = &node {
        node.close();
    }
    let closed = store.close().await.map_err(Failure::internal);
    if let (Err(_), Err(error)) = (&served, &closed) {
        tracing::error!(%error, "the store did not close well either");
    }
    served.and(closed)
}

/// All that stands over an open store. The node of a cluster is left in `node`, for the others may ask it until the store is closed.
async fn serve_over(
    ground: Ground<'_>,
    store: &Arc<Embedded>,
    opening: Option<Opening>,
    node: &mut Option<Node>,
) -> Result<(), Failure> {
    let Ground { config, registry, .. } = ground;
    let doors = Doors::bind(config)?;
    let endpoints = doors.endpoints(ground.admin);
    tokio::spawn(Arc::clone(&ground.cache).sweep_every(SWEEP_EVERY));
    let obeyed = parameters::Follower::begin(store.parameters(), Arc::clone(&ground.cache), registry);
    let following = tokio::spawn(obeyed.follow());
    let desk = match &opening {
        None => alone::serve(config, store, &ground.cache),
        // Its desk is at the peer port.
        Some(_) => None,
    };
    *node = opening.map(|opening| {
        let about = node::about(config, &endpoints, &opening.raft.address);
        opening.join(Arc::clone(store), &ground.cache, about, registry)
    });
    let shutdown = ground.shutdown.clone();
    let fronts = Fronts::start(threads(config), ground.connections, registry.clone(), shutdown.clone())
        .map_err(Failure::internal)?;
    let served = serve_by(&fronts, doors, &endpoints, ground, store, node).await;
    if served.is_err() {
        // Nobody has asked it to stop, and it can't go on.
        shutdown.trigger_immediate();
    }
    let dropped = fronts.drain().await;
    if dropped > 0 {
        tracing::warn!(dropped, "connections were still busy at the end of the drain");
    }
    following.abort();
    drop(desk);
    served
}

/// Opens the doors, and answers once the node has been asked to stop and has said so to all.
async fn serve_by(
    fronts: &Fronts,
    doors: Doors,
    endpoints: &Endpoints,
    ground: Ground<'_>,
    store: &Arc<Embedded>,
    node: &mut Option<Node>,
) -> Result<(), Failure> {
    let Ground { config, registry, clock, system, cache, auth, tls, asked, shutdown, .. } = ground;
    let fine: Arc<dyn Clock> = clock;
    let registrar: Arc<dyn front::dax::Registrar> = match node {
        Some(node) => Arc::new(PrimarysLists::new(Arc::clone(store), node.links.clone())),
        None => Arc::clone(store) as _,
    };
    let lists = front::dax::lists(store, registrar);
    let encoders = Encoders {
        json: Some(Arc::new(front::http::Encoder)),
        dax: Some(Arc::new(front::dax::Encoder::new(Arc::clone(&lists)))),
    };
    let parts = stack::Parts { cache, encoders, limits: &config.limits, clock: fine, registry };
    let db = match node {
        None => stack::build(Arc::clone(store), parts),
        Some(node) => {
            let (member, links) = (Arc::clone(&node.member), node.links.clone());
            stack::build_routed(member, store.catalog(), links, node.max_lag, parts)
        }
    };
    let by = |protocol| Counted::new(db.clone(), protocol, registry);
    let server = HttpServer::new(by("http"), auth.clone(), config.http.clone(), Arc::clone(&system) as _);
    front::http::serve(fronts, doors.http, server, tls.http, &shutdown)?;
    let server = front::grpc::server(by("grpc"), &auth, config, &system);
    front::grpc::serve(fronts, doors.grpc, server, tls.grpc, &shutdown)?;
    let nodes = match node {
        None => front::dax::one_node(config, &system),
        Some(node) => Arc::new(node.roster()) as _,
    };
    let follows = node.as_ref().map(|node| Arc::new(node.follower()) as _);
    let cluster = dax::server::Cluster { catalog: store.catalog(), lists, nodes, follows };
    let server = front::dax::server(by("dax"), cluster, &auth, config, &system, registry);
    if let Some(door) = doors.dax {
        front::dax::serve(fronts, door, server.clone(), &shutdown)?;
    }
    if let (Some(door), Some(tls)) = (doors.dax_tls, tls.dax) {
        front::dax::serve_tls(fronts, door, server, tls, &shutdown)?;
    }
    ground.store_ready.met();
    ground.serving.met();
    announce(&mut std::io::stdout().lock(), config, endpoints).map_err(Failure::internal)?;

    let passed_on = node.as_mut().and_then(Node::passed_on);
    let leave = async {
        asked.triggered().await;
        ground.serving.unmet("the node is stopping");
        let notice = tokio::time::sleep(config.node.notice.get());
        let goes_on = async {
            if let Some(node) = node {
                node.take_leave().await;
            }
            notice.await;
        };
        tokio::select! {
            () = goes_on => {}
            () = asked.immediate() => {}
        }
        tracing::info!("stopping: requests under way may end");
        shutdown.trigger();
    };
    match passed_on {
        Some(passed_on) => {
            tokio::join!(passed_on.serve(by("peer"), fronts, &system, &shutdown), leave);
        }
        None => leave.await,
    }
    Ok(())
}

fn threads(config: &Config) -> usize {
    config.threads(std::thread::available_parallelism().map_or(1, |cores| cores.get()))
}

/// Hands on the second signal, which says: now.
async fn stop_at_once(asked: Shutdown, shutdown: Shutdown) {
    asked.immediate().await;
    shutdown.trigger_immediate();
}

/// Opens the store on a thread of its own, so that the admin port answers meanwhile.
async fn open_store(
    config: &Config,
    group: Group,
    cache: &Arc<Cache>,
    system: &Arc<System>,
) -> Result<Arc<Embedded>, Failure> {
    let (settings, sink, system) = (config.store.clone(), Arc::clone(cache), Arc::clone(system));
    let opened = tokio::task::spawn_blocking(move || upstream::open(&settings, group, sink, &system)).await;
    Ok(Arc::new(opened.map_err(Failure::internal)??))
}

/// The certificate, followed when its files change, if there is one.
fn open_tls(config: &Config, alpn: &[&[u8]]) -> Result<Option<Tls>, Failure> {
    let Some(settings) = config.tls.clone() else { return Ok(None) };
    let tls = Tls::open(settings, alpn).map_err(|error| Failure::Usage(format!("[tls]: {error}")))?;
    tokio::spawn(tls.clone().watch(host::tls::RELOAD_EVERY));
    Ok(Some(tls))
}

/// How often files that may change are looked at.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(5);

//! Each implementation of the contract under test.
//!
//! Invariant: a subject is made anew for every use, holds nothing, and is gone when it is dropped.

use std::sync::Arc;

use api::{Answer, Context, DynamoDb, Error, Request, Shared};
use dax::attribute_lists::AttributeLists;
use dax::server::{Reached, Transport};
use dax::{DaxDb, DaxDbSettings, DaxServer};
use grpc::client::Lane;
use grpc::{GrpcDb, GrpcDbSettings, GrpcServer, GrpcSettings};
use host::clock::{Clock, SystemClock};
use host::metrics::Registry;
use http_front::client::{HttpDb, HttpDbSettings};
use http_front::server::{HttpServer, HttpSettings};
use http_front::sigv4::Auth;
use proxy::cache::{Cache, CacheSettings};
use proxy::config::Config;
use proxy::layer::{Encoders, LimitSettings};
use proxy::surroundings::System;
use proxy::{front, stack};
use socket::dial::Tcp;
use store::db::rocks::{RocksEngine, RocksSettings};
use store::embedded::Surroundings;
use store::{Embedded, EmbeddedSettings};

use crate::ask::Ask;
use crate::clients::PROTOCOLS;
use crate::cluster::Cluster;
use crate::contract::inexpressible;
use crate::directory::Directory;
use crate::spread::Spread;

/// An implementation under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The store in process, on the engine and a disk.
    Embedded,
    /// The whole stack of decorators, both caches among them, over the store in memory.
    Cached,
    /// The same, served on loopback, through our own client of HTTP.
    Http,
    /// The same, as bytes through the function of the HTTP front, without a socket.
    Front,
    /// The same, served on loopback over the DAX protocol, through our own client of it. What DAX has no place for, the
    /// control operations, goes to the stack beside it.
    Dax,
    /// The same, served on loopback over gRPC, through our own client of it.
    Grpc,
    /// Three nodes, each a process, that show a write everywhere once it is acknowledged: each call goes to the next node, over HTTP,
    /// DAX and gRPC in turn. What DAX has no place for goes over HTTP.
    Nodes,
}

/// A subject that runs. What it stands on is gone when this is dropped.
pub struct Running {
    /// How to ask it.
    pub ask: Ask,
    ground: Ground,
}

/// What a subject stands on.
enum Ground {
    Store {
        store: Arc<Embedded>,
        /// Dropped last of all.
        _directory: Option<Directory>,
    },
    Cluster(Box<Cluster>),
}

impl From<Arc<Embedded>> for Ground {
    fn from(store: Arc<Embedded>) -> Ground {
        Ground::Store { store, _directory: None }
    }
}

impl Subject {
    /// Every subject.
    pub const ALL: [Subject; 7] = [
        Subject::Embedded,
        Subject::Cached,
        Subject::Http,
        Subject::Front,
        Subject::Dax,
        Subject::Grpc,
        Subject::Nodes,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Embedded => "embedded",
            Subject::Cached => "cached",
            Subject::Http => "http",
            Subject::Front => "front",
            Subject::Dax => "dax",
            Subject::Grpc => "grpc",
            Subject::Nodes => "nodes",
        }
    }

    /// The cases of a module that can't hold over it, in the order of their names.
    pub fn inexpressible(self, module: &str) -> Vec<&'static str> {
        let listed = match self {
            Subject::Dax => inexpressible::OVER_DAX,
            Subject::Embedded
            | Subject::Cached
            | Subject::Http
            | Subject::Front
            | Subject::Grpc
            | Subject::Nodes => &[],
        };
        let mut cases: Vec<_> =
            listed.iter().filter(|each| each.module == module).map(|each| each.case).collect();
        cases.sort_unstable();
        cases
    }

    /// Starts it. Needs a tokio runtime, which must live as long as what is answered.
    pub async fn start(self) -> Running {
        let system = Arc::new(System::new(Arc::new(SystemClock::new())));
        match self {
            Subject::Embedded => {
                let directory = Directory::new("embedded");
                let engine = RocksEngine::new(RocksSettings::default()).expect("the engine starts");
                let store = Embedded::on_disk(
                    EmbeddedSettings::default(),
                    &engine,
                    directory.path(),
                    Surroundings::system(),
                    Arc::new(()),
                );
                let store = Arc::new(store.expect("an empty store opens"));
                let ask = Ask::through_trait(self.name(), Shared::new(Arc::clone(&store)));
                Running { ask, ground: Ground::Store { store, _directory: Some(directory) } }
            }
            Subject::Cached => {
                let Stack { store, db, .. } = stacked(&system);
                Running { ask: Ask::through_trait(self.name(), db), ground: store.into() }
            }
            Subject::Http => {
                let Stack { store, db, .. } = stacked(&system);
                let address = serve(server(db, &system)).await;
                let settings = HttpDbSettings::new(format!("http://{address}"));
                let client = HttpDb::new(settings, None, None, system).expect("the settings are good");
                Running { ask: Ask::through_trait(self.name(), Shared::new(client)), ground: store.into() }
            }
            Subject::Front => {
                let Stack { store, db, .. } = stacked(&system);
                Running { ask: Ask::through_front(self.name(), server(db, &system)), ground: store.into() }
            }
            Subject::Dax => {
                let Stack { store, lists, db: beside } = stacked(&system);
                let (config, registry) = (Config::default(), Registry::new());
                let nodes = front::dax::one_node(&config, &system);
                let cluster = dax::server::Cluster { catalog: store.catalog(), lists, nodes, follows: None };
                let server =
                    front::dax::server(beside.clone(), cluster, &Auth::Any, &config, &system, &registry);
                let address = serve_dax(server).await;
                let settings = DaxDbSettings::new(format!("dax://{address}"));
                let over = DaxDb::new(settings, None, None, system).expect("the settings are good");
                let db = Shared::new(DaxAndBeside { over, beside });
                Running { ask: Ask::through_trait(self.name(), db), ground: store.into() }
            }
            Subject::Grpc => {
                let Stack { store, db, .. } = stacked(&system);
                let server = GrpcServer::new(
                    db,
                    grpc::authorize::Auth::Any,
                    GrpcSettings::default(),
                    Arc::clone(&system) as _,
                );
                let address = serve_grpc(server).await;
                let endpoint = grpc::client::Endpoint {
                    host: address.ip().to_string(),
                    port: address.port(),
                    tls: None,
                };
                let client =
                    GrpcDb::new(endpoint, Lane::Client, GrpcDbSettings::default(), Arc::new(Tcp), system);
                let db = Shared::new(client.expect("an address is a host"));
                Running { ask: Ask::through_trait(self.name(), db), ground: store.into() }
            }
            Subject::Nodes => {
                let cluster = Cluster::start_with(3, "write_visibility = \"all\"");
                let ask = Ask::through_trait(self.name(), Shared::new(Spread::over(&cluster)));
                Running { ask, ground: Ground::Cluster(Box::new(cluster)) }
            }
        }
    }
}

impl Running {
    /// Stops it cleanly. Panics where a node of several was not asked over every protocol: then little was shown.
    pub async fn stop(self) {
        match self.ground {
            Ground::Store { store, .. } => store.close().await.expect("the store closes"),
            Ground::Cluster(cluster) => {
                for ((at, node), protocol) in
                    cluster.running().flat_map(|node| PROTOCOLS.map(|protocol| (node, protocol)))
                {
                    let label = format!("protocol=\"{protocol}\"");
                    let asked = node.metric_of("forebay_protocol_requests_total", &label);
                    assert!(asked > Some(0.0), "node {at} was not asked over {protocol}");
                }
            }
        }
    }
}

/// The decorators of a node, and what they stand on.
struct Stack {
    store: Arc<Embedded>,
    lists: Arc<dyn AttributeLists>,
    db: Shared,
}

/// The decorators of a node over a store in memory.
fn stacked(system: &Arc<System>) -> Stack {
    const SERVING_THREADS: usize = 1;
    let registry = Registry::new();
    let clock: Arc<dyn Clock> = Arc::clone(system.clock()) as Arc<dyn Clock>;
    let cache = Cache::new(
        CacheSettings::default(),
        Arc::clone(&clock),
        system.random_u64(),
        SERVING_THREADS,
        &registry,
    );
    let cache = cache.expect("default settings are good");
    let sink = Arc::clone(&cache);
    let store = Embedded::in_memory(EmbeddedSettings::default(), Surroundings::system(), sink);
    let store = Arc::new(store.expect("a store in memory opens"));
    let lists = front::dax::lists(&store, Arc::clone(&store) as _);
    let encoders = Encoders {
        json: Some(Arc::new(front::http::Encoder)),
        dax: Some(Arc::new(front::dax::Encoder::new(Arc::clone(&lists)))),
    };
    let limits = LimitSettings::default();
    let parts = stack::Parts { cache, encoders, limits: &limits, clock, registry: &registry };
    let db = stack::build(Arc::clone(&store), parts);
    Stack { store, lists, db: Shared::new(db) }
}

fn server(db: Shared, system: &Arc<System>) -> HttpServer<Shared> {
    HttpServer::new(db, Auth::Any, HttpSettings::default(), Arc::clone(system) as _)
}

/// A client of DAX, and the stack for what DAX does not carry.
struct DaxAndBeside {
    over: DaxDb,
    beside: Shared,
}

impl DynamoDb for DaxAndBeside {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        match request.kind().dax_method() {
            Some(_) => self.over.call(cx, request).await,
            None => self.beside.call(cx, request).await,
        }
    }
}

/// Serves DAX on a free port of loopback for as long as the runtime lives.
async fn serve_dax(server: DaxServer<Shared>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let local = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket takes its options");
            let server = server.clone();
            let reached = Reached { local, peer, transport: Transport::Plain };
            tokio::spawn(
                async move { server.serve_connection(stream, reached, std::future::pending()).await },
            );
        }
    });
    local
}

/// Serves gRPC on a free port of loopback for as long as the runtime lives.
async fn serve_grpc(server: GrpcServer<Shared>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket takes its options");
            let server = server.clone();
            tokio::spawn(async move { server.serve_connection(stream, std::future::pending()).await });
        }
    });
    address
}

/// Serves on a free port of loopback for as long as the runtime lives.
async fn serve(server: HttpServer<Shared>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket takes its options");
            let server = server.clone();
            tokio::spawn(async move { server.serve_connection(stream, std::future::pending()).await });
        }
    });
    address
}

//! The DAX protocol, in plain text and over TLS: who is let in, which nodes clients are told of, and where attribute lists are
//! kept.

mod lists;
mod node;
mod passing;
mod ready;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use api::service::Caller;
use api::{DynamoDb, Error};
use dax::DaxServer;
use dax::attribute_lists::AttributeLists;
use dax::authorize::{Signed, Signers};
use dax::server::{Auth, Cluster, Nodes, Reached, Transport};
use host::clock::Clock;
use host::metrics::{Registry, names};
use host::runtime::Fronts;
use host::shutdown::Shutdown;
use host::socket::Socket;
use host::tls::Tls;
use http_front::sigv4::{self, Keyring, SignedText};
use lists::StoreLists;
pub use lists::{Drawing, Registrar};
use node::OneNode;
pub use ready::Encoder;
use store::Embedded;

use super::Door;
use super::complaints::Complaints;
use crate::config::Config;
use crate::run::Failure;
use crate::surroundings::System;

/// The protocol's name in metrics and in the log.
const PROTOCOL: &str = "dax";
/// Its name there over TLS.
const PROTOCOL_TLS: &str = "daxs";

/// What the front offers in a TLS handshake: nothing, since its clients ask for nothing.
pub const ALPN: &[&[u8]] = &[];

/// The same callers as HTTP lets in.
fn auth_of(of_http: &sigv4::Auth) -> Auth {
    match of_http {
        sigv4::Auth::Any => Auth::Any,
        sigv4::Auth::Keys(keyring) => Auth::Keys(Arc::new(Keys(Arc::clone(keyring)))),
    }
}

/// The keys of the file, as this protocol asks for them.
struct Keys(Arc<Keyring>);

impl Signers for Keys {
    fn verify(&self, signed: Signed<'_>) -> Result<Arc<Caller>, Error> {
        self.0.verify_text(&SignedText {
            access_key: signed.access_key,
            session_token: signed.session_token,
            region: signed.region,
            scope: signed.scope,
            text: signed.string_to_sign,
            signature: signed.signature,
        })
    }
}

/// The registry of attribute lists over the store's, and what it does by itself. Lists that are new get their numbers from
/// `registrar`.
pub fn lists(store: &Arc<Embedded>, registrar: Arc<dyn Registrar>) -> Arc<dyn AttributeLists> {
    let lists = Arc::new(StoreLists::new(Arc::clone(store), registrar));
    tokio::spawn(Arc::clone(&lists).keep_stock());
    lists
}

/// The roster of a node that stands alone.
pub fn one_node(config: &Config, system: &System) -> Arc<dyn Nodes> {
    Arc::new(OneNode {
        name: config.node.name.clone(),
        zone: config.node.zone.clone(),
        advertise: config.advertise.clone(),
        leader_session: (system.random_u64() >> 1) as i64,
    })
}

/// The front over `db`, for plain text and TLS alike. Of `cluster`, clients are told.
pub fn server<D: DynamoDb>(
    db: D,
    cluster: Cluster,
    auth: &sigv4::Auth,
    config: &Config,
    system: &Arc<System>,
    registry: &Registry,
) -> DaxServer<D> {
    let counted = registry.counter(names::MALFORMED_FRAMES, &[("protocol", PROTOCOL)]);
    let complaints =
        Arc::new(Complaints::new(PROTOCOL, counted, Arc::clone(system.clock()) as Arc<dyn Clock>));
    DaxServer::new(db, cluster, auth_of(auth), config.dax.clone(), Arc::clone(system) as _, complaints)
}

/// Serves what arrives in plain text until the shutdown.
pub fn serve<D: DynamoDb>(
    fronts: &Fronts,
    door: Door,
    server: DaxServer<D>,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let shutdown = shutdown.clone();
    let handler = move |stream: Socket, peer: SocketAddr| {
        let (server, shutdown) = (server.clone(), shutdown.clone());
        async move {
            let served = async {
                let reached = Reached { local: stream.local_addr()?, peer, transport: Transport::Plain };
                server.serve_connection(stream, reached, shutdown.triggered()).await
            };
            note(served.await);
        }
    };
    fronts.serve(door.listener, PROTOCOL, handler).map_err(Failure::internal)
}

/// Serves what arrives over TLS until the shutdown.
pub fn serve_tls<D: DynamoDb>(
    fronts: &Fronts,
    door: Door,
    server: DaxServer<D>,
    tls: Tls,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let shutdown = shutdown.clone();
    let handler = move |stream: Socket, peer: SocketAddr| {
        let (server, tls, shutdown) = (server.clone(), tls.clone(), shutdown.clone());
        async move {
            let served = async {
                let reached = Reached { local: stream.local_addr()?, peer, transport: Transport::Tls };
                server.serve_tls(stream, reached, tls.config(), shutdown.triggered()).await
            };
            note(served.await);
        }
    };
    fronts.serve(door.listener, PROTOCOL_TLS, handler).map_err(Failure::internal)
}

fn note(served: std::io::Result<()>) {
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

//! The gRPC service of clients: who is let in, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use api::service::Caller;
use api::{DynamoDb, Error};
use grpc::GrpcServer;
use grpc::authorize::{Auth, Call, Signer, Signers};
use grpc::surroundings::Surroundings;
use host::runtime::Fronts;
use host::shutdown::Shutdown;
use host::socket::Socket;
use host::tls::Tls;
use http_front::sigv4::{self, Credentials, Keyring, SignedCall};

use super::Door;
use crate::config::Config;
use crate::run::Failure;
use crate::surroundings::System;

/// What the front offers in a TLS handshake.
pub const ALPN: &[&[u8]] = &[b"h2"];

/// The same callers as HTTP lets in.
fn auth_of(of_http: &sigv4::Auth, system: &Arc<System>) -> Auth {
    match of_http {
        sigv4::Auth::Any => Auth::Any,
        sigv4::Auth::Keys(keyring) => {
            Auth::Keys(Arc::new(Keys { keyring: Arc::clone(keyring), system: Arc::clone(system) }))
        }
    }
}

/// The keys of the file, as this protocol asks for them.
struct Keys {
    keyring: Arc<Keyring>,
    system: Arc<System>,
}

impl Signers for Keys {
    fn verify(&self, call: &Call<'_>) -> Result<Arc<Caller>, Error> {
        let metadata = call.metadata.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers: Vec<_> = metadata.chain([("host", call.authority.as_bytes())]).collect();
        let seconds = Surroundings::wall_millis(&*self.system) / 1000;
        self.keyring
            .verify_call(&SignedCall { path: call.path, headers: &headers, message: call.message }, seconds)
    }
}

/// An access key with its secret, as clients of this protocol sign with it.
pub struct Signing {
    credentials: Credentials,
    region: String,
}

impl Signing {
    /// Signs as the holder of `credentials`, for `region`.
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Signing {
        Signing { credentials, region: region.into() }
    }
}

impl Signer for Signing {
    fn sign(&self, call: &Call<'_>, now_millis: u64) -> Vec<(&'static str, String)> {
        let Call { path, authority, message, .. } = *call;
        sigv4::sign_call(&self.credentials, &self.region, now_millis / 1000, path, authority, message)
    }
}

/// The front over `db`.
pub fn server<D: DynamoDb>(
    db: D,
    auth: &sigv4::Auth,
    config: &Config,
    system: &Arc<System>,
) -> GrpcServer<D> {
    GrpcServer::new(db, auth_of(auth, system), config.grpc.clone(), Arc::clone(system) as _)
}

/// Serves what arrives until the shutdown, of which those are told who watch the front's health.
pub fn serve<D: DynamoDb>(
    fronts: &Fronts,
    door: Door,
    server: GrpcServer<D>,
    tls: Option<Tls>,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let protocol = if tls.is_some() { "grpcs" } else { "grpc" };
    let shutdown = shutdown.clone();
    let handler = move |stream: Socket, _peer: SocketAddr| {
        let (server, tls, shutdown) = (server.clone(), tls.clone(), shutdown.clone());
        async move {
            let watched = server.clone();
            let stop = async move {
                shutdown.triggered().await;
                watched.stopping().await;
            };
            let served = match tls {
                None => server.serve_connection(stream, stop).await,
                Some(tls) => server.serve_tls(stream, tls.config(), stop).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    };
    fronts.serve(door.listener, protocol, handler).map_err(Failure::internal)
}

#[cfg(test)]
mod tests;

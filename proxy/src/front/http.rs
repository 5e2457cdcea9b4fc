//! DynamoDB over HTTP, and over HTTPS where there is a certificate.

use std::net::SocketAddr;

use api::operation::Ready;
use api::{DynamoDb, Response};
use host::runtime::Fronts;
use host::shutdown::Shutdown;
use host::socket::Socket;
use host::tls::Tls;
use http_front::server::HttpServer;

use super::Door;
use crate::layer::{Asked, WireEncoder};
use crate::run::Failure;

/// What the front offers in a TLS handshake, best first.
pub const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Answers of this front, made ready for hits to come.
#[derive(Debug)]
pub struct Encoder;

impl WireEncoder for Encoder {
    fn encode(&self, _: Asked<'_>, response: &Response) -> Option<Ready> {
        http_front::codec::ready(response)
    }
}

/// Serves what arrives until the shutdown.
pub fn serve<D: DynamoDb>(
    fronts: &Fronts,
    door: Door,
    server: HttpServer<D>,
    tls: Option<Tls>,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let shutdown = shutdown.clone();
    let protocol = if tls.is_some() { "https" } else { "http" };
    let handler = move |stream: Socket, _peer: SocketAddr| {
        let (server, tls, shutdown) = (server.clone(), tls.clone(), shutdown.clone());
        async move {
            let stop = async move { shutdown.triggered().await };
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

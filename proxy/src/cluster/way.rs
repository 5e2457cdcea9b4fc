//! The way of requests to other nodes: gRPC over connections of the forward lane.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use api::{Answer, Context, Detail, DynamoDb, Error, ErrorKind, Request};
use grpc::GrpcDb;
use grpc::client::{Endpoint, GrpcDbSettings, Lane as GrpcLane};
use parking_lot::Mutex;
use peer::Lane;
use raft::Members;
use socket::dial::{Dial, Dialing, Stream};
use tokio::sync::watch;

use super::peers::Peers;
use super::settings::split_address;
use crate::layer::route::{Way, not_primary};
use crate::surroundings::System;

/// Connections to the other members, made when they are needed. Clones share them.
#[derive(Clone)]
pub struct Links {
    inner: Arc<Inner>,
}

struct Inner {
    peers: Peers,
    system: Arc<System>,
    members: watch::Receiver<Arc<Members>>,
    // By number, with the address it is to. Held for a look or an insertion. Bounded as the membership is.
    links: Mutex<HashMap<u64, (String, GrpcDb)>>,
}

/// Dials on the forward lane.
struct ForwardDial(Peers);

impl Dial for ForwardDial {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a> {
        Box::pin(async move {
            let address =
                if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
            let stream = self.0.dial(&address, Lane::Forward).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

impl Links {
    /// To the members of a group.
    pub fn new(peers: Peers, system: Arc<System>, members: watch::Receiver<Arc<Members>>) -> Links {
        let links = Mutex::default();
        Links { inner: Arc::new(Inner { peers, system, members, links }) }
    }

    /// The connections to a member. Errors: there is none of that number; its address is none.
    pub fn to(&self, node: u64) -> io::Result<GrpcDb> {
        let inner = &self.inner;
        let members = Arc::clone(&inner.members.borrow());
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("there is no member {node}"));
        let address = &members.get(node).ok_or_else(unknown)?.address;
        let mut links = inner.links.lock();
        if let Some((known, link)) = links.get(&node)
            && known == address
        {
            return Ok(link.clone());
        }
        // Whoever left is not asked any more.
        links.retain(|id, _| members.get(*id).is_some());
        let (host, port) = split_address(address).ok_or_else(unknown)?;
        let link = GrpcDb::new(
            // TLS is the affair of what dials.
            Endpoint { host: host.to_owned(), port, tls: None },
            GrpcLane::Peer,
            GrpcDbSettings::default(),
            Arc::new(ForwardDial(inner.peers.clone())),
            Arc::clone(&inner.system) as _,
        )
        .map_err(io::Error::other)?;
        links.insert(node, (address.clone(), link.clone()));
        Ok(link)
    }
}

/// What a failed attempt to reach a node means: a request that did not get there had certainly no effect.
pub fn judged(error: Error) -> Error {
    // What says no more than this was said before anything was sent, or by a node that took nothing.
    match error.kind {
        ErrorKind::ServiceUnavailableException if error.detail.is_none() => {
            error.with(Detail::NotPrimary { primary: None })
        }
        _ => error,
    }
}

impl Way for Links {
    async fn ask(&self, node: u64, cx: Context, request: Request) -> Result<Answer, Error> {
        match self.to(node) {
            Ok(link) => link.call(cx, request).await.map_err(judged),
            Err(error) => {
                tracing::debug!(%error, node, "a request could not be passed on");
                Err(not_primary(None))
            }
        }
    }
}

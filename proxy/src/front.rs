//! The protocols a node speaks: their listeners, and what each is served with.
//!
//! Deliberately no protocol itself: those are crates, which know no listeners, certificates or counters. All listeners are
//! bound before any is served, so that a port in use stops a start while nobody is connected yet.

pub mod announce;
pub(crate) mod complaints;
pub mod counted;
pub mod dax;
pub mod grpc;
pub mod http;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use announce::Endpoints;

use crate::config::Config;
use crate::run::Failure;

/// A bound listener and where it is.
pub struct Door {
    listener: TcpListener,
    /// The address, with the port that was picked where none was given.
    pub address: SocketAddr,
}

/// The listeners of a node.
pub struct Doors {
    /// DynamoDB over HTTP, or over HTTPS where there is a certificate.
    pub http: Door,
    /// DAX in plain text.
    pub dax: Option<Door>,
    /// DAX over TLS.
    pub dax_tls: Option<Door>,
    /// gRPC, over TLS where there is a certificate.
    pub grpc: Door,
}

impl Doors {
    /// Binds what the settings ask for. Errors: an address that can't be bound; says which, and how to choose another.
    pub fn bind(config: &Config) -> Result<Doors, Failure> {
        let (listen, tls) = (&config.listen, config.tls.is_some());
        let plain = !tls || listen.plain_dax_beside_tls;
        Ok(Doors {
            http: Door::bind("http", listen.http())?,
            dax: plain.then(|| Door::bind("dax", listen.dax())).transpose()?,
            dax_tls: tls.then(|| Door::bind("dax-tls", listen.dax_tls())).transpose()?,
            grpc: Door::bind("grpc", listen.grpc())?,
        })
    }

    /// Where the node can be reached, for people and programs.
    pub fn endpoints(&self, admin: SocketAddr) -> Endpoints {
        Endpoints {
            http: self.http.address,
            tls: self.dax_tls.is_some(),
            dax: self.dax.as_ref().map(|door| door.address),
            dax_tls: self.dax_tls.as_ref().map(|door| door.address),
            grpc: self.grpc.address,
            admin,
        }
    }
}

impl Door {
    fn bind(port: &str, address: SocketAddr) -> Result<Door, Failure> {
        let listener = TcpListener::bind(address).map_err(in_use(port, address))?;
        let address = listener.local_addr().map_err(Failure::internal)?;
        Ok(Door { listener, address })
    }
}

/// Says why a port can't be listened on, and how to choose another. `port` is its name, as in `[listen] NAME_port`.
pub fn in_use(port: &str, address: SocketAddr) -> impl FnOnce(std::io::Error) -> Failure {
    let setting = format!("[listen] {}_port", port.replace('-', "_"));
    let of_address = if port == "admin" { "[listen] admin_address" } else { "[listen] address" };
    move |error| match error.kind() {
        ErrorKind::AddrNotAvailable => Failure::Usage(format!(
            "cannot listen on {address}: {} is not an address of this machine; set {of_address} to one that is. What others reach \
             it by, where that is another, goes into [advertise]",
            address.ip()
        )),
        ErrorKind::PermissionDenied => Failure::Usage(format!(
            "cannot listen on {address}: {error}; ports below 1024 need CAP_NET_BIND_SERVICE. Give {setting} a higher one"
        )),
        _ => Failure::TryAgain(format!(
            "cannot listen on {address}: {error}; stop what listens there, or choose another port with {setting}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_can_not_be_had_is_named_by_its_setting() {
        let at: SocketAddr = "10.99.99.99:9111".parse().unwrap();
        let Failure::TryAgain(said) = in_use("dax-tls", at)(ErrorKind::AddrInUse.into()) else { panic!() };
        assert!(said.contains("10.99.99.99:9111") && said.contains("[listen] dax_tls_port"), "{said}");
        for (port, setting) in [("peer", "[listen] address"), ("admin", "[listen] admin_address")] {
            let refused = in_use(port, at)(ErrorKind::AddrNotAvailable.into());
            let Failure::Usage(said) = refused else { panic!("{refused}") };
            assert!(said.contains("10.99.99.99 is not an address of this machine"), "{said}");
            assert!(said.contains(setting), "{said}");
        }
    }
}

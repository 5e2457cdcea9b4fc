//! The binary's settings: collects those of the rooms it runs and adds where the process listens and stores.
//!
//! Deliberately holds no clock, disk or network: those are components. Every field has a default that suits a laptop, so
//! that an empty file is a valid one; a field nobody knows is refused before a port opens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use dax::DaxSettings;
use grpc::GrpcSettings;
use host::settings::HumanDuration;
use host::telemetry::{TelemetryError, TelemetrySettings};
use host::tls::TlsSettings;
use http_front::server::HttpSettings;
use serde::{Deserialize, Serialize};

use crate::cache::{BadCacheSettings, CacheSettings};
use crate::cluster::settings::{BadCluster, ClusterSettings};
use crate::layer::LimitSettings;

/// All settings of a node. Source: `forebay.toml`, then `--set`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who this node is.
    pub node: NodeSettings,
    /// Where it listens.
    pub listen: ListenSettings,
    /// What it tells clients and other nodes of where it is.
    pub advertise: AdvertiseSettings,
    /// The cluster it is a node of. Left out: it stands alone.
    pub cluster: Option<ClusterSettings>,
    /// Whom it lets in.
    pub credentials: CredentialSettings,
    /// Certificate for HTTPS and DAX over TLS. Left out: plain only.
    pub tls: Option<TlsSettings>,
    /// Where and how it stores.
    pub store: StoreSettings,
    /// Both caches.
    pub cache: CacheSettings,
    /// What the node takes on at a time.
    pub limits: LimitSettings,
    /// The HTTP front.
    pub http: HttpSettings,
    /// The DAX front.
    pub dax: DaxSettings,
    /// The gRPC front.
    pub grpc: GrpcSettings,
    /// Logs, traces and metrics that leave the process.
    pub telemetry: TelemetrySettings,
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// Name in logs, traces and metrics.
    pub name: String,
    /// Availability zone.
    pub zone: String,
    /// Threads that serve connections; 0 is one per core.
    pub threads: usize,
    /// How long the node goes on as ever after SIGTERM, once it says that it stops: `/ready` is 503, and DAX clients are told of the
    /// other nodes. So balancers and clients have gone elsewhere before its doors close.
    pub notice: HumanDuration,
    /// How long requests under way may go on after that.
    pub drain: HumanDuration,
    /// Connections held at a time, all fronts together; more are refused. Left out: 20,000, or as many as the process may have
    /// files open for beside the store's.
    pub max_connections: Option<usize>,
}

impl Default for NodeSettings {
    fn default() -> Self {
        NodeSettings {
            name: "forebay-1".into(),
            zone: "a".into(),
            threads: 0,
            notice: HumanDuration::from_secs(0),
            drain: HumanDuration::from_secs(20),
            max_connections: None,
        }
    }
}

/// Where a node listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenSettings {
    /// Address of the fronts.
    pub address: IpAddr,
    /// Port of the DynamoDB API over HTTP; 0 picks a free one. With `[tls]` it speaks HTTPS.
    pub http_port: u16,
    /// Port of the DAX protocol; 0 picks a free one. With `[tls]` it is not opened, unless `plain_dax_beside_tls` says so.
    pub dax_port: u16,
    /// Port of the DAX protocol over TLS; 0 picks a free one. Opened only with `[tls]`.
    pub dax_tls_port: u16,
    /// Opens the plain DAX port also where `[tls]` is set. What passes there is not encrypted.
    pub plain_dax_beside_tls: bool,
    /// Port of the gRPC service; 0 picks a free one. With `[tls]` it speaks TLS.
    pub grpc_port: u16,
    /// Port for the other nodes of the cluster. Opened only with `[cluster]`.
    pub peer_port: u16,
    /// Address of the admin port.
    pub admin_address: IpAddr,
    /// Port for health, metrics and settings; 0 picks a free one.
    pub admin_port: u16,
    /// Says in so many words that anybody who reaches the address may read and write everything.
    pub anyone_may_read_and_write_everything: bool,
}

impl Default for ListenSettings {
    fn default() -> Self {
        ListenSettings {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: 8000,
            dax_port: 8111,
            dax_tls_port: 9111,
            plain_dax_beside_tls: false,
            grpc_port: 8500,
            peer_port: 8501,
            admin_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            admin_port: 8080,
            anyone_may_read_and_write_everything: false,
        }
    }
}

impl ListenSettings {
    /// Where the HTTP front is bound.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.http_port)
    }

    /// Where the plain DAX front is bound.
    pub fn dax(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.dax_port)
    }

    /// Where the DAX front over TLS is bound.
    pub fn dax_tls(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.dax_tls_port)
    }

    /// Where the gRPC front is bound.
    pub fn grpc(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.grpc_port)
    }

    /// Where the port for other nodes is bound.
    pub fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.peer_port)
    }

    /// Where the admin port is bound.
    pub fn admin(&self) -> SocketAddr {
        SocketAddr::new(self.admin_address, self.admin_port)
    }
}

/// Where clients that are told of nodes are sent, where that is not what they reached: behind a container's published port or
/// NAT. DAX clients are. In a cluster, also where the other nodes reach this one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvertiseSettings {
    /// Where other nodes reach this one, as `host:port`, written as in `[cluster] nodes`. Left out: `[listen] address` and
    /// `peer_port`.
    pub peer: Option<String>,
    /// The address. Left out: the one that the client reached; of another node the one it listens on.
    pub address: Option<IpAddr>,
    /// The port of HTTP. Left out: the one it listens on.
    pub http_port: Option<u16>,
    /// The port of DAX. Left out: the one that the client reached.
    pub dax_port: Option<u16>,
    /// The port of DAX over TLS. Left out: the one that the client reached.
    pub dax_tls_port: Option<u16>,
}

/// Whom a node lets in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialSettings {
    /// File with access keys and their secrets; followed when it changes. Left out: any signature is accepted.
    pub file: Option<PathBuf>,
}

/// Where and how a node stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Directory of the data. Made if it is not there.
    pub data: PathBuf,
    /// Keep everything in memory and lose it at the end.
    pub in_memory: bool,
    /// The storage engine.
    pub engine: store::db::rocks::RocksSettings,
}

impl Default for StoreSettings {
    fn default() -> Self {
        StoreSettings { data: "forebay-data".into(), in_memory: false, engine: Default::default() }
    }
}

/// Settings a node can't start with.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The caches can't work with theirs.
    #[error("[cache]: {0}")]
    Cache(#[from] BadCacheSettings),
    /// Reachable from outside without credentials.
    #[error(
        "[listen] address {address} can be reached from other machines, and no credentials are configured: set [credentials] \
         file, or say [listen] anyone_may_read_and_write_everything = true"
    )]
    Open {
        /// The address.
        address: IpAddr,
    },
    /// A cluster that can't come together.
    #[error(transparent)]
    Cluster(#[from] BadCluster),
    /// Other nodes can't be told where this one is.
    #[error(
        "[listen] address {address} does not say where other nodes reach this one: set [advertise] peer = \"host:{port}\", \
         written as in [cluster] nodes"
    )]
    NoPeerAddress {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// Other nodes could not find the port again.
    #[error(
        "[listen] peer_port is 0, and the other nodes have to know it: give it a number, as in [cluster] nodes"
    )]
    NoPeerPort,
    /// One port for two things.
    #[error("{one} and {other} are both {port}: give each its own")]
    SamePort {
        /// A setting.
        one: &'static str,
        /// Another.
        other: &'static str,
        /// What both are.
        port: u16,
    },
    /// What is logged can't be meant so.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A bound of nothing.
    #[error("[node] max_connections is 0; it must be at least 1")]
    NoConnections,
}

impl Config {
    /// Names the first thing wrong with settings that are each well-formed.
    pub fn check(&self) -> Result<(), BadConfig> {
        self.cache.check()?;
        host::telemetry::check(&self.telemetry)?;
        self.check_ports()?;
        if self.node.max_connections == Some(0) {
            return Err(BadConfig::NoConnections);
        }
        let open = !self.listen.address.is_loopback();
        if open && self.credentials.file.is_none() && !self.listen.anyone_may_read_and_write_everything {
            return Err(BadConfig::Open { address: self.listen.address });
        }
        if let Some(cluster) = &self.cluster {
            cluster.check()?;
            if self.listen.peer_port == 0 {
                return Err(BadConfig::NoPeerPort);
            }
            crate::cluster::settings::check_address("[advertise] peer", &self.peer_address()?)?;
        }
        Ok(())
    }

    /// Refuses one port for two doors that would be opened at one address.
    fn check_ports(&self) -> Result<(), BadConfig> {
        let (listen, tls) = (&self.listen, self.tls.is_some());
        let doors = [
            ("[listen] http_port", listen.http(), true),
            ("[listen] dax_port", listen.dax(), !tls || listen.plain_dax_beside_tls),
            ("[listen] dax_tls_port", listen.dax_tls(), tls),
            ("[listen] grpc_port", listen.grpc(), true),
            ("[listen] peer_port", listen.peer(), self.cluster.is_some()),
            ("[listen] admin_port", listen.admin(), true),
        ];
        let open: Vec<_> = doors.into_iter().filter(|(_, at, is_open)| *is_open && at.port() != 0).collect();
        for (nth, (one, at, _)) in open.iter().enumerate() {
            let meets = |other: &SocketAddr| {
                let same = at.ip() == other.ip() || at.ip().is_unspecified() || other.ip().is_unspecified();
                same && at.port() == other.port()
            };
            if let Some((other, ..)) = open[nth + 1..].iter().find(|(_, other, _)| meets(other)) {
                return Err(BadConfig::SamePort { one, other, port: at.port() });
            }
        }
        Ok(())
    }

    /// Where other nodes reach this one. Errors: it listens everywhere, and nothing says by which name it is reached.
    pub fn peer_address(&self) -> Result<String, BadConfig> {
        match &self.advertise.peer {
            Some(peer) => Ok(peer.clone()),
            None if self.listen.address.is_unspecified() => {
                Err(BadConfig::NoPeerAddress { address: self.listen.address, port: self.listen.peer_port })
            }
            None => Ok(self.listen.peer().to_string()),
        }
    }

    /// Threads that serve connections, from the setting and the number of cores.
    pub fn threads(&self, cores: usize) -> usize {
        if self.node.threads == 0 { cores.max(1) } else { self.node.threads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_loopback_needs_credentials_or_plain_words() {
        let mut config = Config::default();
        config.check().unwrap();
        config.listen.address = "0.0.0.0".parse().unwrap();
        assert!(matches!(config.check(), Err(BadConfig::Open { .. })));
        config.listen.anyone_may_read_and_write_everything = true;
        config.check().unwrap();
        config.listen.anyone_may_read_and_write_everything = false;
        config.credentials.file = Some("keys.toml".into());
        config.check().unwrap();
    }

    #[test]
    fn the_ports_of_dax_are_those_its_clients_assume() {
        let listen = ListenSettings::default();
        assert_eq!((listen.dax().to_string(), listen.dax_tls().port()), ("127.0.0.1:8111".into(), 9111));
    }

    #[test]
    fn what_is_printed_is_read_back_the_same() {
        let text = host::settings::print(&Config::default()).unwrap();
        assert_eq!(host::settings::parse::<Config>(&text, "printed", &[]).unwrap(), Config::default());
    }

    #[test]
    fn a_node_of_a_cluster_says_where_the_others_reach_it() {
        let cluster = "[cluster]\nnodes = [\"a:8501\"]\nsecret_file = \"s\"\n[listen]\naddress = \"0.0.0.0\"\n\
                       anyone_may_read_and_write_everything = true\n";
        let mut config: Config = host::settings::parse(cluster, "f.toml", &[]).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("[advertise] peer = \"host:8501\""), "{error}");
        config.advertise.peer = Some("a".into());
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("\"a\"") && error.contains("host:port"), "{error}");
        config.advertise.peer = Some("a:8501".into());
        config.check().unwrap();
        config.listen.peer_port = 0;
        assert!(matches!(config.check(), Err(BadConfig::NoPeerPort)));
        config.listen.peer_port = 8501;
        let text = host::settings::print(&config).unwrap();
        assert_eq!(host::settings::parse::<Config>(&text, "printed", &[]).unwrap(), config);
    }

    #[test]
    fn one_port_is_not_given_to_two_doors() {
        let mut config = Config::default();
        config.listen.grpc_port = config.listen.peer_port;
        config.check().expect("the peer port is not opened");
        config.listen.dax_tls_port = config.listen.http_port;
        config.check().expect("nor is that of DAX over TLS");
        config.listen.admin_port = config.listen.http_port;
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("[listen] http_port and [listen] admin_port are both 8000"), "{error}");
        config.listen.admin_address = "127.0.0.2".parse().unwrap();
        config.check().expect("they are at two addresses");
        config.listen.admin_address = "0.0.0.0".parse().unwrap();
        assert!(matches!(config.check(), Err(BadConfig::SamePort { .. })));
        // Picked by the system.
        config.listen.http_port = 0;
        config.listen.admin_port = 0;
        config.check().unwrap();
    }

    #[test]
    fn a_log_filter_that_says_nothing_is_refused() {
        let mut config = Config::default();
        config.telemetry.log = "inof".into();
        assert!(config.check().unwrap_err().to_string().contains("\"inof\" is no level"));
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = host::settings::parse::<Config>("[cache]\nsize = 1\n", "f.toml", &[]).unwrap_err();
        assert!(error.to_string().contains("size"), "{error}");
    }
}

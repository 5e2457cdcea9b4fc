//! What a node has to know of its cluster before it starts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::settings::{ByteSize, HumanDuration};
use peer::{BadSecret, Membership};
use serde::{Deserialize, Serialize};

use super::visibility::WriteVisibility;

/// Most nodes of a cluster.
pub const NODES_MAX: usize = 11;
/// The least that `max_replica_lag` may be: several heartbeats, or a node that is well would not answer.
pub const REPLICA_LAG_MIN: Duration = Duration::from_secs(1);
/// The least log that may be kept: it is let go of in steps of so much.
pub const LOG_KEPT_MIN: ByteSize = ByteSize::mib(16);
/// The most: what a node that was away would take longer to replay than to take a state.
pub const LOG_KEPT_MAX: ByteSize = ByteSize::gib(64);
/// Most bytes read of a secret's file.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The cluster of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSettings {
    /// Where the nodes that begin the cluster reach each other, as `host:port`: the same list, in the same order, on every
    /// node. Of more than five the first five begin it, and vote; the others join them. A node that joins later needs one of those that are
    /// there.
    pub nodes: Vec<String>,
    /// File with the secret that all nodes share, readable by this node's user only.
    pub secret_file: PathBuf,
    /// Name of the cluster. Nodes of another name are refused.
    #[serde(default = "default_name")]
    pub name: String,
    /// Once what a node serves may be older than this, it stops answering from its cache and asks the primary.
    #[serde(default = "default_replica_lag")]
    pub max_replica_lag: HumanDuration,
    /// Log kept for nodes that are away or behind, beyond what the node's own state needs; at most ten minutes' worth. Who was away
    /// for longer is sent the whole state. 16MiB to 64GiB; the disk needs room for it.
    #[serde(default = "default_log_kept")]
    pub log_kept: ByteSize,
    /// When a write is acknowledged: "node", once the node that answers serves nothing older; "all", once no node does. The same on
    /// every node.
    #[serde(default)]
    pub write_visibility: WriteVisibility,
    /// Certificates between nodes. Left out: what passes between them is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<PeerTlsSettings>,
}

/// Certificates that nodes show one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerTlsSettings {
    /// PEM file with this node's certificate, followed by its intermediates. It must name the host by which the others reach
    /// this node, and be good for servers and for clients.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
    /// PEM file with the authority that all nodes' certificates are of.
    pub authority: PathBuf,
}

fn default_name() -> String {
    "forebay".into()
}

fn default_replica_lag() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn default_log_kept() -> ByteSize {
    ByteSize::gib(1)
}

/// A cluster that can't come together. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BadCluster {
    /// Too few or too many.
    #[error(
        "[cluster] nodes has {count} entries; it needs 1 to {NODES_MAX}, each \"host:port\" of a node's peer port"
    )]
    Count {
        /// How many there are.
        count: usize,
    },
    /// Not an address.
    #[error(
        "{field} has {text:?}; write it as host:port, such as \"10.0.0.1:8501\" or \"forebay-0.forebay:8501\""
    )]
    Address {
        /// Which field.
        field: &'static str,
        /// What it has.
        text: String,
    },
    /// The same one twice.
    #[error("[cluster] nodes names {0} twice; each node stands in it once")]
    Twice(String),
    /// Less than a node that is well needs.
    #[error(
        "[cluster] max_replica_lag is less than {REPLICA_LAG_MIN:?}; a node that is well may be that far behind"
    )]
    ReplicaLag,
    /// Too little log, or too much.
    #[error("[cluster] log_kept is {0}; it must be {LOG_KEPT_MIN} to {LOG_KEPT_MAX}")]
    LogKept(ByteSize),
    /// The secret's file can't be read.
    #[error(
        "[cluster] secret_file {path} can't be read: {source}; copy it from another node of the cluster. Only for a new cluster make one with \
         `openssl rand -hex 32 > {path}`, `chmod 600` it, and give every node the same"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read or change it.
    #[error(
        "[cluster] secret_file {path} can be {by}: its mode is {mode:03o}; `chmod 600` it, or in Kubernetes set defaultMode: 0440"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What others can do.
        by: &'static str,
        /// Its permissions.
        mode: u32,
    },
    /// What stands in it is of no use.
    #[error("[cluster]: {0}")]
    Secret(#[from] BadSecret),
}

/// Refuses what is not `host:port`.
pub fn check_address(field: &'static str, text: &str) -> Result<(), BadCluster> {
    let wrong = || BadCluster::Address { field, text: text.to_owned() };
    let (host, port) = split_address(text).ok_or_else(wrong)?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || host.len() > 255 || port == 0 || !host.bytes().all(known) {
        return Err(wrong());
    }
    Ok(())
}

/// The host, without the brackets of an address of IPv6, and the port.
pub fn split_address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

impl ClusterSettings {
    /// Names the first thing wrong with settings that are each well-formed.
    pub fn check(&self) -> Result<(), BadCluster> {
        if self.nodes.is_empty() || self.nodes.len() > NODES_MAX {
            return Err(BadCluster::Count { count: self.nodes.len() });
        }
        let mut seen = BTreeSet::new();
        for node in &self.nodes {
            check_address("[cluster] nodes", node)?;
            if !seen.insert(node) {
                return Err(BadCluster::Twice(node.clone()));
            }
        }
        if self.max_replica_lag.get() < REPLICA_LAG_MIN {
            return Err(BadCluster::ReplicaLag);
        }
        if !(LOG_KEPT_MIN..=LOG_KEPT_MAX).contains(&self.log_kept) {
            return Err(BadCluster::LogKept(self.log_kept));
        }
        Ok(())
    }

    /// The cluster's name and secret, read from the file.
    pub fn membership(&self) -> Result<Membership, BadCluster> {
        let secret = read_secret(&self.secret_file)?;
        Ok(Membership::new(&self.name, &secret)?)
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, BadCluster> {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |source| BadCluster::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the file that was opened, whatever the name stands for by now.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    let exposed = |by| Err(BadCluster::Exposed { path: path.to_owned(), by, mode });
    if mode & 0o004 != 0 {
        return exposed("read by everyone on this machine");
    }
    if mode & 0o022 != 0 {
        return exposed("changed by others on this machine");
    }
    let mut secret = Vec::new();
    file.take(SECRET_FILE_BYTES_MAX).read_to_end(&mut secret).map_err(unreadable)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(nodes: &[&str]) -> ClusterSettings {
        ClusterSettings {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            secret_file: "secret".into(),
            name: default_name(),
            max_replica_lag: default_replica_lag(),
            log_kept: default_log_kept(),
            write_visibility: WriteVisibility::Node,
            tls: None,
        }
    }

    #[test]
    fn nodes_are_hosts_with_ports_each_once() {
        settings(&["10.0.0.1:8501", "forebay-1.forebay:8501", "[fd00::7]:8501"]).check().unwrap();
        for (nodes, said) in [
            (&[][..], "0 entries"),
            (&["a:1"; 12][..], "12 entries"),
            (&["a:8501", "b:8501", "a:8501"][..], "a:8501 twice"),
            (&["10.0.0.1"][..], "host:port"),
            (&["a:0"][..], "host:port"),
            (&["a:port"][..], "host:port"),
            (&[":8501"][..], "host:port"),
            (&["fd00::7:8501"][..], "host:port"),
            (&["http://a:8501"][..], "host:port"),
        ] {
            let error = settings(nodes).check().unwrap_err().to_string();
            assert!(error.contains(said), "{nodes:?}: {error}");
        }
        let mut hasty = settings(&["a:8501"]);
        hasty.max_replica_lag = HumanDuration::from_secs(0);
        assert!(matches!(hasty.check(), Err(BadCluster::ReplicaLag)));
        for (kept, fits) in [(15, false), (16, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
            let log_kept = ByteSize::mib(kept);
            let checked = ClusterSettings { log_kept, ..settings(&["a:8501"]) }.check();
            assert_eq!(checked.is_ok(), fits, "{log_kept}");
            let said = checked.err().map_or(String::new(), |error| error.to_string());
            assert!(fits || said.contains("16MiB to 64GiB"), "{said}");
        }
    }

    #[test]
    fn a_secret_is_read_only_where_nobody_else_can() {
        let directory = std::env::temp_dir().join(format!("forebay-secret-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("secret");
        let settings = ClusterSettings { secret_file: file.clone(), ..settings(&["a:1"]) };
        let missing = settings.membership().unwrap_err().to_string();
        assert!(missing.contains("from another node") && missing.contains("openssl rand"), "{missing}");
        for (mode, secret, said) in [
            (0o644, "0123456789abcdef0123456789abcdef\n", Some("read by everyone")),
            (0o620, "0123456789abcdef0123456789abcdef\n", Some("changed by others")),
            (0o600, "short\n", Some("5 bytes")),
            (0o600, "0123456789abcdef0123456789abcdef\n", None),
            (0o440, "0123456789abcdef0123456789abcdef\n", None),
        ] {
            // Removed first: one that may only be read can't be written over.
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, secret).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            match (settings.membership(), said) {
                (Ok(membership), None) => assert_eq!(membership.group(), "forebay"),
                (Err(error), Some(said)) => {
                    let error = error.to_string();
                    assert!(error.contains(said) && !error.contains("0123456789"), "{error}");
                }
                (outcome, _) => panic!("{mode:o} {secret:?}: {outcome:?}"),
            }
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

//! Whose data a directory holds, and whether a node may be started over it as its settings say.
//!
//! The data of a node alone is no part of any cluster's log, and that of a member is nothing without the others: a node that took
//! one for the other would answer from a state that is not its cluster's, or mix two histories. So what is there is looked at
//! before the store is opened and before another node can hear of this one, and what does not fit is refused. Nothing is changed
//! by that.

use std::fs::{File, TryLockError};
use std::path::Path;

use raft::Members;
use store::OpenError;
use store::db::DbError;
use store::db::rocks::RocksEngine;

use super::control::{self, Ask, Said};
use super::identity::{Identity, IdentityFile};
use super::peers::Peers;
use crate::config::StoreSettings;
use crate::run::Failure;

/// The number that a node alone has in its log.
const ALONE: u64 = 1;

/// What to do with data that can't be recovered, where a majority is lost.
pub const KEEP_IT: &str = "Don't empty this directory: without a majority there is nothing to join, and this may be the last copy. Keep a copy \
                           of it; then try the same with the data of another node that is left, or with a backup of one";

/// A data directory that nobody else starts a node over or recovers, for as long as this is kept.
///
/// The store's own locks are taken where its instances are opened. That is too late for whoever reads `node.json` first and opens the
/// store by what it says: a recovery may have taken its steps in between.
#[derive(Debug)]
pub struct Claim {
    // The lock is on the directory itself, so that nothing is made in one that is only looked at.
    _directory: File,
}

impl Claim {
    /// Claims a directory. None: there is none, and so nothing to recover. Errors: somebody has it; one that can't be locked.
    pub fn of(directory: &Path) -> Result<Option<Claim>, Failure> {
        let wrong = |error: std::io::Error| {
            let data = directory.display();
            Failure::Usage(format!(
                "the data directory {data} can't be locked: {error}; one of a local disk can"
            ))
        };
        let opened = match File::open(directory) {
            Ok(opened) => opened,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error)),
        };
        match opened.try_lock() {
            Ok(()) => Ok(Some(Claim { _directory: opened })),
            Err(TryLockError::WouldBlock) => Err(Failure::try_again(DbError::Locked(
                format!("{} is open already", directory.display()).into(),
            ))),
            Err(TryLockError::Error(error)) => Err(wrong(error)),
        }
    }
}

/// As what a node is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// Alone.
    Alone,
    /// As a member of a cluster.
    Member {
        /// The cluster's name.
        cluster: &'a str,
        /// Where the others reach it.
        address: &'a str,
    },
    /// As one of several nodes of one process.
    OneProcess,
    /// Not at all yet: it is to become the only member of another cluster first, see [`crate::recover`].
    Recovered,
}

/// What a directory holds.
#[derive(Debug, Default)]
pub struct Kept {
    /// The number of a member, which is kept beside its data.
    pub identity: Option<Identity>,
    /// The members that its store knows. `None`: there is no store, or none that can be read; the opening has its own to say of that.
    pub members: Option<Members>,
}

impl Kept {
    /// Looks at the data directory of these settings. Blocks. Errors: one that a process has open; a number that can't be read.
    pub fn of(settings: &StoreSettings) -> Result<Kept, Failure> {
        if settings.in_memory || !settings.data.is_dir() {
            return Ok(Kept::default());
        }
        let identity = IdentityFile::beside(Some(&settings.data)).read();
        let identity = identity.map_err(|error| {
            Failure::Usage(format!("{error}; while a majority of the others runs, empty the data directory and let the node join again"))
        })?;
        let engine = RocksEngine::new(settings.engine.clone()).map_err(Failure::internal)?;
        let members = match store::kept::members(&engine, &settings.data) {
            Ok(members) => members,
            Err(locked @ OpenError::Db(DbError::Locked(_))) => return Err(Failure::try_again(locked)),
            Err(_) => None,
        };
        Ok(Kept { identity, members })
    }

    /// Whether a node may be started so over this. Errors: what the data is, what the settings say, and what to do.
    pub fn suits(&self, directory: &Path, start: Start<'_>) -> Result<(), String> {
        let data = directory.display();
        match (start, &self.identity) {
            (Start::Alone, Some(Identity { cluster, node, .. })) => Err(format!(
                "the data in {data} is of member {node} of the cluster {cluster:?}, and these settings have no [cluster]: alone it would \
                 answer from what it had last, and take no writes. Nothing was changed. Give the settings the [cluster] section of \
                 that cluster, as the other nodes have it, with name = {cluster:?}; or set [store] data to an empty directory"
            )),
            (Start::OneProcess, Some(Identity { cluster, node, .. })) => Err(format!(
                "the data in {data} is of member {node} of the cluster {cluster:?}, and not of `forebay dev --nodes`. Nothing was changed. \
                 Start it by `forebay node` with that cluster's [cluster], or choose another directory with --data"
            )),
            (Start::Member { cluster, address }, Some(identity)) => {
                identity.serves(cluster, directory)?;
                self.at(identity.node, address, directory)
            }
            (Start::Recovered, Some(_)) => match self.begun() {
                Some(_) => Ok(()),
                None => Err(format!(
                    "{data} has the number of a member, and no data: there is nothing to recover. Nothing was changed"
                )),
            },
            (_, None) => match (start, self.begun().map(is_alone)) {
                (Start::Recovered, None) => Err(format!(
                    "there is no data in {data}: `forebay recover` wants the directory of a member that has some, or a copy of it, in [store] \
                     data. Nothing was changed"
                )),
                (Start::Recovered, Some(true)) => Err(format!(
                    "the data in {data} is of a node alone, which has no majority to lose. Nothing was changed. Start it without [cluster]; \
                     to have its items in a cluster, write them into one through the API (docs/operations.md, \"From one node to a cluster\")"
                )),
                (_, None) | (Start::Alone, Some(true)) | (Start::OneProcess, Some(false)) => Ok(()),
                (Start::Member { .. }, Some(true)) => Err(format!(
                    "the data in {data} is of a node alone, and these settings have a [cluster]: what it holds is in no cluster's log, so \
                     it can't become a member's. Nothing was changed. Either start it without [cluster], as before; or set [store] data \
                     to an empty directory, start the cluster with that, and write the items into it through the API (docs/operations.md, \
                     \"From one node to a cluster\")"
                )),
                (Start::OneProcess, Some(true)) => Err(format!(
                    "the data in {data} is of a node alone, and it is to be one of several. Nothing was changed. Start it without --nodes, \
                     or choose another directory with --data"
                )),
                (Start::Recovered, Some(false)) => Err(format!(
                    "the data in {data} is of one of several nodes ({}), and node.json, which says which one it is, does not lie beside it. \
                     Nothing was changed. Put its node.json back, from wherever a copy of this directory is kept. {KEEP_IT}",
                    self.addresses()
                )),
                (Start::Alone | Start::Member { .. }, Some(false)) => Err(format!(
                    "the data in {data} is of one of several nodes ({}), and node.json, which says which one it is, does not lie beside it. \
                     Nothing was changed. If it is of `forebay dev --nodes`, start it by that. If it is of a member, put its node.json \
                     back, or let the node join again with an empty directory",
                    self.addresses()
                )),
            },
        }
    }

    /// Whether a member's data may be that of the node at an address: not if its cluster knows another member there.
    fn at(&self, node: u64, address: &str, directory: &Path) -> Result<(), String> {
        let Some(members) = &self.members else { return Ok(()) };
        // A node that was let in, and has not heard of it yet, stands at the address of whom it replaces.
        let Some(own) = members.get(node).filter(|own| own.address != address) else { return Ok(()) };
        match members.iter().find(|(_, member)| member.address == address) {
            None => Ok(()),
            Some((other, _)) => Err(format!(
                "the data in {} is of member {node} ({}), and its cluster knows {address}, which is this node's address, as member {other}: \
                 is this the right disk? Nothing was changed. Give this node its own disk, or [advertise] peer the address of member \
                 {node}. If member {other} is gone for good, start this node at {} once more, so that it hears of that, or with an empty \
                 directory",
                directory.display(),
                own.address,
                own.address
            )),
        }
    }

    /// Where the cluster knows this member, if that is not the address that it has now.
    pub fn moved_from(&self, address: &str) -> Option<(u64, &str)> {
        let node = self.identity.as_ref()?.node;
        let known = self.members.as_ref()?.get(node)?.address.as_str();
        (known != address).then_some((node, known))
    }

    /// The members of a store that has begun: one that was made and has no entry is as good as none.
    fn begun(&self) -> Option<&Members> {
        self.members.as_ref().filter(|members| members.index.is_some())
    }

    fn addresses(&self) -> String {
        let members = self.members.iter().flat_map(Members::iter);
        let members: Vec<String> =
            members.map(|(node, member)| format!("{node} at {}", member.address)).collect();
        members.join(", ")
    }
}

/// Whether a log is that of a node alone: its only member, of which no other was ever told anything.
fn is_alone(members: &Members) -> bool {
    let mut all = members.iter();
    let first = all.next();
    all.next().is_none() && first.is_some_and(|(node, member)| node == ALONE && member.about.is_empty())
}

/// Whether a member that has moved is still at its old address, which would make two of one. Errors: it is.
pub async fn left_behind(peers: &Peers, node: u64, known: &str) -> Result<(), String> {
    match control::ask(peers, known, &Ask::Status).await {
        Ok(Said::Status(status)) if status.node == Some(node) => Err(format!(
            "member {node}, whose data this is, runs at {known} too: two nodes on copies of one data directory would undo each other's \
             votes. Nothing was changed. Stop one of them; give a node that is to be another an empty directory"
        )),
        // Nobody there, or another: it has moved.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use raft::Member;

    use super::*;
    use crate::cluster::identity::Origin;

    fn members(all: &[(u64, &str, &str)]) -> Option<Members> {
        let of = |(node, address, about): &(u64, &str, &str)| {
            (*node, Member { address: (*address).to_owned(), about: (*about).to_owned() })
        };
        Some(Members { index: Some(9), voters: all.iter().map(of).collect(), ..Members::default() })
    }

    fn identity(node: u64) -> Option<Identity> {
        Some(Identity::new("orders", node, Origin::Joined))
    }

    const HERE: Start<'_> = Start::Member { cluster: "orders", address: "n2:8501" };
    const THREE: &[(u64, &str, &str)] = &[(1, "n1:8501", "{}"), (2, "n2:8501", "{}"), (30, "n3:8501", "{}")];

    #[track_caller]
    fn refused(kept: &Kept, start: Start<'_>, said: &[&str]) {
        let why = kept.suits(Path::new("/data"), start).unwrap_err();
        for part in ["/data", "Nothing was changed"].iter().chain(said) {
            assert!(why.contains(part), "{part:?}: {why}");
        }
    }

    #[track_caller]
    fn taken(kept: &Kept, start: Start<'_>) {
        kept.suits(Path::new("/data"), start).unwrap();
    }

    #[test]
    fn a_directory_is_one_claimants_until_it_lets_go() {
        let directory = std::env::temp_dir().join(format!("forebay-claim-{}", std::process::id()));
        assert!(Claim::of(&directory).unwrap().is_none());
        std::fs::create_dir_all(&directory).unwrap();
        let claim = Claim::of(&directory).unwrap();
        assert!(claim.is_some());
        match Claim::of(&directory) {
            Err(Failure::TryAgain(why)) => assert!(why.contains("is open already"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is made in it");
        drop(claim);
        assert!(Claim::of(&directory).unwrap().is_some());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn data_of_a_node_alone_becomes_no_members() {
        let kept = Kept { identity: None, members: members(&[(1, "127.0.0.1:8500", "")]) };
        taken(&kept, Start::Alone);
        refused(&kept, HERE, &["of a node alone", "without [cluster]", "through the API"]);
        refused(&kept, Start::OneProcess, &["without --nodes"]);
    }

    #[test]
    fn data_of_a_member_is_not_that_of_a_node_alone() {
        // Also where its log is not begun, or where it is the only one that is left.
        for known in [None, members(THREE), members(&[(2, "n2:8501", "{}")])] {
            let kept = Kept { identity: identity(2), members: known };
            taken(&kept, HERE);
            refused(&kept, Start::Alone, &["member 2 of the cluster \"orders\"", "[cluster] section"]);
            refused(&kept, Start::OneProcess, &["`forebay node`"]);
        }
    }

    #[test]
    fn data_of_another_cluster_is_refused_before_the_others_hear_of_it() {
        let kept = Kept { identity: identity(2), members: members(THREE) };
        for address in ["n2:8501", "n1:8501", "n4:8501"] {
            let said = ["belongs to the cluster \"orders\"", "name is \"orders-2\"", "empty data directory"];
            refused(&kept, Start::Member { cluster: "orders-2", address }, &said);
        }
    }

    #[test]
    fn data_of_several_without_a_number_is_of_one_process_or_of_no_use() {
        for known in [THREE, &[(1, "127.0.0.1:8501", "{}")]] {
            let kept = Kept { identity: None, members: members(known) };
            taken(&kept, Start::OneProcess);
            refused(&kept, Start::Alone, &["forebay dev --nodes", "node.json", known[0].1]);
            refused(&kept, HERE, &["join again"]);
        }
    }

    #[test]
    fn a_members_data_is_recovered_as_another_cluster_and_no_other_data_is() {
        let kept = Kept { identity: identity(2), members: members(THREE) };
        taken(&kept, Start::Recovered);
        let nothing = Kept { identity: identity(2), members: None };
        refused(&nothing, Start::Recovered, &["no data"]);
        let alone = Kept { identity: None, members: members(&[(1, "127.0.0.1:8500", "")]) };
        refused(&alone, Start::Recovered, &["of a node alone", "without [cluster]"]);
        let without_number = Kept { identity: None, members: members(THREE) };
        refused(&without_number, Start::Recovered, &["node.json", KEEP_IT]);
        let why = without_number.suits(Path::new("/data"), Start::Recovered).unwrap_err();
        assert!(!why.contains("join again"), "{why}");
        for known in [None, Some(Members::default())] {
            refused(&Kept { identity: None, members: known }, Start::Recovered, &["there is no data"]);
        }
    }

    #[test]
    fn what_was_cut_short_is_gone_on_with_and_not_started() {
        let identity = identity(2).map(|identity| Identity { origin: Origin::Recovering, ..identity });
        let kept = Kept { identity, members: members(&[(2, "n2:8501", "{}")]) };
        taken(&kept, Start::Recovered);
        refused(&kept, HERE, &["`forebay recover` was cut short", "again"]);
        refused(&kept, Start::Alone, &["member 2"]);
        refused(&kept, Start::OneProcess, &["member 2"]);
    }

    #[test]
    fn where_there_is_nothing_every_start_is_right() {
        for known in [None, Some(Members::default())] {
            let kept = Kept { identity: None, members: known };
            [Start::Alone, HERE, Start::OneProcess].into_iter().for_each(|start| taken(&kept, start));
        }
    }

    #[test]
    fn a_disk_is_not_that_of_the_member_whose_address_another_has() {
        let of = |node| Kept { identity: identity(node), members: members(THREE) };
        refused(
            &of(30),
            HERE,
            &["member 30 (n3:8501)", "n2:8501, which is this node's address, as member 2"],
        );
        // Where it was, and where nobody was.
        for address in ["n3:8501", "n4:8501"] {
            taken(&of(30), Start::Member { cluster: "orders", address });
        }
        assert_eq!(of(30).moved_from("n4:8501"), Some((30, "n3:8501")));
        assert_eq!(of(30).moved_from("n3:8501"), None);
        // Let in at the address of whom it replaces, whether it has heard of that or not.
        taken(&of(31), HERE);
        let mut both = THREE.to_vec();
        both.push((31, "n2:8501", "{}"));
        taken(&Kept { identity: identity(31), members: members(&both) }, HERE);
    }
}

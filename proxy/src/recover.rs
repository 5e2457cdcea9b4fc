//! `forebay recover`: makes another cluster of what one node has, when a majority of its own has lost its data for ever.
//!
//! Offline, over the data of a node that is stopped, or of a copy of it. The node becomes the only member, under the number that it
//! has, of a cluster of another name: nodes of the old one that come back can neither talk to it nor be started in it, since the
//! handshake and `node.json` have the name. To look at it the old name does. What it can't know it says: what the others acknowledged
//! and this log lacks is lost.
//!
//! Invariant: between the first step and the last `node.json` says that it is not done, and then no node is started over the data.
//! Each step is atomic and may be repeated, so whatever cuts them off, running it again ends them.

use std::path::Path;
use std::sync::Arc;

use host::clock::SystemClock;
use http_front::sigv4::time;
use raft::{Bootstrap, Member, RaftSettings};
use store::OpenError;
use store::db::DbError;
use store::db::rocks::RocksEngine;
use store::recovery::{Drawn, Found, OnDisk};

use crate::cluster::identity::{Identity, IdentityFile, Origin};
use crate::cluster::kept::{Claim, KEEP_IT, Kept, Start};
use crate::cluster::node::Plan;
use crate::config::{Config, StoreSettings};
use crate::operate::print;
use crate::run::Failure;
use crate::surroundings::System;
use crate::upstream::{does_not_open, surroundings};

/// Whether an operator has said that writes may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Losses {
    /// No: it is only said what would be.
    Refused,
    /// Yes.
    Accepted,
}

/// The steps, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What a crash may have left is mended, as by any start; then `node.json` says that this is under way.
    Begin,
    /// The log knows no other member any more.
    TakeOver,
    /// The state has all that the log has.
    BringUp,
    /// Its history is its own.
    BeginAnew,
    /// `node.json` names the new cluster.
    End,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 5] = [Step::Begin, Step::TakeOver, Step::BringUp, Step::BeginAnew, Step::End];
}

/// Says what there is and what is lost, and, where that is accepted, does it.
pub fn run(config: &Config, losses: Losses) -> Result<(), Failure> {
    let recovery = Recovery::of(config)?;
    // Before the first step: what can't be said is not done.
    print(&recovery.describe())?;
    if losses == Losses::Refused {
        return Err(Failure::Usage(
            "nothing was changed. If no majority of the other nodes can come back with its data, and no node that can has newer data than \
             this, keep a copy of this directory, give [cluster] name a new name, and run it again with --accept-lost-writes"
                .into(),
        ));
    }
    is_new_name(&recovery.identity, &recovery.cluster, &config.store.data).map_err(Failure::Usage)?;
    // With settings that no node starts with it would be a cluster that nobody can be in.
    Plan::of(config)?;
    Step::ALL.iter().try_for_each(|step| recovery.take(*step))?;
    print(&format!(
        "done: start this node. Nodes with empty directories and [cluster] name = {:?} join it\n",
        recovery.cluster
    ))
    .map_err(|why| Failure::Internal(format!("it is done, and can't be said on standard output: {why}")))
}

/// What is to become another cluster.
pub struct Recovery {
    config: Config,
    engine: RocksEngine,
    system: Arc<System>,
    /// The name of the new cluster.
    cluster: String,
    /// Where the node is reached in it.
    address: String,
    identity: Identity,
    found: Found,
    // From before the first look until after the last step.
    _claim: Option<Claim>,
}

impl Recovery {
    /// Looks at the data of a config, and changes nothing. Errors: settings or data of which no cluster can be made, and what to do;
    /// data that a process has open; a store that does not open.
    pub fn of(config: &Config) -> Result<Recovery, Failure> {
        let Some(cluster) = &config.cluster else {
            return Err(Failure::Usage(
                "the config has no [cluster]: `forebay recover` makes a cluster of what one node of a lost one has. Give it the node's own \
                 config"
                    .into(),
            ));
        };
        if config.store.in_memory {
            return Err(Failure::Usage("a node that keeps its data in memory leaves none to recover".into()));
        }
        let directory = &config.store.data;
        let engine = RocksEngine::new(config.store.engine.clone()).map_err(Failure::internal)?;
        let claim = Claim::of(directory)?;
        let identity = IdentityFile::beside(Some(directory)).read();
        identity.map_err(|error| Failure::Usage(format!("{error}. {KEEP_IT}")))?;
        let kept = Kept::of(&config.store)?;
        let looked = OnDisk { engine: &engine, directory }.look();
        // First: of data that can't be read nothing else is to be said.
        let looked = looked.map_err(|error| is_unreadable(&config.store, error))?;
        kept.suits(directory, Start::Recovered).map_err(Failure::Usage)?;
        let has_something = |(_, found): &(Identity, Found)| found.last_millis.is_some();
        let (identity, found) = kept.identity.zip(looked).filter(has_something).ok_or_else(|| {
            Failure::Usage(format!(
                "the node in {} never heard of a write: there is nothing to recover. Nothing was changed",
                directory.display()
            ))
        })?;
        Ok(Recovery {
            config: config.clone(),
            engine,
            system: Arc::new(System::new(Arc::new(SystemClock::new()))),
            cluster: cluster.name.clone(),
            address: config.peer_address()?,
            identity,
            found,
            _claim: claim,
        })
    }

    /// What there is, what becomes of it, and what is lost.
    pub fn describe(&self) -> String {
        let Identity { cluster, node, origin, .. } = &self.identity;
        let Found { log, last_millis, last_write_millis, .. } = &self.found;
        let mut lines = Vec::new();
        if *origin == Origin::Recovering {
            lines
                .push("an earlier run was cut short; this one begins again where the data is now".to_owned());
        }
        let (own, others): (Vec<_>, Vec<_>) = log.members.iter().partition(|(id, _)| id == node);
        let others: Vec<String> =
            others.into_iter().map(|(id, member)| format!("{id} ({})", member.address)).collect();
        let at = own.first().map_or("no member by its own log", |(_, member)| &*member.address);
        lines.push(format!(
            "{}: member {node} ({at}) of the cluster {cluster:?}",
            self.config.store.data.display()
        ));
        if !others.is_empty() {
            lines.push(format!("  given up: {}", others.join(", ")));
        }
        let place = |index: Option<u64>| index.map_or("nothing".to_owned(), |index| format!("entry {index}"));
        let (term, last) = log.last.map_or((0, None), |(term, index)| (term, Some(index)));
        lines.push(format!(
            "  its log ends with {} of term {term}; it knew {} to be committed, and its state has {}",
            place(last),
            place(log.committed),
            place(log.applied)
        ));
        let when = |millis: Option<u64>| millis.map_or("not known".to_owned(), utc);
        lines.push(format!(
            "  the last write in its log: {}; the last entry of any kind: {}",
            when(*last_write_millis),
            when(*last_millis)
        ));
        let becomes = match self.identity.had(&self.cluster) {
            true => "another cluster, by a name that [cluster] does not have yet".to_owned(),
            false => format!("the cluster {:?}", self.cluster),
        };
        lines.push(format!(
            "it becomes the only member of {becomes}, still as {node}, at {}. Lost: every write that the others acknowledged and this \
             log does not have. Kept: all that it has, also what was not known to be committed, since that may have been acknowledged",
            self.address
        ));
        lines.join("\n") + "\n"
    }

    /// Takes a step; durable when it returns. Only in their order, from the first on.
    pub fn take(&self, step: Step) -> Result<(), Failure> {
        let directory = &self.config.store.data;
        let store = OnDisk { engine: &self.engine, directory };
        let node = self.identity.node;
        match step {
            Step::Begin => {
                store.check().map_err(|error| self.failed(error))?;
                self.keep(Identity { origin: Origin::Recovering, ..self.identity.clone() })
            }
            Step::TakeOver => {
                let known = self.found.log.members.get(node).cloned().unwrap_or_default();
                let member = Member { address: self.address.clone(), ..known };
                store.take_over(node, member).map_err(|error| self.failed(error))
            }
            Step::BringUp => {
                let raft = RaftSettings {
                    node_id: node,
                    life: self.system.random_u64(),
                    address: self.address.clone(),
                    group: self.cluster.clone(),
                    bootstrap: Bootstrap::Join,
                    ..RaftSettings::default()
                };
                store.bring_up(raft, surroundings(&self.system)).map_err(|error| self.failed(error))
            }
            Step::BeginAnew => {
                let random = || self.system.random_u64();
                let drawn = Drawn { incarnation: random(), lists: random(), passing: random() };
                let begun = store.begin_anew(drawn);
                begun.map(drop).map_err(|error| self.failed(error))
            }
            Step::End => {
                let mut former = self.identity.former.clone();
                former.push(self.identity.cluster.clone());
                self.keep(Identity { former, ..Identity::new(&*self.cluster, node, Origin::Joined) })
            }
        }
    }

    fn keep(&self, identity: Identity) -> Result<(), Failure> {
        let directory = &self.config.store.data;
        IdentityFile::beside(Some(directory)).write(&identity).map_err(|error| {
            Failure::Internal(format!("node.json in {} can't be written: {error}", directory.display()))
        })
    }

    fn failed(&self, error: OpenError) -> Failure {
        is_unreadable(&self.config.store, error)
    }
}

/// The failure of data that can't be recovered. To others it says to let the node join again, and here there are none.
fn is_unreadable(settings: &StoreSettings, error: OpenError) -> Failure {
    match error {
        OpenError::Malformed(_) | OpenError::Log(_) | OpenError::Db(DbError::Corrupt(_)) => {
            Failure::Internal(format!(
                "the store in {} does not open: {}. {KEEP_IT}",
                settings.data.display(),
                error.what()
            ))
        }
        other => does_not_open(settings, other),
    }
}

/// Refuses a name by which nodes may come back that take this one for theirs.
fn is_new_name(identity: &Identity, name: &str, directory: &Path) -> Result<(), String> {
    if !identity.had(name) {
        return Ok(());
    }
    let data = directory.display();
    let cluster = &identity.cluster;
    if cluster == name {
        return Err(format!(
            "the data in {data} is of the cluster {cluster:?}, which is the name in these settings. Nothing was changed. What is \
             recovered becomes another cluster, so that nodes of this one that come back with their data are refused and can't mix \
             two histories: give [cluster] name a new name, here and on the nodes that are to join. If it has been recovered already, \
             start it"
        ));
    }
    Err(format!(
        "the data in {data} is of the cluster {cluster:?}, which was made of what a node of the cluster {name:?} had, and that is the \
         name in these settings. Nothing was changed. Nodes of that one that come back with their data would take this one for \
         theirs, and undo what it has written since: give [cluster] name a new name, that none of them ever had"
    ))
}

/// A moment, as people read it.
fn utc(millis: u64) -> String {
    let text = time::write(millis / 1000);
    let part = |range: std::ops::Range<usize>| String::from_utf8_lossy(&text[range]).into_owned();
    let (year, month, day) = (part(0..4), part(4..6), part(6..8));
    let (hour, minute, second) = (part(9..11), part(11..13), part(13..15));
    format!("{year}-{month}-{day} {hour}:{minute}:{second} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nodes_may_come_back_under_is_not_given_again() {
        let former = vec!["first".to_owned(), "second".to_owned()];
        for origin in [Origin::Joined, Origin::Recovering] {
            let identity = Identity { former: former.clone(), ..Identity::new("orders", 2, origin) };
            for name in ["first", "second", "orders"] {
                let why = is_new_name(&identity, name, Path::new("/data")).unwrap_err();
                for said in ["/data", "of the cluster \"orders\"", name, "come back", "a new name"] {
                    assert!(why.contains(said), "{said:?}: {why}");
                }
            }
            is_new_name(&identity, "orders-2", Path::new("/data")).unwrap();
        }
    }

    #[test]
    fn a_moment_is_told_as_people_read_it() {
        assert_eq!(utc(1_795_352_467_999), "2026-11-22 13:01:07 UTC");
    }
}

//! Questions about the cluster, and changes to it: one question and its answer after another on a connection of the control
//! lane.
//!
//! Whoever asks has proved that it knows the secret, so whatever it asks is done. Each message is its length in four bytes,
//! largest first, and JSON. A change that only the primary can make is answered by other nodes with where the primary is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::Context;
use parking_lot::Mutex;
use peer::Lane;
use raft::{BoxedStream, Leadership, Member, Members, PeerProgress, RaftError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Embedded;
use store::parameters::ParameterError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::about::About;
use super::peers::{Peers, is_lasting};
use super::presence::Presence;
use super::settings::{NODES_MAX, split_address};
use super::troubles::Trouble;
use crate::cache::Cache;
use crate::parameters::{self, ParameterStatus};

/// Most bytes of a message.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for an answer about the state of things.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a parameter to be set: within the time for a change, so that whoever asks hears why it was not.
const SET_TIMEOUT: Duration = Duration::from_secs(10);
/// A voter that has not been heard for so long may be down.
const HEARD: Duration = Duration::from_secs(1);
/// Longest wait for a change.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(40);
/// Longest that a primary removes a member, or hands over: within the time for a change, so that whoever asks hears what is known.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest that a primary is looked for once no node has named one that is: an election takes less.
const PRIMARY_WAIT: Duration = Duration::from_secs(3);
/// The pause before all are asked for it again, and before somebody who was not heard yet is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why nobody can take over.
const NOBODY_FOLLOWS: &str = "no other voter answers, or those that do are stopping, so nobody could take over: bring one back; \
                              `forebay status` of the primary says who is silent";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// How things stand.
    Status,
    /// Make the node that is reached at this address, and has nothing, a member, under a number that nobody had.
    Join {
        /// Its peer address.
        address: String,
    },
    /// Remove a member.
    Remove {
        /// Its number.
        node: u64,
    },
    /// Make another node the primary.
    Transfer {
        /// Its number. Left out: whichever has followed best.
        to: Option<u64>,
    },
    /// Set a parameter of the cluster.
    SetParameter {
        /// Its name.
        name: String,
        /// What it is to be. Left out: what each node's config says.
        value: Option<u64>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// How things stand.
    Status(Box<Status>),
    /// The node is a member, under this number.
    Joined {
        /// The number.
        node: u64,
        /// The names of the clusters of whose data this one was made, which each of its nodes keeps. An older node does not say.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        former: Vec<String>,
    },
    /// It is done.
    Done,
    /// Ask the primary.
    NotPrimary {
        /// Where it is, if that is known.
        primary: Option<String>,
    },
    /// It was not done.
    Refused {
        /// Why, and what to do.
        why: String,
        /// Whether another try may get past it. An older node does not say, and then it may.
        #[serde(default = "yes")]
        again: bool,
    },
}

impl Said {
    /// Refused, for what may pass, or be mended elsewhere.
    fn not_now(why: impl Into<String>) -> Said {
        Said::Refused { why: why.into(), again: true }
    }

    /// Refused, for what was asked.
    fn never(why: impl Into<String>) -> Said {
        Said::Refused { why: why.into(), again: false }
    }
}

/// How far a node has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It does not know yet what it has.
    Starting,
    /// It has nothing, and belongs to nothing.
    Empty,
    /// It has taken its number in a cluster that is about to begin with these nodes.
    Founding {
        /// Their addresses, in order.
        nodes: Vec<String>,
    },
    /// It belongs to a cluster, though perhaps its store is not open.
    Member,
}

/// How things stand, as one node knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of which cluster.
    pub cluster: String,
    /// How far the node that answers has come.
    pub stage: Stage,
    /// Its number.
    pub node: Option<u64>,
    /// The primary's number.
    pub primary: Option<u64>,
    /// Position in the log up to which it has applied.
    pub applied: u64,
    /// How long ago it certainly held all that was committed. Unit: milliseconds.
    pub age_millis: Option<u64>,
    /// Why it takes no writes, if so.
    pub failure: Option<String>,
    /// Whether a change of members is under way.
    pub changing: bool,
    /// All members.
    pub members: Vec<MemberStatus>,
    /// Where the nodes were reached that began the cluster, in order, if the node that answers was one of them.
    #[serde(default)]
    pub founders: Vec<String>,
    /// Nodes that it could not reach of late.
    #[serde(default)]
    pub unreached: Vec<Trouble>,
    /// Whether the primary says that this node is no member any more.
    #[serde(default)]
    pub removed: bool,
    /// What the node had after an entry of the log at which replicas compare themselves; the same on all that have noted it.
    #[serde(default)]
    pub compared: Option<Compared>,
    /// The cluster's parameters.
    #[serde(default)]
    pub parameters: Vec<ParameterStatus>,
}

/// The digest of all effects up to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The entry.
    pub entry: u64,
    /// The digest, in hexadecimal digits.
    pub digest: String,
}

/// A member, as one node knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its number.
    pub node: u64,
    /// Where the others reach it.
    pub address: String,
    /// Whether its vote and disk count.
    pub voter: bool,
    /// What it says of itself.
    pub about: About,
    /// Position in the log that it is known to have, where the primary answers.
    pub matched: Option<u64>,
    /// How long ago it was heard, where the primary answers. Unit: milliseconds.
    pub heard_millis: Option<u64>,
    /// Whether it is there, as far as the node that answers knows.
    #[serde(default = "yes")]
    pub present: bool,
}

/// What an older node means that does not say.
const fn yes() -> bool {
    true
}

/// Answers what is asked of this node.
pub struct Desk {
    cluster: String,
    // None: of a node that stands alone.
    peers: Option<Peers>,
    // Held for a look.
    phase: Mutex<Phase>,
    // What `node.json` says of it. Set once the node has its number.
    former: OnceLock<Vec<String>>,
    founders: OnceLock<Vec<String>>,
    // Numbers are given one after another.
    joining: tokio::sync::Mutex<()>,
}

enum Phase {
    Starting,
    Empty,
    Founding(Vec<String>),
    // Belongs to the cluster; its store is not open, or not any more. To call it empty would let another node that is
    // really empty believe that there is no cluster yet.
    Closed,
    Member(Arc<Seat>),
}

/// What a member's desk looks at.
pub struct Seat {
    /// Its store.
    pub store: Arc<Embedded>,
    /// Who is there.
    pub presence: Arc<Presence>,
    /// Its caches, for what the config says of them.
    pub cache: Arc<Cache>,
}

impl Desk {
    /// Of a node that does not know yet what it has.
    pub fn new(cluster: &str, peers: Peers) -> Desk {
        Desk { peers: Some(peers), ..Desk::alone(cluster) }
    }

    /// Of a node that has no others.
    pub fn alone(cluster: &str) -> Desk {
        Desk {
            cluster: cluster.to_owned(),
            peers: None,
            phase: Mutex::new(Phase::Starting),
            former: OnceLock::new(),
            founders: OnceLock::new(),
            joining: tokio::sync::Mutex::new(()),
        }
    }

    /// The node has nothing.
    pub fn empty(&self) {
        *self.phase.lock() = Phase::Empty;
    }

    /// The node has taken its number among these, for good.
    pub fn founding(&self, nodes: &[String]) {
        *self.phase.lock() = Phase::Founding(nodes.to_vec());
    }

    /// The node begins the cluster with these, or has done so. Its store is not open yet.
    pub fn founded(&self, nodes: Vec<String>) {
        self.founders.get_or_init(|| nodes);
        self.closed();
    }

    /// The node belongs to the cluster.
    pub fn member(&self, seat: Seat) {
        *self.phase.lock() = Phase::Member(Arc::new(seat));
    }

    /// The cluster was made of the data of these, the oldest first. Said once: a node does not change its cluster while it runs.
    pub fn descends_from(&self, former: Vec<String>) {
        self.former.get_or_init(|| former);
    }

    /// The node belongs to the cluster, and its store is not open yet, or not any more: whoever asks lets go of it.
    pub fn closed(&self) {
        *self.phase.lock() = Phase::Closed;
    }

    /// Reads questions and answers them, until whoever asks goes away. Without a bound of time: put one round it.
    pub async fn serve(&self, stream: &mut BoxedStream) -> io::Result<()> {
        loop {
            let ask: Ask = read(stream).await?;
            let said = self.answer(ask).await;
            write(stream, &said).await?;
        }
    }

    async fn answer(&self, ask: Ask) -> Said {
        let member = match &*self.phase.lock() {
            Phase::Starting => Err(Stage::Starting),
            Phase::Empty => Err(Stage::Empty),
            Phase::Closed => Err(Stage::Member),
            Phase::Founding(nodes) => Err(Stage::Founding { nodes: nodes.clone() }),
            Phase::Member(seat) => Ok(Arc::clone(seat)),
        };
        match (member, ask) {
            (Err(stage), Ask::Status) => Said::Status(Box::new(self.status_before(stage))),
            (Err(_), _) => Said::NotPrimary { primary: None },
            (Ok(seat), Ask::Status) => Said::Status(Box::new(self.status(&seat))),
            (Ok(seat), Ask::Join { address }) => self.join(&seat.store, address).await,
            (Ok(seat), Ask::Remove { node }) => in_time("removed", remove(&seat.store, node)).await,
            (Ok(seat), Ask::Transfer { to }) => in_time("made the primary", transfer(&seat.store, to)).await,
            (Ok(seat), Ask::SetParameter { name, value }) => set_parameter(&seat.store, &name, value).await,
        }
    }

    /// How things stand with a node whose store is not open.
    pub fn status_before(&self, stage: Stage) -> Status {
        Status {
            cluster: self.cluster.clone(),
            stage,
            node: None,
            primary: None,
            applied: 0,
            age_millis: None,
            failure: None,
            changing: false,
            members: Vec::new(),
            founders: self.founders.get().cloned().unwrap_or_default(),
            unreached: self.peers.as_ref().map_or_else(Vec::new, Peers::troubles),
            removed: false,
            compared: None,
            parameters: Vec::new(),
        }
    }

    /// How things stand with a member.
    pub fn status(&self, seat: &Seat) -> Status {
        let Seat { store, presence, cache } = seat;
        let log = store.log();
        let members = Arc::clone(&log.membership().borrow());
        let (progress, present) = (log.progress(), presence.now(store));
        let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let of = |(node, member): (u64, &Member)| MemberStatus {
            node,
            address: member.address.clone(),
            voter: members.voters.contains_key(&node),
            about: About::read(&member.about).unwrap_or_default(),
            matched: progress.get(&node).and_then(|progress| progress.matched),
            heard_millis: progress.get(&node).and_then(|progress| progress.heard).map(millis),
            present: !present.silent.contains(&node),
        };
        Status {
            node: Some(log.node_id()),
            primary: present.primary.map(|(node, _)| node),
            applied: log.applied(),
            age_millis: log.confirmed_age().map(millis),
            failure: log.failure().map(|failure| failure.to_string()),
            changing: members.changing,
            members: members.iter().map(of).collect(),
            removed: presence.is_removed(),
            compared: store
                .compared()
                .map(|noted| Compared { entry: noted.index, digest: format!("{:016x}", noted.digest) }),
            parameters: parameters::describe(cache.settings(), &store.parameters().borrow()),
            ..self.status_before(Stage::Member)
        }
    }

    /// A node that the others can't reach would be a member that never follows. So it is looked for first.
    async fn join(&self, store: &Embedded, address: String) -> Said {
        let Some(peers) = &self.peers else {
            return Said::never("this node stands alone: [cluster] in its config would change that");
        };
        if split_address(&address).is_none() {
            return Said::never(format!(
                "{address:?} is no address: it is the host and port of a peer port, host:port"
            ));
        }
        let _alone = self.joining.lock().await;
        let log = store.log();
        if !leads(store) {
            return said(Err(RaftError::NotLeader { leader: leader(store) }));
        }
        let refused = match ask(peers, &address, &Ask::Status).await {
            Ok(Said::Status(status)) => is_taken(&address, &status).map(Said::never),
            Ok(_) => None,
            Err(error) => Some(Said::not_now(format!(
                "the primary can't reach the node that is to join: {error}. Start it first, with an empty directory; it joins by \
                 itself once it can be reached by the address in its [advertise] peer"
            ))),
        };
        if let Some(refused) = refused {
            return refused;
        }
        let members = Arc::clone(&log.membership().borrow());
        let highest = members.iter().map(|(id, _)| id).max().unwrap_or(0);
        // A number that was given before stands in the log before this point, so none comes twice, though its bearer be gone.
        let node = log.applied().max(highest).max(NODES_MAX as u64) + 1;
        if let Err(why) = has_place(&members, &address) {
            return Said::not_now(why);
        }
        match log.add_learner(node, Member::new(address)).await {
            Ok(()) => Said::Joined { node, former: self.former.get().cloned().unwrap_or_default() },
            Err(error) => said(Err(error)),
        }
    }
}

/// Does a step, unless it takes so long that whoever asks would hear nothing. `done` is what a member is then.
async fn in_time(done: &str, step: impl Future<Output = Said>) -> Said {
    tokio::time::timeout(STEP_TIMEOUT, step).await.unwrap_or_else(|_| {
        Said::not_now(format!(
            "not done in {STEP_TIMEOUT:?}: whether the member was {done}, or yet will be, is not known; look with `forebay status`"
        ))
    })
}

/// Removes a member. The primary itself is removed by the next one: it would else be the one whom nobody tells of it, and the
/// others would be without a primary until they have elected one.
async fn remove(store: &Embedded, node: u64) -> Said {
    let log = store.log();
    let begun = Instant::now();
    loop {
        // What a replica does not know, the primary may.
        if !leads(store) {
            return said(Err(RaftError::NotLeader { leader: leader(store) }));
        }
        let members = Arc::clone(&log.membership().borrow());
        if let Err(why) = is_removable(&members, node) {
            return Said::never(why);
        }
        let hindered = match members.changing {
            true => Err("the members are being changed already: try again in some seconds".to_owned()),
            false => can_go(&members, log.node_id(), &log.progress(), node),
        };
        match hindered {
            Ok(()) => break,
            // Who has only just become the primary has not heard everybody yet.
            Err(_) if begun.elapsed() < HEARD => tokio::time::sleep(LOOK_AGAIN).await,
            Err(why) => return Said::not_now(why),
        }
    }
    if node != log.node_id() {
        return said(log.remove(node).await);
    }
    let Some(to) = successor(store) else { return Said::not_now(NOBODY_FOLLOWS) };
    tracing::info!(to, "this node is to be removed: it hands over first, and the next primary removes it");
    match log.transfer_leadership(to).await {
        Ok(()) => {
            Said::NotPrimary { primary: log.membership().borrow().get(to).map(|next| next.address.clone()) }
        }
        Err(error) => said(Err(error)),
    }
}

/// Whether there is a member to be removed, and others to go on. Errors: why not, and what to do.
fn is_removable(members: &Members, node: u64) -> Result<(), String> {
    if members.get(node).is_none() {
        return Err(no_member(members, node));
    }
    if members.voters.len() == 1 && members.voters.contains_key(&node) {
        return Err(format!(
            "member {node} is the only voter: nobody would be left to hand over to, and no node could write or change anything any more. \
             Let others join and get their votes first; if nothing of the cluster is needed any more, stop its nodes"
        ));
    }
    Ok(())
}

fn no_member(members: &Members, node: u64) -> String {
    format!("there is no member {node}; there are {}", listed(members.iter().map(|(id, _)| id)))
}

fn listed(numbers: impl Iterator<Item = u64>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    numbers.join(", ")
}

/// Why whoever answers at an address is not the node that asks to join from there: it belongs to the cluster already. `None`: it may be.
fn is_taken(address: &str, there: &Status) -> Option<String> {
    let who = match (there.node, &there.stage) {
        (Some(node), _) => format!("member {node}"),
        (None, Stage::Member) => "a member that is starting or stopping".to_owned(),
        (None, Stage::Starting | Stage::Empty | Stage::Founding { .. }) => return None,
    };
    Some(format!(
        "{address} answers as {who}: give this node an address of its own, in [listen] address or [advertise] peer"
    ))
}

/// Whether a node that is reached at this address may become a member. One whose address is known comes back, and takes its
/// predecessor's place. Errors: why not, and what to do.
fn has_place(members: &Members, address: &str) -> Result<(), String> {
    let others: BTreeSet<&str> =
        members.iter().map(|(_, member)| &*member.address).filter(|known| *known != address).collect();
    // Each time a node comes back it is one more, until it has caught up: that is bounded as well.
    if others.len() >= NODES_MAX || members.iter().count() >= 2 * NODES_MAX {
        return Err(format!(
            "the cluster has {} members at {} other addresses, and may have {NODES_MAX} nodes: remove those that are gone first, \
             by `forebay member remove`",
            members.iter().count(),
            others.len()
        ));
    }
    Ok(())
}

/// Whether a member may be removed: a majority of the voters that stay must be there, or the change could neither be made nor
/// taken back, and nothing be written meanwhile. Errors: why not, and what to do.
fn can_go(
    members: &Members,
    own: u64,
    progress: &BTreeMap<u64, PeerProgress>,
    node: u64,
) -> Result<(), String> {
    if !members.voters.contains_key(&node) {
        return Ok(());
    }
    let is_heard = |voter: u64| {
        let heard = progress.get(&voter).and_then(|progress| progress.heard);
        voter == own || heard.is_some_and(|heard| heard < HEARD)
    };
    let staying = members.voters.keys().copied().filter(|voter| *voter != node);
    let (there, silent): (Vec<u64>, Vec<u64>) = staying.partition(|voter| is_heard(*voter));
    // Of none that stay the log has its own to say.
    if silent.is_empty() || there.len() > silent.len() {
        return Ok(());
    }
    let silent = listed(silent.into_iter());
    Err(format!(
        "without member {node} there would be no majority: {silent} can't be heard, and {} of {} voters would be left. Nothing \
         could be written then. First bring {silent} back or remove it, or start an empty node in its place",
        there.len(),
        members.voters.len() - 1
    ))
}

fn said(done: Result<(), RaftError>) -> Said {
    match done {
        Ok(()) => Said::Done,
        Err(RaftError::NotLeader { leader }) => {
            Said::NotPrimary { primary: leader.map(|leader| leader.address) }
        }
        // It may yet be made: whoever asked again would be told that there is nothing to be done, or have it done twice.
        Err(RaftError::LeadershipLost { .. }) => Said::not_now(
            "another node became the primary while the change was under way: whether it was made is not known; look with `forebay status`",
        ),
        Err(error) => Said::not_now(error.to_string()),
    }
}

async fn set_parameter(store: &Embedded, name: &str, value: Option<u64>) -> Said {
    let parameter = match parameters::named(name) {
        Ok(parameter) => parameter,
        Err(why) => return Said::never(why),
    };
    let cx = Context::default();
    let Ok(set) = tokio::time::timeout(SET_TIMEOUT, store.set_parameter(&cx, parameter, value)).await else {
        let why = format!(
            "no answer in {SET_TIMEOUT:?}: whether {name} was set is not known; look with `forebay param get`"
        );
        return Said::not_now(why);
    };
    match set {
        Ok(()) => Said::Done,
        Err(ParameterError::Store(error)) if error.is_not_primary() => {
            Said::NotPrimary { primary: leader(store).map(|leader| leader.address) }
        }
        Err(error @ ParameterError::OutOfBounds { .. }) => Said::never(error.to_string()),
        Err(error @ (ParameterError::NotSupported { .. } | ParameterError::Store(_))) => {
            Said::not_now(error.to_string())
        }
    }
}

async fn transfer(store: &Embedded, to: Option<u64>) -> Said {
    let log = store.log();
    if !leads(store) {
        return said(Err(RaftError::NotLeader { leader: leader(store) }));
    }
    // As was asked: whoever asks again, or for the same twice, has what it wanted.
    if to == Some(log.node_id()) {
        return Said::Done;
    }
    let members = Arc::clone(&log.membership().borrow());
    if let Err(why) = can_lead_next(&members, log.node_id(), to) {
        return Said::never(why);
    }
    match to.or_else(|| successor(store)) {
        Some(to) => said(log.transfer_leadership(to).await),
        None => Said::not_now(NOBODY_FOLLOWS),
    }
}

/// Whether a member, or any, could be the primary after `own`. Errors: why not, and what to do.
fn can_lead_next(members: &Members, own: u64, to: Option<u64>) -> Result<(), String> {
    let others = || listed(members.voters.keys().copied().filter(|voter| *voter != own));
    match to {
        Some(to) if members.get(to).is_none() => Err(no_member(members, to)),
        _ if others().is_empty() => {
            Err(format!("member {own} is the only voter: there is nobody to hand over to"))
        }
        Some(to) if !members.voters.contains_key(&to) => Err(format!(
            "member {to} has no vote, so it can't be the primary; those that could are {}",
            others()
        )),
        Some(_) | None => Ok(()),
    }
}

fn leads(store: &Embedded) -> bool {
    matches!(*store.log().leadership().borrow(), Leadership::Leader { .. })
}

fn leader(store: &Embedded) -> Option<raft::Peer> {
    match &*store.log().leadership().borrow() {
        Leadership::Follower { leader, .. } => Some(leader.clone()),
        Leadership::Leader { .. } | Leadership::Unknown => None,
    }
}

/// Of the other voters that do not stop themselves, the one that has followed best and was heard just now, where this node is the
/// primary.
pub fn successor(store: &Embedded) -> Option<u64> {
    let log = store.log();
    let members: Arc<Members> = Arc::clone(&log.membership().borrow());
    let progress = log.progress();
    progress
        .iter()
        .filter(|(id, progress)| {
            let stops = |member: &Member| About::read(&member.about).is_some_and(|about| about.stopping);
            members.voters.get(id).is_some_and(|member| !stops(member))
                && progress.heard.is_some_and(|heard| heard < HEARD)
        })
        .max_by_key(|(_, progress)| progress.matched)
        .map(|(id, _)| *id)
}

/// Questions to one node, one after another. Without a bound of time: put one round each.
pub struct Conversation(BoxedStream);

impl Conversation {
    /// Over a stream to a node that answers.
    pub fn over(stream: BoxedStream) -> Conversation {
        Conversation(stream)
    }

    /// With the node at an address.
    pub async fn begin(peers: &Peers, address: &str) -> io::Result<Conversation> {
        Ok(Conversation(peers.dial(address, Lane::Control).await?))
    }

    /// Asks. After an error, or if the future is dropped early, there is no asking any more.
    pub async fn ask(&mut self, ask: &Ask) -> io::Result<Said> {
        write(&mut self.0, ask).await?;
        read(&mut self.0).await
    }
}

/// Asks the node at an address, which an error names.
pub async fn ask(peers: &Peers, address: &str, ask: &Ask) -> io::Result<Said> {
    let limit = match ask {
        Ask::Status => ASK_TIMEOUT,
        Ask::Join { .. } | Ask::Remove { .. } | Ask::Transfer { .. } | Ask::SetParameter { .. } => {
            CHANGE_TIMEOUT
        }
    };
    let asking = async { Conversation::begin(peers, address).await?.ask(ask).await };
    in_limit(limit, asking).await.map_err(|error| of_node(address, error))
}

/// Asks the node that stands alone over this data.
pub async fn ask_alone(data: &Path, ask: &Ask) -> io::Result<Said> {
    in_limit(CHANGE_TIMEOUT, async { crate::alone::reach(data).await?.ask(ask).await }).await
}

/// Asks for a change: the nodes at these addresses one after another, and where one says so the primary. While those that answer know
/// none it looks for one for as long as an election may take; [`Said::NotPrimary`] is answered where there was none even so. Errors: no
/// node could be reached; one was reached, and what became of the change is not known.
pub async fn ask_primary(peers: &Peers, addresses: &[String], change: &Ask) -> io::Result<Said> {
    let mut looking: Option<Instant> = None;
    loop {
        let found = ask_each(peers, addresses, change).await;
        match found {
            Ok(Said::NotPrimary { .. })
                if looking.get_or_insert_with(Instant::now).elapsed() < PRIMARY_WAIT => {}
            found => return found,
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Asks each node once.
async fn ask_each(peers: &Peers, addresses: &[String], change: &Ask) -> io::Result<Said> {
    let mut asked = BTreeSet::new();
    let mut next: Vec<String> = addresses.iter().rev().cloned().collect();
    let (mut unreached, mut not_primary): (Option<io::Error>, _) = (None, None);
    while let Some(address) = next.pop() {
        if !asked.insert(address.clone()) {
            continue;
        }
        let mut conversation = match in_limit(ASK_TIMEOUT, Conversation::begin(peers, &address)).await {
            Ok(conversation) => conversation,
            Err(error) => {
                // Of several the one that another try may get past.
                if unreached.as_ref().is_none_or(|known| is_lasting(known) && !is_lasting(&error)) {
                    unreached = Some(of_node(&address, error));
                }
                continue;
            }
        };
        match in_limit(CHANGE_TIMEOUT, conversation.ask(change)).await {
            Ok(Said::NotPrimary { primary }) => {
                next.extend(primary.clone());
                not_primary = Some(Said::NotPrimary { primary });
            }
            Ok(said) => return Ok(said),
            Err(error) => {
                let what =
                    format!("{error}; whether anything was changed is not known, look with `forebay status`");
                return Err(of_node(&address, io::Error::new(error.kind(), what)));
            }
        }
    }
    match (not_primary, unreached) {
        (Some(said), _) => Ok(said),
        (None, Some(error)) => Err(error),
        (None, None) => Err(io::Error::new(io::ErrorKind::NotFound, "there is no node to ask")),
    }
}

/// The same error, which names the node.
fn of_node(address: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OfNode { address: address.to_owned(), error })
}

#[derive(Debug, thiserror::Error)]
#[error("{address}: {error}")]
struct OfNode {
    address: String,
    #[source]
    error: io::Error,
}

async fn in_limit<T>(limit: Duration, asking: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, asking)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the node did not answer in time")))
}

async fn read<T: DeserializeOwned>(stream: &mut BoxedStream) -> io::Result<T> {
    let length = stream.read_u32().await? as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of more bytes than any has"));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    serde_json::from_slice(&message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn write<T: Serialize>(stream: &mut BoxedStream, message: &T) -> io::Result<()> {
    let message = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_u32(length).await?;
    stream.write_all(&message).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(voters: &[u64], learners: &[(u64, &str)]) -> Members {
        let voters = voters.iter().map(|voter| (*voter, Member::new(format!("n{voter}:1")))).collect();
        let learners =
            learners.iter().map(|(node, address)| (*node, Member::new((*address).to_owned()))).collect();
        Members { voters, learners, ..Members::default() }
    }

    fn heard(of: &[(u64, u64)]) -> BTreeMap<u64, PeerProgress> {
        let heard =
            |millis| PeerProgress { heard: Some(Duration::from_millis(millis)), ..PeerProgress::default() };
        of.iter().map(|(node, millis)| (*node, heard(*millis))).collect()
    }

    #[test]
    fn nobody_is_removed_whom_the_majority_needs() {
        let three = members(&[1, 2, 3], &[(20, "n20:1")]);
        let third_is_down = heard(&[(2, 50), (3, 5_000), (20, 50)]);
        let why = can_go(&three, 1, &third_is_down, 2).unwrap_err();
        assert!(why.contains("First bring 3 back or remove it"), "{why}");
        can_go(&three, 1, &third_is_down, 1).unwrap_err();
        can_go(&three, 1, &heard(&[(2, 50)]), 2).unwrap_err();
        // The one that is down, and one that has no vote, may go; where all are there, anybody.
        can_go(&three, 1, &third_is_down, 3).unwrap();
        can_go(&three, 1, &third_is_down, 20).unwrap();
        let all = heard(&[(2, 50), (3, 90)]);
        for node in [1, 2, 3] {
            can_go(&three, 1, &all, node).unwrap();
        }
        // Of five, one may be down while another goes; where two are, only they.
        let five = members(&[1, 2, 3, 4, 5], &[]);
        can_go(&five, 1, &heard(&[(2, 50), (3, 50), (4, 50)]), 4).unwrap();
        can_go(&five, 1, &heard(&[(2, 50), (3, 50)]), 3).unwrap_err();
        can_go(&five, 1, &heard(&[(2, 50), (3, 50)]), 5).unwrap();
        // Two: the one that is left must be there. The only one is the log's own affair.
        let two = members(&[1, 2], &[]);
        can_go(&two, 1, &heard(&[]), 2).unwrap();
        can_go(&two, 1, &heard(&[]), 1).unwrap_err();
        can_go(&members(&[1], &[]), 1, &heard(&[]), 1).unwrap();
    }

    #[test]
    fn whoever_belongs_to_the_cluster_is_not_the_node_that_is_to_join() {
        let desk = Desk::alone("c");
        let there = |stage, node| Status { node, ..desk.status_before(stage) };
        let why = is_taken("n3:8501", &there(Stage::Member, Some(17_471))).unwrap();
        assert!(why.contains("n3:8501 answers as member 17471") && why.contains("[advertise] peer"), "{why}");
        assert!(is_taken("n3:8501", &there(Stage::Member, None)).is_some());
        // An empty one in the place of one that is gone.
        for stage in [Stage::Empty, Stage::Starting] {
            assert_eq!(is_taken("n3:8501", &there(stage, None)), None);
        }
    }

    #[test]
    fn a_cluster_takes_eleven_nodes_and_takes_back_whoever_belongs_to_it() {
        let learners: Vec<(u64, String)> = (20..).map(|node| (node, format!("n{node}:1"))).take(8).collect();
        let mut learners: Vec<(u64, &str)> =
            learners.iter().map(|(node, address)| (*node, address.as_str())).collect();
        let last = learners.pop().unwrap();
        has_place(&members(&[1, 2, 3], &learners), last.1).unwrap();
        learners.push(last);
        let why = has_place(&members(&[1, 2, 3], &learners), "new:1").unwrap_err();
        assert!(why.contains("may have 11 nodes"), "{why}");
        has_place(&members(&[1, 2, 3], &learners), "n3:1").unwrap();
        // It comes back twice, and again and again.
        learners.push((30, "n3:1"));
        has_place(&members(&[1, 2, 3], &learners), "n3:1").unwrap();
        has_place(&members(&[1, 2, 3], &learners), "n20:1").unwrap();
        has_place(&members(&[1, 2, 3], &learners), "new:1").unwrap_err();
        learners.extend((31..).map(|node| (node, "n3:1")).take(10));
        has_place(&members(&[1, 2, 3], &learners), "n3:1").unwrap_err();
    }

    #[test]
    fn nobody_is_removed_who_is_none_or_the_last() {
        let three = members(&[1, 2, 3], &[(20, "n20:1")]);
        assert_eq!(is_removable(&three, 9).unwrap_err(), "there is no member 9; there are 1, 2, 3, 20");
        for node in [1, 20] {
            is_removable(&three, node).unwrap();
        }
        let sole = members(&[1], &[(20, "n20:1")]);
        let why = is_removable(&sole, 1).unwrap_err();
        assert!(why.contains("member 1 is the only voter") && why.contains("stop its nodes"), "{why}");
        is_removable(&sole, 20).unwrap();
    }

    #[test]
    fn leadership_goes_to_another_who_has_a_vote() {
        let three = members(&[1, 2, 3], &[(20, "n20:1")]);
        can_lead_next(&three, 1, Some(2)).unwrap();
        can_lead_next(&three, 1, None).unwrap();
        let refused = |members, to| can_lead_next(members, 1, to).unwrap_err();
        assert_eq!(refused(&three, Some(9)), "there is no member 9; there are 1, 2, 3, 20");
        assert!(refused(&three, Some(20)).ends_with("those that could are 2, 3"));
        let sole = members(&[1], &[(20, "n20:1")]);
        for to in [None, Some(20)] {
            assert!(refused(&sole, to).contains("member 1 is the only voter"));
        }
    }
}

//! Which members are there, as far as this node knows: those that clients are told of.
//!
//! The primary hears every member that answers its heartbeats. A replica hears the primary only, and asks it about the others,
//! again and again on one connection. Whoever has not been heard for [`SILENCE_MAX`] is there no more, until it is heard
//! again. While there is no primary that could tell, what the last one said stands, but for that one itself.
//!
//! Who was removed is told nothing by the log any more, and may follow somebody who has long been followed by another, or nobody. So
//! a node that has heard from no primary for a while asks all that it knows of whether one of them is the primary, and whether it
//! still belongs.
//!
//! Deliberately decides nothing but what is told: neither who leads nor who belongs is judged by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use host::metrics::{Gauge, Registry, names};
use parking_lot::Mutex;
use raft::{Leadership, PeerProgress};
use store::Embedded;
use tokio::time::Instant;

use super::control::{Ask, Conversation, Said, Status};
use super::peers::Peers;

/// Silence after which a member is taken to be gone. Longer than five heartbeats, and shorter than it takes to elect another
/// primary, so that nobody is told of the old one beside the new.
pub const SILENCE_MAX: Duration = Duration::from_millis(600);
/// How often a replica asks the primary.
const ASK_EVERY: Duration = Duration::from_millis(150);
/// Longest wait for its answer.
const ANSWER_WAIT: Duration = Duration::from_millis(200);
/// Without word from a primary for so long, a node asks the others whether it still belongs; and how often it does.
const ASK_OTHERS_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for their answers: more than a connection may take, so that what keeps one from standing is heard.
const OTHERS_WAIT: Duration = Duration::from_millis(1_500);

/// Who is there.
pub struct Presence {
    own: u64,
    begun: Instant,
    // Held for a look.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    removed: bool,
    // When a primary last said how things stand, or this node was it.
    told: Option<Instant>,
    primary: Option<Primary>,
    silent: BTreeSet<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Primary {
    node: u64,
    term: u64,
    since: Instant,
    /// When it was heard last; of this node itself, nothing.
    heard: Instant,
}

/// What a node knows at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The primary, with its term.
    pub primary: Option<(u64, u64)>,
    /// Members that are not there.
    pub silent: BTreeSet<u64>,
}

impl Presence {
    /// Of a node that has heard nobody yet, and takes all to be there.
    pub fn new(own: u64) -> Presence {
        Presence { own, begun: Instant::now(), seen: Mutex::default() }
    }

    /// Who is there now.
    pub fn now(&self, store: &Embedded) -> Present {
        let log = store.log();
        let leadership = log.leadership().borrow().clone();
        self.look(&leadership, &log.progress(), Instant::now())
    }

    /// Whether the primary says that this node is no member any more. It is told so by nobody else.
    pub fn is_removed(&self) -> bool {
        self.seen.lock().removed
    }

    /// How long ago the primary was heard, or this node was it.
    pub fn unheard(&self) -> Duration {
        self.unheard_at(Instant::now())
    }

    fn unheard_at(&self, now: Instant) -> Duration {
        match &self.seen.lock().primary {
            // It led until the others were silent.
            Some(known) if known.node == self.own => now.duration_since(known.since),
            Some(known) => now.duration_since(known.heard),
            None => now.duration_since(self.begun),
        }
    }

    /// Asks the primary for as long as there is one that is not this node. For ever.
    pub async fn follow(self: Arc<Self>, store: Arc<Embedded>, peers: Peers, registry: Registry) {
        let behind = registry.gauge(names::REPLICA_LAG_VERSIONS, &[]);
        let mut leadership = store.log().leadership();
        let mut conversation: Option<(String, Conversation)> = None;
        loop {
            let now = leadership.borrow_and_update().clone();
            match &now {
                Leadership::Follower { leader, .. } => {
                    let asked = ask(&peers, &leader.address, &mut conversation);
                    match tokio::time::timeout(ANSWER_WAIT, asked).await {
                        Ok(Some(status)) => self.told(&status, Instant::now(), &store, &behind),
                        Ok(None) | Err(_) => conversation = None,
                    }
                }
                Leadership::Leader { .. } => behind.set(0),
                Leadership::Unknown => {}
            }
            // Also what nobody asks for is noted: when who became the primary, and who has fallen silent.
            self.now(&store);
            // An error is a log that has ended; the pause keeps this from spinning until the node has stopped.
            tokio::select! {
                Ok(()) = leadership.changed() => {}
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    /// Where no primary says how things stand, asks the others whether one of them is it, and what it says of this node. For ever.
    /// `own` is where this node is reached, `listed` are the nodes of its config: it may know no member yet.
    pub async fn ask_others(
        self: Arc<Self>,
        store: Arc<Embedded>,
        peers: Peers,
        own: String,
        listed: Vec<String>,
    ) {
        let mut rounds = tokio::time::interval(ASK_OTHERS_EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.now(&store);
            if !self.is_untold(Instant::now()) {
                continue;
            }
            let members = Arc::clone(&store.log().membership().borrow());
            let known = members.iter().map(|(_, member)| &member.address).chain(&listed);
            let others: BTreeSet<String> = known.filter(|address| **address != own).cloned().collect();
            let mut answers = ask_each(&peers, &others).await;
            // Who is the primary may have joined since this node was heard of.
            let named = answers.iter().filter_map(|status| address_of_primary(status));
            let named: BTreeSet<String> =
                named.filter(|address| **address != own && !others.contains(*address)).cloned().collect();
            answers.extend(ask_each(&peers, &named).await);
            self.told_by_others(&answers);
        }
    }

    fn is_untold(&self, now: Instant) -> bool {
        let told = self.seen.lock().told.unwrap_or(self.begun);
        now.duration_since(told) >= ASK_OTHERS_EVERY
    }

    /// What others have said, of whom this node follows none. Whoever has just lost its part may say for a moment that it has it, so one
    /// primary that knows this node is enough.
    fn told_by_others(&self, answers: &[Box<Status>]) {
        let mut primaries = answers
            .iter()
            .filter(|status| {
                status.node.is_some() && status.primary == status.node && !status.members.is_empty()
            })
            .peekable();
        if primaries.peek().is_some() {
            let removed = primaries.all(|status| self.is_missing(status));
            self.seen.lock().removed = removed;
        }
    }

    fn is_missing(&self, status: &Status) -> bool {
        !status.members.is_empty() && status.members.iter().all(|member| member.node != self.own)
    }

    /// What the primary has said.
    fn told(&self, status: &Status, now: Instant, store: &Embedded, behind: &Gauge) {
        let mut seen = self.seen.lock();
        let Some(primary) = seen.primary.as_mut().filter(|primary| status.node == Some(primary.node)) else {
            return;
        };
        primary.heard = now;
        // It may have lost its part meanwhile, and then knows no more than this node does.
        if status.primary != status.node {
            return;
        }
        seen.told = Some(now);
        seen.removed = self.is_missing(status);
        seen.silent =
            status.members.iter().filter(|member| !member.present).map(|member| member.node).collect();
        let most = status.applied.saturating_sub(store.log().applied());
        behind.set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    fn look(&self, leadership: &Leadership, progress: &BTreeMap<u64, PeerProgress>, now: Instant) -> Present {
        let mut seen = self.seen.lock();
        let leads = match leadership {
            Leadership::Leader { term } => Some((self.own, *term)),
            Leadership::Follower { leader, term } => Some((leader.id, *term)),
            Leadership::Unknown => None,
        };
        if let Some((node, term)) = leads
            && seen.primary.is_none_or(|known| (known.node, known.term) != (node, term))
        {
            if let Some(before) = seen.primary
                && before.node != self.own
                && now.duration_since(before.heard) > SILENCE_MAX / 2
            {
                // It was followed by another because it fell silent. One that handed over was heard just now.
                seen.silent.insert(before.node);
            }
            seen.primary = Some(Primary { node, term, since: now, heard: now });
            seen.silent.remove(&node);
        }
        if matches!(leadership, Leadership::Leader { .. }) {
            (seen.told, seen.removed) = (Some(now), false);
        }
        let known = seen.primary;
        match known {
            Some(known) if known.node == self.own => {
                for (&node, progress) in progress {
                    let silent = match progress.heard {
                        Some(heard) => Some(heard > SILENCE_MAX),
                        // Not in this term: what was known of it before stands for a moment.
                        None => (now.duration_since(known.since) > SILENCE_MAX).then_some(true),
                    };
                    match silent {
                        Some(true) => seen.silent.insert(node),
                        Some(false) => seen.silent.remove(&node),
                        None => false,
                    };
                }
            }
            Some(known) if now.duration_since(known.heard) > SILENCE_MAX => {
                seen.silent.insert(known.node);
            }
            Some(_) | None => {}
        }
        let primary = leads.filter(|(node, _)| !seen.silent.contains(node));
        Present { primary, silent: seen.silent.clone() }
    }
}

/// The answer of the node at an address, on the connection that there is, or a new one. `None`: there is none.
async fn ask(
    peers: &Peers,
    address: &str,
    conversation: &mut Option<(String, Conversation)>,
) -> Option<Box<Status>> {
    if let Some((known, open)) = conversation
        && known == address
        && let Ok(Said::Status(status)) = open.ask(&Ask::Status).await
    {
        return Some(status);
    }
    // The other end closes a connection that is old.
    *conversation = None;
    let mut open = Conversation::begin(peers, address).await.ok()?;
    let Ok(Said::Status(status)) = open.ask(&Ask::Status).await else { return None };
    *conversation = Some((address.to_owned(), open));
    Some(status)
}

/// The answers of those that give one.
async fn ask_each(peers: &Peers, addresses: &BTreeSet<String>) -> Vec<Box<Status>> {
    let asking = addresses.iter().map(|address| ask_in_time(peers, address));
    futures_util::future::join_all(asking).await.into_iter().flatten().collect()
}

/// Where the primary is that a node follows.
fn address_of_primary(status: &Status) -> Option<&String> {
    let primary = status.primary?;
    status.members.iter().find(|member| member.node == primary).map(|member| &member.address)
}

/// The answer of the node at an address, on a connection for this once. Who says nothing at all can't be reached.
async fn ask_in_time(peers: &Peers, address: &str) -> Option<Box<Status>> {
    match tokio::time::timeout(OTHERS_WAIT, ask(peers, address, &mut None)).await {
        Ok(status) => status,
        Err(_) => {
            peers.gave_no_answer(address);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use raft::Peer;

    use super::*;
    use crate::cluster::about::About;
    use crate::cluster::control::{Desk, MemberStatus, Stage};

    fn heard(of: &[(u64, Option<u64>)]) -> BTreeMap<u64, PeerProgress> {
        let progress = |heard: Option<u64>| PeerProgress {
            matched: Some(1),
            heard: heard.map(Duration::from_millis),
            ..PeerProgress::default()
        };
        of.iter().map(|(node, millis)| (*node, progress(*millis))).collect()
    }

    fn follower(leader: u64, term: u64) -> Leadership {
        Leadership::Follower { leader: Peer { id: leader, address: "a:1".to_owned() }, term }
    }

    const NOBODY: &[(u64, Option<u64>)] = &[];

    #[test]
    fn the_primary_gives_up_whom_it_does_not_hear_and_takes_back_whom_it_does() {
        let (presence, now) = (Presence::new(1), Instant::now());
        let leads = Leadership::Leader { term: 4 };
        let seen = presence.look(&leads, &heard(&[(2, Some(50)), (3, None)]), now);
        assert_eq!(seen, Present { primary: Some((1, 4)), silent: BTreeSet::new() });
        // Nothing has been heard of 3 since this node leads.
        let later = now + SILENCE_MAX + Duration::from_millis(1);
        let seen = presence.look(&leads, &heard(&[(2, Some(650)), (3, None)]), later);
        assert_eq!(seen.silent, BTreeSet::from([2, 3]));
        let seen = presence.look(&leads, &heard(&[(2, Some(10)), (3, None)]), later);
        assert_eq!(seen.silent, BTreeSet::from([3]));
    }

    #[test]
    fn a_replica_gives_up_a_primary_that_is_silent_and_nobody_else() {
        let (presence, now) = (Presence::new(2), Instant::now());
        assert_eq!(presence.look(&follower(1, 4), &heard(NOBODY), now).primary, Some((1, 4)));
        let later = now + SILENCE_MAX + Duration::from_millis(1);
        let seen = presence.look(&follower(1, 4), &heard(NOBODY), later);
        assert_eq!(seen, Present { primary: None, silent: BTreeSet::from([1]) });
        // As the next primary it has not heard of it either, and does not tell of it in the meantime.
        let seen = presence.look(&Leadership::Leader { term: 5 }, &heard(&[(1, None), (3, None)]), later);
        assert_eq!(seen, Present { primary: Some((2, 5)), silent: BTreeSet::from([1]) });
        let seen = presence.look(&Leadership::Leader { term: 5 }, &heard(&[(1, Some(5)), (3, None)]), later);
        assert_eq!(seen.silent, BTreeSet::new());
    }

    #[test]
    fn silence_is_counted_from_whoever_was_heard_last() {
        let presence = Presence::new(2);
        let begun = presence.begun;
        let second = Duration::from_secs(1);
        assert_eq!(presence.unheard_at(begun + second), second, "nobody yet");
        presence.look(&follower(1, 4), &heard(NOBODY), begun + second);
        assert_eq!(presence.unheard_at(begun + second * 3), second * 2);
        presence.look(&Leadership::Leader { term: 5 }, &heard(NOBODY), begun + second * 4);
        assert_eq!(presence.unheard_at(begun + second * 5), second);
    }

    #[test]
    fn who_is_the_primary_anew_is_heard_anew() {
        let (presence, now) = (Presence::new(2), Instant::now());
        presence.look(&follower(1, 4), &heard(NOBODY), now);
        let later = now + SILENCE_MAX * 2;
        assert_eq!(presence.look(&Leadership::Unknown, &heard(NOBODY), later).silent, BTreeSet::from([1]));
        let seen = presence.look(&follower(1, 6), &heard(NOBODY), later);
        assert_eq!(seen, Present { primary: Some((1, 6)), silent: BTreeSet::new() });
    }

    /// What a node says that takes one to be the primary, and knows these members.
    fn says(node: u64, primary: u64, members: &[u64]) -> Box<Status> {
        let members = members.iter().map(|node| MemberStatus {
            node: *node,
            address: format!("n{node}:1"),
            voter: true,
            about: About::default(),
            matched: None,
            heard_millis: None,
            present: true,
        });
        let status = Desk::alone("c").status_before(Stage::Member);
        Box::new(Status { node: Some(node), primary: Some(primary), members: members.collect(), ..status })
    }

    #[test]
    fn who_was_removed_hears_it_from_a_primary_that_it_does_not_follow() {
        let presence = Presence::new(1);
        let removed = |answers: &[Box<Status>]| {
            presence.told_by_others(answers);
            presence.is_removed()
        };
        assert!(!removed(&[]) && !removed(&[says(3, 2, &[2, 3])]), "only of the primary");
        assert!(!removed(&[says(2, 2, &[])]), "which knows its members");
        assert!(removed(&[says(3, 2, &[2, 3]), says(2, 2, &[2, 3])]));
        assert!(removed(&[]), "that stands");
        assert!(!removed(&[says(2, 2, &[2, 3]), says(3, 3, &[1, 2, 3])]), "one of the two is out of date");
    }

    #[test]
    fn the_others_are_asked_once_no_primary_says_how_things_stand() {
        let presence = Presence::new(2);
        let begun = presence.begun;
        assert!(!presence.is_untold(begun) && presence.is_untold(begun + ASK_OTHERS_EVERY));
        // To follow somebody is not yet to be told.
        presence.look(&follower(1, 4), &heard(NOBODY), begun + ASK_OTHERS_EVERY);
        assert!(presence.is_untold(begun + ASK_OTHERS_EVERY));
        presence.told_by_others(&[says(3, 3, &[1, 3])]);
        presence.look(&Leadership::Leader { term: 5 }, &heard(NOBODY), begun + ASK_OTHERS_EVERY);
        assert!(!presence.is_untold(begun + ASK_OTHERS_EVERY) && !presence.is_removed(), "it leads");
    }
}

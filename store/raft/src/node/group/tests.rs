//! Groups of several members over a network in memory: elections, faults, changes of members, states sent.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use crate::clock::SystemClock;
use crate::error::{Outcome, RaftError};
use crate::log::memory::{CrashTail, MemoryLogDisk};
use crate::member::Member;
use crate::network::Peers;
use crate::node::{Bootstrap, Leadership, RaftNode, RaftSettings};
use crate::state::recorder::RecorderDisk;
use crate::transport::switchboard::Switchboard;

/// How long anything may take here, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    log: MemoryLogDisk,
    state: RecorderDisk,
    node: Option<RaftNode<Bytes>>,
}

/// How long everything takes where a moment is to be caught.
const BETWEEN_STEPS: Duration = Duration::from_millis(20);
/// Attempts to catch it.
const TRIES: usize = 10;

struct Group {
    board: Switchboard,
    places: BTreeMap<u64, Place>,
    settings: RaftSettings,
}

fn address(id: u64) -> String {
    format!("node-{id}:8501")
}

fn payload(number: usize) -> Bytes {
    Bytes::from(format!("command {number}"))
}

async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(found) = look().await {
            return found;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("not within {PATIENCE:?}: {what}");
}

impl Group {
    fn empty() -> Self {
        Self { board: Switchboard::default(), places: BTreeMap::new(), settings: RaftSettings::default() }
    }

    /// Members 1 to `count`, begun together.
    fn of(count: u64) -> Self {
        let mut group = Self::empty();
        let members = (1..=count).map(|id| (id, Member::new(address(id)))).collect();
        let bootstrap = Bootstrap::Members(members);
        for id in 1..=count {
            group.open(id, bootstrap.clone());
        }
        group
    }

    fn open(&mut self, id: u64, bootstrap: Bootstrap) {
        self.open_at(id, &address(id), bootstrap);
    }

    fn open_at(&mut self, id: u64, address: &str, bootstrap: Bootstrap) {
        let place = self.places.entry(id).or_insert_with(|| Place {
            log: MemoryLogDisk::new(),
            state: RecorderDisk::default(),
            node: None,
        });
        let settings =
            RaftSettings { node_id: id, address: address.to_owned(), bootstrap, ..self.settings.clone() };
        let clock = Arc::new(SystemClock::new());
        let peers = Peers::new(self.board.transport(address));
        let opened = RaftNode::open(settings, Arc::new(place.log.opened()), place.state.open(), clock, peers);
        place.node = Some(opened.unwrap());
    }

    fn node(&self, id: u64) -> RaftNode<Bytes> {
        self.places[&id].node.clone().unwrap()
    }

    fn running(&self) -> Vec<(u64, RaftNode<Bytes>)> {
        self.places.iter().filter_map(|(id, place)| Some((*id, place.node.clone()?))).collect()
    }

    /// The power of a node goes.
    async fn kill(&mut self, id: u64) {
        let place = self.places.get_mut(&id).unwrap();
        place.log.crash(CrashTail::default());
        place.state.crash();
        let _ = place.node.take().unwrap().shutdown().await;
    }

    async fn stop(&mut self) {
        for place in self.places.values_mut() {
            if let Some(node) = place.node.take() {
                node.shutdown().await.unwrap();
            }
        }
    }

    /// Whoever leads, once one of these does.
    async fn leader_among(&self, ids: &[u64]) -> u64 {
        eventually("a leader", || async {
            let leads = |id: &u64| matches!(*self.node(*id).leadership().borrow(), Leadership::Leader { .. });
            ids.iter().copied().find(leads)
        })
        .await
    }

    async fn leader(&self) -> u64 {
        let ids: Vec<u64> = self.running().iter().map(|(id, _)| *id).collect();
        self.leader_among(&ids).await
    }

    /// Proposes on whoever leads, again if it is certain that it was not done.
    async fn propose(&self, number: usize) -> u64 {
        eventually("a proposal", || async {
            let leader = self.leader().await;
            match self.node(leader).propose(payload(number)).await {
                Ok(applied) => Some(applied.index),
                Err(error) => {
                    assert_eq!(error.outcome(), Outcome::NotDone, "{error}");
                    None
                }
            }
        })
        .await
    }

    fn applied(&self, id: u64) -> Vec<Bytes> {
        self.places[&id].state.applied().into_iter().map(|(_, payload)| payload).collect()
    }

    /// Waits until all that run have applied an entry, and looks whether they agree.
    async fn agreed(&self, index: u64) -> Vec<Bytes> {
        for (id, node) in self.running() {
            eventually(&format!("entry {index} on node {id}"), || async {
                (node.applied() >= index).then_some(())
            })
            .await;
        }
        let mut all = self.running().into_iter().map(|(id, _)| self.applied(id));
        let first = all.next().unwrap();
        assert!(all.all(|other| other == first), "replicas differ");
        first
    }

    /// Nothing passes between this node and the others.
    fn isolate(&self, id: u64) {
        for other in self.places.keys().filter(|other| **other != id) {
            self.board.block(&address(id), &address(*other));
            self.board.block(&address(*other), &address(id));
        }
    }

    fn others(&self, id: u64) -> Vec<u64> {
        self.places.keys().copied().filter(|other| *other != id).collect()
    }
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<Bytes> {
    numbers.map(payload).collect()
}

#[tokio::test]
async fn three_nodes_elect_one_and_apply_the_same_in_one_order() {
    let mut group = Group::of(3);
    let mut last = 0;
    for number in 0..50 {
        last = group.propose(number).await;
    }
    assert_eq!(group.agreed(last).await, expected(0..50));
    let leader = group.leader().await;
    let leading = group
        .running()
        .into_iter()
        .filter(|(_, node)| matches!(*node.leadership().borrow(), Leadership::Leader { .. }));
    assert_eq!(leading.count(), 1);
    for other in group.others(leader) {
        let node = group.node(other);
        let error = node.propose(payload(99)).await.unwrap_err();
        assert!(
            matches!(&error, RaftError::NotLeader { leader: Some(peer) } if peer.id == leader),
            "{error}"
        );
        assert!(node.read_index_now().is_none());
        assert!(matches!(node.read_index().await, Err(RaftError::NotLeader { .. })));
    }
    assert!(group.node(leader).read_index_now().is_none(), "others may vote: it must be asked for");
    assert!(group.node(leader).read_index().await.unwrap() >= last);
    group.stop().await;
}

#[tokio::test]
async fn after_a_leader_is_killed_another_leads_and_nothing_acknowledged_is_lost() {
    let mut group = Group::of(3);
    let mut pauses = Vec::new();
    for round in 0..5 {
        for number in round * 10..round * 10 + 10 {
            group.propose(number).await;
        }
        let leader = group.leader().await;
        let begun = Instant::now();
        group.kill(leader).await;
        group.leader().await;
        pauses.push(begun.elapsed());
        group.open(leader, Bootstrap::Join);
    }
    let last = group.propose(50).await;
    assert_eq!(group.agreed(last).await, expected(0..51));
    pauses.sort();
    println!("without a leader for {pauses:?}");
    assert!(pauses[2] < Duration::from_secs(2), "{pauses:?}");
    group.stop().await;
}

#[tokio::test]
async fn a_leader_that_is_cut_off_acknowledges_nothing_and_steps_back() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let old = group.leader().await;
    let node = group.node(old);
    group.isolate(old);
    // It does not know yet, so it takes them.
    let waiting = tokio::spawn(node.propose(payload(100)));
    let read = tokio::spawn(node.read_index());
    let others = group.others(old);
    let new = group.leader_among(&others).await;
    assert!(read.await.unwrap().is_err(), "a read was called linearizable without a quorum");
    let error = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, RaftError::LeadershipLost { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    let index =
        eventually("a proposal", || async { group.node(new).propose(payload(1)).await.ok() }).await.index;
    assert_eq!(*node.leadership().borrow(), Leadership::Unknown);
    assert!(matches!(node.propose(payload(101)).await, Err(RaftError::NotLeader { leader: None })));
    assert!(node.read_index().await.is_err());
    assert!(node.applied() < index);
    group.board.heal();
    let applied = group.agreed(index).await;
    assert_eq!(applied, expected(0..2), "what was not acknowledged did not take effect, and what was did");
    eventually("it follows", || async {
        matches!(&*node.leadership().borrow(), Leadership::Follower { .. }).then_some(())
    })
    .await;
    group.stop().await;
}

#[tokio::test]
async fn a_leader_that_is_heard_and_does_not_hear_is_replaced() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let old = group.leader().await;
    let others = group.others(old);
    for other in &others {
        group.board.block(&address(*other), &address(old));
    }
    let new = group.leader_among(&others).await;
    eventually("a proposal", || async { group.node(new).propose(payload(1)).await.ok() }).await;
    group.board.heal();
    let last = group.propose(2).await;
    assert_eq!(group.agreed(last).await, expected(0..3));
    group.stop().await;
}

#[tokio::test]
async fn a_node_that_comes_back_from_isolation_does_not_depose_the_leader() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let leader = group.leader().await;
    let before = group.node(leader).leadership().borrow().clone();
    let away = group.others(leader)[0];
    group.isolate(away);
    sleep(Duration::from_millis(group.settings.election_max_millis * 6)).await;
    group.board.heal();
    let index = group.propose(1).await;
    group.agreed(index).await;
    sleep(Duration::from_millis(group.settings.election_max_millis * 3)).await;
    assert_eq!(*group.node(leader).leadership().borrow(), before, "same leader, same term");
    group.stop().await;
}

#[tokio::test]
async fn leadership_is_transferred_under_load_and_no_proposal_is_lost() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let nodes: Vec<_> = group.running();
    let proposing = tokio::spawn(async move {
        let mut number = 1;
        let mut longest = Duration::ZERO;
        let mut acknowledged = Instant::now();
        while !*stopped.borrow() {
            for (_, node) in &nodes {
                match node.propose(payload(number)).await {
                    Ok(_) => {
                        number += 1;
                        longest = longest.max(acknowledged.elapsed());
                        acknowledged = Instant::now();
                    }
                    Err(error) => assert_eq!(error.outcome(), Outcome::NotDone, "{error}"),
                }
            }
            sleep(Duration::from_millis(1)).await;
        }
        (number, longest)
    });
    for _ in 0..6 {
        let leader = group.leader().await;
        let to = group.others(leader)[0];
        group.node(leader).transfer_leadership(to).await.unwrap();
        assert_eq!(group.leader_among(&[to]).await, to);
        sleep(Duration::from_millis(50)).await;
    }
    stop.send(true).unwrap();
    let (number, longest) = proposing.await.unwrap();
    println!("{number} proposals, the longest pause {longest:?}");
    let last = group.propose(number).await;
    assert_eq!(group.agreed(last).await, expected(0..number + 1));
    group.stop().await;
}

#[tokio::test]
async fn a_new_leader_is_told_of_once_it_has_applied_what_was_acknowledged_before() {
    let mut group = Group::of(3);
    let last = group.propose(0).await;
    group.agreed(last).await;
    let leader = group.leader().await;
    let next = group.others(leader)[0];
    let state = group.places[&next].state.clone();
    state.hold(true);
    group.propose(1).await;
    group.node(leader).transfer_leadership(next).await.unwrap();
    // It leads, a quorum answers it, and its own entry is committed: the others have it.
    for _ in 0..100 {
        assert_eq!(*group.node(next).leadership().borrow(), Leadership::Unknown);
        assert_eq!(group.applied(next), expected(0..1));
        sleep(Duration::from_millis(5)).await;
    }
    state.hold(false);
    assert_eq!(group.leader_among(&[next]).await, next);
    assert_eq!(group.applied(next), expected(0..2));
    group.stop().await;
}

#[tokio::test]
async fn members_are_added_promoted_described_and_removed_at_run_time() {
    let mut group = Group::empty();
    group.open(1, Bootstrap::Alone);
    let first = group.node(1);
    group.propose(0).await;
    assert!(first.read_index_now().is_some(), "the only voter need ask nobody");
    assert!(first.transfer_leadership(2).await.is_err());
    for id in [2, 3] {
        group.open(id, Bootstrap::Join);
        assert!(!group.node(id).is_initialized());
        assert_eq!(*group.node(id).leadership().borrow(), Leadership::Unknown);
        assert!(matches!(first.promote(id).await, Err(RaftError::Membership(_))), "no learner yet");
        first.add_learner(id, Member::new(address(id))).await.unwrap();
        let index = group.propose(id as usize - 1).await;
        eventually("it has caught up", || async {
            (first.progress().get(&id)?.matched? >= index).then_some(())
        })
        .await;
        assert!(group.node(id).is_initialized());
        first.promote(id).await.unwrap();
    }
    assert!(first.read_index_now().is_none(), "no longer the only voter");
    let members = Arc::clone(&first.membership().borrow());
    assert_eq!(members.voters.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert!(!members.changing);

    let about = "{\"zone\":\"b\"}".to_owned();
    eventually("the leader hears of it", || async { group.node(2).set_about(about.clone()).await.ok() })
        .await;
    for (id, node) in group.running() {
        let mut members = node.membership();
        let known = members.wait_for(|members| members.get(2).is_some_and(|member| member.about == about));
        assert!(timeout(PATIENCE, known).await.is_ok(), "node {id} was not told");
    }

    let leader = group.leader().await;
    group.node(leader).remove(leader).await.unwrap();
    let others = group.others(leader);
    let next = group.leader_among(&others).await;
    assert_eq!(group.node(next).membership().borrow().voters.len(), 2);
    let index =
        eventually("a proposal", || async { group.node(next).propose(payload(3)).await.ok() }).await.index;
    sleep(Duration::from_millis(300)).await;
    assert!(group.node(leader).applied() < index, "one who was removed is told nothing more");

    let last = others.into_iter().find(|other| *other != next).unwrap();
    group.node(next).remove(last).await.unwrap();
    sleep(Duration::from_millis(group.settings.election_max_millis * 3)).await;
    let alone = group.node(next);
    assert!(matches!(*alone.leadership().borrow(), Leadership::Leader { .. }), "it is a quorum by itself");
    alone.propose(payload(4)).await.unwrap();
    assert!(alone.confirmed_age().unwrap() < Duration::from_secs(1));
    group.stop().await;
}

#[tokio::test]
async fn a_member_replaces_another_in_one_step() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let leader = group.leader().await;
    let gone = group.others(leader)[0];
    group.kill(gone).await;
    group.places.remove(&gone);
    group.open(4, Bootstrap::Join);
    let node = group.node(leader);
    node.add_learner(4, Member::new(address(4))).await.unwrap();
    node.change_members(BTreeSet::from([4]), BTreeSet::from([gone])).await.unwrap();
    let members = Arc::clone(&node.membership().borrow());
    assert!(members.get(gone).is_none() && members.voters.contains_key(&4) && members.voters.len() == 3);
    let last = group.propose(1).await;
    assert_eq!(group.agreed(last).await, expected(0..2));
    group.stop().await;
}

/// A node that starts says who it is, and three that start at once do it at once.
#[tokio::test]
async fn members_that_say_at_once_who_they_are_are_all_heard() {
    let mut group = Group::of(3);
    let last = group.propose(0).await;
    group.agreed(last).await;
    for time in 0..10 {
        let node = |id| group.node(id);
        let about = |id: u64| format!("{id}, time {time}");
        let (first, second, third) = (node(1), node(2), node(3));
        let said =
            tokio::join!(first.set_about(about(1)), second.set_about(about(2)), third.set_about(about(3)));
        assert_eq!((&said.0, &said.1, &said.2), (&Ok(()), &Ok(()), &Ok(())));
        for (id, node) in group.running() {
            eventually("it is agreed on", || async { node.is_known_as(&about(id)).then_some(()) }).await;
        }
    }
    group.stop().await;
}

/// Said between the two steps of the change, it would be taken for the second, by which who is to go stays as a learner: for ever, for
/// its successor has no learner to replace.
#[tokio::test]
async fn who_says_who_it_is_between_the_two_steps_of_a_change_waits_for_the_second() {
    for _ in 0..TRIES {
        let mut group = Group::of(3);
        group.propose(0).await;
        let leader = group.leader().await;
        let [gone, other] = group.others(leader)[..] else { panic!("there are three") };
        group.open(4, Bootstrap::Join);
        let node = group.node(leader);
        node.add_learner(4, Member::new(address(4))).await.unwrap();
        let last = group.propose(1).await;
        group.agreed(last).await;
        let mut members = group.node(other).membership();
        members.borrow_and_update();
        // So that there is time between the steps.
        group.board.delay(BETWEEN_STEPS);
        let mut changing =
            tokio::spawn(
                async move { node.change_members(BTreeSet::from([4]), BTreeSet::from([gone])).await },
            );
        // The first step has come, and the leader that would take the second goes.
        let begun = tokio::select! {
            begun = timeout(PATIENCE, members.wait_for(|members| members.changing)) => {
                begun.expect("it begins").expect("the log runs");
                true
            }
            _ = &mut changing => false,
        };
        if !begun {
            group.stop().await;
            continue;
        }
        group.isolate(leader);
        group.board.delay(Duration::ZERO);
        let rest = group.others(leader);
        let next = group.leader_among(&rest).await;
        let is_between = group.node(next).membership().borrow().changing;
        let says = rest.into_iter().find(|id| ![next, gone].contains(id)).unwrap();
        eventually("it is heard", || async { group.node(says).set_about("about".to_owned()).await.ok() })
            .await;
        let members = Arc::clone(&group.node(next).membership().borrow());
        assert!(!members.changing, "it has waited");
        assert_eq!(members.get(gone), None, "nobody was kept back");
        changing.abort();
        group.stop().await;
        if is_between {
            return;
        }
    }
    panic!("a leader was never gone between the two steps");
}

/// Its data was copied to another machine. The leader has spoken to it at the old address all along, and where that was nobody
/// answers, or somebody else does.
#[tokio::test]
async fn a_member_that_moves_with_its_data_is_followed_to_its_new_address() {
    let mut group = Group::of(3);
    group.propose(0).await;
    let leader = group.leader().await;
    let (mover, elsewhere) = (group.others(leader)[0], "elsewhere:8501");
    for number in 1..3 {
        group.kill(mover).await;
        // The first time its machine still takes what is sent there.
        if number == 2 {
            group.board.leave(elsewhere);
        }
        let to = if number == 1 { elsewhere.to_owned() } else { address(mover) };
        group.open_at(mover, &to, Bootstrap::Join);
        eventually("the leader hears of it", || async {
            group.node(mover).set_about(format!("move {number}")).await.ok()
        })
        .await;
        let leads = group.leader().await;
        let before = group.node(leads).leadership().borrow().clone();
        let last = group.propose(number).await;
        assert_eq!(group.agreed(last).await, expected(0..number + 1));
        let named = group.node(leads).membership().borrow().get(mover).unwrap().address.clone();
        assert_eq!(named, to);
        assert_eq!(*group.node(leads).leadership().borrow(), before, "no other leader had to find it");
    }
    group.stop().await;
}

/// Settings under which the log is soon gone.
fn forgetful() -> RaftSettings {
    RaftSettings { keep_log_millis: 0, keep_log_bytes: 0, recent_bytes: 1024, ..RaftSettings::default() }
}

/// A node alone that has forgotten the log of what it applied: so many commands of 16 KiB.
async fn forgotten(commands: usize) -> Group {
    let mut group = Group::empty();
    group.settings = forgetful();
    group.open(1, Bootstrap::Alone);
    for number in 0..commands {
        let mut command = vec![7; 16 * 1024];
        command[..8].copy_from_slice(&number.to_be_bytes());
        group.node(1).propose(command.into()).await.unwrap();
    }
    // What is found at the next open may go at once.
    group.stop().await;
    group.open(1, Bootstrap::Alone);
    eventually("the log is purged", || async {
        group.node(1).flush().await.unwrap();
        (group.places[&1].log.keys().len() < 20).then_some(())
    })
    .await;
    group
}

#[tokio::test]
async fn a_member_whose_log_is_gone_gets_the_state_also_after_it_was_cut_off() {
    let mut group = forgotten(100).await;
    group.board.cut_after(&address(1), &address(2), 600 * 1024);
    group.open(2, Bootstrap::Join);
    group.node(1).add_learner(2, Member::new(address(2))).await.unwrap();
    let last =
        eventually("a proposal", || async { group.node(1).propose(payload(100)).await.ok() }).await.index;
    assert_eq!(group.agreed(last).await.len(), 101);
    assert!(group.board.was_harmed(&address(1), &address(2)));
    let (begun, installed) = group.places[&2].state.received();
    assert!(begun >= 2 && installed == 1, "begun {begun} times, installed {installed}");
    // It may be killed right after, when its log knows nothing of what its state holds.
    group.kill(2).await;
    group.open(2, Bootstrap::Join);
    group.node(1).promote(2).await.unwrap();
    let last = group.propose(101).await;
    assert_eq!(group.agreed(last).await.len(), 102);
    group.stop().await;
}

#[tokio::test]
async fn a_member_that_was_away_too_long_gets_the_state() {
    let mut group = Group::empty();
    group.settings = forgetful();
    let members: BTreeMap<_, _> = (1..=3).map(|id| (id, Member::new(address(id)))).collect();
    for id in 1..=3 {
        group.open(id, Bootstrap::Members(members.clone()));
    }
    group.propose(0).await;
    let leader = group.leader().await;
    let away = group.others(leader)[0];
    group.kill(away).await;
    for number in 1..2_000 {
        group.propose(number).await;
    }
    // Both that are left forget.
    for id in group.others(away) {
        group.places.get_mut(&id).unwrap().node.take().unwrap().shutdown().await.unwrap();
        group.open(id, Bootstrap::Join);
    }
    group.propose(2_000).await;
    for id in group.others(away) {
        eventually("the log is purged", || async {
            group.node(id).flush().await.unwrap();
            (group.places[&id].log.keys().len() < 1_000).then_some(())
        })
        .await;
    }
    group.open(away, Bootstrap::Join);
    let last = group.propose(2_001).await;
    assert_eq!(group.agreed(last).await, expected(0..2_002));
    assert_eq!(group.places[&away].state.received().1, 1);
    group.stop().await;
}

#[tokio::test]
async fn a_member_of_another_group_is_refused_and_changes_nothing() {
    let mut group = Group::of(3);
    group.propose(0).await;
    group.settings.group = "another".to_owned();
    group.open(4, Bootstrap::Join);
    let leader = group.leader().await;
    group.node(leader).add_learner(4, Member::new(address(4))).await.unwrap();
    group.propose(1).await;
    sleep(Duration::from_secs(1)).await;
    assert!(!group.node(4).is_initialized(), "it was taken for one of us");
    assert!(group.applied(4).is_empty());
    group.stop().await;
}

#[tokio::test]
async fn all_three_killed_at_once_lose_nothing() {
    let mut group = Group::of(3);
    for number in 0..30 {
        group.propose(number).await;
    }
    for round in 0..3 {
        for id in 1..=3 {
            group.kill(id).await;
        }
        for id in 1..=3 {
            group.open(id, Bootstrap::Join);
        }
        let last = group.propose(30 + round).await;
        assert_eq!(group.agreed(last).await, expected(0..31 + round));
    }
    group.stop().await;
}

#[tokio::test]
async fn many_reads_share_a_round_and_see_what_was_acknowledged() {
    let mut group = Group::of(3);
    group.propose(0).await;
    group.board.delay(Duration::from_millis(15));
    let last = group.propose(1).await;
    let leader = group.leader().await;
    let node = group.node(leader);
    let begun = Instant::now();
    let reads: Vec<_> = (0..500).map(|_| tokio::spawn(node.read_index())).collect();
    for read in reads {
        assert!(read.await.unwrap().unwrap() >= last);
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "500 reads took {:?}", begun.elapsed());
    group.stop().await;
}

/// So a leader finds its sockets that was stopped while it wrote: answers of before, which say nothing of who leads by now.
#[tokio::test]
async fn answers_to_what_was_sent_before_a_read_do_not_confirm_it() {
    let mut group = Group::of(3);
    let last = group.propose(0).await;
    group.agreed(last).await;
    let leader = group.leader().await;
    let (node, others) = (group.node(leader), group.others(leader));
    let syncs = |id: &u64| group.places[id].log.syncs();
    let before: Vec<u64> = others.iter().map(syncs).collect();
    for other in &others {
        group.board.block(&address(*other), &address(leader));
    }
    let proposal = tokio::spawn(node.propose(payload(1)));
    eventually("the others have it", || async {
        others.iter().map(syncs).zip(&before).all(|(now, before)| now > *before).then_some(())
    })
    .await;
    // Now they answer, to nobody as yet.
    sleep(Duration::from_millis(20)).await;
    let age_before = node.confirmed_age().unwrap();
    for other in &others {
        group.board.block(&address(leader), &address(*other));
    }
    let mut read = tokio::spawn(node.read_index());
    sleep(Duration::from_millis(5)).await;
    let begun = Instant::now();
    group.board.unblock(&address(others[0]), &address(leader));
    let applied = timeout(PATIENCE, proposal).await.unwrap().unwrap();
    assert!(applied.is_ok(), "an answer of before is as good as any to commit: {applied:?}");
    // The other one's answer is read when there is already something new to tell it.
    sleep(Duration::from_millis(5)).await;
    group.board.unblock(&address(others[1]), &address(leader));
    if let Ok(read) = timeout(Duration::from_millis(200), &mut read).await {
        assert!(read.unwrap().is_err(), "confirmed, and nobody has heard of it");
    }
    let age = node.confirmed_age().unwrap();
    assert!(age >= begun.elapsed(), "nobody has heard of it for {:?}, {age:?} it says", begun.elapsed());
    assert!(age > age_before);
    group.board.heal();
    let last = group.propose(2).await;
    assert_eq!(group.agreed(last).await, expected(0..3));
    group.stop().await;
}

#[tokio::test]
async fn each_node_knows_how_old_its_state_is() {
    let mut group = Group::of(3);
    let last = group.propose(0).await;
    group.agreed(last).await;
    let fresh = Duration::from_secs(1);
    for (id, node) in group.running() {
        eventually(&format!("node {id} is fresh"), || async {
            (node.confirmed_age()? < fresh).then_some(())
        })
        .await;
    }
    let leader = group.leader().await;
    let away = group.others(leader)[0];
    group.isolate(away);
    sleep(Duration::from_secs(3)).await;
    let age = group.node(away).confirmed_age().unwrap();
    assert!(age >= Duration::from_secs(2), "cut off for three seconds, and says {age:?}");
    let age = group.node(leader).confirmed_age().unwrap();
    assert!(age < Duration::from_secs(2), "{age:?} with a quorum");
    // A leader and one follower of three are a quorum; the leader alone is none, and its followers learn nothing of it.
    for other in group.others(leader) {
        group.board.block(&address(other), &address(leader));
    }
    sleep(Duration::from_secs(3)).await;
    let age = group.node(leader).confirmed_age().unwrap();
    assert!(age >= Duration::from_secs(2), "nobody has answered for three seconds, and it says {age:?}");
    group.board.heal();
    for (id, node) in group.running() {
        eventually(&format!("node {id} is fresh"), || async {
            (node.confirmed_age()? < fresh).then_some(())
        })
        .await;
    }
    group.stop().await;
}

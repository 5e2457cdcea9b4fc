//! How a node comes by its number, before its store is opened.
//!
//! | the node | the others | what it does |
//! |---|---|---|
//! | has a number | | goes on under it |
//! | has nothing | one belongs to the cluster | joins through it, under a new number |
//! | has nothing, and is one of the first five listed | all listed answer, and none belongs to anything | takes the number of its place in the list, keeps it, and says so |
//! | has the number of its place | all others of those have theirs, or belong already | begins |
//! | anything else | | waits, and says for whom |
//!
//! Why in two steps: a node that finds the others part of a cluster must know whether it has been one of them. It has, only if
//! its number is kept beside its data. So nobody begins before everybody has kept a number; who then has none has lost it.
//!
//! Why five: whoever begins has a vote, and no more than five are to have one. Those listed behind them join.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use raft::{Bootstrap, Member};

use super::control::{self, Ask, Desk, MemberStatus, Said, Stage, Status};
use super::identity::{Identity, IdentityFile, Origin};
use super::peers::Peers;

/// The pause between two rounds of questions.
const ROUND: Duration = Duration::from_millis(250);
/// How often the log says for whom the node waits. Unit: rounds.
const TELL_EVERY: u64 = 40;

/// How many nodes begin a cluster at most: as many as vote.
const FOUNDERS_MAX: usize = 5;

/// What a node begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Its number.
    pub node: u64,
    /// What it does if its log is empty.
    pub bootstrap: Bootstrap,
}

/// What a node that is about to begin knows.
pub struct Bootstrapping<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The nodes that are listed, of which the first begin it, in order.
    pub nodes: &'a [String],
    /// Where this node is reached by the others.
    pub address: &'a str,
    /// The way to them.
    pub peers: &'a Peers,
    /// Answers theirs.
    pub desk: &'a Desk,
    /// Where the number is kept.
    pub file: &'a IdentityFile,
}

impl Bootstrapping<'_> {
    /// Comes by a number; waits for as long as it takes. `waiting` is told for whom. Errors: a number that can't be read, kept,
    /// or is of another cluster.
    pub async fn begin(&self, mut waiting: impl FnMut(&str)) -> io::Result<Beginning> {
        let mut identity = self.file.read()?;
        if let Some(known) = &identity {
            let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
            known.serves(self.cluster, self.file.data()).map_err(invalid)?;
        }
        let mut rounds = 0;
        loop {
            let why = match identity.take() {
                Some(Identity { origin: Origin::Recovering, .. }) => unreachable!("it was refused above"),
                Some(Identity { node, origin: Origin::Joined, former, .. }) => {
                    self.desk.descends_from(former);
                    self.desk.closed();
                    return Ok(Beginning { node, bootstrap: Bootstrap::Join });
                }
                Some(Identity { node, origin: Origin::Founded { nodes }, .. }) => {
                    let bootstrap = Bootstrap::Members(founders(&nodes));
                    self.desk.founded(nodes);
                    return Ok(Beginning { node, bootstrap });
                }
                Some(Identity { node, origin: Origin::Founding { nodes }, cluster, former }) => {
                    self.desk.founding(&nodes);
                    let why = self.founded(node, &nodes).await;
                    let origin = match why {
                        None => Origin::Founded { nodes },
                        Some(_) => Origin::Founding { nodes },
                    };
                    let known = Identity { node, origin, cluster, former };
                    if why.is_none() {
                        self.file.write(&known)?;
                    }
                    identity = Some(known);
                    why
                }
                None => {
                    self.desk.empty();
                    match self.first().await {
                        Ok(new) => {
                            self.file.write(&new)?;
                            identity = Some(new);
                            None
                        }
                        Err(why) => Some(why),
                    }
                }
            };
            if let Some(why) = why {
                if rounds % TELL_EVERY == 0 {
                    tracing::info!("waiting for the cluster: {why}");
                }
                waiting(&why);
                rounds += 1;
                tokio::time::sleep(ROUND).await;
            }
        }
    }

    fn others<'a>(&'a self, nodes: &'a [String]) -> impl Iterator<Item = &'a String> {
        nodes.iter().filter(|node| *node != self.address)
    }

    /// Those of the list that begin the cluster.
    fn beginning(&self) -> &[String] {
        &self.nodes[..self.nodes.len().min(FOUNDERS_MAX)]
    }

    async fn status_of(&self, node: &str) -> Result<Box<Status>, String> {
        match control::ask(self.peers, node, &Ask::Status).await {
            Ok(Said::Status(status)) => Ok(status),
            Ok(_) => Err(format!("{node} did not say how it stands")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The number of a node that has none. Errors: for whom it waits.
    async fn first(&self) -> Result<Identity, String> {
        let mut missing = None;
        let mut member = false;
        for node in self.others(self.nodes) {
            match self.status_of(node).await.map(|status| status.stage) {
                Ok(Stage::Member) => member = true,
                Ok(Stage::Empty) => {}
                Ok(Stage::Starting) => missing = Some(format!("{node} is starting")),
                Ok(Stage::Founding { nodes }) if nodes == self.beginning() => {}
                Ok(Stage::Founding { .. }) => {
                    missing = Some(another_list(node));
                }
                Err(why) => missing = Some(why),
            }
        }
        let cluster = self.cluster.to_owned();
        if member {
            let join = Ask::Join { address: self.address.to_owned() };
            let others: Vec<String> = self.others(self.nodes).cloned().collect();
            return match control::ask_primary(self.peers, &others, &join).await {
                Ok(Said::Joined { node, former }) => {
                    Ok(Identity { former, ..Identity::new(cluster, node, Origin::Joined) })
                }
                Ok(Said::Refused { why, .. }) => Err(why),
                Ok(Said::NotPrimary { .. }) => {
                    Err("the cluster has no primary that could let this node join: too few of its nodes reach one another".to_owned())
                }
                Ok(_) => Err("no node could let this one join".to_owned()),
                Err(error) => Err(error.to_string()),
            };
        }
        if let Some(why) = missing {
            return Err(why);
        }
        match self.nodes.iter().position(|node| node == self.address) {
            Some(at) if at < FOUNDERS_MAX => {
                let origin = Origin::Founding { nodes: self.beginning().to_vec() };
                Ok(Identity::new(cluster, at as u64 + 1, origin))
            }
            Some(_) => Err(format!(
                "the first {FOUNDERS_MAX} of [cluster] nodes begin the cluster; this one joins it then"
            )),
            None => Err(format!(
                "{} is not in [cluster] nodes, and none of those belongs to a cluster yet",
                self.address
            )),
        }
    }

    /// Whether all others have their numbers, of the same cluster as this node, which has one there; else for whom this node waits.
    async fn founded(&self, number: u64, nodes: &[String]) -> Option<String> {
        for node in self.others(nodes) {
            let status = match self.status_of(node).await {
                Ok(status) => status,
                Err(why) => return Some(why),
            };
            let why = match &status.stage {
                Stage::Member => self.begun_otherwise(number, nodes, node, &status),
                Stage::Founding { nodes: theirs } => (theirs != nodes).then(|| another_list(node)),
                Stage::Starting => Some(format!("{node} is starting")),
                Stage::Empty => Some(format!("{node} has not taken its number yet")),
            };
            if why.is_some() {
                return why;
            }
        }
        None
    }

    /// Why a node that belongs to a cluster does not belong to the one that this node would begin. It may have begun with another list while
    /// this one's number was not on the disk yet.
    fn begun_otherwise(&self, number: u64, nodes: &[String], node: &str, status: &Status) -> Option<String> {
        if !status.founders.is_empty() {
            return (status.founders != nodes).then(|| another_list(node));
        }
        if status.members.is_empty() {
            return Some(format!("{node} does not say yet who belongs to its cluster"));
        }
        let known = |member: &MemberStatus| member.node == number && member.address == self.address;
        (!status.members.iter().any(known)).then(|| {
            format!(
                "{node} belongs to a cluster that knows no member {number} at {}: empty this node's data directory, which holds nothing but \
                 this number, and it joins",
                self.address
            )
        })
    }
}

fn another_list(node: &str) -> String {
    format!("{node} has another list of nodes; [cluster] nodes must be the same on all")
}

/// The members that a cluster begins with. The same, to the letter, on each: what nodes say of themselves comes later.
pub fn founders(nodes: &[String]) -> BTreeMap<u64, Member> {
    nodes.iter().zip(1..).map(|(node, id)| (id, Member::new(node.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::sync::Arc;

    use host::clock::{Clock, SystemClock};
    use host::metrics::{Registry, names};
    use peer::Membership;

    use super::*;
    use crate::cluster::listener::{Lanes, Listener};
    use crate::front::complaints::Complaints;
    use crate::surroundings::System;

    /// A node without a store: its port, and what it answers there.
    struct Place {
        address: String,
        desk: Arc<Desk>,
        peers: Peers,
        directory: PathBuf,
        _served: (Listener, Lanes),
    }

    fn place(name: &str) -> Place {
        let clock = Arc::new(SystemClock::new());
        let system = Arc::new(System::new(Arc::clone(&clock)));
        let membership = Membership::new("test", b"0123456789abcdef").unwrap();
        let peers = Peers::new(membership, None, system);
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap().to_string();
        let counted = Registry::new().counter(names::PEERS_REFUSED, &[]);
        let complaints = Arc::new(Complaints::new("peer", counted, clock as Arc<dyn Clock>));
        let desk = Arc::new(Desk::new("test", peers.clone()));
        let served = Listener::start(port, peers.clone(), Arc::clone(&desk), complaints).unwrap();
        let directory = std::env::temp_dir().join(format!("forebay-bootstrap-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        Place { address, desk, peers, directory, _served: served }
    }

    async fn begin(place: &Place, nodes: &[String]) -> io::Result<Beginning> {
        let file = IdentityFile::beside(Some(&place.directory));
        let bootstrapping = Bootstrapping {
            cluster: "test",
            nodes,
            address: &place.address,
            peers: &place.peers,
            desk: &place.desk,
            file: &file,
        };
        bootstrapping.begin(|_| {}).await
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn nodes_that_have_nothing_take_their_places_and_keep_them() {
        let places = [place("a"), place("b"), place("c")];
        let nodes: Vec<String> = places.iter().map(|place| place.address.clone()).collect();
        run(async {
            let all = places.iter().map(|place| begin(place, &nodes));
            for (at, begun) in futures_util::future::join_all(all).await.into_iter().enumerate() {
                let begun = begun.unwrap();
                assert_eq!(begun.node, at as u64 + 1);
                assert_eq!(begun.bootstrap, Bootstrap::Members(founders(&nodes)));
            }
            // Again, alone: the number is kept, and nobody has to be asked.
            let (first, others) = places.split_first().unwrap();
            others.iter().for_each(|other| other.desk.empty());
            assert_eq!(begin(first, &nodes).await.unwrap().node, 1);
        });
        places.iter().for_each(|place| std::fs::remove_dir_all(&place.directory).unwrap());
    }

    #[test]
    fn who_is_listed_behind_the_fifth_waits_until_those_have_begun() {
        let places: Vec<Place> = (0..6).map(|at| place(&format!("five-{at}"))).collect();
        let nodes: Vec<String> = places.iter().map(|place| place.address.clone()).collect();
        run(async {
            let five = places[..5].iter().map(|place| begin(place, &nodes));
            let begun = tokio::select! {
                begun = futures_util::future::join_all(five) => begun,
                sixth = begin(&places[5], &nodes) => panic!("nobody can have let it in: {sixth:?}"),
            };
            for (at, begun) in begun.into_iter().enumerate() {
                let expected =
                    Beginning { node: at as u64 + 1, bootstrap: Bootstrap::Members(founders(&nodes[..5])) };
                assert_eq!(begun.unwrap(), expected);
            }
        });
        assert_eq!(IdentityFile::beside(Some(&places[5].directory)).read().unwrap(), None);
        places[..5].iter().for_each(|place| std::fs::remove_dir_all(&place.directory).unwrap());
    }

    #[test]
    fn a_node_begins_nothing_where_another_has_begun_with_another_list() {
        let places = [place("other-a"), place("other-b")];
        let nodes: Vec<String> = places.iter().map(|place| place.address.clone()).collect();
        let swapped: Vec<String> = nodes.iter().rev().cloned().collect();
        let file = IdentityFile::beside(Some(&places[1].directory));
        let founding = Identity::new("test", 2, Origin::Founding { nodes: nodes.clone() });
        run(async {
            // With another list, and by a program that does not say with which, before its store is open.
            for say in [|desk: &Desk, nodes| desk.founded(nodes), |desk: &Desk, _| desk.closed()] {
                let other = place("other-c");
                say(&other.desk, swapped.clone());
                let nodes = [other.address.clone(), nodes[1].clone()];
                let founding =
                    Identity { origin: Origin::Founding { nodes: nodes.to_vec() }, ..founding.clone() };
                file.write(&founding).unwrap();
                let waited = tokio::time::timeout(3 * ROUND, begin(&places[1], &nodes)).await;
                assert!(waited.is_err(), "it would be another cluster: {waited:?}");
                assert_eq!(file.read().unwrap(), Some(founding));
            }
            file.write(&founding).unwrap();
            places[0].desk.founded(nodes.clone());
            assert_eq!(begin(&places[1], &nodes).await.unwrap().node, 2);
        });
        std::fs::remove_dir_all(&places[1].directory).unwrap();
    }

    #[test]
    fn a_node_that_has_lost_its_number_does_not_take_its_place_again() {
        let places = [place("d"), place("e"), place("f")];
        let nodes: Vec<String> = places.iter().map(|place| place.address.clone()).collect();
        run(async {
            // The two others belong to a cluster, and have not looked yet, or have not opened their stores.
            for say in [|_: &Desk| {}, Desk::closed as fn(&Desk)] {
                say(&places[0].desk);
                say(&places[1].desk);
                let waited = tokio::time::timeout(3 * ROUND, begin(&places[2], &nodes)).await;
                assert!(waited.is_err(), "it has a number: {waited:?}");
                assert_eq!(IdentityFile::beside(Some(&places[2].directory)).read().unwrap(), None);
            }
        });
    }

    #[test]
    fn data_of_another_cluster_is_refused_with_what_to_do() {
        let place = place("g");
        let file = IdentityFile::beside(Some(&place.directory));
        file.write(&Identity::new("other", 3, Origin::Joined)).unwrap();
        let refused = run(begin(&place, std::slice::from_ref(&place.address))).unwrap_err().to_string();
        assert!(refused.contains("\"other\"") && refused.contains("[cluster] name"), "{refused}");
        std::fs::remove_dir_all(&place.directory).unwrap();
    }
}

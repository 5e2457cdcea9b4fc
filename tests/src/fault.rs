//! What happens to a cluster while clients ask it: one fault at a time, from its beginning until nothing of it is left.

use std::time::Duration;

use faults::FaultError;
use faults::network::{Link, Network, Place};

use crate::cluster::Cluster;
use crate::random::Random;

/// How long a fault lasts: a lease and an election fit in several times.
const LASTING: Duration = Duration::from_millis(3_500);
/// Between two faults that belong together: the others elect a primary in it.
const BETWEEN: Duration = Duration::from_millis(1_500);
/// How late the slow network delivers, in each direction.
const DELAY: Duration = Duration::from_millis(80);
/// What the lossy network loses of a hundred packets.
const LOSS: u8 = 15;
/// How fast the narrow network is.
const NARROW_KILOBITS: u32 = 200;
/// How far the odd clock is ahead.
const AHEAD: Duration = Duration::from_secs(3_600);
/// Where a wall clock jumps to, one after the other, off the machine's: the last is where it belongs. Unit: seconds.
const JUMPS: [i64; 3] = [3_600, -3_600, 0];
/// A process that was killed through its parent is gone by then.
const GONE: Duration = Duration::from_millis(300);

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to the primary, which comes back.
    KillPrimary,
    /// The same of a replica.
    KillReplica,
    /// SIGKILL to the primary, and to the next one once it is there: one node is left.
    KillTwoInTurn,
    /// SIGKILL to all, at once.
    KillAll,
    /// The primary stands still for longer than its lease and an election, then goes on as if nothing had been.
    PausePrimary,
    /// SIGTERM to each in turn, the next once the last is back.
    RollingRestart,
    /// A replica loses its disk and comes back empty.
    EmptyReplica,
    /// No packet passes between the primary and the others; clients reach all.
    CutPrimary,
    /// The same of a replica.
    CutReplica,
    /// The primary is heard and hears nobody.
    DeafPrimary,
    /// The primary hears and is not heard.
    MutePrimary,
    /// A replica is heard and hears nobody.
    DeafReplica,
    /// A replica hears and is not heard.
    MuteReplica,
    /// Packets between nodes get lost.
    Loss,
    /// What nodes send to each other comes late.
    Delay,
    /// The primary sends slowly, to whomever.
    Narrow,
    /// The last node's disk is full. It is started anew when there is room again.
    FullDisk,
    /// A node comes back with its monotonic clock an hour ahead, and later with the machine's.
    OddClock,
    /// The primary's wall clock jumps an hour ahead, then two hours back, then to what it should be, while it runs.
    JumpPrimary,
    /// The same of a replica.
    JumpReplica,
}

impl Fault {
    /// Those that need nothing but processes.
    pub const OF_PROCESSES: [Fault; 7] = [
        Fault::KillPrimary,
        Fault::KillReplica,
        Fault::KillTwoInTurn,
        Fault::KillAll,
        Fault::PausePrimary,
        Fault::RollingRestart,
        Fault::EmptyReplica,
    ];

    /// Those that need root, and a cluster in a network of its own with clocks.
    pub const OF_NETWORKS: [Fault; 13] = [
        Fault::CutPrimary,
        Fault::CutReplica,
        Fault::DeafPrimary,
        Fault::MutePrimary,
        Fault::DeafReplica,
        Fault::MuteReplica,
        Fault::Loss,
        Fault::Delay,
        Fault::Narrow,
        Fault::FullDisk,
        Fault::OddClock,
        Fault::JumpPrimary,
        Fault::JumpReplica,
    ];

    /// One of all.
    pub fn draw(random: &mut Random) -> Fault {
        let all = [&Fault::OF_PROCESSES[..], &Fault::OF_NETWORKS[..]].concat();
        all[random.below(all.len() as u64) as usize]
    }

    /// Happens to a cluster that is whole, and is over when this returns. Panics where it cannot be made, and where the cluster
    /// does not come back.
    pub fn strike(self, cluster: &mut Cluster, random: &mut Random) {
        let primary = cluster.primary();
        let others: Vec<usize> = (0..cluster.count()).filter(|at| *at != primary).collect();
        let replica = others[random.below(others.len() as u64) as usize];
        match self {
            Fault::KillPrimary => kill(cluster, &[primary]),
            Fault::KillReplica => kill(cluster, &[replica]),
            Fault::KillTwoInTurn => {
                cluster.kill(primary);
                std::thread::sleep(BETWEEN);
                let next = cluster.primary();
                kill(cluster, &[next]);
            }
            Fault::KillAll => kill(cluster, &(0..cluster.count()).collect::<Vec<_>>()),
            Fault::PausePrimary => {
                let paused = cluster.pause(primary);
                std::thread::sleep(LASTING);
                drop(paused);
            }
            Fault::RollingRestart => {
                for at in 0..cluster.count() {
                    cluster.stop(at);
                    cluster.start_all();
                }
            }
            Fault::EmptyReplica => {
                cluster.kill(replica);
                std::fs::remove_dir_all(cluster.data(replica)).expect("it is ours");
                cluster.start_all();
            }
            Fault::CutPrimary => broken(cluster, |network| network.isolate(primary)),
            Fault::CutReplica => broken(cluster, |network| network.isolate(replica)),
            Fault::DeafPrimary => broken(cluster, |network| one_way(network, &others, &[primary])),
            Fault::MutePrimary => broken(cluster, |network| one_way(network, &[primary], &others)),
            Fault::DeafReplica | Fault::MuteReplica => {
                let rest: Vec<usize> = (0..cluster.count()).filter(|at| *at != replica).collect();
                broken(cluster, |network| match self {
                    Fault::DeafReplica => one_way(network, &rest, &[replica]),
                    _ => one_way(network, &[replica], &rest),
                });
            }
            Fault::Loss => {
                let all: Vec<usize> = (0..cluster.count()).collect();
                broken(cluster, |network| set(network, &all, &all, Link::Loses(LOSS)));
            }
            Fault::Delay => {
                cluster.delay(DELAY);
                std::thread::sleep(LASTING);
                cluster.delay(Duration::ZERO);
            }
            Fault::Narrow => {
                let narrow = |cluster: &mut Cluster, rate| {
                    let network = cluster.network().expect("a cluster with a network");
                    network.limit(Place::Node(primary), rate).unwrap_or_else(|why| panic!("{why}"));
                };
                narrow(cluster, Some(NARROW_KILOBITS));
                std::thread::sleep(LASTING);
                narrow(cluster, None);
            }
            Fault::FullDisk => {
                let last = cluster.count() - 1;
                let filler = cluster.fill_disk().expect("a cluster with a small disk");
                std::thread::sleep(LASTING);
                std::fs::remove_file(filler).expect("it is there");
                cluster.kill(last);
                cluster.start_all();
            }
            Fault::OddClock => {
                cluster.kill(replica);
                cluster.start_ahead(replica, AHEAD);
                std::thread::sleep(LASTING);
                cluster.kill(replica);
                std::thread::sleep(GONE);
                cluster.start_all();
            }
            Fault::JumpPrimary => jump(cluster, primary),
            Fault::JumpReplica => jump(cluster, replica),
        }
        cluster.wait_until_whole();
    }
}

fn kill(cluster: &mut Cluster, nodes: &[usize]) {
    nodes.iter().for_each(|at| cluster.kill(*at));
    std::thread::sleep(BETWEEN);
    cluster.start_all();
}

fn jump(cluster: &Cluster, node: usize) {
    for seconds in JUMPS {
        cluster.set_clock(node, seconds);
        std::thread::sleep(LASTING);
    }
}

fn broken(cluster: &mut Cluster, how: impl FnOnce(&mut Network) -> Result<(), FaultError>) {
    let network = cluster.network().expect("a cluster with a network");
    how(network).unwrap_or_else(|why| panic!("{why}"));
    std::thread::sleep(LASTING);
    network.heal().unwrap_or_else(|why| panic!("{why}"));
}

fn one_way(network: &mut Network, from: &[usize], to: &[usize]) -> Result<(), FaultError> {
    set(network, from, to, Link::Cut)
}

fn set(network: &mut Network, from: &[usize], to: &[usize], link: Link) -> Result<(), FaultError> {
    for from in from {
        for to in to.iter().filter(|to| *to != from) {
            network.set(Place::Node(*from), Place::Node(*to), link)?;
        }
    }
    Ok(())
}

//! What happens to a world's nodes and network while clients ask, as the seed draws it.

use store::db::memory::{CrashTail, Fault};

use super::net::Weather;
use super::{MILLIS_PER_TICK, NODES, NodeId, Tick, World};
use crate::random::Random;

/// Most milliseconds between two troubles.
const PAUSE_MAX_MILLIS: u64 = 900;
/// Most milliseconds that something of the network is wrong.
const WRONG_MAX_MILLIS: u64 = 1_200;
/// Most milliseconds that a node is without power.
const DOWN_MAX_MILLIS: u64 = 1_500;
/// Most milliseconds that a disk stands still.
const STAND_MAX_MILLIS: u64 = 900;
/// Most milliseconds that a wall clock jumps ahead.
const JUMP_MAX_MILLIS: u64 = 100_000;

/// Draws the troubles of a world.
pub struct Troubles {
    random: Random,
    next_at: Tick,
    /// When nodes are turned on again.
    returns: Vec<(Tick, NodeId)>,
    /// When the network is mended.
    mended_at: Option<Tick>,
}

impl Troubles {
    /// The troubles of a seed.
    pub fn new(seed: u64, now: Tick) -> Troubles {
        let mut random = Random::new(seed);
        let next_at = now + random.below(PAUSE_MAX_MILLIS / MILLIS_PER_TICK);
        Troubles { random, next_at, returns: Vec::new(), mended_at: None }
    }

    fn ticks(&mut self, most_millis: u64) -> Tick {
        1 + self.random.below(most_millis / MILLIS_PER_TICK)
    }

    fn node(&mut self) -> NodeId {
        1 + self.random.below(NODES)
    }

    /// Half the time the primary, where there is one.
    fn likely_primary(&mut self, world: &World) -> NodeId {
        let primary = world.nodes.iter().find(|node| node.leads()).map(|node| node.id);
        match (primary, self.random.below(2)) {
            (Some(primary), 0) => primary,
            _ => self.node(),
        }
    }

    /// What is due happens.
    pub fn tick(&mut self, world: &mut World) {
        let now = world.now;
        let due: Vec<NodeId> =
            self.returns.iter().filter(|(at, _)| *at <= now).map(|(_, node)| *node).collect();
        self.returns.retain(|(at, _)| *at > now);
        due.into_iter().for_each(|node| world.turn_on(node));
        if self.mended_at.take_if(|at| *at <= now).is_some() {
            world.note("the network is well".to_owned());
            world.net.heal();
            world.net.set_weather(Weather::FAIR);
        }
        if now >= self.next_at {
            self.next_at = now + self.ticks(PAUSE_MAX_MILLIS);
            self.happen(world);
        }
    }

    fn happen(&mut self, world: &mut World) {
        let node = self.likely_primary(world);
        let what = self.random.below(15);
        if matches!(what, 5..=10) && self.mended_at.is_none() {
            self.mended_at = Some(world.now + self.ticks(WRONG_MAX_MILLIS));
        }
        match what {
            0 | 1 => self.turn_off(world, node, Off::Killed),
            2 | 3 => {
                let tail = self.tail();
                self.turn_off(world, node, Off::PowerCut(tail));
            }
            4 => {
                // All at once, as a data centre goes.
                for node in 1..=NODES {
                    let tail = self.tail();
                    self.turn_off(world, node, Off::PowerCut(tail));
                }
            }
            5 | 6 => {
                world.note(format!("node {node} is cut off"));
                for other in (1..=NODES).filter(|other| *other != node) {
                    world.net.block(node, other);
                    world.net.block(other, node);
                }
            }
            7 => {
                world.note(format!("node {node} hears nothing"));
                (1..=NODES).filter(|other| *other != node).for_each(|other| world.net.block(other, node));
            }
            8 => {
                world.note(format!("node {node} is not heard"));
                (1..=NODES).filter(|other| *other != node).for_each(|other| world.net.block(node, other));
            }
            9 => {
                let other = 1 + node % NODES;
                world.note(format!("node {other} does not hear node {node}"));
                world.net.block(node, other);
            }
            10 => {
                let delay_max = 1 + self.random.below(40);
                let (loss, breaks) = (self.random.below(60), self.random.below(4));
                let weather = Weather { delay_max, loss, breaks };
                world.note(format!("{weather:?}"));
                world.net.set_weather(weather);
            }
            11 => {
                let until = world.now + self.ticks(STAND_MAX_MILLIS);
                world.note(format!("the disk of node {node} stands still until {until}"));
                world.node(node).stand(until);
            }
            12 => {
                let fault = if self.random.below(2) == 0 { Fault::Sync } else { Fault::Full };
                let passing = self.random.below(8);
                let of_log = self.random.below(3) > 0;
                world.note(format!(
                    "{fault:?} comes on {} of node {node}",
                    if of_log { "the log" } else { "the state" }
                ));
                world.node(node).order_fault(of_log, passing, fault);
                // Until it is turned off and on, the node takes no writes.
                let at = world.now + self.ticks(DOWN_MAX_MILLIS);
                self.returns.push((at, node));
            }
            13 => {
                let ahead = self.random.below(2) * self.random.below(JUMP_MAX_MILLIS);
                world.note(format!("the wall clock of node {node} is {ahead} ms ahead"));
                world.node(node).clock.jump(ahead);
            }
            _ => {
                let to = self.node();
                world.transfer(to);
            }
        }
    }

    fn tail(&mut self) -> CrashTail {
        CrashTail { batches: self.random.below(3) as usize, torn: self.random.below(2) == 0 }
    }

    fn turn_off(&mut self, world: &mut World, node: NodeId, how: Off) {
        if !world.node(node).is_up() {
            return;
        }
        world.turn_off(node, how);
        let at = world.now + self.ticks(DOWN_MAX_MILLIS);
        self.returns.push((at, node));
    }
}

/// How a node is turned off.
#[derive(Debug, Clone, Copy)]
pub enum Off {
    /// Its process is killed: what it has written stays.
    Killed,
    /// Its power is cut.
    PowerCut(CrashTail),
}

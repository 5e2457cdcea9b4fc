//! The search for an order: Wing and Gong's, remembering configurations as Lowe does.
//!
//! From the earliest step that must come next it tries every step that may, depth first, and goes back where none fits. A
//! configuration (which steps are placed, what stands under the keys) that led nowhere once is not entered again.
//!
//! Four things keep it from trying what cannot help. Each loses no order, or only one beside which there is another:
//!
//! - A step that changes nothing and agrees with the state is placed at once and for good: later it can only be harder.
//! - A tag that one write alone leaves is never overwritten while somebody is still to be placed who saw it: it won't come again.
//! - A step of unknown outcome, which may never have happened, is tried after all others.
//! - Of such steps placed in a row, the next answered step depends on each, or on one of the row that does: what does not
//!   depend on a step could as well come before it, and a step on which nothing depends might as well never have happened.
//!
//! A step of unknown outcome whose tag nobody saw hardly ever matters, and tried everywhere many of them cost all there is. So an order
//! in which none of them happened is looked for first, then one with one of them, with two, with four. Only where there is none with all
//! of them there is none.
//!
//! Memory and time are bounded by [`Limits`]; past them the answer is `Undecided`, which nobody may count as a success.
//! Configurations are remembered by 128 bits of hash: that two of a few million differ and agree in all of them does not happen.

use std::collections::{HashMap, HashSet};

use crate::linear::steps::{Act, Part, Step};
use crate::state::{Cell, Condition, Effect};

/// How much a search may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Configurations that are remembered. Unit: about 32 bytes each.
    pub configurations: usize,
    /// Steps tried, again ones included. Bounds the time.
    pub tries: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { configurations: 2_000_000, tries: 100_000_000 }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// There is an order: these steps, by their places in the list, in it; and what stands there in the end. Steps of unknown
    /// outcome that are not named never happened.
    Linearizable {
        /// The order.
        order: Vec<usize>,
        /// The cells, key by key.
        state: Vec<Cell>,
    },
    /// There is none.
    Impossible,
    /// The limits were met before it was found out.
    Undecided {
        /// How many configurations had been entered.
        configurations: usize,
    },
}

/// Steps tried from one configuration, and the one that is placed.
struct Frame {
    candidates: Vec<usize>,
    next: usize,
    placed: Option<(usize, Vec<(usize, Cell)>)>,
    /// Steps of unknown outcome that were placed last, on which nothing depends yet.
    idle: Vec<usize>,
}

/// Looks for an order of steps on `keys` keys that begin absent. The limits are those of each look.
pub fn search(steps: &[Step], keys: usize, limits: Limits) -> Search {
    let seen: HashSet<(usize, u64)> = steps.iter().flat_map(observed).collect();
    let unseen: Vec<bool> = steps.iter().map(|step| is_unseen(step, &seen)).collect();
    let all = unseen.iter().filter(|unseen| **unseen).count();
    let mut most = 0;
    loop {
        match look(steps, keys, limits, &unseen, most) {
            Search::Impossible if most < all => most = (most * 2).max(1).min(all),
            // Who has too little room with few may be lucky with all.
            Search::Undecided { .. } if most < all => most = all,
            found => return found,
        }
    }
}

/// Whether a step may never have happened, and nobody saw a tag that it leaves.
fn is_unseen(step: &Step, seen: &HashSet<(usize, u64)>) -> bool {
    let saw = |key: usize, effect: Effect| effect.tag().is_some_and(|tag| seen.contains(&(key, tag)));
    match &step.act {
        Act::Wrote(parts) => step.end.is_none() && !parts.iter().any(|(key, effect, ..)| saw(*key, *effect)),
        Act::Saw(_) | Act::Refused(_) => false,
    }
}

/// Looks for an order in which at most so many of the unseen steps happened.
fn look(steps: &[Step], keys: usize, limits: Limits, unseen: &[bool], most: usize) -> Search {
    let mut walk = Walk::new(steps, keys);
    let mut happened = 0;
    if walk.shows_what_nobody_wrote() {
        return Search::Impossible;
    }
    let mut known: HashSet<u128> = HashSet::new();
    let mut tries = 0;
    let mut frames = Vec::new();
    match walk.candidates() {
        Some(candidates) => frames.push(Frame { candidates, next: 0, placed: None, idle: Vec::new() }),
        None => return Search::Linearizable { order: Vec::new(), state: walk.state },
    }
    while let Some(frame) = frames.last_mut() {
        if let Some((step, undo)) = frame.placed.take() {
            happened -= usize::from(unseen[step]);
            walk.take_back(step, undo);
        }
        let Some(step) = frame.candidates.get(frame.next).copied() else {
            frames.pop();
            continue;
        };
        // A step that stands alone among several possible was chosen for good, and needs no remembering.
        let forced = frame.candidates.len() == 1;
        frame.next += 1;
        tries += 1;
        if tries > limits.tries {
            return Search::Undecided { configurations: known.len() };
        }
        let mut idle = frame.idle.clone();
        idle.retain(|before| !walk.depends(step, *before));
        if steps[step].end.is_none() {
            idle.push(step);
        } else if !idle.is_empty() {
            continue;
        }
        if unseen[step] && happened == most {
            continue;
        }
        let Some(undo) = walk.place(step) else { continue };
        happened += usize::from(unseen[step]);
        frame.placed = Some((step, undo));
        if !forced {
            if known.len() >= limits.configurations {
                return Search::Undecided { configurations: known.len() };
            }
            // What may follow is part of a configuration.
            let constraint = idle.iter().fold(0, |hash, step| hash ^ hash_of_step(*step).rotate_left(64));
            if !known.insert(walk.hash ^ constraint) {
                continue;
            }
        }
        match walk.candidates() {
            Some(candidates) => frames.push(Frame { candidates, next: 0, placed: None, idle }),
            None => {
                let order =
                    frames.iter().filter_map(|frame| frame.placed.as_ref().map(|(step, _)| *step)).collect();
                return Search::Linearizable { order, state: walk.state };
            }
        }
    }
    Search::Impossible
}

/// Before the first event in the list.
const HEAD: usize = 0;
/// Behind the last.
const END: usize = usize::MAX;

/// The steps not placed yet, as a list of calls and returns in time's order, and the state the placed ones led to.
struct Walk<'a> {
    steps: &'a [Step],
    /// The next event of each, `HEAD` included. The call of step s is event 2s+1, its return 2s+2.
    next: Vec<usize>,
    previous: Vec<usize>,
    state: Vec<Cell>,
    hash: u128,
    tags: HashMap<(usize, u64), Tag>,
}

/// A tag under a key.
#[derive(Debug, Clone, Copy, Default)]
struct Tag {
    /// Steps that leave it.
    writers: usize,
    /// Steps not placed yet that must be placed while it stands there.
    awaited: usize,
}

const fn call(step: usize) -> usize {
    2 * step + 1
}

const fn returned(step: usize) -> usize {
    2 * step + 2
}

impl<'a> Walk<'a> {
    fn new(steps: &'a [Step], keys: usize) -> Walk<'a> {
        // Of events at one time calls come first: then neither was over when the other began.
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(steps.len() * 2);
        for (place, step) in steps.iter().enumerate() {
            events.push((step.start, false, call(place)));
            events.extend(step.end.map(|end| (end, true, returned(place))));
        }
        events.sort_unstable();
        let mut walk = Walk {
            steps,
            next: vec![END; steps.len() * 2 + 1],
            previous: vec![HEAD; steps.len() * 2 + 1],
            state: vec![None; keys],
            hash: 0,
            tags: HashMap::new(),
        };
        for step in steps {
            for seen in observed(step) {
                walk.tags.entry(seen).or_default().awaited += 1;
            }
            if let Act::Wrote(parts) = &step.act {
                for (key, effect, ..) in parts {
                    if let Some(tag) = effect.tag() {
                        walk.tags.entry((*key, tag)).or_default().writers += 1;
                    }
                }
            }
        }
        let mut last = HEAD;
        for (_, _, event) in events {
            walk.next[last] = event;
            walk.previous[event] = last;
            last = event;
        }
        walk
    }

    /// Whether a step saw a tag that no step leaves.
    fn shows_what_nobody_wrote(&self) -> bool {
        self.tags.values().any(|tag| tag.writers == 0 && tag.awaited > 0)
    }

    /// Whether a step depends on one of unknown outcome that was placed before it.
    fn depends(&self, step: usize, before: usize) -> bool {
        let Act::Wrote(written) = &self.steps[before].act else { return true };
        let on = |key: usize| written.iter().any(|(written, ..)| *written == key);
        match &self.steps[step].act {
            Act::Saw(cells) => cells.iter().any(|(key, _)| on(*key)),
            Act::Refused(parts) => parts.iter().any(|(key, _)| on(*key)),
            Act::Wrote(parts) => parts.iter().any(|(key, effect, condition, _)| {
                let blind =
                    matches!(effect, Effect::Put(_) | Effect::Delete) && *condition == Condition::Always;
                // Where more was written than this one overwrites, another may depend on the rest.
                on(*key) && (!blind || written.len() > 1)
            }),
        }
    }

    /// The steps that may come next, those first that must come soonest; `None` where all that must be placed are.
    fn candidates(&self) -> Option<Vec<usize>> {
        let mut candidates = Vec::new();
        let mut event = self.next[HEAD];
        loop {
            if event == END {
                return None;
            }
            let step = (event - 1) / 2;
            if event == returned(step) {
                break;
            }
            if self.agrees(step) {
                return Some(vec![step]);
            }
            candidates.push(step);
            event = self.next[event];
        }
        candidates.sort_by_key(|step| self.steps[*step].end.unwrap_or(u64::MAX));
        Some(candidates)
    }

    /// Whether a step changes nothing and agrees with the state.
    fn agrees(&self, step: usize) -> bool {
        match &self.steps[step].act {
            Act::Saw(cells) => cells.iter().all(|(key, cell)| self.state[*key] == *cell),
            Act::Refused(parts) => !parts.iter().all(|(key, condition)| condition.holds(self.state[*key])),
            Act::Wrote(_) => false,
        }
    }

    /// Places a step, and answers what to undo; `None` where it does not fit.
    fn place(&mut self, step: usize) -> Option<Vec<(usize, Cell)>> {
        let mut undo = Vec::new();
        match &self.steps[step].act {
            Act::Saw(_) | Act::Refused(_) => {
                if !self.agrees(step) {
                    return None;
                }
            }
            Act::Wrote(parts) => {
                let fits = parts.iter().all(|(key, effect, condition, told)| {
                    condition.holds(self.state[*key])
                        && told.is_none_or(|told| effect.on(self.state[*key]) == told)
                });
                if !fits || self.buries_what_is_awaited(step, parts) {
                    return None;
                }
                for (key, effect, ..) in parts {
                    undo.push((*key, self.state[*key]));
                    self.set(*key, effect.on(self.state[*key]));
                }
            }
        }
        for seen in observed(&self.steps[step]) {
            self.tags.entry(seen).and_modify(|tag| tag.awaited -= 1);
        }
        self.hash ^= hash_of_step(step);
        self.unlink(call(step));
        if self.steps[step].end.is_some() {
            self.unlink(returned(step));
        }
        Some(undo)
    }

    /// Takes back the step that was placed last.
    fn take_back(&mut self, step: usize, undo: Vec<(usize, Cell)>) {
        if self.steps[step].end.is_some() {
            self.link(returned(step));
        }
        self.link(call(step));
        self.hash ^= hash_of_step(step);
        for seen in observed(&self.steps[step]) {
            self.tags.entry(seen).and_modify(|tag| tag.awaited += 1);
        }
        for (key, cell) in undo.into_iter().rev() {
            self.set(key, cell);
        }
    }

    /// Whether a write would overwrite a tag that others must still see, and that won't come again.
    fn buries_what_is_awaited(&self, step: usize, parts: &[Part]) -> bool {
        parts.iter().any(|(key, effect, ..)| {
            let Some(item) = self.state[*key] else { return false };
            if *effect == Effect::Check {
                return false;
            }
            let Some(tag) = self.tags.get(&(*key, item.tag)) else { return false };
            let itself = observed(&self.steps[step]).filter(|seen| *seen == (*key, item.tag)).count();
            tag.writers == 1 && tag.awaited > itself
        })
    }

    fn set(&mut self, key: usize, cell: Cell) {
        self.hash ^= hash_of_cell(key, self.state[key]) ^ hash_of_cell(key, cell);
        self.state[key] = cell;
    }

    fn unlink(&mut self, event: usize) {
        let (previous, next) = (self.previous[event], self.next[event]);
        self.next[previous] = next;
        if next != END {
            self.previous[next] = previous;
        }
    }

    /// Undoes the `unlink` that was last of those not undone: the event still knows its neighbours.
    fn link(&mut self, event: usize) {
        let (previous, next) = (self.previous[event], self.next[event]);
        self.next[previous] = event;
        if next != END {
            self.previous[next] = event;
        }
    }
}

/// The tags a step must find: it must be placed, and only fits where they stand.
fn observed(step: &Step) -> impl Iterator<Item = (usize, u64)> {
    let (cells, parts): (&[_], &[Part]) = match &step.act {
        Act::Saw(cells) => (cells, &[]),
        Act::Wrote(parts) if step.end.is_some() => (&[], parts),
        Act::Wrote(_) | Act::Refused(_) => (&[], &[]),
    };
    let seen = cells.iter().filter_map(|(key, cell)| cell.map(|item| (*key, item.tag)));
    let kept = parts.iter().filter_map(|(key, _, condition, _)| match condition {
        Condition::Tag(tag) => Some((*key, *tag)),
        Condition::Always | Condition::Absent | Condition::Present => None,
    });
    seen.chain(kept)
}

fn hash_of_step(step: usize) -> u128 {
    spread([1, step as u64, 0, 0])
}

fn hash_of_cell(key: usize, cell: Cell) -> u128 {
    match cell {
        None => 0,
        Some(item) => spread([2 + (key as u64) * 2, item.tag, item.count as u64, u64::from(item.group)]),
    }
}

/// 128 bits that differ wherever the numbers do, as far as anybody will see.
fn spread(numbers: [u64; 4]) -> u128 {
    let half = |seed: u64| {
        numbers.iter().fold(seed, |mixed, number| {
            // SplitMix64's finish, once for each number.
            let mut mixed = (mixed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    };
    u128::from(half(0x243f_6a88_85a3_08d3)) << 64 | u128::from(half(0x1319_8a2e_0370_7344))
}

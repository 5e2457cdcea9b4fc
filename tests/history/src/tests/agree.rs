//! A second opinion on the search for an order: the checker of `todc-utils`, on thousands of small objects, right ones and
//! mutated ones.
//!
//! That checker knows no outcome that may never have happened, so a history with some is put to it once for every set of
//! them that may have: there is an order if one of these has.

use todc_utils::specifications::Specification;
use todc_utils::{Action as Their, History as Theirs, WGLChecker};

use super::world::{Random, Size, run};
use crate::linear::{Act, Limits, Object, Search, Step, objects, search};
use crate::state::{Cell, Item};

/// Keys of an object, at most.
const KEYS: usize = 2;
/// Steps of unknown outcome of an object, at most: each doubles what is asked.
const UNKNOWN: usize = 5;

struct Keys;

impl Specification for Keys {
    type State = [Cell; KEYS];
    type Operation = Act;

    fn init() -> Self::State {
        [None; KEYS]
    }

    // Written again from what the operations mean, not from the search.
    fn apply(act: &Act, state: &Self::State) -> (bool, Self::State) {
        let mut after = *state;
        let valid = match act {
            Act::Saw(cells) => {
                let mut equal = true;
                for (key, cell) in cells {
                    equal &= state[*key] == *cell;
                }
                equal
            }
            Act::Refused(parts) => parts.iter().any(|(key, condition)| !condition.holds(state[*key])),
            Act::Wrote(parts) => {
                let mut fits = true;
                for (key, effect, condition, told) in parts {
                    fits &= condition.holds(state[*key]);
                    after[*key] = effect.on(state[*key]);
                    fits &= told.is_none() || *told == Some(after[*key]);
                }
                fits
            }
        };
        (valid, if valid { after } else { *state })
    }
}

/// Their opinion.
fn theirs(steps: &[Step]) -> bool {
    let unknown: Vec<usize> = (0..steps.len()).filter(|place| steps[*place].end.is_none()).collect();
    (0..1_u32 << unknown.len()).any(|happened| {
        let mut events = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            if let Some(bit) = unknown.iter().position(|unknown| *unknown == place)
                && happened & (1 << bit) == 0
            {
                continue;
            }
            events.push((step.start, 0, place));
            events.push((step.end.unwrap_or(u64::MAX), 1, place));
        }
        if events.is_empty() {
            return true;
        }
        events.sort_unstable();
        let actions = events.into_iter().map(|(_, over, place)| {
            let act = steps[place].act.clone();
            (place, if over == 1 { Their::Response(act) } else { Their::Call(act) })
        });
        WGLChecker::<Keys>::is_linearizable(Theirs::from_actions(actions.collect()))
    })
}

fn ours(steps: &[Step]) -> bool {
    match search(steps, KEYS, Limits::default()) {
        Search::Linearizable { order, state } => {
            // An order is proof: whoever doubts it can follow it.
            let mut at = [None; KEYS];
            for (place, step) in order.iter().enumerate() {
                let (valid, after) = Keys::apply(&steps[*step].act, &at);
                assert!(valid, "step {place} of the order does not fit");
                at = after;
            }
            assert_eq!(at[..], state[..]);
            for (place, step) in order.iter().enumerate() {
                let too_late = order[place + 1..]
                    .iter()
                    .any(|later| steps[*later].end.is_some_and(|end| end < steps[*step].start));
                assert!(!too_late, "the order contradicts real time");
            }
            let left = (0..steps.len()).filter(|step| !order.contains(step));
            assert!(
                left.into_iter().all(|step| steps[step].end.is_none()),
                "what was answered must be in the order"
            );
            true
        }
        Search::Impossible => false,
        Search::Undecided { configurations } => panic!("undecided after {configurations}"),
    }
}

/// Changes one thing, which may or may not leave an order.
fn mutate(object: &mut Object, random: &mut Random) {
    let place = random.below(object.steps.len() as u64) as usize;
    let other = random.below(object.steps.len() as u64) as usize;
    let borrowed: Option<Cell> = match &object.steps[other].act {
        Act::Saw(cells) => cells.first().map(|(_, cell)| *cell),
        Act::Wrote(parts) => parts
            .first()
            .and_then(|(_, effect, ..)| effect.tag())
            .map(|tag| Some(Item { tag, count: 0, group: 0 })),
        Act::Refused(_) => None,
    };
    let step = &mut object.steps[place];
    match (random.below(4), &mut step.act) {
        (0, _) => {
            // Over sooner: more must come after it.
            step.end = step.end.map(|end| step.start + (end - step.start) / 3);
        }
        (1, _) => step.start /= 2,
        (_, Act::Saw(cells)) => {
            if let (Some((_, cell)), Some(borrowed)) = (cells.first_mut(), borrowed) {
                *cell = borrowed;
            }
        }
        (_, Act::Wrote(parts)) => {
            if let Some((.., told)) = parts.first_mut() {
                *told = borrowed;
            }
        }
        (_, Act::Refused(parts)) => {
            if let (Some((_, condition)), Some(Some(item))) = (parts.first_mut(), borrowed) {
                *condition = crate::state::Condition::Tag(item.tag);
            }
        }
    }
}

#[test]
fn another_checker_agrees_on_thousands_of_small_histories() {
    let (mut right, mut wrong, mut with_unknown) = (0, 0, 0);
    for seed in 0..2_500 {
        let mut random = Random(seed ^ 0x5eed);
        let operations = 6 + random.below(10) as usize;
        let size = Size { clients: 4, operations, partitions: 1, keys: KEYS as u64 };
        for object in objects(&run(seed, size, None)) {
            if object.steps.is_empty() {
                continue;
            }
            for mutations in 0..3 {
                let mut object = object.clone();
                (0..mutations).for_each(|_| mutate(&mut object, &mut random));
                object.steps.sort_by_key(|step| step.start);
                let unknown = object.steps.iter().filter(|step| step.end.is_none()).count();
                if unknown > UNKNOWN {
                    continue;
                }
                let opinion = ours(&object.steps);
                assert!(opinion || mutations > 0, "seed {seed}: a right history is refused");
                assert_eq!(opinion, theirs(&object.steps), "seed {seed}: {object:#?}");
                with_unknown += usize::from(unknown > 0);
                *(if opinion { &mut right } else { &mut wrong }) += 1;
            }
        }
    }
    println!("{right} with an order, {wrong} without, {with_unknown} of them with unknown outcomes");
    assert!(right > 2_000 && wrong > 500 && with_unknown > 500, "{right} {wrong} {with_unknown}");
}

//! One violation planted in each history; beside it, where it is close, the history that is right.

use super::made::*;
use crate::linear::Limits;
use crate::operation::{Action, ELSEWHERE, Found, Mode, Outcome, Scope, Told, Write};
use crate::session::Rules;
use crate::state::{Condition, Effect};
use crate::verdict::{Judging, Promise, judge};

const K: &str = "p/k";

fn seen(tag: u64) -> Option<crate::state::Item> {
    Some(item(tag, 0, 0))
}

#[test]
fn a_lost_write_is_found() {
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), done(1))
        .op(1, (20, 30), one(put(K, 2)), done(2))
        .op(22, (40, 50), read(K, Mode::Strong), saw(2, seen(1)))
        .breaks(&[Promise::P2, Promise::P3]);
    // Without versions, from another node, the order alone says it.
    let unversioned = || Outcome::Done { version: None, found: Found::Written(vec![Told::Done]) };
    let saw = |cell| Outcome::Done { version: None, found: Found::Cells(vec![cell]) };
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), unversioned())
        .op(22, (20, 30), read(K, Mode::Strong), saw(None))
        .breaks(&[Promise::P2]);
}

#[test]
fn a_write_of_unknown_outcome_may_come_late_or_never_but_not_twice() {
    let until = |last| {
        Made::default()
            .op(1, (0, 10), one(put(K, 1)), done(1))
            .op(2, (20, 30), one(put(K, 2)), unknown())
            .op(3, (40, 50), read(K, Mode::Strong), saw(1, seen(1)))
            .op(3, (60, 70), one(put(K, 3)), done(5))
            .op(3, (80, 90), read(K, Mode::Strong), saw(5, seen(3)))
            .op(3, (100, 110), read(K, Mode::Strong), saw(6, last))
    };
    until(seen(3)).holds();
    until(seen(2)).holds();
    until(seen(2))
        .op(3, (120, 130), one(put(K, 4)), done(7))
        .holds()
        .op(3, (140, 150), read(K, Mode::Strong), saw(7, seen(2)))
        .breaks(&[Promise::P2]);
}

#[test]
fn a_stale_strong_read_is_found_and_a_concurrent_one_is_not() {
    let reading =
        |start| {
            Made::default()
                .op(1, (0, 10), one(put(K, 1)), done(1))
                .op(1, (20, 30), one(put(K, 2)), done(2))
                .op(22, (start, 50), read(K, Mode::Strong), saw(1, seen(1)))
        };
    reading(25).holds();
    let verdict = reading(31).breaks(&[Promise::P2]);
    let text = verdict.to_string();
    assert!(text.contains("! #2 ") && text.contains("tag 2"), "the read and the write it missed: {text}");
}

#[test]
fn a_read_that_goes_back_is_found() {
    let reads = |first, second, connection| {
        Made::default()
            .op(1, (0, 10), one(put(K, 1)), done(1))
            .op(1, (20, 30), one(put(K, 2)), done(2))
            .op(22, (40, 50), read(K, Mode::Eventual), first)
            .op(connection, (60, 70), read(K, Mode::Eventual), second)
    };
    reads(saw(1, seen(1)), saw(2, seen(2)), 22).holds();
    // On another connection it may.
    reads(saw(2, seen(2)), saw(1, seen(1)), 23).holds();
    reads(saw(2, seen(2)), saw(1, seen(1)), 22).breaks(&[Promise::P3]);
    // The versions are silent, what is shown is not.
    let silent = |cell| Outcome::Done { version: None, found: Found::Cells(vec![cell]) };
    reads(silent(seen(2)), silent(seen(1)), 22).breaks(&[Promise::P3]);
    reads(silent(seen(2)), silent(None), 22).breaks(&[Promise::P3]);
    // And the other way round: what is shown is right, the version is not.
    reads(saw(2, seen(2)), saw(1, seen(2)), 22).breaks(&[Promise::P3]);
}

#[test]
fn a_duplicate_application_is_found() {
    let told = |index, tag, count| Outcome::Done {
        version: at(index),
        found: Found::Written(vec![Told::Image(Some(item(tag, count, 0)))]),
    };
    let sum = |count| {
        Made::default()
            .op(1, (0, 10), one(add(K, 1, 1)), told(1, 1, 1))
            .op(1, (20, 30), one(add(K, 2, 1)), unknown())
            .op(1, (40, 50), one(add(K, 3, 1)), told(3, 3, count))
    };
    sum(2).holds();
    sum(3).holds();
    sum(4).breaks(&[Promise::P2]);
    // A put that comes again, after what replaced it.
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), done(1))
        .op(1, (20, 30), one(put(K, 2)), done(2))
        .op(2, (40, 50), read(K, Mode::Strong), saw(2, seen(2)))
        .op(3, (60, 70), read(K, Mode::Strong), saw(3, seen(1)))
        .breaks(&[Promise::P1, Promise::P2]);
}

#[test]
fn a_write_acknowledged_out_of_order_is_found() {
    let second = |index, start| {
        Made::default().op(1, (0, 10), one(put("p/a", 1)), done(5)).op(
            2,
            (start, 30),
            one(put("p/b", 2)),
            done(index),
        )
    };
    second(6, 20).holds();
    second(4, 5).holds();
    second(4, 20).breaks(&[Promise::P11]);
    // Two primaries that each wrote at that place of the log.
    second(5, 5).breaks(&[Promise::P11]);
}

#[test]
fn a_cut_in_the_line_of_versions_is_found() {
    let other = Outcome::Done {
        version: Some(api::Version { incarnation: 8, shard: 0, index: 1 }),
        found: Found::Written(vec![Told::Done]),
    };
    Made::default()
        .op(1, (0, 10), one(put("p/a", 1)), done(5))
        .op(1, (20, 30), one(put("p/b", 2)), other)
        .op(1, (40, 50), one(put("p/a", 3)), done(6))
        .breaks(&[Promise::P11]);
}

#[test]
fn a_resurrected_delete_is_found() {
    let after =
        |cell, mode| {
            Made::default()
                .op(1, (0, 10), one(put(K, 1)), done(1))
                .op(1, (20, 30), one(delete(K)), done(2))
                .op(2, (40, 50), read(K, mode), saw(3, cell))
        };
    after(None, Mode::Strong).holds();
    after(seen(1), Mode::Strong).breaks(&[Promise::P1, Promise::P2]);
    after(None, Mode::Eventual).holds();
    after(seen(1), Mode::Eventual).breaks(&[Promise::P1]);
}

#[test]
fn a_stale_page_is_found() {
    let (a, b) = (item(1, 0, 4), item(2, 0, 4));
    let grouped =
        |key: &str, item| Write { key: key.into(), effect: Effect::Put(item), condition: Condition::Always };
    let of = |scope: &Scope, index, shown: &[_]| {
        Made::default()
            .op(1, (0, 10), one(grouped("p/a", a)), done(1))
            .op(1, (20, 30), one(grouped("p/b", b)), done(2))
            .op(22, (40, 50), page(scope.clone()), rows(index, shown))
    };
    for scope in [Scope::Partition("p".into()), Scope::Group(4)] {
        of(&scope, 2, &[("p/a", a), ("p/b", b)]).holds();
        // Older, and it says so: another node may.
        of(&scope, 1, &[("p/a", a)]).holds();
        // It says that it has the second write, and has not.
        of(&scope, 2, &[("p/a", a)]).breaks(&[Promise::P5]);
    }
    // An item that left the group, and stays in its page.
    let moved = item(3, 0, 5);
    let shown = |index, shown: &[_]| {
        Made::default()
            .op(1, (0, 10), one(grouped("p/a", a)), done(1))
            .op(1, (20, 30), one(grouped("p/a", moved)), done(2))
            .op(22, (40, 50), page(Scope::Group(4)), rows(index, shown))
    };
    shown(2, &[]).holds();
    shown(2, &[("p/a", a)]).breaks(&[Promise::P5]);
    shown(2, &[("p/a", moved)]).breaks(&[Promise::P12]);
}

#[test]
fn half_a_page_is_judged_by_what_it_covers() {
    let scope = Scope::Partition("p".into());
    let paged = |last: Option<&str>| {
        let found = Found::Page { rows: vec![("p/a".into(), item(1, 0, 0))], last: last.map(str::to_owned) };
        Made::default()
            .op(1, (0, 10), one(put("p/a", 1)), done(1))
            .op(1, (20, 30), one(put("p/b", 2)), done(2))
            .op(22, (40, 50), page(scope.clone()), Outcome::Done { version: at(2), found })
    };
    paged(Some("p/a")).holds();
    paged(None).breaks(&[Promise::P5]);
}

#[test]
fn half_a_transaction_is_found() {
    let both = || Action::Write { writes: vec![put("p/a", 1), put("p/b", 1_000)], whole: true };
    let told = || Outcome::Done { version: at(1), found: Found::Written(vec![Told::Done, Told::Done]) };
    let with = |outcome: Outcome, a, b| {
        Made::default()
            .op(1, (0, 10), both(), outcome)
            .op(22, (20, 30), read("p/a", Mode::Strong), saw(1, a))
            .op(23, (40, 50), read("p/b", Mode::Strong), saw(1, b))
    };
    with(told(), seen(1), seen(1_000)).holds();
    with(unknown(), seen(1), seen(1_000)).holds();
    with(unknown(), None, None).holds();
    with(unknown(), None, seen(1_000)).holds();
    with(unknown(), seen(1), None).breaks(&[Promise::P2]);
    // A snapshot shows both or neither, however late the transaction comes.
    let snapshot = |a, b| {
        let action = Action::Read { keys: vec!["p/a".into(), "p/b".into()], mode: Mode::Snapshot };
        let found = Outcome::Done { version: at(1), found: Found::Cells(vec![a, b]) };
        Made::default().op(1, (0, 10), both(), unknown()).op(22, (5, 30), action, found)
    };
    snapshot(None, None).holds();
    snapshot(seen(1), seen(1_000)).holds();
    snapshot(None, seen(1_000)).breaks(&[Promise::P2]);
}

#[test]
fn a_condition_that_was_not_kept_is_found() {
    let write = |tag, condition| one(Write { condition, ..put(K, tag) });
    let second = |outcome| {
        Made::default().op(1, (0, 10), write(1, Condition::Absent), done(1)).op(
            2,
            (20, 30),
            write(2, Condition::Absent),
            outcome,
        )
    };
    second(Outcome::Refused).holds();
    second(done(2)).breaks(&[Promise::P2]);
    // Refused for no reason.
    Made::default()
        .op(1, (0, 10), write(1, Condition::Absent), done(1))
        .op(2, (20, 30), write(2, Condition::Tag(1)), Outcome::Refused)
        .breaks(&[Promise::P2]);
}

#[test]
fn a_read_below_its_token_is_found() {
    let tokened = |index, cell| {
        Made::default()
            .op(1, (0, 10), one(put(K, 1)), done(1))
            .op(1, (20, 30), one(put(K, 2)), done(2))
            .op(22, (40, 50), read(K, Mode::Eventual), saw(index, cell))
            .token(2)
    };
    tokened(2, seen(2)).holds();
    tokened(1, seen(1)).breaks(&[Promise::P6]);
    tokened(2, seen(1)).breaks(&[Promise::P6]);
}

#[test]
fn a_client_that_does_not_read_its_own_write_is_found() {
    let silent = |found| Outcome::Done { version: None, found };
    let own = |reader, cell| {
        Made::default().op(1, (0, 10), one(put(K, 1)), silent(Found::Written(vec![Told::Done]))).op(
            reader,
            (20, 30),
            read(K, Mode::Eventual),
            silent(Found::Cells(vec![cell])),
        )
    };
    own(1, seen(1)).holds();
    own(1, None).breaks(&[Promise::P6]);
    // Another client of that node: it acknowledged the write.
    own(2, None).breaks(&[Promise::P1]);
    // Of another node: allowed, unless the deployment promises more.
    let elsewhere = own(22, None).holds();
    let everywhere = Judging { rules: Rules { visible_everywhere: true }, ..Judging::default() };
    let verdict = judge(&elsewhere.0, everywhere);
    assert_eq!(verdict.violations.len(), 1, "{verdict}");
    // Of whichever: nobody knows that it is the node that acknowledged the write.
    let mut whichever = own(1, None);
    for operation in &mut whichever.0.operations {
        (operation.origin.node, operation.connection) = (ELSEWHERE, None);
    }
    whichever.holds();
}

#[test]
fn what_nobody_wrote_is_found() {
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), done(1))
        .op(22, (20, 30), read(K, Mode::Eventual), saw(1, seen(9)))
        .breaks(&[Promise::P12]);
    Made::default()
        .op(22, (0, 10), read(K, Mode::Eventual), saw(1, seen(1)))
        .op(1, (20, 30), one(put(K, 1)), done(1))
        .breaks(&[Promise::P12]);
    // Refused, and there all the same.
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), Outcome::Failed("throttled".into()))
        .op(22, (20, 30), read(K, Mode::Eventual), saw(1, seen(1)))
        .breaks(&[Promise::P12]);
    Made::default()
        .op(1, (0, 10), one(put(K, 1)), done(1))
        .op(22, (20, 30), read(K, Mode::Eventual), saw(1, Some(item(1, 3, 0))))
        .breaks(&[Promise::P12]);
}

#[test]
fn what_takes_too_long_is_undecided_and_no_success() {
    let mut made = Made::default();
    for tag in 1..=12 {
        made = made.op(tag as u32, (0, 100), one(add(K, tag, 1 << tag)), unknown());
    }
    made = made.op(20, (200, 210), read(K, Mode::Strong), saw(1, Some(item(12, 1, 0))));
    let limits = Limits { configurations: 100, ..Limits::default() };
    let verdict = judge(&made.0, Judging { limits, ..Judging::default() });
    assert_eq!((verdict.undecided.len(), verdict.holds()), (1, false), "{verdict}");
    assert!(made.judged().undecided.is_empty(), "with more room it is found out");
}

#[test]
fn an_example_is_short() {
    let mut made = Made::default();
    for round in 0..200 {
        let (tag, time) = (round + 1, round * 100);
        made = made
            .op(1, (time, time + 30), one(put(K, tag)), done(tag))
            .op(2, (time + 40, time + 60), read(K, Mode::Strong), saw(tag, seen(tag)))
            .op(3, (time + 10, time + 90), read(K, Mode::Strong), saw(tag, seen(tag)));
    }
    made = made.op(22, (15_050, 15_080), read(K, Mode::Strong), saw(150, seen(149)));
    let verdict = made.breaks(&[Promise::P2, Promise::P3]);
    let order =
        verdict.violations.iter().find(|violation| violation.text.contains("no order")).expect("found");
    assert!(order.operations.len() <= 4, "{}", order.text);
    assert!(order.operations.contains(&600), "{}", order.text);
}

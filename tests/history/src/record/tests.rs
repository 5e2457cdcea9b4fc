use super::*;
use crate::operation::{Found, Mode, Protocol, Scope, Told, Write};
use crate::state::{Condition, Effect, Item};

fn samples() -> Vec<(Action, Outcome)> {
    let item = Item { tag: 1 << 60, count: -5, group: 3 };
    let version = Some(Version { incarnation: u64::MAX, shard: 1, index: 1 << 50 });
    let effects = [Effect::Put(item), Effect::Add { tag: 2, by: -1 }, Effect::Delete, Effect::Check];
    let conditions = [Condition::Always, Condition::Absent, Condition::Present, Condition::Tag(u64::MAX)];
    let writes = effects
        .into_iter()
        .zip(conditions)
        .map(|(effect, condition)| Write { key: "p/k\"\n".into(), effect, condition })
        .collect();
    let modes = [Mode::Eventual, Mode::Strong, Mode::Snapshot];
    let mut samples: Vec<(Action, Outcome)> = modes
        .map(|mode| {
            let action = Action::Read { keys: vec!["p/k".into(), "p/l".into()], mode };
            (action, Outcome::Done { version, found: Found::Cells(vec![Some(item), None]) })
        })
        .into();
    samples.push((
        Action::Write { writes, whole: true },
        Outcome::Done {
            version: None,
            found: Found::Written(vec![Told::Done, Told::Image(None), Told::Image(Some(item)), Told::Left]),
        },
    ));
    samples.push((
        Action::Page {
            of: Scope::Partition("p".into()),
            after: Some("p/a".into()),
            limit: Some(2),
            strong: true,
        },
        Outcome::Done {
            version,
            found: Found::Page { rows: vec![("p/k".into(), item)], last: Some("p/k".into()) },
        },
    ));
    let page = Action::Page { of: Scope::Group(3), after: None, limit: None, strong: false };
    for outcome in [
        Outcome::Done { version, found: Found::Page { rows: Vec::new(), last: None } },
        Outcome::Refused,
        Outcome::Failed("throttled".into()),
        Outcome::Unknown("gone".into()),
    ] {
        samples.push((page.clone(), outcome));
    }
    samples
}

/// A file of its own, gone with the test.
struct Place(std::path::PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("forebay-history-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write(place: &Place) -> History {
    let recorder = Recorder::create(&place.0).expect("a temporary file");
    let mut operations = Vec::new();
    let protocols = [Protocol::Http, Protocol::Dax, Protocol::Grpc];
    let mut asked = Vec::new();
    for (number, (action, outcome)) in samples().into_iter().enumerate() {
        let number = number as u64;
        let origin = Origin { client: number as u32, node: 2, protocol: protocols[number as usize % 3] };
        let token = (number.is_multiple_of(2)).then_some(Version { incarnation: 1, shard: 0, index: number });
        asked.push((recorder.asked(number * 10, origin, token, &action).expect("written"), outcome.clone()));
        let connection = (!number.is_multiple_of(3)).then_some(number);
        operations.push(Operation {
            id: number,
            origin,
            start: number * 10,
            end: Some(1_000 + number),
            connection,
            token,
            action,
            outcome,
        });
    }
    // Answered in another order than asked.
    for (number, (asked, outcome)) in asked.into_iter().enumerate().rev() {
        let connection = operations[number].connection;
        recorder.answered(asked, 1_000 + number as u64, connection, &outcome).expect("written");
    }
    History { operations }
}

#[test]
fn a_record_reads_back_as_what_was_recorded() {
    let place = Place::new("round-trip");
    let written = write(&place);
    assert_eq!(History::read(&place.0).expect("a record"), written);
    assert!(Recorder::create(&place.0).is_err(), "a record is never continued or replaced");
    let bytes = std::fs::metadata(&place.0).expect("it is there").len();
    assert!(bytes < written.operations.len() as u64 * 400, "{bytes} bytes");
}

#[test]
fn a_record_cut_anywhere_loses_its_last_line_only() {
    let place = Place::new("cut");
    let written = write(&place);
    let bytes = std::fs::read(&place.0).expect("it is there");
    for length in 0..bytes.len() {
        let whole_lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        let read = History::parse(&bytes[..length]).expect("a record");
        let count = written.operations.len();
        assert_eq!(read.operations.len(), whole_lines.min(count));
        let answered = read.operations.iter().filter(|operation| operation.end.is_some()).count();
        assert_eq!(answered, whole_lines.saturating_sub(count));
        for (operation, original) in read.operations.iter().zip(&written.operations) {
            assert_eq!(operation.action, original.action);
            if operation.end.is_none() {
                assert!(matches!(operation.outcome, Outcome::Unknown(_)));
            }
        }
    }
}

#[test]
fn what_no_recorder_wrote_is_refused() {
    let asked = r#"{"i":0,"t":5,"c":0,"n":0,"p":"http","a":{"read":{"keys":[],"mode":"strong"}}}"#;
    let answered = r#"{"d":0,"t":9,"o":"refused"}"#;
    assert_eq!(
        History::parse(format!("{asked}\n{answered}\n").as_bytes()).expect("good").operations.len(),
        1
    );
    for (bad, line) in [
        (format!("{asked}\n{asked}\n"), 2),
        (format!("{answered}\n"), 1),
        (format!("{asked}\n{answered}\n{answered}\n"), 3),
        (format!("{asked}\n{}\n", answered.replace('9', "4")), 2),
        (format!("{asked}\nnonsense\n{answered}\n"), 2),
    ] {
        match History::parse(bad.as_bytes()) {
            Err(ReadError::Line { line: at, .. }) => assert_eq!(at, line, "{bad}"),
            other => panic!("{bad}: {other:?}"),
        }
    }
}

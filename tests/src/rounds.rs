//! Rounds of recorded clients over faults, and the judgement of each: [`one`] node that is killed, or [`several`].

pub mod one;
pub mod several;

use std::path::{Path, PathBuf};

use history::record::History;
use history::verdict::{Judging, Verdict, judge};

/// What a round did, and what was found.
pub struct Round {
    /// The judgement.
    pub verdict: Verdict,
    /// Where the record is, if it was kept: only where something was found.
    pub kept: Option<PathBuf>,
}

impl Round {
    /// Judges a record. Where it is refused, or a client met what no client may meet, it is kept. Panics in the latter case.
    fn of(record: &Path, seed: u64, finished: Result<u64, String>, judging: Judging) -> Round {
        let history = History::read(record).expect("the record reads back");
        let verdict = judge(&history, judging);
        let kept = (!verdict.holds() || finished.is_err()).then(|| keep(seed, record));
        if let Err(why) = finished {
            panic!("seed {seed}: {why}; the record is kept as {kept:?}");
        }
        Round { verdict, kept }
    }
}

/// Saves a record from its directory's end.
fn keep(seed: u64, record: &Path) -> PathBuf {
    let path = std::env::temp_dir().join(format!("forebay-history-{seed}-{}.jsonl", std::process::id()));
    std::fs::copy(record, &path).expect("there is room for the record");
    path
}

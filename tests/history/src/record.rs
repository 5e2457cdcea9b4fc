//! The record of a run: a file of JSON lines, written as it goes, and read back.
//!
//! Each operation has two lines, one before its request is sent and one after its answer was read, and each line is one write
//! to the file. So a recorder that dies loses no operation that may have taken effect, and at most the last line in part.
//!
//! It orders nothing and judges nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use api::Version;
use serde::{Deserialize, Serialize};

use crate::operation::{Action, Nanos, Operation, Origin, Outcome, version_as_numbers};

/// Longest record that is read. Unit: bytes; a soak of an hour is a fraction of it.
const RECORD_BYTES_MAX: u64 = 4 << 30;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Asked {
        #[serde(rename = "i")]
        id: u64,
        #[serde(rename = "t")]
        start: Nanos,
        #[serde(flatten)]
        origin: Origin,
        #[serde(rename = "v", default, skip_serializing_if = "Option::is_none", with = "version_as_numbers")]
        token: Option<Version>,
        #[serde(rename = "a")]
        action: Action,
    },
    Answered {
        #[serde(rename = "d")]
        id: u64,
        #[serde(rename = "t")]
        end: Nanos,
        #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
        connection: Option<u64>,
        #[serde(rename = "o")]
        outcome: Outcome,
    },
}

/// Writes a record. Shared by all clients of a run.
#[derive(Debug)]
pub struct Recorder {
    // Held for one write of one line: what stands in the file is whole lines.
    state: Mutex<Writing>,
}

#[derive(Debug)]
struct Writing {
    file: File,
    next: u64,
}

/// What was asked, until it is answered.
#[derive(Debug)]
#[must_use = "an operation that is never answered stays of unknown outcome"]
pub struct Asked(u64);

impl Recorder {
    /// Begins a record. Errors: the file exists already or cannot be made.
    pub fn create(path: &Path) -> io::Result<Recorder> {
        let file = File::options().append(true).create_new(true).open(path)?;
        Ok(Recorder { state: Mutex::new(Writing { file, next: 0 }) })
    }

    /// Before the request is sent.
    pub fn asked(
        &self,
        start: Nanos,
        origin: Origin,
        token: Option<Version>,
        action: &Action,
    ) -> io::Result<Asked> {
        let mut writing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let id = writing.next;
        writing.next += 1;
        writing.line(&Line::Asked { id, start, origin, token, action: action.clone() })?;
        Ok(Asked(id))
    }

    /// After the answer was read, or given up.
    pub fn answered(
        &self,
        asked: Asked,
        end: Nanos,
        connection: Option<u64>,
        outcome: &Outcome,
    ) -> io::Result<()> {
        let mut writing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        writing.line(&Line::Answered { id: asked.0, end, connection, outcome: outcome.clone() })
    }
}

impl Writing {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
    }
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file.
    #[error("the record cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line that no recorder wrote, other than a last one cut short.
    #[error("line {line} of the record: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// All operations of a run, in the order they were asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The operations. What they say of time is true of one clock.
    pub operations: Vec<Operation>,
}

impl History {
    /// Reads a record. A last line that was cut short is passed over; an operation without an answer is of unknown outcome.
    pub fn read(path: &Path) -> Result<History, ReadError> {
        let mut text = Vec::new();
        File::open(path)?.take(RECORD_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > RECORD_BYTES_MAX {
            // Half a record would be judged as if the other half had never happened.
            return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
        }
        History::parse(&text)
    }

    /// The same, of the bytes of a record.
    pub fn parse(text: &[u8]) -> Result<History, ReadError> {
        let mut operations: Vec<Operation> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        for (number, line) in lines.iter().enumerate() {
            let bad = |why: String| ReadError::Line { line: number + 1, why };
            let Some(line) = line.strip_suffix(b"\n") else { break };
            match serde_json::from_slice(line).map_err(|error| bad(error.to_string()))? {
                Line::Asked { id, start, origin, token, action } => {
                    if places.insert(id, operations.len()).is_some() {
                        return Err(bad(format!("operation {id} was asked before")));
                    }
                    let outcome = Outcome::Unknown("the record ends before its answer".to_owned());
                    operations.push(Operation {
                        id,
                        origin,
                        start,
                        end: None,
                        connection: None,
                        token,
                        action,
                        outcome,
                    });
                }
                Line::Answered { id, end, connection, outcome } => {
                    let place =
                        places.get(&id).ok_or_else(|| bad(format!("operation {id} was never asked")))?;
                    let operation = &mut operations[*place];
                    if operation.end.is_some() {
                        return Err(bad(format!("operation {id} was answered before")));
                    }
                    if end < operation.start {
                        return Err(bad(format!("operation {id} was answered before it was asked")));
                    }
                    (operation.end, operation.connection, operation.outcome) =
                        (Some(end), connection, outcome);
                }
            }
        }
        Ok(History { operations })
    }
}

#[cfg(test)]
mod tests;

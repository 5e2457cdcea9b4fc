//! What is replicated: commands, not effects.
//!
//! A command is a write request, or a step of our own, with everything non-deterministic stamped by the primary: its log
//! time and any random number. Every replica applies commands in log order and gets the same result, condition failures
//! included, because applying is a pure function of the state, the command and the semantics level.
//!
//! Shape of an entry: format (one byte, now 1), then [`Command`] in postcard's form. Variants are numbered by their
//! place: new ones go to the end, and are proposed only once the semantics level says that every node knows them.

use api::{IndexId, Request, TableId};
use bytes::Bytes;

use crate::attribute_lists::{Demand, Names};
use crate::parameters::Parameter;

/// Format of the entries written now.
const FORMAT: u8 = 1;

/// The newest level that this program can judge by. A group judges by the level in its state, which rises by
/// [`Body::RaiseLevel`] once every member supports the next one, so that a rolling upgrade can't make two nodes judge one
/// condition differently.
///
/// 1: the first. 2: [`Body::SetParameter`].
pub const SEMANTICS_LEVEL: u32 = 2;
/// The level every program supports.
pub const FIRST_LEVEL: u32 = 1;
/// From this level on there are parameters.
pub const PARAMETERS_LEVEL: u32 = 2;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Command {
    /// The primary's clock when it was proposed, milliseconds since the epoch. Its log time is this or the last entry's,
    /// whichever is later.
    pub clock_millis: u64,
    /// A random number drawn by the primary for what the command makes: a table's UUID, an incarnation.
    pub entropy: u128,
    /// What is to be done.
    pub body: Body,
}

/// The schema a request was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Basis {
    /// The table.
    pub table: TableId,
    /// Its generation.
    pub generation: u64,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Body {
    /// The first command of a store: gives it its incarnation and semantics level. Without effect later on.
    Begin {
        /// The level to judge by.
        semantics_level: u32,
    },
    /// A caller's write. Not applied, and answered as stale, if a table it rests on has changed since.
    Write {
        /// The tables it names, as the primary knew them.
        basis: Vec<Basis>,
        /// The request, checked.
        request: Request,
    },
    /// A caller's change to a table's schema or settings.
    Control {
        /// The request, checked.
        request: Request,
    },
    /// A table, and what of its indexes has no data to be filled from, becomes usable.
    Activate {
        /// The table as the primary knew it.
        basis: Basis,
    },
    /// A deleted table's name becomes free; its records are left to [`Body::Purge`].
    Remove {
        /// The table.
        table: TableId,
    },
    /// Fills an index by one bounded step; the last step makes it usable.
    Backfill {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
        /// Most items to look at.
        items: u32,
        /// Most bytes of records to look at; one item more may be.
        bytes: u32,
    },
    /// A deleted index leaves its table; its records are left to [`Body::Purge`].
    RemoveIndex {
        /// The table.
        table: TableId,
        /// The index.
        index: IndexId,
    },
    /// Removes the records of a dropped table or index that nobody can be reading any more.
    Purge {
        /// The dropped id.
        id: u64,
    },
    /// Removes idempotency tokens whose window has passed.
    ForgetTokens {
        /// Log time from which on there are any, milliseconds.
        from_millis: u64,
        /// Most tokens to remove.
        tokens: u32,
    },
    /// Gives a list of attribute names its id, if it has none.
    DefineAttributeList {
        /// The names, in the order that the id stands for.
        names: Names,
        /// Who wants it.
        demand: Demand,
    },
    /// Takes a stretch of ids for attribute lists that need not last.
    TakePassingIds,
    /// From here on entries are judged by this level, if it is higher than the one before.
    RaiseLevel {
        /// The level.
        level: u32,
    },
    /// Every replica compares what its primary's digest was with what its own was, and notes its own as it is now.
    Compare {
        /// Of an earlier command of this kind, as the primary noted it.
        noted: Option<Noted>,
    },
    /// Sets a parameter of the whole group, or takes its value away. From [`PARAMETERS_LEVEL`] on.
    SetParameter {
        /// Which.
        parameter: Parameter,
        /// What it is from here on. None: what each node's own settings say.
        value: Option<u64>,
    },
}

/// The digest of all effects up to an entry: see [`crate::state::State::compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Noted {
    /// The entry.
    pub index: u64,
    /// The digest.
    pub digest: u64,
}

impl Body {
    /// Whether it reads ranges of the state, so that whatever was applied before must be in the engine first.
    pub fn reads_ranges(&self) -> bool {
        match self {
            Body::Backfill { .. } | Body::ForgetTokens { .. } => true,
            Body::Begin { .. }
            | Body::Write { .. }
            | Body::Control { .. }
            | Body::Activate { .. }
            | Body::Compare { .. }
            | Body::DefineAttributeList { .. }
            | Body::Purge { .. }
            | Body::RaiseLevel { .. }
            | Body::Remove { .. }
            | Body::RemoveIndex { .. }
            | Body::SetParameter { .. }
            | Body::TakePassingIds => false,
        }
    }
}

/// Why an entry can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A newer program wrote it. Applying on without it would part this replica from the others.
    #[error(
        "a log entry has format {0}, which this program does not know; start the newer version that wrote it"
    )]
    Format(u8),
    /// It is no command. Every replica sees the same bytes and ignores them alike.
    #[error("a log entry is no command")]
    Malformed,
}

impl Command {
    /// The entry's bytes.
    pub fn encode(&self) -> Bytes {
        postcard::to_extend(self, vec![FORMAT]).expect("a command has no part that postcard refuses").into()
    }

    /// The command of an entry. Never panics, whatever the bytes.
    pub fn decode(entry: &[u8]) -> Result<Command, CommandError> {
        let (&format, body) = entry.split_first().ok_or(CommandError::Malformed)?;
        if format != FORMAT {
            return Err(CommandError::Format(format));
        }
        postcard::from_bytes(body).map_err(|_| CommandError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use crate::attribute_lists::Demand;
    use crate::parameters::Parameter;

    use super::{Basis, Body, Command, CommandError, Noted};
    use api::op::DeleteTableInput;
    use api::{Request, TableId, TableName};

    #[test]
    fn a_command_round_trips_and_bad_bytes_are_told_apart() {
        let table = TableName::new("things").unwrap();
        let bodies = [
            Body::Begin { semantics_level: 1 },
            Body::Write {
                basis: vec![Basis { table: TableId(16), generation: 2 }],
                request: Request::DeleteTable(DeleteTableInput { table }),
            },
            Body::Purge { id: 9 },
            Body::ForgetTokens { from_millis: 1, tokens: 2 },
            Body::DefineAttributeList { names: vec!["a".to_owned()].into(), demand: Demand::Answer },
            Body::RaiseLevel { level: 2 },
            Body::Compare { noted: Some(Noted { index: 7, digest: u64::MAX }) },
            Body::SetParameter { parameter: Parameter::QueryTtlMillis, value: Some(0) },
            Body::SetParameter { parameter: Parameter::RecordTtlMillis, value: None },
        ];
        for body in bodies {
            let command = Command { clock_millis: 77, entropy: u128::MAX, body };
            let bytes = command.encode();
            assert_eq!(Command::decode(&bytes), Ok(command));
            for cut in 1..bytes.len() {
                assert!(Command::decode(&bytes[..cut]).is_err());
            }
        }
        assert_eq!(Command::decode(b""), Err(CommandError::Malformed));
        assert_eq!(Command::decode(b"\x09abc"), Err(CommandError::Format(9)));
    }
}

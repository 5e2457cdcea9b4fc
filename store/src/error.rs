//! Engine facts, and which of the service's errors each becomes.
//!
//! Invariant: what crosses the trait is [`api::Error`]; causes of internal errors are logged where they are met, never
//! told to the caller, but for those that say what an operator has to do.

use api::{Detail, Error, ErrorKind};

use crate::db::DbError;
use crate::kv::Malformed;

/// Why a handler gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The service refuses the request: the answer itself.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The storage engine failed, or needs the disk where it was told to stay in memory.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A stored record is not what this program writes.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl EngineError {
    /// Whether the same read has to be made again where it may block on the disk.
    pub fn needs_disk(&self) -> bool {
        matches!(self, EngineError::Db(DbError::NeedsDisk))
    }
}

/// Why a store did not open.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The store was written in a format this program does not know.
    #[error(
        "the store has format {found}, this program reads format {supported}; start the version of Forebay that wrote \
         it, or restore a backup made by this one"
    )]
    Format {
        /// The format found.
        found: u32,
        /// The format this program reads.
        supported: u32,
    },
    /// Entries are judged by rules that this program does not know.
    #[error(
        "the store judges by level {found}, this program knows level {supported}; start the newer version of Forebay that \
         its group runs"
    )]
    Level {
        /// The level of the store.
        found: u32,
        /// The newest that this program knows.
        supported: u32,
    },
    /// Records stand in the store, but no format number: it is not ours, or it is damaged.
    #[error(
        "the directory holds records but no format number; point the data directory at an empty directory"
    )]
    NotAStore,
    /// There is no room for ids that clients can't know.
    #[error(
        "so many clusters were made of this one's data, one after the other, that no ids of attribute lists are left; write its items into \
         an empty cluster through the API"
    )]
    NoIds,
    /// The storage engine failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A stored record is not what this program writes.
    #[error("{0}; restore this node from a backup, or remove its data and let it join again")]
    Malformed(#[from] Malformed),
    /// The replicated log failed.
    #[error("the log did not start: {0}")]
    Log(String),
}

/// What whoever meets damage is told, wherever that is. It holds only where others have the data.
const JOIN_AGAIN: &str = "; restore this node from a backup, or remove its data and let it join again";

impl OpenError {
    /// What is wrong, without what to do about it where a majority has the data.
    pub fn what(&self) -> String {
        self.to_string().replace(JOIN_AGAIN, "")
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Error {
        match error {
            EngineError::Refused(error) => error,
            EngineError::Db(error) => from_db(error),
            EngineError::Malformed(error) => {
                tracing::error!(%error, "a stored record can't be read");
                internal()
            }
        }
    }
}

/// What a caller is told where the fault is ours: retryable, and never a success.
pub fn internal() -> Error {
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}

/// What a caller is told where the outcome of a write is not known in time.
pub fn unknown_outcome() -> Error {
    Error::new(
        ErrorKind::InternalServerError,
        "The outcome of the request is not known: the node did not learn it in time. Read before trying again",
    )
    .with(Detail::OutcomeUnknown)
}

/// What a caller is told where only the primary may answer, and this node is not it.
pub fn not_primary(primary: Option<u64>) -> Error {
    Error::new(
        ErrorKind::ServiceUnavailableException,
        "This node does not answer that at the moment: it is not the primary. Try again",
    )
    .with(Detail::NotPrimary { primary })
}

/// What a caller is told where the storage engine failed.
pub fn from_db(error: DbError) -> Error {
    match error {
        DbError::Full(_) | DbError::Sync(_) | DbError::Io(_) | DbError::Refused(_) => {
            tracing::error!(%error, "the storage engine refuses");
            Error::new(ErrorKind::InternalServerError, format!("The store takes no writes: {error}"))
        }
        DbError::Corrupt(_) | DbError::Locked(_) | DbError::NeedsDisk | DbError::Misused(_) => {
            tracing::error!(%error, "the storage engine failed");
            internal()
        }
    }
}

/// What a data operation on an unknown table is told.
pub fn table_not_found() -> Error {
    Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found")
}

/// What an operation on a table itself is told where there is none of that name.
pub fn named_table_not_found(table: &str) -> Error {
    Error::new(
        ErrorKind::ResourceNotFoundException,
        format!("Requested resource not found: Table: {table} not found"),
    )
}

/// What an operation on a table is told while the table can't take it.
pub fn in_use(what: &str, table: &str) -> Error {
    Error::new(
        ErrorKind::ResourceInUseException,
        format!("Attempt to change a resource which is still in use: Table is being {what}: {table}"),
    )
}

//! What can go wrong below the seam, and what to do about each.

use std::sync::Arc;

/// A failure of the storage engine. Cloneable, since one failed sync fails many waiters.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DbError {
    /// Stored bytes are not what was written. Never retried.
    #[error(
        "stored data is corrupt: {0}; restore this node from a backup, or remove its data and let it join again"
    )]
    Corrupt(Arc<str>),
    /// The disk has no room; this instance takes no more writes, reads go on.
    #[error("the disk is full: {0}; free space and restart this node")]
    Full(Arc<str>),
    /// Data could not be made durable, so what the disk holds is unknown; no more writes.
    #[error("data could not be synced to disk: {0}; check the disk, then restart this node")]
    Sync(Arc<str>),
    /// Any other failure of the file system; no more writes if it was met while writing.
    #[error("input or output failed: {0}; check the disk, then restart this node")]
    Io(Arc<str>),
    /// An earlier write failed, or the instance was closed. Writes are refused until it is opened
    /// again; reads go on.
    #[error("writes are refused until this node is restarted, because {0}")]
    Refused(Arc<str>),
    /// Another process holds the directory.
    #[error("the data directory is in use: {0}; stop the other process first")]
    Locked(Arc<str>),
    /// A read that was told to stay in memory needs the disk: ask again without that.
    #[error("the record is not in memory")]
    NeedsDisk,
    /// The engine refused the call itself: a defect of ours.
    #[error("the storage engine refused a call: {0}; report this as a defect")]
    Misused(Arc<str>),
}

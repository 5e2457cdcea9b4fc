//! Whom a store on disk belongs to, found out without opening it: nothing in its directory is changed.
//!
//! For whoever must know, before a node is made of it, whether it is that of a node alone or of a member of some cluster.

use std::path::Path;
use std::sync::Arc;

use raft::Members;
use raft::log::{members_in_log, members_in_mark};

use crate::db::rocks::{RocksEngine, home};
use crate::db::{Db, DbLogDisk};
use crate::error::OpenError;
use crate::kv::applied::{Applied, KEY};

/// The members that the store below a directory knows: those that its state had last, or, of one whose state was never made
/// durable, its log. `None`: there is no store. Blocks.
///
/// Errors: a store that a process has open; one that can't be read.
pub fn members(engine: &RocksEngine, directory: &Path) -> Result<Option<Members>, OpenError> {
    let state = directory.join(home::in_use(directory)?);
    let log = directory.join("log");
    if !is_instance(&state) && !is_instance(&log) {
        return Ok(None);
    }
    if is_instance(&state)
        && let Some(applied) = engine.look_into(&state)?.get(&KEY)?
        && let Some(members) = members_in_mark(&Applied::decode(&applied)?.log_state)
    {
        return Ok(Some(members));
    }
    if !is_instance(&log) {
        return Ok(Some(Members::default()));
    }
    // Last, since a log that is long takes its time.
    let log = DbLogDisk::new(Arc::new(engine.look_into(&log)?));
    let members = members_in_log(&log).map_err(|error| OpenError::Log(error.to_string()))?;
    Ok(Some(members))
}

/// Whether the engine has made something there.
pub(crate) fn is_instance(directory: &Path) -> bool {
    directory.join("CURRENT").is_file()
}

//! The directories of a node's states, and which of them is in use.
//!
//! The first lies in `state`, those that came from peers in `state-1` and on; in one life of a node no name is used twice. `STATE` names the one in
//! use, where it is not the first. It is replaced by renaming a file that was written and synced before, and synced with its
//! directory. All other directories are left over from an attempt that a crash has ended, or from before the last switch.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Place, RocksEngine};
use crate::db::home::{NewState, StateHome};
use crate::db::{DbError, SharedDb};

const POINTER: &str = "STATE";
const FIRST: &str = "state";

/// The home of states on disk.
pub struct RocksHome {
    shared: Arc<Shared>,
}

struct Shared {
    engine: RocksEngine,
    directory: PathBuf,
    names: Mutex<Names>,
}

struct Names {
    current: Arc<Place>,
    /// Number of the next directory.
    next: u64,
}

impl RocksHome {
    /// Opens the state in use below a directory, and its home. Errors: as of [`RocksEngine::open_state`], and a pointer that
    /// names none.
    pub fn open(engine: &RocksEngine, directory: &Path) -> Result<(SharedDb, RocksHome), DbError> {
        let current = in_use(directory)?;
        let state = engine.open_state(&directory.join(&current))?;
        remove_others(directory, &current)?;
        let next = number(&current).map_or(1, |number| number + 1);
        let names = Mutex::new(Names { current: Arc::clone(state.place()), next });
        let shared = Shared { engine: engine.clone(), directory: directory.to_owned(), names };
        Ok((Arc::new(state), RocksHome { shared: Arc::new(shared) }))
    }
}

impl StateHome for RocksHome {
    fn begin(&self) -> Result<Box<dyn NewState>, DbError> {
        let home = Arc::clone(&self.shared);
        let number = {
            let mut names = home.names.lock();
            names.next += 1;
            names.next - 1
        };
        let name = format!("{FIRST}-{number}");
        let state = home.engine.open_state(&home.directory.join(&name))?;
        let place = Arc::clone(state.place());
        place.leave();
        let pointer = home.directory.join(format!("{POINTER}-{number}"));
        Ok(Box::new(New { db: Arc::new(state), place, name, pointer, home }))
    }
}

struct New {
    db: SharedDb,
    place: Arc<Place>,
    name: String,
    /// What is to become the pointer.
    pointer: PathBuf,
    home: Arc<Shared>,
}

impl NewState for New {
    fn db(&self) -> &SharedDb {
        &self.db
    }

    fn seal(&mut self) -> Result<(), DbError> {
        let write = || {
            let mut file = File::create(&self.pointer)?;
            file.write_all(self.name.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| io(&self.pointer, &error))
    }

    fn switch(self: Box<Self>) -> Result<SharedDb, DbError> {
        let mut names = self.home.names.lock();
        // First: from here on a crash, or a failure, may leave either in use, so neither may go.
        self.place.stay();
        let rename = || {
            std::fs::rename(&self.pointer, self.home.directory.join(POINTER))?;
            File::open(&self.home.directory)?.sync_all()
        };
        rename().map_err(|error| io(&self.pointer, &error))?;
        std::mem::replace(&mut names.current, Arc::clone(&self.place)).leave();
        Ok(Arc::clone(&self.db))
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // After a switch, or before it was sealed, there is none; one that stays is removed at the next opening.
        let _ = std::fs::remove_file(&self.pointer);
    }
}

/// The name of the directory in use. Errors: a pointer that names none.
pub(crate) fn in_use(directory: &Path) -> Result<String, DbError> {
    match std::fs::read_to_string(directory.join(POINTER)) {
        Ok(name) if number(&name).is_some() && directory.join(&name).is_dir() => Ok(name),
        Ok(name) => {
            let what = format!("{POINTER} names {name:?}, which is no state here");
            Err(DbError::Corrupt(what.into()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(FIRST.to_owned()),
        Err(error) => Err(io(&directory.join(POINTER), &error)),
    }
}

/// Removes what no process can be using: whoever opens holds the lock of the current one.
fn remove_others(directory: &Path, current: &str) -> Result<(), DbError> {
    for entry in std::fs::read_dir(directory).map_err(|error| io(directory, &error))? {
        let entry = entry.map_err(|error| io(directory, &error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let removed = if number(name).is_some() && name != current {
            std::fs::remove_dir_all(entry.path())
        } else if name.strip_prefix(POINTER).is_some_and(|rest| rest.starts_with('-')) {
            std::fs::remove_file(entry.path())
        } else {
            continue;
        };
        removed.map_err(|error| io(&entry.path(), &error))?;
    }
    Ok(())
}

/// The number in the name of a state's directory; 0 is the first.
fn number(name: &str) -> Option<u64> {
    match name.strip_prefix(FIRST)? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok().filter(|number| *number > 0),
    }
}

fn io(path: &Path, error: &std::io::Error) -> DbError {
    let what = format!("{}: {error}", path.display()).into();
    if error.kind() == ErrorKind::StorageFull { DbError::Full(what) } else { DbError::Io(what) }
}

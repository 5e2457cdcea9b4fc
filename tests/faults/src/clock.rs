//! Clocks of a process that say something else than the machine's.
//!
//! Monotonic ones differ from the start of the process and stay so: as after a machine was up for long, or for a moment. The wall
//! clock jumps while the process runs: it is asked through libfaketime, which is loaded before the C library and answers in its
//! place. Who asks the kernel by itself, and not through that library, is told the machine's time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::tool::{FaultError, is_left_over, name, run};

/// What is loaded; the loader puts the machine's own folder of libraries in. Of the two forms the one for programs of many threads.
const PRELOADED: &str = "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1";
/// Where it keeps what forked processes share, by the number of the process. Nobody needs either once it is open.
const SHARED: [&str; 2] = ["/dev/shm/faketime_shm_", "/dev/shm/sem.faketime_sem_"];

/// A command that runs a program with its monotonic clock and its uptime this much ahead. The process that is spawned is the
/// program's parent; where that is killed the program ends with it.
pub fn ahead(by: Duration, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let seconds = by.as_secs().to_string();
    let mut command = Command::new("unshare");
    command
        .args(["--time", "--monotonic", &seconds, "--boottime", &seconds, "--fork", "--kill-child"])
        .arg(program);
    command
}

/// A wall clock that can be set while programs run by it. Dropping it gives them the machine's time.
#[derive(Debug)]
pub struct WallClock(PathBuf);

impl WallClock {
    /// One that shows the machine's time. First removes the files of runs that were killed; what the library itself
    /// left in shared memory where a node was killed as it started stays. Errors: libfaketime is missing, or
    /// does not work here.
    pub fn new() -> Result<WallClock, FaultError> {
        sweep()?;
        // The loader only warns of what it can't load, so that the time itself has to be looked at.
        let long_ago = ["FAKETIME=@2001-06-15 12:00:00", PRELOADED, "date", "+%Y"];
        if run("env", &long_ago, "")?.trim() != "2001" {
            let what = "libfaketimeMT.so.1, of Debian's package libfaketime, is not loaded";
            return Err(FaultError::system(what, std::io::ErrorKind::NotFound));
        }
        let clock = WallClock(std::env::temp_dir().join(name()));
        clock.set(0)?;
        Ok(clock)
    }

    /// A command that runs a program by this clock, as the process that is spawned: its number is the program's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("env");
        command
            .arg(PRELOADED)
            .arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.0.display()))
            // It is looked at again with every second: at every call it would cost a file's opening and reading.
            .arg("FAKETIME_CACHE_DURATION=0")
            .arg("FAKETIME_DONT_FAKE_MONOTONIC=1")
            .arg("NO_FAKE_STAT=1")
            .arg(program);
        command
    }

    /// Sets it so far ahead of the machine's, or behind where that is less than nothing. Unit: seconds. Programs that run see it
    /// within about a second.
    pub fn set(&self, seconds: i64) -> Result<(), FaultError> {
        let next = self.0.with_extension("next");
        let failed = |why| FaultError::system(self.0.display().to_string(), why);
        std::fs::write(&next, format!("{seconds:+}\n")).map_err(failed)?;
        // In one step: nobody ever reads half of it.
        std::fs::rename(&next, &self.0).map_err(failed)
    }

    /// Removes what a process that runs by it has put aside, which stays where that is killed. To be called once it has started.
    pub fn started(&self, pid: u32) -> Result<(), FaultError> {
        for path in SHARED.map(|begin| format!("{begin}{pid}")) {
            match std::fs::remove_file(&path) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FaultError::system(path, why));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        // Where it cannot be removed, the next run sweeps.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn sweep() -> Result<(), FaultError> {
    let place = std::env::temp_dir();
    let failed = |why| FaultError::system(place.display().to_string(), why);
    for entry in std::fs::read_dir(&place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(is_left_over);
        if ours && is_file(&path) {
            // Another run may sweep at the same time.
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

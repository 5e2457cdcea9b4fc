//! Signals to a process, by its number.

use rustix::process::{Pid, Signal, kill_process};

use crate::tool::FaultError;

fn send(pid: u32, signal: Signal, what: &str) -> Result<(), FaultError> {
    let failed = |why: std::io::Error| FaultError::system(format!("{what} process {pid}"), why);
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let number = number.ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    kill_process(number, signal).map_err(|why| failed(why.into()))
}

/// Ends it, now: it runs no further instruction of its own.
pub fn kill(pid: u32) -> Result<(), FaultError> {
    send(pid, Signal::KILL, "killing")
}

/// A process that stands still. Dropping this lets it go on.
#[derive(Debug)]
pub struct Paused(u32);

/// Makes a process stand still: its sockets stay open, and its clocks go on.
pub fn pause(pid: u32) -> Result<Paused, FaultError> {
    send(pid, Signal::STOP, "pausing")?;
    Ok(Paused(pid))
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = send(self.0, Signal::CONT, "continuing");
    }
}

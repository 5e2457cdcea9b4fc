//! What a process uses: CPU time, which on a machine that others use too says more than time on the wall; memory; files.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::BenchError;

/// Clock ticks a second in `/proc`. Fixed at 100 on every architecture of Linux that we run on; see proc(5), `_SC_CLK_TCK`.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of all threads of a process, to a hundredth of a second; `None` where it can't be read.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    of_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn of_stat(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may hold anything, blanks and parentheses too.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

/// Memory of a process that is in RAM. Unit: bytes. `None` where it can't be read.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How many files a process may have open; `None` where it can't be read, or has no limit.
pub(crate) fn open_files_limit(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Raises the number of files that this process may have open. Errors: whoever started it allows fewer.
pub(crate) fn allow_open_files(needed: u64) -> Result<(), BenchError> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    // Beyond the hard limit only those may go who may do everything.
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum.map(|most| most.max(needed)) };
    setrlimit(Resource::Nofile, raised)
        .map_err(|_| BenchError::OwnFiles { limit: limit.maximum.unwrap_or(u64::MAX), needed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_program_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 3 0 100 1000 200\n";
        assert_eq!(of_stat(stat), Some(Duration::from_millis(2810)));
        assert_eq!(of_stat("42 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_used_some() {
        assert!(cpu_time(std::process::id()).is_some());
        assert_eq!(cpu_time(u32::MAX), None);
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 16));
        assert_eq!(resident_bytes(u32::MAX), None);
    }

    #[test]
    fn no_more_files_are_allowed_than_the_system_gives() {
        allow_open_files(1).unwrap();
        assert!(open_files_limit(std::process::id()).is_none_or(|limit| limit > 1));
        let refused = allow_open_files(1 << 40).unwrap_err().to_string();
        assert!(refused.contains("ulimit -n"), "{refused}");
    }
}

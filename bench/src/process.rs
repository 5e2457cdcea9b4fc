//! How much CPU time a process has used. On a machine that others use too, time on the CPU says more than time on the wall.

use std::time::Duration;

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
    }
}

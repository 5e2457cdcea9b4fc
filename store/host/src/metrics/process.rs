//! What the process as a whole uses: CPU, memory, age.
//!
//! Read from Linux' `/proc/self` whenever metrics are read; on other systems these metrics are absent rather than wrong.

use std::time::Instant;

use super::{Registry, names};

/// Ticks of `/proc/self/stat` in a second. The kernel reports these fields to user space in units of USER_HZ, which is 100 on
/// every architecture we build for, whatever the kernel's own tick. Source: proc(5), time(7).
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers CPU seconds, cores, resident memory and the age of the process with `registry`.
///
/// `started` is the moment the age counts from.
pub fn register(registry: &Registry, started: Instant) {
    if cpu_seconds().is_some() {
        registry.counter_fn(names::CPU_SECONDS, &[], || cpu_seconds().unwrap_or(f64::NAN));
    }
    if resident_bytes().is_some() {
        registry
            .gauge_fn(names::RESIDENT_BYTES, &[], || resident_bytes().map_or(f64::NAN, |bytes| bytes as f64));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    registry.gauge_fn(names::CORES, &[], move || cores as f64);
    registry.gauge_fn(names::UPTIME_SECONDS, &[], move || started.elapsed().as_secs_f64());
}

/// CPU time of all threads so far, user and system. Unit: seconds. `None` where `/proc` does not tell.
pub fn cpu_seconds() -> Option<f64> {
    parse_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Resident memory. Unit: bytes. `None` where `/proc` does not tell.
pub fn resident_bytes() -> Option<u64> {
    parse_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_stat(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses and may hold anything, parentheses and spaces included.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn parse_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the age of this very process")]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_program_name_does_not_shift_the_fields() {
        let stat = "7 (a b) ) 1) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 1 2 3";
        assert_eq!(parse_stat(stat), Some(3.0));
        assert_eq!(parse_stat("garbage"), None);
        assert_eq!(parse_stat("7 (x) S 1"), None);
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(parse_status("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(parse_status("VmRSS: many kB"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_memory_and_its_metrics_are_exposed() {
        assert!(resident_bytes().expect("linux tells") > 100_000);
        let registry = Registry::new();
        register(&registry, Instant::now());
        let text = registry.prometheus();
        for name in
            ["forebay_process_cpu_seconds_total", "forebay_process_resident_bytes", "forebay_process_cores"]
        {
            assert!(text.contains(&format!("\n{name} ")), "{name} in {text}");
        }
    }
}

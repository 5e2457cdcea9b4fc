//! Real memory of the cache against `cache_bytes`: at most 1.25 times, whatever the entries' sizes (P10).
//!
//! Resident memory is the whole process's, so every workload runs in a process of its own: each test starts this program
//! anew with itself as the only test.

#[path = "fixture/things.rs"]
mod things;

use std::process::Command;
use std::sync::Arc;

use api::operation::Ready;
use api::{ChangeSink, Wire};
use bytes::Bytes;
use forebay_proxy::cache::item::{Filled, ItemFound};
use forebay_proxy::cache::{Cache, CacheSettings};
use host::clock::ManualClock;
use host::metrics::Registry;
use host::settings::ByteSize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CACHE_BYTES: ByteSize = ByteSize::mib(128);
const WITHIN: f64 = 1.25;
const CHILD: &str = "FOREBAY_MEMORY_CHILD";

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = statm.split(' ').nth(1).expect("the second field").parse().expect("a number");
    pages * 4096
}

/// Fills the cache four times over with items of `bytes_of(n)` bytes, every one with a JSON form if `forms`.
fn fill(forms: bool, bytes_of: impl Fn(u64) -> usize) {
    let settings = CacheSettings { cache_bytes: CACHE_BYTES, query_share_percent: 0, ..Default::default() };
    let before = resident_bytes();
    let cache = Cache::new(settings, Arc::new(ManualClock::at(0)), 5, 2, &Registry::new()).expect("sound");
    cache.gap(things::VERSION);
    let table = things::table();
    let mut offered = 0;
    let mut n = 0;
    while offered < 4 * CACHE_BYTES.bytes() {
        let bytes = bytes_of(n);
        assert_eq!(things::fill(&cache, &table, n, bytes), Filled::Stands);
        let key = things::key_bytes(n);
        let item_key = cache.item_key(&table, key.as_bytes()).expect("a short key");
        let view = cache.view().expect("no gap");
        // A hit shares the entry's buffer, which then grows a counter of its own.
        if let ItemFound::Hit(entry, _) = cache.item(&view, &item_key) {
            drop(entry.item());
            if forms {
                let body = Bytes::from(vec![b'j'; bytes + 60]);
                cache.keep_item_form(&entry, &Ready { wire: Wire::Json, bytes: body, crc32: 0 });
            }
        }
        // No entry takes less than this: tiny items fill the cache too.
        offered += (bytes as u64).max(250);
        n += 1;
    }
    let took = resident_bytes().saturating_sub(before);
    let share = took as f64 / CACHE_BYTES.bytes() as f64;
    println!(
        "items offered {n}, weighed {} bytes, resident {took} bytes, {share:.3} of cache_bytes",
        cache.bytes()
    );
    assert!(share <= WITHIN, "{share}");
    assert!(cache.bytes() as f64 >= 0.8 * CACHE_BYTES.bytes() as f64, "the cache is not full");
}

/// Runs `work` in a process of its own.
fn alone(name: &str, work: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return work();
    }
    let this = std::env::current_exe().expect("a running program");
    let output = Command::new(this)
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter(|line| line.starts_with("items offered")).for_each(|line| println!("{name}: {line}"));
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tiny_items() {
    alone("tiny_items", || fill(false, |_| 20));
}

#[test]
fn items_of_500_bytes_with_a_form() {
    alone("items_of_500_bytes_with_a_form", || fill(true, |_| 480));
}

#[test]
fn items_of_400_kb() {
    alone("items_of_400_kb", || fill(true, |n| 409_000 - (n as usize * 37) % 4_000));
}

#[test]
fn items_of_all_sizes() {
    alone("items_of_all_sizes", || fill(true, |n| 1 << (4 + n.wrapping_mul(2_654_435_761) % 14)));
}

//! Faults for real processes, on one machine: networks that break, processes that stop, disks that fill.
//!
//! The map: [`network`] gives each node a network namespace and breaks what is between them; [`relay`] delays TCP; [`process`]
//! stops, continues and kills; [`disk`] is a small disk; [`clock`] starts a process at another uptime, and makes its wall clock
//! jump; `tool` runs the programs all that is made of.
//!
//! It knows nothing of what the processes do. It needs Linux, root, the programs `ip`, `tc`, `nft`, `mount`, `unshare`, `env` and
//! `date`, and libfaketime; where something is missing it fails and says what, and never passes for having nothing to do.
//!
//! What can't be had: a kernel without `netem` delays and reorders no packets, so delay is a relay of whole TCP streams; a time
//! namespace moves uptime once, before a process starts, and not while it runs. The wall clock has no namespace: it jumps for
//! those who ask the C library, as Rust's programs do.
//!
//! Invariant: what it changes is its own. Rules stand in namespaces it made, never in the machine's. All of it is gone when the
//! value is dropped, by a panic too, and what a killed run left behind goes when the next one starts.

pub mod clock;
pub mod disk;
pub mod network;
pub mod process;
pub mod relay;
mod tool;

pub use tool::FaultError;

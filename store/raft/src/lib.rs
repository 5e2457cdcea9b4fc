//! Election and a replicated, synced log for any state machine.

pub mod log;

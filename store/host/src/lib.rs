//! What any process of ours needs around it: settings, signals, clocks, metrics, limits, tracing, an admin port, certificates
//! and the threads that connections live on.
//!
//! This crate knows nothing of DynamoDB: it imports nothing of ours, so the store's library, the node and the bench can
//! all stand on it. Everything it offers is handed in by the binary (a registry, a clock, a shutdown token); it keeps no
//! global state but the one tracing subscriber a process may have, see [`telemetry`].

pub mod admin;
pub mod clock;
pub mod metrics;
pub mod open_files;
pub mod runtime;
pub mod settings;
pub mod shutdown;
pub mod socket;
pub mod telemetry;
pub mod tls;

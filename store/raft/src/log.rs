//! The replicated log on disk.

pub mod disk;

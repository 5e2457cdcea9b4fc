//! The layer before a real store in memory: everything it answers is what the store answers.

mod coherence;
mod flights;
mod sizes;
mod world;

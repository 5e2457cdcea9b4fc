//! Strict behaviour: limits to the byte, messages to the letter, which fault is told first.

pub mod limits;
pub mod messages;
pub mod shapes;

//! What a protocol has no place for: cases that can't hold over it, by name, each with the reason.
//!
//! Not a list of known faults. A case stands here only where no server and no client could make it hold without changing what
//! the official clients of that protocol send or read. Whoever adds a line changes a promise, and whoever makes a case hold
//! takes its line out: a case in the list that holds is a failure.

/// A case, and why it can't be said.
#[derive(Debug, Clone, Copy)]
pub struct Inexpressible {
    /// The module of the case.
    pub module: &'static str,
    /// Its name.
    pub case: &'static str,
    /// What has no place on the wire.
    pub reason: &'static str,
}

/// Over the DAX protocol.
pub const OVER_DAX: &[Inexpressible] = &[Inexpressible {
    module: "complete::updates",
    case: "a_failed_condition_returns_the_item_where_asked",
    reason: "a request has no option that asks for the item of a failed condition, and an error no place for it, but in a \
             transaction",
}];

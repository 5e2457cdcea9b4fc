//! What must hold before the process says it is ready.

use std::sync::{Arc, Mutex, PoisonError};

/// The list of what the process still waits for. Empty means ready; so a part that is to be waited for must be named before the
/// admin port is served. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Mutex<Vec<Part>>>,
}

#[derive(Debug)]
struct Part {
    name: String,
    // Why it is not ready; none when it is.
    reason: Option<String>,
    // Whether it stays so until the process is started anew.
    lost: bool,
}

impl Readiness {
    /// A list with nothing on it: ready.
    pub fn new() -> Self {
        Readiness::default()
    }

    /// Puts a part on the list, not ready yet, because of `reason`.
    pub fn require(&self, name: impl Into<String>, reason: impl Into<String>) -> Requirement {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push(Part { name: name.into(), reason: Some(reason.into()), lost: false });
        Requirement { readiness: self.clone(), index: parts.len() - 1 }
    }

    /// Whether nothing is waited for.
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// What is waited for, and why, in the order it was required.
    pub fn reasons(&self) -> Vec<(String, String)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter_map(|part| Some((part.name.clone(), part.reason.clone()?))).collect()
    }

    /// What only a restart can mend, and why, in the order it was required.
    pub fn losses(&self) -> Vec<(String, String)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = parts.iter().filter(|part| part.lost);
        lost.filter_map(|part| Some((part.name.clone(), part.reason.clone()?))).collect()
    }
}

/// One part that readiness depends on. Dropping it changes nothing.
#[derive(Debug)]
pub struct Requirement {
    readiness: Readiness,
    index: usize,
}

impl Requirement {
    /// The part is ready.
    pub fn met(&self) {
        self.set(None, false);
    }

    /// The part is not ready, or no longer.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()), false);
    }

    /// The part is not ready, and will not be before the process is started anew: whoever sees to that is told so.
    pub fn lost(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()), true);
    }

    fn set(&self, reason: Option<String>, lost: bool) {
        let mut parts = self.readiness.parts.lock().unwrap_or_else(PoisonError::into_inner);
        (parts[self.index].reason, parts[self.index].lost) = (reason, lost);
    }
}

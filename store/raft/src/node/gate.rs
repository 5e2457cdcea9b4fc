//! The bounded number of proposals under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::RaftError;

pub(crate) struct Gate {
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    max_waiting: usize,
    max_waiting_bytes: usize,
    closed: AtomicBool,
}

/// One proposal's place; given back when dropped.
pub(crate) struct Place {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Gate {
    pub(crate) fn new(max_waiting: usize, max_waiting_bytes: usize) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            max_waiting,
            max_waiting_bytes,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a place, or refuses. A proposal larger than the bound gets one if it is alone.
    pub(crate) fn enter(gate: &Arc<Self>, bytes: usize) -> Result<Place, RaftError> {
        if gate.closed.load(Ordering::Acquire) {
            return Err(RaftError::Shutdown);
        }
        let waiting = gate.waiting.fetch_add(1, Ordering::AcqRel);
        let waiting_bytes = gate.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let place = Place { gate: Arc::clone(gate), bytes };
        let too_many_bytes =
            waiting_bytes > 0 && waiting_bytes.saturating_add(bytes) > gate.max_waiting_bytes;
        if waiting >= gate.max_waiting || too_many_bytes {
            return Err(RaftError::Overloaded);
        }
        Ok(place)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.waiting.fetch_sub(1, Ordering::AcqRel);
        self.gate.waiting_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Gate;
    use crate::error::RaftError;

    #[test]
    fn proposals_beyond_the_bound_are_refused_and_places_come_back() {
        let gate = Arc::new(Gate::new(2, 100));
        let first = Gate::enter(&gate, 60).unwrap();
        assert_eq!(Gate::enter(&gate, 60).err(), Some(RaftError::Overloaded), "too many bytes");
        let second = Gate::enter(&gate, 40).unwrap();
        assert_eq!(Gate::enter(&gate, 0).err(), Some(RaftError::Overloaded), "too many");
        drop((first, second));
        assert_eq!(gate.waiting(), 0);
        assert!(Gate::enter(&gate, 1_000).is_ok(), "a large one alone passes");
        gate.close();
        assert_eq!(Gate::enter(&gate, 1).err(), Some(RaftError::Shutdown));
    }
}

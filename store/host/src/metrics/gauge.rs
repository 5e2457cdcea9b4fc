//! Gauges: numbers that rise and fall.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A number that rises and falls, such as open connections. Clones share the number. Not striped: a gauge changes per
/// connection or per batch, not per request.
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    value: Arc<AtomicI64>,
}

impl Gauge {
    /// Sets the number.
    pub fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// Adds to the number; negative values take away.
    pub fn add(&self, by: i64) {
        self.value.fetch_add(by, Ordering::Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Adds one until the answer is dropped: counts what is open, through every way of closing.
    pub fn hold(&self) -> GaugeHold {
        self.add(1);
        GaugeHold { gauge: self.clone() }
    }
}

/// One unit of a [`Gauge`], given back when dropped.
#[derive(Debug)]
pub struct GaugeHold {
    gauge: Gauge,
}

impl Drop for GaugeHold {
    fn drop(&mut self) {
        self.gauge.add(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_given_back_when_dropped() {
        let gauge = Gauge::default();
        let hold = gauge.hold();
        gauge.add(4);
        assert_eq!(gauge.value(), 5);
        drop(hold);
        assert_eq!(gauge.value(), 4);
        gauge.set(-2);
        assert_eq!(gauge.value(), -2);
    }
}

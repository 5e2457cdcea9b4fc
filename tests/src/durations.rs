//! How long things of several kinds took, and what is to be said of that.

use std::collections::BTreeMap;
use std::time::Duration;

/// Durations by kind, each in the order in which they were noted.
#[derive(Debug, Default)]
pub struct Durations(BTreeMap<&'static str, Vec<Duration>>);

impl Durations {
    /// One more, which is shown.
    pub fn note(&mut self, kind: &'static str, took: Duration) {
        println!("{kind}: {took:?}");
        self.0.entry(kind).or_default().push(took);
    }

    /// Those of a kind, the shortest first. Panics where there is none.
    fn sorted(&self, kind: &str) -> Vec<Duration> {
        let mut sorted = self.0.get(kind).unwrap_or_else(|| panic!("nothing of: {kind}")).clone();
        sorted.sort();
        sorted
    }

    /// What so many in a hundred of a kind are no longer than.
    fn percentile(&self, kind: &str, percent: usize) -> Duration {
        let sorted = self.sorted(kind);
        sorted[(sorted.len() * percent).div_ceil(100) - 1]
    }

    /// What half of a kind are no longer than.
    pub fn median(&self, kind: &str) -> Duration {
        self.percentile(kind, 50)
    }

    /// The longest of a kind.
    pub fn worst(&self, kind: &str) -> Duration {
        self.percentile(kind, 100)
    }

    /// All kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl std::fmt::Display for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (kind, all) in &self.0 {
            let [median, p90, worst] = [50, 90, 100].map(|percent| self.percentile(kind, percent));
            writeln!(f, "{kind}, {} times: median {median:?}, p90 {p90:?}, worst {worst:?}", all.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ten_the_fifth_is_the_median_and_the_ninth_nine_in_ten() {
        let mut durations = Durations::default();
        (1..=10).rev().for_each(|millis| durations.note("a", Duration::from_millis(millis)));
        durations.note("b", Duration::from_millis(7));
        let all = [50, 90, 100].map(|percent| durations.percentile("a", percent).as_millis());
        assert_eq!(all, [5, 9, 10]);
        assert_eq!([50, 90, 100].map(|percent| durations.percentile("b", percent).as_millis()), [7; 3]);
    }
}

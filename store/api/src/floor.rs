//! The version that reads on one connection may not fall behind (P3), which its own writes raise too (P6).
//!
//! One of it for each connection of each front; whoever serves requests of a connection side by side puts it behind a lock. It
//! waits for nothing: a version to ask for is all it gives.
//!
//! The invariant: within an incarnation it never falls.

use crate::service::Version;

/// The highest version that a connection was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Floor(Option<Version>);

impl Floor {
    /// Of a connection that was answered nothing.
    pub const NONE: Floor = Floor(None);

    /// The version to ask for: the caller's own, or what the connection was answered with if that is later. One of another
    /// incarnation that the caller names stands: only the store can tell what became of it.
    pub fn over(&self, asked: Option<Version>) -> Option<Version> {
        match (asked, self.0) {
            (Some(asked), Some(seen)) if seen.at_least(&asked) == Some(true) => Some(seen),
            (Some(asked), _) => Some(asked),
            (None, seen) => seen,
        }
    }

    /// Notes the version of an answer, and tells of a later one that the connection was given before it. One of another
    /// incarnation replaces what was known: history was cut, and nothing of the old one can be asked for any more.
    pub fn saw(&mut self, version: Version) -> Option<Version> {
        let later = self.0.filter(|seen| version.at_least(seen) == Some(false));
        if later.is_none() {
            self.0 = Some(version);
        }
        later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(incarnation: u64, index: u64) -> Version {
        Version { incarnation, shard: 0, index }
    }

    #[test]
    fn it_never_falls_within_an_incarnation() {
        let mut floor = Floor::NONE;
        assert_eq!(floor.over(None), None);
        assert_eq!(floor.saw(at(1, 9)), None);
        assert_eq!(floor.saw(at(1, 4)), Some(at(1, 9)));
        assert_eq!(floor.over(None), Some(at(1, 9)));
        assert_eq!(floor.over(Some(at(1, 5))), Some(at(1, 9)));
        assert_eq!(floor.over(Some(at(1, 12))), Some(at(1, 12)));
    }

    #[test]
    fn another_incarnation_replaces_what_was_seen_but_a_callers_version_stands() {
        let mut floor = Floor::NONE;
        floor.saw(at(1, 9));
        assert_eq!(floor.saw(at(2, 1)), None);
        assert_eq!(floor.over(None), Some(at(2, 1)));
        assert_eq!(floor.over(Some(at(1, 9))), Some(at(1, 9)));
    }
}

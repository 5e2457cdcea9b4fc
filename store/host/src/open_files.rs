//! How many files the process may have open, of which each connection is one.
//!
//! Systems start processes with a low soft limit, for the sake of programs that can't handle large descriptors, and let each raise its own
//! up to a hard one. Deliberately does not try to go beyond that: only whoever starts the process may.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one and gives what holds then; `None` is no limit. Where the system refuses, what held
/// before goes on. Raises it for the whole process; call it at start.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        // Some systems have another bound below the hard limit that they show.
        Err(_) => limit.current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        // Enough for the other tests of this process meanwhile.
        let lower = before.maximum.map_or(4096, |most| most - 1);
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), maximum: before.maximum })
            .expect("lowered");
        assert_eq!(raise_limit(), before.maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        assert_eq!(raise_limit(), before.maximum, "there is nothing left to raise");
    }
}

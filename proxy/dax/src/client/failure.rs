//! What can go wrong between us and a cluster, what a caller is told of it, and whether it may be asked again.

use api::{Error, ErrorKind};

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DaxDbError {
    /// A seed is no URL of the right shape.
    #[error("seed {seed:?} must be dax://host[:port] or daxs://host[:port]")]
    Seed {
        /// As given.
        seed: String,
    },
    /// Seeds of both schemes, or none at all.
    #[error("there must be at least one seed, and all of one scheme")]
    Seeds,
    /// A `daxs` seed without TLS settings.
    #[error("daxs:// needs TLS settings")]
    NoTls,
    /// A number that must not be 0.
    #[error("{setting} must be at least 1")]
    Zero {
        /// Which.
        setting: &'static str,
    },
}

/// Whether a request may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would be answered the same.
    Never,
    /// It may have taken effect: only where doing it twice does no harm.
    IfHarmless,
    /// It took no effect.
    Always,
}

impl Again {
    /// What a sequence of error codes allows. Classes 1 and 2 ask for another try, but for the codes of writes that may
    /// have happened; of the caller's errors only the lack of an authorisation does.
    pub(super) const fn after(codes: &[i64]) -> Again {
        match codes {
            &[4, 23, 31, 33, ..] => Again::Always,
            &[1, 37, 38, 53 | 55, ..] | &[1 | 2, 37, _, 39, 47, ..] => Again::IfHarmless,
            &[1 | 2, ..] => Again::Always,
            _ => Again::Never,
        }
    }
}

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// What the caller is told.
    pub error: Error,
    /// Whether it may be asked again.
    pub again: Again,
    /// Whether the connection or the node is to blame.
    pub of_node: bool,
}

impl Failed {
    /// What asking again can't change.
    pub(super) const fn for_good(error: Error) -> Failed {
        Failed { error, again: Again::Never, of_node: false }
    }

    /// The request was not sent: it took no effect.
    pub(super) fn not_sent(why: &dyn std::fmt::Display) -> Failed {
        tracing::debug!(%why, "a node could not be reached");
        let error = Error::new(
            ErrorKind::ServiceUnavailableException,
            "No node of the DAX cluster could be reached. Try again.",
        );
        Failed { error, again: Again::Always, of_node: true }
    }

    /// The request was sent, or may have been, and its answer did not come, or not whole.
    pub(super) fn no_answer(why: &dyn std::fmt::Display) -> Failed {
        let message =
            format!("No answer from the DAX cluster: {why}. Whether a write took effect is not known.");
        let error = Error::new(ErrorKind::InternalServerError, message);
        Failed { error, again: Again::IfHarmless, of_node: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_may_be_asked_again() {
        for (codes, again) in [
            (&[4, 23, 31, 33][..], Again::Always),
            (&[4, 23, 31, 32], Again::Never),
            (&[4, 23, 24], Again::Never),
            (&[1], Again::Always),
            (&[2, 1], Again::Always),
            (&[1, 37, 38, 53], Again::IfHarmless),
            (&[1, 37, 38, 55], Again::IfHarmless),
            (&[1, 37, 38, 39, 47], Again::IfHarmless),
            (&[4, 37, 38, 39, 47], Again::Never),
            (&[4, 37, 38, 39, 43], Again::Never),
            (&[4, 37, 38, 39, 50], Again::Never),
            (&[3, 37, 54], Again::Never),
        ] {
            assert_eq!(Again::after(codes), again, "{codes:?}");
        }
    }
}

//! What the nodes of a cluster know and nobody else does.

use std::fmt;

use ring::hmac;

/// Fewest bytes of a secret. A shorter one can be guessed: whoever poses as a node is given an answer made with it.
pub const SECRET_BYTES_MIN: usize = 16;
/// Most bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 4096;
/// Most bytes of a group's name.
pub const GROUP_BYTES_MAX: usize = 64;

/// Why a secret or a name can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Guessable.
    #[error(
        "the cluster's secret has {bytes} bytes, and needs {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}: copy that of another \
         node; only for a new cluster make one with `openssl rand -hex 32`, and give every node the same"
    )]
    SecretLength {
        /// Its length, without white space around it.
        bytes: usize,
    },
    /// Empty or long.
    #[error("the cluster's name has {bytes} bytes, and needs 1 to {GROUP_BYTES_MAX}")]
    GroupLength {
        /// Its length.
        bytes: usize,
    },
}

/// A cluster's name and secret. Cloning is cheap; the secret itself is not kept, and nothing of it is ever shown.
#[derive(Clone)]
pub struct Membership {
    group: String,
    key: hmac::Key,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Membership {
    /// Of a cluster's name and secret. White space around the secret is not part of it, since files end with a line.
    pub fn new(group: &str, secret: &[u8]) -> Result<Membership, BadSecret> {
        if group.is_empty() || group.len() > GROUP_BYTES_MAX {
            return Err(BadSecret::GroupLength { bytes: group.len() });
        }
        let secret = secret.trim_ascii();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(BadSecret::SecretLength { bytes: secret.len() });
        }
        Ok(Membership { group: group.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// The cluster's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    pub(crate) fn key(&self) -> &hmac::Key {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_none_is_shown() {
        let sixteen = b"0123456789abcdef";
        assert_eq!(Membership::new("g", &sixteen[..15]).unwrap_err(), BadSecret::SecretLength { bytes: 15 });
        assert_eq!(Membership::new("g", b" \n  ").unwrap_err(), BadSecret::SecretLength { bytes: 0 });
        assert_eq!(Membership::new("", sixteen).unwrap_err(), BadSecret::GroupLength { bytes: 0 });
        let membership = Membership::new("g", sixteen).unwrap();
        assert!(!format!("{membership:?}").contains("0123"));
    }
}

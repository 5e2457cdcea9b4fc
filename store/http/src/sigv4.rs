//! AWS Signature Version 4: verifying requests of clients, and signing ours.
//!
//! Source of rules: the IAM User Guide, *Create a signed AWS API request*; messages and their order as DynamoDB gives them.
//! The body's own hash is always what counts: `x-amz-content-sha256` is only a header like others, as for every service but
//! S3, so `UNSIGNED-PAYLOAD` is not accepted. A [`SignedCall`] of another protocol may say it.
//!
//! Deliberately does no I/O: who reads the credentials file, and when it changed, is the process's affair.
//! Invariant: secrets and signatures are compared in constant time and never written to a log or a message.

mod authorization;
mod canonical;
mod keyring;
mod sign;
pub mod time;
mod verify;

use std::sync::Arc;

use api::Error;
use api::service::Caller;

pub use keyring::{Credentials, Keyring, KeyringError};
pub use sign::{Signature, sign, sign_call};
pub use verify::{SignedCall, SignedText};

use crate::server::head::Head;
use crate::surroundings::Surroundings;

/// Whom a front lets in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Anybody, signed or not. For development on the loopback.
    Any,
    /// Those whose signature one of these keys made.
    Keys(Arc<Keyring>),
}

impl Auth {
    /// Who made a request. `body` is as it was sent. Errors: the service's, for requests without or with a wrong signature.
    pub(crate) fn check(
        &self,
        head: &Head<'_>,
        body: &[u8],
        surroundings: &dyn Surroundings,
        anyone: &Arc<Caller>,
    ) -> Result<Arc<Caller>, Error> {
        match self {
            Auth::Any => Ok(Arc::clone(anyone)),
            Auth::Keys(keyring) => verify::verify(keyring, head, body, surroundings.wall_millis() / 1000),
        }
    }
}

#[cfg(test)]
mod tests;

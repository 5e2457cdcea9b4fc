//! What can go wrong between us and an endpoint, as kinds of the service.

use api::{Error, ErrorKind};

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpDbError {
    /// The endpoint is no URL of the right shape.
    #[error("endpoint {endpoint:?} must be http://host[:port] or https://host[:port]")]
    Endpoint {
        /// As given.
        endpoint: String,
    },
    /// An `https` endpoint without TLS settings.
    #[error("endpoint {endpoint:?} needs TLS settings")]
    NoTls {
        /// As given.
        endpoint: String,
    },
    /// A pool without room.
    #[error("max_connections must be at least 1")]
    NoConnections,
}

/// The request cannot be put into HTTP. Only settings with control characters lead here.
pub(super) fn unsendable(error: &dyn std::error::Error) -> Error {
    tracing::error!(%error, "a setting of the upstream client fits no header");
    super::internal("Internal server error")
}

/// The request was not sent: it took no effect and may be repeated.
pub(super) fn not_sent(error: &dyn std::error::Error) -> Error {
    tracing::debug!(%error, "the endpoint could not be reached");
    Error::new(
        ErrorKind::ServiceUnavailableException,
        "The upstream endpoint could not be reached. Try again.",
    )
}

/// The request was sent, or may have been, and its answer did not come.
pub(super) fn no_answer(why: &str) -> Error {
    let message =
        format!("No answer from the upstream endpoint: {why}. Whether a write took effect is not known.");
    Error::new(ErrorKind::InternalServerError, message)
}

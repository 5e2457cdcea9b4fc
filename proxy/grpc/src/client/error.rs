//! What can go wrong between us and an endpoint, as kinds of the service.

use api::{Detail, Error, ErrorKind};

/// The request fits into no call. Only names with control characters lead here, and messages of gigabytes.
pub(super) fn unsendable(error: &dyn std::error::Error) -> Error {
    tracing::error!(%error, "a request fits into no gRPC call");
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}

/// The request was not taken: it had no effect and may be repeated.
pub(super) fn not_sent(error: &dyn std::error::Error) -> Error {
    tracing::debug!(%error, "the endpoint could not be reached");
    Error::new(ErrorKind::ServiceUnavailableException, "The endpoint could not be reached. Try again.")
}

/// The request was sent, or may have been, and its answer did not come.
pub(super) fn no_answer(why: &str) -> Error {
    let message = format!("No answer from the endpoint: {why}. Whether a write took effect is not known.");
    Error::new(ErrorKind::InternalServerError, message).with(Detail::OutcomeUnknown)
}

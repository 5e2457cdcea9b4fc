//! Cross-origin answers as DynamoDB gives them: any origin, the asked-for headers and method allowed, two days.

/// `Access-Control-Max-Age` of a preflight answer. Unit: seconds.
pub(super) const MAX_AGE: &str = "172800";

/// What an answer to a preflight allows: exactly what was asked.
#[derive(Debug, Default)]
pub(super) struct Preflight {
    pub(super) headers: Option<Vec<u8>>,
    pub(super) method: Option<Vec<u8>>,
}

//! `DescribeEndpoints`.

/// Input of `DescribeEndpoints`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DescribeEndpointsInput;

/// An address to send requests to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// Host and port. Empty means: the one the request came to; the front fills it in.
    pub address: String,
    /// How long it may be remembered, minutes.
    pub cache_period_minutes: u64,
}

/// Output of `DescribeEndpoints`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DescribeEndpointsOutput {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
}

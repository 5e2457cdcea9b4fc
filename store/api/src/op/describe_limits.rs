//! `DescribeLimits`.

/// Input of `DescribeLimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DescribeLimitsInput;

/// Output of `DescribeLimits`. Unit: capacity units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DescribeLimitsOutput {
    /// Of the account, reads.
    pub account_read_units: u64,
    /// Of the account, writes.
    pub account_write_units: u64,
    /// Of a table, reads.
    pub table_read_units: u64,
    /// Of a table, writes.
    pub table_write_units: u64,
}

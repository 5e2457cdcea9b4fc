//! `ListTables`.

/// Input of `ListTables`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ListTablesInput {
    /// Only names after this one.
    pub start: Option<String>,
    /// Most names, 1 to 100.
    pub limit: Option<u32>,
}

/// Output of `ListTables`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ListTablesOutput {
    /// Names in order.
    pub names: Vec<String>,
    /// The last of them, where there are more.
    pub last: Option<String>,
}

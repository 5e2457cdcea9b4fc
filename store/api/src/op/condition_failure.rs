//! What a write hands back where its condition fails.

/// What `ReturnValuesOnConditionCheckFailure` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnOnFailure {
    /// Nothing.
    #[default]
    None,
    /// The item as it stood.
    AllOld,
}

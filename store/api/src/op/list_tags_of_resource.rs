//! `ListTagsOfResource`.

use super::resource;
use crate::error::Error;
use crate::schema::TableName;

/// Input of `ListTagsOfResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ListTagsOfResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Where to go on.
    pub next_token: Option<String>,
}

/// Output of `ListTagsOfResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ListTagsOfResourceOutput {
    /// Keys and values, in order of the keys.
    pub tags: Vec<(String, String)>,
    /// Where the next page starts.
    pub next_token: Option<String>,
}

/// Input of `ListTagsOfResource` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListTagsOfResourceUnchecked {
    /// `ResourceArn`.
    pub resource: Option<String>,
    /// `NextToken`.
    pub next_token: Option<String>,
}

impl ListTagsOfResourceUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<ListTagsOfResourceInput, Error> {
        resource::given(self.resource.as_deref(), "ListTagsOfResource")?;
        let table = resource::table(self.resource.as_deref())?;
        Ok(ListTagsOfResourceInput { table, next_token: self.next_token })
    }
}

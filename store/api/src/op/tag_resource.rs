//! `TagResource`.

use super::index_definition::{self as definition, TagUnchecked};
use super::resource;
use crate::error::Error;
use crate::schema::TableName;

/// Input of `TagResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TagResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Keys and values to set.
    pub tags: Vec<(String, String)>,
}

/// Output of `TagResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct TagResourceOutput;

/// Input of `TagResource` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagResourceUnchecked {
    /// `ResourceArn`.
    pub resource: Option<String>,
    /// `Tags`.
    pub tags: Option<Vec<TagUnchecked>>,
}

impl TagResourceUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<TagResourceInput, Error> {
        resource::given(self.resource.as_deref(), "TagResource")?;
        let tags = resource::not_null(self.tags, "tags")?;
        let table = resource::table(self.resource.as_deref())?;
        if tags.is_empty() {
            return Err(Error::validation("Atleast one Tag needs to be provided as Input."));
        }
        Ok(TagResourceInput { table, tags: definition::tags(tags)? })
    }
}

//! `UntagResource`.

use super::index_definition as definition;
use super::resource;
use crate::error::Error;
use crate::schema::TableName;

/// Input of `UntagResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UntagResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Keys to take away.
    pub keys: Vec<String>,
}

/// Output of `UntagResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct UntagResourceOutput;

/// Input of `UntagResource` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UntagResourceUnchecked {
    /// `ResourceArn`.
    pub resource: Option<String>,
    /// `TagKeys`.
    pub keys: Option<Vec<String>>,
}

impl UntagResourceUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<UntagResourceInput, Error> {
        resource::given(self.resource.as_deref(), "UntagResource")?;
        let keys = resource::not_null(self.keys, "tagKeys")?;
        let table = resource::table(self.resource.as_deref())?;
        if keys.is_empty() {
            return Err(Error::validation("Atleast one Tag Key needs to be provided as Input."));
        }
        let keys = keys.into_iter().map(|key| definition::tag_key(Some(key))).collect::<Result<_, _>>()?;
        Ok(UntagResourceInput { table, keys })
    }
}

//! `ListTagsOfResource`.

use api::op::{ListTagsOfResourceInput, ListTagsOfResourceOutput};

use super::tag_resource::resource_not_found;
use super::view::View;
use crate::error::EngineError;

/// A table's tags in order of their keys: at most 50, so that one page holds them all. A token is the last key of a page.
pub fn list_tags_of_resource(
    view: &View<'_>,
    input: &ListTagsOfResourceInput,
) -> Result<ListTagsOfResourceOutput, EngineError> {
    let table = view.tables().get(&input.table).ok_or_else(|| resource_not_found(&input.table))?;
    let after = input.next_token.as_deref();
    let tags = table
        .tags
        .iter()
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Ok(ListTagsOfResourceOutput { tags, next_token: None })
}

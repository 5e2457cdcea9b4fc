//! `ListTables`.

use api::limits::LIST_TABLES;
use api::op::{ListTablesInput, ListTablesOutput};

use super::view::View;

/// Lists names in order. A table is listed in whatever state it is.
pub fn list_tables(view: &View<'_>, input: &ListTablesInput) -> ListTablesOutput {
    let limit = input.limit.map_or(LIST_TABLES, |limit| limit as usize).clamp(1, LIST_TABLES);
    let after = input.start.as_deref();
    let mut names: Vec<&str> = view
        .tables()
        .keys()
        .map(|name| name.as_str())
        .filter(|name| after.is_none_or(|after| *name > after))
        .collect();
    names.sort_unstable();
    let more = names.len() > limit;
    names.truncate(limit);
    let last = if more { names.last().map(|name| (*name).to_owned()) } else { None };
    ListTablesOutput { names: names.into_iter().map(str::to_owned).collect(), last }
}

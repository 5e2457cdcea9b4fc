//! Pages: what Query and Scan have in common once it is known which records they read.
//!
//! The rules: records are evaluated in the order of their keys until the limit is reached, or until those evaluated weigh
//! 1 MB, the record that crosses it included; then the page ends and says where the next one starts, even if nothing is
//! left behind it. The filter is judged after a record was counted.
//!
//! What it deliberately does not do: it never reads beyond what it evaluates, and decodes of a record only what the filter
//! and the projection name.

mod bounds;
mod source;
mod start;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeSet;
use std::sync::Arc;

use api::expr::{Condition, Path};
use api::limits::PAGE_BYTES;
use api::op::{Page, ReturnConsumedCapacity, Select};
use api::schema::{Index, IndexKind};
use api::{EncodedItem, Error, Item, ItemBody};

pub use bounds::{segment_range, sort_range};
pub use source::Source;
pub use start::StartKey;

use super::capacity::{ReadRate, ReadUnits, units_of};
use super::view::View;
use crate::db::{KeyRange, ScanOrder};
use crate::error::EngineError;
use crate::kv::{Kind, Malformed};

/// What a page is made of.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Where the records stand.
    pub source: Source<'a>,
    /// Which of them.
    pub range: KeyRange,
    /// In what order.
    pub order: ScanOrder,
    /// Most records to evaluate.
    pub limit: Option<u32>,
    /// What must hold of an item to be returned.
    pub filter: Option<&'a Condition>,
    /// What to return of it.
    pub select: &'a Select,
    /// Whether the read is charged as strongly consistent.
    pub consistent: bool,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

impl<'a> Plan<'a> {
    /// Judges what is asked of the items against what the source has of them.
    ///
    /// Errors: a path into a key; all attributes, or one by name, of a global index that does not have them.
    pub fn check(&self) -> Result<(), Error> {
        let table = self.source.table;
        let selected = self.selected_paths();
        table.check_scalar_keys(selected)?;
        if let Some(index) = self.source.index
            && index.kind == IndexKind::Global
            && !index.projects_all()
        {
            if *self.select == Select::AllAttributes {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
                     secondary index {} because its projection type is not ALL",
                    index.name
                )));
            }
            let missing: Vec<&str> = self.missing(index, selected).collect();
            if !missing.is_empty() {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Global secondary index {} does not project [{}]",
                    index.name,
                    missing.join(", ")
                )));
            }
        }
        if let Some(filter) = self.filter {
            table.check_scalar_keys(filter.paths())?;
        }
        Ok(())
    }

    fn selected_paths(&self) -> &'a [Path] {
        match self.select {
            Select::Specific(projection) => &projection.paths,
            Select::AllAttributes | Select::AllProjected | Select::Count => &[],
        }
    }

    /// The attributes of paths that an index does not have, in order.
    fn missing<'p>(
        &self,
        index: &'p Index,
        paths: &'p [Path],
    ) -> impl Iterator<Item = &'p str> + use<'p, 'a> {
        let table = self.source.table;
        paths.iter().map(|path| path.attribute.as_str()).filter(|name| !index.projects(table, name))
    }

    /// The local index whose records don't have what is returned, so that the items are fetched from the table.
    fn fetches(&self) -> Option<&'a Index> {
        let index =
            self.source.index.filter(|index| index.kind == IndexKind::Local && !index.projects_all())?;
        let lacks = match self.select {
            Select::AllAttributes => true,
            Select::Specific(projection) => self.missing(index, &projection.paths).next().is_some(),
            Select::AllProjected | Select::Count => false,
        };
        lacks.then_some(index)
    }

    /// Reads the page. Errors: those of the storage engine.
    pub fn read(&self, view: &View<'_>) -> Result<Page, EngineError> {
        let fetches = self.fetches().is_some();
        let named = self.filter.map(attributes_of);
        let mut items = Vec::new();
        let (mut count, mut scanned) = (0u32, 0u32);
        let (mut evaluated, mut fetched_units) = (0usize, 0u64);
        let mut indexed = 0usize;
        let mut last_key = None;
        let mut cursor = view.scan(self.range.clone(), self.order);
        while let Some(record) = cursor.advance()? {
            let entry = self.source.body(record.value)?;
            scanned += 1;
            indexed += entry.billed_size();
            let ends = |evaluated: usize| {
                self.limit.is_some_and(|limit| scanned >= limit) || evaluated >= PAGE_BYTES
            };
            let body = if fetches {
                let item = self.fetch(view, &entry)?;
                fetched_units += units_of(item.billed_size());
                evaluated += item.billed_size();
                if ends(evaluated) {
                    last_key = Some(self.source.start_key_of(&entry)?);
                }
                item
            } else {
                evaluated += entry.billed_size();
                if ends(evaluated) {
                    last_key = Some(self.source.start_key_of(&entry)?);
                }
                entry
            };
            if self.keeps(named.as_ref(), &body)? {
                count += 1;
                match self.select {
                    Select::Count => {}
                    Select::AllAttributes | Select::AllProjected => items.push(ItemBody::Encoded(body)),
                    Select::Specific(projection) => {
                        items.push(ItemBody::Tree(Arc::new(projection.apply_encoded(&body))));
                    }
                }
            }
            if last_key.is_some() {
                break;
            }
        }
        let units = match self.source.index {
            None => ReadUnits::of_table(units_of(evaluated)),
            Some(index) => ReadUnits { own: fetched_units, index: Some((index, units_of(indexed))) },
        };
        Ok(Page {
            items: (*self.select != Select::Count).then_some(items),
            count,
            scanned_count: scanned,
            last_key,
            capacity: units.report(self.source.table, self.return_capacity, ReadRate::of(self.consistent)),
        })
    }

    /// Whether the filter holds of an item. Only the attributes it names are decoded.
    fn keeps(&self, named: Option<&BTreeSet<&str>>, body: &EncodedItem) -> Result<bool, EngineError> {
        let (Some(filter), Some(named)) = (self.filter, named) else { return Ok(true) };
        Ok(filter.holds(&pick(body, named.iter().copied()))?)
    }

    /// The whole item behind an entry of a local index.
    fn fetch(&self, view: &View<'_>, entry: &EncodedItem) -> Result<EncodedItem, EngineError> {
        let dangling = Malformed { kind: Kind::LocalIndex, reason: "the table has no item for it" };
        let table = self.source.table;
        let attributes = pick(entry, table.key.attributes().map(|part| part.name.as_str()));
        let key = table.key.key_of(&attributes).ok_or(dangling.clone())?;
        Ok(view.item(table.id, &key)?.ok_or(dangling)?.body)
    }
}

/// The top-level attributes that a condition reads.
fn attributes_of(condition: &Condition) -> BTreeSet<&str> {
    condition.paths().into_iter().map(|path| path.attribute.as_str()).collect()
}

/// Some attributes of an encoded item, as far as it has them.
fn pick<'n>(body: &EncodedItem, names: impl Iterator<Item = &'n str>) -> Item {
    Item(names.filter_map(|name| Some((name.to_owned(), body.get(name)?.to_value()))).collect())
}

//! `CreateTable`.

use std::collections::BTreeMap;

use api::op::{CreateTableInput, CreateTableOutput, NewIndex};
use api::schema::{Index, Status, Table};
use api::{Error, ErrorKind, IndexId, TableId};

use super::describe_table::describe;
use crate::error::{EngineError, in_use};
use crate::kv::counters::Counters;
use crate::state::State;

/// Makes a table. It is `CREATING` until the command that activates it has been applied.
pub fn create_table(
    state: &mut State,
    input: CreateTableInput,
    entropy: u128,
) -> Result<CreateTableOutput, EngineError> {
    if let Some(table) = state.table_named(&input.table) {
        return Err(match table.status {
            Status::Deleting => in_use("deleted", table.name.as_str()),
            Status::Creating | Status::Updating | Status::Active => {
                Error::new(ErrorKind::ResourceInUseException, format!("Table already exists: {}", table.name))
            }
        }
        .into());
    }
    let id = TableId(state.next_id());
    let indexes =
        input.indexes.into_iter().map(|index| new_index(state, index, Filling::NothingToFill)).collect();
    let table = state.set_table(Table {
        id,
        name: input.table,
        generation: 1,
        status: Status::Creating,
        key: input.key,
        attributes: input.attributes,
        indexes,
        billing: input.billing,
        throughput: input.throughput,
        deletion_protection: input.deletion_protection,
        table_class: input.table_class,
        tags: input.tags.into_iter().collect::<BTreeMap<_, _>>(),
        created_millis: state.stamp().log_time_millis,
        uuid: uuid_of(entropy),
    });
    Ok(CreateTableOutput { description: describe(&table, &Counters::default()) })
}

/// Whether items were there before an index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// The table is as new as the index.
    NothingToFill,
    /// The index is filled from the table's items.
    FromItems,
}

/// An index on its way to be made.
pub fn new_index(state: &mut State, new: NewIndex, filling: Filling) -> Index {
    Index {
        id: IndexId(state.next_id()),
        name: new.name,
        kind: new.kind,
        key: new.key,
        projection: new.projection,
        status: Status::Creating,
        backfilling: filling == Filling::FromItems,
        throughput: new.throughput,
    }
}

/// Random bits as a UUID of version 4. Source: RFC 9562, section 5.4.
fn uuid_of(entropy: u128) -> u128 {
    let version = entropy & !(0xF << 76) | (0x4 << 76);
    version & !(0x3 << 62) | (0x2 << 62)
}

#[cfg(test)]
mod tests {
    use super::uuid_of;

    #[test]
    fn a_uuid_says_its_version_and_variant() {
        for entropy in [0, u128::MAX, 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF] {
            let uuid = format!("{:032x}", uuid_of(entropy));
            assert_eq!(&uuid[12..13], "4");
            assert!("89ab".contains(&uuid[16..17]));
        }
    }
}

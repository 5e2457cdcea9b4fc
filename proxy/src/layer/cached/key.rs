//! The canonical key of a request's or an item's key attributes, written without an allocation of its own.

use std::cell::RefCell;

use api::item::ItemBody;
use api::schema::KeyAttribute;
use api::value::order;
use api::{AttributeValue, Item, Table};

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Largest scratch buffer that a thread keeps.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

/// Lends the thread's scratch buffer, empty. Not to be lent again within.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        let result = work(scratch);
        if scratch.capacity() > SCRATCH_BYTES_MAX {
            *scratch = Vec::new();
        }
        result
    })
}

/// Writes the key a request gives. `None` where it is not just the table's key attributes, each of its type: then it is
/// the store's to refuse.
pub(super) fn write_given(table: &Table, key: &Item, out: &mut Vec<u8>) -> Option<()> {
    if key.0.len() != table.key.attributes().count() {
        return None;
    }
    write(table, out, |part, out| write_value(part, key.get(&part.name)?, out))
}

/// Writes the key of an item that came from the store.
pub(super) fn write_found(table: &Table, body: &ItemBody, out: &mut Vec<u8>) -> Option<()> {
    let encoded = match body {
        ItemBody::Tree(item) => {
            return write(table, out, |part, out| write_value(part, item.get(&part.name)?, out));
        }
        ItemBody::Encoded(item) => item,
        ItemBody::Ready(ready) => &ready.item,
    };
    write(table, out, |part, out| write_value(part, &encoded.get(&part.name)?.to_value(), out))
}

fn write(
    table: &Table,
    out: &mut Vec<u8>,
    mut part: impl FnMut(&KeyAttribute, &mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    table.key.attributes().try_for_each(|attribute| part(attribute, out))
}

fn write_value(part: &KeyAttribute, value: &AttributeValue, out: &mut Vec<u8>) -> Option<()> {
    if value.value_type() != part.value_type {
        return None;
    }
    order::encode_into(value, out)
}

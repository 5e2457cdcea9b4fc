//! `BatchGetItem`: many keys, each read by itself, from one moment.
//!
//! The answer holds at most 16 MB of items; keys behind that come back as unprocessed, in the form of a further request.
//! A key without an item is left out of the answer.

use api::limits::BATCH_GET_BYTES;
use api::op::{BatchGetItemInput, BatchGetItemOutput, TableKeys};
use api::{Error, KeyBytes, Table};

use super::capacity::{ReadRate, ReadUnits, units_of};
use super::get_item::projected;
use super::view::View;
use crate::error::EngineError;

/// Reads the keys in their order. Errors, before anything is read: an unknown table, a key that is not of the schema, the
/// same key twice, a projection into a key.
pub fn batch_get_item(view: &View<'_>, input: &BatchGetItemInput) -> Result<BatchGetItemOutput, EngineError> {
    let mut judged = Vec::with_capacity(input.tables.len());
    for keys in &input.tables {
        let table = view.table(&keys.table)?;
        judged.push((table, keys, judge(table, keys)?));
    }
    let mut output = BatchGetItemOutput::default();
    let mut bytes = 0;
    let mut full = false;
    for (table, request, keys) in judged {
        let mut found = Vec::new();
        let mut left = Vec::new();
        let mut units = 0;
        for (key, given) in keys.iter().zip(&request.keys) {
            if full {
                left.push(given.clone());
                continue;
            }
            let Some(stored) = view.item(table.id, key)? else {
                units += units_of(0);
                continue;
            };
            let size = stored.body.billed_size();
            if bytes + size > BATCH_GET_BYTES {
                full = true;
                left.push(given.clone());
                continue;
            }
            bytes += size;
            units += units_of(size);
            found.push(projected(request.projection.as_ref(), stored.body));
        }
        output.capacity.extend(ReadUnits::of_table(units).report(
            table,
            input.return_capacity,
            ReadRate::of(request.consistent),
        ));
        output.responses.push((request.table.clone(), found));
        if !left.is_empty() {
            output.unprocessed.push(TableKeys { keys: left, ..request.clone() });
        }
    }
    Ok(output)
}

fn judge(table: &Table, request: &TableKeys) -> Result<Vec<KeyBytes>, Error> {
    if let Some(projection) = &request.projection {
        table.check_scalar_keys(&projection.paths)?;
    }
    let keys = request.keys.iter().map(|key| table.key_of_key(key)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted: Vec<&KeyBytes> = keys.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::validation("Provided list of item keys contains duplicates"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use api::op::ReturnConsumedCapacity;
    use api::{Item, TableName};

    use super::*;
    use crate::engine::page::testing::{Fixture, key, projection, s};

    fn input(keys: Vec<Item>) -> BatchGetItemInput {
        let table = TableName::new("things").unwrap();
        BatchGetItemInput {
            tables: vec![TableKeys { table, keys, projection: None, consistent: true }],
            return_capacity: ReturnConsumedCapacity::Total,
        }
    }

    #[test]
    fn items_come_in_the_order_of_their_keys_without_those_that_are_not_there() {
        let fixture = Fixture::new();
        for sort in [1, 3] {
            fixture.put(&key("a", sort).with("v", s(&"x".repeat(4100))));
        }
        let mut request = input(vec![key("a", 3), key("a", 2), key("a", 1)]);
        request.tables[0].projection = Some(projection(&["sk"]));
        let output = fixture.read(|view| batch_get_item(view, &request)).unwrap();
        let items: Vec<_> =
            output.responses[0].1.iter().map(|body| body.to_item().get("sk").cloned()).collect();
        assert_eq!(items, [key("a", 3).get("sk").cloned(), key("a", 1).get("sk").cloned()]);
        assert_eq!(output.capacity[0].total.units, 5.0);
        assert!(output.unprocessed.is_empty());
    }

    #[test]
    fn what_does_not_fit_16_mb_comes_back_as_a_further_request() {
        let fixture = Fixture::new();
        let keys: Vec<_> = (0..50).map(|sort| key("a", sort)).collect();
        for key in &keys {
            fixture.put(&key.clone().with("v", s(&"x".repeat(400_000))));
        }
        let output = fixture.read(|view| batch_get_item(view, &input(keys.clone()))).unwrap();
        let found = output.responses[0].1.len();
        assert_eq!(found, BATCH_GET_BYTES / 400_010);
        assert_eq!(output.unprocessed[0].keys, keys[found..]);
        assert!(output.unprocessed[0].consistent);
        assert_eq!(output.capacity[0].total.units, found as f64 * 98.0);
        let again = BatchGetItemInput { tables: output.unprocessed, ..input(vec![]) };
        let rest = fixture.read(|view| batch_get_item(view, &again)).unwrap();
        assert_eq!(rest.responses[0].1.len(), 50 - found);
    }

    #[test]
    fn nothing_is_read_if_one_key_is_wrong() {
        let fixture = Fixture::new();
        let refused = |keys| {
            api::Error::from(fixture.read(|view| batch_get_item(view, &input(keys))).unwrap_err()).message
        };
        assert_eq!(
            refused(vec![key("a", 1), Item::new()]),
            "The provided key element does not match the schema"
        );
        assert_eq!(refused(vec![key("a", 1), key("a", 1)]), "Provided list of item keys contains duplicates");
        assert!(refused(vec![key("", 1)]).ends_with("empty string value. Key: pk"));
    }
}

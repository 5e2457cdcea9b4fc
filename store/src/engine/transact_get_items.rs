//! `TransactGetItems`: many items, all as of one moment.

use api::error::{CancellationCode, CancellationReason};
use api::limits::TRANSACT_BYTES;
use api::op::{TransactGet, TransactGetItemsInput, TransactGetItemsOutput};
use api::schema::KeyAttribute;
use api::{Detail, Error, ErrorKind, KeyBytes, Table, TableId};

use super::capacity::{ReadRate, ReadUnits, units_of};
use super::get_item::projected;
use super::view::View;
use crate::error::EngineError;

/// Reads the items in the order of the request.
///
/// Errors: an unknown table; a key that is not of the schema (the transaction is cancelled, naming it), or that has an
/// empty or too long value (the request is refused); two reads of one item; more than 4 MB of items.
pub fn transact_get_items(
    view: &View<'_>,
    input: &TransactGetItemsInput,
) -> Result<TransactGetItemsOutput, EngineError> {
    let mut tables = Vec::with_capacity(input.gets.len());
    for get in &input.gets {
        tables.push(view.table(&get.table)?.as_ref());
    }
    let judged = judge(&tables, &input.gets)?;
    let mut sorted: Vec<(TableId, &KeyBytes)> = judged.iter().map(|(table, key)| (table.id, key)).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(
            Error::validation("Transaction request cannot include multiple operations on one item").into()
        );
    }
    let mut output = TransactGetItemsOutput::default();
    let mut units: Vec<(&Table, u64)> = Vec::new();
    let mut bytes = 0;
    for (get, (table, key)) in input.gets.iter().zip(&judged) {
        let body = view.item(table.id, key)?.map(|stored| stored.body);
        let size = body.as_ref().map_or(0, api::EncodedItem::billed_size);
        bytes += size;
        if bytes > TRANSACT_BYTES {
            return Err(Error::validation(
                "The aggregate size of the items in the transaction exceeds the maximum size of 4 MB",
            )
            .into());
        }
        match units.iter_mut().find(|(known, _)| known.id == table.id) {
            Some((_, sum)) => *sum += units_of(size),
            None => units.push((*table, units_of(size))),
        }
        output.items.push(body.map(|body| projected(get.projection.as_ref(), body)));
    }
    let report = |(table, units)| {
        ReadUnits::of_table(units).report(table, input.return_capacity, ReadRate::Transaction)
    };
    output.capacity = units.into_iter().filter_map(report).collect();
    Ok(output)
}

/// The keys of all reads. What is wrong with a value refuses the request; what does not fit the schema cancels the
/// transaction, naming the first such read, and is only looked at where all values are fine.
fn judge<'t>(tables: &[&'t Table], gets: &[TransactGet]) -> Result<Vec<(&'t Table, KeyBytes)>, Error> {
    let fits = |table: &Table, get: &TransactGet| {
        let typed = |(_, part): (_, &KeyAttribute)| {
            get.key.get(&part.name).is_some_and(|value| value.value_type() == part.value_type)
        };
        get.key.0.len() == table.key.parts().count() && table.key.parts().all(typed)
    };
    let mut judged = Vec::with_capacity(gets.len());
    let mut cancels = None;
    for (at, (get, table)) in gets.iter().zip(tables).enumerate() {
        if !fits(table, get) {
            cancels.get_or_insert((at, mismatch()));
            continue;
        }
        judged.push((*table, table.key_of_key(&get.key)?));
        let paths = get.projection.iter().flat_map(|projection| &projection.paths);
        if let Err(error) = table.check_scalar_keys(paths) {
            cancels.get_or_insert((at, error));
        }
    }
    match cancels {
        None => Ok(judged),
        Some((at, error)) => Err(cancelled(at, gets.len(), error)),
    }
}

fn mismatch() -> Error {
    Error::validation("The provided key element does not match the schema")
}

fn cancelled(at: usize, of: usize, error: Error) -> Error {
    let mut reasons = vec![CancellationReason::default(); of];
    reasons[at] = CancellationReason {
        code: Some(CancellationCode::ValidationError),
        message: Some(error.message.into_owned()),
        item: None,
    };
    let codes: Vec<&str> =
        reasons.iter().map(|reason| reason.code.map_or("None", CancellationCode::name)).collect();
    Error::new(
        ErrorKind::TransactionCanceledException,
        format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        ),
    )
    .with(Detail::Cancellation(reasons))
}

#[cfg(test)]
mod tests {
    use api::op::ReturnConsumedCapacity;
    use api::{Item, TableName};

    use super::*;
    use crate::engine::page::testing::{Fixture, key, projection, s};

    fn input(keys: Vec<Item>) -> TransactGetItemsInput {
        let table = TableName::new("things").unwrap();
        let get = |key| TransactGet { table: table.clone(), key, projection: None };
        TransactGetItemsInput {
            gets: keys.into_iter().map(get).collect(),
            return_capacity: ReturnConsumedCapacity::Total,
        }
    }

    #[test]
    fn each_read_has_its_answer_and_costs_twice() {
        let fixture = Fixture::new();
        fixture.put(&key("a", 1).with("v", s(&"x".repeat(5000))));
        let mut request = input(vec![key("b", 1), key("a", 1)]);
        request.gets[1].projection = Some(projection(&["pk"]));
        let output = fixture.read(|view| transact_get_items(view, &request)).unwrap();
        assert_eq!(output.items[0], None);
        assert_eq!(output.items[1].clone().unwrap().into_item(), Item::new().with("pk", s("a")));
        assert_eq!(output.capacity.len(), 1);
        assert_eq!((output.capacity[0].total.units, output.capacity[0].total.read_units), (6.0, Some(6.0)));
    }

    #[test]
    fn a_key_that_is_not_of_the_schema_cancels_and_is_named() {
        let fixture = Fixture::new();
        let refused =
            |keys| Error::from(fixture.read(|view| transact_get_items(view, &input(keys))).unwrap_err());
        let error = refused(vec![key("a", 1), Item::new()]);
        assert_eq!(
            error.message,
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError]"
        );
        let Some(Detail::Cancellation(reasons)) = error.detail.as_deref() else { panic!("no reasons") };
        assert_eq!(reasons[0], CancellationReason::default());
        assert_eq!(reasons[1].message.as_deref(), Some("The provided key element does not match the schema"));
        assert_eq!(refused(vec![Item::new(), key("", 1)]).kind, ErrorKind::ValidationException);
        assert_eq!(
            refused(vec![key("a", 1), key("a", 1)]).message,
            "Transaction request cannot include multiple operations on one item"
        );
    }

    #[test]
    fn more_than_4_mb_is_refused() {
        let fixture = Fixture::new();
        let keys: Vec<_> = (0..11).map(|sort| key("a", sort)).collect();
        for key in &keys {
            fixture.put(&key.clone().with("v", s(&"x".repeat(400_000))));
        }
        assert!(fixture.read(|view| transact_get_items(view, &input(keys[..10].to_vec()))).is_ok());
        assert!(fixture.read(|view| transact_get_items(view, &input(keys.clone()))).is_err());
    }
}

//! `GetItem`.
//!
//! The item is answered as it is stored, not decoded, unless a projection asks for a part of it.

use std::sync::Arc;

use api::ItemBody;
use api::expr::Projection;
use api::op::{GetItemInput, GetItemOutput};

use super::capacity::{ReadRate, ReadUnits, units_of};
use super::view::View;
use crate::error::EngineError;

/// Answers with the item of a key. Errors: an unknown table, a key that is not of the schema, a projection into a key.
pub fn get_item(view: &View<'_>, input: &GetItemInput) -> Result<GetItemOutput, EngineError> {
    let table = view.table(&input.table)?;
    let key = table.key_of_key(&input.key)?;
    if let Some(projection) = &input.projection {
        table.check_scalar_keys(&projection.paths)?;
    }
    let body = view.item(table.id, &key)?.map(|stored| stored.body);
    let units = units_of(body.as_ref().map_or(0, api::EncodedItem::billed_size));
    Ok(GetItemOutput {
        item: body.map(|body| projected(input.projection.as_ref(), body)),
        capacity: ReadUnits::of_table(units).report(
            table,
            input.return_capacity,
            ReadRate::of(input.consistent),
        ),
    })
}

/// What is answered of a stored item: all of it as it stands, or what the projection keeps.
pub(super) fn projected(projection: Option<&Projection>, body: api::EncodedItem) -> ItemBody {
    match projection {
        None => ItemBody::Encoded(body),
        Some(projection) => ItemBody::Tree(Arc::new(projection.apply_encoded(&body))),
    }
}

#[cfg(test)]
mod tests {
    use api::op::ReturnConsumedCapacity;
    use api::{AttributeValue, ErrorKind, Item, TableName};

    use super::*;
    use crate::engine::page::testing::{Fixture, key, projection, s};

    fn input(key: Item) -> GetItemInput {
        GetItemInput {
            table: TableName::new("things").unwrap(),
            key,
            projection: None,
            consistent: false,
            return_capacity: ReturnConsumedCapacity::Indexes,
        }
    }

    #[test]
    fn an_item_is_answered_as_it_is_stored() {
        let fixture = Fixture::new();
        let item = key("a", 1).with("body", s(&"x".repeat(5000)));
        fixture.put(&item);
        let output = fixture.read(|view| get_item(view, &input(key("a", 1)))).unwrap();
        assert!(matches!(output.item, Some(ItemBody::Encoded(ref body)) if body.to_item() == item));
        let capacity = output.capacity.unwrap();
        assert_eq!((capacity.total.units, capacity.own.unwrap().units), (1.0, 1.0));
        let strong =
            fixture.read(|view| get_item(view, &GetItemInput { consistent: true, ..input(key("a", 1)) }));
        assert_eq!(strong.unwrap().capacity.unwrap().total.units, 2.0);
    }

    #[test]
    fn an_absence_costs_as_a_small_item_does() {
        let output = Fixture::new().read(|view| get_item(view, &input(key("a", 1)))).unwrap();
        assert_eq!(output.item, None);
        assert_eq!(output.capacity.unwrap().total.units, 0.5);
    }

    #[test]
    fn a_projection_that_finds_nothing_gives_an_empty_item() {
        let fixture = Fixture::new();
        fixture.put(&key("a", 1).with("b", AttributeValue::Bool(true)));
        let of = |names: &[&str]| {
            let input = GetItemInput { projection: Some(projection(names)), ..input(key("a", 1)) };
            fixture.read(|view| get_item(view, &input)).unwrap().item.unwrap().into_item()
        };
        assert_eq!(of(&["b"]), Item::new().with("b", AttributeValue::Bool(true)));
        assert_eq!(of(&["zz"]), Item::new());
    }

    #[test]
    fn what_can_not_be_a_read_is_refused_in_the_services_order() {
        let fixture = Fixture::new();
        let refused = |input| api::Error::from(fixture.read(|view| get_item(view, &input)).unwrap_err());
        let unknown = GetItemInput { table: TableName::new("nothing").unwrap(), ..input(Item::new()) };
        assert_eq!(refused(unknown).kind, ErrorKind::ResourceNotFoundException);
        let mut into_key = input(key("a", 1));
        into_key.projection = Some(projection(&["pk"]));
        if let Some(projection) = &mut into_key.projection {
            projection.paths[0].steps.push(api::expr::Step::Index(0));
        }
        assert!(refused(into_key.clone()).message.starts_with("Key attributes must be scalars"));
        into_key.key = Item::new();
        assert_eq!(refused(into_key).message, "The provided key element does not match the schema");
    }
}

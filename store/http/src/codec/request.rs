//! Request bodies: JSON to the `…Unchecked` form of each operation, which its `check` turns into the input.
//!
//! Members the service does not know are passed over. Of a member that stands twice, the last counts.

pub(super) mod batch;
mod items;
mod tables;
mod transact;

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::op::legacy::{
    AttributeUpdateUnchecked, AttributeUpdatesUnchecked, ConditionUnchecked, ConditionsUnchecked,
};
use api::op::unchecked::{Names, Unchecked, Values};
use api::{AttributeValue, Error, OpKind, Request};

use super::value;
use crate::json::Reader;
use crate::json::read::{Place, malformed};

/// Reads the members of a structure into the fields of an unchecked form, and passes over all others.
macro_rules! members {
    ($reader:expr, $class:literal, $place:expr, |$inner:ident| { $($name:literal => $target:expr, $value:expr;)* }) => {
        $reader.structure($class, $place, |$inner, name| {
            match &*name {
                $($name => $target = $value?,)*
                _ => $inner.skip()?,
            }
            Ok(())
        })
    };
}
pub(super) use members;

/// Decodes and checks the body of a request. Errors: `SerializationException` for what is no JSON or has a wrong type;
/// whatever the operation's checks find.
pub fn decode_request(op: OpKind, body: &[u8]) -> Result<Request, Error> {
    let mut reader = Reader::new(body)?;
    let request = whole(op, &mut reader)?;
    Ok(request)
}

fn whole(op: OpKind, reader: &mut Reader<'_>) -> Result<Request, Error> {
    Ok(match op {
        OpKind::GetItem => items::get_item(reader)?.check()?.into(),
        OpKind::PutItem => items::put_item(reader)?.check()?.into(),
        OpKind::DeleteItem => items::delete_item(reader)?.check()?.into(),
        OpKind::UpdateItem => items::update_item(reader)?.check()?.into(),
        OpKind::Query => items::query(reader)?.check()?.into(),
        OpKind::Scan => items::scan(reader)?.check()?.into(),
        OpKind::BatchGetItem => batch::batch_get_item(reader)?.check()?.into(),
        OpKind::BatchWriteItem => batch::batch_write_item(reader)?.check()?.into(),
        OpKind::TransactGetItems => transact::transact_get_items(reader)?.check()?.into(),
        OpKind::TransactWriteItems => transact::transact_write_items(reader)?.check()?.into(),
        OpKind::CreateTable => tables::create_table(reader)?.check()?.into(),
        OpKind::UpdateTable => tables::update_table(reader)?.check()?.into(),
        OpKind::DeleteTable => tables::delete_table(reader)?.check()?.into(),
        OpKind::DescribeTable => tables::describe_table(reader)?.check()?.into(),
        OpKind::ListTables => tables::list_tables(reader)?.check()?.into(),
        OpKind::DescribeLimits => tables::describe_limits(reader)?.into(),
        OpKind::DescribeEndpoints => tables::describe_endpoints(reader)?.into(),
        OpKind::TagResource => tables::tag_resource(reader)?.check()?.into(),
        OpKind::UntagResource => tables::untag_resource(reader)?.check()?.into(),
        OpKind::ListTagsOfResource => tables::list_tags_of_resource(reader)?.check()?.into(),
    })
}

/// The end of the body, behind its one structure, which has to be there.
fn end(reader: &mut Reader<'_>, there: bool) -> Result<(), Error> {
    if there { reader.end() } else { Err(malformed()) }
}

/// A list of strings. A `null` among them counts as an empty one.
fn strings(reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, Error> {
    let mut strings = Vec::new();
    let there = reader.list(|reader| {
        strings.push(reader.string()?.unwrap_or_default());
        Ok(())
    })?;
    Ok(there.then_some(strings))
}

/// A list of structures.
pub(super) fn list<T>(
    reader: &mut Reader<'_>,
    mut element: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Option<Vec<T>>, Error> {
    let mut elements = Vec::new();
    let there = reader.list(|reader| {
        elements.push(element(reader)?);
        Ok(())
    })?;
    Ok(there.then_some(elements))
}

/// A map in the order of the request. Of a name that stands twice the last value counts, in the first one's place.
fn ordered<T>(
    reader: &mut Reader<'_>,
    class: &str,
    mut element: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Option<Vec<(String, T)>>, Error> {
    let mut entries: Vec<(String, T)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let there = reader.map(class, |reader, name| {
        let value = element(reader)?;
        match places.get(&*name) {
            Some(place) => entries[*place].1 = value,
            None => {
                places.insert(name.clone().into_owned(), entries.len());
                entries.push((name.into_owned(), value));
            }
        }
        Ok(())
    })?;
    Ok(there.then_some(entries))
}

/// `ExpressionAttributeNames`.
fn names(reader: &mut Reader<'_>) -> Result<Option<Names>, Error> {
    let mut names = Names::new();
    let there = reader.map("java.lang.String", |reader, key| {
        if let Some(name) = reader.string()? {
            names.insert(key.into_owned(), name);
        }
        Ok(())
    })?;
    Ok(there.then_some(names))
}

/// `ExpressionAttributeValues`.
fn expression_values(reader: &mut Reader<'_>) -> Result<Option<Values>, Error> {
    let mut values = Values::new();
    let there = reader.map("AttributeValue", |reader, key| {
        values.extend(value::value(reader, Place::Value)?.map(|value| (key.into_owned(), value)));
        Ok(())
    })?;
    Ok(there.then_some(values))
}

/// `Expected`, or a map of conditions, which have fewer members.
fn conditions(reader: &mut Reader<'_>, class: &str) -> Result<Option<ConditionsUnchecked>, Error> {
    let mut conditions = ConditionsUnchecked::new();
    let expected = class == "ExpectedAttributeValue";
    let there = reader.map(class, |reader, name| {
        let mut condition = ConditionUnchecked::default();
        reader.structure(class, Place::Value, |reader, member| {
            match &*member {
                "ComparisonOperator" => condition.comparison = reader.string()?,
                "AttributeValueList" => condition.values = value::values(reader)?,
                "Exists" if expected => condition.exists = reader.flag()?,
                "Value" if expected => condition.value = field_value(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        conditions.insert(name.into_owned(), condition);
        Ok(())
    })?;
    Ok(there.then_some(conditions))
}

/// `AttributeUpdates`.
fn attribute_updates(reader: &mut Reader<'_>) -> Result<Option<AttributeUpdatesUnchecked>, Error> {
    let mut updates = AttributeUpdatesUnchecked::new();
    let there = reader.map("AttributeValueUpdate", |reader, name| {
        let mut update = AttributeUpdateUnchecked::default();
        members!(reader, "AttributeValueUpdate", Place::Value, |reader| {
            "Action" => update.action, reader.string();
            "Value" => update.value, field_value(reader);
        })?;
        updates.insert(name.into_owned(), update);
        Ok(())
    })?;
    Ok(there.then_some(updates))
}

fn field_value(reader: &mut Reader<'_>) -> Result<Option<Unchecked<AttributeValue>>, Error> {
    value::value(reader, Place::Field)
}

/// Takes any member's value and tells whether it was more than `null`, `[]` or `{}`.
fn present(reader: &mut Reader<'_>) -> Result<bool, Error> {
    let mut any = false;
    let mut member = |reader: &mut Reader<'_>, _: Cow<'_, str>| {
        any = true;
        reader.skip()
    };
    match reader.peek()? {
        crate::json::Kind::Object => reader.members(|reader, name| member(reader, name))?,
        crate::json::Kind::Array => reader.elements(|reader| member(reader, Cow::Borrowed("")))?,
        crate::json::Kind::Null => reader.skip()?,
        _ => {
            any = true;
            reader.skip()?;
        }
    }
    Ok(any)
}

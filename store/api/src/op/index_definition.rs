//! Key schemas, attribute definitions, projections and throughput as CreateTable and UpdateTable give them: their
//! constraints, and the rules by which they become indexes.

use std::fmt::Display;

use super::constraint::{self, Constraints};
use crate::error::Error;
use crate::schema::{IndexProjection, KeyAttribute, KeySchema, Throughput};
use crate::value::ValueType;

/// Most units a table or index may be given.
const UNITS_MAX: i64 = 1_000_000_000_000;

/// A member of `AttributeDefinitions`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeDefinitionUnchecked {
    /// `AttributeName`.
    pub name: Option<String>,
    /// `AttributeType`.
    pub value_type: Option<String>,
}

/// A member of `KeySchema`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyElementUnchecked {
    /// `AttributeName`.
    pub name: Option<String>,
    /// `KeyType`.
    pub key_type: Option<String>,
}

impl Display for KeyElementUnchecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        write!(f, "KeySchemaElement(attributeName={}, keyType={})", text(&self.name), text(&self.key_type))
    }
}

/// `Projection`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectionUnchecked {
    /// `ProjectionType`.
    pub kind: Option<String>,
    /// `NonKeyAttributes`.
    pub attributes: Option<Vec<String>>,
}

/// `ProvisionedThroughput`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThroughputUnchecked {
    /// `ReadCapacityUnits`.
    pub read_units: Option<i64>,
    /// `WriteCapacityUnits`.
    pub write_units: Option<i64>,
}

/// A member of `LocalSecondaryIndexes` or `GlobalSecondaryIndexes`, or the `Create` of an index update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexUnchecked {
    /// `IndexName`.
    pub name: Option<String>,
    /// `KeySchema`.
    pub key: Option<Vec<KeyElementUnchecked>>,
    /// `Projection`.
    pub projection: Option<ProjectionUnchecked>,
    /// `ProvisionedThroughput`; global indexes only.
    pub throughput: Option<ThroughputUnchecked>,
}

/// A member of `Tags`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagUnchecked {
    /// `Key`.
    pub key: Option<String>,
    /// `Value`.
    pub value: Option<String>,
}

/// The members of `AttributeDefinitions`.
pub(crate) fn constrain_definitions(found: &mut Constraints, definitions: &[AttributeDefinitionUnchecked]) {
    for (at, definition) in definitions.iter().enumerate() {
        let at = format_args!("attributeDefinitions.{}.member", at + 1);
        found.present(&definition.value_type, format_args!("{at}.attributeType"));
        found.one_of(definition.value_type.as_deref(), format_args!("{at}.attributeType"), &["B", "N", "S"]);
        found.present(&definition.name, format_args!("{at}.attributeName"));
        constrain_name(found, definition.name.as_deref(), format_args!("{at}.attributeName"));
    }
}

fn constrain_name(found: &mut Constraints, name: Option<&str>, at: impl Display) {
    let shown = name.unwrap_or_default();
    found.length_at_least(name.map(str::len), &at, 1, shown);
    found.length_at_most(name.map(str::len), &at, crate::limits::KEY_ATTRIBUTE_NAME_BYTES, shown);
}

/// A `KeySchema`, which must be there.
pub(crate) fn constrain_key(
    found: &mut Constraints,
    key: &Option<Vec<KeyElementUnchecked>>,
    at: impl Display,
) {
    found.present(key, &at);
    let elements = key.as_deref().unwrap_or_default();
    if key.is_some() && !(1..=2).contains(&elements.len()) {
        let shown = constraint::list(elements);
        found.length_at_least(Some(elements.len()), &at, 1, &shown);
        found.length_at_most(Some(elements.len()), &at, 2, &shown);
    }
    for (number, element) in elements.iter().enumerate() {
        let at = format_args!("{at}.{}.member", number + 1);
        found.present(&element.name, format_args!("{at}.attributeName"));
        constrain_name(found, element.name.as_deref(), format_args!("{at}.attributeName"));
        found.present(&element.key_type, format_args!("{at}.keyType"));
        found.one_of(element.key_type.as_deref(), format_args!("{at}.keyType"), &["HASH", "RANGE"]);
    }
}

/// A `ProvisionedThroughput`, if there.
pub(crate) fn constrain_throughput(
    found: &mut Constraints,
    throughput: Option<&ThroughputUnchecked>,
    at: impl Display,
) {
    let Some(throughput) = throughput else { return };
    found.present(&throughput.write_units, format_args!("{at}.writeCapacityUnits"));
    found.at_least(throughput.write_units, format_args!("{at}.writeCapacityUnits"), 1);
    found.present(&throughput.read_units, format_args!("{at}.readCapacityUnits"));
    found.at_least(throughput.read_units, format_args!("{at}.readCapacityUnits"), 1);
}

/// An index to be made.
pub(crate) fn constrain_index(found: &mut Constraints, index: &IndexUnchecked, at: impl Display) {
    found.present(&index.name, format_args!("{at}.indexName"));
    found.index(index.name.as_deref(), format_args!("{at}.indexName"));
    constrain_key(found, &index.key, format_args!("{at}.keySchema"));
    found.present(&index.projection, format_args!("{at}.projection"));
    if let Some(projection) = &index.projection {
        found.one_of(
            projection.kind.as_deref(),
            format_args!("{at}.projection.projectionType"),
            &["ALL", "INCLUDE", "KEYS_ONLY"],
        );
        found.length_at_least(
            projection.attributes.as_ref().map(Vec::len),
            format_args!("{at}.projection.nonKeyAttributes"),
            1,
            "[]",
        );
        for (number, name) in projection.attributes.iter().flatten().enumerate() {
            let at = format_args!("{at}.projection.nonKeyAttributes.{}.member", number + 1);
            constrain_name(found, Some(name), at);
        }
    }
    constrain_throughput(found, index.throughput.as_ref(), format_args!("{at}.provisionedThroughput"));
}

/// A refusal of the kind the service words most often.
pub(crate) fn invalid(what: impl Display) -> Error {
    Error::validation(format!("One or more parameter values were invalid: {what}"))
}

/// The declared attributes. Their names and types are there and known: the constraints held.
pub(crate) fn definitions(given: Vec<AttributeDefinitionUnchecked>) -> Result<Vec<KeyAttribute>, Error> {
    let mut attributes: Vec<KeyAttribute> = Vec::with_capacity(given.len());
    let mut names = std::collections::BTreeSet::new();
    for definition in given {
        let name = definition.name.unwrap_or_default();
        if !names.insert(name.clone()) {
            return Err(invalid("Cannot have two attributes with the same name"));
        }
        let value_type = match definition.value_type.as_deref() {
            Some("N") => ValueType::N,
            Some("B") => ValueType::B,
            _ => ValueType::S,
        };
        attributes.push(KeyAttribute { name, value_type });
    }
    Ok(attributes)
}

/// A key of declared attributes.
pub(crate) fn key_schema(
    elements: &[KeyElementUnchecked],
    attributes: &[KeyAttribute],
) -> Result<KeySchema, Error> {
    let names: Vec<&str> = elements.iter().filter_map(|element| element.name.as_deref()).collect();
    let declared = |name: &str| attributes.iter().find(|attribute| attribute.name == name).cloned();
    if names.iter().any(|name| declared(name).is_none()) {
        let known: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        return Err(invalid(format_args!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: {}, AttributeDefinitions: {}",
            constraint::list(&names),
            constraint::list(&known)
        )));
    }
    if names.len() == 2 && names[0] == names[1] {
        return Err(Error::validation(
            "Invalid KeySchema: Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ));
    }
    let is = |at: usize, kind: &str| {
        elements.get(at).is_none_or(|element| element.key_type.as_deref() == Some(kind))
    };
    if !is(0, "HASH") {
        return Err(Error::validation(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ));
    }
    if !is(1, "RANGE") {
        return Err(Error::validation(
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ));
    }
    let partition = names.first().and_then(|name| declared(name));
    let partition = partition
        .ok_or_else(|| Error::validation("Invalid KeySchema: Some index key attribute have no definition"))?;
    Ok(KeySchema { partition, sort: names.get(1).and_then(|name| declared(name)) })
}

/// What an index copies.
pub(crate) fn projection(given: ProjectionUnchecked) -> Result<IndexProjection, Error> {
    let kind = given.kind.as_deref();
    match (kind, given.attributes) {
        (None, _) => Err(invalid("Unknown ProjectionType: null")),
        (Some("INCLUDE"), None) => {
            Err(invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified"))
        }
        (Some("INCLUDE"), Some(attributes)) => {
            let mut seen = std::collections::BTreeSet::new();
            if attributes.len() > crate::limits::PROJECTED_ATTRIBUTES {
                return Err(too_many_projected(attributes.len()));
            }
            if let Some(twice) = attributes.iter().find(|name| !seen.insert(name.as_str())) {
                return Err(invalid(format_args!("Duplicate value in attribute name: {twice}")));
            }
            Ok(IndexProjection::Include(attributes))
        }
        (Some(kind), Some(_)) => {
            Err(invalid(format_args!("ProjectionType is {kind}, but NonKeyAttributes is specified")))
        }
        (Some("KEYS_ONLY"), None) => Ok(IndexProjection::KeysOnly),
        (Some(_), None) => Ok(IndexProjection::All),
    }
}

/// More attributes named by projections than a table may have.
pub(crate) fn too_many_projected(count: usize) -> Error {
    invalid(format_args!(
        "Number of NonKeyAttributes in the projections of all indexes, {count}, exceeds the per-table limit of {}",
        crate::limits::PROJECTED_ATTRIBUTES
    ))
}

/// Throughput whose members are there: the constraints held.
pub(crate) fn throughput(given: ThroughputUnchecked) -> Result<Throughput, Error> {
    let units = |name: &str, units: Option<i64>| match units.unwrap_or_default() {
        units if units > UNITS_MAX => {
            Err(Error::validation(format!("Given value {units} for {name} is out of bounds")))
        }
        units => Ok(units.max(0).unsigned_abs()),
    };
    Ok(Throughput {
        read_units: units("ReadCapacityUnits", given.read_units)?,
        write_units: units("WriteCapacityUnits", given.write_units)?,
    })
}

/// Tags in the order of the request. No key twice, no more than a table may have.
pub(crate) fn tags(given: Vec<TagUnchecked>) -> Result<Vec<(String, String)>, Error> {
    let mut tags: Vec<(String, String)> = Vec::with_capacity(given.len());
    if given.len() > crate::limits::TAGS {
        return Err(Error::validation(format!(
            "One or more parameter values were invalid: Too many tags: {}. A resource may have at most {} tags",
            given.len(),
            crate::limits::TAGS
        )));
    }
    for tag in given {
        let key = tag_key(tag.key)?;
        let value = match tag.value {
            Some(value) if value.chars().count() <= TAG_VALUE_CHARS => value,
            other => {
                return Err(Error::validation(format!(
                    "The Tag Value provided is invalid, Value: {}",
                    other.as_deref().unwrap_or("null")
                )));
            }
        };
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(Error::validation(format!("Duplicate tag keys are not allowed, Key: {key}")));
        }
        tags.push((key, value));
    }
    Ok(tags)
}

/// Longest key of a tag, characters. Source: API reference, *Tag*.
const TAG_KEY_CHARS: usize = 128;
/// Longest value of a tag, characters. Source: API reference, *Tag*.
const TAG_VALUE_CHARS: usize = 256;

/// The key of a tag.
pub(crate) fn tag_key(key: Option<String>) -> Result<String, Error> {
    match key {
        Some(key) if (1..=TAG_KEY_CHARS).contains(&key.chars().count()) => Ok(key),
        other => Err(Error::validation(format!(
            "The Tag Key provided is invalid, Key: {}",
            other.as_deref().unwrap_or("null")
        ))),
    }
}

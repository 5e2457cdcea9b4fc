//! `CreateTable`.

use super::constraint::{self, Constraints};
use super::index_definition::{
    self as definition, AttributeDefinitionUnchecked, IndexUnchecked, KeyElementUnchecked, TagUnchecked,
    ThroughputUnchecked, invalid,
};
use super::table_description::TableDescription;
use crate::error::Error;
use crate::limits;
use crate::schema::{
    BillingMode, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, TableName, Throughput,
};

/// An index to be made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewIndex {
    /// Its name.
    pub name: IndexName,
    /// Local or global.
    pub kind: IndexKind,
    /// Its key.
    pub key: KeySchema,
    /// What it copies.
    pub projection: IndexProjection,
    /// Provisioned throughput; global indexes of provisioned tables.
    pub throughput: Throughput,
}

/// Input of `CreateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CreateTableInput {
    /// The table.
    pub table: TableName,
    /// Declared attributes: just those that keys use.
    pub attributes: Vec<KeyAttribute>,
    /// The key.
    pub key: KeySchema,
    /// Local indexes first, then global ones.
    pub indexes: Vec<NewIndex>,
    /// How it is billed.
    pub billing: BillingMode,
    /// Provisioned throughput; zero where billed per request.
    pub throughput: Throughput,
    /// Whether DeleteTable is refused.
    pub deletion_protection: bool,
    /// Table class, if given.
    pub table_class: Option<String>,
    /// Tags, in the order of the request.
    pub tags: Vec<(String, String)>,
}

/// Output of `CreateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CreateTableOutput {
    /// The table.
    pub description: TableDescription,
}

/// Input of `CreateTable` as a text protocol carries it. Members without an effect here (server-side encryption,
/// on-demand and warm throughput, resource policy) are not kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTableUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `AttributeDefinitions`.
    pub attributes: Option<Vec<AttributeDefinitionUnchecked>>,
    /// `KeySchema`.
    pub key: Option<Vec<KeyElementUnchecked>>,
    /// `LocalSecondaryIndexes`.
    pub local_indexes: Option<Vec<IndexUnchecked>>,
    /// `GlobalSecondaryIndexes`.
    pub global_indexes: Option<Vec<IndexUnchecked>>,
    /// `BillingMode`.
    pub billing: Option<String>,
    /// `ProvisionedThroughput`.
    pub throughput: Option<ThroughputUnchecked>,
    /// `StreamSpecification`.
    pub stream: Option<StreamUnchecked>,
    /// `DeletionProtectionEnabled`.
    pub deletion_protection: Option<bool>,
    /// `TableClass`.
    pub table_class: Option<String>,
    /// `Tags`.
    pub tags: Option<Vec<TagUnchecked>>,
}

/// `StreamSpecification`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamUnchecked {
    /// `StreamEnabled`.
    pub enabled: Option<bool>,
    /// `StreamViewType`.
    pub view_type: Option<String>,
}

impl StreamUnchecked {
    pub(crate) fn constrain(stream: Option<&StreamUnchecked>, found: &mut Constraints) {
        let Some(stream) = stream else { return };
        found.present(&stream.enabled, "streamSpecification.streamEnabled");
        found.one_of(
            stream.view_type.as_deref(),
            "streamSpecification.streamViewType",
            &["OLD_IMAGE", "KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE"],
        );
    }

    pub(crate) fn check(stream: Option<&StreamUnchecked>) -> Result<(), Error> {
        match stream {
            Some(stream) if stream.enabled == Some(true) => Err(Error::validation(
                "StreamSpecification: streams are not supported by this endpoint yet; leave StreamSpecification out \
                 or set StreamEnabled to false",
            )),
            _ => Ok(()),
        }
    }
}

pub(crate) const TABLE_CLASSES: &[&str] = &["STANDARD", "STANDARD_INFREQUENT_ACCESS"];
pub(crate) const BILLING_MODES: &[&str] = &["PROVISIONED", "PAY_PER_REQUEST"];

impl CreateTableUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<CreateTableInput, Error> {
        self.constrain()?;
        let billing = match self.billing.as_deref() {
            Some("PAY_PER_REQUEST") => BillingMode::PayPerRequest,
            _ => BillingMode::Provisioned,
        };
        let throughput = match (billing, self.throughput) {
            (BillingMode::PayPerRequest, Some(_)) => {
                return Err(invalid(
                    "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is \
                     PAY_PER_REQUEST",
                ));
            }
            (BillingMode::PayPerRequest, None) => Throughput::default(),
            (BillingMode::Provisioned, None) => {
                return Err(invalid(
                    "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
                ));
            }
            (BillingMode::Provisioned, Some(throughput)) => definition::throughput(throughput)?,
        };
        let elements = self.key.unwrap_or_default();
        let definitions = self.attributes.unwrap_or_default();
        if elements.len() > definitions.len() {
            return Err(Error::validation("Invalid KeySchema: Some index key attribute have no definition"));
        }
        let attributes = definition::definitions(definitions)?;
        let key = definition::key_schema(&elements, &attributes)?;
        if self.local_indexes.is_none() && self.global_indexes.is_none() && elements.len() != attributes.len()
        {
            return Err(invalid(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in \
                 AttributeDefinitions",
            ));
        }
        let mut indexes = Vec::new();
        if let Some(local) = self.local_indexes {
            local_indexes(&mut indexes, local, &key, &attributes)?;
        }
        if let Some(global) = self.global_indexes {
            global_indexes(&mut indexes, global, &attributes, billing)?;
        }
        fits_table(&key, &indexes, &attributes)?;
        StreamUnchecked::check(self.stream.as_ref())?;
        Ok(CreateTableInput {
            table: constraint::checked_table(self.table)?,
            attributes,
            key,
            indexes,
            billing,
            throughput,
            deletion_protection: self.deletion_protection.unwrap_or_default(),
            table_class: self.table_class,
            tags: definition::tags(self.tags.unwrap_or_default())?,
        })
    }

    fn constrain(&self) -> Result<(), Error> {
        let mut found = Constraints::new();
        found.present(&self.attributes, "attributeDefinitions");
        definition::constrain_definitions(&mut found, self.attributes.as_deref().unwrap_or_default());
        found.table(self.table.as_deref(), "tableName");
        found.one_of(self.billing.as_deref(), "billingMode", BILLING_MODES);
        definition::constrain_throughput(&mut found, self.throughput.as_ref(), "provisionedThroughput");
        definition::constrain_key(&mut found, &self.key, "keySchema");
        let lists = [
            ("localSecondaryIndexes", &self.local_indexes),
            ("globalSecondaryIndexes", &self.global_indexes),
        ];
        for (name, indexes) in lists {
            for (at, index) in indexes.iter().flatten().enumerate() {
                definition::constrain_index(&mut found, index, format_args!("{name}.{}.member", at + 1));
            }
        }
        StreamUnchecked::constrain(self.stream.as_ref(), &mut found);
        found.one_of(self.table_class.as_deref(), "tableClass", TABLE_CLASSES);
        found.finish()
    }
}

fn local_indexes(
    indexes: &mut Vec<NewIndex>,
    given: Vec<IndexUnchecked>,
    table: &KeySchema,
    attributes: &[KeyAttribute],
) -> Result<(), Error> {
    if given.is_empty() {
        return Err(invalid("List of LocalSecondaryIndexes is empty"));
    }
    if table.sort.is_none() {
        return Err(invalid(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ));
    }
    let count = given.len();
    // One past the limit shows that there are too many; the others need no look.
    for index in given.into_iter().take(limits::LOCAL_INDEXES + 1) {
        let name = index_name(index.name)?;
        let key = definition::key_schema(&index.key.unwrap_or_default(), attributes)?;
        if key.sort.is_none() {
            return Err(invalid(format_args!("Index KeySchema does not have a range key for index: {name}")));
        }
        if key.partition.name != table.partition.name {
            return Err(invalid(format_args!(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. index \
                 hash key: {}, table hash key: {}",
                key.partition.name, table.partition.name
            )));
        }
        let projection = definition::projection(index.projection.unwrap_or_default())?;
        indexes.push(NewIndex {
            name: not_twice(name, indexes)?,
            kind: IndexKind::Local,
            key,
            projection,
            throughput: Throughput::default(),
        });
    }
    if count > limits::LOCAL_INDEXES {
        return Err(invalid(format_args!(
            "Number of LocalSecondaryIndexes exceeds per-table limit of {}",
            limits::LOCAL_INDEXES
        )));
    }
    Ok(())
}

fn global_indexes(
    indexes: &mut Vec<NewIndex>,
    given: Vec<IndexUnchecked>,
    attributes: &[KeyAttribute],
    billing: BillingMode,
) -> Result<(), Error> {
    if given.is_empty() {
        return Err(invalid("List of GlobalSecondaryIndexes is empty"));
    }
    let count = given.len();
    // One past the limit shows that there are too many; the others need no look.
    for index in given.into_iter().take(limits::GLOBAL_INDEXES + 1) {
        let index = global_index(index, attributes, billing)?;
        not_twice(index.name.clone(), indexes)?;
        indexes.push(index);
    }
    if count > limits::GLOBAL_INDEXES {
        return Err(invalid(format_args!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {}",
            limits::GLOBAL_INDEXES
        )));
    }
    Ok(())
}

/// A global index of a table with these attributes, billed this way.
fn global_index(
    index: IndexUnchecked,
    attributes: &[KeyAttribute],
    billing: BillingMode,
) -> Result<NewIndex, Error> {
    let name = index_name(index.name)?;
    let key = definition::key_schema(&index.key.unwrap_or_default(), attributes)?;
    let projection = definition::projection(index.projection.unwrap_or_default())?;
    let throughput = match (billing, index.throughput) {
        (BillingMode::PayPerRequest, Some(_)) => {
            return Err(invalid(format_args!(
                "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
            )));
        }
        (BillingMode::Provisioned, None) => {
            return Err(invalid(format_args!("ProvisionedThroughput must be specified for index: {name}")));
        }
        (_, throughput) => definition::throughput(throughput.unwrap_or_default())?,
    };
    Ok(NewIndex { name, kind: IndexKind::Global, key, projection, throughput })
}

pub(crate) fn index_name(name: Option<String>) -> Result<IndexName, Error> {
    name.as_deref().and_then(IndexName::new).ok_or_else(|| {
        invalid("IndexName must be 3 to 255 of the characters a-z, A-Z, 0-9, '_', '-', and '.'")
    })
}

fn not_twice(name: IndexName, known: &[NewIndex]) -> Result<IndexName, Error> {
    if known.iter().any(|index| index.name == name) {
        return Err(invalid(format_args!("Duplicate index name: {name}")));
    }
    Ok(name)
}

/// What holds of a table and its indexes together: every declared attribute is in some key, and projections name no more
/// attributes than a table may have.
fn fits_table(key: &KeySchema, indexes: &[NewIndex], attributes: &[KeyAttribute]) -> Result<(), Error> {
    let keys = || std::iter::once(key).chain(indexes.iter().map(|index| &index.key));
    let used = |name: &str| keys().flat_map(KeySchema::attributes).any(|attribute| attribute.name == name);
    if attributes.iter().any(|attribute| !used(&attribute.name)) {
        let mut named: Vec<&str> = Vec::new();
        for attribute in keys().flat_map(KeySchema::attributes) {
            if !named.contains(&attribute.name.as_str()) {
                named.push(&attribute.name);
            }
        }
        let declared: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        return Err(invalid(format_args!(
            "Some AttributeDefinitions are not used. AttributeDefinitions: {}, keys used: {}",
            constraint::list(&declared),
            constraint::list(&named)
        )));
    }
    let projected = |index: &NewIndex| match &index.projection {
        IndexProjection::Include(attributes) => attributes.len(),
        IndexProjection::All | IndexProjection::KeysOnly => 0,
    };
    let projected: usize = indexes.iter().map(projected).sum();
    if projected > limits::PROJECTED_ATTRIBUTES {
        return Err(definition::too_many_projected(projected));
    }
    Ok(())
}

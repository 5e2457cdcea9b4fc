//! `UpdateTable`.

use super::constraint::{self, Constraints};
use super::create_table::{self, NewIndex, StreamUnchecked};
use super::index_definition::{
    self as definition, AttributeDefinitionUnchecked, IndexUnchecked, ThroughputUnchecked, invalid,
};
use super::table_description::TableDescription;
use crate::error::Error;
use crate::limits;
use crate::schema::{BillingMode, IndexKind, IndexName, KeyAttribute, TableName, Throughput};

/// A change to a global index.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum IndexUpdate {
    /// Make it; filled from the table while it serves.
    Create(NewIndex),
    /// New throughput.
    Update(IndexName, Throughput),
    /// Drop it.
    Delete(IndexName),
}

/// Input of `UpdateTable`. At least one field asks for something.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateTableInput {
    /// The table.
    pub table: TableName,
    /// Attributes declared for the keys of new indexes.
    pub attributes: Vec<KeyAttribute>,
    /// New billing mode.
    pub billing: Option<BillingMode>,
    /// New throughput.
    pub throughput: Option<Throughput>,
    /// Changes to global indexes.
    pub index_updates: Vec<IndexUpdate>,
    /// Whether DeleteTable is refused from now on.
    pub deletion_protection: Option<bool>,
    /// New table class.
    pub table_class: Option<String>,
}

/// Output of `UpdateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateTableOutput {
    /// The table.
    pub description: TableDescription,
}

/// The `Update` of an index update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexThroughputUnchecked {
    /// `IndexName`.
    pub name: Option<String>,
    /// `ProvisionedThroughput`.
    pub throughput: Option<ThroughputUnchecked>,
}

/// A member of `GlobalSecondaryIndexUpdates`. Exactly one of the three is to be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexUpdateUnchecked {
    /// `Create`.
    pub create: Option<IndexUnchecked>,
    /// `Update`.
    pub update: Option<IndexThroughputUnchecked>,
    /// `Delete`: its `IndexName`.
    pub delete: Option<Option<String>>,
}

/// Input of `UpdateTable` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateTableUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `AttributeDefinitions`.
    pub attributes: Option<Vec<AttributeDefinitionUnchecked>>,
    /// `BillingMode`.
    pub billing: Option<String>,
    /// `ProvisionedThroughput`.
    pub throughput: Option<ThroughputUnchecked>,
    /// `GlobalSecondaryIndexUpdates`.
    pub index_updates: Option<Vec<IndexUpdateUnchecked>>,
    /// `StreamSpecification`.
    pub stream: Option<StreamUnchecked>,
    /// `DeletionProtectionEnabled`.
    pub deletion_protection: Option<bool>,
    /// `TableClass`.
    pub table_class: Option<String>,
    /// Whether a parameter is there that the service takes and that changes nothing here: `SSESpecification`,
    /// `OnDemandThroughput`, `WarmThroughput`.
    pub without_effect: bool,
    /// Whether `ReplicaUpdates` is there and not empty.
    pub replicas: bool,
}

impl UpdateTableUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<UpdateTableInput, Error> {
        self.constrain()?;
        let updates = self.index_updates.unwrap_or_default();
        let asks = self.throughput.is_some()
            || self.billing.is_some()
            || self.stream.is_some()
            || self.deletion_protection.is_some()
            || self.table_class.is_some()
            || self.without_effect
            || self.replicas
            || !updates.is_empty();
        if !asks {
            return Err(Error::validation(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates \
                 or SSESpecification or ReplicaUpdates is required",
            ));
        }
        if self.replicas {
            return Err(Error::validation(
                "ReplicaUpdates: global tables are not supported by this endpoint",
            ));
        }
        let billing = match self.billing.as_deref() {
            None => None,
            Some("PAY_PER_REQUEST") => Some(BillingMode::PayPerRequest),
            Some(_) => Some(BillingMode::Provisioned),
        };
        if billing == Some(BillingMode::Provisioned) && self.throughput.is_none() {
            return Err(invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED"));
        }
        if billing == Some(BillingMode::PayPerRequest) && self.throughput.is_some() {
            return Err(invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        let throughput = self.throughput.map(definition::throughput).transpose()?;
        let attributes = definition::definitions(self.attributes.unwrap_or_default())?;
        let index_updates = index_updates(updates, &attributes)?;
        StreamUnchecked::check(self.stream.as_ref())?;
        Ok(UpdateTableInput {
            table: constraint::checked_table(self.table)?,
            attributes,
            billing,
            throughput,
            index_updates,
            deletion_protection: self.deletion_protection,
            table_class: self.table_class,
        })
    }

    fn constrain(&self) -> Result<(), Error> {
        let mut found = Constraints::new();
        definition::constrain_definitions(&mut found, self.attributes.as_deref().unwrap_or_default());
        found.table(self.table.as_deref(), "tableName");
        found.one_of(self.billing.as_deref(), "billingMode", create_table::BILLING_MODES);
        definition::constrain_throughput(&mut found, self.throughput.as_ref(), "provisionedThroughput");
        for (at, update) in self.index_updates.iter().flatten().enumerate() {
            let at = format_args!("globalSecondaryIndexUpdates.{}.member", at + 1);
            if let Some(update) = &update.update {
                found.present(&update.name, format_args!("{at}.update.indexName"));
                found.index(update.name.as_deref(), format_args!("{at}.update.indexName"));
                let at = format_args!("{at}.update.provisionedThroughput");
                definition::constrain_throughput(&mut found, update.throughput.as_ref(), at);
            }
            if let Some(create) = &update.create {
                definition::constrain_index(&mut found, create, format_args!("{at}.create"));
            }
            if let Some(delete) = &update.delete {
                found.present(delete, format_args!("{at}.delete.indexName"));
                found.index(delete.as_deref(), format_args!("{at}.delete.indexName"));
            }
        }
        StreamUnchecked::constrain(self.stream.as_ref(), &mut found);
        found.one_of(self.table_class.as_deref(), "tableClass", create_table::TABLE_CLASSES);
        found.finish()
    }
}

fn index_updates(
    given: Vec<IndexUpdateUnchecked>,
    attributes: &[KeyAttribute],
) -> Result<Vec<IndexUpdate>, Error> {
    if given.len() > limits::GLOBAL_INDEXES {
        return Err(invalid(format_args!(
            "GlobalSecondaryIndexUpdates count exceeds the per-table limit of {}",
            limits::GLOBAL_INDEXES
        )));
    }
    let mut updates: Vec<IndexUpdate> = Vec::with_capacity(given.len());
    for update in given {
        let update = match (update.create, update.update, update.delete) {
            (Some(create), None, None) => IndexUpdate::Create(NewIndex {
                name: create_table::index_name(create.name)?,
                kind: IndexKind::Global,
                key: definition::key_schema(&create.key.unwrap_or_default(), attributes)?,
                projection: definition::projection(create.projection.unwrap_or_default())?,
                // Whether it must be given is judged beside the table's billing mode.
                throughput: definition::throughput(create.throughput.unwrap_or_default())?,
            }),
            (None, Some(update), None) => {
                let name = create_table::index_name(update.name)?;
                let Some(throughput) = update.throughput else {
                    return Err(invalid(format_args!(
                        "ProvisionedThroughput must be specified for the update of index: {name}"
                    )));
                };
                IndexUpdate::Update(name, definition::throughput(throughput)?)
            }
            (None, None, Some(delete)) => IndexUpdate::Delete(create_table::index_name(delete)?),
            (None, None, None) => {
                return Err(invalid(
                    "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
                     GlobalSecondaryIndexUpdate.Delete must not be null",
                ));
            }
            _ => {
                return Err(invalid(
                    "Only one of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
                     GlobalSecondaryIndexUpdate.Delete may be specified",
                ));
            }
        };
        let name = index_of(&update);
        if updates.iter().any(|known| index_of(known) == name) {
            return Err(invalid(format_args!(
                "Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )));
        }
        updates.push(update);
    }
    Ok(updates)
}

fn index_of(update: &IndexUpdate) -> &IndexName {
    match update {
        IndexUpdate::Create(index) => &index.name,
        IndexUpdate::Update(name, _) | IndexUpdate::Delete(name) => name,
    }
}

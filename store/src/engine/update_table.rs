//! `UpdateTable`.
//!
//! What depends on the table as it stands is judged here, in the service's order; what shows from the request alone was
//! judged where it was decoded. Throughput and billing are kept and shown. An index that is made is written from the moment
//! it stands in the schema, and filled by the steps in [`super::maintain`]; one that is dropped leaves the schema by the
//! next step.

use api::limits::GLOBAL_INDEXES;
use api::op::{IndexUpdate, NewIndex, UpdateTableInput, UpdateTableOutput};
use api::schema::{BillingMode, Index, IndexKind, IndexName, Status, Table, Throughput};
use api::{Error, ErrorKind};

use super::create_table::{Filling, new_index};
use super::delete_table::check_status;
use super::describe_table::describe;
use crate::error::EngineError;
use crate::state::State;

/// Alters a table. It is `UPDATING` until the command that activates it has been applied.
pub fn update_table(state: &mut State, input: UpdateTableInput) -> Result<UpdateTableOutput, EngineError> {
    let before = state.existing(&input.table)?;
    check_status(&before)?;
    let mut table = Table::clone(&before);
    alter_billing(&mut table, &input)?;
    check_index_work(&before, &input.index_updates)?;
    let mut made = Vec::new();
    for update in input.index_updates {
        match update {
            IndexUpdate::Create(index) => {
                check_new_index(&table, &index, made.len())?;
                made.push(index);
            }
            IndexUpdate::Update(name, throughput) => {
                let index = index_mut(&mut table, &name, Filled::Yes)?;
                if input.billing != Some(BillingMode::Provisioned)
                    || index.throughput != Throughput::default()
                {
                    check_changes(index.throughput, throughput)?;
                }
                index.throughput = throughput;
                index.status = Status::Updating;
            }
            IndexUpdate::Delete(name) => {
                let index = index_mut(&mut table, &name, Filled::OrNot)?;
                index.status = Status::Deleting;
                // What has been filled so far goes with the index.
                index.backfilling = false;
            }
        }
    }
    if !made.is_empty() {
        declare(&mut table, &input.attributes, &made)?;
    }
    if let Some(protection) = input.deletion_protection {
        table.deletion_protection = protection;
    }
    if let Some(class) = input.table_class {
        table.table_class = Some(class);
    }
    table.status = Status::Updating;
    // Nothing is refused from here on, so that ids are drawn only for what is made.
    for index in made {
        let index = new_index(state, index, Filling::FromItems);
        table.indexes.push(index);
    }
    let table = state.set_table(table);
    let counters = state.counters(table.id);
    Ok(UpdateTableOutput { description: describe(&table, &counters) })
}

fn alter_billing(table: &mut Table, input: &UpdateTableInput) -> Result<(), Error> {
    let mode = input.billing.unwrap_or(table.billing);
    let switches = mode != table.billing;
    if mode == BillingMode::PayPerRequest {
        let of_index = |update: &IndexUpdate| matches!(update, IndexUpdate::Update(..));
        if input.throughput.is_some() || input.index_updates.iter().any(of_index) {
            return Err(invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            ));
        }
        if switches {
            table.throughput = Throughput::default();
            table.indexes.iter_mut().for_each(|index| index.throughput = Throughput::default());
        }
    } else if switches {
        let given = |index: &&Index| {
            let names = |update: &IndexUpdate| match update {
                IndexUpdate::Update(name, _) | IndexUpdate::Delete(name) => *name == index.name,
                IndexUpdate::Create(_) => false,
            };
            !input.index_updates.iter().any(names)
        };
        let missing: Vec<&str> =
            table.global_indexes().filter(given).map(|index| index.name.as_str()).collect();
        if !missing.is_empty() {
            return Err(invalid(format!(
                "ProvisionedThroughput must be specified for index: {}",
                missing.join(",")
            )));
        }
    }
    if let Some(throughput) = input.throughput {
        if !switches {
            check_changes(table.throughput, throughput)?;
        }
        table.throughput = throughput;
    }
    table.billing = mode;
    Ok(())
}

fn check_changes(current: Throughput, asked: Throughput) -> Result<(), Error> {
    if current != asked {
        return Ok(());
    }
    Err(Error::validation(format!(
        "The provisioned throughput for the table will not change. The requested value equals the current value. Current \
         ReadCapacityUnits provisioned for the table: {}. Requested ReadCapacityUnits: {}. Current WriteCapacityUnits \
         provisioned for the table: {}. Requested WriteCapacityUnits: {}. Refer to the Amazon DynamoDB Developer Guide \
         for current limits and how to request higher limits.",
        current.read_units, asked.read_units, current.write_units, asked.write_units
    )))
}

/// One index at a time is made or dropped. One that is being filled may be dropped itself meanwhile.
fn check_index_work(table: &Table, updates: &[IndexUpdate]) -> Result<(), Error> {
    let asked: Vec<&IndexUpdate> =
        updates.iter().filter(|update| !matches!(update, IndexUpdate::Update(..))).collect();
    let under_way = |index: &&Index| index.backfilling || index.status == Status::Deleting;
    let in_the_way = |index: &Index| match asked.first() {
        Some(IndexUpdate::Delete(name)) => *name != index.name,
        _ => true,
    };
    if asked.len() > 1 || !asked.is_empty() && table.indexes.iter().filter(under_way).any(in_the_way) {
        return Err(Error::new(
            ErrorKind::LimitExceededException,
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        ));
    }
    Ok(())
}

fn check_new_index(table: &Table, index: &NewIndex, made: usize) -> Result<(), Error> {
    let NewIndex { name, throughput, .. } = index;
    if table.index(name).is_some() {
        return Err(invalid(format!("Duplicate index name: {name}")));
    }
    if table.global_indexes().count() + made >= GLOBAL_INDEXES {
        return Err(invalid(format!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES}"
        )));
    }
    match table.billing {
        BillingMode::Provisioned if *throughput == Throughput::default() => {
            Err(invalid(format!("ProvisionedThroughput must be specified for index: {name}")))
        }
        BillingMode::PayPerRequest if *throughput != Throughput::default() => Err(invalid(format!(
            "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        ))),
        BillingMode::Provisioned | BillingMode::PayPerRequest => Ok(()),
    }
}

/// Adds what the keys of new indexes need to the declared attributes.
fn declare(table: &mut Table, given: &[api::schema::KeyAttribute], made: &[NewIndex]) -> Result<(), Error> {
    for attribute in given {
        if let Some(known) = table.attributes.iter().find(|known| known.name == attribute.name) {
            if known.value_type != attribute.value_type {
                return Err(invalid(format!(
                    "Attribute {} is declared with type {} already; a declared type cannot change",
                    known.name,
                    known.value_type.name()
                )));
            }
        } else if made.iter().flat_map(|index| index.key.attributes()).any(|key| key.name == attribute.name) {
            table.attributes.push(attribute.clone());
        }
    }
    Ok(())
}

/// Whether an index may be altered while it is being filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filled {
    Yes,
    OrNot,
}

fn index_mut<'t>(table: &'t mut Table, name: &IndexName, filled: Filled) -> Result<&'t mut Index, Error> {
    let table_name = table.name.clone();
    let is_it = |index: &&mut Index| index.name == *name && index.kind == IndexKind::Global;
    match table.indexes.iter_mut().find(is_it) {
        Some(index) if index.status == Status::Deleting => Err(in_use("deleted", &table_name, name)),
        Some(index) if index.status == Status::Creating && filled == Filled::Yes => {
            Err(in_use("created", &table_name, name))
        }
        Some(index) => Ok(index),
        None => Err(Error::new(
            ErrorKind::ResourceNotFoundException,
            format!("Requested resource not found: Table: {table_name}, Index: {name} not found"),
        )),
    }
}

fn in_use(what: &str, table: &api::TableName, index: &IndexName) -> Error {
    Error::new(
        ErrorKind::ResourceInUseException,
        format!(
            "Attempt to change a resource which is still in use: Index is being {what}: {table}, {index}"
        ),
    )
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::validation(format!("One or more parameter values were invalid: {what}"))
}

//! `TransactWriteItems`: all of it or nothing, in one entry.
//!
//! Entries are applied one after the other, so a transaction never meets another one half done: conflicts do not arise.
//!
//! A token makes the request idempotent for a while ([`super::token`]): it is kept with the hash of the request and with
//! what a repetition is answered with. A transaction that was cancelled keeps no token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::error::{CancellationCode, CancellationReason};
use api::limits::TRANSACT_BYTES;
use api::op::{
    ItemCollectionMetrics, ReturnConsumedCapacity, TransactAction, TransactWrite, TransactWriteItemsInput,
    TransactWriteItemsOutput,
};
use api::{Detail, Error, ErrorKind, Item, KeyBytes, Table, TableName};

use super::view::TableMap;
use super::write::{Prepared, Standing};
use super::write_capacity::{Rate, WriteUnits};
use super::{delete_item, put_item, token, update_item, write};
use crate::command::Basis;
use crate::error::EngineError;
use crate::kv;
use crate::state::State;

pub(super) fn admit(tables: &TableMap, input: &TransactWriteItemsInput) -> Result<Vec<Basis>, EngineError> {
    let mut bases: Vec<Basis> = Vec::new();
    for action in &input.actions {
        let (_, basis) = write::basis_of(tables, &action.table)?;
        if !bases.contains(&basis) {
            bases.push(basis);
        }
    }
    Ok(bases)
}

/// Writes all, or cancels with a reason for each action.
pub fn transact_write_items(
    state: &mut State,
    input: TransactWriteItemsInput,
) -> Result<TransactWriteItemsOutput, EngineError> {
    let request_hash = input.token.as_ref().map(|_| hash_of(&input));
    if let (Some(given), Some(request_hash)) = (&input.token, request_hash)
        && let Some(output) = token::repeated(state, given, request_hash)?
    {
        return Ok(output);
    }
    let mut reasons = Vec::with_capacity(input.actions.len());
    let mut judged = Vec::with_capacity(input.actions.len());
    for action in &input.actions {
        let table = state.writable(&action.table)?;
        match judge(&table, action) {
            Ok(key) => {
                judged.push((table, key));
                reasons.push(CancellationReason::default());
            }
            Err(error) => reasons.push(reason_of(error)?),
        }
    }
    if reasons.iter().any(|reason| reason.code.is_some()) {
        return Err(cancelled(reasons).into());
    }
    let mut seen = BTreeSet::new();
    if !judged.iter().all(|(table, key)| seen.insert((table.id, key.clone()))) {
        return Err(
            Error::validation("Transaction request cannot include multiple operations on one item").into()
        );
    }

    let mut prepared = Vec::with_capacity(judged.len());
    for ((action, (table, key)), reason) in input.actions.iter().zip(judged).zip(&mut reasons) {
        match prepare(state, &table, key, action) {
            Ok(one) => prepared.push((table, one)),
            Err(EngineError::Refused(error)) => *reason = reason_of(error)?,
            Err(error) => return Err(error),
        }
    }
    if reasons.iter().any(|reason| reason.code.is_some()) {
        return Err(cancelled(reasons).into());
    }
    let bytes: usize = prepared.iter().map(|(_, one)| one.bytes()).sum();
    if bytes > TRANSACT_BYTES {
        return Err(Error::validation(
            "The aggregate size of the items in the transaction exceeds the maximum size of 4 MB",
        )
        .into());
    }

    let mut account = Account::default();
    for ((table, one), action) in prepared.into_iter().zip(&input.actions) {
        match one {
            Planned::Check { bytes } => account.units(&table).add(&WriteUnits::of(Some(bytes), None, &[])),
            Planned::Write(prepared) => {
                let effect = write::perform(state, prepared)?;
                account.units(&table).add(&effect.units);
                let attributes = table.key_attributes(item_of(&action.action));
                let metrics = effect.collection(&table, &attributes, input.return_collection);
                if let Some(metrics) = metrics {
                    account.collection(&table, metrics);
                }
            }
        }
    }
    if let (Some(given), Some(request_hash)) = (&input.token, request_hash) {
        let repetition = account.report(input.return_capacity, Rate::Repetition);
        token::remember(state, given, request_hash, &repetition);
    }
    Ok(account.report(input.return_capacity, Rate::Transaction))
}

/// What a transaction consumed and touched, by table in the order of the request.
#[derive(Default)]
struct Account {
    tables: Vec<(TableName, WriteUnits)>,
    collections: BTreeMap<TableName, Vec<ItemCollectionMetrics>>,
}

impl Account {
    fn units(&mut self, table: &Table) -> &mut WriteUnits {
        let at = self.tables.iter().position(|(name, _)| *name == table.name).unwrap_or_else(|| {
            self.tables.push((table.name.clone(), WriteUnits::default()));
            self.tables.len() - 1
        });
        &mut self.tables[at].1
    }

    fn collection(&mut self, table: &Table, metrics: ItemCollectionMetrics) {
        let known = self.collections.entry(table.name.clone()).or_default();
        if !known.iter().any(|other| other.key == metrics.key) {
            known.push(metrics);
        }
    }

    fn report(&self, ask: ReturnConsumedCapacity, rate: Rate) -> TransactWriteItemsOutput {
        let report = |(name, units): &(TableName, WriteUnits)| units.report(name.as_str(), ask, rate);
        TransactWriteItemsOutput {
            capacity: self.tables.iter().filter_map(report).collect(),
            collections: self.collections.clone().into_iter().collect(),
        }
    }
}

/// An action that is certain to succeed.
enum Planned {
    /// A condition that holds of an item of so many bytes.
    Check { bytes: usize },
    /// A write.
    Write(Prepared),
}

impl Planned {
    fn bytes(&self) -> usize {
        match self {
            Planned::Check { bytes } => *bytes,
            Planned::Write(prepared) => prepared.new_bytes(),
        }
    }
}

fn item_of(action: &TransactAction) -> &Item {
    match action {
        TransactAction::ConditionCheck(item)
        | TransactAction::Put(item)
        | TransactAction::Delete(item)
        | TransactAction::Update(item, _) => item,
    }
}

fn judge(table: &Table, action: &TransactWrite) -> Result<KeyBytes, Error> {
    let condition = action.condition.as_ref();
    match &action.action {
        TransactAction::ConditionCheck(key) | TransactAction::Delete(key) => {
            delete_item::judge(table, key, condition)
        }
        TransactAction::Put(item) => put_item::judge(table, item, condition),
        TransactAction::Update(key, update) => update_item::judge(table, key, update, condition),
    }
}

fn prepare(
    state: &State,
    table: &Arc<Table>,
    key: KeyBytes,
    action: &TransactWrite,
) -> Result<Planned, EngineError> {
    let old = write::standing(state, table, &key)?;
    write::require(action.condition.as_ref(), old.as_ref(), action.return_on_failure)?;
    let new = match &action.action {
        TransactAction::ConditionCheck(_) => {
            let bytes = old.as_ref().map_or(0, |old: &Standing| old.body().billed_size());
            return Ok(Planned::Check { bytes });
        }
        TransactAction::Put(item) => Some(item.clone()),
        TransactAction::Delete(_) => None,
        TransactAction::Update(key, update) => Some(update_item::updated(table, key, update, old.as_ref())?),
    };
    Ok(Planned::Write(write::prepare(state, table, key, old, new)?))
}

/// The reason an action's error gives for cancelling; an error that gives none goes to the caller as it is.
fn reason_of(error: Error) -> Result<CancellationReason, Error> {
    let code = match error.kind {
        ErrorKind::ConditionalCheckFailedException => CancellationCode::ConditionalCheckFailed,
        ErrorKind::ItemCollectionSizeLimitExceededException => {
            CancellationCode::ItemCollectionSizeLimitExceeded
        }
        ErrorKind::ValidationException => CancellationCode::ValidationError,
        _ => return Err(error),
    };
    let item = match error.detail.map(|detail| *detail) {
        Some(Detail::Item(item)) => Some(item),
        Some(Detail::Cancellation(_) | Detail::NotPrimary { .. } | Detail::OutcomeUnknown) | None => None,
    };
    Ok(CancellationReason { code: Some(code), message: Some(error.message.into_owned()), item })
}

fn cancelled(reasons: Vec<CancellationReason>) -> Error {
    let codes: Vec<&str> =
        reasons.iter().map(|reason| reason.code.map_or("None", CancellationCode::name)).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    Error::new(ErrorKind::TransactionCanceledException, message).with(Detail::Cancellation(reasons))
}

fn hash_of(input: &TransactWriteItemsInput) -> u128 {
    let asked = (&input.actions, input.return_capacity, input.return_collection);
    let canonical = postcard::to_allocvec(&asked).expect("a request has no part that postcard refuses");
    kv::token::request_hash(&canonical)
}

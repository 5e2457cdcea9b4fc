//! `TransactWriteItems`: all of it or nothing, in one entry.
//!
//! Entries are applied one after the other, so a transaction never meets another one half done: conflicts do not arise.
//!
//! A token makes the request idempotent for ten minutes of log time, counted from the first request: it is kept with the
//! hash of that request and with what a repetition is answered with. A transaction that was cancelled keeps no token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::error::{CancellationCode, CancellationReason};
use api::limits::{TRANSACT_BYTES, TRANSACT_TOKEN_MILLIS};
use api::op::{
    ItemCollectionMetrics, ReturnConsumedCapacity, TransactAction, TransactWrite, TransactWriteItemsInput,
    TransactWriteItemsOutput,
};
use api::{Detail, Error, ErrorKind, Item, KeyBytes, Table, TableName};

use super::view::TableMap;
use super::write::{Prepared, Standing};
use super::write_capacity::{Rate, WriteUnits};
use super::{delete_item, put_item, update_item, write};
use crate::command::Basis;
use crate::db::{KeyRange, Scan};
use crate::error::EngineError;
use crate::kv;
use crate::kv::token::Token;
use crate::state::State;

/// Most tokens forgotten for each one that is kept: so their number falls, and no entry does much of it.
const TOKENS_FORGOTTEN: usize = 4;

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
    if let (Some(token), Some(request_hash)) = (&input.token, request_hash)
        && let Some(output) = repeated(state, token, request_hash)?
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
    if let (Some(token), Some(request_hash)) = (&input.token, request_hash) {
        let repetition = account.report(input.return_capacity, Rate::Repetition);
        remember(state, token, request_hash, &repetition)?;
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
        Some(Detail::Cancellation(_)) | None => None,
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

fn repeated(
    state: &State,
    token: &str,
    request_hash: u128,
) -> Result<Option<TransactWriteItemsOutput>, EngineError> {
    let Some(value) = state.get(&kv::token::key(token))? else { return Ok(None) };
    let known = Token::decode(&value)?;
    if is_forgotten(&known, state.stamp().log_time_millis) {
        return Ok(None);
    }
    if known.request_hash != request_hash {
        return Err(Error::new(
            ErrorKind::IdempotentParameterMismatchException,
            "The provided ClientRequestToken has already been used with a different request",
        )
        .into());
    }
    postcard::from_bytes(&known.result)
        .map(Some)
        .map_err(|_| kv::Malformed { kind: kv::Kind::Token, reason: "its result can't be read" }.into())
}

fn is_forgotten(token: &Token, now_millis: u64) -> bool {
    now_millis >= token.at_millis.saturating_add(TRANSACT_TOKEN_MILLIS)
}

fn remember(
    state: &mut State,
    token: &str,
    request_hash: u128,
    result: &TransactWriteItemsOutput,
) -> Result<(), EngineError> {
    forget_old(state)?;
    let at_millis = state.stamp().log_time_millis;
    let result = postcard::to_allocvec(result).expect("an answer has no part that postcard refuses").into();
    state.put(kv::token::key(token), Token { at_millis, request_hash, result }.encode());
    state.put(kv::token::time_key(at_millis, token), bytes::Bytes::new());
    Ok(())
}

/// Removes a few tokens whose window has passed. What is removed changes no answer: a token past its window counts as
/// forgotten whether its record is there or not. So it does no harm that the scan sees the engine without the batch under
/// way, as long as a token that the batch has used again stays.
fn forget_old(state: &mut State) -> Result<(), EngineError> {
    let now_millis = state.stamp().log_time_millis;
    let Some(window_start) = now_millis.checked_sub(TRANSACT_TOKEN_MILLIS) else { return Ok(()) };
    let range = KeyRange::between(kv::token::TIME_PREFIX.to_vec(), kv::token::time_key(window_start, ""));
    let mut old = Vec::new();
    {
        let snapshot = state.db().snapshot();
        let mut cursor = snapshot.scan(&Scan::ascending(range));
        while old.len() < TOKENS_FORGOTTEN {
            let Some(record) = cursor.advance()? else { break };
            old.push(record.key.to_vec());
        }
    }
    for time_key in old {
        let token_key = kv::token::key(kv::token::token_of_time_key(&time_key)?);
        if let Some(value) = state.get(&token_key)?
            && is_forgotten(&Token::decode(&value)?, now_millis)
        {
            state.delete(token_key);
        }
        state.delete(time_key);
    }
    Ok(())
}

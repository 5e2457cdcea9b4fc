//! Idempotency tokens of transactions: used once, known for a while, forgotten.
//!
//! A token counts for ten minutes of log time from the request that used it first. One past its window counts as forgotten
//! whether its record is there or not, so that removing it changes no answer; the store's keeper has them removed, a
//! bounded number by each command.

use api::limits::TRANSACT_TOKEN_MILLIS;
use api::op::TransactWriteItemsOutput;
use api::{Error, ErrorKind};

use crate::db::{KeyRange, Scan, Snapshot};
use crate::error::EngineError;
use crate::kv;
use crate::kv::token::Token;
use crate::state::State;

/// Most tokens that one command forgets: each costs a look-up, as an item of a transaction does.
pub const FORGET_TOKENS: u32 = 100;

/// What a token that is in use answers with. Errors: it came with another request.
pub(super) fn repeated(
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

/// Keeps a token with what a repetition is answered with.
pub(super) fn remember(
    state: &mut State,
    token: &str,
    request_hash: u128,
    result: &TransactWriteItemsOutput,
) {
    let at_millis = state.stamp().log_time_millis;
    let result = postcard::to_allocvec(result).expect("an answer has no part that postcard refuses").into();
    state.put(kv::token::key(token), Token { at_millis, request_hash, result }.encode());
    state.put(kv::token::time_key(at_millis, token), bytes::Bytes::new());
}

/// The key by time of the oldest token whose window had passed at a time.
pub fn oldest_forgotten(snapshot: &dyn Snapshot, now_millis: u64) -> Result<Option<Vec<u8>>, EngineError> {
    let Some(range) = forgotten(kv::token::TIME_PREFIX.to_vec(), now_millis) else { return Ok(None) };
    Ok(snapshot.scan(&Scan::ascending(range)).advance()?.map(|record| record.key.to_vec()))
}

/// Removes tokens whose window has passed, the oldest first, from a time on: the primary names the oldest, so that nobody
/// walks over the remains of those that are gone.
///
/// The state's batch must be committed: this reads the engine.
pub fn forget(state: &mut State, from_millis: u64, tokens: u32) -> Result<(), EngineError> {
    let now_millis = state.stamp().log_time_millis;
    let Some(range) = forgotten(kv::token::time_key(from_millis, ""), now_millis) else { return Ok(()) };
    let mut old = Vec::new();
    {
        let snapshot = state.db().snapshot();
        let mut cursor = snapshot.scan(&Scan::ascending(range));
        while old.len() < tokens as usize {
            let Some(record) = cursor.advance()? else { break };
            old.push(record.key.to_vec());
        }
    }
    for time_key in old {
        let token_key = kv::token::key(kv::token::token_of_time_key(&time_key)?);
        // The token may have been used again after its window: then the record is of that use.
        if let Some(value) = state.get(&token_key)?
            && is_forgotten(&Token::decode(&value)?, now_millis)
        {
            state.delete(token_key);
        }
        state.delete(time_key);
    }
    Ok(())
}

/// The keys by time of tokens whose window has passed.
fn forgotten(start: Vec<u8>, now_millis: u64) -> Option<KeyRange> {
    let window_start = now_millis.checked_sub(TRANSACT_TOKEN_MILLIS)?;
    Some(KeyRange::between(start, kv::token::time_key(window_start.saturating_add(1), "")))
}

fn is_forgotten(token: &Token, now_millis: u64) -> bool {
    now_millis >= token.at_millis.saturating_add(TRANSACT_TOKEN_MILLIS)
}

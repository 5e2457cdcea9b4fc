//! An operation of a history, played against anything that speaks the contract, and recorded.
//!
//! [`Recorded`] turns an [`Action`] into a request, notes it, asks, notes what came back. It retries nothing, and calls an
//! outcome known only where the answer says so. It needs no runtime of its own and reads no clock but the one it is given.
//!
//! The table: partition key `p` and sort key `s`, both strings, together the key of the history; `w` the tag, `n` the sum, `g`
//! the group, a string, partition key of the index `by-g` whose sort key is `s`. Reads of the history name every key, so a
//! page of the index must come whole.

use std::io;
use std::sync::Arc;

use api::error::CancellationCode;
use api::op::batch_get_item::{BatchGetItemUnchecked, TableKeysUnchecked};
use api::op::batch_write_item::{BatchWrite, BatchWriteItemUnchecked, BatchWriteUnchecked};
use api::op::delete_item::DeleteItemUnchecked;
use api::op::get_item::GetItemUnchecked;
use api::op::put_item::PutItemUnchecked;
use api::op::query::QueryUnchecked;
use api::op::transact_get_items::{TransactGetItemsUnchecked, TransactGetUnchecked};
use api::op::transact_write_items::{
    TransactActionUnchecked, TransactWriteItemsUnchecked, TransactWriteUnchecked,
};
use api::op::unchecked::{Unchecked, Values};
use api::op::update_item::UpdateItemUnchecked;
use api::{Answer, AttributeValue, Context, Detail, DynamoDb, Error, ErrorKind, Request, Response, Version};

use crate::operation::{Action, Found, Mode, Nanos, Origin, Outcome, Scope, Told, Write};
use crate::record::Recorder;
use crate::state::{Cell, Condition, Effect, Item};

/// The index.
pub const INDEX: &str = "by-g";

/// What a player needs to know besides its service.
pub trait Stage: Send + Sync {
    /// The one monotonic clock of the run.
    fn now(&self) -> Nanos;
    /// The connection that carried the last answer, unique in the history; `None` where nobody knows.
    fn connection(&self) -> Option<u64>;
}

/// A service whose every operation is recorded.
pub struct Recorded<D> {
    db: D,
    table: String,
    origin: Origin,
    recorder: Arc<Recorder>,
    stage: Arc<dyn Stage>,
}

impl<D: DynamoDb> Recorded<D> {
    /// Plays on `table` of a service that nobody else asks through.
    pub fn new(
        db: D,
        table: impl Into<String>,
        origin: Origin,
        recorder: Arc<Recorder>,
        stage: Arc<dyn Stage>,
    ) -> Recorded<D> {
        Recorded { db, table: table.into(), origin, recorder, stage }
    }

    /// Plays an operation. Errors: of the record only; what the service said is the outcome.
    pub async fn play(&self, action: &Action, token: Option<Version>) -> io::Result<Outcome> {
        let request = request(&self.table, action);
        let asked = self.recorder.asked(self.stage.now(), self.origin, token, action)?;
        let outcome = match request {
            Ok(request) => {
                let cx = Context { min_version: token, ..Context::default() };
                outcome(action, self.db.call(cx, request).await)
            }
            Err(error) => Outcome::Failed(format!("never sent: {error}")),
        };
        self.recorder.answered(asked, self.stage.now(), self.stage.connection(), &outcome)?;
        Ok(outcome)
    }
}

/// What an action came to, by what the service said.
pub fn outcome(action: &Action, answered: Result<Answer, Error>) -> Outcome {
    match answered {
        Ok(answer) => read_answer(action, answer),
        Err(error) => read_error(action, &error),
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.into())
}

/// The key as the table has it.
fn key(name: &str) -> api::Item {
    let (partition, sort) = name.split_once('/').unwrap_or((name, ""));
    api::Item::new().with("p", text(partition)).with("s", text(sort))
}

fn whole_item(name: &str, item: Item) -> api::Item {
    let whole = key(name).with("w", number(item.tag as i64)).with("n", number(item.count));
    if item.group == 0 { whole } else { whole.with("g", text(item.group.to_string())) }
}

/// The key of an item of the table, and what it holds; `None` where the workload did not write it so.
pub fn read_item(item: &api::Item) -> Option<(String, Item)> {
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    let number = |name: &str| match item.get(name) {
        Some(AttributeValue::N(number)) => number.to_i64(),
        _ => None,
    };
    let group = text("g").map_or(Some(0), |group| group.parse().ok())?;
    let cell = Item { tag: number("w")? as u64, count: number("n")?, group };
    Some((format!("{}/{}", text("p")?, text("s")?), cell))
}

/// The text of a condition, and the values it names.
fn condition_text(condition: Condition, values: &mut Values) -> Option<String> {
    match condition {
        Condition::Always => None,
        Condition::Absent => Some("attribute_not_exists(p)".into()),
        Condition::Present => Some("attribute_exists(p)".into()),
        Condition::Tag(tag) => {
            values.insert(":was".into(), Unchecked::sound(number(tag as i64)));
            Some("w = :was".into())
        }
    }
}

fn adding(tag: u64, by: i64, values: &mut Values) -> String {
    values.insert(":w".into(), Unchecked::sound(number(tag as i64)));
    values.insert(":by".into(), Unchecked::sound(number(by)));
    "SET w = :w ADD n :by".into()
}

fn given(values: Values) -> Option<Values> {
    (!values.is_empty()).then_some(values)
}

/// The request that an action is, of the table of that name. Errors: what the service would refuse for its form alone.
pub fn request(name: &str, action: &Action) -> Result<Request, Error> {
    let table = Some(name.to_owned());
    match action {
        Action::Read { keys, mode: Mode::Snapshot } => {
            let get = |name: &String| {
                let key = Some(Unchecked::sound(key(name)));
                Some(TransactGetUnchecked { table: table.clone(), key, ..Default::default() })
            };
            let gets = Some(keys.iter().map(get).collect());
            Ok(TransactGetItemsUnchecked { gets, ..Default::default() }.check()?.into())
        }
        Action::Read { keys, mode } => {
            let consistent = Some(*mode == Mode::Strong);
            if let [one] = &keys[..] {
                let key = Some(Unchecked::sound(key(one)));
                return Ok(GetItemUnchecked { table, key, consistent, ..Default::default() }.check()?.into());
            }
            let keys = Some(keys.iter().map(|name| Unchecked::sound(key(name))).collect());
            let of_table = TableKeysUnchecked { keys, consistent, ..Default::default() };
            let tables = Some(vec![(name.to_owned(), of_table)]);
            Ok(BatchGetItemUnchecked { tables, ..Default::default() }.check()?.into())
        }
        Action::Page { of, after, limit, strong } => {
            let mut values = Values::new();
            let (index, condition, value) = match of {
                Scope::Partition(partition) => (None, "p = :v", text(partition.clone())),
                Scope::Group(group) => (Some(INDEX.to_owned()), "g = :v", text(group.to_string())),
            };
            values.insert(":v".into(), Unchecked::sound(value));
            let query = QueryUnchecked {
                table,
                index,
                key_condition: Some(condition.to_owned()),
                values: Some(values),
                limit: limit.map(i64::from),
                start: after.as_deref().map(|after| Unchecked::sound(key(after))),
                consistent: strong.then_some(true),
                ..Default::default()
            };
            Ok(query.check()?.into())
        }
        Action::Write { writes, whole } => match (&writes[..], whole) {
            ([write], true) => single(table, write),
            (_, true) => transaction(table, writes),
            (_, false) => batch(table, writes),
        },
    }
}

fn single(table: Option<String>, write: &Write) -> Result<Request, Error> {
    let mut values = Values::new();
    let condition = condition_text(write.condition, &mut values);
    let key = Unchecked::sound(key(&write.key));
    Ok(match write.effect {
        Effect::Put(item) => {
            let item = Some(Unchecked::sound(whole_item(&write.key, item)));
            let values = given(values);
            PutItemUnchecked { table, item, condition, values, ..Default::default() }.check()?.into()
        }
        Effect::Add { tag, by } => {
            let update = Some(adding(tag, by, &mut values));
            let return_values = Some("ALL_NEW".to_owned());
            let (key, values) = (Some(key), given(values));
            let update = UpdateItemUnchecked {
                table,
                key,
                update,
                condition,
                values,
                return_values,
                ..Default::default()
            };
            update.check()?.into()
        }
        Effect::Delete => {
            let (key, values) = (Some(key), given(values));
            DeleteItemUnchecked { table, key, condition, values, ..Default::default() }.check()?.into()
        }
        Effect::Check => return Err(Error::validation("a check alone is no request")),
    })
}

fn transaction(table: Option<String>, writes: &[Write]) -> Result<Request, Error> {
    let member = |write: &Write| {
        let mut values = Values::new();
        let condition = condition_text(write.condition, &mut values);
        let key = Some(Unchecked::sound(key(&write.key)));
        let part = TransactActionUnchecked { table: table.clone(), condition, ..Default::default() };
        let mut member = TransactWriteUnchecked::default();
        match write.effect {
            Effect::Put(item) => {
                let item = Some(Unchecked::sound(whole_item(&write.key, item)));
                member.put = Some(TransactActionUnchecked { item, values: given(values), ..part });
            }
            Effect::Add { tag, by } => {
                let update = Some(adding(tag, by, &mut values));
                member.update =
                    Some(TransactActionUnchecked { item: key, update, values: given(values), ..part });
            }
            Effect::Delete => {
                member.delete = Some(TransactActionUnchecked { item: key, values: given(values), ..part });
            }
            Effect::Check => {
                member.condition_check =
                    Some(TransactActionUnchecked { item: key, values: given(values), ..part });
            }
        }
        member
    };
    let actions = Some(writes.iter().map(member).collect());
    Ok(TransactWriteItemsUnchecked { actions, ..Default::default() }.check()?.into())
}

fn batch(table: Option<String>, writes: &[Write]) -> Result<Request, Error> {
    let member = |write: &Write| match write.effect {
        Effect::Put(item) => Ok(BatchWriteUnchecked {
            put: Some(Some(Unchecked::sound(whole_item(&write.key, item)))),
            ..Default::default()
        }),
        Effect::Delete => Ok(BatchWriteUnchecked {
            delete: Some(Some(Unchecked::sound(key(&write.key)))),
            ..Default::default()
        }),
        Effect::Add { .. } | Effect::Check => Err(Error::validation("a batch has puts and deletes only")),
    };
    let writes = writes.iter().map(member).collect::<Result<Vec<_>, _>>()?;
    let tables = Some(vec![(table.unwrap_or_default(), writes)]);
    Ok(BatchWriteItemUnchecked { tables, ..Default::default() }.check()?.into())
}

/// What an answer says. What the workload cannot have written counts as unknown: the judge then sees a read that says nothing,
/// and whoever runs it sees the outcome.
fn read_answer(action: &Action, answer: Answer) -> Outcome {
    let version = answer.version;
    match found(action, answer.response) {
        Some(found) => Outcome::Done { version, found },
        None => Outcome::Unknown(STRANGE.to_owned()),
    }
}

/// The outcome of an answer that no workload explains.
pub const STRANGE: &str = "an answer of another shape";

fn found(action: &Action, response: Response) -> Option<Found> {
    let cell = |body: Option<api::ItemBody>| -> Option<Cell> {
        match body {
            None => Some(None),
            Some(body) => read_item(&body.to_item()).map(|(_, item)| Some(item)),
        }
    };
    let rows = |items: Vec<api::ItemBody>| -> Option<Vec<(String, Item)>> {
        items.iter().map(|body| read_item(&body.to_item())).collect()
    };
    Some(match (action, response) {
        (Action::Read { .. }, Response::GetItem(output)) => Found::Cells(vec![cell(output.item)?]),
        (Action::Read { .. }, Response::TransactGetItems(output)) => {
            Found::Cells(output.items.into_iter().map(cell).collect::<Option<_>>()?)
        }
        (Action::Read { keys, .. }, Response::BatchGetItem(output)) => {
            if !output.unprocessed.is_empty() {
                return None;
            }
            let mut there = Vec::new();
            for (_, items) in output.responses {
                there.extend(rows(items)?);
            }
            let of = |key: &String| there.iter().find(|(name, _)| name == key).map(|(_, item)| *item);
            Found::Cells(keys.iter().map(of).collect())
        }
        (Action::Page { of, .. }, Response::Query(page)) => {
            let last = match page.last_key {
                None => None,
                // Its order is not that of the keys, so nothing is known of what a part of it covers.
                Some(_) if matches!(of, Scope::Group(_)) => return None,
                Some(key) => match (key.get("p"), key.get("s")) {
                    (Some(AttributeValue::S(partition)), Some(AttributeValue::S(sort))) => {
                        Some(format!("{partition}/{sort}"))
                    }
                    _ => return None,
                },
            };
            Found::Page { rows: rows(page.items?)?, last }
        }
        (Action::Write { .. }, Response::PutItem(_) | Response::DeleteItem(_)) => {
            Found::Written(vec![Told::Done])
        }
        (Action::Write { .. }, Response::UpdateItem(output)) => {
            // Attributes only: the key is among them.
            Found::Written(vec![Told::Image(Some(read_item(&output.attributes?)?.1))])
        }
        (Action::Write { writes, .. }, Response::TransactWriteItems(_)) => {
            Found::Written(vec![Told::Done; writes.len()])
        }
        (Action::Write { writes, .. }, Response::BatchWriteItem(output)) => {
            let left: Vec<api::Item> = output
                .unprocessed
                .into_iter()
                .flat_map(|(_, writes)| writes)
                .map(|write| match write {
                    BatchWrite::Put(item) | BatchWrite::Delete(item) => item,
                })
                .collect();
            let told = |write: &Write| {
                let key = key(&write.key);
                let is_left =
                    left.iter().any(|left| left.get("p") == key.get("p") && left.get("s") == key.get("s"));
                if is_left { Told::Left } else { Told::Done }
            };
            Found::Written(writes.iter().map(told).collect())
        }
        _ => return None,
    })
}

fn read_error(action: &Action, error: &Error) -> Outcome {
    let why = format!("{}: {}", error.kind.name(), error.message);
    let write = matches!(action, Action::Write { .. });
    if error.is_not_primary() {
        return Outcome::Failed(why);
    }
    if write && error.is_outcome_unknown() {
        return Outcome::Unknown(why);
    }
    match error.kind {
        ErrorKind::ConditionalCheckFailedException => Outcome::Refused,
        ErrorKind::TransactionCanceledException => match error.detail.as_deref() {
            Some(Detail::Cancellation(reasons))
                if reasons
                    .iter()
                    .any(|reason| reason.code == Some(CancellationCode::ConditionalCheckFailed)) =>
            {
                Outcome::Refused
            }
            _ => Outcome::Failed(why),
        },
        // A fault of the server says nothing of what became of a write, nor does one that says it is still under way.
        ErrorKind::InternalServerError
        | ErrorKind::ServiceUnavailableException
        | ErrorKind::TransactionInProgressException
            if write =>
        {
            Outcome::Unknown(why)
        }
        _ => Outcome::Failed(why),
    }
}

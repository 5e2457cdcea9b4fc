//! `TransactWriteItems`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use super::constraint::{self, Constraints};
use super::parameters;
use super::unchecked::{Names, Unchecked, Values};
use crate::error::Error;
use crate::expr::{Author, Condition, ExpressionKind, Update};
use crate::item::Item;
use crate::limits;
use crate::schema::TableName;

/// What one action of a transaction does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum TransactAction {
    /// Only the condition.
    ConditionCheck(Item),
    /// Put this item.
    Put(Item),
    /// Delete the item of this key.
    Delete(Item),
    /// Update the item of this key.
    Update(Item, Update),
}

/// One action of a transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactWrite {
    /// The table.
    pub table: TableName,
    /// What to do, with the key or item.
    pub action: TransactAction,
    /// What must hold; always there for a condition check.
    pub condition: Option<Condition>,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
}

/// Input of `TransactWriteItems`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactWriteItemsInput {
    /// 1 to 100 actions.
    pub actions: Vec<TransactWrite>,
    /// Makes the request idempotent for ten minutes. 1 to 36 characters.
    pub token: Option<String>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of item collections.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `TransactWriteItems`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct TransactWriteItemsOutput {
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
    /// Item collections by table, if asked.
    pub collections: Vec<(TableName, Vec<ItemCollectionMetrics>)>,
}

/// The members of `ConditionCheck`, `Put`, `Delete` or `Update` as a text protocol carries them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactActionUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `Key`, or `Item` of a put.
    pub item: Option<Unchecked<Item>>,
    /// `UpdateExpression`; updates only.
    pub update: Option<String>,
    /// `ConditionExpression`.
    pub condition: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
    /// `ExpressionAttributeValues`.
    pub values: Option<Values>,
    /// `ReturnValuesOnConditionCheckFailure`.
    pub return_on_failure: Option<String>,
}

/// One member of `TransactItems` as a text protocol carries it. Exactly one of the four is to be given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactWriteUnchecked {
    /// `ConditionCheck`.
    pub condition_check: Option<TransactActionUnchecked>,
    /// `Put`.
    pub put: Option<TransactActionUnchecked>,
    /// `Delete`.
    pub delete: Option<TransactActionUnchecked>,
    /// `Update`.
    pub update: Option<TransactActionUnchecked>,
}

impl TransactWriteUnchecked {
    fn parts(&self) -> [(&'static str, Option<&TransactActionUnchecked>); 4] {
        [
            ("conditionCheck", self.condition_check.as_ref()),
            ("put", self.put.as_ref()),
            ("delete", self.delete.as_ref()),
            ("update", self.update.as_ref()),
        ]
    }
}

/// Input of `TransactWriteItems` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactWriteItemsUnchecked {
    /// `TransactItems`.
    pub actions: Option<Vec<TransactWriteUnchecked>>,
    /// `ClientRequestToken`.
    pub token: Option<String>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
    /// `ReturnItemCollectionMetrics`.
    pub return_collection: Option<String>,
}

impl TransactWriteItemsUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<TransactWriteItemsInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<TransactWriteItemsInput, Error> {
        self.constrain()?;
        let actions = self.actions.unwrap_or_default();
        for action in &actions {
            match action.parts().iter().filter(|(_, part)| part.is_some()).count() {
                0 => {
                    return Err(Error::validation(
                        "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request",
                    ));
                }
                1 => {}
                _ => {
                    return Err(Error::validation(
                        "TransactItems can only contain one of Check, Put, Update or Delete",
                    ));
                }
            }
        }
        let mut checked = Vec::with_capacity(actions.len());
        for action in actions {
            checked.extend(check_action(author, action)?);
        }
        Ok(TransactWriteItemsInput {
            actions: checked,
            token: self.token,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
            return_collection: parameters::return_collection(self.return_collection.as_deref()),
        })
    }

    fn constrain(&self) -> Result<(), Error> {
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.one_of(
            self.return_collection.as_deref(),
            "returnItemCollectionMetrics",
            constraint::COLLECTION,
        );
        found.present(&self.actions, "transactItems");
        constraint::transact_items(&mut found, self.actions.as_ref().map(Vec::len), "TransactWriteItem");
        // A list that is too long is reported by its length, not by what is in it.
        for (at, action) in self.actions.iter().flatten().enumerate().take(limits::TRANSACT_ITEMS) {
            for (name, part) in action.parts() {
                let Some(part) = part else { continue };
                let at = format_args!("transactItems.{}.member.{name}", at + 1);
                found.table(part.table.as_deref(), format_args!("{at}.tableName"));
                match name {
                    "put" => found.present(&part.item, format_args!("{at}.item")),
                    _ => found.present(&part.item, format_args!("{at}.key")),
                }
                match name {
                    "conditionCheck" => {
                        found.present(&part.condition, format_args!("{at}.conditionExpression"))
                    }
                    "update" => found.present(&part.update, format_args!("{at}.updateExpression")),
                    _ => {}
                }
                found.one_of(
                    part.return_on_failure.as_deref(),
                    format_args!("{at}.returnValuesOnConditionCheckFailure"),
                    constraint::ON_FAILURE,
                );
            }
        }
        let token = self.token.as_deref();
        let length = token.map(|token| token.chars().count());
        let shown = token.unwrap_or_default();
        found.length_at_least(length, "clientRequestToken", 1, shown);
        found.length_at_most(length, "clientRequestToken", limits::TRANSACT_TOKEN_CHARS, shown);
        found.finish()
    }
}

fn check_action(author: Author, action: TransactWriteUnchecked) -> Result<Option<TransactWrite>, Error> {
    if let Some(part) = action.condition_check {
        return check_part(author, part, |key, _| TransactAction::ConditionCheck(key)).map(Some);
    }
    if let Some(part) = action.put {
        return check_part(author, part, |item, _| TransactAction::Put(item)).map(Some).and_then(|put| {
            if let Some(TransactWrite { action: TransactAction::Put(item), .. }) = &put {
                parameters::item_fits(item)?;
            }
            Ok(put)
        });
    }
    if let Some(part) = action.delete {
        return check_part(author, part, |key, _| TransactAction::Delete(key)).map(Some);
    }
    if let Some(part) = action.update {
        return check_part(author, part, TransactAction::Update).map(Some);
    }
    Ok(None)
}

fn check_part(
    author: Author,
    part: TransactActionUnchecked,
    action: impl FnOnce(Item, Update) -> TransactAction,
) -> Result<TransactWrite, Error> {
    let condition = ("ConditionExpression", part.condition.is_some());
    let update = ("UpdateExpression", true);
    let expressions = if part.update.is_some() { vec![update, condition] } else { vec![condition] };
    parameters::not_mixed(&expressions, &[], part.names.is_some(), Some(part.values.is_some()))?;
    let item = part.item.unwrap_or_default().check()?;
    let mut placeholders = parameters::placeholders(author, part.names, part.values)?;
    let update = part.update.map(|text| placeholders.update(&text)).transpose()?.unwrap_or_default();
    let condition =
        part.condition.map(|text| placeholders.condition(ExpressionKind::Condition, &text)).transpose()?;
    placeholders.finish()?;
    Ok(TransactWrite {
        table: constraint::checked_table(part.table)?,
        action: action(item, update),
        condition,
        return_on_failure: parameters::return_on_failure(part.return_on_failure.as_deref()),
    })
}

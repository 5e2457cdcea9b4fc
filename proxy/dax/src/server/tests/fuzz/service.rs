//! A service that answers every operation with something it might have answered, drawn at random: items of any shape, pages
//! that end early, batches left half done, errors; at once, or after a while.

use std::sync::Mutex;

use api::error::{CancellationCode, CancellationReason};
use api::op::*;
use api::schema::{KeySchema, TableName};
use api::value::{ValueType, order};
use api::{Detail, EncodedItem, Number};

use super::*;
use crate::codec::key::key_attributes;
use crate::codec::tests::corpus::CORPUS;
use crate::codec::tests::mutation::Dice;

/// See the module.
pub(super) struct Whatever(pub(super) Mutex<Dice>);

/// Kinds that a service may refuse any request with; not those that say that it failed.
const REFUSALS: &[ErrorKind] = &[
    ErrorKind::ConditionalCheckFailedException,
    ErrorKind::ItemCollectionSizeLimitExceededException,
    ErrorKind::ProvisionedThroughputExceededException,
    ErrorKind::ResourceInUseException,
    ErrorKind::ResourceNotFoundException,
    ErrorKind::ThrottlingException,
    ErrorKind::TransactionConflictException,
    ErrorKind::ValidationException,
];

impl DynamoDb for Whatever {
    async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
        let (late, answer) = {
            let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let late = dice.once_in(8).then(|| Duration::from_millis(dice.below(2000) as u64));
            (late, answer(&mut dice, &request))
        };
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
        answer
    }

    fn call_now(&self, _: &mut Context, request: &Request) -> Option<Answer> {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if dice.once_in(2) { answer(&mut dice, request).ok() } else { None }
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = read.key;
        for part in read.table.key.attributes() {
            let bytes =
                order::form_len(part.value_type, rest).expect("a key has a form for each of its parts");
            rest = &rest[bytes..];
        }
        assert!(rest.is_empty(), "and nothing behind them");
        dice.once_in(3).then(|| {
            out.extend_from_slice(b"\x80\xbf\xff");
            Version { incarnation: 1, shard: 0, index: dice.below(100) as u64 }
        })
    }
}

fn answer(dice: &mut Dice, request: &Request) -> Result<Answer, Error> {
    if dice.once_in(10) {
        return Err(refusal(dice, request));
    }
    let response = respond(dice, request)?;
    let version = Version { incarnation: 1, shard: 0, index: dice.below(100) as u64 };
    Ok(Answer { response, version: Some(version), source: Source::Store })
}

fn refusal(dice: &mut Dice, request: &Request) -> Error {
    let Request::TransactWriteItems(input) = request else {
        return Error::new(*dice.pick(REFUSALS), "The service would rather not.");
    };
    let reason = |action: &TransactWrite| match dice.below(3) {
        0 => CancellationReason::default(),
        1 => CancellationReason {
            code: Some(CancellationCode::TransactionConflict),
            message: Some("Transaction is ongoing for the item".into()),
            item: None,
        },
        _ => CancellationReason {
            code: Some(CancellationCode::ConditionalCheckFailed),
            message: None,
            item: Some(item(dice, &key_schema(&action.table), None)),
        },
    };
    let reasons = input.actions.iter().map(reason).collect();
    Error::new(ErrorKind::TransactionCanceledException, "Transaction cancelled")
        .with(Detail::Cancellation(reasons))
}

fn key_schema(table: &TableName) -> KeySchema {
    CORPUS.table(table.as_str()).expect("the codec lets no other table through").key.clone()
}

fn respond(dice: &mut Dice, request: &Request) -> Result<Response, Error> {
    Ok(match request {
        Request::GetItem(input) => {
            let found = item(dice, &key_schema(&input.table), Some(&input.key));
            let item = (!dice.once_in(4)).then(|| shown(dice, input.projection.as_ref(), found));
            Response::GetItem(GetItemOutput { item, capacity: capacity(dice, &input.table) })
        }
        Request::PutItem(input) => Response::PutItem(PutItemOutput {
            attributes: old(dice, &input.table, input.return_values, &input.item),
            capacity: capacity(dice, &input.table),
            collection: collection(dice, &input.table),
        }),
        Request::DeleteItem(input) => Response::DeleteItem(DeleteItemOutput {
            attributes: old(dice, &input.table, input.return_values, &input.key),
            capacity: capacity(dice, &input.table),
            collection: collection(dice, &input.table),
        }),
        Request::UpdateItem(input) => {
            let whole = item(dice, &key_schema(&input.table), Some(&input.key));
            let attributes = match input.return_values {
                ReturnValues::None => None,
                ReturnValues::AllOld | ReturnValues::AllNew => Some(whole),
                ReturnValues::UpdatedOld | ReturnValues::UpdatedNew => {
                    let mut touched = whole;
                    touched.0.retain(|name, _| input.key.get(name).is_none());
                    Some(touched)
                }
            };
            Response::UpdateItem(UpdateItemOutput {
                attributes,
                capacity: capacity(dice, &input.table),
                collection: collection(dice, &input.table),
            })
        }
        Request::Query(input) => {
            Response::Query(page(dice, &input.table, &input.select, input.index.is_some()))
        }
        Request::Scan(input) => {
            Response::Scan(page(dice, &input.table, &input.select, input.index.is_some()))
        }
        Request::BatchGetItem(input) => {
            let mut output = BatchGetItemOutput::default();
            for table in &input.tables {
                let (mut found, mut left) = (Vec::new(), Vec::new());
                for key in &table.keys {
                    if dice.once_in(4) {
                        left.push(key.clone());
                    } else {
                        let item = item(dice, &key_schema(&table.table), Some(key));
                        found.push(shown(dice, table.projection.as_ref(), item));
                    }
                }
                output.responses.push((table.table.clone(), found));
                if !left.is_empty() {
                    output.unprocessed.push(TableKeys { keys: left, ..table.clone() });
                }
                output.capacity.extend(capacity(dice, &table.table));
            }
            Response::BatchGetItem(output)
        }
        Request::BatchWriteItem(input) => {
            let mut output = BatchWriteItemOutput::default();
            for (table, writes) in &input.tables {
                let left: Vec<_> = writes.iter().filter(|_| dice.once_in(4)).cloned().collect();
                if !left.is_empty() {
                    output.unprocessed.push((table.clone(), left));
                }
                output.capacity.extend(capacity(dice, table));
                output.collections.extend(collection(dice, table).map(|one| (table.clone(), vec![one])));
            }
            Response::BatchWriteItem(output)
        }
        Request::TransactGetItems(input) => {
            let one = |get: &TransactGet| {
                let found = item(dice, &key_schema(&get.table), Some(&get.key));
                (!dice.once_in(4)).then(|| shown(dice, get.projection.as_ref(), found))
            };
            let items = input.gets.iter().map(one).collect();
            Response::TransactGetItems(TransactGetItemsOutput { items, capacity: Vec::new() })
        }
        Request::TransactWriteItems(_) => Response::TransactWriteItems(TransactWriteItemsOutput::default()),
        other => return Err(Error::new(ErrorKind::UnknownOperationException, other.kind().name())),
    })
}

fn old(dice: &mut Dice, table: &TableName, asked: ReturnOld, of: &Item) -> Option<Item> {
    let schema = key_schema(table);
    let key = key_attributes(&schema, of);
    (asked == ReturnOld::AllOld && !dice.once_in(3)).then(|| item(dice, &schema, Some(&key)))
}

fn page(dice: &mut Dice, table: &TableName, select: &Select, of_index: bool) -> Page {
    let schema = key_schema(table);
    let count = dice.below(5);
    let items = (0..count).map(|_| {
        let item = item(dice, &schema, None);
        match select {
            Select::Specific(projection) => shown(dice, Some(projection), item),
            Select::AllAttributes | Select::AllProjected | Select::Count => shown(dice, None, item),
        }
    });
    let items: Vec<_> = items.collect();
    let last = dice.once_in(3).then(|| item(dice, &schema, None));
    Page {
        items: (*select != Select::Count).then_some(items),
        count: count as u32,
        scanned_count: count as u32,
        last_key: last.map(|last| if of_index { last } else { key_attributes(&schema, &last) }),
        capacity: capacity(dice, table),
    }
}

fn shown(dice: &mut Dice, projection: Option<&api::expr::Projection>, item: Item) -> ItemBody {
    match projection {
        Some(projection) => ItemBody::Tree(Arc::new(projection.apply(&item))),
        None if dice.once_in(2) => ItemBody::Encoded(EncodedItem::encode(&item)),
        None => ItemBody::Tree(Arc::new(item)),
    }
}

fn capacity(dice: &mut Dice, table: &TableName) -> Option<ConsumedCapacity> {
    let total = Capacity { units: dice.below(100) as f64 / 2.0, ..Capacity::default() };
    dice.once_in(3).then(|| ConsumedCapacity {
        table: table.to_string(),
        total,
        ..ConsumedCapacity::default()
    })
}

fn collection(dice: &mut Dice, table: &TableName) -> Option<ItemCollectionMetrics> {
    let partition = key_schema(table).partition;
    let key = Item::new().with(partition.name, scalar(dice, partition.value_type));
    dice.once_in(4).then_some(ItemCollectionMetrics { key, size_range_gb: (0.0, 1.0) })
}

/// An item of the key, or of any.
fn item(dice: &mut Dice, schema: &KeySchema, key: Option<&Item>) -> Item {
    let mut item = key.cloned().unwrap_or_default();
    for part in schema.attributes() {
        if item.get(&part.name).is_none() {
            item = item.with(part.name.clone(), scalar(dice, part.value_type));
        }
    }
    for _ in 0..dice.below(4) {
        let name = ["a", "b", "g", "val", "a much longer name", "é"][dice.below(6)];
        if item.get(name).is_none() {
            item = item.with(name, value(dice, 2));
        }
    }
    item
}

fn scalar(dice: &mut Dice, of: ValueType) -> AttributeValue {
    match of {
        ValueType::N => {
            let exponent = dice.below(60) as i32 - 30;
            AttributeValue::N(Number::from_parts(dice.roll() as i64 as i128, exponent).unwrap())
        }
        ValueType::B => AttributeValue::B(dice.roll().to_be_bytes().to_vec().into()),
        _ => AttributeValue::S(format!("text {}", dice.below(1000))),
    }
}

fn value(dice: &mut Dice, levels: usize) -> AttributeValue {
    match dice.below(if levels == 0 { 5 } else { 8 }) {
        0 => scalar(dice, ValueType::N),
        1 => scalar(dice, ValueType::B),
        2 => AttributeValue::Null,
        // Enough of them fill what is gathered before it is written.
        3 if dice.once_in(8) => AttributeValue::S("x".repeat(dice.below(40_000))),
        3 | 4 => scalar(dice, ValueType::S),
        5 => AttributeValue::L((0..dice.below(4)).map(|_| value(dice, levels - 1)).collect()),
        6 => AttributeValue::M(
            (0..dice.below(4)).map(|at| (at.to_string(), value(dice, levels - 1))).collect(),
        ),
        _ => AttributeValue::Ss((0..=dice.below(4)).map(|at| at.to_string()).collect()),
    }
}

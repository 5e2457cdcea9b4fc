//! What one half writes the other reads as the same value, for every operation: requests, answers, errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::error::{CancellationCode, CancellationReason};
use api::expr::{Condition, ExpressionKind, KeyCondition, Placeholders, Projection, Update};
use api::op::*;
use api::schema::{IndexName, KeyAttribute, KeySchema};
use api::value::ValueType;
use api::{
    AttributeValue, Detail, EncodedItem, Error, ErrorKind, Item, ItemBody, Number, Request, Response,
    TableName,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::attribute_lists::{AttributeLists, Demand, ListId, VolatileLists};
use crate::codec::answer::{read_answer, write_answer};
use crate::codec::frame::{AnswerScanner, Frame, FrameScanner};
use crate::codec::item::{ListIds, ListNames};
use crate::codec::key::key_attributes;
use crate::codec::method::Method;
use crate::codec::question::Question;
use crate::codec::request::{SelectAll, read_request, write_request};
use crate::codec::schema::{NamedKey, Schema};
use crate::error::{read_error, write_error};

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z_#: \"é😀]{1,6}", "[a-z]{1,3}"]
}

fn number() -> impl Strategy<Value = Number> {
    (-1_000_000_000_000i64..1_000_000_000_000, -100i32..100)
        .prop_map(|(mantissa, exponent)| Number::from_parts(i128::from(mantissa), exponent).unwrap())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from)
}

pub(crate) fn value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        ".{0,12}".prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        proptest::collection::btree_set(".{0,6}", 1..4).prop_map(AttributeValue::Ss),
        proptest::collection::btree_set(number(), 1..4).prop_map(AttributeValue::Ns),
        proptest::collection::btree_set(bytes(), 1..4).prop_map(AttributeValue::Bs),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::btree_map(name(), inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn key_schema(partition: ValueType, sort: Option<ValueType>) -> KeySchema {
    let part = |name: &str, value_type| KeyAttribute { name: name.into(), value_type };
    KeySchema { partition: part("pk", partition), sort: sort.map(|value_type| part("sk", value_type)) }
}

pub(crate) fn schema() -> impl Strategy<Value = KeySchema> {
    let kinds = || prop_oneof![Just(ValueType::S), Just(ValueType::N), Just(ValueType::B)];
    (kinds(), proptest::option::of(kinds())).prop_map(|(partition, sort)| key_schema(partition, sort))
}

fn key_value(value_type: ValueType) -> BoxedStrategy<AttributeValue> {
    match value_type {
        ValueType::S => ".{1,8}".prop_map(AttributeValue::S).boxed(),
        ValueType::N => number().prop_map(AttributeValue::N).boxed(),
        _ => proptest::collection::vec(any::<u8>(), 1..8)
            .prop_map(|bytes| AttributeValue::B(bytes.into()))
            .boxed(),
    }
}

pub(crate) fn key_of(schema: KeySchema) -> BoxedStrategy<Item> {
    let partition = key_value(schema.partition.value_type);
    match schema.sort.clone() {
        None => partition.prop_map(move |p| Item::new().with(schema.partition.name.clone(), p)).boxed(),
        Some(sort) => (partition, key_value(sort.value_type))
            .prop_map(move |(p, s)| {
                Item::new().with(schema.partition.name.clone(), p).with(sort.name.clone(), s)
            })
            .boxed(),
    }
}

/// The tables of these tests: a name tells its key.
const TABLES: [(&str, ValueType, Option<ValueType>); 5] = [
    ("Hash", ValueType::S, None),
    ("HashN", ValueType::N, None),
    ("HashRange", ValueType::S, Some(ValueType::N)),
    ("HRS", ValueType::S, Some(ValueType::S)),
    ("HRB", ValueType::N, Some(ValueType::B)),
];

pub(crate) fn find(name: &str) -> Result<Schema, Error> {
    let (table, partition, sort) = TABLES
        .iter()
        .find(|(table, ..)| *table == name)
        .ok_or_else(|| Error::new(ErrorKind::ResourceNotFoundException, "no such table"))?;
    let table = TableName::new(table).unwrap();
    Ok(Schema::Key(Arc::new(NamedKey { table, key: key_schema(*partition, *sort) })))
}

fn table() -> impl Strategy<Value = Schema> {
    (0..TABLES.len()).prop_map(|at| find(TABLES[at].0).unwrap())
}

fn item_of(schema: &Schema) -> BoxedStrategy<Item> {
    let others = proptest::collection::btree_map(name(), value(), 0..5);
    (others, key_of(schema.key().clone()))
        .prop_map(|(mut attributes, key)| {
            attributes.extend(key.0);
            Item(attributes)
        })
        .boxed()
}

fn parsed<T>(value: AttributeValue, parse: impl FnOnce(&mut Placeholders) -> Result<T, Error>) -> T {
    let names = BTreeMap::from([("#n".to_owned(), "a name".to_owned())]);
    let values = BTreeMap::from([(":v".to_owned(), value)]);
    parse(&mut Placeholders::new(Some(names), Some(values)).unwrap()).unwrap()
}

fn condition() -> impl Strategy<Value = Condition> {
    let texts = prop_oneof![
        Just("#n = :v"),
        Just("NOT (#n <> :v OR attribute_exists(a.b[3]))"),
        Just("(#n = :v OR c = :v OR d = :v) AND attribute_not_exists(d) AND NOT e = :v"),
        Just("contains(#n, :v) AND #n IN (:v, x, size(y))"),
        Just("a < b AND b <= c AND c > d AND d >= e AND size(#n) > f"),
        Just("a BETWEEN b AND size(c) OR begins_with(a, b) AND NOT contains(c, :v)"),
    ];
    (texts, value()).prop_map(|(text, value)| {
        parsed(value, |placeholders| placeholders.condition(ExpressionKind::Condition, text))
    })
}

fn update() -> impl Strategy<Value = Update> {
    let texts = prop_oneof![
        Just("SET #n.a = :v, b = if_not_exists(c, d) - e REMOVE d[0], f"),
        Just("ADD e :v DELETE f :v SET g = list_append(lst, if_not_exists(h, i)), j = k + m"),
        Just("REMOVE a SET b[2].c = :v"),
    ];
    let sets = proptest::collection::btree_set(number(), 1..3).prop_map(AttributeValue::Ns);
    (texts, sets).prop_map(|(text, value)| parsed(value, |placeholders| placeholders.update(text)))
}

fn key_condition() -> impl Strategy<Value = KeyCondition> {
    let texts = prop_oneof![
        Just("#n = :v"),
        Just("#n = :v AND zz BETWEEN :v AND :v"),
        Just("zz <= :v AND #n = :v"),
        Just("begins_with(zz, :v) AND #n = :v"),
    ];
    (texts, ".{0,6}").prop_map(|(text, value)| {
        parsed(AttributeValue::S(value), |placeholders| placeholders.key_condition(text))
    })
}

/// Projections whose values can be told from what they leave of an item; the names are ones that items have.
fn projection() -> impl Strategy<Value = Projection> {
    prop_oneof![Just("pk, a, b.c, d[2].e"), Just("a.b, a.c[0], zz[1]"), Just("#n")]
        .prop_map(|text| parsed(AttributeValue::Null, |placeholders| placeholders.projection(text)))
}

fn return_capacity() -> impl Strategy<Value = ReturnConsumedCapacity> {
    prop_oneof![
        Just(ReturnConsumedCapacity::None),
        Just(ReturnConsumedCapacity::Total),
        Just(ReturnConsumedCapacity::Indexes)
    ]
}

fn return_collection() -> impl Strategy<Value = ReturnItemCollectionMetrics> {
    prop_oneof![Just(ReturnItemCollectionMetrics::None), Just(ReturnItemCollectionMetrics::Size)]
}

fn return_old() -> impl Strategy<Value = ReturnOld> {
    prop_oneof![Just(ReturnOld::None), Just(ReturnOld::AllOld)]
}

fn return_values() -> impl Strategy<Value = ReturnValues> {
    prop_oneof![
        Just(ReturnValues::None),
        Just(ReturnValues::AllOld),
        Just(ReturnValues::AllNew),
        Just(ReturnValues::UpdatedOld),
        Just(ReturnValues::UpdatedNew),
    ]
}

fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

fn units() -> impl Strategy<Value = Capacity> {
    (0u32..1000).prop_map(|halves| Capacity { units: f64::from(halves) / 2.0, ..Capacity::default() })
}

fn capacity(table: String) -> impl Strategy<Value = ConsumedCapacity> {
    let indexes = || proptest::collection::btree_map("[a-z]{3}", units(), 0..3);
    (units(), maybe(units()), indexes(), indexes()).prop_map(move |(total, own, local, global)| {
        ConsumedCapacity { table: table.clone(), total, own, local, global }
    })
}

fn transacted(capacity: impl Strategy<Value = ConsumedCapacity>) -> impl Strategy<Value = ConsumedCapacity> {
    (capacity, any::<bool>()).prop_map(|(mut capacity, reads)| {
        let own = capacity.own.iter_mut();
        for units in std::iter::once(&mut capacity.total).chain(own).chain(capacity.local.values_mut()) {
            let of_kind = if reads { &mut units.read_units } else { &mut units.write_units };
            *of_kind = Some(units.units);
        }
        capacity
    })
}

fn collection(schema: &Schema) -> impl Strategy<Value = ItemCollectionMetrics> + use<> {
    let partition = schema.key().partition.clone();
    key_value(partition.value_type).prop_map(move |value| ItemCollectionMetrics {
        key: Item::new().with(partition.name.clone(), value),
        size_range_gb: (0.0, 1.0),
    })
}

fn body(item: Item, encoded: bool) -> ItemBody {
    if encoded { ItemBody::Encoded(EncodedItem::encode(&item)) } else { ItemBody::Tree(Arc::new(item)) }
}

/// An answer's item: projected, or whole and in either form.
fn answered(projection: Option<Projection>, item: Item, encoded: bool) -> ItemBody {
    match projection {
        Some(projection) => body(projection.apply(&item), false),
        None => body(item, encoded),
    }
}

type Exchange = (Request, Response);

fn get_item() -> impl Strategy<Value = Exchange> {
    table().prop_flat_map(|schema| {
        let of_answer = (maybe(capacity(schema.name().to_string())), any::<bool>(), any::<bool>());
        (item_of(&schema), maybe(projection()), any::<bool>(), return_capacity(), of_answer).prop_map(
            move |(item, projection, consistent, return_capacity, (capacity, found, encoded))| {
                let key = key_attributes(schema.key(), &item);
                let table = schema.name().clone();
                let item = found.then(|| answered(projection.clone(), item, encoded));
                let input = GetItemInput { table, key, projection, consistent, return_capacity };
                (input.into(), Response::GetItem(GetItemOutput { item, capacity }))
            },
        )
    })
}

fn put_item() -> impl Strategy<Value = Exchange> {
    table().prop_flat_map(|schema| {
        let asked =
            (item_of(&schema), maybe(condition()), return_old(), return_capacity(), return_collection());
        let answer = (maybe(item_of(&schema)), maybe(capacity("t".into())), maybe(collection(&schema)));
        (asked, answer).prop_map(move |(asked, (old, capacity, collection))| {
            let (item, condition, return_values, return_capacity, return_collection) = asked;
            // The old item has the new one's key.
            let key = key_attributes(schema.key(), &item);
            let attributes = old.map(|mut old| {
                old.0.extend(key.0);
                old
            });
            let input = PutItemInput {
                table: schema.name().clone(),
                item,
                condition,
                return_values,
                return_on_failure: ReturnOnFailure::None,
                return_capacity,
                return_collection,
            };
            (input.into(), Response::PutItem(PutItemOutput { attributes, capacity, collection }))
        })
    })
}

fn delete_item() -> impl Strategy<Value = Exchange> {
    table().prop_flat_map(|schema| {
        let asked =
            (item_of(&schema), maybe(condition()), return_old(), return_capacity(), return_collection());
        let answer = (any::<bool>(), maybe(capacity("t".into())), maybe(collection(&schema)));
        (asked, answer).prop_map(move |(asked, (old, capacity, collection))| {
            let (item, condition, return_values, return_capacity, return_collection) = asked;
            let input = DeleteItemInput {
                table: schema.name().clone(),
                key: key_attributes(schema.key(), &item),
                condition,
                return_values,
                return_on_failure: ReturnOnFailure::None,
                return_capacity,
                return_collection,
            };
            let attributes = old.then_some(item);
            (input.into(), Response::DeleteItem(DeleteItemOutput { attributes, capacity, collection }))
        })
    })
}

fn update_item() -> impl Strategy<Value = Exchange> {
    table().prop_flat_map(|schema| {
        let asked =
            (item_of(&schema), maybe(update()), maybe(condition()), return_values(), return_capacity());
        let answer = (any::<bool>(), maybe(capacity("t".into())), maybe(collection(&schema)));
        (asked, answer, return_collection()).prop_map(
            move |(asked, (returned, capacity, collection), return_collection)| {
                let (item, update, condition, return_values, return_capacity) = asked;
                let key = key_attributes(schema.key(), &item);
                let touched = matches!(return_values, ReturnValues::UpdatedOld | ReturnValues::UpdatedNew);
                let mut attributes = item;
                if touched {
                    attributes.0.retain(|name, _| key.get(name).is_none());
                }
                let input = UpdateItemInput {
                    table: schema.name().clone(),
                    key,
                    update: update.unwrap_or_default(),
                    condition,
                    return_values,
                    return_on_failure: ReturnOnFailure::None,
                    return_capacity,
                    return_collection,
                };
                let attributes = returned.then_some(attributes);
                (input.into(), Response::UpdateItem(UpdateItemOutput { attributes, capacity, collection }))
            },
        )
    })
}

fn select(of_index: bool) -> impl Strategy<Value = Select> {
    let projected = if of_index { Select::AllProjected } else { Select::AllAttributes };
    prop_oneof![
        Just(projected),
        Just(Select::AllAttributes),
        Just(Select::Count),
        projection().prop_map(Select::Specific)
    ]
}

fn page(schema: &Schema, of_index: bool, select: &Select) -> impl Strategy<Value = Page> + use<> {
    let select = select.clone();
    let last = item_of(schema);
    let schema = schema.clone();
    let items = proptest::collection::vec((item_of(&schema), any::<bool>()), 0..4);
    (items, 0u32..9, maybe(last), maybe(capacity("t".into()))).prop_map(
        move |(items, more, last, capacity)| {
            let count = items.len() as u32;
            let items: Vec<_> = items
                .into_iter()
                .map(|(item, encoded)| match &select {
                    Select::Specific(projection) => answered(Some(projection.clone()), item, false),
                    _ => body(item, encoded),
                })
                .collect();
            let key = |item: Item| key_attributes(schema.key(), &item);
            Page {
                items: (select != Select::Count).then_some(items),
                count,
                scanned_count: count + more,
                last_key: last.map(|last| if of_index { last } else { key(last) }),
                capacity,
            }
        },
    )
}

/// What Query and Scan share of a request, and the page.
type Paged =
    (Schema, Option<IndexName>, Select, Option<u32>, bool, Option<Item>, ReturnConsumedCapacity, Page);

fn paged() -> impl Strategy<Value = Paged> {
    (table(), any::<bool>()).prop_flat_map(|(schema, of_index)| {
        select(of_index).prop_flat_map(move |select| {
            let schema = schema.clone();
            let rest = (maybe(1u32..1000), any::<bool>(), maybe(item_of(&schema)), return_capacity());
            (rest, page(&schema, of_index, &select)).prop_map(
                move |((limit, consistent, start, return_capacity), page)| {
                    let start = start
                        .map(|start| if of_index { start } else { key_attributes(schema.key(), &start) });
                    let index = of_index.then(|| IndexName::new("gsi1").unwrap());
                    (schema.clone(), index, select.clone(), limit, consistent, start, return_capacity, page)
                },
            )
        })
    })
}

fn query() -> impl Strategy<Value = Exchange> {
    (paged(), key_condition(), maybe(condition()), any::<bool>()).prop_map(
        |(
            (schema, index, select, limit, consistent, start, return_capacity, page),
            key_condition,
            filter,
            forward,
        )| {
            let input = QueryInput {
                table: schema.name().clone(),
                index,
                key_condition,
                filter,
                select,
                limit,
                consistent,
                forward,
                start,
                return_capacity,
            };
            (input.into(), Response::Query(page))
        },
    )
}

fn scan() -> impl Strategy<Value = Exchange> {
    let segment =
        (0u32..10, 0u32..10).prop_map(|(number, more)| Segment { number, total: number + 1 + more });
    (paged(), maybe(condition()), maybe(segment)).prop_map(
        |((schema, index, select, limit, consistent, start, return_capacity, page), filter, segment)| {
            let input = ScanInput {
                table: schema.name().clone(),
                index,
                filter,
                select,
                limit,
                consistent,
                segment,
                start,
                return_capacity,
            };
            (input.into(), Response::Scan(page))
        },
    )
}

fn some_tables() -> impl Strategy<Value = Vec<Schema>> {
    proptest::sample::subsequence(TABLES.to_vec(), 1..4)
        .prop_map(|tables| tables.into_iter().map(|(name, ..)| find(name).unwrap()).collect())
}

fn batch_get_item() -> impl Strategy<Value = Exchange> {
    let of_table = |schema: Schema| {
        let items = proptest::collection::vec((item_of(&schema), any::<bool>(), any::<bool>()), 1..4);
        (Just(schema), items, maybe(projection()), any::<bool>())
    };
    let tables =
        some_tables().prop_flat_map(move |tables| tables.into_iter().map(of_table).collect::<Vec<_>>());
    (tables, return_capacity(), maybe(capacity("t".into()))).prop_map(
        |(tables, return_capacity, capacity)| {
            let mut asked = Vec::new();
            let mut output =
                BatchGetItemOutput { capacity: capacity.into_iter().collect(), ..Default::default() };
            for (schema, items, projection, consistent) in tables {
                let table = schema.name().clone();
                let mut keys: Vec<Item> = Vec::new();
                let (mut found, mut left) = (Vec::new(), Vec::new());
                for (item, encoded, done) in items {
                    let key = key_attributes(schema.key(), &item);
                    if keys.contains(&key) {
                        continue;
                    }
                    keys.push(key.clone());
                    if done {
                        found.push(answered(projection.clone(), item, encoded));
                    } else {
                        left.push(key);
                    }
                }
                let of_table = |keys| TableKeys {
                    table: table.clone(),
                    keys,
                    projection: projection.clone(),
                    consistent,
                };
                output.responses.push((table.clone(), found));
                if !left.is_empty() {
                    output.unprocessed.push(of_table(left));
                }
                asked.push(of_table(keys));
            }
            let input = BatchGetItemInput { tables: asked, return_capacity };
            (input.into(), Response::BatchGetItem(output))
        },
    )
}

fn batch_write_item() -> impl Strategy<Value = Exchange> {
    let of_table = |schema: Schema| {
        let writes = proptest::collection::vec((item_of(&schema), any::<bool>(), any::<bool>()), 1..4);
        (Just(schema.clone()), writes, proptest::collection::vec(collection(&schema), 0..2))
    };
    let tables =
        some_tables().prop_flat_map(move |tables| tables.into_iter().map(of_table).collect::<Vec<_>>());
    (tables, return_capacity(), return_collection(), maybe(capacity("t".into()))).prop_map(
        |(tables, return_capacity, return_collection, capacity)| {
            let mut asked = Vec::new();
            let mut output =
                BatchWriteItemOutput { capacity: capacity.into_iter().collect(), ..Default::default() };
            for (schema, writes, metrics) in tables {
                let table = schema.name().clone();
                let (mut all, mut left) = (Vec::new(), Vec::new());
                for (item, put, done) in writes {
                    let key = key_attributes(schema.key(), &item);
                    let write = if put { BatchWrite::Put(item) } else { BatchWrite::Delete(key) };
                    if !done {
                        left.push(write.clone());
                    }
                    all.push(write);
                }
                if !left.is_empty() {
                    output.unprocessed.push((table.clone(), left));
                }
                if !metrics.is_empty() {
                    output.collections.push((table.clone(), metrics));
                }
                asked.push((table, all));
            }
            let input = BatchWriteItemInput { tables: asked, return_capacity, return_collection };
            (input.into(), Response::BatchWriteItem(output))
        },
    )
}

fn transact_get_items() -> impl Strategy<Value = Exchange> {
    let get = table().prop_flat_map(|schema| {
        (item_of(&schema), Just(schema), maybe(projection()), any::<bool>(), any::<bool>())
    });
    let capacity = maybe(transacted(capacity("t".into())));
    (proptest::collection::vec(get, 1..4), return_capacity(), capacity).prop_map(
        |(gets, return_capacity, capacity)| {
            let mut output =
                TransactGetItemsOutput { capacity: capacity.into_iter().collect(), ..Default::default() };
            let mut asked = Vec::new();
            for (item, schema, projection, found, encoded) in gets {
                asked.push(TransactGet {
                    table: schema.name().clone(),
                    key: key_attributes(schema.key(), &item),
                    projection: projection.clone(),
                });
                output.items.push(found.then(|| answered(projection, item, encoded)));
            }
            let input = TransactGetItemsInput { gets: asked, return_capacity };
            (input.into(), Response::TransactGetItems(output))
        },
    )
}

pub(crate) fn transact_write_items() -> impl Strategy<Value = Exchange> {
    let action = table().prop_flat_map(|schema| {
        (item_of(&schema), Just(schema), 0..4, update(), maybe(condition()), condition(), any::<bool>())
    });
    let asked = (
        proptest::collection::vec(action, 1..5),
        maybe("[a-z0-9-]{1,36}"),
        return_capacity(),
        return_collection(),
    );
    let metrics = table().prop_flat_map(|schema| {
        (Just(schema.name().clone()), proptest::collection::vec(collection(&schema), 1..3))
    });
    (asked, maybe(transacted(capacity("t".into()))), maybe(metrics)).prop_map(
        |((actions, token, return_capacity, return_collection), capacity, metrics)| {
            let actions: Vec<_> = actions
                .into_iter()
                .map(|(item, schema, which, update, maybe_condition, condition, all_old)| {
                    let key = key_attributes(schema.key(), &item);
                    let (action, condition) = match which {
                        0 => (TransactAction::ConditionCheck(key), Some(condition)),
                        1 => (TransactAction::Put(item), maybe_condition),
                        2 => (TransactAction::Delete(key), maybe_condition),
                        _ => (TransactAction::Update(key, update), maybe_condition),
                    };
                    TransactWrite {
                        table: schema.name().clone(),
                        action,
                        condition,
                        return_on_failure: if all_old {
                            ReturnOnFailure::AllOld
                        } else {
                            ReturnOnFailure::None
                        },
                    }
                })
                .collect();
            let named = |name: &TableName| actions.iter().any(|action| action.table == *name);
            let output = TransactWriteItemsOutput {
                capacity: capacity.into_iter().collect(),
                collections: metrics.into_iter().filter(|(name, _)| named(name)).collect(),
            };
            let input = TransactWriteItemsInput { actions, token, return_capacity, return_collection };
            (input.into(), Response::TransactWriteItems(output))
        },
    )
}

pub(crate) fn exchange() -> impl Strategy<Value = Exchange> {
    prop_oneof![
        get_item(),
        put_item(),
        update_item(),
        delete_item(),
        query(),
        scan(),
        batch_get_item(),
        batch_write_item(),
        transact_get_items(),
        transact_write_items(),
    ]
}

/// Two ends that share a registry, as a client and a server do once the client has asked.
pub(crate) struct Ends(VolatileLists);

impl Ends {
    pub(crate) fn new() -> Ends {
        Ends(VolatileLists::new(1000))
    }

    /// Writes, has what is missing defined, and writes again.
    fn write(&self, write: impl Fn(&mut Vec<u8>, &mut ListIds<'_>)) -> Vec<u8> {
        for _ in 0..2 {
            let mut out = Vec::new();
            let find = |names: &[&str]| self.0.id(names, Demand::Write);
            let mut lists = ListIds::new(&find);
            write(&mut out, &mut lists);
            let missing = lists.missing();
            if missing.is_empty() {
                return out;
            }
            for names in missing {
                let mut defining = self.0.define(names, Demand::Write);
                let waker = std::task::Waker::noop();
                let defined = defining.as_mut().poll(&mut std::task::Context::from_waker(waker));
                assert!(matches!(defined, std::task::Poll::Ready(Ok(_))));
            }
        }
        panic!("lists that were defined are known")
    }

    fn names(&self) -> impl Fn(ListId) -> Option<crate::attribute_lists::Names> {
        |id| self.0.names(id)
    }

    pub(crate) fn request(&self, request: &Request) -> Vec<u8> {
        self.write(|out, lists| write_request(out, request, &find, lists).unwrap())
    }

    pub(crate) fn question(&self, frame: &[u8]) -> Question {
        self.read_request(frame).1
    }

    fn read_request(&self, frame: &[u8]) -> (Request, Question) {
        let mut scanner = FrameScanner::new();
        let preamble = crate::codec::tests::unhex("674a37796e65354700f6a000");
        scanner.next(&preamble).unwrap().unwrap();
        let found = scanner.next(frame).unwrap();
        let Some(Frame::Request { method: Method::Operation(op), header_bytes, bytes }) = found else {
            panic!("a request is a frame: {found:?}")
        };
        assert_eq!(bytes, frame.len());
        let names = self.names();
        read_request(op, &frame[header_bytes..], SelectAll::Meant, &find, &mut ListNames::new(&names))
            .unwrap()
    }

    pub(crate) fn answer(&self, question: &Question, response: &Response) -> Vec<u8> {
        self.write(|out, lists| write_answer(out, question, response, lists).unwrap())
    }

    fn read_answer(&self, request: &Request, answer: &[u8]) -> Response {
        let mut scanner = AnswerScanner::new(Method::Operation(request.kind()), usize::MAX);
        assert_eq!(scanner.next(answer), Ok(Some(answer.len())));
        let names = self.names();
        read_answer(&answer[1..], request, &find, &mut ListNames::new(&names)).unwrap()
    }
}

/// The same answer with every item decoded: a client has no encoded form.
pub(crate) fn decoded(response: Response) -> Response {
    let tree = |body: ItemBody| ItemBody::Tree(body.to_item());
    let all = |items: Vec<ItemBody>| items.into_iter().map(tree).collect();
    match response {
        Response::GetItem(output) => {
            Response::GetItem(GetItemOutput { item: output.item.map(tree), ..output })
        }
        Response::Query(page) => Response::Query(Page { items: page.items.map(all), ..page }),
        Response::Scan(page) => Response::Scan(Page { items: page.items.map(all), ..page }),
        Response::BatchGetItem(mut output) => {
            output.responses =
                output.responses.into_iter().map(|(table, items)| (table, all(items))).collect();
            Response::BatchGetItem(output)
        }
        Response::TransactGetItems(mut output) => {
            output.items = output.items.into_iter().map(|item| item.map(tree)).collect();
            Response::TransactGetItems(output)
        }
        other => other,
    }
}

fn error() -> impl Strategy<Value = Error> {
    (0..ErrorKind::ALL.len(), ".{0,20}").prop_map(|(at, message)| Error::new(ErrorKind::ALL[at], message))
}

proptest! {
    #[test]
    fn what_a_client_asks_a_server_reads((request, _) in exchange()) {
        let ends = Ends::new();
        let frame = ends.request(&request);
        let (read, question) = ends.read_request(&frame);
        prop_assert_eq!(&read, &request);
        prop_assert_eq!(question.op(), request.kind());
        // What is read is written the same.
        prop_assert_eq!(ends.request(&read), frame);
    }

    #[test]
    fn what_a_server_answers_a_client_reads((request, response) in exchange()) {
        let ends = Ends::new();
        let (_, question) = ends.read_request(&ends.request(&request));
        let answer = ends.answer(&question, &response);
        prop_assert_eq!(ends.read_answer(&request, &answer), decoded(response));
    }

    #[test]
    fn an_error_keeps_its_kind_and_message(error in error()) {
        let ends = Ends::new();
        let written = ends.write(|out, lists| write_error(out, &error, "ID", None, lists));
        let mut scanner = AnswerScanner::new(Method::Endpoints, usize::MAX);
        prop_assert_eq!(scanner.next(&written), Ok(Some(written.len())));
        let names = ends.names();
        let read = read_error(&written, None, &find, &mut ListNames::new(&names));
        prop_assert_eq!(read, Ok(error));
    }

    #[test]
    fn cancellation_reasons_keep_their_items((request, _) in transact_write_items(), seed in any::<u64>()) {
        let Request::TransactWriteItems(input) = &request else { unreachable!("it is one") };
        let reasons = input.actions.iter().enumerate().map(|(at, action)| {
            let item = match &action.action {
                TransactAction::Put(item) => item,
                TransactAction::ConditionCheck(key) | TransactAction::Delete(key) => key,
                TransactAction::Update(key, _) => key,
            };
            match (seed >> (2 * at)) & 3 {
                0 => CancellationReason::default(),
                1 => CancellationReason {
                    code: Some(CancellationCode::TransactionConflict),
                    message: Some("in the way".into()),
                    item: None,
                },
                _ => CancellationReason {
                    code: Some(CancellationCode::ConditionalCheckFailed),
                    message: Some("The conditional request failed".into()),
                    item: Some(item.clone().with("more", AttributeValue::Null)),
                },
            }
        });
        let error = Error::new(ErrorKind::TransactionCanceledException, "cancelled")
            .with(Detail::Cancellation(reasons.collect()));
        let ends = Ends::new();
        let (_, question) = ends.read_request(&ends.request(&request));
        let written = ends.write(|out, lists| write_error(out, &error, "ID", Some(&question), lists));
        let names = ends.names();
        let read = read_error(&written, Some(&request), &find, &mut ListNames::new(&names));
        prop_assert_eq!(read, Ok(error));
    }
}

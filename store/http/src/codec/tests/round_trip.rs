//! What is encoded is decoded to an equal value, for every operation, both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::expr::{Condition, ExpressionKind, KeyCondition, Placeholders, Projection, Update};
use api::op::batch_get_item::TableKeys;
use api::op::delete_table::{DeleteTableInput, DeleteTableOutput};
use api::op::describe_table::{DescribeTableInput, DescribeTableOutput};
use api::op::query::Select;
use api::op::transact_get_items::TransactGet;
use api::op::transact_write_items::{TransactAction, TransactWrite};
use api::op::*;
use api::schema::{
    BillingMode, Index, IndexId, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status,
    Table, Throughput,
};
use api::value::ValueType;
use api::{AttributeValue, EncodedItem, Item, ItemBody, Number, Request, Response, TableId, TableName};
use bytes::Bytes;
use proptest::prelude::*;

use super::super::{
    decode_request, decode_response, encode_item_json, encode_request, encode_response, write_item,
};

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z_#: \"\\\\é😀]{1,6}", "[a-z]{1,3}"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-c\\n\\t\\u{0}\"\\\\]{0,4}"]
}

fn number() -> impl Strategy<Value = Number> {
    (-1_000_000_000_000i64..1_000_000_000_000, -100i32..100)
        .prop_map(|(mantissa, exponent)| Number::from_parts(i128::from(mantissa), exponent).unwrap())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(0u8.., 0..8).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        (0u8..2).prop_map(|one| AttributeValue::Bool(one == 1)),
        Just(AttributeValue::Null),
        proptest::collection::btree_set(text(), 1..4).prop_map(AttributeValue::Ss),
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

fn item() -> impl Strategy<Value = Item> {
    proptest::collection::btree_map(name(), value(), 0..5).prop_map(Item)
}

fn parsed<T>(
    names: &[(&str, &str)],
    values: &[(&str, &AttributeValue)],
    parse: impl FnOnce(&mut Placeholders) -> Result<T, api::Error>,
) -> T {
    let names: BTreeMap<String, String> =
        names.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect();
    let values: BTreeMap<String, AttributeValue> =
        values.iter().map(|(key, value)| ((*key).to_owned(), (*value).clone())).collect();
    let names = (!names.is_empty()).then_some(names);
    let values = (!values.is_empty()).then_some(values);
    let mut placeholders = Placeholders::new(names, values).unwrap();
    let tree = parse(&mut placeholders).unwrap();
    placeholders.finish().unwrap();
    tree
}

/// A name that is none of those that the texts below spell out.
fn placed_name() -> impl Strategy<Value = String> {
    name().prop_map(|name| format!("nn{name}"))
}

fn condition() -> impl Strategy<Value = Condition> {
    let texts = prop_oneof![
        Just("#n = :v"),
        Just("NOT (#n <> :v OR attribute_exists(a.b[3]))"),
        Just("(#n = :v OR c > :v) AND attribute_not_exists(d)"),
        Just("contains(#n, :v) AND #n IN (:v, x, size(y))"),
    ];
    (texts, placed_name(), value()).prop_map(|(text, name, value)| {
        parsed(&[("#n", &name)], &[(":v", &AttributeValue::L(vec![value]))], |placeholders| {
            let scalar = text.contains('>') || text.contains("IN");
            if scalar {
                // Some operators take scalars only.
                let text = text.replace(" > ", " = ").replace("contains(#n, :v)", "#n = :v");
                return placeholders.condition(ExpressionKind::Condition, &text);
            }
            placeholders.condition(ExpressionKind::Condition, text)
        })
    })
}

fn update() -> impl Strategy<Value = Update> {
    (placed_name(), value(), number()).prop_map(|(name, value, number)| {
        let number = AttributeValue::N(number);
        parsed(&[("#n", &name)], &[(":v", &value), (":n", &number)], |placeholders| {
            placeholders.update("SET #n.a = :v, b = if_not_exists(c, :n) - :n REMOVE d[0] ADD e :n")
        })
    })
}

fn projection() -> impl Strategy<Value = Projection> {
    placed_name().prop_map(|name| {
        parsed(&[("#n", &name)], &[], |placeholders| placeholders.projection("#n.a, #n.b[2].c, #n.d"))
    })
}

fn key_condition() -> impl Strategy<Value = KeyCondition> {
    let texts = prop_oneof![
        Just("#n = :v"),
        Just("#n = :v AND zz BETWEEN :v AND :v"),
        Just("zz <= :v AND #n = :v"),
        Just("begins_with(zz, :v) AND #n = :v"),
    ];
    (texts, placed_name(), text()).prop_map(|(text, name, value)| {
        parsed(&[("#n", &name)], &[(":v", &AttributeValue::S(value))], |placeholders| {
            placeholders.key_condition(text)
        })
    })
}

fn table_name() -> impl Strategy<Value = TableName> {
    "[a-zA-Z0-9_.-]{3,12}".prop_map(|name| TableName::new(&name).unwrap())
}

fn index_name() -> impl Strategy<Value = IndexName> {
    "[a-zA-Z0-9_.-]{3,12}".prop_map(|name| IndexName::new(&name).unwrap())
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

fn on_failure() -> impl Strategy<Value = ReturnOnFailure> {
    prop_oneof![Just(ReturnOnFailure::None), Just(ReturnOnFailure::AllOld)]
}

fn return_old() -> impl Strategy<Value = ReturnOld> {
    prop_oneof![Just(ReturnOld::None), Just(ReturnOld::AllOld)]
}

fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

fn read_requests() -> impl Strategy<Value = Request> {
    let get = (table_name(), item(), maybe(projection()), any::<bool>(), return_capacity()).prop_map(
        |(table, key, projection, consistent, return_capacity)| {
            Request::GetItem(GetItemInput { table, key, projection, consistent, return_capacity })
        },
    );
    let select = prop_oneof![
        Just(Select::AllAttributes),
        Just(Select::Count),
        projection().prop_map(Select::Specific)
    ];
    let query = (
        (table_name(), maybe(index_name()), key_condition(), maybe(condition()), select.clone()),
        (maybe(1u32..1000), any::<bool>(), any::<bool>(), maybe(item()), return_capacity()),
    )
        .prop_map(
            |(
                (table, index, key_condition, filter, select),
                (limit, consistent, forward, start, return_capacity),
            )| {
                Request::Query(QueryInput {
                    table,
                    index,
                    key_condition,
                    filter,
                    select,
                    limit,
                    consistent,
                    forward,
                    start,
                    return_capacity,
                })
            },
        );
    let segment =
        (0u32..10, 0u32..10).prop_map(|(number, more)| Segment { number, total: number + 1 + more });
    let scan = (
        (table_name(), maybe(index_name()), maybe(condition()), select),
        (maybe(1u32..1000), any::<bool>(), maybe(segment), maybe(item()), return_capacity()),
    )
        .prop_map(
            |((table, index, filter, select), (limit, consistent, segment, start, return_capacity))| {
                Request::Scan(ScanInput {
                    table,
                    index,
                    filter,
                    select,
                    limit,
                    consistent,
                    segment,
                    start,
                    return_capacity,
                })
            },
        );
    let batch = (
        proptest::collection::btree_map(table_name(), (table_keys(), any::<bool>()), 1..3),
        return_capacity(),
    )
        .prop_map(|(tables, return_capacity)| {
            let tables =
                tables.into_iter().map(|(table, (keys, consistent))| of_table(table, keys, consistent));
            Request::BatchGetItem(BatchGetItemInput { tables: tables.collect(), return_capacity })
        });
    let transact_get = (table_name(), item(), maybe(projection()))
        .prop_map(|(table, key, projection)| TransactGet { table, key, projection });
    let transact = (proptest::collection::vec(transact_get, 1..4), return_capacity()).prop_map(
        |(gets, return_capacity)| Request::TransactGetItems(TransactGetItemsInput { gets, return_capacity }),
    );
    prop_oneof![get, query, scan, batch, transact]
}

type Keys = (Vec<Item>, Option<Projection>);

fn table_keys() -> impl Strategy<Value = Keys> {
    let keys = proptest::collection::vec(item(), 1..4).prop_map(|keys| {
        let mut distinct: Vec<Item> = Vec::new();
        for key in keys {
            if !distinct.contains(&key) {
                distinct.push(key);
            }
        }
        distinct
    });
    (keys, maybe(projection()))
}

fn of_table(table: TableName, (keys, projection): Keys, consistent: bool) -> TableKeys {
    TableKeys { table, keys, projection, consistent }
}

fn write_requests() -> impl Strategy<Value = Request> {
    let put = (
        (table_name(), item(), maybe(condition()), return_old()),
        (on_failure(), return_capacity(), return_collection()),
    )
        .prop_map(
            |(
                (table, item, condition, return_values),
                (return_on_failure, return_capacity, return_collection),
            )| {
                Request::PutItem(PutItemInput {
                    table,
                    item,
                    condition,
                    return_values,
                    return_on_failure,
                    return_capacity,
                    return_collection,
                })
            },
        );
    let delete = (
        (table_name(), item(), maybe(condition()), return_old()),
        (on_failure(), return_capacity(), return_collection()),
    )
        .prop_map(
            |(
                (table, key, condition, return_values),
                (return_on_failure, return_capacity, return_collection),
            )| {
                Request::DeleteItem(DeleteItemInput {
                    table,
                    key,
                    condition,
                    return_values,
                    return_on_failure,
                    return_capacity,
                    return_collection,
                })
            },
        );
    let return_values = prop_oneof![
        Just(ReturnValues::None),
        Just(ReturnValues::AllOld),
        Just(ReturnValues::UpdatedOld),
        Just(ReturnValues::AllNew),
        Just(ReturnValues::UpdatedNew)
    ];
    let update_item = (
        (
            table_name(),
            item(),
            prop_oneof![Just(Update::default()), update()],
            maybe(condition()),
            return_values,
        ),
        (on_failure(), return_capacity(), return_collection()),
    )
        .prop_map(
            |(
                (table, key, update, condition, return_values),
                (return_on_failure, return_capacity, return_collection),
            )| {
                Request::UpdateItem(UpdateItemInput {
                    table,
                    key,
                    update,
                    condition,
                    return_values,
                    return_on_failure,
                    return_capacity,
                    return_collection,
                })
            },
        );
    let batch = (table_writes(), return_capacity(), return_collection()).prop_map(
        |(tables, return_capacity, return_collection)| {
            Request::BatchWriteItem(BatchWriteItemInput { tables, return_capacity, return_collection })
        },
    );
    let action = prop_oneof![
        (item(), condition())
            .prop_map(|(key, condition)| (TransactAction::ConditionCheck(key), Some(condition))),
        (item(), maybe(condition())).prop_map(|(item, condition)| (TransactAction::Put(item), condition)),
        (item(), maybe(condition())).prop_map(|(key, condition)| (TransactAction::Delete(key), condition)),
        (item(), update(), maybe(condition()))
            .prop_map(|(key, update, condition)| (TransactAction::Update(key, update), condition)),
    ];
    let action =
        (table_name(), action, on_failure()).prop_map(|(table, (action, condition), return_on_failure)| {
            TransactWrite { table, action, condition, return_on_failure }
        });
    let transact = (
        proptest::collection::vec(action, 1..4),
        maybe("[a-z0-9-]{1,36}"),
        return_capacity(),
        return_collection(),
    )
        .prop_map(|(actions, token, return_capacity, return_collection)| {
            Request::TransactWriteItems(TransactWriteItemsInput {
                actions,
                token,
                return_capacity,
                return_collection,
            })
        });
    prop_oneof![put, delete, update_item, batch, transact]
}

fn table_writes() -> impl Strategy<Value = Vec<(TableName, Vec<BatchWrite>)>> {
    let write = prop_oneof![item().prop_map(BatchWrite::Put), item().prop_map(BatchWrite::Delete)];
    proptest::collection::btree_map(table_name(), proptest::collection::vec(write, 1..4), 1..3)
        .prop_map(|tables| tables.into_iter().collect())
}

fn capacity() -> impl Strategy<Value = Capacity> {
    (0u32..1000, maybe(0u32..1000), maybe(0u32..1000)).prop_map(|(units, read, write)| Capacity {
        units: f64::from(units) / 2.0,
        read_units: read.map(|units| f64::from(units) / 2.0),
        write_units: write.map(f64::from),
    })
}

fn consumed() -> impl Strategy<Value = ConsumedCapacity> {
    let indexes = || proptest::collection::btree_map("[a-z]{3,5}", capacity(), 0..3);
    (table_name(), capacity(), maybe(capacity()), indexes(), indexes()).prop_map(
        |(table, total, own, local, global)| ConsumedCapacity {
            table: table.to_string(),
            total,
            own,
            local,
            global,
        },
    )
}

fn collection() -> impl Strategy<Value = ItemCollectionMetrics> {
    (item(), 0u32..20).prop_map(|(key, low)| ItemCollectionMetrics {
        key,
        size_range_gb: (f64::from(low) / 2.0, f64::from(low) / 2.0 + 1.0),
    })
}

fn body() -> impl Strategy<Value = ItemBody> {
    item().prop_map(|item| ItemBody::Tree(Arc::new(item)))
}

fn page() -> impl Strategy<Value = Page> {
    (maybe(proptest::collection::vec(body(), 0..3)), 0u32..99, 0u32..99, maybe(item()), maybe(consumed()))
        .prop_map(|(items, count, scanned_count, last_key, capacity)| Page {
            items,
            count,
            scanned_count,
            last_key,
            capacity,
        })
}

fn responses() -> impl Strategy<Value = Response> {
    let get = (maybe(body()), maybe(consumed()))
        .prop_map(|(item, capacity)| Response::GetItem(GetItemOutput { item, capacity }));
    let update = (maybe(item()), maybe(consumed()), maybe(collection())).prop_map(
        |(attributes, capacity, collection)| {
            Response::UpdateItem(UpdateItemOutput { attributes, capacity, collection })
        },
    );
    let many = || proptest::collection::vec(consumed(), 0..3);
    let collections = || {
        proptest::collection::btree_map(table_name(), proptest::collection::vec(collection(), 1..3), 0..2)
            .prop_map(|tables| tables.into_iter().collect::<Vec<_>>())
    };
    let batch_get = (
        proptest::collection::btree_map(table_name(), proptest::collection::vec(body(), 0..3), 0..3),
        proptest::collection::btree_map(table_name(), (table_keys(), any::<bool>()), 0..3),
        many(),
    )
        .prop_map(|(responses, unprocessed, capacity)| {
            let unprocessed =
                unprocessed.into_iter().map(|(table, (keys, consistent))| of_table(table, keys, consistent));
            Response::BatchGetItem(BatchGetItemOutput {
                responses: responses.into_iter().collect(),
                unprocessed: unprocessed.collect(),
                capacity,
            })
        });
    let batch_write = (prop_oneof![Just(Vec::new()), table_writes()], many(), collections()).prop_map(
        |(unprocessed, capacity, collections)| {
            Response::BatchWriteItem(BatchWriteItemOutput { unprocessed, capacity, collections })
        },
    );
    let transact_get = (proptest::collection::vec(maybe(body()), 0..3), many())
        .prop_map(|(items, capacity)| Response::TransactGetItems(TransactGetItemsOutput { items, capacity }));
    let transact_write = (many(), collections()).prop_map(|(capacity, collections)| {
        Response::TransactWriteItems(TransactWriteItemsOutput { capacity, collections })
    });
    let list = (proptest::collection::vec("[a-z]{3}", 0..3), maybe("[a-z]{3}"))
        .prop_map(|(names, last)| Response::ListTables(ListTablesOutput { names, last }));
    let tags =
        (proptest::collection::vec((text(), text()), 0..3), maybe(text())).prop_map(|(tags, next_token)| {
            Response::ListTagsOfResource(ListTagsOfResourceOutput { tags, next_token })
        });
    let describe =
        description().prop_map(|description| Response::DescribeTable(DescribeTableOutput { description }));
    let delete =
        description().prop_map(|description| Response::DeleteTable(DeleteTableOutput { description }));
    prop_oneof![
        get,
        update,
        page().prop_map(Response::Query),
        page().prop_map(Response::Scan),
        batch_get,
        batch_write,
        transact_get,
        transact_write,
        list,
        tags,
        describe,
        delete
    ]
}

fn key_attribute(name: &str, value_type: ValueType) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), value_type }
}

/// A table with an index of each kind. Ids, generation and tags do not travel.
fn description() -> impl Strategy<Value = TableDescription> {
    let projection = prop_oneof![
        Just(IndexProjection::All),
        Just(IndexProjection::KeysOnly),
        proptest::collection::vec(name(), 1..3).prop_map(IndexProjection::Include)
    ];
    let statuses = prop_oneof![
        Just(Status::Creating),
        Just(Status::Active),
        Just(Status::Updating),
        Just(Status::Deleting)
    ];
    (
        (table_name(), index_name(), projection, statuses, any::<bool>(), any::<bool>()),
        (0u64..1 << 42, any::<u128>(), 0u64..1000, 0u64..1000, any::<bool>()),
    )
        .prop_map(
            |(
                (table, index, projection, status, provisioned, flag),
                (created_millis, uuid, items, bytes, class),
            )| {
                let partition = key_attribute("p", ValueType::S);
                let sort = key_attribute("s", ValueType::N);
                let other = key_attribute("o", ValueType::B);
                let units = if provisioned { 7 } else { 0 };
                let throughput = Throughput { read_units: units, write_units: units };
                let local = Index {
                    id: IndexId(0),
                    name: IndexName::new("local").unwrap(),
                    kind: IndexKind::Local,
                    key: KeySchema { partition: partition.clone(), sort: Some(other.clone()) },
                    projection: IndexProjection::KeysOnly,
                    status: Status::Active,
                    backfilling: false,
                    throughput: Throughput::default(),
                };
                let global = Index {
                    id: IndexId(0),
                    name: index,
                    kind: IndexKind::Global,
                    key: KeySchema { partition: other.clone(), sort: None },
                    projection,
                    status,
                    backfilling: flag,
                    throughput,
                };
                let table = Table {
                    id: TableId(0),
                    name: table,
                    generation: 0,
                    status,
                    key: KeySchema { partition: partition.clone(), sort: Some(sort.clone()) },
                    attributes: vec![partition, sort, other],
                    indexes: vec![local, global],
                    billing: if provisioned { BillingMode::Provisioned } else { BillingMode::PayPerRequest },
                    throughput,
                    deletion_protection: flag,
                    table_class: class.then(|| "STANDARD".to_owned()),
                    tags: BTreeMap::new(),
                    created_millis,
                    uuid,
                };
                let size = Size { items, bytes };
                TableDescription { table: Arc::new(table), size, index_sizes: vec![size, Size::default()] }
            },
        )
}

proptest! {
    #[test]
    fn reads_are_decoded_as_they_were_encoded(request in read_requests()) {
        let body = encode_request(&request);
        let again = decode_request(request.kind(), &body);
        prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(request), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn writes_are_decoded_as_they_were_encoded(request in write_requests()) {
        let body = encode_request(&request);
        let again = decode_request(request.kind(), &body);
        prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(request), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn answers_are_decoded_as_they_were_encoded(response in responses()) {
        let op = match &response {
            Response::GetItem(_) => api::OpKind::GetItem,
            Response::UpdateItem(_) => api::OpKind::UpdateItem,
            Response::Query(_) => api::OpKind::Query,
            Response::Scan(_) => api::OpKind::Scan,
            Response::BatchGetItem(_) => api::OpKind::BatchGetItem,
            Response::BatchWriteItem(_) => api::OpKind::BatchWriteItem,
            Response::TransactGetItems(_) => api::OpKind::TransactGetItems,
            Response::TransactWriteItems(_) => api::OpKind::TransactWriteItems,
            Response::ListTables(_) => api::OpKind::ListTables,
            Response::ListTagsOfResource(_) => api::OpKind::ListTagsOfResource,
            Response::DescribeTable(_) => api::OpKind::DescribeTable,
            _ => api::OpKind::DeleteTable,
        };
        let body = encode_response(&response).unwrap();
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        let again = decode_response(op, &body);
        prop_assert_eq!(again.map_err(|error| error.to_string()), Ok(response), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn an_item_is_the_same_text_encoded_or_decoded(item in item()) {
        let mut from_tree = Vec::new();
        write_item(&item, &mut from_tree);
        let mut from_encoded = Vec::new();
        encode_item_json(&ItemBody::Encoded(EncodedItem::encode(&item)), &mut from_encoded);
        prop_assert_eq!(String::from_utf8(from_encoded).unwrap(), String::from_utf8(from_tree).unwrap());
    }
}

#[test]
fn tables_are_decoded_as_they_were_encoded() {
    let table = TableName::new("Music").unwrap();
    let partition = key_attribute("p", ValueType::S);
    let sort = key_attribute("s", ValueType::N);
    let other = key_attribute("o", ValueType::B);
    let throughput = Throughput { read_units: 3, write_units: 4 };
    let local = NewIndex {
        name: IndexName::new("local").unwrap(),
        kind: IndexKind::Local,
        key: KeySchema { partition: partition.clone(), sort: Some(other.clone()) },
        projection: IndexProjection::Include(vec!["x".to_owned()]),
        throughput: Throughput::default(),
    };
    let global = NewIndex {
        name: IndexName::new("global").unwrap(),
        kind: IndexKind::Global,
        key: KeySchema { partition: other.clone(), sort: None },
        projection: IndexProjection::All,
        throughput,
    };
    let create = CreateTableInput {
        table: table.clone(),
        attributes: vec![partition.clone(), sort.clone(), other.clone()],
        key: KeySchema { partition, sort: Some(sort) },
        indexes: vec![local, global.clone()],
        billing: BillingMode::Provisioned,
        throughput,
        deletion_protection: true,
        table_class: Some("STANDARD".to_owned()),
        tags: vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), String::new())],
    };
    let update = UpdateTableInput {
        table: table.clone(),
        attributes: vec![other],
        billing: Some(BillingMode::PayPerRequest),
        throughput: None,
        index_updates: vec![
            IndexUpdate::Create(global),
            IndexUpdate::Update(IndexName::new("other").unwrap(), throughput),
            IndexUpdate::Delete(IndexName::new("gone").unwrap()),
        ],
        deletion_protection: Some(false),
        table_class: None,
    };
    let requests: [Request; 10] = [
        create.into(),
        update.into(),
        DeleteTableInput { table: table.clone() }.into(),
        DescribeTableInput { table: table.clone() }.into(),
        ListTablesInput { start: Some("abc".to_owned()), limit: Some(7) }.into(),
        DescribeLimitsInput.into(),
        DescribeEndpointsInput.into(),
        TagResourceInput { table: table.clone(), tags: vec![("k".to_owned(), "v".to_owned())] }.into(),
        UntagResourceInput { table: table.clone(), keys: vec!["k".to_owned()] }.into(),
        ListTagsOfResourceInput { table, next_token: None }.into(),
    ];
    let mut kinds = BTreeSet::new();
    for request in requests {
        let body = encode_request(&request);
        assert_eq!(
            decode_request(request.kind(), &body).unwrap(),
            request,
            "{}",
            String::from_utf8_lossy(&body)
        );
        kinds.insert(request.kind());
    }
    assert_eq!(kinds.len(), 10);
}

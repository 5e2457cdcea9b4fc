//! There and back: values and items of any shape, and requests and answers of every operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::expr::{Author, ExpressionKind, Placeholders};
use api::op::query::Select;
use api::op::transact_write_items::{TransactAction, TransactWrite};
use api::op::*;
use api::schema::{
    BillingMode, Index, IndexId, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status,
    Table, Throughput,
};
use api::value::ValueType;
use api::{
    AttributeValue, EncodedItem, Item, ItemBody, Number, OpKind, Request, Response, TableId, TableName,
};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use super::super::value::{WireItem, WireValue};
use super::super::{Question, decode_request, decode_response, encode_request, encode_response};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-c\\n\\t\\u{0}\"\\\\]{0,4}"]
}

fn number() -> impl Strategy<Value = Number> {
    (-1_000_000_000_000i64..1_000_000_000_000, -100i32..100)
        .prop_map(|(mantissa, exponent)| Number::from_parts(i128::from(mantissa), exponent).unwrap())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(0u8.., 0..200).prop_map(Bytes::from)
}

fn value() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        proptest::collection::btree_set(text(), 1..4).prop_map(AttributeValue::Ss),
        proptest::collection::btree_set(number(), 1..4).prop_map(AttributeValue::Ns),
        proptest::collection::btree_set(bytes(), 1..4).prop_map(AttributeValue::Bs),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::btree_map(".{1,6}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn item() -> impl Strategy<Value = Item> {
    proptest::collection::btree_map(".{1,6}", value(), 0..5).prop_map(Item)
}

proptest! {
    #[test]
    fn an_item_comes_back_from_its_tree_and_from_its_encoded_form(item in item()) {
        let from_tree = WireItem::from(&item).encode_to_vec();
        prop_assert_eq!(WireItem::decode(&from_tree[..]).unwrap().into_item(), Ok(item.clone()));
        let from_encoded = WireItem::from(&EncodedItem::encode(&item)).encode_to_vec();
        prop_assert_eq!(&from_encoded, &from_tree);
        // What was read is written the same.
        prop_assert_eq!(WireItem::decode(&from_tree[..]).unwrap().encode_to_vec(), from_tree);
    }

    #[test]
    fn a_value_comes_back(value in value()) {
        let bytes = WireValue::from(&value).encode_to_vec();
        prop_assert_eq!(WireValue::decode(&bytes[..]).unwrap().into_unchecked().check(), Ok(value));
    }

    #[test]
    fn a_put_with_a_condition_comes_back(item in item(), value in value()) {
        let condition = {
            let values = BTreeMap::from([(":v".to_owned(), value)]);
            let names = BTreeMap::from([("#n".to_owned(), "size".to_owned())]);
            let mut placeholders = Placeholders::new(Some(names), Some(values)).unwrap();
            placeholders.condition(ExpressionKind::Condition, "#n.a[3] = :v OR NOT attribute_exists(b)").unwrap()
        };
        let input = PutItemInput { condition: Some(condition), ..put(item) };
        there_and_back(input.into());
    }

    #[test]
    fn a_page_comes_back(items in proptest::collection::vec(item(), 0..4), last in proptest::option::of(item())) {
        let count = items.len() as u32;
        let items = items.into_iter().map(|item| ItemBody::Tree(Arc::new(item))).collect();
        let page = Page { items: Some(items), count, scanned_count: count + 7, last_key: last, capacity: None };
        back(Question { op: OpKind::Query, counts: false }, Response::Query(page.clone()));
        back(Question { op: OpKind::Scan, counts: false }, Response::Scan(page.clone()));
        let counted = Page { items: None, ..page };
        back(Question { op: OpKind::Query, counts: true }, Response::Query(counted));
    }
}

fn there_and_back(request: Request) {
    let mut message = Vec::new();
    encode_request(&request, &mut message);
    let message = bytes::Bytes::from(message);
    for author in [Author::Client, Author::Node] {
        assert_eq!(decode_request(request.kind(), message.clone(), author).as_ref(), Ok(&request));
    }
}

fn back(question: Question, response: Response) {
    let mut message = Vec::new();
    encode_response(&response, &mut message).unwrap();
    assert_eq!(decode_response(question, message.into()), Ok(response));
}

fn table_name() -> TableName {
    TableName::new("orders").unwrap()
}

fn index_name() -> IndexName {
    IndexName::new("by-day").unwrap()
}

fn key() -> Item {
    Item::new().with("pk", AttributeValue::S("a".into())).with("sk", AttributeValue::N(Number::from(7)))
}

fn put(item: Item) -> PutItemInput {
    PutItemInput {
        table: table_name(),
        item,
        condition: None,
        return_values: ReturnOld::AllOld,
        return_on_failure: ReturnOnFailure::AllOld,
        return_capacity: ReturnConsumedCapacity::Indexes,
        return_collection: ReturnItemCollectionMetrics::Size,
    }
}

fn placeholders() -> Placeholders {
    let names = [("#a", "a"), ("#s", "size")].map(|(key, name)| (key.to_owned(), name.to_owned()));
    let values =
        [(":a", 1), (":b", 2)].map(|(key, number)| (key.to_owned(), AttributeValue::N(Number::from(number))));
    Placeholders::new(Some(names.into()), Some(values.into())).unwrap()
}

/// At least one request of every operation, with everything in it that the wire can say.
pub(super) fn requests() -> Vec<Request> {
    let projection = Some(placeholders().projection("#a.b[2], #s").unwrap());
    let condition =
        Some(placeholders().condition(ExpressionKind::Condition, "#a BETWEEN :a AND :b").unwrap());
    let filter = Some(placeholders().condition(ExpressionKind::Filter, "size(#s) IN (:a, :b)").unwrap());
    let update = placeholders().update("SET #a = :a - :b REMOVE #s ADD c :a").unwrap();
    let key_condition = placeholders().key_condition("#a = :a AND sk > :b").unwrap();
    let return_capacity = ReturnConsumedCapacity::Total;
    let return_collection = ReturnItemCollectionMetrics::Size;
    let key_attribute = |name: &str, value_type| KeyAttribute { name: name.to_owned(), value_type };
    let key_schema = KeySchema {
        partition: key_attribute("pk", ValueType::S),
        sort: Some(key_attribute("sk", ValueType::N)),
    };
    let attributes = vec![key_attribute("pk", ValueType::S), key_attribute("sk", ValueType::N)];
    let throughput = Throughput { read_units: 5, write_units: 6 };
    let index = |name: &str, kind, projection| NewIndex {
        name: IndexName::new(name).unwrap(),
        kind,
        key: key_schema.clone(),
        projection,
        throughput: if kind == IndexKind::Global { throughput } else { Throughput::default() },
    };
    let action = |action| TransactWrite {
        table: table_name(),
        action,
        condition: condition.clone(),
        return_on_failure: ReturnOnFailure::AllOld,
    };
    let query = |select, index: Option<IndexName>| QueryInput {
        table: table_name(),
        index,
        key_condition: key_condition.clone(),
        filter: filter.clone(),
        select,
        limit: Some(10),
        consistent: true,
        forward: false,
        start: Some(key()),
        return_capacity,
    };
    let mut requests: Vec<Request> = vec![
        GetItemInput {
            table: table_name(),
            key: key(),
            projection: projection.clone(),
            consistent: true,
            return_capacity,
        }
        .into(),
        put(key()).into(),
        DeleteItemInput {
            table: table_name(),
            key: key(),
            condition: condition.clone(),
            return_values: ReturnOld::AllOld,
            return_on_failure: ReturnOnFailure::AllOld,
            return_capacity,
            return_collection,
        }
        .into(),
        query(Select::AllAttributes, None).into(),
        query(Select::AllAttributes, Some(index_name())).into(),
        query(Select::AllProjected, Some(index_name())).into(),
        query(Select::Count, None).into(),
        query(Select::Specific(projection.clone().unwrap()), None).into(),
        ScanInput {
            table: table_name(),
            index: Some(index_name()),
            filter,
            select: Select::AllProjected,
            limit: None,
            consistent: false,
            segment: Some(Segment { number: 3, total: 9 }),
            start: Some(key()),
            return_capacity,
        }
        .into(),
        BatchGetItemInput {
            tables: vec![TableKeys {
                table: table_name(),
                keys: vec![key()],
                projection: projection.clone(),
                consistent: true,
            }],
            return_capacity,
        }
        .into(),
        BatchWriteItemInput {
            tables: vec![(table_name(), vec![BatchWrite::Put(key()), BatchWrite::Delete(key())])],
            return_capacity,
            return_collection,
        }
        .into(),
        TransactGetItemsInput {
            gets: vec![TransactGet { table: table_name(), key: key(), projection }],
            return_capacity,
        }
        .into(),
        TransactWriteItemsInput {
            actions: vec![
                action(TransactAction::ConditionCheck(key())),
                action(TransactAction::Put(key())),
                action(TransactAction::Delete(key())),
                action(TransactAction::Update(key(), update.clone())),
            ],
            token: Some("token".to_owned()),
            return_capacity,
            return_collection,
        }
        .into(),
        CreateTableInput {
            table: table_name(),
            attributes: attributes.clone(),
            key: key_schema.clone(),
            indexes: vec![
                index("local", IndexKind::Local, IndexProjection::KeysOnly),
                index("global", IndexKind::Global, IndexProjection::Include(vec!["x".to_owned()])),
            ],
            billing: BillingMode::Provisioned,
            throughput,
            deletion_protection: true,
            table_class: Some("STANDARD".to_owned()),
            tags: vec![("k".to_owned(), "v".to_owned())],
        }
        .into(),
        UpdateTableInput {
            table: table_name(),
            attributes,
            billing: Some(BillingMode::Provisioned),
            throughput: Some(throughput),
            index_updates: vec![
                IndexUpdate::Create(index("new", IndexKind::Global, IndexProjection::All)),
                IndexUpdate::Update(index_name(), throughput),
                IndexUpdate::Delete(IndexName::new("old").unwrap()),
            ],
            deletion_protection: Some(false),
            table_class: None,
        }
        .into(),
        DeleteTableInput { table: table_name() }.into(),
        DescribeTableInput { table: table_name() }.into(),
        ListTablesInput { start: Some("abc".to_owned()), limit: Some(5) }.into(),
        DescribeLimitsInput.into(),
        DescribeEndpointsInput.into(),
        TagResourceInput { table: table_name(), tags: vec![("k".to_owned(), "v".to_owned())] }.into(),
        UntagResourceInput { table: table_name(), keys: vec!["k".to_owned()] }.into(),
        ListTagsOfResourceInput { table: table_name(), next_token: Some("next".to_owned()) }.into(),
    ];
    for return_values in [
        ReturnValues::None,
        ReturnValues::AllOld,
        ReturnValues::UpdatedOld,
        ReturnValues::AllNew,
        ReturnValues::UpdatedNew,
    ] {
        requests.push(
            UpdateItemInput {
                table: table_name(),
                key: key(),
                update: update.clone(),
                condition: condition.clone(),
                return_values,
                return_on_failure: ReturnOnFailure::None,
                return_capacity,
                return_collection,
            }
            .into(),
        );
    }
    requests
}

#[test]
fn a_request_of_every_operation_comes_back() {
    let requests = requests();
    for op in OpKind::ALL {
        assert!(requests.iter().any(|request| request.kind() == *op), "{op:?}");
    }
    requests.into_iter().for_each(there_and_back);
}

fn description() -> TableDescription {
    let key_attribute = |name: &str| KeyAttribute { name: name.to_owned(), value_type: ValueType::S };
    let key = KeySchema { partition: key_attribute("pk"), sort: Some(key_attribute("sk")) };
    let index = |name: &str, kind| Index {
        id: IndexId(0),
        name: IndexName::new(name).unwrap(),
        kind,
        key: key.clone(),
        projection: IndexProjection::Include(vec!["x".to_owned()]),
        status: if kind == IndexKind::Global { Status::Creating } else { Status::Active },
        backfilling: kind == IndexKind::Global,
        throughput: Throughput::default(),
    };
    let table = Table {
        id: TableId(0),
        name: table_name(),
        generation: 0,
        status: Status::Updating,
        key: key.clone(),
        attributes: vec![key_attribute("pk"), key_attribute("sk")],
        indexes: vec![index("local", IndexKind::Local), index("global", IndexKind::Global)],
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: true,
        table_class: Some("STANDARD".to_owned()),
        tags: BTreeMap::new(),
        created_millis: 1_700_000_000_123,
        uuid: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    };
    let size = |items| Size { items, bytes: items * 100 };
    TableDescription { table: Arc::new(table), size: size(9), index_sizes: vec![size(1), size(2)] }
}

fn capacity() -> ConsumedCapacity {
    let units = |units| Capacity { units, read_units: Some(units / 2.0), write_units: None };
    ConsumedCapacity {
        table: "orders".to_owned(),
        total: units(3.5),
        own: Some(units(1.0)),
        local: BTreeMap::from([("local".to_owned(), units(0.5))]),
        global: BTreeMap::from([("global".to_owned(), units(2.0))]),
    }
}

/// At least one answer of every operation, with everything in it that the wire can say.
pub(super) fn responses() -> Vec<(OpKind, Response)> {
    let (attributes, capacity) = (Some(key()), Some(capacity()));
    let metrics = ItemCollectionMetrics { key: key(), size_range_gb: (0.0, 1.0) };
    let collection = Some(metrics.clone());
    let collections = vec![(table_name(), vec![metrics])];
    let all = vec![capacity.clone().unwrap()];
    let body = || ItemBody::Tree(Arc::new(key()));
    let description = description();
    let keys = TableKeys { table: table_name(), keys: vec![key()], projection: None, consistent: true };
    let responses = [
        Response::GetItem(GetItemOutput { item: Some(body()), capacity: capacity.clone() }),
        Response::GetItem(GetItemOutput { item: Some(ItemBody::Tree(Arc::default())), capacity: None }),
        Response::GetItem(GetItemOutput::default()),
        Response::PutItem(PutItemOutput {
            attributes: attributes.clone(),
            capacity: capacity.clone(),
            collection: collection.clone(),
        }),
        Response::DeleteItem(DeleteItemOutput {
            attributes: attributes.clone(),
            capacity: capacity.clone(),
            collection: collection.clone(),
        }),
        Response::UpdateItem(UpdateItemOutput { attributes, capacity: capacity.clone(), collection }),
        Response::Query(Page {
            items: Some(vec![body()]),
            count: 1,
            scanned_count: 2,
            last_key: Some(key()),
            capacity,
        }),
        Response::Scan(Page {
            items: Some(vec![]),
            count: 0,
            scanned_count: 0,
            last_key: None,
            capacity: None,
        }),
        Response::BatchGetItem(BatchGetItemOutput {
            responses: vec![(table_name(), vec![body(), body()])],
            unprocessed: vec![keys],
            capacity: all.clone(),
        }),
        Response::BatchWriteItem(BatchWriteItemOutput {
            unprocessed: vec![(table_name(), vec![BatchWrite::Put(key()), BatchWrite::Delete(key())])],
            capacity: all.clone(),
            collections: collections.clone(),
        }),
        Response::TransactGetItems(TransactGetItemsOutput {
            items: vec![Some(body()), None],
            capacity: all.clone(),
        }),
        Response::TransactWriteItems(TransactWriteItemsOutput { capacity: all, collections }),
        Response::CreateTable(CreateTableOutput { description: description.clone() }),
        Response::UpdateTable(UpdateTableOutput { description: description.clone() }),
        Response::DeleteTable(DeleteTableOutput { description: description.clone() }),
        Response::DescribeTable(DescribeTableOutput { description }),
        Response::ListTables(ListTablesOutput {
            names: vec!["a-b".to_owned()],
            last: Some("a-b".to_owned()),
        }),
        Response::DescribeLimits(DescribeLimitsOutput {
            account_read_units: 1,
            account_write_units: 2,
            table_read_units: 3,
            table_write_units: 4,
        }),
        Response::DescribeEndpoints(DescribeEndpointsOutput {
            endpoints: vec![Endpoint { address: String::new(), cache_period_minutes: 1440 }],
        }),
        Response::TagResource(TagResourceOutput),
        Response::UntagResource(UntagResourceOutput),
        Response::ListTagsOfResource(ListTagsOfResourceOutput {
            tags: vec![("k".to_owned(), "v".to_owned())],
            next_token: Some("next".to_owned()),
        }),
    ];
    let of = |response: Response| {
        let name = format!("{response:?}");
        let is_of = |op: &&OpKind| name.strip_prefix(op.name()).is_some_and(|rest| rest.starts_with('('));
        (*OpKind::ALL.iter().find(is_of).expect("each is of an operation"), response)
    };
    responses.into_iter().map(of).collect()
}

#[test]
fn an_answer_of_every_operation_comes_back() {
    let responses = responses();
    for op in OpKind::ALL {
        assert!(responses.iter().any(|(of, _)| of == op), "{op:?}");
    }
    for (op, response) in responses {
        back(Question { op, counts: false }, response);
    }
}

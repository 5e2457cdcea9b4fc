//! What the checks say, and in which order, where a body in JSON would only be in the way.

use super::batch_get_item::{BatchGetItemUnchecked, TableKeysUnchecked};
use super::batch_write_item::{BatchWriteItemUnchecked, BatchWriteUnchecked};
use super::create_table::{CreateTableUnchecked, StreamUnchecked};
use super::get_item::GetItemUnchecked;
use super::index_definition::{
    AttributeDefinitionUnchecked, IndexUnchecked, KeyElementUnchecked, ProjectionUnchecked, TagUnchecked,
    ThroughputUnchecked,
};
use super::legacy::{AttributeUpdateUnchecked, ConditionUnchecked};
use super::list_tables::ListTablesUnchecked;
use super::put_item::PutItemUnchecked;
use super::query::{QueryUnchecked, Select};
use super::scan::ScanUnchecked;
use super::tag_resource::TagResourceUnchecked;
use super::transact_write_items::{
    TransactActionUnchecked, TransactWriteItemsUnchecked, TransactWriteUnchecked,
};
use super::unchecked::{Unchecked, Values};
use super::update_item::UpdateItemUnchecked;
use super::update_table::UpdateTableUnchecked;
use crate::error::{Error, ErrorKind};
use crate::item::Item;
use crate::schema::{BillingMode, IndexKind};
use crate::value::AttributeValue;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn key(value: &str) -> Option<Unchecked<Item>> {
    Some(Unchecked::sound(Item::new().with("k", s(value))))
}

fn values() -> Option<Values> {
    Some(Values::from([(":v".to_owned(), Unchecked::sound(s("x")))]))
}

#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T, Error>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind, &*error.message), (ErrorKind::ValidationException, message));
}

fn put() -> PutItemUnchecked {
    PutItemUnchecked { table: text("Music"), item: key("a"), ..PutItemUnchecked::default() }
}

fn query() -> QueryUnchecked {
    QueryUnchecked {
        table: text("Music"),
        key_condition: text("k = :v"),
        values: values(),
        ..QueryUnchecked::default()
    }
}

fn scan() -> ScanUnchecked {
    ScanUnchecked { table: text("Music"), ..ScanUnchecked::default() }
}

#[test]
fn a_table_may_be_named_by_its_arn() {
    let named =
        |name: &str| GetItemUnchecked { table: text(name), key: key("a"), ..Default::default() }.check();
    let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/Music";
    assert_eq!(named(arn).unwrap().table.as_str(), "Music");
    invalid(
        named("arn:aws:s3:::bucket"),
        "1 validation error detected: Value 'arn:aws:s3:::bucket' at 'tableName' failed to satisfy constraint: Member \
         must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    );
}

#[test]
fn an_empty_table_name_is_reported_by_itself() {
    let request = PutItemUnchecked { table: text(""), return_values: text("x"), ..Default::default() };
    invalid(
        request.check(),
        "1 validation error detected: Value '' at 'tableName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1",
    );
}

#[test]
fn no_more_than_ten_violations_are_reported() {
    let attributes = (0..20).map(|_| AttributeDefinitionUnchecked::default()).collect();
    let request = CreateTableUnchecked { attributes: Some(attributes), ..Default::default() };
    let message = request.check().unwrap_err().message;
    assert!(message.starts_with("10 validation errors detected: Value null at "), "{message}");
    assert_eq!(message.matches("failed to satisfy").count(), 10);
}

#[test]
fn expressions_and_legacy_parameters_do_not_mix() {
    let mixed = PutItemUnchecked {
        condition: text("a = :v"),
        values: values(),
        expected: Some([("a".to_owned(), ConditionUnchecked::default())].into()),
        ..put()
    };
    invalid(
        mixed.check(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {Expected} Expression parameters: {ConditionExpression}",
    );
    let mixed = QueryUnchecked {
        attributes_to_get: Some(vec!["a".to_owned()]),
        projection: text("b"),
        conditional_operator: text("OR"),
        ..query()
    };
    invalid(
        mixed.check(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {AttributesToGet, ConditionalOperator} Expression parameters: {ProjectionExpression, KeyConditionExpression}",
    );
}

#[test]
fn placeholders_need_an_expression() {
    let named = PutItemUnchecked { names: Some([("#a".to_owned(), "a".to_owned())].into()), ..put() };
    invalid(named.check(), "ExpressionAttributeNames can only be specified when using expressions");
    invalid(
        PutItemUnchecked { values: values(), ..put() }.check(),
        "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
    );
    let update =
        UpdateItemUnchecked { table: text("Music"), key: key("a"), values: values(), ..Default::default() };
    invalid(
        update.check(),
        "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and \
         ConditionExpression are null",
    );
    let problem = Error::validation("bad");
    let wrong = Values::from([(":v".to_owned(), Unchecked::new(s("x"), Some(problem)))]);
    invalid(
        PutItemUnchecked { condition: text("a = :v"), values: Some(wrong), ..put() }.check(),
        "ExpressionAttributeValues contains invalid value: bad for key :v",
    );
}

#[test]
fn a_put_returns_only_what_it_replaced() {
    let asks = |what: &str| PutItemUnchecked { return_values: text(what), ..put() }.check();
    assert!(asks("ALL_OLD").is_ok());
    invalid(asks("ALL_NEW"), "ReturnValues can only be ALL_OLD or NONE");
}

#[test]
fn an_item_may_be_as_large_as_the_limit_and_no_larger() {
    let item = |bytes: usize| Some(Unchecked::sound(Item::new().with("k", s(&"x".repeat(bytes - 1)))));
    let limit = crate::limits::ITEM_BYTES;
    assert!(PutItemUnchecked { item: item(limit), ..put() }.check().is_ok());
    invalid(
        PutItemUnchecked { item: item(limit + 1), ..put() }.check(),
        "Item size has exceeded the maximum allowed size",
    );
}

#[test]
fn what_is_selected_must_fit_what_is_projected() {
    let asks = |select: &str, projection: Option<&str>| {
        QueryUnchecked { select: text(select), projection: projection.map(str::to_owned), ..query() }.check()
    };
    invalid(
        asks("SPECIFIC_ATTRIBUTES", None),
        "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to get \
         SPECIFIC_ATTRIBUTES",
    );
    assert!(matches!(asks("SPECIFIC_ATTRIBUTES", Some("a")).unwrap().select, Select::Specific(_)));
    assert!(asks("ALL_ATTRIBUTES", Some("a")).is_err());
    assert!(asks("COUNT", Some("a")).is_err());
    assert!(asks("ALL_PROJECTED_ATTRIBUTES", None).is_err());
    invalid(
        ScanUnchecked { select: text("SPECIFIC_ATTRIBUTES"), ..scan() }.check(),
        "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
    );
    assert_eq!(query().check().unwrap().select, Select::AllAttributes);
    let on_index = QueryUnchecked { index: text("ByYear"), ..query() };
    assert_eq!(on_index.check().unwrap().select, Select::AllProjected);
}

#[test]
fn a_query_needs_a_key_condition_and_a_limit_above_zero() {
    let none = QueryUnchecked { key_condition: None, values: None, ..query() };
    invalid(
        none.check(),
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    );
    invalid(
        QueryUnchecked { limit: Some(0), ..query() }.check(),
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater \
         than or equal to 1",
    );
}

#[test]
fn faults_of_a_start_key_are_reported_as_the_keys() {
    let start = |message: &'static str| {
        let wrong = Unchecked::new(Item::new(), Some(Error::validation(message)));
        ScanUnchecked { start: Some(wrong), ..scan() }.check()
    };
    invalid(start("odd"), "The provided starting key is invalid: odd");
    invalid(start("Input collection contains duplicates"), "Input collection contains duplicates");
}

#[test]
fn segments_come_in_pairs_and_from_zero() {
    let asks = |segment, total_segments| ScanUnchecked { segment, total_segments, ..scan() }.check();
    assert!(asks(Some(3), Some(4)).is_ok());
    invalid(
        asks(Some(4), Some(4)),
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than \
         TotalSegments: 4",
    );
    invalid(
        asks(Some(0), None),
        "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
    );
    invalid(
        asks(None, Some(1)),
        "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
    );
    assert!(asks(Some(0), Some(1_000_001)).is_err());
}

#[test]
fn a_batch_has_neither_equal_keys_nor_too_many() {
    let batch = |keys: Vec<Unchecked<Item>>| {
        let keys = TableKeysUnchecked { keys: Some(keys), ..Default::default() };
        BatchGetItemUnchecked { tables: Some(vec![("Music".to_owned(), keys)]), return_capacity: None }
            .check()
    };
    let numbered = |count: usize| (0..count).filter_map(|at| key(&at.to_string())).collect::<Vec<_>>();
    assert_eq!(batch(numbered(100)).unwrap().tables[0].keys.len(), 100);
    assert!(batch(numbered(101)).is_err());
    let twice = key("a").into_iter().chain(key("a")).collect();
    invalid(batch(twice), "Provided list of item keys contains duplicates");
    let none = BatchGetItemUnchecked { tables: Some(Vec::new()), return_capacity: None };
    invalid(none.check(), "The requestItems parameter is required for BatchGetItem");
}

#[test]
fn a_batch_of_writes_has_one_to_twenty_five() {
    let batch = |count: usize| {
        let writes = (0..count).map(|_| BatchWriteUnchecked { put: Some(key("a")), delete: None }).collect();
        let tables = Some(vec![("Music".to_owned(), writes)]);
        BatchWriteItemUnchecked { tables, ..Default::default() }.check()
    };
    assert!(batch(25).is_ok());
    for count in [0, 26] {
        let message = batch(count).unwrap_err().message;
        assert!(
            message.ends_with(
                "at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have \
                 length less than or equal to 25, Member must have length greater than or equal to 1]"
            ),
            "{message}"
        );
    }
}

#[test]
fn an_action_of_a_transaction_is_one_thing() {
    let part = || TransactActionUnchecked { table: text("Music"), item: key("a"), ..Default::default() };
    let write =
        |action| TransactWriteItemsUnchecked { actions: Some(vec![action]), ..Default::default() }.check();
    assert!(write(TransactWriteUnchecked { put: Some(part()), ..Default::default() }).is_ok());
    invalid(
        write(TransactWriteUnchecked { put: Some(part()), delete: Some(part()), ..Default::default() }),
        "TransactItems can only contain one of Check, Put, Update or Delete",
    );
    invalid(
        write(TransactWriteUnchecked::default()),
        "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request",
    );
    invalid(
        write(TransactWriteUnchecked { update: Some(part()), ..Default::default() }),
        "1 validation error detected: Value null at 'transactItems.1.member.update.updateExpression' failed to satisfy \
         constraint: Member must not be null",
    );
    invalid(
        TransactWriteItemsUnchecked { actions: Some(Vec::new()), ..Default::default() }.check(),
        "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have \
         length greater than or equal to 1",
    );
    let put = TransactWriteUnchecked { put: Some(part()), ..Default::default() };
    let token = TransactWriteItemsUnchecked {
        actions: Some(vec![put]),
        token: Some("x".repeat(37)),
        ..Default::default()
    };
    assert!(token.check().unwrap_err().message.ends_with("Member must have length less than or equal to 36"));
}

#[test]
fn legacy_updates_make_actions() {
    let updates = [
        ("a".to_owned(), AttributeUpdateUnchecked { action: None, value: Some(Unchecked::sound(s("x"))) }),
        ("b".to_owned(), AttributeUpdateUnchecked { action: text("DELETE"), value: None }),
    ];
    let update = UpdateItemUnchecked {
        table: text("Music"),
        key: key("a"),
        attribute_updates: Some(updates.into()),
        ..Default::default()
    };
    assert_eq!(update.check().unwrap().update.actions.len(), 2);
}

fn definition(name: &str) -> AttributeDefinitionUnchecked {
    AttributeDefinitionUnchecked { name: text(name), value_type: text("S") }
}

fn schema(names: &[&str]) -> Option<Vec<KeyElementUnchecked>> {
    let kinds = ["HASH", "RANGE", "RANGE"];
    let element =
        |(name, kind): (&&str, &str)| KeyElementUnchecked { name: text(name), key_type: text(kind) };
    Some(names.iter().zip(kinds).map(element).collect())
}

fn create(keys: &[&str], attributes: &[&str]) -> CreateTableUnchecked {
    CreateTableUnchecked {
        table: text("Music"),
        attributes: Some(attributes.iter().map(|name| definition(name)).collect()),
        key: schema(keys),
        billing: text("PAY_PER_REQUEST"),
        ..Default::default()
    }
}

fn index(name: &str, keys: &[&str]) -> IndexUnchecked {
    IndexUnchecked {
        name: text(name),
        key: schema(keys),
        projection: Some(ProjectionUnchecked { kind: text("ALL"), attributes: None }),
        throughput: None,
    }
}

#[test]
fn keys_and_attribute_definitions_must_agree() {
    assert!(create(&["p", "s"], &["p", "s"]).check().is_ok());
    invalid(
        create(&["p"], &["p", "s"]).check(),
        "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of \
         attributes defined in AttributeDefinitions",
    );
    invalid(
        create(&["p", "s"], &["p"]).check(),
        "Invalid KeySchema: Some index key attribute have no definition",
    );
    invalid(
        create(&["p"], &["q"]).check(),
        "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. \
         Keys: [p], AttributeDefinitions: [q]",
    );
    assert!(create(&["p", "s", "t"], &["p", "s", "t"]).check().unwrap_err().message.contains(
        "at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2"
    ));
    let backwards = CreateTableUnchecked {
        key: Some(vec![KeyElementUnchecked { name: text("p"), key_type: text("RANGE") }]),
        ..create(&["p"], &["p"])
    };
    invalid(backwards.check(), "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
}

#[test]
fn throughput_and_billing_mode_must_agree() {
    let units = ThroughputUnchecked { read_units: Some(1), write_units: Some(2) };
    invalid(
        CreateTableUnchecked { throughput: Some(units), ..create(&["p"], &["p"]) }.check(),
        "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified \
         when BillingMode is PAY_PER_REQUEST",
    );
    invalid(
        CreateTableUnchecked { billing: None, ..create(&["p"], &["p"]) }.check(),
        "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified \
         when BillingMode is PROVISIONED",
    );
    let provisioned =
        CreateTableUnchecked { billing: None, throughput: Some(units), ..create(&["p"], &["p"]) };
    let input = provisioned.check().unwrap();
    assert_eq!((input.billing, input.throughput.write_units), (BillingMode::Provisioned, 2));
}

#[test]
fn indexes_must_fit_their_table() {
    let local = |index: IndexUnchecked, keys: &[&str]| {
        CreateTableUnchecked { local_indexes: Some(vec![index]), ..create(keys, &["p", "s", "t"]) }.check()
    };
    let made = local(index("ByTee", &["p", "t"]), &["p", "s"]).unwrap();
    assert_eq!(made.indexes[0].kind, IndexKind::Local);
    invalid(
        local(index("ByTee", &["p", "t"]), &["p"]),
        "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when \
         specifying a LocalSecondaryIndex",
    );
    invalid(
        local(index("ByTee", &["t", "s"]), &["p", "s"]),
        "One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table \
         KeySchema for index: ByTee. index hash key: t, table hash key: p",
    );
    let global = |indexes: Vec<IndexUnchecked>| {
        CreateTableUnchecked { global_indexes: Some(indexes), ..create(&["p"], &["p", "t"]) }.check()
    };
    assert!(global(vec![index("ByTee", &["t"])]).is_ok());
    invalid(
        global(vec![index("ByTee", &["t"]), index("ByTee", &["t"])]),
        "One or more parameter values were invalid: Duplicate index name: ByTee",
    );
    invalid(
        global((0..21).map(|at| index(&format!("index{at}"), &["t"])).collect()),
        "One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of 20",
    );
    invalid(
        global(vec![index("ByPee", &["p"])]),
        "One or more parameter values were invalid: Some AttributeDefinitions are not used. AttributeDefinitions: [p, \
         t], keys used: [p]",
    );
    let unknown =
        IndexUnchecked { projection: Some(ProjectionUnchecked::default()), ..index("ByTee", &["t"]) };
    invalid(global(vec![unknown]), "One or more parameter values were invalid: Unknown ProjectionType: null");
}

#[test]
fn streams_are_refused_in_so_many_words() {
    let stream = |enabled| Some(StreamUnchecked { enabled: Some(enabled), view_type: None });
    assert!(CreateTableUnchecked { stream: stream(false), ..create(&["p"], &["p"]) }.check().is_ok());
    let refused =
        CreateTableUnchecked { stream: stream(true), ..create(&["p"], &["p"]) }.check().unwrap_err();
    assert!(refused.message.contains("streams are not supported"), "{refused}");
}

#[test]
fn an_update_of_a_table_asks_for_something() {
    invalid(
        UpdateTableUnchecked { table: text("Music"), ..Default::default() }.check(),
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or \
         SSESpecification or ReplicaUpdates is required",
    );
    let nothing = UpdateTableUnchecked { table: text("Music"), without_effect: true, ..Default::default() };
    assert!(nothing.check().is_ok());
}

#[test]
fn names_of_tables_come_a_hundred_at_a_time() {
    let limit = |limit| ListTablesUnchecked { start: None, limit: Some(limit) }.check();
    assert!(limit(100).is_ok());
    assert!(limit(0).is_err());
    invalid(
        limit(101),
        "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have value less \
         than or equal to 100",
    );
}

#[test]
fn tags_belong_to_the_arn_of_a_table() {
    let tag = |resource: &str, key: Option<String>| {
        let tags = Some(vec![TagUnchecked { key, value: text("v") }]);
        TagResourceUnchecked { resource: text(resource), tags }.check()
    };
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/Music";
    assert_eq!(tag(arn, text("k")).unwrap().table.as_str(), "Music");
    invalid(tag(arn, None), "The Tag Key provided is invalid, Key: null");
    assert_eq!(tag("Music", text("k")).unwrap_err().kind, ErrorKind::AccessDeniedException);
    let other = "arn:aws:s3:us-east-1:000000000000:bucket/Music";
    invalid(
        tag(other, text("k")),
        &format!("Invalid TableArn: Invalid ResourceArn provided as input {other}"),
    );
}

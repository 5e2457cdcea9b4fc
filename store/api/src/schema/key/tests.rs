use std::collections::BTreeMap;

use super::*;
use crate::schema::{
    BillingMode, IndexId, IndexKind, IndexName, IndexProjection, Status, TableId, TableName, Throughput,
};
use crate::value::Number;

fn part(name: &str, value_type: ValueType) -> KeyAttribute {
    KeyAttribute { name: name.into(), value_type }
}

fn index(id: u64, name: &str, partition: &str, sort: Option<&str>, projection: IndexProjection) -> Index {
    Index {
        id: IndexId(id),
        name: IndexName::new(name).unwrap(),
        kind: if partition == "pk" { IndexKind::Local } else { IndexKind::Global },
        key: KeySchema {
            partition: part(partition, ValueType::S),
            sort: sort.map(|name| part(name, ValueType::S)),
        },
        projection,
        status: Status::Active,
        backfilling: false,
        throughput: Throughput::default(),
    }
}

fn table() -> Table {
    Table {
        id: TableId(1),
        name: TableName::new("things").unwrap(),
        generation: 1,
        status: Status::Active,
        key: KeySchema { partition: part("pk", ValueType::S), sort: Some(part("sk", ValueType::N)) },
        attributes: vec![],
        indexes: vec![
            index(2, "zzz", "pk", Some("lsi"), IndexProjection::KeysOnly),
            index(3, "gsi", "owner", Some("lsi"), IndexProjection::Include(vec!["color".into()])),
        ],
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: BTreeMap::new(),
        created_millis: 0,
        uuid: 0,
    }
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(value: i64) -> AttributeValue {
    AttributeValue::N(Number::from(value))
}

fn item() -> Item {
    Item::new().with("pk", s("a")).with("sk", n(7))
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().message.into_owned()
}

#[test]
fn a_put_is_judged_attribute_by_attribute() {
    let table = table();
    for (item, expected) in [
        (
            Item::new().with("sk", s("x")),
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        (
            Item::new().with("pk", n(1)),
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            Item::new().with("pk", s("")),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
             string value. Key: pk",
        ),
        (
            Item::new().with("pk", s(&"x".repeat(2049))),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            Item::new().with("pk", s("a")),
            "One or more parameter values were invalid: Missing the key sk in the item",
        ),
        (
            item().with("sk", AttributeValue::L(vec![])),
            "One or more parameter values were invalid: Type mismatch for key sk expected: N actual: L",
        ),
    ] {
        assert_eq!(message(table.key_of_item(&item)), expected);
    }
    assert!(table.key_of_item(&item().with("pk", s(&"x".repeat(2048))).with("other", s(""))).is_ok());
}

#[test]
fn a_key_has_the_key_attributes_and_nothing_else() {
    let table = table();
    let schema = "The provided key element does not match the schema";
    for key in [
        Item::new(),
        item().with("more", s("x")),
        item().with("sk", s("7")),
        Item::new().with("pk", s("a")).with("s", n(1)),
    ] {
        assert_eq!(message(table.key_of_key(&key)), schema);
    }
    assert!(message(table.key_of_key(&item().with("pk", s("")))).contains("empty string value. Key: pk"));
    assert!(message(table.key_of_key(&item().with("pk", s(&"x".repeat(2049))))).contains("Size of hashkey"));
    assert_eq!(table.key_of_key(&item()), table.key_of_item(&item().with("more", s("x"))));
}

#[test]
fn a_sort_key_has_its_own_limit() {
    let mut table = table();
    table.key.sort = Some(part("sk", ValueType::B));
    let with = |bytes| item().with("sk", AttributeValue::B(vec![1; bytes].into()));
    assert!(table.key_of_item(&with(1024)).is_ok());
    assert_eq!(
        message(table.key_of_item(&with(1025))),
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    );
    assert!(message(table.key_of_key(&with(0))).contains("empty binary value. Key: sk"));
}

#[test]
fn keys_turn_back_into_their_attributes() {
    let table = table();
    let key = table.key_of_item(&item().with("more", s("x"))).unwrap();
    assert_eq!(table.key_item(&key), Some(item()));
    assert_eq!(table.key_attributes(&item().with("more", s("x"))), item());
    let joined = [key.as_bytes().as_ref(), b"rest"].concat();
    assert_eq!(table.key.split_key(&joined), Some((key.clone(), &b"rest"[..])));
    assert_eq!(table.key.split_key(&key.as_bytes()[..3]), None);
    assert_eq!(table.key_item(&KeyBytes::new(b"\xFF", None)), None);
}

#[test]
fn wrong_index_keys_are_refused_naming_the_first_index_by_name() {
    let table = table();
    assert_eq!(table.check_index_keys(&item()), Ok(()));
    assert_eq!(
        message(table.check_index_keys(&item().with("lsi", n(5)).with("owner", s("")))),
        "One or more parameter values were invalid: Type mismatch for Index Key lsi Expected: S Actual: N IndexName: gsi"
    );
    assert_eq!(
        message(table.check_index_keys(&item().with("lsi", s("")))),
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
         AttributeValue for a key attribute cannot contain an empty string value. IndexName: gsi, IndexKey: lsi"
    );
    assert!(message(table.check_index_keys(&item().with("owner", s(&"x".repeat(2049))))).contains("hashkey"));
    assert!(
        message(table.check_index_keys(&item().with("lsi", s(&"x".repeat(1025))))).contains("range keys")
    );
}

#[test]
fn an_update_is_judged_by_what_it_altered() {
    let table = table();
    let bad = item().with("lsi", n(5));
    assert_eq!(table.check_updated_index_keys(Some(&bad), &bad.clone().with("other", n(1))), Ok(()));
    assert_eq!(
        message(table.check_updated_index_keys(Some(&item()), &bad)),
        "The update expression attempted to update the secondary index key to unsupported type"
    );
    assert!(
        message(table.check_updated_index_keys(None, &item().with("lsi", s(""))))
            .contains("update a secondary index key")
    );
    assert!(
        message(table.check_updated_index_keys(None, &item().with("lsi", s(&"x".repeat(1025)))))
            .ends_with("allowed size limits")
    );
}

#[test]
fn an_item_without_the_whole_index_key_is_not_in_the_index() {
    let table = table();
    let gsi = &table.indexes[1];
    assert_eq!(gsi.key_of(&item().with("owner", s("o"))), None);
    assert_eq!(gsi.key_of(&item().with("owner", s("o")).with("lsi", n(1))), None);
    assert_eq!(gsi.key_of(&item().with("owner", s("")).with("lsi", s("l"))), None);
    let key = gsi.key_of(&item().with("owner", s("o")).with("lsi", s("l"))).unwrap();
    assert_eq!(gsi.key.key_item(&key), Some(Item::new().with("owner", s("o")).with("lsi", s("l"))));
}

#[test]
fn an_index_keeps_its_projection_and_both_keys() {
    let table = table();
    let whole = item().with("owner", s("o")).with("lsi", s("l")).with("color", s("c")).with("more", s("m"));
    let names = |index: &Index| index.project(&table, &whole).0.into_keys().collect::<Vec<_>>();
    assert_eq!(names(&table.indexes[0]), ["lsi", "pk", "sk"]);
    assert_eq!(names(&table.indexes[1]), ["color", "lsi", "owner", "pk", "sk"]);
    let start: Vec<_> = table.indexes[0].start_attributes(&table).map(|part| part.name.as_str()).collect();
    assert_eq!(start, ["pk", "lsi", "sk"]);
}

#[test]
fn paths_lead_into_no_key() {
    use crate::expr::Step;
    let table = table();
    let into = |name: &str| Path { attribute: name.into(), steps: vec![Step::Index(0)] };
    assert_eq!(table.check_scalar_keys([&Path::attribute("pk"), &into("color")]), Ok(()));
    let message = |path| message(table.check_scalar_keys([&path]));
    assert!(message(into("sk")).ends_with("are not allowed: Key: sk"));
    assert!(message(into("owner")).ends_with("are not allowed: IndexKey: owner"));
}

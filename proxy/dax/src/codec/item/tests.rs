use std::sync::Arc;

use api::expr::{Path, Projection, Step};
use api::schema::{KeyAttribute, KeySchema};
use api::value::ValueType;
use api::{AttributeValue, EncodedItem, Item, ItemBody};

use super::{
    Given, ListIds, ListNames, is_separable, read_item, read_part, read_projected, write_item, write_part,
    write_projected,
};
use crate::attribute_lists::{ListId, Names};
use crate::cbor::Reader;
use crate::codec::tests::hex;

fn schema() -> KeySchema {
    KeySchema { partition: KeyAttribute { name: "pk".into(), value_type: ValueType::S }, sort: None }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn item() -> Item {
    Item::new().with("pk", text("a")).with("v", text("x")).with("w", AttributeValue::Null)
}

/// One list, `[v, w]`, with the id 3.
fn ids(names: &[&str]) -> Option<ListId> {
    (names == ["v", "w"]).then_some(ListId(3))
}

fn names(id: ListId) -> Option<Names> {
    (id == ListId(3)).then(|| ["v".to_owned(), "w".to_owned()].into())
}

#[test]
fn an_item_is_its_list_and_values_without_its_key_in_either_form() {
    for body in [ItemBody::Tree(Arc::new(item())), ItemBody::Encoded(EncodedItem::encode(&item()))] {
        let mut lists = ListIds::new(&ids);
        let mut out = Vec::new();
        write_item(&mut out, &schema(), &body, &mut lists);
        assert_eq!(hex(&out), "036178f6");
        assert!(lists.missing().is_empty());
        let mut lists = ListNames::new(&names);
        let key = Item::new().with("pk", text("a"));
        assert_eq!(read_item(&out, key, &mut lists).unwrap(), item());
    }
}

#[test]
fn an_item_of_its_key_alone_has_the_empty_list_which_nobody_is_asked_for() {
    let unasked = |_: &[&str]| panic!("the empty list has a fixed id");
    let mut lists = ListIds::new(&unasked);
    let body = ItemBody::Tree(Arc::new(Item::new().with("pk", text("a"))));
    let mut out = Vec::new();
    write_item(&mut out, &schema(), &body, &mut lists);
    assert_eq!(hex(&out), "01");
}

#[test]
fn lists_without_an_id_and_ids_without_a_list_are_gathered_once() {
    let mut lists = ListIds::new(&|_| None);
    for _ in 0..2 {
        write_item(&mut Vec::new(), &schema(), &ItemBody::Tree(Arc::new(item())), &mut lists);
    }
    assert_eq!(lists.missing(), [Names::from(["v".to_owned(), "w".to_owned()])]);
    let mut lists = ListNames::new(&|_| None);
    for _ in 0..2 {
        read_item(&[0x07, 0x01], Item::new(), &mut lists).unwrap();
    }
    assert!(lists.all_known().unwrap_err().message.contains("attribute list 7"));
    assert_eq!(lists.missing(), [ListId(7)]);
}

#[test]
fn as_many_values_as_names_and_no_more() {
    let read = |bytes: &[u8]| read_item(bytes, Item::new(), &mut ListNames::new(&names));
    assert!(read(&[0x03, 0x00, 0x00]).is_ok());
    for bytes in [&[0x03, 0x00][..], &[0x03, 0x00, 0x00, 0x00], &[0x03], &[], &[0x20], &[0x01, 0x00]] {
        assert!(read(bytes).is_err(), "{bytes:x?}");
    }
}

#[test]
fn a_key_attribute_among_the_values_does_not_replace_the_key() {
    let with_key = |_| Some(Names::from(["pk".to_owned()]));
    let key = Item::new().with("pk", text("a"));
    let read = read_item(&[0x05, 0x61, b'z'], key.clone(), &mut ListNames::new(&with_key));
    assert_eq!(read.unwrap(), key);
}

#[test]
fn a_part_names_places_of_its_list() {
    let part = Item::new().with("v", text("x")).with("w", text("y"));
    let mut out = Vec::new();
    write_part(&mut out, &part, &mut ListIds::new(&ids));
    assert_eq!(hex(&out), "03bf006178016179ff");
    assert_eq!(read_part(&out, &mut ListNames::new(&names)).unwrap(), part);
    // A list of more names than the part has will do, and so will a map of a known length.
    let read = read_part(&[0x03, 0xA1, 0x01, 0x61, b'y'], &mut ListNames::new(&names));
    assert_eq!(read.unwrap(), Item::new().with("w", text("y")));
    assert!(read_part(&[0x03, 0xA1, 0x02, 0x00], &mut ListNames::new(&names)).is_err());
}

fn path(attribute: &str, steps: &[Step]) -> Path {
    Path { attribute: attribute.into(), steps: steps.to_vec() }
}

fn document() -> Item {
    let list = AttributeValue::L(vec![text("zero"), text("one"), text("two")]);
    let map = AttributeValue::M([("k".to_owned(), list.clone())].into());
    Item::new().with("pk", text("a")).with("l", list).with("m", map)
}

fn projected(projection: &Projection, given: Given) -> Vec<u8> {
    let item = match given {
        Given::Whole => document(),
        Given::Projected => projection.apply(&document()),
    };
    let mut out = Vec::new();
    write_projected(&mut out, projection, &ItemBody::Tree(Arc::new(item)), given);
    out
}

#[test]
fn a_projected_item_is_numbered_paths_from_which_the_client_builds_it_again() {
    let paths = vec![
        path("m", &[Step::Field("k".into()), Step::Index(2)]),
        path("missing", &[]),
        path("pk", &[]),
        path("l", &[Step::Index(1)]),
    ];
    let projection = Projection { paths };
    assert!(is_separable(&projection));
    let out = projected(&projection, Given::Projected);
    assert_eq!(out, projected(&projection, Given::Whole));
    assert_eq!(hex(&out), "a3006374776f02616103636f6e65");
    let read = read_projected(&mut Reader::new(&out), &projection).unwrap();
    assert_eq!(read, projection.apply(&document()));
}

#[test]
fn several_elements_of_one_list_need_the_whole_item() {
    let indexes = |indexes: &[u32]| Projection {
        paths: indexes.iter().map(|index| path("l", &[Step::Index(*index)])).collect(),
    };
    let projection = indexes(&[5, 2, 0]);
    assert!(!is_separable(&projection));
    // What the projection leaves is `[zero, two]`; nothing there says that element 5 was missing.
    let out = projected(&projection, Given::Whole);
    assert_eq!(hex(&out), "a2016374776f02647a65726f");
    let read = read_projected(&mut Reader::new(&out), &projection).unwrap();
    assert_eq!(read, projection.apply(&document()));
    // Elements of different lists, or what is below one element, stay apart.
    let apart = Projection {
        paths: vec![
            path("l", &[Step::Index(0), Step::Field("a".into())]),
            path("l", &[Step::Index(0), Step::Field("b".into())]),
            path("m", &[Step::Index(1)]),
        ],
    };
    assert!(is_separable(&apart));
}

#[test]
fn an_item_with_nothing_of_a_projection_is_an_empty_map() {
    let projection = Projection { paths: vec![path("nope", &[])] };
    assert_eq!(projected(&projection, Given::Projected), [0xA0]);
    let mut past_the_end = Reader::new(&[0xA1, 0x01, 0x00]);
    assert!(read_projected(&mut past_the_end, &projection).is_err());
}

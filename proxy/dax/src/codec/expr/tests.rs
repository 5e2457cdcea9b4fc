use std::collections::BTreeMap;

use api::expr::{Condition, ExpressionKind, Path, Placeholders, SetOperand, SetValue, Update, UpdateAction};
use api::{AttributeValue, Error, Number};
use proptest::prelude::*;

use super::*;
use crate::codec::tests::{hex, unhex};

fn number(value: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(value).unwrap())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Parses an expression as text, as the HTTP front does.
fn parsed<T>(
    names: &[(&str, &str)],
    values: &[(&str, AttributeValue)],
    parse: impl FnOnce(&mut Placeholders) -> Result<T, Error>,
) -> T {
    let names: BTreeMap<_, _> = names.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let values: BTreeMap<_, _> = values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let mut placeholders =
        Placeholders::new((!names.is_empty()).then_some(names), (!values.is_empty()).then_some(values))
            .unwrap();
    parse(&mut placeholders).unwrap()
}

fn condition(text: &str, values: &[(&str, AttributeValue)]) -> Condition {
    parsed(&[], values, |placeholders| placeholders.condition(ExpressionKind::Condition, text))
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn read(bytes: &[u8]) -> Result<Condition, Error> {
    read_condition(ExpressionKind::Condition, bytes, &mut room_of_request())
}

/// Every function and operator of conditions, as text and as the bytes that the official encoder makes of it.
#[test]
fn conditions_are_the_trees_that_clients_send() {
    let one_two = [(":x", number("1")), (":y", number("2"))];
    type Values<'v> = &'v [(&'v str, AttributeValue)];
    let cases: &[(&str, Values<'_>, &str)] = &[
        ("attribute_not_exists(pk)", &[], "8301820c821262706b80"),
        (
            "a BETWEEN :lo AND :hi OR NOT contains(tags, :t)",
            &[(":lo", number("1")), (":hi", number("2.5")), (":t", text("x"))],
            "830183078409821261618211008211018208830f821264746167738211028301c4822018196178",
        ),
        (
            "(a = :x OR b <> :x) AND c IN (:x, :y)",
            &one_two,
            "830183068307830082126161821100830182126162821100830a8212616382821100821101820102",
        ),
        (
            "attribute_type(a, :t) AND begins_with(b.c[2].d, :p)",
            &[(":t", text("SS")), (":p", AttributeValue::B(vec![1].into()))],
            "83018306830d82126161821100830e851261626163d90cfc026164821101826253534101",
        ),
        (
            "a < :v AND b <= :v AND c > :v",
            &[(":v", number("0"))],
            "8301830683028212616182110083068305821261628211008304821261638211008100",
        ),
    ];
    for (expression, values, bytes) in cases {
        let tree = condition(expression, values);
        assert_eq!(hex(&written(|out| write_condition(out, &tree))), *bytes, "{expression}");
        assert_eq!(read(&unhex(bytes)).unwrap(), tree, "{expression}");
    }
    let sized = parsed(&[("#s", "status")], &[(":v", text("open")), (":n", number("3"))], |placeholders| {
        placeholders.condition(ExpressionKind::Condition, "#s = :v AND size(tags) >= :n")
    });
    let bytes = "830183068300821266737461747573821100830382108212647461677382110182646f70656e03";
    assert_eq!(hex(&written(|out| write_condition(out, &sized))), bytes);
    assert_eq!(read(&unhex(bytes)).unwrap(), sized);
}

#[test]
fn key_conditions_are_the_trees_that_clients_send() {
    for (expression, values, bytes) in [
        (
            "pk = :p AND sk BETWEEN :a AND :b",
            vec![(":p", text("u1")), (":a", number("-2")), (":b", number("20"))],
            "830183068300821262706b8211008409821262736b821101821102836275312114",
        ),
        (
            "pk = :p AND begins_with(sk, :s)",
            vec![(":p", text("u1")), (":s", text("2024-"))],
            "830183068300821262706b821100830e821262736b8211018262753165323032342d",
        ),
        ("pk = :p", vec![(":p", text("u1"))], "83018300821262706b82110081627531"),
    ] {
        let tree = parsed(&[], &values, |placeholders| placeholders.key_condition(expression));
        assert_eq!(hex(&written(|out| write_key_condition(out, &tree))), bytes, "{expression}");
        assert_eq!(read_key_condition(&unhex(bytes), &mut room_of_request()).unwrap(), tree);
    }
}

#[test]
fn updates_and_projections_are_the_trees_that_clients_send() {
    for (expression, values, bytes) in [
        (
            "SET a = :v, b.c = if_not_exists(b.c, :z) + :v, l[0] = :v REMOVE d, e[1] ADD cnt :v DELETE tags :t",
            vec![
                (":v", number("1")),
                (":z", number("0")),
                (":t", AttributeValue::Ss(["x".to_owned()].into())),
            ],
            "8301878313821261618211008313831261626163831819831783126162616382110182110083138312616cd90cfc00821100821682126164821683126165d90cfc018314821263636e74821100831582126474616773821102830100d90cf9816178",
        ),
        (
            "SET l = list_append(l, :l), q = q - :one",
            vec![(":l", AttributeValue::L(vec![text("x")])), (":one", number("1"))],
            "83018283138212616c8318188212616c82110083138212617183181a821261718211018281617801",
        ),
    ] {
        let tree = parsed(&[], &values, |placeholders| placeholders.update(expression));
        // Sections are flattened in the order of the text: the written bytes are the client's own.
        assert_eq!(read_update(&unhex(bytes), &mut room_of_request()).unwrap(), tree, "{expression}");
        assert_eq!(hex(&written(|out| write_update(out, &tree))), bytes, "{expression}");
    }
    let projection =
        parsed(&[("#m", "my.map")], &[], |placeholders| placeholders.projection("pk, #m.k, l[1], l[0][3].z"));
    let bytes = "820184821262706b8312666d792e6d6170616b8312616cd90cfc018512616cd90cfc00d90cfc03617a";
    assert_eq!(hex(&written(|out| write_projection(out, &projection))), bytes);
    assert_eq!(read_projection(&unhex(bytes), &mut room_of_request()).unwrap(), projection);
}

#[test]
fn a_legacy_append_goes_out_as_what_it_means() {
    let append = UpdateAction::Append(Path::attribute("l"), vec![text("x")]);
    let bytes = written(|out| write_update(out, &Update { actions: vec![append] }));
    let read = read_update(&bytes, &mut room_of_request()).unwrap();
    let there = SetOperand::IfNotExists(
        Path::attribute("l"),
        Box::new(SetOperand::Value(AttributeValue::L(Vec::new()))),
    );
    let more = SetOperand::Value(AttributeValue::L(vec![text("x")]));
    let joined = SetOperand::ListAppend(Box::new(there), Box::new(more));
    assert_eq!(read.actions, [UpdateAction::Set(Path::attribute("l"), SetValue::Operand(joined))]);
}

#[test]
fn what_the_service_refuses_of_a_text_it_refuses_of_a_tree_in_the_same_words() {
    let of = |tree: &str, values: &str| unhex(&format!("8301{tree}{values}"));
    for (bytes, message) in [
        // a = a
        (
            of("83008212616182126161", "80"),
            "Invalid ConditionExpression: The first operand must be distinct from the remaining operands for this \
             operator or function; operator: =, first operand: [a]",
        ),
        // attribute_exists(:v)
        (
            of("820b821100", "8101"),
            "Invalid ConditionExpression: Operator or function requires a document path; operator or function: \
             attribute_exists",
        ),
        // attribute_type(a, "X")
        (
            of("830d82126161821100", "816158"),
            "Invalid ConditionExpression: Invalid attribute type name found; type: X, valid types: \
             {S,SS,N,NS,B,BS,BOOL,NULL,L,M}",
        ),
        // begins_with(a, 1)
        (
            of("830e82126161821100", "8101"),
            "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: \
             begins_with, operand type: N",
        ),
    ] {
        assert_eq!(read(&bytes).unwrap_err().message, message, "{}", hex(&bytes));
    }
    // a = :v OR b = :v is no key condition.
    let or = unhex("830183078300821261618211008300821261628211008101");
    let error = read_key_condition(&or, &mut room_of_request()).unwrap_err();
    assert_eq!(error.message, "Invalid operator used in KeyConditionExpression: OR");
    // SET a, a.b: the paths overlap.
    let overlap =
        unhex("830182 8313 82126161 821100 8313 83126161 6162 821100 8101".replace(' ', "").as_str());
    let error = read_update(&overlap, &mut room_of_request()).unwrap_err();
    assert!(error.message.starts_with("Invalid UpdateExpression: Two document paths overlap"), "{error}");
    let empty = read_projection(&unhex("820180"), &mut room_of_request()).unwrap_err();
    assert_eq!(empty.message, "Invalid ProjectionExpression: The expression can not be empty;");
}

#[test]
fn trees_that_no_client_makes_are_malformed() {
    for tree in [
        "00",
        "80",
        "8100",
        "820b",
        "82188080",
        "8300821261618212 6162 00",
        "820b8212f6",
        "820b821261 61 00",
        "83121100",
        "820b82126161ff",
        "830082126161821100",
        "8200 82126161",
        "83108212616100",
        "831a8212616182126162",
        "820b83126161d90cfc6161",
        "820b83126161c201",
    ] {
        let bytes = unhex(&format!("8301{}80", tree.replace(' ', "")));
        assert!(read(&bytes).is_err(), "{tree}");
    }
    for envelope in ["80", "8101", "8201820b82126161", "8302820b8212616180", "8401820b821261618000", "f6", ""]
    {
        assert!(read(&unhex(envelope)).is_err(), "{envelope}");
    }
}

#[test]
fn a_chain_as_long_as_expressions_may_be_is_read_and_a_longer_one_refused() {
    let chain = |terms: usize| {
        let mut tree = "8306820b82126161".repeat(terms - 1);
        tree.push_str("820b82126161");
        read(&unhex(&format!("8301{tree}80")))
    };
    let Ok(Condition::And(terms)) = chain(150) else { panic!("150 terms and 149 operators are allowed") };
    assert_eq!(terms.len(), 150);
    assert!(chain(200).unwrap_err().message.contains("too many operators"));
    assert!(chain(5000).is_err());
}

#[test]
fn depth_bombs_and_one_large_value_many_times_are_refused() {
    for bomb in ["8208", "8210", "830682", "81"] {
        let bytes = unhex(&format!("8301{}80", bomb.repeat(100_000)));
        assert!(read(&bytes).is_err());
        assert!(read_update(&bytes, &mut room_of_request()).is_err());
        assert!(read_projection(&bytes, &mut room_of_request()).is_err());
    }
    // NOT, 300 deep, is as deep as a tree may be.
    let nots = |depth: usize| read(&unhex(&format!("8301{}820b8212616180", "8208".repeat(depth))));
    assert!(nots(299).is_ok());
    assert!(nots(300).is_err());
    // A hundred kilobytes, two hundred times: a short tree that would be 20 MB.
    let mut bytes = unhex("8301830a8212616198c8");
    bytes.extend(unhex("821100").repeat(200));
    bytes.extend([0x81, 0x7A, 0x00, 0x01, 0x86, 0xA0]);
    bytes.resize(bytes.len() + 100_000, b'x');
    assert!(read(&bytes).unwrap_err().message.contains("may stand for at most"));
}

#[test]
fn the_text_that_python_sends_first_is_told_from_the_tree() {
    assert!(!is_encoded(b"attribute_exists(pk)"));
    assert!(is_encoded(&unhex("8301820c821262706b80")) && is_encoded(&unhex("820180")));
}

proptest! {
    #[test]
    fn arbitrary_trees_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut tree = vec![0x83, 0x01];
        tree.extend_from_slice(&bytes);
        for bytes in [&bytes, &tree] {
            let _ = read(bytes);
            let _ = read_update(bytes, &mut room_of_request());
            let _ = read_projection(bytes, &mut room_of_request());
            let _ = read_key_condition(bytes, &mut room_of_request());
        }
    }
}

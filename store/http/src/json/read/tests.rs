use super::*;

fn reader(text: &str) -> Reader<'_> {
    Reader::new(text.as_bytes()).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SerializationException);
    error.message.into_owned()
}

/// Skips the one value a text holds, and reads it again with a parser that is not ours.
fn agrees(text: &str) -> bool {
    let ours = Reader::new(text.as_bytes()).and_then(|mut reader| {
        reader.skip()?;
        reader.end()
    });
    let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text);
    ours.is_ok() == theirs.is_ok()
}

#[test]
fn what_is_json_and_what_is_not_is_agreed_with_another_parser() {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{}",
        "[]",
        " { } ",
        "[[]]",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{} {}",
        "[] x",
        "01",
        "-",
        "-0",
        "-01",
        "1.",
        ".1",
        "1.5",
        "1e",
        "1e5",
        "1E+5",
        "1e-",
        "+1",
        "tru",
        "true",
        "truee",
        "false",
        "null",
        "nul",
        "\"",
        "\"a",
        "\"a\"",
        "\"\\\"",
        "\"\\n\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\n\"",
        "\"\u{1}\"",
        "\"\u{7f}é😀\"",
        "[1 2]",
        "{\"a\":{\"b\":[{\"c\":[]}]}}",
        "\"12345678\\\"90\"",
        "[\"\",\"\"]",
        "NaN",
        "'a'",
        "{1:2}",
        "/**/1",
        "\u{feff}{}",
    ];
    for text in texts {
        assert!(agrees(text), "{text:?}");
    }
}

#[test]
fn strings_without_escapes_are_borrowed() {
    assert!(matches!(reader("\"plain é text longer than eight\"").text(), Ok(Some(Cow::Borrowed(_)))));
    let escaped = reader("\"a\\u00e9\\ud83d\\ude00\\n\\/\\\\ and on\"").text().unwrap().unwrap();
    assert_eq!(escaped, "aé😀\n/\\ and on");
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    for text in ["\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ude00\"", "\"\\ud83d\\u0041\""] {
        assert_eq!(refusal(reader(text).text()), "", "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(refusal(Reader::new(b"{\"a\":\"\xff\"}")), "");
    assert_eq!(refusal(Reader::new(b"")), "");
}

#[test]
fn nesting_past_the_bound_is_refused_without_recursion() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| {
            let inner = if open == "[" { String::new() } else { "1".to_owned() };
            open.repeat(levels) + &inner + &close.repeat(levels)
        };
        let fits = nested(DEPTH_MAX as usize);
        let mut whole = reader(&fits);
        whole.skip().unwrap();
        whole.end().unwrap();
        assert_eq!(refusal(reader(&nested(DEPTH_MAX as usize + 1)).skip()), "");
        assert_eq!(refusal(reader(&nested(100_000)).skip()), "");
        assert_eq!(refusal(reader(&open.repeat(100_000)).skip()), "");
    }
}

#[test]
fn wrong_types_are_named_as_the_service_names_them() {
    assert_eq!(refusal(reader("1").text()), "NUMBER_VALUE cannot be converted to String");
    assert_eq!(refusal(reader("1.5").text()), "DECIMAL_VALUE cannot be converted to String");
    assert_eq!(refusal(reader("true").text()), "TRUE_VALUE cannot be converted to String");
    assert_eq!(refusal(reader("false").text()), "FALSE_VALUE cannot be converted to String");
    assert_eq!(refusal(reader("[]").text()), "Unrecognized collection type class java.lang.String");
    assert_eq!(refusal(reader("{}").text()), "Start of structure or map found where not expected");
    assert_eq!(refusal(reader("\"1\"").integer()), "STRING_VALUE cannot be converted to Integer");
    assert_eq!(refusal(reader("true").long()), "TRUE_VALUE cannot be converted to Long");
    assert_eq!(refusal(reader("\"x\"").flag()), "Unexpected token received from parser");
    assert_eq!(refusal(reader("1").flag()), "NUMBER_VALUE cannot be converted to Boolean");
    assert_eq!(refusal(reader("1").blob()), "only base-64-encoded strings are convertible to bytes");
    assert_eq!(refusal(reader("[]").blob()), "Unrecognized collection type class java.nio.ByteBuffer");
    assert_eq!(
        refusal(reader("\"abc\"").blob()),
        "Base64 encoded length is expected a multiple of 4 bytes but found: 3"
    );
    assert_eq!(refusal(reader("\"a$b=\"").blob()), "Invalid last non-pad Base64 character dectected");
    assert_eq!(refusal(reader("1").list(|reader| reader.skip())), "Unexpected field type");
    assert_eq!(
        refusal(reader("{}").list(|reader| reader.skip())),
        "Start of structure or map found where not expected"
    );
    assert_eq!(
        refusal(reader("[]").map("AttributeValue", |reader, _| reader.skip())),
        "Unrecognized collection type java.util.Map<java.lang.String, \
         com.amazonaws.dynamodb.v20120810.AttributeValue>"
    );
    let structure =
        |text, place| refusal(reader(text).structure("Projection", place, |reader, _| reader.skip()));
    assert_eq!(structure("1", Place::Field), "Unexpected field type");
    assert_eq!(structure("1", Place::Value), "Unexpected value type in payload");
    assert_eq!(
        structure("[]", Place::Field),
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Projection"
    );
}

#[test]
fn null_is_an_absent_field_of_any_type() {
    assert_eq!(reader("null").text().unwrap(), None);
    assert_eq!(reader("null").flag().unwrap(), None);
    assert_eq!(reader("null").integer().unwrap(), None);
    assert_eq!(reader("null").double().unwrap(), None);
    assert_eq!(reader("null").blob().unwrap(), None);
    assert!(!reader("null").list(|reader| reader.skip()).unwrap());
    assert!(!reader("null").map("X", |reader, _| reader.skip()).unwrap());
}

#[test]
fn numbers_lose_their_fraction_and_keep_their_range() {
    assert_eq!(reader("12.9").integer().unwrap(), Some(12));
    assert_eq!(reader("-12.1").integer().unwrap(), Some(-12));
    assert_eq!(reader("1e3").long().unwrap(), Some(1000));
    assert_eq!(reader("2147483647").integer().unwrap(), Some(i64::from(i32::MAX)));
    assert_eq!(refusal(reader("2147483648").integer()), "");
    assert_eq!(refusal(reader("9223372036854775808").long()), "");
    assert_eq!(refusal(reader("1e400").long()), "");
}

#[test]
fn words_that_mean_yes_or_no_are_booleans() {
    for text in ["true", "\"TRUE\"", "\"yes\"", "\"1\""] {
        assert_eq!(reader(text).flag().unwrap(), Some(true), "{text}");
    }
    for text in ["false", "\"False\"", "\"no\"", "\"0\""] {
        assert_eq!(reader(text).flag().unwrap(), Some(false), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read_back(text in ".*", bytes in proptest::collection::vec(0u8.., 0..50)) {
        let mut out = Vec::new();
        crate::json::write::string(&mut out, &text);
        proptest::prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
        proptest::prop_assert_eq!(Reader::new(&out).unwrap().text().unwrap().unwrap(), text);
        out.clear();
        crate::json::write::blob(&mut out, &bytes);
        proptest::prop_assert_eq!(Reader::new(&out).unwrap().blob().unwrap().unwrap(), bytes);
    }

    #[test]
    fn any_text_is_judged_as_another_parser_judges_it(
        text in "[\\[\\]{}\",:\\\\u0-9a-f eE.+tnulrs-]{0,24}"
    ) {
        proptest::prop_assert!(agrees(&text), "{}", text);
    }
}

//! What the service says of expressions it refuses, and in which order.

use super::*;

#[test]
fn a_syntax_error_quotes_the_tokens_around() {
    for (text, token, near) in [
        ("INVALID SYNTAX HERE", "SYNTAX", "INVALID SYNTAX HERE"),
        ("a", "<EOF>", "a"),
        ("a =", "<EOF>", "="),
        ("a = :s AND", "<EOF>", "AND"),
        ("a == :s", "=", "== :s"),
        ("a != :s", "!", "a !="),
        ("_id = :s", "_", "_id"),
        ("attribute_type()", ")", "()"),
        ("a = 'x'", "'", "= 'x"),
        ("a AND b = :s", "AND", "a AND b"),
        ("(a) AND b = :s", "AND", ") AND b"),
        ("(a = :s", "<EOF>", ":s"),
        ("a = :s)", ")", ":s)"),
        ("((((", "<EOF>", "("),
        ("a BETWEEN :z, :n", ",", ":z, :n"),
        ("a IN :s", ":s", "IN :s"),
        ("a[x] = :s", "x", "[x]"),
        ("a[-1] = :s", "-", "[-1"),
        ("a[] = :s", "]", "[] ="),
        ("a..b = :s", ".", "..b"),
        ("a = :", ":", "= :"),
        ("#", "#", "#"),
        ("é = :s", "é", "é ="),
        ("(a = :s) = :n", "=", ") = :n"),
        ("NOT", "<EOF>", "NOT"),
    ] {
        assert_eq!(
            condition_error(text),
            format!("Syntax error; token: \"{token}\", near: \"{near}\""),
            "{text}"
        );
    }
}

#[test]
fn a_syntax_error_in_an_update_or_projection_quotes_the_tokens_around() {
    for (text, token, near) in [
        ("INVALID SYNTAX HERE", "INVALID", "INVALID SYNTAX"),
        ("SET", "<EOF>", "SET"),
        ("ADD hits : incr", ":", "hits : incr"),
        ("ADD numx", "<EOF>", "numx"),
        ("ADD numx 1", "1", "numx 1"),
        ("DELETE setx a", "a", "setx a"),
        ("SET numx = numx * :n", "*", "numx * :n"),
        ("SET note = :n +", "<EOF>", "+"),
        ("SET a = :n + :n + :n", "+", ":n + :n"),
        ("SET a = :n,", "<EOF>", ","),
        ("SET a = :n REMOVE", "<EOF>", "REMOVE"),
        ("SET a = (:n", "<EOF>", ":n"),
        ("SET set = :n", "set", "SET set ="),
    ] {
        assert_eq!(
            update_error(text),
            format!("Syntax error; token: \"{token}\", near: \"{near}\""),
            "{text}"
        );
    }
    for (text, token, near) in [
        ("whatever(stuff)", "(", "whatever(stuff"),
        ("a,", "<EOF>", ","),
        ("a b", "b", "a b"),
        (":s", ":s", ":s"),
    ] {
        assert_eq!(
            projection_error(text),
            format!("Syntax error; token: \"{token}\", near: \"{near}\""),
            "{text}"
        );
    }
}

#[test]
fn an_empty_expression_is_named_so() {
    for text in ["", " ", "\t\r\n"] {
        assert_eq!(condition_error(text), "The expression can not be empty;");
        assert_eq!(update_error(text), "The expression can not be empty;");
        assert_eq!(projection_error(text), "The expression can not be empty;");
    }
}

#[test]
fn length_is_judged_before_syntax_and_only_conditions_tell_it() {
    let long = "(".repeat(4097);
    let problem = "Expression size has exceeded the maximum allowed size;";
    assert_eq!(condition_error(&long), format!("{problem} expression size: 4097"));
    assert_eq!(update_error(&long), problem);
    assert_eq!(projection_error(&long), problem);
    assert_eq!(
        message(placeholders().condition(ExpressionKind::Filter, &long)),
        format!("Invalid FilterExpression: {problem} expression size: 4097")
    );
    assert_eq!(
        message(placeholders().key_condition(&long)),
        format!("Invalid KeyConditionExpression: {problem}")
    );
    projection(&"x".repeat(4096));
}

#[test]
fn four_thousand_parentheses_are_a_syntax_error_or_redundant() {
    let open = "(".repeat(4000);
    assert_eq!(condition_error(&open), "Syntax error; token: \"<EOF>\", near: \"(\"");
    let depth = 2040;
    let nested = format!("{}a<b{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(condition_error(&nested), "The expression has redundant parentheses;");
    assert_eq!(update_error(&format!("SET a = {open}")), "Syntax error; token: \"<EOF>\", near: \"(\"");
    let calls = "f(".repeat(2000);
    assert_eq!(
        condition_error(&format!("a < {calls}")),
        "The function is not allowed to be used this way in an expression; function: f"
    );
    let text = format!("a < {}", "(".repeat(4000));
    assert_eq!(condition_error(&text), "Syntax error; token: \"<EOF>\", near: \"(\"");
}

#[test]
fn more_than_300_operators_are_refused() {
    let problem = "The expression contains too many operators; operator count: 301";
    let nested = |depth| format!("a<b {}{}", "or (a<b ".repeat(depth), ")".repeat(depth));
    let condition = condition(&nested(149));
    condition.validate(ExpressionKind::Condition).unwrap();
    assert!(!condition.holds(&Item::new()).unwrap());
    assert_eq!(condition_error(&nested(454)), problem);
    assert_eq!(condition_error(&format!("{}a<b", "not ".repeat(1000))), problem);
    let list = (0..500).map(|at| format!("a{at}")).collect::<Vec<_>>().join(",");
    projection(&list);
}

#[test]
fn redundant_parentheses_are_refused_everywhere() {
    for text in [
        "((a = :s))",
        "((a)) = :s",
        "a = ((:s))",
        "size((a)) = :n AND ((b = :n))",
        "((attribute_exists(a)))",
        "NOT ((a = :s))",
        "((a = :s AND b = :s))",
        "a IN (((:s)))",
        "((a).b) = :s AND ((c)) = :s",
    ] {
        assert_eq!(condition_error(text), "The expression has redundant parentheses;", "{text}");
    }
    assert_eq!(update_error("SET a = ((:n))"), "The expression has redundant parentheses;");
    for text in [
        "(a = :s)",
        "(a) = (:s)",
        "(a).b = :s",
        "((a).b) = :s",
        "((a) = :s) AND (NOT (b = :s))",
        "(attribute_exists(a))",
        "((a = :s) OR b = :s) AND c = :s",
        "( ( ( size ( a )) < b.c ) AND ( d > :n ) )",
        "a IN ((:s), (:n))",
    ] {
        condition(text);
    }
    update("SET a = ((b) + :n), c = (:n - (d)), e = (f)");
}

#[test]
fn reserved_words_are_refused_in_any_case_and_place() {
    let problem = |word| format!("Attribute name is a reserved keyword; reserved keyword: {word}");
    assert_eq!(condition_error("m.COMMENT = :s"), problem("COMMENT"));
    assert_eq!(condition_error("begins_with(x.Status, :s)"), problem("Status"));
    assert_eq!(condition_error("a = size"), problem("size"));
    assert_eq!(update_error("SET status = :s"), problem("status"));
    assert_eq!(projection_error("ADD"), problem("ADD"));
    assert_eq!(projection_error("pk, list[0].b"), problem("list"));
    condition("#m.#n = :s AND x.#st = :s");
}

#[test]
fn functions_are_judged_before_reserved_words_in_conditions_and_after_them_in_updates() {
    assert_eq!(condition_error("name = :s AND foo(a)"), "Invalid function name; function: foo");
    assert_eq!(
        update_error("SET name = foo(a)"),
        "Attribute name is a reserved keyword; reserved keyword: name"
    );
    assert_eq!(
        condition_error("if_not_exists(a, :s) = :s"),
        "The function is not allowed in a condition expression; function: if_not_exists"
    );
    for function in ["contains(a, :s)", "size(a)"] {
        let name = function.split('(').next().unwrap();
        assert_eq!(
            update_error(&format!("SET b = {function}")),
            format!("The function is not allowed in an update expression; function: {name}")
        );
    }
    let misused =
        |name| format!("The function is not allowed to be used this way in an expression; function: {name}");
    assert_eq!(condition_error("size(a)"), misused("size"));
    assert_eq!(condition_error("size(contains(a, :s)) = :n"), misused("contains"));
    assert_eq!(condition_error("attribute_exists(a) = :t"), misused("attribute_exists"));
    assert_eq!(condition_error("a BETWEEN :z AND begins_with(b, :s)"), misused("begins_with"));
    assert_eq!(update_error("SET a = list_append(list_append(b, :l), :l)"), misused("list_append"));
    update("SET a = list_append(if_not_exists(b, :l), :l), c = if_not_exists(d, if_not_exists(e, :n)) + :n");
}

#[test]
fn placeholders_must_be_defined_and_used() {
    assert_eq!(
        condition_error("#q = :s"),
        "An expression attribute name used in the document path is not defined; attribute name: #q"
    );
    assert_eq!(
        condition_error("a = :q"),
        "An expression attribute value used in expression is not defined; attribute value: :q"
    );
    // Within an update an undefined name comes before an undefined value, wherever they stand.
    assert_eq!(
        update_error("SET a = :q, #q = :s"),
        "An expression attribute name used in the document path is not defined; attribute name: #q"
    );
    let names = || Some([("#a".to_owned(), "a".to_owned()), ("#b".to_owned(), "b".to_owned())].into());
    let values = || Some([(":a".to_owned(), s("a")), (":b".to_owned(), s("b"))].into());
    let mut used = Placeholders::new(names(), values()).unwrap();
    used.condition(ExpressionKind::Condition, "#a = :a").unwrap();
    assert_eq!(
        message(used.clone().finish()),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    );
    used.projection("#b").unwrap();
    assert_eq!(
        message(used.clone().finish()),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}"
    );
    used.condition(ExpressionKind::Filter, "c = :b").unwrap();
    used.finish().unwrap();
    let none = Placeholders::new(names(), None).unwrap();
    assert_eq!(
        message(none.finish()),
        "ExpressionAttributeNames can only be specified when using expressions"
    );
    let mut only_projection = Placeholders::new(None, values()).unwrap();
    only_projection.projection("a").unwrap();
    assert_eq!(
        message(only_projection.finish()),
        "ExpressionAttributeValues can only be specified when using expressions"
    );
}

#[test]
fn keys_of_placeholder_maps_are_checked() {
    let names = |key: &str, name: &str| {
        message(Placeholders::new(Some([(key.to_owned(), name.to_owned())].into()), None))
    };
    let values = |key: &str| message(Placeholders::new(None, Some([(key.to_owned(), s("a"))].into())));
    for key in ["#", "#a-b", "a", "", ":a", "#é"] {
        assert_eq!(
            names(key, "x"),
            format!("ExpressionAttributeNames contains invalid key: Syntax error; key: \"{key}\"")
        );
    }
    for key in [":", ":a-b", "a", "#a"] {
        assert_eq!(
            values(key),
            format!("ExpressionAttributeValues contains invalid key: Syntax error; key: \"{key}\"")
        );
    }
    assert_eq!(
        names("#a", ""),
        "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"
    );
    let long = "a".repeat(255);
    assert_eq!(
        names(&format!("#{long}"), "x"),
        "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; \
         size of key: 256"
    );
    assert_eq!(
        values(&format!(":{long}-")),
        "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;"
    );
    assert_eq!(
        message(Placeholders::new(Some(BTreeMap::new()), None)),
        "ExpressionAttributeNames must not be empty"
    );
    assert_eq!(
        message(Placeholders::new(None, Some(BTreeMap::new()))),
        "ExpressionAttributeValues must not be empty"
    );
    Placeholders::new(Some([("#0_a".to_owned(), "x".to_owned())].into()), None).unwrap();
}

#[test]
fn a_short_text_can_not_unfold_to_gigabytes() {
    let large = s(&"x".repeat(400 * 1024));
    let mut placeholders = Placeholders::new(None, Some([(":v".to_owned(), large)].into())).unwrap();
    let list = vec![":v"; 99].join(",");
    let text = vec![format!("a IN ({list})"); 10].join(" OR ");
    let problem = message(placeholders.condition(ExpressionKind::Filter, &text));
    assert!(problem.contains("at most 16777216 bytes"), "{problem}");
}

#[test]
fn operands_of_conditions_are_checked() {
    let wrong = |function: &str, found: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {function}, operand type: {found}"
        )
    };
    let count = |function: &str, found: usize| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: {function}, number of \
             operands: {found}"
        )
    };
    for operator in ["<", "<=", ">", ">="] {
        for (value, found) in
            [(":t", "BOOL"), (":null", "NULL"), (":ss", "SS"), (":ns", "NS"), (":l", "L"), (":m", "M")]
        {
            assert_eq!(condition_error(&format!("x {operator} {value}")), wrong(operator, found));
            assert_eq!(condition_error(&format!("NOT ({value} {operator} :n)")), wrong(operator, found));
        }
    }
    for operator in ["=", "<>"] {
        condition(&format!("x {operator} :t"));
    }
    assert_eq!(condition_error("x BETWEEN :t AND :t"), wrong("BETWEEN", "BOOL"));
    assert_eq!(condition_error("begins_with(a, :n)"), wrong("begins_with", "N"));
    assert_eq!(condition_error("begins_with(size(a), :s)"), wrong("begins_with", "N"));
    assert_eq!(condition_error("size(:n) = :n"), wrong("size", "N"));
    assert_eq!(condition_error("size(size(a)) = :n"), wrong("size", "N"));
    assert_eq!(condition_error("size(:t) > :null"), wrong("size", "BOOL"));
    assert_eq!(condition_error("attribute_type(a, :n)"), wrong("attribute_type", "N"));
    assert!(condition_error("attribute_type(a, b)").starts_with(&wrong("attribute_type", "{S,SS,N,")));
    assert_eq!(
        condition_error("attribute_type(a, :s2)"),
        "Invalid attribute type name found; type: z, valid types: {S,SS,N,NS,B,BS,BOOL,NULL,L,M}"
    );
    for function in ["attribute_exists", "attribute_not_exists"] {
        let problem =
            format!("Operator or function requires a document path; operator or function: {function}");
        assert_eq!(condition_error(&format!("{function}(:s)")), problem);
        assert_eq!(condition_error(&format!("{function}(size(a))")), problem);
        assert_eq!(condition_error(&format!("{function}(a, b)")), count(function, 2));
    }
    assert_eq!(condition_error("contains(a)"), count("contains", 1));
    assert_eq!(condition_error("begins_with(a, :s, :s)"), count("begins_with", 3));
    assert_eq!(condition_error("size(a, b) = :n"), count("size", 2));
    assert_eq!(
        condition_error(&format!("a IN ({})", vec![":n"; 101].join(","))),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
    condition(&format!("a IN ({})", vec![":n"; 100].join(",")));
}

#[test]
fn the_first_operand_must_differ_from_the_others() {
    let problem = |operator: &str, path: &str| {
        format!(
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: {operator}, first operand: {path}"
        )
    };
    assert_eq!(condition_error("a = #a"), problem("=", "[a]"));
    assert_eq!(condition_error("contains(a[0].b, a[0].b)"), problem("contains", "[a, [0], b]"));
    condition("a = b AND a.b = a.c AND size(a) = size(a)");
}

#[test]
fn bounds_of_between_are_checked() {
    let problem = |rule: &str, lower: &str, upper: &str| {
        format!(
            "The BETWEEN operator requires {rule}; lower bound operand: AttributeValue: {{{lower}}}, upper bound \
             operand: AttributeValue: {{{upper}}}"
        )
    };
    let order = "upper bound to be greater than or equal to lower bound";
    assert_eq!(condition_error("a BETWEEN :big AND :n"), problem(order, "N:5", "N:1"));
    assert_eq!(condition_error("a BETWEEN :s2 AND :s"), problem(order, "S:z", "S:a"));
    assert_eq!(condition_error("a BETWEEN :b2 AND :b"), problem(order, "B:eg==", "B:YQ=="));
    assert_eq!(
        condition_error("a BETWEEN :n AND :s"),
        problem("same data type for lower and upper bounds", "N:1", "S:a")
    );
    condition("a BETWEEN :n AND :n");
    condition("a BETWEEN :n AND b");
}

#[test]
fn leaves_are_judged_in_the_order_of_the_text() {
    assert!(condition_error("x > :t AND y = :q").contains("operand type: BOOL"));
    assert!(condition_error("y = :q AND x > :t").contains("attribute value: :q"));
    assert!(condition_error("(x > :t OR y = :q) AND contains(a)").contains("operand type: BOOL"));
    assert!(condition_error("contains(:q)").contains("attribute value: :q"));
}

#[test]
fn paths_of_updates_and_projections_must_keep_apart() {
    let problem = |word: &str, one: &str, two: &str| {
        format!(
            "Two document paths {word} with each other; must remove or rewrite one of these paths; path one: {one}, \
             path two: {two}"
        )
    };
    for (text, word, one, two) in [
        ("a, a.b", "overlap", "[a]", "[a, b]"),
        ("a.b, a", "overlap", "[a, b]", "[a]"),
        ("x, a.b, a", "overlap", "[a, b]", "[a]"),
        ("a, a", "overlap", "[a]", "[a]"),
        ("a[0], a", "overlap", "[a, [0]]", "[a]"),
        ("#a, a.b", "overlap", "[a]", "[a, b]"),
        ("a[0], a.b", "conflict", "[a, [0]]", "[a, b]"),
        ("a.z.c, a.b, a[7]", "conflict", "[a, z, c]", "[a, [7]]"),
        ("a[0], a.b, c, c", "overlap", "[c]", "[c]"),
    ] {
        assert_eq!(projection_error(text), problem(word, one, two), "{text}");
    }
    projection("a.b, a.c, a.d[0], a.d[1], b[0].x, b[0].y");
    assert_eq!(update_error("SET a[0] = :s, a[0].ok = :s"), problem("overlap", "[a, [0]]", "[a, [0], ok]"));
    assert_eq!(update_error("SET a = :s REMOVE #a"), problem("overlap", "[a]", "[a]"));
    assert_eq!(update_error("SET a.b = :s ADD a[1] :n"), problem("conflict", "[a, b]", "[a, [1]]"));
    // Overlaps are found before types.
    assert_eq!(update_error("ADD a :s, a :s"), problem("overlap", "[a]", "[a]"));
}

#[test]
fn the_first_of_many_clashing_paths_is_named() {
    let mut paths: Vec<String> = (0..900).map(|at| format!("a[{at}]")).collect();
    paths.truncate(560);
    let clean = paths.join(",");
    projection(&clean);
    assert!(
        projection_error(&format!("{clean},a[7].x")).ends_with("path one: [a, [7]], path two: [a, [7], x]")
    );
    assert!(
        projection_error(&format!("a[7].x,{clean}")).ends_with("path one: [a, [7], x], path two: [a, [7]]")
    );
}

#[test]
fn values_and_functions_of_updates_are_checked() {
    for (text, operator, found, set) in [
        ("ADD x :l", "ADD", "LIST", "ADD"),
        ("ADD x :s", "ADD", "STRING", "ADD"),
        ("ADD x :m", "ADD", "MAP", "ADD"),
        ("DELETE x :s", "DELETE", "STRING", "DELETE"),
        ("DELETE x :n", "DELETE", "NUMBER", "DELETE"),
        ("DELETE x :t", "DELETE", "BOOLEAN", "DELETE"),
    ] {
        assert_eq!(
            update_error(text),
            format!(
                "Incorrect operand type for operator or function; operator: {operator}, operand type: {found}, \
                 typeSet: ALLOWED_FOR_{set}_OPERAND"
            )
        );
    }
    let wrong = |function: &str, found: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {function}, operand type: {found}"
        )
    };
    assert_eq!(update_error("SET a = :s + :n"), wrong("+", "S"));
    assert_eq!(update_error("SET a = b - :l"), wrong("-", "L"));
    assert_eq!(update_error("SET a = list_append(b, :n)"), wrong("list_append", "N"));
    assert_eq!(
        update_error("SET a = if_not_exists(:s, :n)"),
        "Operator or function requires a document path; operator or function: if_not_exists"
    );
    assert_eq!(
        update_error("SET a = if_not_exists(if_not_exists(n, :z), :n)"),
        "Operator or function requires a document path; operator or function: if_not_exists"
    );
    assert_eq!(
        update_error("SET a = list_append(b)"),
        "Incorrect number of operands for operator or function; operator or function: list_append, number of \
         operands: 1"
    );
    assert_eq!(
        update_error("SET a = :s SET b = :s"),
        "The \"SET\" section can only be used once in an update expression;"
    );
    update("ADD x :n SET y = :s DELETE z :ss remove w");
}

#[test]
fn paths_have_at_most_32_levels_and_indexes_a_limit() {
    projection(&format!("a{}", ".b".repeat(31)));
    assert_eq!(
        projection_error(&format!("a{}", ".b".repeat(32))),
        "The document path has too many nesting levels; nesting levels: 33"
    );
    projection("a[2147483647]");
    assert_eq!(
        projection_error("a[2147483648]"),
        "List index is not within the allowable range; index: [2147483648]"
    );
}

#[test]
fn substitution_texts_have_a_bound_together() {
    use crate::limits::PLACEHOLDERS_BYTES;
    // Each counts with its placeholder of two bytes.
    let made = |names: &[usize], values: &[usize]| {
        let key = |mark: char, place: usize| format!("{mark}{}", char::from(b'a' + place as u8));
        let names: BTreeMap<_, _> =
            names.iter().enumerate().map(|(place, bytes)| (key('#', place), "n".repeat(bytes - 2))).collect();
        let values: BTreeMap<_, _> = values
            .iter()
            .enumerate()
            .map(|(place, bytes)| (key(':', place), s(&"v".repeat(bytes - 2))))
            .collect();
        Placeholders::new(
            Some(names).filter(|map| !map.is_empty()),
            Some(values).filter(|map| !map.is_empty()),
        )
    };
    let half = PLACEHOLDERS_BYTES / 2;
    for (names, values, exceeding) in [
        (&[half, half][..], &[][..], None),
        (&[half, half + 1], &[], Some("ExpressionAttributeNames")),
        (&[], &[half, half], None),
        (&[], &[half, half + 1], Some("ExpressionAttributeValues")),
        (&[half], &[half], None),
        (
            &[half],
            &[half + 1],
            Some("Combined size of ExpressionAttributeNames and ExpressionAttributeValues"),
        ),
    ] {
        match (made(names, values), exceeding) {
            (Ok(_), None) => {}
            (Err(error), Some(what)) => assert_eq!(error.message, format!("{what} exceeds max size")),
            (made, _) => panic!("{names:?} {values:?}: {made:?}"),
        }
    }
}

#[test]
fn a_nodes_text_is_bounded_by_depth_and_not_by_length_or_operators() {
    let node = |values: &[(&str, AttributeValue)], text: &str| {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let mut placeholders = Placeholders::by(Author::Node, None, Some(values)).unwrap();
        placeholders.condition(ExpressionKind::Filter, text)
    };
    let flat = vec!["a = :v"; 5_000].join(" OR ");
    assert!(matches!(node(&[(":v", s("x"))], &flat), Ok(Condition::Or(terms)) if terms.len() == 5_000));
    let many = vec![":v"; 500].join(",");
    assert!(node(&[(":v", s("x"))], &format!("a IN ({many})")).is_ok());
    assert!(node(&[(":v", s(&"v".repeat(3 << 20)))], "a = :v").is_ok());
    // As deep as a tree may be, side by side, and no deeper however long the text goes on.
    let nots = |depth: usize| format!("{}attribute_exists(a)", "NOT ".repeat(depth));
    let side_by_side = vec![nots(300); 10].join(" AND ");
    assert!(node(&[(":v", s("x"))], &format!("{side_by_side} AND a = :v")).is_ok());
    let deep = "Invalid FilterExpression: The expression contains too many operators; operator count: 301";
    for text in [nots(302), nots(1_000_000), "(".repeat(1_000_000), "NOT (".repeat(1_000_000)] {
        assert_eq!(node(&[(":v", s("x"))], &text).unwrap_err().message, deep);
    }
}

//! Messages to the letter, and which of several faults is told first. Clients match on them, and people search for them.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{NUMBERS, PLAIN};

cases![
    missing_parameters,
    constraints_are_listed_together,
    keys_that_do_not_fit,
    placeholders_missing_and_unused,
    expressions_that_are_none,
    reserved_words,
    wrong_operands,
    key_conditions_that_are_none,
    what_is_told_first,
    a_table_is_looked_for_after_the_request_is_checked,
    empty_expressions_and_maps,
    projections_and_selects_that_disagree,
    conditions_on_keys_in_filters,
];

fn key() -> Value {
    json!({"p": {"S": "message"}})
}

fn condition(text: &str) -> Value {
    json!({"TableName": PLAIN, "Key": key(), "ConditionExpression": text})
}

fn update(text: &str) -> Value {
    json!({"TableName": PLAIN, "Key": key(), "UpdateExpression": text})
}

/// The first thing a hand-written request lacks.
async fn missing_parameters(db: Ask) {
    for op in ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"] {
        let refusal = db.refused(op, json!({})).await;
        assert_eq!(refusal.kind, "ValidationException", "{op}");
        assert!(refusal.message.to_lowercase().contains("tablename"), "{op}: {}", refusal.message);
    }
    db.invalid(
        "GetItem",
        json!({"TableName": PLAIN}),
        "1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null",
    )
    .await;
    db.invalid(
        "PutItem",
        json!({"TableName": PLAIN}),
        "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null",
    )
    .await;
    db.invalid(
        "Query",
        json!({"TableName": PLAIN}),
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    )
    .await;
}

/// All broken constraints in one message, counted.
async fn constraints_are_listed_together(db: Ask) {
    let refusal = db.refused("GetItem", json!({"TableName": "a b c", "ReturnConsumedCapacity": "hi"})).await;
    assert_eq!(refusal.kind, "ValidationException");
    for part in [
        "3 validation errors detected: ",
        "Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
        "Value 'a b c' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        "Value null at 'key' failed to satisfy constraint: Member must not be null",
    ] {
        assert!(refusal.message.contains(part), "{part}\n{}", refusal.message);
    }
    db.invalid(
        "PutItem",
        json!({"TableName": PLAIN, "Item": key(), "ReturnValues": "hi"}),
        "1 validation error detected: Value 'hi' at 'returnValues' failed to satisfy constraint: Member must satisfy enum \
         value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
    )
    .await;
}

/// A key has exactly the key's attributes, of the key's types.
async fn keys_that_do_not_fit(db: Ask) {
    let mismatch = "The provided key element does not match the schema";
    for bad in [
        json!({"q": {"S": "x"}}),
        json!({"p": {"N": "1"}}),
        json!({"p": {"S": "x"}, "s": {"N": "1"}}),
        json!({}),
    ] {
        for op in ["GetItem", "DeleteItem", "UpdateItem"] {
            db.invalid(op, json!({"TableName": PLAIN, "Key": bad}), mismatch).await;
        }
    }
    db.invalid("GetItem", json!({"TableName": NUMBERS, "Key": {"p": {"S": "x"}}}), mismatch).await;
    db.invalid(
        "PutItem",
        json!({"TableName": NUMBERS, "Item": {"p": {"S": "x"}}}),
        "One or more parameter values were invalid: Missing the key s in the item",
    )
    .await;
    db.invalid(
        "PutItem",
        json!({"TableName": NUMBERS, "Item": {"p": {"S": "x"}, "s": {"S": "1"}}}),
        "One or more parameter values were invalid: Type mismatch for key s expected: N actual: S",
    )
    .await;
}

/// Each placeholder is defined, and each definition used.
async fn placeholders_missing_and_unused(db: Ask) {
    db.invalid(
        "DeleteItem",
        condition("a = :v"),
        "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v",
    )
    .await;
    db.invalid(
        "DeleteItem",
        condition("attribute_exists(#n)"),
        "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; attribute name: #n",
    )
    .await;
    let mut body = condition("attribute_exists(a)");
    body["ExpressionAttributeNames"] = json!({"#n": "n"});
    db.invalid(
        "DeleteItem",
        body,
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}",
    )
    .await;
    let mut body = condition("attribute_exists(a)");
    body["ExpressionAttributeValues"] = json!({":v": {"N": "1"}});
    db.invalid(
        "DeleteItem",
        body,
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}",
    )
    .await;
    let body = json!({"TableName": PLAIN, "Key": key(), "ExpressionAttributeNames": {"#n": "n"}});
    db.invalid("GetItem", body, "ExpressionAttributeNames can only be specified when using expressions")
        .await;
    let body = json!({"TableName": PLAIN, "Key": key(), "ExpressionAttributeValues": {":v": {"N": "1"}}});
    db.invalid(
        "DeleteItem",
        body,
        "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
    )
    .await;
    let mut body = condition("attribute_exists(a)");
    body["ExpressionAttributeNames"] = json!({"n": "n"});
    db.invalid("DeleteItem", body, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"n\"")
        .await;
}

/// A syntax error names the token and what stands round it.
async fn expressions_that_are_none(db: Ask) {
    db.invalid(
        "DeleteItem",
        condition("a == b"),
        "Invalid ConditionExpression: Syntax error; token: \"=\", near: \"== b\"",
    )
    .await;
    db.invalid(
        "DeleteItem",
        condition("((a = b))"),
        "Invalid ConditionExpression: The expression has redundant parentheses;",
    )
    .await;
    db.invalid(
        "DeleteItem",
        condition("whatever(a)"),
        "Invalid ConditionExpression: Invalid function name; function: whatever",
    )
    .await;
    db.invalid(
        "UpdateItem",
        update("SET a = b SET c = d"),
        "Invalid UpdateExpression: The \"SET\" section can only be used once in an update expression;",
    )
    .await;
}

/// 573 words go by placeholder only, in any case.
async fn reserved_words(db: Ask) {
    for word in ["size", "Name", "STATUS", "date", "user", "zone"] {
        db.invalid(
            "DeleteItem",
            condition(&format!("attribute_exists({word})")),
            format!(
                "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: {word}"
            ),
        )
        .await;
    }
}

/// Functions check what can be checked before any item is read.
async fn wrong_operands(db: Ask) {
    let mut body = condition("begins_with(a, :v)");
    body["ExpressionAttributeValues"] = json!({":v": {"N": "1"}});
    db.invalid(
        "DeleteItem",
        body,
        "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, \
         operand type: N",
    )
    .await;
    let mut body = condition("attribute_type(a, :v)");
    body["ExpressionAttributeValues"] = json!({":v": {"S": "STRING"}});
    let refusal = db.refused("DeleteItem", body).await;
    assert!(
        refusal
            .message
            .starts_with("Invalid ConditionExpression: Invalid attribute type name found; type: STRING"),
        "{}",
        refusal.message
    );
    let mut body = condition("a BETWEEN :v AND :w");
    body["ExpressionAttributeValues"] = json!({":v": {"N": "2"}, ":w": {"N": "1"}});
    let refusal = db.refused("DeleteItem", body).await;
    assert!(
        refusal.message.starts_with(
            "Invalid ConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
        ),
        "{}",
        refusal.message
    );
    db.invalid(
        "DeleteItem",
        condition("attribute_exists(a, b)"),
        "Invalid ConditionExpression: Incorrect number of operands for operator or function; operator or function: \
         attribute_exists, number of operands: 2",
    )
    .await;
    let mut body = update("ADD a :v");
    body["ExpressionAttributeValues"] = json!({":v": {"S": "x"}});
    db.invalid(
        "UpdateItem",
        body,
        "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING, \
         typeSet: ALLOWED_FOR_ADD_OPERAND",
    )
    .await;
}

/// A key condition is an equality on the partition key and at most one range on the sort key.
async fn key_conditions_that_are_none(db: Ask) {
    let query = |text: &str, values: Value| json!({"TableName": NUMBERS, "KeyConditionExpression": text, "ExpressionAttributeValues": values});
    let p = json!({"S": "x"});
    let n = json!({"N": "1"});
    for (text, values, message) in [
        ("p > :p", json!({":p": p}), "Query key condition not supported"),
        ("s = :n", json!({":n": n}), "Query condition missed key schema element: p"),
        ("p = :p AND q = :n", json!({":p": p, ":n": n}), "Query condition missed key schema element: s"),
        (
            "p = :p OR s = :n",
            json!({":p": p, ":n": n}),
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "p = :p AND s <> :n",
            json!({":p": p, ":n": n}),
            "Invalid operator used in KeyConditionExpression: <>",
        ),
        (
            "p = :p AND NOT s = :n",
            json!({":p": p, ":n": n}),
            "Invalid operator used in KeyConditionExpression: NOT",
        ),
        (
            "p = :p AND contains(s, :n)",
            json!({":p": p, ":n": n}),
            "Invalid operator used in KeyConditionExpression: contains",
        ),
        (
            "p = :p AND s > :n AND s < :n",
            json!({":p": p, ":n": n}),
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "p = :n",
            json!({":n": n}),
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
    ] {
        db.invalid("Query", query(text, values), message).await;
    }
}

/// Of two faults the one the service sees first.
async fn what_is_told_first(db: Ask) {
    // A broken constraint before mixed styles, mixed styles before a bad value, a bad value before the expression's syntax.
    let mut body =
        json!({"TableName": PLAIN, "Item": {"p": {"N": "x"}}, "ConditionExpression": "a ==", "Expected": {}});
    db.invalid(
        "PutItem",
        body.clone(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} \
         Expression parameters: {ConditionExpression}",
    )
    .await;
    body.as_object_mut().expect("an object").remove("Expected");
    db.invalid("PutItem", body.clone(), "The parameter cannot be converted to a numeric value: x").await;
    body["Item"] = key();
    let refusal = db.refused("PutItem", body).await;
    assert!(refusal.message.starts_with("Invalid ConditionExpression: Syntax error"), "{}", refusal.message);
}

/// A request that is wrong by itself is refused as such, whatever table it names.
async fn a_table_is_looked_for_after_the_request_is_checked(db: Ask) {
    let body = json!({"TableName": "message-no-table", "Key": key(), "ConditionExpression": "a = :v"});
    let refusal = db.refused("DeleteItem", body).await;
    assert_eq!(refusal.kind, "ValidationException");
    let body = json!({"TableName": "message-no-table", "Key": {"anything": {"S": "x"}}});
    let refusal = db.refused("DeleteItem", body).await;
    assert_eq!(refusal.kind, "ResourceNotFoundException");
}

/// Empty is not absent.
async fn empty_expressions_and_maps(db: Ask) {
    db.invalid("DeleteItem", condition(""), "Invalid ConditionExpression: The expression can not be empty;")
        .await;
    db.invalid("UpdateItem", update(""), "Invalid UpdateExpression: The expression can not be empty;").await;
    let body = json!({"TableName": PLAIN, "Key": key(), "ProjectionExpression": ""});
    db.invalid("GetItem", body, "Invalid ProjectionExpression: The expression can not be empty;").await;
    let mut body = condition("attribute_exists(a)");
    body["ExpressionAttributeNames"] = json!({});
    db.invalid("DeleteItem", body, "ExpressionAttributeNames must not be empty").await;
    let mut body = condition("attribute_exists(a)");
    body["ExpressionAttributeValues"] = json!({});
    db.invalid("DeleteItem", body, "ExpressionAttributeValues must not be empty").await;
}

/// Select and what else is asked for must agree.
async fn projections_and_selects_that_disagree(db: Ask) {
    let scan = |select: &str, projection: Option<&str>| {
        let mut body = json!({"TableName": PLAIN, "Select": select});
        if let Some(projection) = projection {
            body["ProjectionExpression"] = json!(projection);
        }
        body
    };
    for (select, projection) in [
        ("SPECIFIC_ATTRIBUTES", None),
        ("ALL_ATTRIBUTES", Some("a")),
        ("COUNT", Some("a")),
        ("ALL_PROJECTED_ATTRIBUTES", None),
    ] {
        let refusal = db.refused("Scan", scan(select, projection)).await;
        assert_eq!(refusal.kind, "ValidationException", "{select}: {}", refusal.message);
    }
}

/// A query's filter may not look at its key.
async fn conditions_on_keys_in_filters(db: Ask) {
    db.invalid(
        "Query",
        json!({"TableName": NUMBERS, "KeyConditionExpression": "p = :p", "FilterExpression": "s > :s",
               "ExpressionAttributeValues": {":p": {"S": "x"}, ":s": {"N": "1"}}}),
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: s",
    )
    .await;
}

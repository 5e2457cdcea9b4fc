//! Projections: of GetItem, BatchGetItem, Query and Scan, on paths, with placeholders.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{NUMBERS, PLAIN};

cases![
    paths_keep_their_frames,
    a_projection_of_what_is_absent_is_empty,
    overlapping_paths_are_refused_here_too,
    pages_are_projected_after_the_filter,
    a_batch_projects_per_table,
    a_projection_through_the_cache_is_the_same_as_before_it,
];

/// Nested values come back inside maps and lists that hold nothing else; list elements close ranks.
async fn paths_keep_their_frames(db: Ask) {
    let item = json!({
        "p": {"S": "project"}, "a": {"S": "1"}, "b.c": {"S": "dot"},
        "m": {"M": {"x": {"N": "1"}, "y": {"M": {"z": {"N": "2"}, "w": {"N": "3"}}}}},
        "l": {"L": [{"S": "0"}, {"M": {"k": {"S": "k"}, "o": {"S": "o"}}}, {"S": "2"}]},
    });
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    for (expression, names, expected) in [
        ("a", json!({}), json!({"a": {"S": "1"}})),
        ("p, a", json!({}), json!({"p": {"S": "project"}, "a": {"S": "1"}})),
        ("m.x", json!({}), json!({"m": {"M": {"x": {"N": "1"}}}})),
        ("m.y.z, m.x", json!({}), json!({"m": {"M": {"x": {"N": "1"}, "y": {"M": {"z": {"N": "2"}}}}}})),
        ("l[2], l[0]", json!({}), json!({"l": {"L": [{"S": "0"}, {"S": "2"}]}})),
        ("l[1].k", json!({}), json!({"l": {"L": [{"M": {"k": {"S": "k"}}}]}})),
        ("#d", json!({"#d": "b.c"}), json!({"b.c": {"S": "dot"}})),
        (
            "#m.#y.#w",
            json!({"#m": "m", "#y": "y", "#w": "w"}),
            json!({"m": {"M": {"y": {"M": {"w": {"N": "3"}}}}}}),
        ),
    ] {
        let mut body =
            json!({"TableName": PLAIN, "Key": {"p": {"S": "project"}}, "ProjectionExpression": expression});
        if names != json!({}) {
            body["ExpressionAttributeNames"] = names;
        }
        for consistent in [true, false, false] {
            body["ConsistentRead"] = json!(consistent);
            assert_eq!(db.ok("GetItem", body.clone()).await["Item"], expected, "{expression}");
        }
    }
}

/// The item is there, so `Item` is, with nothing in it.
async fn a_projection_of_what_is_absent_is_empty(db: Ask) {
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "project-none"}, "t": {"S": "x"}}}))
        .await;
    for expression in ["absent", "t.k", "t[0]", "absent.k[3]"] {
        let body = json!({"TableName": PLAIN, "Key": {"p": {"S": "project-none"}}, "ProjectionExpression": expression});
        for _ in 0..2 {
            assert_eq!(db.ok("GetItem", body.clone()).await, json!({"Item": {}}), "{expression}");
        }
    }
}

/// The same rule as in updates.
async fn overlapping_paths_are_refused_here_too(db: Ask) {
    db.invalid(
        "GetItem",
        json!({"TableName": PLAIN, "Key": {"p": {"S": "x"}}, "ProjectionExpression": "m, m.k"}),
        "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these \
         paths; path one: [m], path two: [m, k]",
    )
    .await;
}

/// A filter may look at what the projection leaves out.
async fn pages_are_projected_after_the_filter(db: Ask) {
    for s in 0..3 {
        let item = json!({"p": {"S": "project-page"}, "s": {"N": s.to_string()}, "a": {"N": s.to_string()}, "b": {"S": "b"}});
        db.ok("PutItem", json!({"TableName": NUMBERS, "Item": item})).await;
    }
    let body = json!({
        "TableName": NUMBERS, "KeyConditionExpression": "p = :p", "FilterExpression": "a > :a", "ProjectionExpression": "b, s",
        "ExpressionAttributeValues": {":p": {"S": "project-page"}, ":a": {"N": "1"}},
    });
    for _ in 0..2 {
        assert_eq!(db.ok("Query", body.clone()).await["Items"], json!([{"b": {"S": "b"}, "s": {"N": "2"}}]));
    }
}

/// Each table of a batch has its own projection and its own placeholders.
async fn a_batch_projects_per_table(db: Ask) {
    let item = json!({"p": {"S": "project-batch"}, "a": {"S": "a"}, "b": {"S": "b"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    let item = json!({"p": {"S": "project-batch"}, "s": {"N": "1"}, "c": {"S": "c"}});
    db.ok("PutItem", json!({"TableName": NUMBERS, "Item": item})).await;
    let body = json!({"RequestItems": {
        PLAIN: {"Keys": [{"p": {"S": "project-batch"}}], "ProjectionExpression": "#b", "ExpressionAttributeNames": {"#b": "b"}},
        NUMBERS: {"Keys": [{"p": {"S": "project-batch"}, "s": {"N": "1"}}], "ConsistentRead": true, "ProjectionExpression": "c"},
    }});
    for _ in 0..2 {
        let got = db.ok("BatchGetItem", body.clone()).await;
        assert_eq!(got["Responses"][PLAIN], json!([{"b": {"S": "b"}}]));
        assert_eq!(got["Responses"][NUMBERS], json!([{"c": {"S": "c"}}]));
    }
}

/// A cache keeps whole items: a projected read may neither fill it with a part, nor be answered with the whole.
async fn a_projection_through_the_cache_is_the_same_as_before_it(db: Ask) {
    let item = json!({"p": {"S": "project-cache"}, "a": {"S": "a"}, "b": {"S": "b"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    let get = |projection: Option<&str>| -> Value {
        let mut body = json!({"TableName": PLAIN, "Key": {"p": {"S": "project-cache"}}});
        if let Some(projection) = projection {
            body["ProjectionExpression"] = json!(projection);
        }
        body
    };
    for _ in 0..2 {
        assert_eq!(db.ok("GetItem", get(Some("a"))).await["Item"], json!({"a": {"S": "a"}}));
        assert_eq!(db.ok("GetItem", get(None)).await["Item"], item);
        assert_eq!(db.ok("GetItem", get(Some("b"))).await["Item"], json!({"b": {"S": "b"}}));
    }
}

//! Query and Scan: key conditions, filters, order, limits, the megabyte, segments.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{self, BINARY, INDEXED, NUMBERS, SCANNED};

cases![
    each_key_condition_selects_its_range,
    strings_order_by_bytes,
    binary_keys_order_by_unsigned_bytes,
    a_filter_removes_after_counting,
    a_limit_counts_before_the_filter,
    a_limit_that_is_just_met_still_gives_a_key,
    paging_backwards,
    a_page_ends_at_a_megabyte,
    select_count_gives_no_items,
    a_strong_query_and_scan,
    a_scan_gives_every_item_once,
    segments_share_a_scan,
    a_scan_of_one_table_sees_no_other,
    start_keys_need_not_exist,
    a_start_key_outside_is_refused,
];

async fn put(db: &Ask, table: &str, p: &str, s: Value, mut item: Value) {
    item["p"] = json!({"S": p});
    item["s"] = s;
    db.ok("PutItem", json!({"TableName": table, "Item": item})).await;
}

fn query(table: &str, condition: &str, values: Value) -> Value {
    json!({"TableName": table, "KeyConditionExpression": condition, "ExpressionAttributeValues": values})
}

/// The sort keys of a page, in order, as texts.
fn sorts(page: &Value) -> Vec<String> {
    let items = page["Items"].as_array().expect("a list of items");
    items
        .iter()
        .map(|item| {
            let value = item["s"].as_object().and_then(|value| value.values().next()).and_then(Value::as_str);
            value.expect("a key of one type").to_owned()
        })
        .collect()
}

/// =, <, <=, >, >=, BETWEEN on numbers, begins_with on strings; operands either way round.
async fn each_key_condition_selects_its_range(db: Ask) {
    for sort in 1..=5 {
        put(&db, NUMBERS, "page-range", json!({"N": sort.to_string()}), json!({})).await;
    }
    for (condition, expected) in [
        ("p = :p AND s = :a", "2"),
        ("s = :a AND p = :p", "2"),
        ("p = :p AND s < :a", "1"),
        ("p = :p AND s <= :a", "12"),
        ("p = :p AND s > :a", "345"),
        ("p = :p AND s >= :a", "2345"),
        ("p = :p AND :a < s", "345"),
        ("(p = :p) AND (s > :a)", "345"),
    ] {
        let got = db
            .ok("Query", query(NUMBERS, condition, json!({":p": {"S": "page-range"}, ":a": {"N": "2"}})))
            .await;
        assert_eq!(sorts(&got).concat(), expected, "{condition}");
    }
    let values = json!({":p": {"S": "page-range"}, ":a": {"N": "1.5"}, ":b": {"N": "4"}});
    let got = db.ok("Query", query(NUMBERS, "p = :p AND s BETWEEN :a AND :b", values)).await;
    assert_eq!(sorts(&got).concat(), "234");
    for sort in ["a", "ab", "abc", "b"] {
        put(&db, INDEXED, "page-prefix", json!({"S": sort}), json!({})).await;
    }
    let values = json!({":p": {"S": "page-prefix"}, ":a": {"S": "ab"}});
    let got = db.ok("Query", query(INDEXED, "p = :p AND begins_with(s, :a)", values)).await;
    assert_eq!(sorts(&got), ["ab", "abc"]);
}

/// UTF-8 bytes decide, not a language's order; a prefix comes first.
async fn strings_order_by_bytes(db: Ask) {
    let mut keys = vec!["", "A", "B", "a", "aa", "a\u{0}", "a\u{1}", "é", "z", "\u{ffff}", "😀"];
    keys.remove(0);
    for sort in &keys {
        put(&db, INDEXED, "page-bytes", json!({"S": sort}), json!({})).await;
    }
    let got = db.ok("Query", query(INDEXED, "p = :p", json!({":p": {"S": "page-bytes"}}))).await;
    keys.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(sorts(&got), keys);
}

/// 0x80 sorts after 0x7f.
async fn binary_keys_order_by_unsigned_bytes(db: Ask) {
    for sort in ["/w==", "fw==", "gA==", "AA==", "fwA="] {
        let item = json!({"p": {"B": "cGFnZQ=="}, "s": {"B": sort}});
        db.ok("PutItem", json!({"TableName": BINARY, "Item": item})).await;
    }
    let got = db.ok("Query", query(BINARY, "p = :p", json!({":p": {"B": "cGFnZQ=="}}))).await;
    assert_eq!(sorts(&got), ["AA==", "fw==", "fwA=", "gA==", "/w=="]);
}

/// ScannedCount is what was read, Count what passed.
async fn a_filter_removes_after_counting(db: Ask) {
    for sort in 0..6 {
        let colour = if sort % 2 == 0 { "red" } else { "blue" };
        put(&db, NUMBERS, "page-filter", json!({"N": sort.to_string()}), json!({"colour": {"S": colour}}))
            .await;
    }
    let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-filter"}, ":c": {"S": "red"}}));
    body["FilterExpression"] = json!("colour = :c");
    for _ in 0..2 {
        let got = db.ok("Query", body.clone()).await;
        assert_eq!((got["Count"].clone(), got["ScannedCount"].clone()), (json!(3), json!(6)));
        assert_eq!(sorts(&got), ["0", "2", "4"]);
    }
}

/// A page may be empty and yet not the last.
async fn a_limit_counts_before_the_filter(db: Ask) {
    for sort in 0..4 {
        put(
            &db,
            NUMBERS,
            "page-limit",
            json!({"N": sort.to_string()}),
            json!({"v": {"N": sort.to_string()}}),
        )
        .await;
    }
    let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-limit"}, ":v": {"N": "3"}}));
    body["FilterExpression"] = json!("v = :v");
    body["Limit"] = json!(3);
    let got = db.ok("Query", body.clone()).await;
    assert_eq!((got["Count"].clone(), got["ScannedCount"].clone()), (json!(0), json!(3)));
    assert_eq!(got["LastEvaluatedKey"], json!({"p": {"S": "page-limit"}, "s": {"N": "2"}}));
    body["ExclusiveStartKey"] = got["LastEvaluatedKey"].clone();
    let got = db.ok("Query", body).await;
    assert_eq!(sorts(&got), ["3"]);
    assert_eq!(got.get("LastEvaluatedKey"), None);
}

/// The service does not look whether anything follows.
async fn a_limit_that_is_just_met_still_gives_a_key(db: Ask) {
    for sort in 0..2 {
        put(&db, NUMBERS, "page-just", json!({"N": sort.to_string()}), json!({})).await;
    }
    let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-just"}}));
    body["Limit"] = json!(2);
    let got = db.ok("Query", body.clone()).await;
    assert_eq!(got["Count"], 2);
    body["ExclusiveStartKey"] = got["LastEvaluatedKey"].clone();
    let got = db.ok("Query", body).await;
    assert_eq!((got["Count"].clone(), got.get("LastEvaluatedKey")), (json!(0), None));
}

/// Start keys work in descending order too.
async fn paging_backwards(db: Ask) {
    for sort in 0..5 {
        put(&db, NUMBERS, "page-back", json!({"N": sort.to_string()}), json!({})).await;
    }
    let mut body = query(NUMBERS, "p = :p AND s > :a", json!({":p": {"S": "page-back"}, ":a": {"N": "0"}}));
    body["ScanIndexForward"] = json!(false);
    body["Limit"] = json!(3);
    let got = db.ok("Query", body.clone()).await;
    assert_eq!(sorts(&got), ["4", "3", "2"]);
    body["ExclusiveStartKey"] = got["LastEvaluatedKey"].clone();
    assert_eq!(sorts(&db.ok("Query", body).await), ["1"]);
}

/// One page is at most a megabyte of items as billed, filter or not, and the item that crosses it is the last.
async fn a_page_ends_at_a_megabyte(db: Ask) {
    let blob = "x".repeat(300 * 1024);
    for sort in 0..5 {
        put(&db, NUMBERS, "page-mega", json!({"N": sort.to_string()}), json!({"v": {"S": blob}})).await;
    }
    for (filter, expected) in [(None, 4), (Some("attribute_not_exists(v)"), 0)] {
        let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-mega"}}));
        if let Some(filter) = filter {
            body["FilterExpression"] = json!(filter);
        }
        for _ in 0..2 {
            let got = db.ok("Query", body.clone()).await;
            assert_eq!((got["Count"].clone(), got["ScannedCount"].clone()), (json!(expected), json!(4)));
            assert_eq!(got["LastEvaluatedKey"], json!({"p": {"S": "page-mega"}, "s": {"N": "3"}}));
        }
    }
    for sort in 0..5 {
        let key = json!({"p": {"S": "page-mega"}, "s": {"N": sort.to_string()}});
        db.ok("DeleteItem", json!({"TableName": NUMBERS, "Key": key})).await;
    }
}

/// COUNT answers counts alone.
async fn select_count_gives_no_items(db: Ask) {
    for sort in 0..3 {
        put(&db, NUMBERS, "page-count", json!({"N": sort.to_string()}), json!({})).await;
    }
    let mut body = query(NUMBERS, "p = :p AND s > :s", json!({":p": {"S": "page-count"}, ":s": {"N": "0"}}));
    body["Select"] = json!("COUNT");
    for _ in 0..2 {
        assert_eq!(db.ok("Query", body.clone()).await, json!({"Count": 2, "ScannedCount": 2}));
    }
}

/// ConsistentRead on table and local index.
async fn a_strong_query_and_scan(db: Ask) {
    put(&db, INDEXED, "page-strong", json!({"S": "1"}), json!({"l": {"N": "1"}})).await;
    for index in [None, Some("local-all")] {
        let mut body = query(INDEXED, "p = :p", json!({":p": {"S": "page-strong"}}));
        body["ConsistentRead"] = json!(true);
        if let Some(index) = index {
            body["IndexName"] = json!(index);
        }
        assert_eq!(db.ok("Query", body).await["Count"], 1);
    }
    let body = json!({"TableName": INDEXED, "ConsistentRead": true, "FilterExpression": "p = :p",
                      "ExpressionAttributeValues": {":p": {"S": "page-strong"}}});
    assert_eq!(db.ok("Scan", body).await["Count"], 1);
}

/// Reads all pages of a scan.
async fn scan(db: &Ask, mut body: Value) -> Vec<String> {
    const PAGES_MAX: usize = 500;
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let got = db.ok("Scan", body.clone()).await;
        for item in got["Items"].as_array().expect("a list of items") {
            let text =
                |name: &str, kind: &str| item[name][kind].as_str().expect("a key attribute").to_owned();
            found.push(format!("{} {}", text("p", "S"), text("s", "N")));
        }
        match got.get("LastEvaluatedKey") {
            Some(key) => body["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
    panic!("the scan does not end")
}

/// Fills the table of scans, always with the same items.
async fn fill(db: &Ask) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for p in 0..20 {
        let puts: Vec<_> = (0..4)
            .map(|s| json!({"PutRequest": {"Item": {"p": {"S": format!("scan-{p}")}, "s": {"N": s.to_string()}}}}))
            .collect();
        db.ok("BatchWriteItem", json!({"RequestItems": {SCANNED: puts}})).await;
        all.extend((0..4).map(|s| format!("scan-{p} {s}")));
    }
    all
}

/// Every page size covers the table.
async fn a_scan_gives_every_item_once(db: Ask) {
    let all = fill(&db).await;
    for limit in [1, 7, 80, 1000] {
        let found = scan(&db, json!({"TableName": SCANNED, "Limit": limit})).await;
        assert_eq!(found.len(), all.len(), "limit {limit}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all, "limit {limit}");
    }
}

/// However many segments, together they are the table, and no two overlap.
async fn segments_share_a_scan(db: Ask) {
    let all = fill(&db).await;
    for segments in [1, 2, 3, 16] {
        let mut found = Vec::new();
        let mut used = 0;
        for segment in 0..segments {
            let part = scan(
                &db,
                json!({"TableName": SCANNED, "Segment": segment, "TotalSegments": segments, "Limit": 3}),
            )
            .await;
            used += usize::from(!part.is_empty());
            found.extend(part);
        }
        assert_eq!(found.len(), all.len(), "{segments} segments");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), all, "{segments} segments");
        assert!(used > segments / 2, "{used} of {segments} segments hold items");
    }
}

/// Tables stand side by side in one engine.
async fn a_scan_of_one_table_sees_no_other(db: Ask) {
    let name = "contract.page.empty";
    db.ok("CreateTable", tables::simple(name, &[("p", "S"), ("s", "N")])).await;
    tables::active(&db, name).await;
    for _ in 0..2 {
        assert_eq!(
            db.ok("Scan", json!({"TableName": name})).await,
            json!({"Items": [], "Count": 0, "ScannedCount": 0})
        );
    }
    db.ok("DeleteTable", json!({"TableName": name})).await;
    tables::gone(&db, name).await;
}

/// A start key is a place, whether or not an item stands there.
async fn start_keys_need_not_exist(db: Ask) {
    for sort in [1, 3, 5] {
        put(&db, NUMBERS, "page-start", json!({"N": sort.to_string()}), json!({})).await;
    }
    let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-start"}}));
    body["ExclusiveStartKey"] = json!({"p": {"S": "page-start"}, "s": {"N": "2"}});
    assert_eq!(sorts(&db.ok("Query", body.clone()).await), ["3", "5"]);
    body["ScanIndexForward"] = json!(false);
    assert_eq!(sorts(&db.ok("Query", body).await), ["1"]);
}

/// A start key of another partition, or of another shape.
async fn a_start_key_outside_is_refused(db: Ask) {
    let mut body = query(NUMBERS, "p = :p", json!({":p": {"S": "page-start"}}));
    body["ExclusiveStartKey"] = json!({"p": {"S": "page-other"}, "s": {"N": "2"}});
    db.invalid(
        "Query",
        body.clone(),
        "The provided starting key is outside query boundaries based on provided conditions",
    )
    .await;
    body["ExclusiveStartKey"] = json!({"p": {"S": "page-start"}});
    db.invalid("Query", body, "The provided starting key is invalid").await;
}

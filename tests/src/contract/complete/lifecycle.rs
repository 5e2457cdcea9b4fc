//! Tables from CREATING to gone: states, indexes added and removed with data in them, tags, listing, limits.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{active, gone, key, simple};

cases![
    a_table_is_created_used_deleted_and_created_anew,
    a_table_being_made_is_in_use,
    a_description_counts_indexes_and_keys,
    an_index_is_added_with_data_and_removed,
    an_added_index_follows_writes_while_it_is_built,
    an_added_index_skips_items_of_another_type,
    only_one_index_changes_at_a_time,
    billing_and_throughput_change,
    a_protected_table_is_not_deleted,
    tags_come_and_go,
    tables_are_listed_in_order_by_pages,
    limits_and_endpoints_are_described,
    a_table_has_a_key,
    attributes_are_declared_and_used,
    indexes_have_limits,
    projected_attributes_have_names_of_255_bytes,
];

async fn create(db: &Ask, name: &str) -> Value {
    db.ok("CreateTable", simple(name, &[("p", "S"), ("s", "N")])).await;
    active(db, name).await
}

async fn delete(db: &Ask, name: &str) {
    db.ok("DeleteTable", json!({"TableName": name})).await;
    gone(db, name).await;
}

fn item(s: u32, g: &str) -> Value {
    json!({"p": {"S": format!("p{}", s % 7)}, "s": {"N": s.to_string()}, "g": {"S": g}})
}

/// Nothing of a dropped table, no item, page or absence, is in its namesake.
async fn a_table_is_created_used_deleted_and_created_anew(db: Ask) {
    let name = "contract.life.anew";
    let key = json!({"p": {"S": "p1"}, "s": {"N": "1"}});
    let query = json!({"TableName": name, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "p1"}}});
    let mut ids = Vec::new();
    for round in 0..3 {
        let created =
            db.ok("CreateTable", simple(name, &[("p", "S"), ("s", "N")])).await["TableDescription"].clone();
        assert_eq!(created["TableStatus"], "CREATING");
        ids.push(active(&db, name).await["TableId"].clone());
        assert_eq!(
            db.ok("GetItem", json!({"TableName": name, "Key": key})).await,
            json!({}),
            "round {round}"
        );
        assert_eq!(db.ok("Query", query.clone()).await["Count"], 0, "round {round}");
        db.ok("PutItem", json!({"TableName": name, "Item": item(1, "x")})).await;
        for _ in 0..2 {
            assert_eq!(db.ok("GetItem", json!({"TableName": name, "Key": key})).await["Item"], item(1, "x"));
            assert_eq!(db.ok("Query", query.clone()).await["Count"], 1);
        }
        let deleted = db.ok("DeleteTable", json!({"TableName": name})).await["TableDescription"].clone();
        assert_eq!(deleted["TableStatus"], "DELETING");
        gone(&db, name).await;
        let refusal = db.refused("GetItem", json!({"TableName": name, "Key": key})).await;
        assert_eq!(refusal.kind, "ResourceNotFoundException");
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each has an id of its own");
}

/// A second CreateTable, and a DeleteTable of a table that is not ready, are told so.
async fn a_table_being_made_is_in_use(db: Ask) {
    let name = "contract.life.twice";
    create(&db, name).await;
    db.refuses(
        "CreateTable",
        simple(name, &[("p", "S")]),
        "ResourceInUseException",
        format!("Table already exists: {name}"),
    )
    .await;
    delete(&db, name).await;
}

/// The description tells indexes with their keys and projections.
async fn a_description_counts_indexes_and_keys(db: Ask) {
    let name = "contract.life.described";
    db.ok("CreateTable", crate::contract::tables::indexed(name)).await;
    let table = active(&db, name).await;
    assert_eq!(table["AttributeDefinitions"].as_array().map(Vec::len), Some(5));
    let named = |list: &Value, name: &str| {
        let indexes = list.as_array().expect("a list of indexes");
        indexes.iter().find(|index| index["IndexName"] == name).expect("the index is there").clone()
    };
    let local = named(&table["LocalSecondaryIndexes"], "local-some");
    assert_eq!(local["KeySchema"], key("p", Some("l")));
    assert_eq!(local["Projection"], json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]}));
    let global = named(&table["GlobalSecondaryIndexes"], "global-keys");
    assert_eq!(global["KeySchema"], key("g", Some("h")));
    assert_eq!(global["Projection"], json!({"ProjectionType": "KEYS_ONLY"}));
    assert_eq!(global["IndexStatus"], "ACTIVE");
    assert!(global["IndexArn"].as_str().is_some_and(|arn| arn.ends_with("/index/global-keys")));
    delete(&db, name).await;
}

fn add_index(name: &str, index: &str, attribute: &str, kind: &str) -> Value {
    json!({
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": kind}],
        "GlobalSecondaryIndexUpdates": [{"Create": {
            "IndexName": index, "KeySchema": key(attribute, None), "Projection": {"ProjectionType": "ALL"},
        }}],
    })
}

fn by_g(name: &str, g: &str) -> Value {
    json!({"TableName": name, "IndexName": "by-g", "KeyConditionExpression": "g = :g",
           "ExpressionAttributeValues": {":g": {"S": g}}})
}

/// Backfill finds every item there is; a removed index is refused, and can be made again.
async fn an_index_is_added_with_data_and_removed(db: Ask) {
    let name = "contract.life.backfill";
    create(&db, name).await;
    for start in (0..500).step_by(25) {
        let puts: Vec<_> = (start..start + 25)
            .map(|s| json!({"PutRequest": {"Item": item(s, if s % 5 == 0 { "five" } else { "other" })}}))
            .collect();
        db.ok("BatchWriteItem", json!({"RequestItems": {name: puts}})).await;
    }
    for _ in 0..2 {
        let told = db.ok("UpdateTable", add_index(name, "by-g", "g", "S")).await["TableDescription"].clone();
        assert_eq!(told["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
        assert_eq!(told["TableStatus"], "UPDATING");
        active(&db, name).await;
        for _ in 0..2 {
            assert_eq!(db.ok("Query", by_g(name, "five")).await["Count"], 100);
        }
        let remove =
            json!({"TableName": name, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-g"}}]});
        db.ok("UpdateTable", remove).await;
        // Deleting indexes stand in the description until they are gone.
        for _ in 0..12_000 {
            let table = db.ok("DescribeTable", json!({"TableName": name})).await["Table"].clone();
            if table.get("GlobalSecondaryIndexes").is_none() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        active(&db, name).await;
        db.invalid("Query", by_g(name, "five"), "The table does not have the specified index: by-g").await;
    }
    assert_eq!(db.ok("Scan", json!({"TableName": name, "Select": "COUNT"})).await["Count"], 500);
    delete(&db, name).await;
}

/// Writes that race the backfill are in the index, once, as they are now.
async fn an_added_index_follows_writes_while_it_is_built(db: Ask) {
    let name = "contract.life.racing";
    create(&db, name).await;
    for start in (0..300).step_by(25) {
        let puts: Vec<_> =
            (start..start + 25).map(|s| json!({"PutRequest": {"Item": item(s, "old")}})).collect();
        db.ok("BatchWriteItem", json!({"RequestItems": {name: puts}})).await;
    }
    db.ok("UpdateTable", add_index(name, "by-g", "g", "S")).await;
    for s in 0..100 {
        db.ok("PutItem", json!({"TableName": name, "Item": item(s, "new")})).await;
    }
    for s in 100..120 {
        let key = json!({"p": {"S": format!("p{}", s % 7)}, "s": {"N": s.to_string()}});
        db.ok("DeleteItem", json!({"TableName": name, "Key": key})).await;
    }
    active(&db, name).await;
    assert_eq!(db.ok("Query", by_g(name, "new")).await["Count"], 100);
    assert_eq!(db.ok("Query", by_g(name, "old")).await["Count"], 180);
    delete(&db, name).await;
}

/// Items that could not be in the index are passed over by the backfill, as the service does.
async fn an_added_index_skips_items_of_another_type(db: Ask) {
    let name = "contract.life.types";
    create(&db, name).await;
    for (s, g) in [(1, json!({"S": "x"})), (2, json!({"N": "1"})), (3, json!({"L": []}))] {
        let item = json!({"p": {"S": "p"}, "s": {"N": s.to_string()}, "g": g});
        db.ok("PutItem", json!({"TableName": name, "Item": item})).await;
    }
    db.ok("UpdateTable", add_index(name, "by-g", "g", "S")).await;
    active(&db, name).await;
    assert_eq!(db.ok("Query", by_g(name, "x")).await["Count"], 1);
    assert_eq!(db.ok("Scan", json!({"TableName": name, "IndexName": "by-g"})).await["Count"], 1);
    delete(&db, name).await;
}

/// One creation or deletion per request.
async fn only_one_index_changes_at_a_time(db: Ask) {
    let name = "contract.life.one";
    create(&db, name).await;
    let create = |index: &str| {
        json!({"Create": {
        "IndexName": index, "KeySchema": key("g", None), "Projection": {"ProjectionType": "ALL"}}})
    };
    let refusal = db
        .refused(
            "UpdateTable",
            json!({
                "TableName": name, "AttributeDefinitions": [{"AttributeName": "g", "AttributeType": "S"}],
                "GlobalSecondaryIndexUpdates": [create("one"), create("two")],
            }),
        )
        .await;
    assert!(
        ["LimitExceededException", "ValidationException"].contains(&refusal.kind.as_str()),
        "{refusal:?}"
    );
    delete(&db, name).await;
}

/// On demand to provisioned and back; the same figures again are refused.
async fn billing_and_throughput_change(db: Ask) {
    let name = "contract.life.billing";
    create(&db, name).await;
    let units = |read: u32, write: u32| json!({"ReadCapacityUnits": read, "WriteCapacityUnits": write});
    db.ok(
        "UpdateTable",
        json!({"TableName": name, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units(5, 6)}),
    )
    .await;
    let table = active(&db, name).await;
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 5);
    assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 6);
    let refusal =
        db.refused("UpdateTable", json!({"TableName": name, "ProvisionedThroughput": units(5, 6)})).await;
    assert_eq!(refusal.kind, "ValidationException");
    db.ok("UpdateTable", json!({"TableName": name, "ProvisionedThroughput": units(7, 6)})).await;
    assert_eq!(active(&db, name).await["ProvisionedThroughput"]["ReadCapacityUnits"], 7);
    db.ok("UpdateTable", json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST"})).await;
    let table = active(&db, name).await;
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    delete(&db, name).await;
}

/// DeletionProtectionEnabled.
async fn a_protected_table_is_not_deleted(db: Ask) {
    let name = "contract.life.protected";
    let mut table = simple(name, &[("p", "S")]);
    table["DeletionProtectionEnabled"] = json!(true);
    db.ok("CreateTable", table).await;
    assert_eq!(active(&db, name).await["DeletionProtectionEnabled"], true);
    let refusal = db.refused("DeleteTable", json!({"TableName": name})).await;
    assert_eq!(refusal.kind, "ValidationException");
    db.ok("UpdateTable", json!({"TableName": name, "DeletionProtectionEnabled": false})).await;
    active(&db, name).await;
    delete(&db, name).await;
}

/// Tags at creation, by request, replaced, removed.
async fn tags_come_and_go(db: Ask) {
    let name = "contract.life.tags";
    let mut table = simple(name, &[("p", "S")]);
    table["Tags"] = json!([{"Key": "team", "Value": "blue"}]);
    db.ok("CreateTable", table).await;
    let arn = active(&db, name).await["TableArn"].clone();
    let list = async || {
        let got = db.ok("ListTagsOfResource", json!({"ResourceArn": arn})).await;
        let mut tags: Vec<String> = got["Tags"]
            .as_array()
            .expect("a list of tags")
            .iter()
            .map(|tag| {
                format!("{}={}", tag["Key"].as_str().unwrap_or("?"), tag["Value"].as_str().unwrap_or("?"))
            })
            .collect();
        tags.sort();
        tags
    };
    assert_eq!(list().await, ["team=blue"]);
    let tags = json!([{"Key": "team", "Value": "red"}, {"Key": "cost", "Value": "1"}]);
    db.ok("TagResource", json!({"ResourceArn": arn, "Tags": tags})).await;
    assert_eq!(list().await, ["cost=1", "team=red"]);
    db.ok("UntagResource", json!({"ResourceArn": arn, "TagKeys": ["team", "never"]})).await;
    assert_eq!(list().await, ["cost=1"]);
    delete(&db, name).await;
}

/// Alphabetical; the last name of a page is where the next begins.
async fn tables_are_listed_in_order_by_pages(db: Ask) {
    let names: Vec<_> = (0..5).map(|n| format!("contract.life.list.{n}")).collect();
    for name in &names {
        create(&db, name).await;
    }
    let mut seen = Vec::new();
    let mut start = "contract.life.list".to_owned();
    for _ in 0..3 {
        let got = db.ok("ListTables", json!({"ExclusiveStartTableName": start, "Limit": 2})).await;
        seen.extend(
            got["TableNames"].as_array().expect("names").iter().filter_map(Value::as_str).map(str::to_owned),
        );
        match got["LastEvaluatedTableName"].as_str() {
            Some(last) => start = last.to_owned(),
            None => break,
        }
    }
    seen.retain(|name| name.starts_with("contract.life.list."));
    assert_eq!(seen, names);
    for name in &names {
        delete(&db, name).await;
    }
}

/// What SDKs and consoles ask in the background.
async fn limits_and_endpoints_are_described(db: Ask) {
    let limits = db.ok("DescribeLimits", json!({})).await;
    for name in [
        "AccountMaxReadCapacityUnits",
        "AccountMaxWriteCapacityUnits",
        "TableMaxReadCapacityUnits",
        "TableMaxWriteCapacityUnits",
    ] {
        assert!(limits[name].as_u64().is_some_and(|units| units > 0), "{name}");
    }
    let endpoints = db.ok("DescribeEndpoints", json!({})).await;
    assert_eq!(endpoints["Endpoints"][0]["CachePeriodInMinutes"], 1440);
}

/// A key schema begins with a partition key and names declared attributes.
async fn a_table_has_a_key(db: Ask) {
    let mut table = simple("contract.life.bad", &[("p", "S")]);
    table["KeySchema"] = json!([{"AttributeName": "p", "KeyType": "RANGE"}]);
    db.invalid(
        "CreateTable",
        table.clone(),
        "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
    )
    .await;
    table["KeySchema"] = json!([{"AttributeName": "q", "KeyType": "HASH"}]);
    let refusal = db.refused("CreateTable", table).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.starts_with(
            "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions."
        ),
        "{}",
        refusal.message
    );
}

/// A declared attribute that is in no key.
async fn attributes_are_declared_and_used(db: Ask) {
    let mut table = simple("contract.life.bad", &[("p", "S")]);
    table["AttributeDefinitions"] = json!([{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "extra", "AttributeType": "S"}]);
    let refusal = db.refused("CreateTable", table).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(refusal.message.contains("AttributeDefinitions"), "{}", refusal.message);
}

/// Five local, twenty global.
async fn indexes_have_limits(db: Ask) {
    let index = |n: u32, sort: Option<&str>, partition: &str| json!({"IndexName": format!("index-{n}"), "KeySchema": key(partition, sort), "Projection": {"ProjectionType": "ALL"}});
    let mut table = simple("contract.life.bad", &[("p", "S"), ("s", "N")]);
    table["LocalSecondaryIndexes"] = (0..6).map(|n| index(n, Some("s"), "p")).collect();
    let message = "One or more parameter values were invalid: Number of LocalSecondaryIndexes exceeds per-table limit of 5";
    db.invalid("CreateTable", table.clone(), message).await;
    table["LocalSecondaryIndexes"] = json!([index(0, Some("s"), "p"), index(0, Some("s"), "p")]);
    db.invalid(
        "CreateTable",
        table.clone(),
        "One or more parameter values were invalid: Duplicate index name: index-0",
    )
    .await;
    table.as_object_mut().expect("an object").remove("LocalSecondaryIndexes");
    table["GlobalSecondaryIndexes"] = (0..21).map(|n| index(n, None, "s")).collect();
    let message = "One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of 20";
    db.invalid("CreateTable", table, message).await;
}

/// The names of attributes that an index copies are as long as those of its keys.
async fn projected_attributes_have_names_of_255_bytes(db: Ask) {
    let name = "contract.life.projected";
    let table = |bytes: usize| {
        let mut table = simple(name, &[("p", "S")]);
        table["GlobalSecondaryIndexes"] = json!([{
            "IndexName": "copy", "KeySchema": table["KeySchema"],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "n".repeat(bytes)]},
        }]);
        table
    };
    for bytes in [0, 256] {
        let refusal = db.refused("CreateTable", table(bytes)).await;
        assert_eq!(refusal.kind, "ValidationException", "{bytes}: {}", refusal.message);
        let at = "globalSecondaryIndexes.1.member.projection.nonKeyAttributes.2.member";
        assert!(refusal.message.contains(at), "{bytes}: {}", refusal.message);
    }
    db.ok("CreateTable", table(255)).await;
    active(&db, name).await;
    delete(&db, name).await;
}

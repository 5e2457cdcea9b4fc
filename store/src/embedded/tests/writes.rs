//! Writes of single items and batches.

use api::op::{
    BatchWrite, BatchWriteItemInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld,
    ReturnOnFailure, ReturnValues,
};
use api::{Detail, DynamoDb, ErrorKind, Item, Response};

use super::*;

async fn with_table(create: CreateTableInput) -> Embedded {
    let store = store();
    store.send(cx(), create).await.unwrap();
    active(&store).await;
    store
}

#[test]
fn an_item_is_put_read_replaced_and_deleted_and_counted() {
    run(async {
        let store = with_table(create()).await;
        let first = key("a", 1).with("v", s("1"));
        let second = key("a", 1).with("w", s("two"));
        store.send(cx(), put(first.clone())).await.unwrap();
        for consistent in [false, true] {
            let found = store.send(cx(), get(key("a", 1), consistent)).await.unwrap();
            assert_eq!(found.item.unwrap().into_item(), first);
        }
        let mut replacing = put(second.clone());
        replacing.return_values = ReturnOld::AllOld;
        assert_eq!(store.send(cx(), replacing).await.unwrap().attributes, Some(first));
        let size = describe(&store).await.unwrap().size;
        assert_eq!((size.items, size.bytes), (1, second.billed_size() as u64));
        assert_eq!(store.send(cx(), delete(key("a", 1))).await.unwrap().attributes, Some(second));
        assert_eq!(store.send(cx(), delete(key("a", 1))).await.unwrap().attributes, None);
        assert_eq!(item(&store, key("a", 1)).await, None);
        let size = describe(&store).await.unwrap().size;
        assert_eq!((size.items, size.bytes), (0, 0));
    });
}

#[test]
fn a_failed_condition_changes_nothing_and_hands_the_item_back_if_asked() {
    run(async {
        let store = with_table(create()).await;
        let standing = key("a", 1).with("v", n(5));
        store.send(cx(), put(standing.clone())).await.unwrap();
        let mut input = put(key("a", 1).with("v", n(6)));
        input.condition = Some(condition("v > :v", &[(":v", n(5))]));
        let error = store.send(cx(), input.clone()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ConditionalCheckFailedException);
        assert_eq!((error.message.as_ref(), error.detail), ("The conditional request failed", None));
        input.return_on_failure = ReturnOnFailure::AllOld;
        let error = store.send(cx(), input).await.unwrap_err();
        assert_eq!(error.detail.as_deref(), Some(&Detail::Item(standing.clone())));
        assert_eq!(item(&store, key("a", 1)).await, Some(standing));
        let mut absent = put(key("b", 1));
        absent.condition = Some(condition("attribute_exists(pk)", &[]));
        absent.return_on_failure = ReturnOnFailure::AllOld;
        assert_eq!(store.send(cx(), absent).await.unwrap_err().detail, None);
    });
}

#[test]
fn an_update_returns_what_was_asked_for() {
    run(async {
        let store = with_table(create()).await;
        let cases = [
            (ReturnValues::None, None),
            (ReturnValues::AllOld, Some(key("a", 1).with("v", n(1)).with("w", s("x")))),
            (ReturnValues::UpdatedOld, Some(Item::new().with("v", n(1)))),
            (ReturnValues::AllNew, Some(key("a", 1).with("v", n(3)).with("w", s("x")))),
            (ReturnValues::UpdatedNew, Some(Item::new().with("v", n(3)))),
        ];
        for (return_values, expected) in cases {
            store.send(cx(), put(key("a", 1).with("v", n(1)).with("w", s("x")))).await.unwrap();
            let mut input = update(key("a", 1), updating("SET v = v + :two", &[(":two", n(2))]));
            input.return_values = return_values;
            assert_eq!(store.send(cx(), input).await.unwrap().attributes, expected, "{return_values:?}");
        }
        // Nothing stood there: old values do not exist, and the item is made of its key.
        let mut input = update(key("new", 1), updating("SET v = :one", &[(":one", n(1))]));
        input.return_values = ReturnValues::AllOld;
        assert_eq!(store.send(cx(), input).await.unwrap().attributes, None);
        assert_eq!(item(&store, key("new", 1)).await, Some(key("new", 1).with("v", n(1))));
    });
}

#[test]
fn what_the_schema_forbids_is_refused_in_the_services_words() {
    run(async {
        let store = with_table(create_indexed()).await;
        let message =
            async |input: PutItemInput| store.send(cx(), input).await.unwrap_err().message.into_owned();
        assert_eq!(
            message(put(Item::new().with("pk", s("a")))).await,
            "One or more parameter values were invalid: Missing the key sk in the item"
        );
        assert_eq!(
            message(put(Item::new().with("pk", n(1)).with("sk", n(1)))).await,
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"
        );
        assert_eq!(
            message(put(key("a", 1).with("l", s("x")))).await,
            "One or more parameter values were invalid: Type mismatch for Index Key l Expected: N Actual: S IndexName: by-gl"
        );
        let big = "x".repeat(400 * 1024);
        assert_eq!(
            message(put(key("a", 1).with("v", s(&big)))).await,
            "Item size has exceeded the maximum allowed size"
        );
        let message = async |text: &str, value: AttributeValue| {
            let input = update(key("a", 1), updating(text, &[(":v", value)]));
            store.send(cx(), input).await.unwrap_err().message.into_owned()
        };
        assert_eq!(
            message("SET pk = :v", s("b")).await,
            "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
        );
        assert_eq!(
            message("SET v = :v", s(&big)).await,
            "Item size to update has exceeded the maximum allowed size"
        );
        assert_eq!(
            message("SET g = :v", n(1)).await,
            "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: by-g"
        );
        assert_eq!(item(&store, key("a", 1)).await, None, "nothing of it was done");
    });
}

#[test]
fn a_write_reports_what_it_consumed_of_table_and_indexes() {
    run(async {
        let store = with_table(create_indexed()).await;
        let mut input = put(key("a", 1).with("g", s("x")).with("l", n(1)).with("v", s(&"x".repeat(1500))));
        input.return_capacity = ReturnConsumedCapacity::Indexes;
        input.return_collection = ReturnItemCollectionMetrics::Size;
        let output = store.send(cx(), input.clone()).await.unwrap();
        let capacity = output.capacity.unwrap();
        // Two for the item, two for the index that has all of it, one for each of the others.
        assert_eq!((capacity.total.units, capacity.own.unwrap().units), (6.0, 2.0));
        assert_eq!(capacity.local["by-l"].units, 1.0);
        assert_eq!((capacity.global["by-g"].units, capacity.global["by-gl"].units), (1.0, 2.0));
        let collection = output.collection.unwrap();
        assert_eq!((collection.key, collection.size_range_gb), (Item::new().with("pk", s("a")), (0.0, 1.0)));
        // The same again alters no entry of any index.
        let capacity = store.send(cx(), input.clone()).await.unwrap().capacity.unwrap();
        assert_eq!((capacity.total.units, capacity.global.len(), capacity.local.len()), (2.0, 0, 0));
        // Another index key: out and in again.
        input.item = input.item.with("g", s("y"));
        let capacity = store.send(cx(), input).await.unwrap().capacity.unwrap();
        assert_eq!((capacity.global["by-g"].units, capacity.global["by-gl"].units), (2.0, 4.0));
    });
}

#[test]
fn a_batch_does_each_of_its_writes_and_refuses_one_key_twice() {
    run(async {
        let store = with_table(create_indexed()).await;
        store.send(cx(), put(key("a", 1))).await.unwrap();
        let batch = |writes| BatchWriteItemInput {
            tables: vec![(name(), writes)],
            return_capacity: ReturnConsumedCapacity::Total,
            return_collection: ReturnItemCollectionMetrics::Size,
        };
        let output = store
            .send(
                cx(),
                batch(vec![
                    BatchWrite::Delete(key("a", 1)),
                    BatchWrite::Put(key("a", 2).with("g", s("x"))),
                    BatchWrite::Put(key("b", 1)),
                ]),
            )
            .await
            .unwrap();
        assert!(output.unprocessed.is_empty());
        assert_eq!(output.capacity[0].total.units, 4.0);
        assert_eq!(output.collections[0].1.len(), 2);
        assert_eq!(item(&store, key("a", 1)).await, None);
        assert!(item(&store, key("a", 2)).await.is_some() && item(&store, key("b", 1)).await.is_some());
        let twice = batch(vec![BatchWrite::Put(key("a", 2)), BatchWrite::Delete(key("a", 2))]);
        let error = store.send(cx(), twice).await.unwrap_err();
        assert_eq!(error.message, "Provided list of item keys contains duplicates");
        let wrong = batch(vec![BatchWrite::Put(Item::new().with("pk", s("a")))]);
        let error = store.send(cx(), wrong).await.unwrap_err();
        assert_eq!(error.message, "The provided key element does not match the schema");
    });
}

#[test]
fn a_large_batch_is_done_in_entries_of_bounded_size_and_answered_as_one() {
    run(async {
        let store = with_table(create_indexed()).await;
        let large = |at: i64| key("a", at).with("l", n(at)).with("a", s(&"x".repeat(390_000)));
        let batch = BatchWriteItemInput {
            tables: vec![(name(), (0..25).map(|at| BatchWrite::Put(large(at))).collect())],
            return_capacity: ReturnConsumedCapacity::Indexes,
            return_collection: ReturnItemCollectionMetrics::Size,
        };
        let before = store.version().index;
        let answer = store.call(cx(), batch.clone().into()).await.unwrap();
        let entries = answer.version.unwrap().index - before;
        assert_eq!(
            entries, 25,
            "an item of this size counts four times here, for the table and three indexes"
        );
        let Response::BatchWriteItem(output) = answer.response else { panic!("another answer") };
        assert!(output.unprocessed.is_empty());
        let each = large(10).billed_size().div_ceil(1024) as f64;
        assert_eq!(output.capacity.len(), 1);
        assert_eq!(output.capacity[0].own.unwrap().units, 25.0 * each);
        assert_eq!(output.capacity[0].local["by-l"].units, 25.0 * each);
        assert_eq!(output.capacity[0].total.units, 50.0 * each);
        assert_eq!((output.collections.len(), output.collections[0].1.len()), (1, 1));
        for at in 0..25 {
            assert!(item(&store, key("a", at)).await.is_some());
        }
        let mut twice = batch;
        twice.tables[0].1.push(BatchWrite::Delete(key("a", 0)));
        let error = store.send(cx(), twice).await.unwrap_err();
        assert_eq!(error.message, "Provided list of item keys contains duplicates");
        assert_eq!(store.version().index, before + 25, "nothing of it was done");
    });
}

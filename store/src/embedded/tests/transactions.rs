//! `TransactWriteItems`: all or nothing, and its tokens.

use api::error::CancellationCode;
use api::op::{
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOnFailure, TransactAction, TransactWrite,
    TransactWriteItemsInput,
};
use api::{Detail, DynamoDb, ErrorKind};

use super::*;

fn action(action: TransactAction, condition: Option<Condition>) -> TransactWrite {
    TransactWrite { table: name(), action, condition, return_on_failure: ReturnOnFailure::AllOld }
}

fn transaction(actions: Vec<TransactWrite>, token: Option<&str>) -> TransactWriteItemsInput {
    TransactWriteItemsInput {
        actions,
        token: token.map(str::to_owned),
        return_capacity: ReturnConsumedCapacity::Total,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

#[test]
fn a_transaction_is_done_whole_or_cancelled_with_a_reason_for_each_action() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        store.send(cx(), put(key("a", 1).with("v", n(5)))).await.unwrap();
        let actions = |least: i64| {
            vec![
                action(TransactAction::Put(key("b", 1)), None),
                action(
                    TransactAction::ConditionCheck(key("a", 1)),
                    Some(condition("v >= :v", &[(":v", n(least))])),
                ),
                action(
                    TransactAction::Update(key("a", 2), updating("SET v = v + :v", &[(":v", n(1))])),
                    None,
                ),
            ]
        };
        let error = store.send(cx(), transaction(actions(6), None)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TransactionCanceledException);
        assert_eq!(
            error.message,
            "Transaction cancelled, please refer cancellation reasons for specific reasons [None, \
             ConditionalCheckFailed, ValidationError]"
        );
        let Some(Detail::Cancellation(reasons)) = error.detail.as_deref() else { panic!("no reasons") };
        assert_eq!(reasons[0].code, None);
        assert_eq!(reasons[1].code, Some(CancellationCode::ConditionalCheckFailed));
        assert_eq!(reasons[1].item, Some(key("a", 1).with("v", n(5))));
        assert_eq!(
            reasons[2].message.as_deref(),
            Some("The provided expression refers to an attribute that does not exist in the item")
        );
        assert_eq!(item(&store, key("b", 1)).await, None, "nothing of it was done");

        let output = store.send(cx(), transaction(actions(5)[..2].to_vec(), None)).await.unwrap();
        assert_eq!((output.capacity[0].total.units, output.capacity[0].total.write_units), (4.0, Some(4.0)));
        assert_eq!(item(&store, key("b", 1)).await, Some(key("b", 1)));
    });
}

#[test]
fn one_item_twice_and_unknown_tables_are_refused_as_a_whole() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let twice = vec![
            action(TransactAction::Put(key("a", 1)), None),
            action(TransactAction::Delete(key("a", 1)), None),
        ];
        let error = store.send(cx(), transaction(twice, None)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ValidationException);
        assert_eq!(error.message, "Transaction request cannot include multiple operations on one item");
        let mut nowhere = action(TransactAction::Put(key("a", 1)), None);
        nowhere.table = TableName::new("nowhere").unwrap();
        let error = store.send(cx(), transaction(vec![nowhere], None)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ResourceNotFoundException);
    });
}

#[test]
fn a_token_makes_a_repetition_do_nothing_for_ten_minutes() {
    run(async {
        let clock = Arc::new(HandClock::default());
        let store = store_with(Arc::clone(&clock), Arc::new(()));
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let add = |by: i64| {
            let update = updating("ADD v :v", &[(":v", n(by))]);
            transaction(vec![action(TransactAction::Update(key("a", 1), update), None)], Some("token-1"))
        };
        let value = async || item(&store, key("a", 1)).await.unwrap().get("v").cloned();
        let first = store.send(cx(), add(1)).await.unwrap();
        assert_eq!(first.capacity[0].total.write_units, Some(2.0));
        let again = store.send(cx(), add(1)).await.unwrap();
        assert_eq!((again.capacity[0].total.read_units, value().await), (Some(2.0), Some(n(1))));
        let error = store.send(cx(), add(2)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::IdempotentParameterMismatchException);

        clock.0.fetch_add(10 * 60 * 1000 - 1, Ordering::SeqCst);
        store.send(cx(), add(1)).await.unwrap();
        assert_eq!(value().await, Some(n(1)), "still within the window");
        clock.0.fetch_add(1, Ordering::SeqCst);
        store.send(cx(), add(2)).await.unwrap();
        assert_eq!(value().await, Some(n(3)), "the token is free again");
        store.send(cx(), add(2)).await.unwrap();
        assert_eq!(value().await, Some(n(3)), "and taken again");
    });
}

#[test]
fn a_cancelled_transaction_keeps_no_token() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let exists = Some(condition("attribute_exists(pk)", &[]));
        let input = transaction(
            vec![
                action(TransactAction::Put(key("b", 1)), None),
                action(TransactAction::ConditionCheck(key("a", 1)), exists),
            ],
            Some("token-2"),
        );
        assert!(store.send(cx(), input.clone()).await.is_err());
        store.send(cx(), put(key("a", 1))).await.unwrap();
        store.send(cx(), input).await.unwrap();
        assert!(item(&store, key("b", 1)).await.is_some());
    });
}

//! Tables: their states, their names, what may be altered.

use api::op::{
    DeleteTableInput, IndexUpdate, ListTablesInput, ListTagsOfResourceInput, TagResourceInput,
    UntagResourceInput, UpdateTableInput,
};
use api::schema::BillingMode;
use api::{DynamoDb, ErrorKind};

use super::*;

fn altering() -> UpdateTableInput {
    UpdateTableInput {
        table: name(),
        attributes: Vec::new(),
        billing: None,
        throughput: None,
        index_updates: Vec::new(),
        deletion_protection: None,
        table_class: None,
    }
}

#[test]
fn a_table_is_made_used_deleted_and_made_again_under_another_id() {
    run(async {
        let store = store();
        let made = store.send(cx(), create()).await.unwrap().description;
        assert_eq!(made.table.status, Status::Creating);
        let again = store.send(cx(), create()).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::ResourceInUseException);
        assert_eq!(again.message, "Table already exists: things");
        active(&store).await;
        store.send(cx(), put(key("a", 1))).await.unwrap();
        let gone = store.send(cx(), DeleteTableInput { table: name() }).await.unwrap().description;
        assert_eq!((gone.table.status, gone.size.items), (Status::Deleting, 1));
        let refused = store.send(cx(), put(key("a", 1))).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ResourceNotFoundException);
        assert_eq!(refused.message, "Requested resource not found");
        until(&store, |table| table.is_err()).await;
        let missing = describe(&store).await.unwrap_err();
        assert_eq!(missing.message, "Requested resource not found: Table: things not found");
        let second = store.send(cx(), create()).await.unwrap().description;
        assert_ne!(second.table.id, made.table.id);
        active(&store).await;
        assert_eq!(item(&store, key("a", 1)).await, None, "nothing of the first table survives");
        assert_eq!(describe(&store).await.unwrap().size.items, 0);
    });
}

#[test]
fn a_protected_table_is_not_deleted() {
    run(async {
        let store = store();
        store.send(cx(), CreateTableInput { deletion_protection: true, ..create() }).await.unwrap();
        active(&store).await;
        let refused = store.send(cx(), DeleteTableInput { table: name() }).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ValidationException);
        let open = UpdateTableInput { deletion_protection: Some(false), ..altering() };
        let altered = store.send(cx(), open).await.unwrap().description;
        assert_eq!(altered.table.status, Status::Updating);
        active(&store).await;
        store.send(cx(), DeleteTableInput { table: name() }).await.unwrap();
    });
}

#[test]
fn throughput_and_billing_are_altered_by_the_services_rules() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let units = |read_units, write_units| Some(Throughput { read_units, write_units });
        let refused = store.send(cx(), UpdateTableInput { throughput: units(5, 5), ..altering() }).await;
        assert_eq!(
            refused.unwrap_err().message,
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified \
             when BillingMode is PAY_PER_REQUEST"
        );
        let provisioned = UpdateTableInput {
            billing: Some(BillingMode::Provisioned),
            throughput: units(5, 5),
            ..altering()
        };
        store.send(cx(), provisioned).await.unwrap();
        active(&store).await;
        let same = store.send(cx(), UpdateTableInput { throughput: units(5, 5), ..altering() }).await;
        assert!(
            same.unwrap_err()
                .message
                .starts_with("The provisioned throughput for the table will not change.")
        );
        store.send(cx(), UpdateTableInput { throughput: units(6, 5), ..altering() }).await.unwrap();
        active(&store).await;
        let table = describe(&store).await.unwrap().table;
        assert_eq!(table.throughput, Throughput { read_units: 6, write_units: 5 });
        let missing = IndexUpdate::Delete(IndexName::new("nothing").unwrap());
        let refused = UpdateTableInput { index_updates: vec![missing], ..altering() };
        assert_eq!(store.send(cx(), refused).await.unwrap_err().kind, ErrorKind::ResourceNotFoundException);
    });
}

#[test]
fn tables_are_listed_in_order_and_by_pages() {
    run(async {
        let store = store();
        for table in ["ccc", "aaa", "bbb"] {
            let table = TableName::new(table).unwrap();
            store.send(cx(), CreateTableInput { table, ..create() }).await.unwrap();
        }
        let list = |start: Option<&str>, limit| ListTablesInput { start: start.map(str::to_owned), limit };
        let all = store.send(cx(), list(None, None)).await.unwrap();
        assert_eq!((all.names, all.last), (vec!["aaa".into(), "bbb".into(), "ccc".into()], None));
        let page = store.send(cx(), list(None, Some(2))).await.unwrap();
        assert_eq!((page.names, page.last), (vec!["aaa".into(), "bbb".into()], Some("bbb".into())));
        let rest = store.send(cx(), list(Some("bbb"), Some(2))).await.unwrap();
        assert_eq!((rest.names, rest.last), (vec!["ccc".into()], None));
    });
}

#[test]
fn tags_are_set_replaced_taken_away_and_bounded() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let set = |tags| TagResourceInput { table: name(), tags };
        store.send(cx(), set(vec![tag("b", "1"), tag("a", "1")])).await.unwrap();
        store.send(cx(), set(vec![tag("b", "2"), tag("c", "3")])).await.unwrap();
        let keys = vec!["a".to_owned(), "nothing".to_owned()];
        store.send(cx(), UntagResourceInput { table: name(), keys }).await.unwrap();
        let list = ListTagsOfResourceInput { table: name(), next_token: None };
        assert_eq!(store.send(cx(), list).await.unwrap().tags, [tag("b", "2"), tag("c", "3")]);
        let many = (0..49).map(|at| tag(&format!("k{at}"), "")).collect();
        assert_eq!(store.send(cx(), set(many)).await.unwrap_err().kind, ErrorKind::LimitExceededException);
    });
}

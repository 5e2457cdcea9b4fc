//! Requests that a node forwards to a peer mean the same there, and are not refused for limits of text that did not bind them here.

use api::service::Catalog;
use api::{Context, ErrorKind, OpKind, Shared};
use grpc::GrpcSettings;
use grpc::client::Lane;
use grpc::peer::{Demand, Granting, PeerService};
use store::{Embedded, EmbeddedSettings};

use super::*;
use crate::layer::Resolved;

/// Peers ask nothing else here.
struct NoLists;

impl PeerService for NoLists {
    fn define_attribute_list<'a>(&'a self, _: Context, _: Vec<String>, _: Demand) -> Granting<'a> {
        Box::pin(async { Err(Error::new(ErrorKind::ServiceUnavailableException, "not here")) })
    }

    fn take_passing_ids<'a>(&'a self, _: Context) -> Granting<'a> {
        Box::pin(async { Err(Error::new(ErrorKind::ServiceUnavailableException, "not here")) })
    }

    fn read_index<'a>(&'a self, _: Context) -> Granting<'a> {
        Box::pin(async { Err(Error::new(ErrorKind::ServiceUnavailableException, "not here")) })
    }
}

const TABLE: &str = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
    "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#;

/// Attributes of a legacy request, each with a name too long for so many of them to fit into the text of an expression.
fn attributes(count: usize, each: impl Fn(usize) -> String) -> String {
    let one = |at: usize| format!(r#""an attribute with a long name, {at:04}":{}"#, each(at));
    (0..count).map(one).collect::<Vec<_>>().join(",")
}

/// Requests by legacy parameters that would break every limit of text if they were expressions: length, operators, operands of
/// IN, bytes of names and values.
fn legacy_requests() -> Vec<(OpKind, String)> {
    let key = r#""TableName":"things","Key":{"pk":{"S":"a"}}"#;
    let item = |more: &str| format!(r#"{{"TableName":"things","Item":{{"pk":{{"S":"a"}},{more}}}"#);
    let puts = attributes(300, |at| format!(r#"{{"Action":"PUT","Value":{{"N":"{at}"}}}}"#));
    let mixed = attributes(300, |at| match at % 3 {
        0 => r#"{"Action":"ADD","Value":{"N":"1"}}"#.into(),
        1 => r#"{"Action":"DELETE"}"#.into(),
        _ => r#"{"Action":"PUT","Value":{"L":[{"S":"x"}]}}"#.into(),
    });
    let appended = attributes(300, |at| match at % 3 {
        2 => r#"{"Action":"ADD","Value":{"L":[{"S":"y"}]}}"#.into(),
        _ => format!(r#"{{"Action":"PUT","Value":{{"S":"{at}"}}}}"#),
    });
    let expected = attributes(310, |at| match at % 3 {
        0 => r#"{"Exists":false}"#.into(),
        1 => r#"{"ComparisonOperator":"NULL"}"#.into(),
        _ => r#"{"ComparisonOperator":"NOT_CONTAINS","AttributeValueList":[{"S":"z"}]}"#.into(),
    });
    let many = (0..150).map(|at| format!(r#"{{"S":"{at}"}}"#)).collect::<Vec<_>>().join(",");
    let filter = attributes(400, |at| match at {
        0 => format!(r#"{{"ComparisonOperator":"IN","AttributeValueList":[{many}]}}"#),
        _ => r#"{"ComparisonOperator":"NOT_NULL"}"#.into(),
    });
    let large = attributes(7, |_| {
        format!(r#"{{"ComparisonOperator":"NE","AttributeValueList":[{{"S":"{}"}}]}}"#, "v".repeat(380_000))
    });
    let names: Vec<String> =
        (0..255).map(|at| format!(r#""an attribute with a long name, {at:04}""#)).collect();
    let names = names.join(",");
    vec![
        (OpKind::UpdateItem, format!(r#"{{{key},"AttributeUpdates":{{{puts}}},"ReturnValues":"ALL_NEW"}}"#)),
        (
            OpKind::UpdateItem,
            format!(r#"{{{key},"AttributeUpdates":{{{mixed}}},"ReturnValues":"UPDATED_NEW"}}"#),
        ),
        (
            OpKind::UpdateItem,
            format!(r#"{{{key},"AttributeUpdates":{{{appended}}},"ReturnValues":"ALL_NEW"}}"#),
        ),
        (OpKind::GetItem, format!(r#"{{{key},"ConsistentRead":true,"AttributesToGet":[{names}]}}"#)),
        (
            OpKind::BatchGetItem,
            format!(
                r#"{{"RequestItems":{{"things":{{"Keys":[{{"pk":{{"S":"a"}}}}],"AttributesToGet":[{names}]}}}}}}"#
            ),
        ),
        (
            OpKind::Scan,
            format!(r#"{{"TableName":"things","ScanFilter":{{{filter}}},"ConditionalOperator":"OR"}}"#),
        ),
        (OpKind::Scan, format!(r#"{{"TableName":"things","ScanFilter":{{{large}}}}}"#)),
        (
            OpKind::Query,
            format!(
                r#"{{"TableName":"things","KeyConditions":{{"pk":{{"ComparisonOperator":"EQ","AttributeValueList":[{{"S":"a"}}]}}}},
                    "QueryFilter":{{{filter}}},"AttributesToGet":[{names}]}}"#
            ),
        ),
        // Of a condition that fails, and of one that holds.
        (OpKind::PutItem, format!(r#"{},"Expected":{{{expected}}}}}"#, item(r#""v":{"N":"1"}"#))),
        (
            OpKind::PutItem,
            format!(
                r#"{},"Expected":{{{expected}}},"ConditionalOperator":"OR","ReturnValues":"ALL_OLD"}}"#,
                item(r#""v":{"N":"1"}"#)
            ),
        ),
        (OpKind::DeleteItem, format!(r#"{{{key},"Expected":{{{expected}}},"ReturnValues":"ALL_OLD"}}"#)),
    ]
}

#[tokio::test]
async fn what_no_limit_of_text_bound_where_it_came_from_is_not_refused_for_one_where_it_is_forwarded_to() {
    let system = system();
    let mut stores = Vec::new();
    for _ in 0..2 {
        let store =
            Embedded::in_memory(EmbeddedSettings::default(), store::Surroundings::system(), Arc::new(()));
        let store = Arc::new(store.unwrap());
        let catalog: Arc<dyn Catalog> = store.catalog();
        stores.push(Shared::new(Resolved::new(store, catalog)));
    }
    let [here, there] = stores.try_into().unwrap();
    let settings = GrpcSettings::default();
    let peer = GrpcServer::trusting(there.clone(), Arc::new(NoLists), settings, system.clone() as _);
    let forwarded = GrpcDb::new(
        endpoint(),
        Lane::Peer,
        GrpcDbSettings::default(),
        Arc::new(Near(peer)),
        system.clone() as _,
    );
    let forwarded = Shared::new(forwarded.unwrap());
    for db in [&here, &forwarded] {
        db.call(Context::default(), request(OpKind::CreateTable, TABLE)).await.unwrap();
        let put = request(OpKind::PutItem, r#"{"TableName":"things","Item":{"pk":{"S":"a"}}}"#);
        // It may not be active yet.
        while db.call(Context::default(), put.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    let mut held = 0;
    for (op, json) in legacy_requests() {
        let asked = request(op, &json);
        let mut said = Vec::new();
        for db in [&here, &forwarded] {
            let answer = db.call(Context::default(), asked.clone()).await;
            said.push(answer.map(|answer| http_front::codec::encode_response(&answer.response).unwrap()));
        }
        assert_eq!(said[0], said[1], "{op:?}");
        match &said[0] {
            Ok(_) => held += 1,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::ConditionalCheckFailedException, "{op:?}: {error}")
            }
        }
    }
    assert!(held >= 9, "{held}");
    // A client is bound by the limits of what it writes as ever.
    let fronted = server(there, &sigv4::Auth::Any, &Config::default(), &system);
    let client = GrpcDb::new(
        endpoint(),
        Lane::Client,
        GrpcDbSettings::default(),
        Arc::new(Near(fronted)),
        system as _,
    );
    let requests = legacy_requests();
    let (op, json) = requests.iter().find(|(op, _)| *op == OpKind::Scan).unwrap();
    let refused = client.unwrap().call(Context::default(), request(*op, json)).await.unwrap_err();
    assert!(refused.message.contains("Expression size has exceeded the maximum allowed size"), "{refused}");
}

//! Valid bodies of every operation, as clients send them.

use api::OpKind;

pub(super) const CORPUS: &[(OpKind, &str)] = &[
    (
        OpKind::GetItem,
        r##"{"TableName":"Music","Key":{"Artist":{"S":"No One You Know"},"Song":{"N":"17"}}}"##,
    ),
    (
        OpKind::GetItem,
        r##"{"TableName":"arn:aws:dynamodb:us-east-1:000000000000:table/Music","Key":{"Artist":{"B":"AQID"}},
            "ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL","ProjectionExpression":"#a, b.c[1].d",
            "ExpressionAttributeNames":{"#a":"Artist"}}"##,
    ),
    (OpKind::GetItem, r##"{"TableName":"Music","Key":{"Artist":{"S":"x"}},"AttributesToGet":["a.b","c"]}"##),
    (
        OpKind::PutItem,
        r##"{"TableName":"Music","Item":{"Artist":{"S":"é😀\n\"q\""},"n":{"N":"-1.50e3"},"b":{"B":"/+8="},
            "t":{"BOOL":true},"f":{"BOOL":false},"z":{"NULL":true},"m":{"M":{"k":{"L":[{"S":""},{"M":{}}]}}},"l":{"L":[]},
            "ss":{"SS":["b","a",""]},"ns":{"NS":["2","1.0"]},"bs":{"BS":["AA==","AQ=="]}},
            "ConditionExpression":"attribute_not_exists(Artist) OR (#n BETWEEN :a AND :b AND NOT contains(ss, :s))",
            "ExpressionAttributeNames":{"#n":"n"},
            "ExpressionAttributeValues":{":a":{"N":"1"},":b":{"N":"2"},":s":{"S":"x"}},"ReturnValues":"ALL_OLD",
            "ReturnConsumedCapacity":"INDEXES","ReturnItemCollectionMetrics":"SIZE",
            "ReturnValuesOnConditionCheckFailure":"ALL_OLD"}"##,
    ),
    (
        OpKind::PutItem,
        r##"{"TableName":"Music","Item":{"Artist":{"S":"a"}},"ConditionalOperator":"OR",
            "Expected":{"a":{"Exists":false},"b":{"Value":{"N":"1"}},
            "c":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"},{"N":"2"}]},
            "d":{"ComparisonOperator":"NOT_CONTAINS","AttributeValueList":[{"S":"1"}]}}}"##,
    ),
    (
        OpKind::DeleteItem,
        r##"{"TableName":"Music","Key":{"Artist":{"S":"a"}},"ConditionExpression":"size(a.b) > :n AND #c IN (:n, :m)",
            "ExpressionAttributeNames":{"#c":"c"},"ExpressionAttributeValues":{":n":{"N":"1"},":m":{"N":"2"}},
            "ReturnValues":"NONE"}"##,
    ),
    (
        OpKind::DeleteItem,
        r##"{"TableName":"Music","Key":{"Artist":{"S":"a"}},"Expected":{"x":{"ComparisonOperator":"NULL"}}}"##,
    ),
    (
        OpKind::UpdateItem,
        r##"{"TableName":"Music","Key":{"Artist":{"S":"a"},"Song":{"S":"b"}},
            "UpdateExpression":"SET a = if_not_exists(a, :z) + :one, b[2] = list_append(b, :l) REMOVE c.d ADD e :one DELETE f :s",
            "ConditionExpression":"begins_with(Song, :p) AND attribute_type(a, :t)",
            "ExpressionAttributeValues":{":z":{"N":"0"},":one":{"N":"1"},":l":{"L":[{"S":"x"}]},":s":{"SS":["q"]},
            ":p":{"S":"b"},":t":{"S":"N"}},"ReturnValues":"UPDATED_NEW"}"##,
    ),
    (
        OpKind::UpdateItem,
        r##"{"TableName":"Music","Key":{"Artist":{"S":"a"}},"AttributeUpdates":{"a":{"Action":"PUT","Value":{"S":"x"}},
            "b":{"Action":"DELETE"},"c":{"Action":"ADD","Value":{"N":"1"}},"d":{"Action":"ADD","Value":{"L":[{"S":"y"}]}},
            "e":{"Value":{"NULL":true}},"f":{"Action":"DELETE","Value":{"NS":["1"]}}},
            "Expected":{"a":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"o"}]}},"ReturnValues":"ALL_NEW"}"##,
    ),
    (OpKind::UpdateItem, r##"{"TableName":"Music","Key":{"Artist":{"S":"a"}}}"##),
    (
        OpKind::Query,
        r##"{"TableName":"Music","IndexName":"ByYear","KeyConditionExpression":"#y = :y AND begins_with(Song, :s)",
            "FilterExpression":"NOT (price < :p OR attribute_exists(sale))","ProjectionExpression":"Song, price",
            "ExpressionAttributeNames":{"#y":"Year"},
            "ExpressionAttributeValues":{":y":{"N":"1999"},":s":{"S":"A"},":p":{"N":"9.99"}},"Limit":10,
            "ScanIndexForward":false,"ExclusiveStartKey":{"Artist":{"S":"a"},"Song":{"S":"b"},"Year":{"N":"1999"}},
            "ReturnConsumedCapacity":"INDEXES"}"##,
    ),
    (
        OpKind::Query,
        r##"{"TableName":"Music","KeyConditions":{"Artist":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},
            "Song":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"S":"a"},{"S":"b"}]}},
            "QueryFilter":{"x":{"ComparisonOperator":"NOT_NULL"},
            "y":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"1"},{"N":"2"}]}},
            "ConditionalOperator":"AND","Select":"COUNT","ConsistentRead":true}"##,
    ),
    (OpKind::Scan, r##"{"TableName":"Music"}"##),
    (
        OpKind::Scan,
        r##"{"TableName":"Music","IndexName":"ByYear","Select":"ALL_ATTRIBUTES","Segment":3,"TotalSegments":4,"Limit":1,
            "FilterExpression":"a <> :a","ExpressionAttributeValues":{":a":{"M":{"k":{"S":"v"}}}},
            "ExclusiveStartKey":{"Artist":{"S":"a"}}}"##,
    ),
    (
        OpKind::Scan,
        r##"{"TableName":"Music","ScanFilter":{"x":{"ComparisonOperator":"CONTAINS","AttributeValueList":[{"S":"a"}]}},
            "AttributesToGet":["a","b"]}"##,
    ),
    (
        OpKind::BatchGetItem,
        r##"{"RequestItems":{"Music":{"Keys":[{"Artist":{"S":"a"}},{"Artist":{"S":"b"}}],"ConsistentRead":true,
            "ProjectionExpression":"#a","ExpressionAttributeNames":{"#a":"Artist"}},"Other":{"Keys":[{"k":{"N":"1"}}]}},
            "ReturnConsumedCapacity":"TOTAL"}"##,
    ),
    (
        OpKind::BatchWriteItem,
        r##"{"RequestItems":{"Music":[{"PutRequest":{"Item":{"Artist":{"S":"a"}}}},
            {"DeleteRequest":{"Key":{"Artist":{"S":"b"}}}}]},"ReturnItemCollectionMetrics":"SIZE"}"##,
    ),
    (
        OpKind::TransactGetItems,
        r##"{"TransactItems":[{"Get":{"TableName":"Music","Key":{"Artist":{"S":"a"}}}},
            {"Get":{"TableName":"Other","Key":{"k":{"N":"1"}},"ProjectionExpression":"a.b"}}]}"##,
    ),
    (
        OpKind::TransactWriteItems,
        r##"{"ClientRequestToken":"token-1","TransactItems":[
            {"ConditionCheck":{"TableName":"Music","Key":{"Artist":{"S":"a"}},"ConditionExpression":"attribute_exists(x)"}},
            {"Put":{"TableName":"Music","Item":{"Artist":{"S":"b"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}},
            {"Delete":{"TableName":"Music","Key":{"Artist":{"S":"c"}},"ConditionExpression":"#v = :v",
            "ExpressionAttributeNames":{"#v":"v"},"ExpressionAttributeValues":{":v":{"N":"1"}}}},
            {"Update":{"TableName":"Music","Key":{"Artist":{"S":"d"}},"UpdateExpression":"SET a = :v",
            "ExpressionAttributeValues":{":v":{"N":"1"}}}}],"ReturnConsumedCapacity":"TOTAL"}"##,
    ),
    (
        OpKind::CreateTable,
        r##"{"TableName":"Music","AttributeDefinitions":[{"AttributeName":"Artist","AttributeType":"S"},
            {"AttributeName":"Song","AttributeType":"N"},{"AttributeName":"Year","AttributeType":"B"}],
            "KeySchema":[{"AttributeName":"Artist","KeyType":"HASH"},{"AttributeName":"Song","KeyType":"RANGE"}],
            "LocalSecondaryIndexes":[{"IndexName":"ByYearHere","KeySchema":[{"AttributeName":"Artist","KeyType":"HASH"},
            {"AttributeName":"Year","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}],
            "GlobalSecondaryIndexes":[{"IndexName":"ByYear","KeySchema":[{"AttributeName":"Year","KeyType":"HASH"}],
            "Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["a","b"]},
            "ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2}}],
            "ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":6},"DeletionProtectionEnabled":true,
            "TableClass":"STANDARD","Tags":[{"Key":"owner","Value":"me"}],"StreamSpecification":{"StreamEnabled":false},
            "SSESpecification":{"Enabled":false}}"##,
    ),
    (
        OpKind::CreateTable,
        r##"{"TableName":"Plain","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],
            "AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],
            "OnDemandThroughput":{"MaxReadRequestUnits":-1},"WarmThroughput":{"ReadUnitsPerSecond":12000}}"##,
    ),
    (
        OpKind::UpdateTable,
        r##"{"TableName":"Music","AttributeDefinitions":[{"AttributeName":"g","AttributeType":"S"}],
            "BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":6},
            "GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"ByG","KeySchema":[{"AttributeName":"g",
            "KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"},
            "ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}},{"Delete":{"IndexName":"Old"}},
            {"Update":{"IndexName":"ByYear","ProvisionedThroughput":{"ReadCapacityUnits":9,"WriteCapacityUnits":9}}}],
            "DeletionProtectionEnabled":false,"TableClass":"STANDARD_INFREQUENT_ACCESS"}"##,
    ),
    (OpKind::DeleteTable, r##"{"TableName":"Music"}"##),
    (OpKind::DescribeTable, r##"{"TableName":"Music"}"##),
    (OpKind::ListTables, r##"{"ExclusiveStartTableName":"abc","Limit":100}"##),
    (OpKind::DescribeLimits, "{}"),
    (OpKind::DescribeEndpoints, "{}"),
    (
        OpKind::TagResource,
        r##"{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/Music","Tags":[{"Key":"k","Value":""}]}"##,
    ),
    (
        OpKind::UntagResource,
        r##"{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/Music","TagKeys":["k"]}"##,
    ),
    (
        OpKind::ListTagsOfResource,
        r##"{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/Music","NextToken":"n"}"##,
    ),
];

#[test]
fn every_operation_has_a_body_and_every_body_decodes() {
    for op in OpKind::ALL {
        assert!(CORPUS.iter().any(|(of, _)| of == op), "{}", op.name());
    }
    for (op, body) in CORPUS {
        if let Err(error) = super::super::decode_request(*op, body.as_bytes()) {
            panic!("{} {body}: {error}", op.name());
        }
    }
}

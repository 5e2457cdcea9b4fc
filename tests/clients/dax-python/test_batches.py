"""Batches and transactions."""

import pytest
from botocore.exceptions import ClientError

from conftest import make_table
from values import same


def error_of(call, **how):
    with pytest.raises(ClientError) as raised:
        call(**how)
    return raised.value


@pytest.fixture(scope="module")
def accounts(http):
    return make_table(http, "accounts", {"bank": "S", "number": "N"})


def put(table, bank, number, **values):
    return {"bank": {"S": bank}, "number": {"N": str(number)}, **values}


def test_a_batch_writes_and_deletes_in_several_tables(dax, http, things, accounts):
    gone = put(accounts, "gone", 1)
    dax.put_item(TableName=accounts, Item=gone)
    made = [put(accounts, "batch", at, sum={"N": str(at)}) for at in range(20)]
    other = [{"id": {"S": f"batch {at}"}, **({"x": {"BOOL": True}} if at else {})} for at in range(4)]
    answer = dax.batch_write_item(
        RequestItems={
            accounts: [{"PutRequest": {"Item": one}} for one in made] + [{"DeleteRequest": {"Key": gone}}],
            things: [{"PutRequest": {"Item": one}} for one in other],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedItems"] == {}
    assert {one["TableName"]: one["CapacityUnits"] for one in answer["ConsumedCapacity"]} == {accounts: 21, things: 4}
    keys = [{name: one[name] for name in ("bank", "number")} for one in made] + [gone]
    found = dax.batch_get_item(
        RequestItems={
            accounts: {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "#n, #s", "ExpressionAttributeNames": {"#n": "number", "#s": "sum"}},
            things: {"Keys": [{"id": one["id"]} for one in other] + [{"id": {"S": "absent"}}]},
        },
        ReturnConsumedCapacity="INDEXES",
    )
    assert found["UnprocessedKeys"] == {}
    assert sorted(int(one["number"]["N"]) for one in found["Responses"][accounts]) == list(range(20))
    assert all(one["number"] == one["sum"] for one in found["Responses"][accounts])
    assert sorted(found["Responses"][things], key=lambda one: one["id"]["S"]) == other
    charged = {one["TableName"]: one["CapacityUnits"] for one in found["ConsumedCapacity"]}
    assert charged == {accounts: 21, things: 2.5}
    assert "Item" not in http.get_item(TableName=accounts, Key=gone)


def test_keys_that_do_not_fit_into_16_mb_come_back_unprocessed(dax, http):
    name = make_table(http, "bulky", {"id": "N"})
    for at in range(45):
        dax.put_item(TableName=name, Item={"id": {"N": str(at)}, "text": {"S": "t" * 399_000}})
    wanted = {name: {"Keys": [{"id": {"N": str(at)}} for at in range(45)], "ConsistentRead": True}}
    seen, rounds = [], 0
    while wanted:
        answer = dax.batch_get_item(RequestItems=wanted)
        seen += [int(one["id"]["N"]) for one in answer["Responses"][name]]
        wanted, rounds = answer["UnprocessedKeys"], rounds + 1
        if wanted:
            assert wanted[name]["ConsistentRead"] is True
    assert (sorted(seen), rounds) == (list(range(45)), 2)


def test_a_transaction_writes_all_it_holds(dax, http, things, accounts):
    for at, bank in enumerate(("a", "b", "c")):
        dax.put_item(TableName=accounts, Item=put(accounts, "trans", at, sum={"N": "100"}, name={"S": bank}))
    answer = dax.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": things, "Item": {"id": {"S": "put by a transaction"}, "x": {"L": []}}}},
            {
                "Update": {
                    "TableName": accounts,
                    "Key": put(accounts, "trans", 0),
                    "UpdateExpression": "SET #s = #s - :n",
                    "ConditionExpression": "#s >= :n",
                    "ExpressionAttributeNames": {"#s": "sum"},
                    "ExpressionAttributeValues": {":n": {"N": "60"}},
                }
            },
            {"Delete": {"TableName": accounts, "Key": put(accounts, "trans", 1)}},
            {
                "ConditionCheck": {
                    "TableName": accounts,
                    "Key": put(accounts, "trans", 2),
                    "ConditionExpression": "attribute_exists(bank)",
                }
            },
        ],
        ReturnConsumedCapacity="TOTAL",
        ReturnItemCollectionMetrics="SIZE",
    )
    assert {one["TableName"]: one["WriteCapacityUnits"] for one in answer["ConsumedCapacity"]} == {things: 2, accounts: 6}
    found = dax.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": things, "Key": {"id": {"S": "put by a transaction"}}}},
            {
                "Get": {
                    "TableName": accounts,
                    "Key": put(accounts, "trans", 0),
                    "ProjectionExpression": "#s",
                    "ExpressionAttributeNames": {"#s": "sum"},
                }
            },
            {"Get": {"TableName": accounts, "Key": put(accounts, "trans", 1)}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert same(found["Responses"][0]["Item"], {"id": {"S": "put by a transaction"}, "x": {"L": []}})
    assert found["Responses"][1] == {"Item": {"sum": {"N": "40"}}}
    assert found["Responses"][2] == {}
    assert {one["TableName"]: one["ReadCapacityUnits"] for one in found["ConsumedCapacity"]} == {things: 2, accounts: 4}


def test_a_cancelled_transaction_gives_a_reason_for_each_item(dax, accounts):
    item = put(accounts, "cancel", 1, sum={"N": "5"}, name={"S": "n"})
    dax.put_item(TableName=accounts, Item=item)
    check = {"ConditionExpression": "attribute_not_exists(bank)", "TableName": accounts}
    error = error_of(
        dax.transact_write_items,
        TransactItems=[
            {"Put": {"TableName": accounts, "Item": put(accounts, "cancel", 2)}},
            {"Delete": {"Key": put(accounts, "cancel", 1), "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **check}},
            {"ConditionCheck": {"Key": put(accounts, "cancel", 3), **check}},
        ],
    )
    assert error.response["Error"]["Code"] == "TransactionCanceledException"
    assert error.response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]"
    )
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    # The client passes the reasons on as they came: three entries for each item, an item as its bytes.
    codes, messages, items = (error.cancellation_reasons[at::3] for at in range(3))
    assert codes == ["None", "ConditionalCheckFailed", "None"]
    assert messages == [None, "The conditional request failed", None]
    assert items[0] is None and items[2] is None and bytes(items[1]).endswith(b"\x61n\x05")
    assert "Item" not in dax.get_item(TableName=accounts, Key=put(accounts, "cancel", 2), ConsistentRead=True)
    assert same(dax.get_item(TableName=accounts, Key=put(accounts, "cancel", 1), ConsistentRead=True)["Item"], item)


def test_a_token_makes_a_transaction_happen_once(dax, accounts):
    key = put(accounts, "token", 1)

    def add(amount):
        update = {
            "TableName": accounts,
            "Key": key,
            "UpdateExpression": "ADD #s :n",
            "ExpressionAttributeNames": {"#s": "sum"},
            "ExpressionAttributeValues": {":n": {"N": str(amount)}},
        }
        return dax.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="once")

    add(7)
    add(7)
    assert dax.get_item(TableName=accounts, Key=key)["Item"]["sum"] == {"N": "7"}
    error = error_of(lambda: add(8))
    assert error.response["Error"]["Code"] == "IdempotentParameterMismatchException"
    assert dax.get_item(TableName=accounts, Key=key)["Item"]["sum"] == {"N": "7"}


def test_capacity_and_collections_are_told_as_asked(dax, scores):
    item = {
        "game": {"S": "capacity"},
        "player": {"S": "p"},
        "points": {"N": "1"},
        "country": {"S": "is"},
    }
    put_in_all = dax.put_item(TableName=scores, Item=item, ReturnConsumedCapacity="INDEXES", ReturnItemCollectionMetrics="SIZE")
    assert put_in_all["ConsumedCapacity"] == {
        "TableName": scores,
        "CapacityUnits": 4,
        "Table": {"CapacityUnits": 1},
        "LocalSecondaryIndexes": {"by_points": {"CapacityUnits": 1}},
        "GlobalSecondaryIndexes": {"by_country": {"CapacityUnits": 1}, "names": {"CapacityUnits": 1}},
    }
    assert put_in_all["ItemCollectionMetrics"]["ItemCollectionKey"] == {"game": {"S": "capacity"}}
    assert len(put_in_all["ItemCollectionMetrics"]["SizeEstimateRangeGB"]) == 2
    key = {name: item[name] for name in ("game", "player")}
    total = {"TableName": scores, "CapacityUnits": 0.5}
    for _ in range(2):
        assert dax.get_item(TableName=scores, Key=key, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"] == total
    assert dax.get_item(TableName=scores, Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"] == {
        "TableName": scores,
        "CapacityUnits": 1,
    }
    assert "ConsumedCapacity" not in dax.get_item(TableName=scores, Key=key, ReturnConsumedCapacity="NONE")
    query = dax.query(
        TableName=scores,
        IndexName="by_country",
        KeyConditionExpression="country = :c",
        ExpressionAttributeValues={":c": {"S": "is"}},
        ReturnConsumedCapacity="INDEXES",
    )
    assert query["ConsumedCapacity"] == {
        "TableName": scores,
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0},
        "GlobalSecondaryIndexes": {"by_country": {"CapacityUnits": 0.5}},
    }
    changed = dax.update_item(
        TableName=scores,
        Key=key,
        UpdateExpression="SET points = :p",
        ExpressionAttributeValues={":p": {"N": "2"}},
        ReturnConsumedCapacity="TOTAL",
        ReturnItemCollectionMetrics="SIZE",
    )
    # The old and the new entry of each index over points.
    assert changed["ConsumedCapacity"]["CapacityUnits"] == 5
    assert changed["ItemCollectionMetrics"]["ItemCollectionKey"] == {"game": {"S": "capacity"}}
    deleted = dax.delete_item(TableName=scores, Key=key, ReturnConsumedCapacity="TOTAL", ReturnItemCollectionMetrics="SIZE")
    assert deleted["ConsumedCapacity"]["CapacityUnits"] == 4
    assert deleted["ItemCollectionMetrics"]["ItemCollectionKey"] == {"game": {"S": "capacity"}}
    batch = dax.batch_write_item(
        RequestItems={scores: [{"PutRequest": {"Item": item}}]}, ReturnConsumedCapacity="INDEXES", ReturnItemCollectionMetrics="SIZE"
    )
    assert batch["ConsumedCapacity"][0]["GlobalSecondaryIndexes"]["names"] == {"CapacityUnits": 1}
    assert batch["ItemCollectionMetrics"][scores][0]["ItemCollectionKey"] == {"game": {"S": "capacity"}}
    transaction = dax.transact_write_items(
        TransactItems=[{"Delete": {"TableName": scores, "Key": key}}], ReturnConsumedCapacity="INDEXES", ReturnItemCollectionMetrics="SIZE"
    )
    assert transaction["ConsumedCapacity"][0]["Table"]["WriteCapacityUnits"] == 2
    assert transaction["ItemCollectionMetrics"][scores][0]["ItemCollectionKey"] == {"game": {"S": "capacity"}}

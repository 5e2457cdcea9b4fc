"""A coupon shop: campaigns, coupons, redemptions. The flow a service on boto3 goes through in its first week."""

import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore.config import Config
from botocore.exceptions import ClientError

from counters import grows

ENDPOINT = os.environ["FOREBAY_ENDPOINT"]
CONFIG = Config(retries={"max_attempts": 2}, connect_timeout=3, read_timeout=10)


@pytest.fixture(scope="module")
def db():
    return boto3.resource("dynamodb", endpoint_url=ENDPOINT, config=CONFIG)


@pytest.fixture(scope="module")
def client():
    return boto3.client("dynamodb", endpoint_url=ENDPOINT, config=CONFIG)


@pytest.fixture(scope="module")
def coupons(db):
    table = db.create_table(
        TableName="coupons",
        KeySchema=[
            {"AttributeName": "campaign", "KeyType": "HASH"},
            {"AttributeName": "code", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "campaign", "AttributeType": "S"},
            {"AttributeName": "code", "AttributeType": "S"},
            {"AttributeName": "owner", "AttributeType": "S"},
            {"AttributeName": "value", "AttributeType": "N"},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_value",
                "KeySchema": [
                    {"AttributeName": "campaign", "KeyType": "HASH"},
                    {"AttributeName": "value", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "owner", "KeyType": "HASH"},
                    {"AttributeName": "code", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["value"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.wait_until_exists()
    yield table
    table.delete()
    table.wait_until_not_exists()


def error_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as raised:
        call(*args, **kwargs)
    return raised.value.response["Error"]


def test_the_table_is_described(client, coupons):
    table = client.describe_table(TableName="coupons")["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert {i["IndexName"] for i in table["GlobalSecondaryIndexes"]} == {"by_owner"}
    assert table["LocalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "ALL"}
    assert "coupons" in client.list_tables()["TableNames"]
    assert error_of(client.describe_table, TableName="no-such-table")["Code"] == "ResourceNotFoundException"


def test_every_type_comes_back_as_it_went_in(coupons):
    item = {
        "campaign": "types",
        "code": "all",
        "string": "žluťoučký kůň 🐎",
        "number": Decimal("3.1415926535897932384626433832795028841"),
        "small": Decimal("1E-130"),
        "binary": Binary(bytes(range(256))),
        "yes": True,
        "nothing": None,
        "map": {"deep": {"deeper": [1, "two", {"three": Decimal("3")}]}},
        "list": ["a", Decimal("-1"), False, None, []],
        "strings": {"x", "y"},
        "numbers": {Decimal("1"), Decimal("2.5")},
        "binaries": {Binary(b"\x00"), Binary(b"\xff")},
        "empty": "",
    }
    coupons.put_item(Item=item)
    assert coupons.get_item(Key={"campaign": "types", "code": "all"})["Item"] == item


def test_a_repeated_read_comes_from_memory(coupons):
    coupons.put_item(Item={"campaign": "hot", "code": "1", "value": 5})
    coupons.get_item(Key={"campaign": "hot", "code": "1"})
    with grows("forebay_item_cache_hits_total", by=10):
        for _ in range(10):
            assert coupons.get_item(Key={"campaign": "hot", "code": "1"})["Item"]["value"] == 5


def test_a_read_after_a_write_sees_it(coupons):
    key = {"campaign": "hot", "code": "2"}
    for value in range(20):
        coupons.put_item(Item={**key, "value": value})
        assert coupons.get_item(Key=key)["Item"]["value"] == value
        assert coupons.get_item(Key=key, ConsistentRead=True)["Item"]["value"] == value
    coupons.delete_item(Key=key)
    assert "Item" not in coupons.get_item(Key=key)


def test_a_query_after_a_write_sees_it(coupons):
    def codes():
        page = coupons.query(KeyConditionExpression=Key("campaign").eq("fresh"))
        return [item["code"] for item in page["Items"]]

    assert codes() == []
    for n in range(10):
        coupons.put_item(Item={"campaign": "fresh", "code": f"{n:02}", "value": n, "owner": "eva"})
        assert codes() == [f"{i:02}" for i in range(n + 1)]
        owned = coupons.query(IndexName="by_owner", KeyConditionExpression=Key("owner").eq("eva"))
        assert owned["Count"] == n + 1
    with grows("forebay_query_cache_hits_total", by=10, pages=1):
        for _ in range(10):
            assert len(codes()) == 10


def test_a_coupon_is_redeemed_once(coupons):
    key = {"campaign": "summer", "code": "SUN"}
    coupons.put_item(Item={**key, "value": 10, "left": 1})
    redeem = dict(
        Key=key,
        UpdateExpression="SET #l = #l - :one, redeemed_by = list_append(if_not_exists(redeemed_by, :none), :who)",
        ConditionExpression="#l > :zero",
        ExpressionAttributeNames={"#l": "left"},
        ExpressionAttributeValues={":one": 1, ":zero": 0, ":none": [], ":who": ["eva"]},
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert coupons.update_item(**redeem)["Attributes"]["left"] == 0
    with pytest.raises(ClientError) as refused:
        coupons.update_item(**redeem)
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Error"]["Message"] == "The conditional request failed"
    assert refused.value.response["Item"]["left"] == {"N": "0"}


def test_of_many_at_once_one_wins(coupons):
    key = {"campaign": "race", "code": "ONE"}

    def claim(who):
        try:
            coupons.put_item(Item={**key, "owner": f"user{who}"}, ConditionExpression=Attr("campaign").not_exists())
            return 1
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(24))) == 1


def test_a_counter_loses_no_increment(coupons):
    key = {"campaign": "count", "code": "n"}

    def bump(_):
        coupons.update_item(Key=key, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bump, range(200)))
    assert coupons.get_item(Key=key)["Item"]["n"] == 200


def test_indexes_ranges_filters_and_pages(coupons):
    with coupons.batch_writer() as batch:
        for n in range(60):
            item = {"campaign": "autumn", "code": f"{n:03}", "value": n % 7}
            if n % 2:
                item["owner"] = f"owner{n % 3}"
            batch.put_item(Item=item)
    page = coupons.query(
        KeyConditionExpression=Key("campaign").eq("autumn") & Key("code").between("010", "019"), ScanIndexForward=False
    )
    assert [item["code"] for item in page["Items"]] == [f"{n:03}" for n in range(19, 9, -1)]
    by_value = coupons.query(
        IndexName="by_value", KeyConditionExpression=Key("campaign").eq("autumn") & Key("value").gte(5)
    )
    assert [item["value"] for item in by_value["Items"]] == sorted(n % 7 for n in range(60) if n % 7 >= 5)
    owned = coupons.query(
        IndexName="by_owner",
        KeyConditionExpression=Key("owner").eq("owner1") & Key("code").begins_with("00"),
        FilterExpression=Attr("value").exists(),
    )
    assert [set(item) for item in owned["Items"]] == [{"campaign", "code", "owner", "value"}] * 2
    seen, start = [], {}
    while True:
        page = coupons.query(KeyConditionExpression=Key("campaign").eq("autumn"), Limit=7, **start)
        seen += [item["code"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert seen == [f"{n:03}" for n in range(60)]
    filtered = coupons.query(
        KeyConditionExpression=Key("campaign").eq("autumn"), FilterExpression=Attr("owner").exists(), Select="COUNT"
    )
    assert (filtered["Count"], filtered["ScannedCount"]) == (30, 60)


def test_parallel_scan_sees_each_item_once(coupons, client):
    def segment(n):
        found = []
        for page in client.get_paginator("scan").paginate(
            TableName="coupons",
            Segment=n,
            TotalSegments=4,
            FilterExpression="campaign = :c",
            ExpressionAttributeValues={":c": {"S": "autumn"}},
            ProjectionExpression="code",
        ):
            found += [item["code"]["S"] for item in page["Items"]]
        return found

    with ThreadPoolExecutor(4) as pool:
        codes = sum(pool.map(segment, range(4)), [])
    assert sorted(codes) == [f"{n:03}" for n in range(60)]


def test_batch_get_mixes_memory_and_store(db, coupons):
    keys = [{"campaign": "autumn", "code": f"{n:03}"} for n in range(0, 60, 3)] + [{"campaign": "no", "code": "no"}]
    coupons.get_item(Key=keys[0])
    answer = db.batch_get_item(RequestItems={"coupons": {"Keys": keys, "ProjectionExpression": "code"}})
    assert sorted(item["code"] for item in answer["Responses"]["coupons"]) == [f"{n:03}" for n in range(0, 60, 3)]
    assert answer["UnprocessedKeys"] == {}


def test_a_transaction_is_all_or_nothing(client, coupons):
    def move(token=None):
        extra = {"ClientRequestToken": token} if token else {}
        return client.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": "coupons",
                        "Key": {"campaign": {"S": "bank"}, "code": {"S": "a"}},
                        "UpdateExpression": "SET amount = amount - :n",
                        "ConditionExpression": "amount >= :n",
                        "ExpressionAttributeValues": {":n": {"N": "60"}},
                    }
                },
                {
                    "Update": {
                        "TableName": "coupons",
                        "Key": {"campaign": {"S": "bank"}, "code": {"S": "b"}},
                        "UpdateExpression": "ADD amount :n",
                        "ExpressionAttributeValues": {":n": {"N": "60"}},
                    }
                },
            ],
            **extra,
        )

    coupons.put_item(Item={"campaign": "bank", "code": "a", "amount": 100})
    move(token="once")
    move(token="once")
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        move()
    codes = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert codes == ["ConditionalCheckFailed", "None"]
    answer = client.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": "coupons", "Key": {"campaign": {"S": "bank"}, "code": {"S": code}}}}
            for code in "ab"
        ]
    )
    assert [r["Item"]["amount"]["N"] for r in answer["Responses"]] == ["40", "60"]


def test_an_index_is_added_to_a_table_with_data(client, coupons):
    client.update_table(
        TableName="coupons",
        AttributeDefinitions=[{"AttributeName": "value", "AttributeType": "N"}, {"AttributeName": "campaign", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "values",
                    "KeySchema": [{"AttributeName": "value", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )
    for _ in range(300):
        indexes = client.describe_table(TableName="coupons")["Table"]["GlobalSecondaryIndexes"]
        status = {i["IndexName"]: i["IndexStatus"] for i in indexes}["values"]
        if status == "ACTIVE":
            break
        __import__("time").sleep(0.05)
    assert status == "ACTIVE"
    page = coupons.query(
        IndexName="values",
        KeyConditionExpression=Key("value").eq(3),
        FilterExpression=Attr("campaign").eq("autumn"),
    )
    assert len(page["Items"]) == len([n for n in range(60) if n % 7 == 3])
    assert all(set(item) == {"campaign", "code", "value"} for item in page["Items"])


def test_errors_are_the_ones_the_service_gives(client, coupons):
    missing = error_of(client.get_item, TableName="coupons", Key={"campaign": {"S": "x"}})
    assert missing["Code"] == "ValidationException"
    assert "provided key element does not match the schema" in missing["Message"]
    reserved = error_of(
        client.scan, TableName="coupons", FilterExpression="size = :x", ExpressionAttributeValues={":x": {"N": "1"}}
    )
    assert reserved["Code"] == "ValidationException"
    assert reserved["Message"].startswith("Invalid FilterExpression: ")
    unknown = error_of(
        client.query,
        TableName="coupons",
        KeyConditionExpression="campaign = :c",
        ExpressionAttributeValues={":c": {"S": "x"}, ":unused": {"S": "y"}},
    )
    assert "unused in expressions: keys: {:unused}" in unknown["Message"]
    big = error_of(client.put_item, TableName="coupons", Item={"campaign": {"S": "b"}, "code": {"S": "b"}, "x": {"S": "x" * 410_000}})
    assert big["Message"] == "Item size has exceeded the maximum allowed size"


def test_capacity_is_reported_for_hits_too(client, coupons):
    key = {"campaign": {"S": "hot"}, "code": {"S": "1"}}
    for _ in range(2):
        answer = client.get_item(TableName="coupons", Key=key, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"] == {"TableName": "coupons", "CapacityUnits": 0.5}

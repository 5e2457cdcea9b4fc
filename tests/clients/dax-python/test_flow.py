"""A leaderboard whose winners get coupons, on the resource interface: the flow of a service that moved from boto3 to DAX."""

import os
from decimal import Decimal

import pytest
from amazondax import AmazonDaxClient
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from conftest import index, make_table
from counters import grows


@pytest.fixture(scope="module")
def dax():
    with AmazonDaxClient.resource(
        endpoint_url=os.environ["FOREBAY_DAX"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    ) as resource:
        yield resource


@pytest.fixture(scope="module")
def leaderboard(dax, http):
    make_table(
        http,
        "leaderboard",
        {"season": "S", "player": "S"},
        attributes={"points": "N"},
        LocalSecondaryIndexes=[index("ranking", "season", "points")],
    )
    return dax.Table("leaderboard")


@pytest.fixture(scope="module")
def coupons(dax, http):
    make_table(http, "winners", {"code": "S"}, attributes={"player": "S", "worth": "N"}, GlobalSecondaryIndexes=[index("mine", "player", "worth")])
    return dax.Table("winners")


def top(leaderboard, count=3):
    page = leaderboard.query(
        IndexName="ranking", KeyConditionExpression=Key("season").eq("autumn"), ScanIndexForward=False, Limit=count
    )
    return [(one["player"], one["points"]) for one in page["Items"]]


def test_players_score(leaderboard):
    with leaderboard.batch_writer() as batch:
        for at in range(60):
            batch.put_item(Item={"season": "autumn", "player": f"p{at:02}", "points": Decimal(at), "badges": {f"b{at}"}, "history": []})
    assert top(leaderboard) == [("p59", 59), ("p58", 58), ("p57", 57)]
    for _ in range(3):
        answer = leaderboard.update_item(
            Key={"season": "autumn", "player": "p07"},
            UpdateExpression="ADD points :p, badges :b SET history = list_append(history, :h), best = if_not_exists(best, :p)",
            ExpressionAttributeValues={":p": Decimal("20.5"), ":b": {"comeback"}, ":h": [{"won": Decimal("20.5")}]},
            ReturnValues="ALL_NEW",
        )
    assert answer["Attributes"]["points"] == Decimal("68.5")
    assert answer["Attributes"]["badges"] == {"b7", "comeback"}
    assert len(answer["Attributes"]["history"]) == 3
    assert top(leaderboard, 1) == [("p07", Decimal("68.5"))]


def test_the_board_is_looked_at_far_more_often_than_it_changes(leaderboard):
    first = top(leaderboard)
    with grows("forebay_query_cache_hits_total", by=20, pages=1):
        for _ in range(20):
            assert top(leaderboard) == first
    leaderboard.put_item(Item={"season": "autumn", "player": "p00", "points": 1000})
    assert top(leaderboard, 1) == [("p00", 1000)]


def test_each_winner_gets_one_coupon(leaderboard, coupons):
    for rank, (player, points) in enumerate(top(leaderboard)):
        for attempt in range(2):
            try:
                coupons.put_item(
                    Item={"code": f"autumn-{rank}", "player": player, "worth": 50 - 10 * rank, "for": points},
                    ConditionExpression=Attr("code").not_exists(),
                )
                assert attempt == 0
            except ClientError as error:
                assert (attempt, error.response["Error"]["Code"]) == (1, "ConditionalCheckFailedException")
    mine = coupons.query(IndexName="mine", KeyConditionExpression=Key("player").eq("p00") & Key("worth").gte(10))
    assert [(one["code"], one["for"]) for one in mine["Items"]] == [("autumn-0", 1000)]


def test_a_coupon_is_spent_once(dax, leaderboard, coupons):
    def spend(code, player):
        return dax.meta.client.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": "winners",
                        "Key": {"code": code},
                        "UpdateExpression": "SET spent = :yes",
                        "ConditionExpression": "player = :p AND attribute_not_exists(spent)",
                        "ExpressionAttributeValues": {":yes": True, ":p": player},
                    }
                },
                {
                    "Update": {
                        "TableName": "leaderboard",
                        "Key": {"season": "autumn", "player": player},
                        "UpdateExpression": "SET points = points - :w",
                        "ExpressionAttributeValues": {":w": 50},
                    }
                },
            ]
        )

    spend("autumn-0", "p00")
    with pytest.raises(ClientError) as cancelled:
        spend("autumn-0", "p00")
    assert cancelled.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert leaderboard.get_item(Key={"season": "autumn", "player": "p00"})["Item"]["points"] == 950
    assert coupons.get_item(Key={"code": "autumn-0"})["Item"]["spent"] is True


def test_the_season_is_closed(leaderboard):
    names, start = [], {}
    while True:
        page = leaderboard.scan(ProjectionExpression="player", FilterExpression=Attr("points").lt(30), Limit=25, **start)
        names += [one["player"] for one in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert len(names) == 28
    with leaderboard.batch_writer() as batch:
        for name in names:
            batch.delete_item(Key={"season": "autumn", "player": name})
    assert leaderboard.scan(Select="COUNT")["Count"] == 32

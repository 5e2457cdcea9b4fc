"""What this client does that a node must bear: a test for each, named by the rule."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from conftest import dax_client
from counters import NODES, counter
from values import same

KEY = {"id": {"S": "rules"}}


def requests(operation):
    return counter(f'forebay_total_request_count_total{{operation="{operation}"}}')


def refused(call, **how):
    with pytest.raises(ClientError) as raised:
        call(**how)
    return raised.value.response["Error"]["Code"]


def test_each_method_has_its_own_number_of_values_and_nothing_else_parts_them(dax, things, scores):
    # One thread, so one connection: whatever is read too short or too long shows in the next answer.
    item = KEY | {"n": {"N": "1"}, "text": {"S": "x" * 5000}}
    player = {"game": {"S": "frames"}, "player": {"S": "p"}}
    for _ in range(3):
        dax.put_item(TableName=things, Item=item)
        assert same(dax.get_item(TableName=things, Key=KEY)["Item"], item)
        # Three elements behind an array of two.
        batch = dax.batch_get_item(RequestItems={things: {"Keys": [KEY]}, scores: {"Keys": [player]}}, ReturnConsumedCapacity="TOTAL")
        assert same(batch["Responses"][things][0], item) and batch["Responses"][scores] == []
        assert same(dax.get_item(TableName=things, Key=KEY)["Item"], item)
        # Three values without an array.
        written = dax.batch_write_item(
            RequestItems={scores: [{"PutRequest": {"Item": player}}], things: [{"DeleteRequest": {"Key": {"id": {"S": "none"}}}}]},
            ReturnItemCollectionMetrics="SIZE",
        )
        assert list(written["ItemCollectionMetrics"]) == [scores]
        assert same(dax.get_item(TableName=things, Key=KEY)["Item"], item)
        dax.transact_write_items(TransactItems=[{"Delete": {"TableName": scores, "Key": player}}])
        assert dax.transact_get_items(TransactItems=[{"Get": {"TableName": scores, "Key": player}}])["Responses"] == [{}]
        assert dax.query(
            TableName=scores, KeyConditionExpression="game = :g", ExpressionAttributeValues={":g": {"S": "frames"}}
        )["Items"] == []
        assert dax.delete_item(TableName=things, Key=KEY, ReturnValues="ALL_OLD")["Attributes"].keys() == item.keys()


def test_a_condition_that_arrives_twice_counts_once_and_as_the_second(dax, things):
    # First as text, then encoded, under one and the same key, with the names and values of the text beside it.
    how = {
        "TableName": things,
        "ExpressionAttributeNames": {"#n": "a name of its own"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":two": {"N": "2"}},
        "ConditionExpression": "attribute_not_exists(#n) OR #n IN (:one, :two)",
    }
    dax.put_item(TableName=things, Item=KEY | {"a name of its own": {"N": "2"}})
    dax.put_item(Item=KEY | {"a name of its own": {"N": "3"}}, **how)
    assert refused(dax.put_item, Item=KEY, **how) == "ConditionalCheckFailedException"
    assert refused(dax.delete_item, Key=KEY, **how) == "ConditionalCheckFailedException"
    change = {"UpdateExpression": "SET #n = :one"}
    assert refused(dax.update_item, Key=KEY, **(how | change)) == "ConditionalCheckFailedException"
    assert dax.get_item(TableName=things, Key=KEY)["Item"]["a name of its own"] == {"N": "3"}


def test_an_item_that_is_not_there_is_left_out(dax, things):
    absent = {"id": {"S": "never written"}}
    for how in ({}, {"ConsistentRead": True}, {"ProjectionExpression": "n"}):
        assert "Item" not in dax.get_item(TableName=things, Key=absent, **how)
    present = dax.batch_get_item(RequestItems={things: {"Keys": [absent]}})
    assert present["Responses"] == {things: []}
    assert dax.transact_get_items(TransactItems=[{"Get": {"TableName": things, "Key": absent}}])["Responses"] == [{}]


def test_a_failed_condition_is_tried_three_times_and_each_is_judged(dax, things):
    dax.put_item(TableName=things, Item=KEY)
    before = requests("PutItem")
    code = refused(dax.put_item, TableName=things, Item=KEY, ConditionExpression="attribute_not_exists(id)")
    assert code == "ConditionalCheckFailedException"
    assert requests("PutItem") - before == 3


def test_a_cancelled_transaction_is_tried_again_with_another_token_and_writes_nothing(dax, things):
    before = requests("TransactWriteItems")
    check = {"TableName": things, "Key": KEY, "ConditionExpression": "attribute_not_exists(id)"}
    put = {"TableName": things, "Item": {"id": {"S": "never by this"}}}
    dax.put_item(TableName=things, Item=KEY)
    assert refused(dax.transact_write_items, TransactItems=[{"Put": put}, {"ConditionCheck": check}]) == "TransactionCanceledException"
    assert requests("TransactWriteItems") - before == 3
    assert "Item" not in dax.get_item(TableName=things, Key=put["Item"], ConsistentRead=True)


@pytest.mark.alone
def test_each_error_closes_a_connection_and_none_is_left_behind(things):
    def open_connections():
        return counter('forebay_client_connections{protocol="dax"}')

    before = open_connections()
    with dax_client(os.environ["FOREBAY_DAX"]) as dax:
        dax.put_item(TableName=things, Item=KEY)
        for _ in range(30):
            refused(dax.put_item, TableName=things, Item=KEY, ConditionExpression="attribute_not_exists(id)")
            assert dax.get_item(TableName=things, Key=KEY)["Item"] == KEY
        # What it keeps to each node: one, and perhaps one that it looks after its health with.
        assert open_connections() - before <= 3 * NODES
    until = time.monotonic() + 5
    while open_connections() > before and time.monotonic() < until:
        time.sleep(0.02)
    assert open_connections() <= before


def test_names_beyond_the_basic_plane_are_sorted_by_each_client_in_its_own_way(dax, http, things):
    # By code point here, by UTF-16 in JavaScript, as they come over HTTP: three lists of the same names.
    item = {"id": {"S": "order"}, "\uffe5": {"S": "a yen"}, "🐎": {"S": "a horse"}, "é": {"S": "an e"}, "z": {"S": "a z"}}
    dax.put_item(TableName=things, Item=item)
    assert same(dax.get_item(TableName=things, Key={"id": item["id"]})["Item"], item)
    assert http.get_item(TableName=things, Key={"id": item["id"]})["Item"] == item
    http.put_item(TableName=things, Item=dict(reversed(item.items())))
    assert same(dax.get_item(TableName=things, Key={"id": item["id"]})["Item"], item)


def test_names_that_are_reserved_words_are_taken(dax, things):
    # They are substituted before they are sent: nobody can tell `size` from `#s`.
    dax.put_item(TableName=things, Item=KEY | {"size": {"N": "1"}, "name": {"S": "n"}})
    assert dax.get_item(TableName=things, Key=KEY, ProjectionExpression="size")["Item"] == {"size": {"N": "1"}}


def test_a_request_that_arrives_in_pieces(dax, things):
    # The client writes out its buffer whenever that holds 4096 bytes.
    for size in (4000, 4096, 4097, 8192, 65536, 300_000):
        item = KEY | {"bytes": {"B": bytes(size)}}
        dax.put_item(TableName=things, Item=item)
        assert same(dax.get_item(TableName=things, Key=KEY, ConsistentRead=True)["Item"], item)


def test_threads_share_a_client(dax, things):
    begin = threading.Barrier(16)

    def work(at):
        begin.wait()
        for n in range(25):
            item = {"id": {"S": f"thread {at}"}, f"attribute{at}": {"N": str(n)}}
            dax.put_item(TableName=things, Item=item)
            assert dax.get_item(TableName=things, Key={"id": item["id"]})["Item"] == item
        return n

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [24] * 16

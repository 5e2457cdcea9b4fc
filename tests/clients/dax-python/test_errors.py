"""Every error that a client of DAX can be shown by a node that is well."""

import re
import time

import pytest
from amazondax.DaxError import DaxClientError, DaxServiceError
from botocore.exceptions import ClientError

from conftest import dax_client, http_client, make_table
from counters import counter
from node import Node
from values import cases, item

KEY = {"id": {"S": "error"}}


def error_of(call, **how):
    with pytest.raises(ClientError) as raised:
        call(**how)
    return raised.value


def snake(operation):
    return re.sub("(?<!^)(?=[A-Z])", "_", operation).lower()


@pytest.fixture(scope="module", autouse=True)
def tables(dax, things, scores):
    dax.put_item(TableName=things, Item=KEY | {"s": {"S": "text"}, "m": {"M": {}}})


@pytest.mark.parametrize("case", cases("errors"), ids=lambda case: case["name"])
def test_a_mistake_is_told_as_over_http(dax, http, case):
    params = {name: item(one) if name in ("Item", "Key", "ExpressionAttributeValues") else one for name, one in case["params"].items()}
    error = error_of(getattr(dax, snake(case["operation"])), **params)
    assert isinstance(error, DaxServiceError)
    assert error.response["Error"] == {"Code": case["code"], "Message": case["message"]}
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert re.fullmatch("[0-9A-Z]{32,}", error.response["ResponseMetadata"]["RequestId"])
    told = error_of(getattr(http, snake(case["operation"])), **params)
    assert told.response["Error"] == error.response["Error"]


def test_a_failed_condition(dax, things):
    error = error_of(dax.put_item, TableName=things, Item=KEY, ConditionExpression="attribute_not_exists(id)")
    assert error.response["Error"] == {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}
    assert error.codes == [4, 37, 38, 39, 43]


def test_an_item_too_large(dax, things):
    error = error_of(dax.put_item, TableName=things, Item={"id": {"S": "x"}, "x": {"S": "x" * 410_000}})
    assert error.response["Error"]["Message"] == "Item size has exceeded the maximum allowed size"


def test_a_key_too_large(dax, things):
    error = error_of(dax.get_item, TableName=things, Key={"id": {"S": "x" * 2049}})
    assert error.response["Error"]["Code"] == "ValidationException"
    assert "Size of hashkey has exceeded the maximum size limit of2048 bytes" in error.response["Error"]["Message"]


def test_a_document_too_deep(dax, things):
    deep = {"N": "1"}
    for _ in range(33):
        deep = {"L": [deep]}
    error = error_of(dax.put_item, TableName=things, Item={"id": {"S": "deep"}, "x": deep})
    assert error.response["Error"]["Message"] == (
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
    )


def test_a_table_that_was_dropped_while_the_client_knew_it(dax, http):
    name = make_table(http, "dropped", {"id": "S"})
    dax.put_item(TableName=name, Item=KEY)
    http.delete_table(TableName=name)
    for call, how in ((dax.get_item, {"Key": KEY}), (dax.put_item, {"Item": KEY}), (dax.scan, {})):
        error = error_of(call, TableName=name, **how)
        assert error.response["Error"] == {"Code": "ResourceNotFoundException", "Message": "Requested resource not found"}


def test_what_the_client_refuses_by_itself_does_not_reach_the_node(dax, things):
    before = counter("forebay_total_request_count_total")
    for call, how in (
        (dax.get_item, {"Key": {"id": {"N": "1"}}}),
        (dax.put_item, {"Item": {"x": {"S": "no key"}}}),
        (dax.put_item, {"Item": KEY | {"x": {"SS": []}}}),
        (dax.scan, {"FilterExpression": "not an expression"}),
        (dax.scan, {"FilterExpression": "s = :absent"}),
        (dax.scan, {"Limit": 0}),
    ):
        assert error_of(call, TableName=things, **how).response["Error"]["Code"] == "ValidationException"
    with pytest.raises(NotImplementedError):
        dax.describe_table(TableName=things)
    assert counter("forebay_total_request_count_total") == before


def test_overload_is_a_throttle_that_the_client_backs_off_from():
    with Node("dax.max_requests_in_flight=0") as node:
        http = http_client(node.http)
        table = make_table(http, "things", {"id": "S"})
        http.put_item(TableName=table, Item=KEY)
        with dax_client(node.dax) as dax:
            began = time.monotonic()
            # What memory answers waits for nothing, and is not counted.
            error = error_of(dax.get_item, TableName=table, Key=KEY, ConsistentRead=True)
            assert error.response["Error"]["Code"] == "ThrottlingException"
            # Two pauses of at least 70 and 140 ms.
            assert time.monotonic() - began >= 0.2


GOOD = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A node that knows one access key."""
    file = tmp_path_factory.mktemp("keys") / "credentials"
    file.write_text("[default]\n" + "".join(f"{name} = {one}\n" for name, one in GOOD.items()))
    with Node(f"credentials.file={file}") as node:
        make_table(http_client(node.http, **GOOD), "things", {"id": "S"})
        yield node


def test_a_claim_of_identity_has_no_answer_of_its_own(guarded):
    # If it had one, the client would take it for the answer to its request.
    with dax_client(guarded.dax, **GOOD) as dax:
        for at in range(3):
            dax.put_item(TableName="things", Item={"id": {"S": "x"}, "at": {"N": str(at)}})
            assert dax.get_item(TableName="things", Key={"id": {"S": "x"}})["Item"]["at"] == {"N": str(at)}


@pytest.mark.parametrize(
    "wrong, code",
    [
        ({"aws_secret_access_key": "another"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIDOTHER"}, "UnrecognizedClientException"),
    ],
)
def test_a_wrong_signature_is_the_error_of_the_next_request(guarded, wrong, code):
    # The first request is the client's own, for the nodes, while it is made.
    with pytest.raises((DaxServiceError, DaxClientError)) as raised:
        dax_client(guarded.dax, **{**GOOD, **wrong})
    assert raised.value.auth_error and raised.value.codes == [4, 23, 31, 33]
    assert raised.value.response["Error"]["Code"] == code

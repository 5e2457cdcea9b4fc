"""Conditions, filters and updates: every function and operator."""

import pytest
from botocore.exceptions import ClientError

from values import cases, item, same


def names_and_values(case, **more):
    values = item(case.get("values", {})) | more
    how = {"ExpressionAttributeValues": values} if values else {}
    return how | ({"ExpressionAttributeNames": case["names"]} if "names" in case else {})


def holds(call, **how):
    """Whether the condition of a write held."""
    try:
        call(**how)
        return True
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("ConditionalCheckFailedException", "TransactionCanceledException"), error
        return False


@pytest.fixture(scope="module")
def document(dax, things):
    document = item(cases("document"))
    dax.put_item(TableName=things, Item=document)
    return document


@pytest.mark.parametrize("case", cases("conditions"), ids=lambda case: case["expression"])
def test_a_condition_is_judged_the_same_everywhere(dax, things, document, case):
    key, expression = {"id": document["id"]}, case["expression"]
    found = dax.query(
        TableName=things,
        KeyConditionExpression="id = :document",
        FilterExpression=expression,
        **names_and_values(case, **{":document": document["id"]}),
    )
    assert (found["Count"], found["ScannedCount"]) == (int(case["holds"]), 1)
    how = {"TableName": things, "ConditionExpression": expression, **names_and_values(case)}
    assert holds(dax.put_item, Item=document, **how) == case["holds"]
    check = {"ConditionCheck": {"Key": key, **how}}
    assert holds(dax.transact_write_items, TransactItems=[check]) == case["holds"]


def test_a_failed_condition_stops_each_kind_of_write(dax, things, document):
    key = {"id": document["id"]}
    how = {"TableName": things, "ConditionExpression": "attribute_not_exists(id)"}
    assert not holds(dax.put_item, Item=key, **how)
    assert not holds(dax.delete_item, Key=key, **how)
    change = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "6"}}}
    assert not holds(dax.update_item, Key=key, **change, **how)
    for action in ({"Put": {"Item": key}}, {"Delete": {"Key": key}}, {"Update": {"Key": key, **change}}):
        ((name, what),) = action.items()
        assert not holds(dax.transact_write_items, TransactItems=[{name: {**what, **how}}])
    assert same(dax.get_item(TableName=things, Key=key, ConsistentRead=True)["Item"], document)


@pytest.mark.parametrize("case", cases("updates"), ids=lambda case: case["name"])
def test_an_update_does_what_it_says(dax, things, case):
    key = {"id": {"S": f"update: {case['name']}"}}
    before, after = item(case["before"]) | key, item(case["after"]) | key
    update = {"TableName": things, "Key": key, "UpdateExpression": case["expression"], **names_and_values(case)}
    dax.put_item(TableName=things, Item=before)
    assert same(dax.update_item(ReturnValues="ALL_NEW", **update)["Attributes"], after)
    assert same(dax.get_item(TableName=things, Key=key)["Item"], after)
    dax.put_item(TableName=things, Item=before)
    dax.transact_write_items(TransactItems=[{"Update": update}])
    assert same(dax.get_item(TableName=things, Key=key)["Item"], after)


RETURN_VALUES = {
    # Of SET n = :n, m.x = :x, fresh = :n REMOVE gone on {n: 1, m: {x: 1, y: 2}, gone: 3, kept: 4}.
    "ALL_OLD": {"id": {"S": "returned"}, "n": {"N": "1"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, "gone": {"N": "3"}, "kept": {"N": "4"}},
    "ALL_NEW": {"id": {"S": "returned"}, "n": {"N": "7"}, "m": {"M": {"x": {"N": "8"}, "y": {"N": "2"}}}, "fresh": {"N": "7"}, "kept": {"N": "4"}},
    "UPDATED_OLD": {"n": {"N": "1"}, "m": {"M": {"x": {"N": "1"}}}, "gone": {"N": "3"}},
    "UPDATED_NEW": {"n": {"N": "7"}, "m": {"M": {"x": {"N": "8"}}}, "fresh": {"N": "7"}},
    "NONE": None,
}


@pytest.mark.parametrize("kind", RETURN_VALUES)
def test_an_update_returns_what_was_asked_for(dax, things, kind):
    dax.put_item(TableName=things, Item=RETURN_VALUES["ALL_OLD"])
    answer = dax.update_item(
        TableName=things,
        Key={"id": {"S": "returned"}},
        UpdateExpression="SET n = :n, m.x = :x, fresh = :n REMOVE gone",
        ExpressionAttributeValues={":n": {"N": "7"}, ":x": {"N": "8"}},
        ReturnValues=kind,
    )
    wanted = RETURN_VALUES[kind]
    assert "Attributes" not in answer if wanted is None else same(answer["Attributes"], wanted)


def test_put_and_delete_return_the_old_item_where_there_was_one(dax, things):
    key = {"id": {"S": "old and new"}}
    old, new = key | {"n": {"N": "1"}}, key | {"s": {"S": "x"}}
    assert "Attributes" not in dax.put_item(TableName=things, Item=old, ReturnValues="ALL_OLD")
    assert same(dax.put_item(TableName=things, Item=new, ReturnValues="ALL_OLD")["Attributes"], old)
    assert "Attributes" not in dax.put_item(TableName=things, Item=new)
    assert same(dax.delete_item(TableName=things, Key=key, ReturnValues="ALL_OLD")["Attributes"], new)
    assert "Attributes" not in dax.delete_item(TableName=things, Key=key, ReturnValues="ALL_OLD")
    # An item that has nothing but its key.
    dax.put_item(TableName=things, Item=key)
    assert dax.get_item(TableName=things, Key=key)["Item"] == key
    assert "Item" not in dax.get_item(TableName=things, Key={"id": {"S": "was never there"}})


def update_with_legacy_parameters(dax, table, key):
    dax.update_item(
        TableName=table,
        Key=key,
        Expected={"n": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "1"}]}, "absent": {"Exists": False}},
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "1"}},
            "s": {"Action": "PUT", "Value": {"S": "new"}},
            "tags": {"Action": "DELETE", "Value": {"SS": ["a"]}},
            "gone": {"Action": "DELETE"},
        },
    )


def put_with_legacy_parameters(dax, table, key):
    dax.put_item(
        TableName=table,
        Item=key | {"n": {"N": "2"}, "s": {"S": "new"}, "tags": {"SS": ["b"]}},
        Expected={
            "n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "8"}, {"N": "9"}]},
            "s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "ol"}]},
        },
        ConditionalOperator="OR",
    )


@pytest.mark.parametrize("write", [update_with_legacy_parameters, put_with_legacy_parameters])
def test_writes_with_legacy_parameters(dax, things, write):
    key = {"id": {"S": write.__name__}}
    dax.put_item(
        TableName=things, Item=key | {"n": {"N": "1"}, "s": {"S": "old"}, "tags": {"SS": ["a", "b"]}, "gone": {"NULL": True}}
    )
    write(dax, things, key)
    wanted = key | {"n": {"N": "2"}, "s": {"S": "new"}, "tags": {"SS": ["b"]}}
    assert same(dax.get_item(TableName=things, Key=key)["Item"], wanted)
    unmet = {"n": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "0"}]}}
    assert not holds(dax.delete_item, TableName=things, Key=key, Expected=unmet)
    dax.delete_item(TableName=things, Key=key, Expected={"s": {"Value": {"S": "new"}}})
    assert "Item" not in dax.get_item(TableName=things, Key=key)


LEGACY_FILTERS = {
    "EQ": (["5"], True), "NE": (["5"], False), "LT": (["6"], True), "LE": (["4"], False), "GT": (["4"], True), "GE": (["5"], True),
    "BETWEEN": (["1", "5"], True), "IN": (["1", "5"], True), "NULL": (None, False), "NOT_NULL": (None, True),
}


@pytest.mark.parametrize("operator", LEGACY_FILTERS)
def test_reads_with_legacy_parameters(dax, things, document, operator):
    operands, found = LEGACY_FILTERS[operator]
    condition = {"ComparisonOperator": operator}
    if operands:
        condition["AttributeValueList"] = [{"N": one} for one in operands]
    this = {"ComparisonOperator": "EQ", "AttributeValueList": [document["id"]]}
    how = {"TableName": things, "AttributesToGet": ["s", "dotted.name"]}
    wanted = [{"s": document["s"], "dotted.name": document["dotted.name"]}] if found else []
    assert dax.query(KeyConditions={"id": this}, QueryFilter={"n": condition}, **how)["Items"] == wanted
    assert dax.scan(ScanFilter={"id": this, "n": condition}, ConditionalOperator="AND", **how)["Items"] == wanted
    assert dax.get_item(Key={"id": document["id"]}, **how)["Item"] == {"s": document["s"], "dotted.name": document["dotted.name"]}


def test_legacy_containment(dax, things, document):
    this = {"ComparisonOperator": "EQ", "AttributeValueList": [document["id"]]}

    def found(**conditions):
        written = {name: {"ComparisonOperator": how, "AttributeValueList": [one]} for name, (how, one) in conditions.items()}
        return dax.scan(TableName=things, ScanFilter={"id": this, **written})["Count"]

    assert found(ss=("CONTAINS", {"S": "red"}), s=("CONTAINS", {"S": "bet"}), b=("BEGINS_WITH", {"B": b"\x01"})) == 1
    assert found(ns=("NOT_CONTAINS", {"N": "3"})) == 1
    assert found(ns=("NOT_CONTAINS", {"N": "2.5"})) == 0
    assert found(absent=("NOT_CONTAINS", {"N": "3"})) == 0

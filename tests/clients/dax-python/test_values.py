"""Every type of value, written by one operation and read by every other."""

import pytest

from values import cases, item, same, value

VALUES = cases("values")


def everything():
    found = {}
    for kind, written in (("S", "strings"), ("B", "binaries"), ("N", "numbers")):
        found |= {f"{kind.lower()}{at}": value({kind: one}) for at, one in enumerate(VALUES[written])}
    found |= {f"c{at}": value(one) for at, one in enumerate(VALUES["composites"])}
    return found | {"nameless": value(VALUES["nameless"])}


READS = {
    "get_item": lambda dax, table, key: dax.get_item(TableName=table, Key=key)["Item"],
    "get_item, consistent": lambda dax, table, key: dax.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"],
    "query": lambda dax, table, key: dax.query(
        TableName=table, KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": key["id"]}
    )["Items"][0],
    "scan": lambda dax, table, key: dax.scan(
        TableName=table, FilterExpression="id = :id", ExpressionAttributeValues={":id": key["id"]}
    )["Items"][0],
    "batch_get_item": lambda dax, table, key: dax.batch_get_item(RequestItems={table: {"Keys": [key]}})["Responses"][table][0],
    "transact_get_items": lambda dax, table, key: dax.transact_get_items(
        TransactItems=[{"Get": {"TableName": table, "Key": key}}]
    )["Responses"][0]["Item"],
}

WRITES = {
    "put_item": lambda dax, table, item: dax.put_item(TableName=table, Item=item),
    "update_item": lambda dax, table, item: dax.update_item(
        TableName=table,
        Key={"id": item["id"]},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in item if name != "id"),
        ExpressionAttributeNames={f"#{name}": name for name in item if name != "id"},
        ExpressionAttributeValues={f":{name}": one for name, one in item.items() if name != "id"},
    ),
    "batch_write_item": lambda dax, table, item: dax.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]}),
    "transact_write_items": lambda dax, table, item: dax.transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": item}}]
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_every_type_comes_back_as_it_went_in(dax, http, things, write):
    key = {"id": {"S": f"types by {write}"}}
    written = everything() | key
    WRITES[write](dax, things, written)
    for read in READS.values():
        assert same(read(dax, things, key), written), read
    # And it is the item that a client of another wire sees.
    assert same(http.get_item(TableName=things, Key=key)["Item"], written)


@pytest.mark.parametrize("read", READS)
def test_what_was_written_over_http_is_read(dax, http, things, read):
    key = {"id": {"S": f"http, {read}"}}
    written = everything() | key
    http.put_item(TableName=things, Item=written)
    assert same(READS[read](dax, things, key), written)


def test_numbers_at_the_ends_of_their_range(dax, http, things):
    for at, number in enumerate(VALUES["extremes"]):
        key = {"id": {"S": f"extreme {at}"}}
        http.put_item(TableName=things, Item=key | {"n": {"N": number}})
        assert same(dax.get_item(TableName=things, Key=key)["Item"], key | {"n": {"N": number}})


@pytest.mark.parametrize("case", cases("projections"), ids=lambda case: case["projection"])
def test_a_projection_takes_just_what_it_names(dax, things, case):
    document = item(cases("document"))
    key = {"id": document["id"]}
    dax.put_item(TableName=things, Item=document)
    how = {"ProjectionExpression": case["projection"]}
    if "names" in case:
        how["ExpressionAttributeNames"] = case["names"]
    wanted = item(case["item"])
    assert same(dax.get_item(TableName=things, Key=key, **how)["Item"], wanted)
    assert same(dax.get_item(TableName=things, Key=key, ConsistentRead=True, **how)["Item"], wanted)
    batch = dax.batch_get_item(RequestItems={things: {"Keys": [key], **how}})
    assert same(batch["Responses"][things][0], wanted)
    transaction = dax.transact_get_items(TransactItems=[{"Get": {"TableName": things, "Key": key, **how}}])
    assert same(transaction["Responses"][0]["Item"], wanted)
    search = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": document["id"]}}
    assert same(dax.query(TableName=things, **search, **how)["Items"][0], wanted)
    search["FilterExpression"] = search.pop("KeyConditionExpression")
    assert same(dax.scan(TableName=things, **search, **how)["Items"][0], wanted)


def test_an_item_of_nearly_400_kb_comes_back_whole(dax, things):
    written = {"id": {"S": "large"}, "text": {"S": "x" * 200_000}, "bytes": {"B": bytes(range(256)) * 780}}
    dax.put_item(TableName=things, Item=written)
    for _ in range(2):
        assert same(dax.get_item(TableName=things, Key={"id": {"S": "large"}})["Item"], written)

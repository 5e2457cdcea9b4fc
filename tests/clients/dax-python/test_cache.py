"""Where answers come from: counted at the node, operation by operation."""

from counters import counter, grows


def hits(cache, operation=None):
    return f"forebay_{cache}_cache_hits_total" + (f'{{operation="{operation}"}}' if operation else "")


def key(name):
    return {"id": {"S": name}}


def put(dax, table, *names):
    for name in names:
        dax.put_item(TableName=table, Item=key(name) | {"n": {"N": "1"}})


def test_get_item(dax, things):
    put(dax, things, "hot")
    with grows(hits("item", "GetItem"), by=10):
        for at in range(10):
            how = {"ProjectionExpression": "n"} if at % 2 else {}
            assert dax.get_item(TableName=things, Key=key("hot"), **how)["Item"]["n"] == {"N": "1"}


def test_an_absence(dax, things):
    dax.get_item(TableName=things, Key=key("nobody"))
    with grows(hits("item", "GetItem"), by=10, pages=1):
        for _ in range(10):
            assert "Item" not in dax.get_item(TableName=things, Key=key("nobody"))
    # And it ends with the first write.
    put(dax, things, "nobody")
    assert "Item" in dax.get_item(TableName=things, Key=key("nobody"))


def test_batch_get_item(dax, things):
    names = [f"batch {at}" for at in range(20)]
    put(dax, things, *names)
    with grows(hits("item", "BatchGetItem"), by=2 * len(names)):
        for _ in range(2):
            answer = dax.batch_get_item(RequestItems={things: {"Keys": [key(name) for name in names]}})
            assert len(answer["Responses"][things]) == len(names)


def test_query(dax, scores):
    how = {"TableName": scores, "KeyConditionExpression": "game = :g", "ExpressionAttributeValues": {":g": {"S": "cached"}}}

    def found(**more):
        return len(dax.query(**how, **more)["Items"])

    for at in range(5):
        dax.put_item(TableName=scores, Item={"game": {"S": "cached"}, "player": {"S": f"p{at}"}, "points": {"N": str(at)}})
        # Its own write is seen by its next query, on the table and on the index.
        assert (found(), found(IndexName="by_points")) == (at + 1, at + 1)
    with grows(hits("query"), by=20, pages=2):
        for _ in range(10):
            assert (found(), found(IndexName="by_points")) == (5, 5)
    dax.delete_item(TableName=scores, Key={"game": {"S": "cached"}, "player": {"S": "p0"}})
    assert (found(), found(IndexName="by_points")) == (4, 4)


def test_scan(dax, http):
    from conftest import make_table

    table = make_table(http, "scanned", {"id": "S"})
    for at in range(5):
        put(dax, table, f"scan {at}")
        assert dax.scan(TableName=table)["Count"] == at + 1
    with grows(hits("scan"), by=10, pages=1):
        for _ in range(10):
            assert dax.scan(TableName=table)["Count"] == 5
    dax.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key("scan 0")}}]})
    assert dax.scan(TableName=table)["Count"] == 4


def test_every_kind_of_write_is_seen_by_the_next_read(dax, things):
    def now():
        return dax.get_item(TableName=things, Key=key("seen")).get("Item", {}).get("n")

    for at in range(3):
        dax.put_item(TableName=things, Item=key("seen") | {"n": {"N": str(at)}})
        assert now() == {"N": str(at)}
        how = {"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "10"}}}
        dax.update_item(TableName=things, Key=key("seen"), **how)
        assert now() == {"N": str(at + 10)}
        dax.transact_write_items(TransactItems=[{"Update": {"TableName": things, "Key": key("seen"), **how}}])
        assert now() == {"N": str(at + 20)}
        dax.batch_write_item(RequestItems={things: [{"DeleteRequest": {"Key": key("seen")}}]})
        assert now() is None


def test_strong_reads_and_transactions_never_come_from_memory(dax, things):
    put(dax, things, "strong")
    before = [counter(hits(cache)) for cache in ("item", "query", "scan")]
    for _ in range(3):
        dax.get_item(TableName=things, Key=key("strong"), ConsistentRead=True)
        dax.batch_get_item(RequestItems={things: {"Keys": [key("strong")], "ConsistentRead": True}})
        dax.transact_get_items(TransactItems=[{"Get": {"TableName": things, "Key": key("strong")}}])
        dax.scan(TableName=things, ConsistentRead=True)
        how = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "strong"}}}
        dax.query(TableName=things, ConsistentRead=True, **how)
    assert [counter(hits(cache)) for cache in ("item", "query", "scan")] == before


def test_what_another_wire_writes_is_seen_too(dax, http, things):
    for at in range(5):
        http.put_item(TableName=things, Item=key("shared") | {"n": {"N": str(at)}})
        assert dax.get_item(TableName=things, Key=key("shared"))["Item"]["n"] == {"N": str(at)}
        dax.put_item(TableName=things, Item=key("shared") | {"n": {"N": str(-at)}})
        assert http.get_item(TableName=things, Key=key("shared"))["Item"]["n"] == {"N": str(-at)}

"""Hash and range keys of every type: each of a key's written forms finds the item, and ranges are in order."""

import itertools

import pytest

from conftest import make_table
from values import cases, value

KEYS = cases("keys")


def forms(kind):
    """The values of that type in ascending order, each in all the ways it is written."""
    return [[value({kind: form}) for form in one] for one in KEYS[kind]["ascending"]]


@pytest.fixture(scope="module")
def table(request, http):
    made = set()

    def of(hash_kind, range_kind=None):
        name = f"keys-{hash_kind}{range_kind or ''}"
        if name not in made:
            made.add(name)
            make_table(http, name, {"pk": hash_kind} | ({"sk": range_kind} if range_kind else {}))
        return name

    return of


@pytest.mark.parametrize("kind", "SNB")
def test_a_hash_key_is_found_by_each_of_its_forms(dax, http, table, kind):
    name = table(kind)
    for at, equal in enumerate(forms(kind)):
        # Written in one form each time, the later replacing the earlier.
        for form in equal:
            dax.put_item(TableName=name, Item={"pk": form, "at": {"N": str(at)}})
        for form in equal:
            assert dax.get_item(TableName=name, Key={"pk": form})["Item"] == {"pk": form, "at": {"N": str(at)}}
            assert http.get_item(TableName=name, Key={"pk": form})["Item"]["at"] == {"N": str(at)}
            found = dax.query(TableName=name, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": form})
            assert [one["at"] for one in found["Items"]] == [{"N": str(at)}]
            batch = dax.batch_get_item(RequestItems={name: {"Keys": [{"pk": form}]}})["Responses"][name]
            assert [one["at"] for one in batch] == [{"N": str(at)}]
    assert dax.scan(TableName=name)["Count"] == len(forms(kind))
    for equal in forms(kind):
        dax.delete_item(TableName=name, Key={"pk": equal[-1]})
    assert dax.scan(TableName=name)["Count"] == 0


@pytest.mark.parametrize("hash_kind, range_kind", itertools.product("SNB", repeat=2))
def test_a_range_is_in_order_and_found_by_each_form(dax, table, hash_kind, range_kind):
    name, ranges = table(hash_kind, range_kind), forms(range_kind)
    hashes = forms(hash_kind)
    partition, other = hashes[1], hashes[-1]
    # Out of order, through every operation that writes.
    for at in range(0, len(ranges), 3):
        dax.put_item(TableName=name, Item={"pk": partition[0], "sk": ranges[at][0], "at": {"N": str(at)}})
    rest = [{"pk": partition[-1], "sk": ranges[at][-1], "at": {"N": str(at)}} for at in range(len(ranges)) if at % 3]
    dax.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": one}} for one in rest[:12]]})
    if rest[12:]:
        dax.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": one}} for one in rest[12:]])
    dax.put_item(TableName=name, Item={"pk": other[0], "sk": ranges[0][0], "at": {"N": "-1"}})

    def query(condition="", backwards=False, **values):
        answer = dax.query(
            TableName=name,
            KeyConditionExpression="pk = :p" + condition,
            ExpressionAttributeValues={":p": partition[-1], **{f":{key}": one for key, one in values.items()}},
            ScanIndexForward=not backwards,
        )
        return [int(one["at"]["N"]) for one in answer["Items"]]

    whole = list(range(len(ranges)))
    assert query() == whole
    assert query(backwards=True) == whole[::-1]
    for at, equal in enumerate(ranges):
        for form in equal:
            key = {"pk": partition[-1], "sk": form}
            assert dax.get_item(TableName=name, Key=key)["Item"] == key | {"at": {"N": str(at)}}
        assert query(" AND sk = :s", s=equal[-1]) == [at]
    low, high = 2, len(ranges) - 3
    assert query(" AND sk < :s", s=ranges[low][-1]) == whole[:low]
    assert query(" AND sk <= :s", s=ranges[low][0]) == whole[: low + 1]
    assert query(" AND sk > :s", s=ranges[high][-1]) == whole[high + 1 :]
    assert query(" AND sk >= :s", s=ranges[high][0]) == whole[high:]
    assert query(" AND sk BETWEEN :a AND :b", a=ranges[low][-1], b=ranges[high][-1]) == whole[low : high + 1]
    if prefix := KEYS[range_kind].get("prefix"):
        found = [ranges[at] for at in query(" AND begins_with(sk, :s)", s=value({range_kind: prefix["of"]}))]
        assert found == [[value({range_kind: one})] for one in prefix["found"]]
    # The range in pages, each beginning where the last ended.
    seen, start = [], {}
    while True:
        page = dax.query(
            TableName=name,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": partition[0]},
            Limit=3,
            **start,
        )
        seen += [int(one["at"]["N"]) for one in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert seen == whole

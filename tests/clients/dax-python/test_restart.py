"""One client object before and after its node was started anew.

What is at stake are the numbers of attribute lists. The client has learned, for this node's address, which number stands for which
attribute names, and never forgets it: a node that did would break that client, or mislabel attributes without a word.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import dax_client, http_client, make_table
from counters import counter
from node import Node
from values import same

TABLE = "things"


@pytest.fixture
def node():
    with Node() as node:
        make_table(http_client(node.http), TABLE, {"id": "S"})
        yield node


def of_shape(names, name):
    """An item with these attributes; what each holds tells its name."""
    return {"id": {"S": name}, **{one: {"S": f"this is {one}"} for one in names}}


SHAPES = [["a"], ["b"], ["a", "b"], ["name", "owner", "value"], ["value"], []]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_the_client_has_learned_stays_true(node, end):
    with dax_client(node.dax) as dax:
        written = [of_shape(names, f"before {at}") for at, names in enumerate(SHAPES)]
        for one in written:
            dax.put_item(TableName=TABLE, Item=one)
        # Half of them are read, so that the client knows those lists in the other direction as well.
        for one in written[::2]:
            assert same(dax.get_item(TableName=TABLE, Key={"id": one["id"]})["Item"], one)
        getattr(node, end)()
        node.start()
        # Others are first to ask for numbers now; none of those the client holds may be among what they get.
        with dax_client(node.dax) as other:
            for at in range(5):
                other.put_item(TableName=TABLE, Item=of_shape([f"new{at}"], f"other {at}"))
            for one in written:
                assert same(dax.get_item(TableName=TABLE, Key={"id": one["id"]})["Item"], one)
                again = one | {"id": {"S": "again " + one["id"]["S"]}}
                dax.put_item(TableName=TABLE, Item=again)
                for reader in (dax, other, http_client(node.http)):
                    assert same(reader.get_item(TableName=TABLE, Key={"id": again["id"]})["Item"], again)


def test_requests_go_on_after_one_kill_after_another(node):
    with dax_client(node.dax) as dax:
        for round in range(5):
            written = of_shape(["a", f"round{round}"], f"round {round}")
            dax.put_item(TableName=TABLE, Item=written)
            node.kill()
            node.start()
            # The client sees the end of its connections, and tries again by itself.
            assert same(dax.get_item(TableName=TABLE, Key={"id": written["id"]})["Item"], written)
            assert dax.scan(TableName=TABLE, ConsistentRead=True)["Count"] == round + 1


def test_a_graceful_stop_loses_no_request_that_was_taken(node):
    def write(at):
        with dax_client(node.dax) as dax:
            acknowledged = 0
            while True:
                item = {"id": {"S": f"{at}"}, "n": {"N": f"{acknowledged + 1}"}}
                try:
                    dax.put_item(TableName=TABLE, Item=item)
                except Exception:  # pylint: disable=broad-except
                    return acknowledged
                acknowledged += 1

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, at) for at in range(4)]
        while counter('forebay_total_request_count_total{operation="PutItem"}', node.admin) < 200:
            pass
        node.stop()
        acknowledged = [writer.result() for writer in writers]
    node.start()
    with dax_client(node.dax) as dax:
        for at, count in enumerate(acknowledged):
            found = dax.get_item(TableName=TABLE, Key={"id": {"S": f"{at}"}})["Item"]
            # A write that was under way may have happened unacknowledged.
            assert int(found["n"]["N"]) in (count, count + 1)

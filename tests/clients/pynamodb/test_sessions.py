"""A session store on PynamoDB models: what a web application keeps beside its users."""

import os
from datetime import datetime, timezone

import pytest
from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

from counters import grows

HOST = os.environ["FOREBAY_ENDPOINT"]


class ByUser(GlobalSecondaryIndex):
    class Meta:
        index_name = "by_user"
        projection = AllProjection()

    user = UnicodeAttribute(hash_key=True)
    started = UTCDateTimeAttribute(range_key=True)


class Device(MapAttribute):
    name = UnicodeAttribute()
    mobile = BooleanAttribute(default=False)


class Session(Model):
    class Meta:
        table_name = "sessions"
        host = HOST
        region = "us-east-1"
        billing_mode = "PAY_PER_REQUEST"

    token = UnicodeAttribute(hash_key=True)
    user = UnicodeAttribute()
    started = UTCDateTimeAttribute()
    hits = NumberAttribute(default=0)
    roles = UnicodeSetAttribute(null=True)
    device = Device(null=True)
    trail = ListAttribute(default=list)
    extra = JSONAttribute(null=True)
    version = VersionAttribute()
    by_user = ByUser()


@pytest.fixture(scope="module", autouse=True)
def table():
    Session.create_table(wait=True)
    yield
    Session.delete_table()


def session(token, user="eva", second=0):
    return Session(
        token,
        user=user,
        started=datetime(2026, 1, 1, 0, 0, second, tzinfo=timezone.utc),
        roles={"admin", "staff"},
        device=Device(name="phone", mobile=True),
        extra={"theme": "dark", "n": [1, 2]},
    )


def test_a_model_comes_back_whole():
    session("t1").save()
    found = Session.get("t1")
    assert found.roles == {"admin", "staff"} and found.device.mobile and found.extra["n"] == [1, 2]
    with grows("forebay_item_cache_hits_total", by=5):
        for _ in range(6):
            assert Session.get("t1").user == "eva"
    with pytest.raises(DoesNotExist):
        Session.get("nobody")


def test_an_update_returns_the_new_model():
    one = session("t2")
    one.save()
    one.update(actions=[Session.hits.add(1), Session.trail.set(Session.trail.append(["/home"])), Session.roles.delete({"staff"})])
    assert (one.hits, one.trail, one.roles) == (1, ["/home"], {"admin"})
    assert Session.get("t2").hits == 1


def test_a_stale_version_is_refused():
    session("t3").save()
    first, second = Session.get("t3"), Session.get("t3")
    first.hits = 5
    first.save()
    second.hits = 6
    with pytest.raises(PutError):
        second.save()
    assert Session.get("t3").hits == 5
    with pytest.raises(DeleteError):
        second.delete()


def test_an_index_is_queried_in_order_right_after_writes():
    for n in range(12):
        session(f"u{n}", user="adam", second=n).save()
        assert Session.by_user.count("adam") == n + 1
    newest = list(Session.by_user.query("adam", scan_index_forward=False, limit=3))
    assert [s.token for s in newest] == ["u11", "u10", "u9"]
    since = datetime(2026, 1, 1, 0, 0, 8, tzinfo=timezone.utc)
    assert [s.token for s in Session.by_user.query("adam", Session.started >= since)] == ["u8", "u9", "u10", "u11"]


def test_batches_and_scans():
    with Session.batch_write() as batch:
        for n in range(40):
            batch.save(session(f"b{n:02}", user="batch"))
    found = list(Session.batch_get([f"b{n:02}" for n in range(40)] + ["missing"]))
    assert len(found) == 40
    assert len(list(Session.scan(Session.user == "batch", page_size=7))) == 40
    with Session.batch_write() as batch:
        for one in found[:20]:
            batch.delete(one)
    assert len(list(Session.scan((Session.user == "batch") & Session.roles.contains("admin")))) == 20


def test_transactions():
    connection = Connection(host=HOST, region="us-east-1")
    session("x1").save()
    with pytest.raises(TransactWriteError) as cancelled:
        with TransactWrite(connection=connection) as transaction:
            transaction.save(session("x2"), condition=Session.token.does_not_exist())
            transaction.condition_check(Session, "x1", condition=Session.user == "somebody else")
    assert [reason and reason.code for reason in cancelled.value.cancellation_reasons] == ["ConditionalCheckFailed", None]  # PynamoDB sends checks before puts
    with TransactGet(connection=connection) as transaction:
        one, two = transaction.get(Session, "x1"), transaction.get(Session, "x2")
    assert one.get().user == "eva"
    with pytest.raises(DoesNotExist):
        two.get()

"""Stubs on a node, and short ways to say values and keys."""

import os
import time

import dynamodb_pb2 as pb
import dynamodb_pb2_grpc as stubs
import grpc
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status

PATIENCE_SECONDS = 10


def address(url):
    """What gRPC calls an endpoint that a node printed."""
    return url.removeprefix("grpcs://").removeprefix("grpc://")


def addresses():
    """The nodes that are shared by all tests, parted by commas."""
    return address(os.environ["FOREBAY_GRPC"])


@pytest.fixture(scope="session")
def channel():
    # Each call goes to the next of the nodes. Without an authority the client would send the whole list as one, with its commas
    # escaped, which HTTP/2 servers refuse.
    options = [("grpc.lb_policy_name", "round_robin"), ("grpc.default_authority", "forebay")]
    with grpc.insecure_channel(f"ipv4:{addresses()}", options=options) as channel:
        yield channel


@pytest.fixture(scope="session")
def db(channel):
    return stubs.DynamoDbStub(channel)


def s(text):
    return pb.AttributeValue(s=text)


def n(number):
    return pb.AttributeValue(n=str(number))


def item(**attributes):
    return pb.Item(attributes=attributes)


def make_table(db, name, sort=None):
    """A table with the string `pk` and perhaps a sort key, a number."""
    keys = [pb.KeySchemaElement(attribute_name="pk", key_type="HASH")]
    attributes = [pb.AttributeDefinition(attribute_name="pk", attribute_type="S")]
    if sort:
        keys.append(pb.KeySchemaElement(attribute_name=sort, key_type="RANGE"))
        attributes.append(pb.AttributeDefinition(attribute_name=sort, attribute_type="N"))
    db.CreateTable(
        pb.CreateTableInput(table_name=name, key_schema=keys, attribute_definitions=attributes, billing_mode="PAY_PER_REQUEST")
    )
    while db.DescribeTable(pb.DescribeTableInput(table_name=name)).table.table_status != "ACTIVE":
        time.sleep(0.01)
    return name


@pytest.fixture(scope="session")
def orders(db):
    return make_table(db, "orders", sort="sk")


def refused(call, *arguments, **more):
    """The error a call ends with."""
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, timeout=PATIENCE_SECONDS, **more)
    return raised.value


def details(error):
    """What a node says of an error in its details."""
    status = rpc_status.from_call(error)
    assert isinstance(status, status_pb2.Status) and status.code == error.code().value[0]
    (any_detail,) = status.details
    detail = pb.Error()
    assert any_detail.Unpack(detail)
    return detail

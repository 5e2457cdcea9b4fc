"""The clients, and tables for them: a DAX client can't make tables, so these are made over HTTP."""

import os

import boto3
import botocore.session
import pytest
from amazondax import AmazonDaxClient
from botocore.config import Config

KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: counts the connections of its own client, while there is no other of DAX")


def pytest_collection_modifyitems(items):
    # The client that the others share lives to the end of the run, and looks after its connections whenever it likes.
    items.sort(key=lambda item: item.get_closest_marker("alone") is None)


def dax_client(endpoint, **how):
    """A DAX client of an endpoint."""
    how = {"config": Config(connect_timeout=5, read_timeout=10), **KEYS, **how}
    return AmazonDaxClient(botocore.session.get_session(), region_name="us-east-1", endpoint_url=endpoint, **how)


def http_client(endpoint, **how):
    """A client of the API over HTTP."""
    config = Config(retries={"max_attempts": 2}, connect_timeout=3, read_timeout=10)
    return boto3.client("dynamodb", endpoint_url=endpoint, config=config, **{**KEYS, **how})


def make_table(http, name, keys, **more):
    """A table with keys such as `{"pk": "S", "sk": "N"}`; further attributes that indexes need go into `attributes`."""
    attributes = {**keys, **more.pop("attributes", {})}
    http.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": how} for key, how in zip(keys, ("HASH", "RANGE"))],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        **more,
    )
    http.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    return name


def index(name, hash_key, range_key, projection="ALL", **more):
    """An index's definition."""
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": projection, **more},
    }


@pytest.fixture(scope="session")
def http():
    return http_client(os.environ["FOREBAY_ENDPOINT"])


@pytest.fixture(scope="session")
def dax():
    with dax_client(os.environ["FOREBAY_DAX"]) as client:
        yield client


@pytest.fixture(scope="session")
def things(http):
    """A table with the string `id` as its only key."""
    return make_table(http, "things", {"id": "S"})


def make_scores(http, name):
    """A table with a range key, a local and two global indexes."""
    return make_table(
        http,
        name,
        {"game": "S", "player": "S"},
        attributes={"points": "N", "country": "S"},
        LocalSecondaryIndexes=[index("by_points", "game", "points")],
        GlobalSecondaryIndexes=[
            index("by_country", "country", "points"),
            index("names", "country", "player", "INCLUDE", NonKeyAttributes=["title"]),
        ],
    )


@pytest.fixture(scope="session")
def scores(http):
    return make_scores(http, "scores")

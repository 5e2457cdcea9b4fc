"""A client of three local nodes, run where they can be reached: `client.py SECRETS WHAT HTTP_ENDPOINT…`.

`write FILE FIRST`: items numbered from FIRST on, one after the other, each to the next endpoint, until FILE is there (at most 120 s), and some more.
A write that fails is tried again elsewhere. Prints a line once the first was acknowledged; in the end how many were, and the longest that one took.
`read COUNT`: every endpoint must have all items below COUNT: at once where it is read strongly, by itself within 10 s where it is read eventually.
`table`: makes the table."""

import json
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LONGEST_SECONDS = 120
# Writes after FILE is there: whatever was done to the nodes meanwhile, they take writes in the end.
AFTERWARDS = 20
# One try, so that the time and the node are ours to say.
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=3)


def connect(secrets, endpoint):
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(secrets, "credentials")
    # Asked for by name, the file comes before the keys in the environment, which are another node's.
    session = boto3.Session(profile_name="default", region_name="us-east-1")
    return session.client("dynamodb", endpoint_url=endpoint, config=ONCE)


def table(nodes):
    nodes[0].create_table(
        TableName="notes", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    for node in nodes:
        node.get_waiter("table_exists").wait(TableName="notes", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return {}


def write(nodes, stop, first):
    until = time.monotonic() + LONGEST_SECONDS
    written, failed, longest, turn, left = 0, 0, 0.0, 0, AFTERWARDS
    while left > 0:
        began = time.monotonic()
        while True:
            turn += 1
            try:
                nodes[turn % len(nodes)].put_item(TableName="notes", Item={"k": {"S": str(int(first) + written)}})
                break
            except (BotoCoreError, ClientError) as error:
                failed += 1
                if time.monotonic() >= until:
                    raise error
                time.sleep(0.02)
        if written == 0:
            print("writing", flush=True)
        written += 1
        longest = max(longest, time.monotonic() - began)
        if os.path.exists(stop) or time.monotonic() >= until:
            left -= 1
        time.sleep(0.002)
    return {"written": written, "failed": failed, "longest_seconds": round(longest, 3)}


def missing(node, count, strongly):
    pages = node.get_paginator("scan").paginate(TableName="notes", ConsistentRead=strongly)
    found = {int(item["k"]["S"]) for page in pages for item in page["Items"]}
    return sorted(set(range(count)) - found)


def read(nodes, count):
    count = int(count)
    strongly = [missing(node, count, True) for node in nodes]
    # A node may be as far behind as its `max_replica_lag`.
    until = time.monotonic() + 10
    while any(by_itself := [missing(node, count, False) for node in nodes]) and time.monotonic() < until:
        time.sleep(0.2)
    return {"missing": [number for one in strongly + by_itself for number in one]}


if __name__ == "__main__":
    secrets, what, *rest = sys.argv[1:]
    arguments = [one for one in rest if not one.startswith("http://")]
    nodes = [connect(secrets, one) for one in rest if one.startswith("http://")]
    print(json.dumps({"table": table, "write": write, "read": read}[what](nodes, *arguments)))

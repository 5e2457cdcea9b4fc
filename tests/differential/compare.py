"""Runs the same random sequences against two DynamoDB endpoints and compares answers and error names."""

import argparse
import decimal
import http.client
import json
import random
import sys
import time
import urllib.parse

import exceptions
from generate import Generator, Schema

REQUESTS = 60
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


class Endpoint:
    """One connection that speaks AWS JSON 1.0."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=20)

    def call(self, operation, request):
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": AUTHORIZATION,
        }
        self.connection.request("POST", "/", json.dumps(request), headers)
        answer = self.connection.getresponse()
        body = json.loads(answer.read() or b"{}")
        if answer.status != 200:
            body = {"error": body.get("__type", "").rsplit("#", 1)[-1], **body}
        return answer.status, body


def canonical(value):
    """An attribute value in a form that compares equal whenever DynamoDB calls two values equal."""
    (kind, content), = value.items()
    if kind == "N":
        return kind, str(decimal.Decimal(content).normalize(decimal.Context(prec=60)))
    if kind == "NS":
        return kind, sorted(str(decimal.Decimal(n).normalize(decimal.Context(prec=60))) for n in content)
    if kind in ("SS", "BS"):
        return kind, sorted(content)
    if kind == "L":
        return kind, [canonical(one) for one in content]
    if kind == "M":
        return kind, sorted((name, canonical(one)) for name, one in content.items())
    return kind, content


def item(attributes):
    return sorted((name, canonical(value)) for name, value in (attributes or {}).items())


def unordered(rows):
    return sorted(rows, key=repr)


def answer(operation, status, body):
    """What is compared of an answer."""
    if status != 200:
        compared = {"error": body["error"]}
        if "CancellationReasons" in body:
            compared["reasons"] = [(why.get("Code"), item(why.get("Item"))) for why in body["CancellationReasons"]]
        if "Item" in body:
            compared["item"] = item(body["Item"])
        return compared
    if operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem"):
        return {name: item(body[name]) for name in ("Item", "Attributes") if name in body}
    if operation == "BatchGetItem":
        return {
            "responses": {table: unordered(map(item, rows)) for table, rows in body["Responses"].items()},
            "unprocessed": body["UnprocessedKeys"],
        }
    if operation == "TransactGetItems":
        return [item(one.get("Item")) for one in body["Responses"]]
    if operation in ("BatchWriteItem", "TransactWriteItems"):
        return {name: value for name, value in body.items() if name == "UnprocessedItems"}
    return body


def pages(endpoint, operation, request, order):
    """Query and Scan, walked to their end: order of equal sort keys and of partitions is each store's own."""
    request, rows, count, scanned = dict(request), [], 0, 0
    for _ in range(200):
        status, body = endpoint.call(operation, request)
        if status != 200:
            return answer(operation, status, body)
        count, scanned = count + body["Count"], scanned + body["ScannedCount"]
        rows += body.get("Items", [])
        if "LastEvaluatedKey" not in body:
            break
        request["ExclusiveStartKey"] = body["LastEvaluatedKey"]
    else:
        return {"error": "a page that never ends"}
    compared = {"count": count, "scanned": scanned, "items": unordered(map(item, rows))}
    if operation == "Query" and order and all(order in row for row in rows):
        compared["order"] = [canonical(row[order]) for row in rows]
    return compared


def wait_active(endpoint, table):
    for _ in range(400):
        status, body = endpoint.call("DescribeTable", {"TableName": table})
        if status == 200 and body["Table"]["TableStatus"] == "ACTIVE":
            return
        time.sleep(0.01)
    raise SystemExit(f"{table} does not become active")


def sequence(ours, peer, seed, tally):
    """One seed: its tables, its requests, and what differs."""
    rng = random.Random(seed)
    schemas = [Schema(rng, f"diff-{seed}-{n}") for n in range(2)]
    generator, differing = Generator(rng, schemas), []
    for schema in schemas:
        for endpoint in (ours, peer):
            status, body = endpoint.call("CreateTable", schema.create())
            if status != 200:
                raise SystemExit(f"seed {seed}: CreateTable {schema.create()} is answered {body}")
            wait_active(endpoint, schema.name)
    for step in range(REQUESTS):
        operation, request = generator.request()
        if operation in ("Query", "Scan"):
            schema = next((s for s in schemas if s.name == request.get("TableName")), schemas[0])
            names = schema.indexes.get(request.get("IndexName"), (None, schema.key))[1]
            order = names[1] if len(names) == 2 else None
            both = [pages(endpoint, operation, request, order) for endpoint in (ours, peer)]
        else:
            both = [answer(operation, *endpoint.call(operation, request)) for endpoint in (ours, peer)]
        tally["comparisons"] += 1
        if both[0] != both[1]:
            known = exceptions.known(operation, request, *both)
            if known:
                tally["exceptions"][known] = tally["exceptions"].get(known, 0) + 1
                continue
            differing.append((step, operation, request, *both))
    for schema in schemas:
        # Whatever the answers were, both must have come to hold the same items.
        held = [pages(endpoint, "Scan", {"TableName": schema.name, "ConsistentRead": True}, None) for endpoint in (ours, peer)]
        tally["comparisons"] += 1
        if held[0] != held[1]:
            differing.append(("end", "Scan", {"TableName": schema.name}, *held))
        for endpoint in (ours, peer):
            endpoint.call("DeleteTable", {"TableName": schema.name})
    return differing


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("ours")
    arguments.add_argument("peer")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--sequences", type=int, default=60)
    arguments = arguments.parse_args()
    ours, peer = Endpoint(arguments.ours), Endpoint(arguments.peer)
    tally, failed = {"comparisons": 0, "exceptions": {}}, 0
    for seed in range(arguments.seed, arguments.seed + arguments.sequences):
        differing = sequence(ours, peer, seed, tally)
        failed += bool(differing)
        for step, operation, request, one, other in differing[:3]:
            print(f"seed {seed} step {step}: {operation} {json.dumps(request)}\n  Forebay        {one}\n  DynamoDB Local {other}")
    print(f"{arguments.sequences} sequences, {tally['comparisons']} comparisons")
    for name, times in sorted(tally["exceptions"].items()):
        print(f"exception {name}: {times} times")
    print(f"{arguments.sequences - failed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()

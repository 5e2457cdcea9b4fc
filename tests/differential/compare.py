"""Runs the same random sequences against two DynamoDB endpoints and compares answers and error names."""

import argparse
import decimal
import http.client
import json
import random
import sys
import time
import urllib.parse

import control
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
    if operation in ("CreateTable", "DescribeTable"):
        return description(body.get("TableDescription") or body["Table"])
    if operation in ("UpdateTable", "DeleteTable"):
        # States on the way are each store's own. What it comes to is compared afterwards.
        return body["TableDescription"]["TableName"]
    return body


def description(table):
    """What two stores must agree on of a table that is not being changed."""

    def units(of):
        return [of.get("ProvisionedThroughput", {}).get(f"{kind}CapacityUnits", 0) for kind in ("Read", "Write")]

    def index(one):
        projection = one["Projection"]
        kept = sorted(projection.get("NonKeyAttributes", []))
        return one["IndexName"], one["KeySchema"], projection["ProjectionType"], kept, units(one), one.get("ItemCount", 0)

    return {
        "name": table["TableName"],
        "key": table["KeySchema"],
        "attributes": unordered((one["AttributeName"], one["AttributeType"]) for one in table["AttributeDefinitions"]),
        "billing": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "units": units(table),
        "items": table["ItemCount"],
        "protected": table.get("DeletionProtectionEnabled", False),
        "local": unordered(map(index, table.get("LocalSecondaryIndexes", []))),
        "global": unordered(map(index, table.get("GlobalSecondaryIndexes", []))),
    }


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


def listed(endpoint, request):
    """ListTables, walked to its end: the names of each page."""
    request, names = dict(request), []
    for _ in range(200):
        status, body = endpoint.call("ListTables", request)
        if status != 200:
            return answer("ListTables", status, body)
        names.append(body["TableNames"])
        if "LastEvaluatedTableName" not in body:
            # Whether a last full page is followed by an empty one is each store's own.
            return [page for page in names if page]
        request["ExclusiveStartTableName"] = body["LastEvaluatedTableName"]
    return {"error": "a list that never ends"}


def settled(endpoint, table):
    """The description of a table once nothing is changing about it; None where there is no such table."""
    for _ in range(4000):
        status, body = endpoint.call("DescribeTable", {"TableName": table})
        if status >= 500:
            # DynamoDB Local sometimes breaks down while it fills an index.
            time.sleep(0.005)
            continue
        if status != 200:
            return None
        states = [one["IndexStatus"] for one in body["Table"].get("GlobalSecondaryIndexes", [])]
        if {body["Table"]["TableStatus"], *states} == {"ACTIVE"}:
            return body["Table"]
        time.sleep(0.005)
    raise SystemExit(f"{table} does not come to rest")


def clear(endpoint):
    """Drops every table there is."""
    for name in [name for page in listed(endpoint, {}) for name in page]:
        drop(endpoint, name)


def drop(endpoint, name):
    """Sees to it that there is no such table."""
    table = settled(endpoint, name)
    if table and table.get("DeletionProtectionEnabled"):
        endpoint.call("UpdateTable", {"TableName": name, "DeletionProtectionEnabled": False})
    endpoint.call("DeleteTable", {"TableName": name})
    settled(endpoint, name)


class Sequence:
    """One seed: its tables, its requests, and what differs."""

    def __init__(self, ours, peer, seed, tally):
        self.both, self.tally, self.differing = (ours, peer), tally, []
        self.rng = rng = random.Random(seed)
        self.tables = {}
        for schema in [Schema(rng, f"diff-{seed}-{n}") for n in range(2)]:
            self.made(schema)
        # These come and go.
        self.own = [f"diff-{seed}-{n}" for n in "xy"]
        self.generator = Generator(rng, self.tables, control.Control(rng, self.own, Schema))

    def made(self, schema):
        for endpoint in self.both:
            status, body = endpoint.call("CreateTable", control.create(schema))
            if status != 200:
                raise SystemExit(f"CreateTable {control.create(schema)} is answered {body}")
            settled(endpoint, schema.name)
        self.tables[schema.name] = schema

    def run(self):
        for step in range(REQUESTS):
            operation, request = self.generator.request()
            asked = [self.ask(endpoint, operation, request) for endpoint in self.both]
            same = self.compare(step, operation, request, *asked)
            if operation in ("CreateTable", "UpdateTable", "DeleteTable"):
                self.settle(step, operation, request, same)
        for name in self.tables:
            # Whatever the answers were, both must have come to hold the same items.
            whole = {"TableName": name, "ConsistentRead": True}
            self.compare("end", "Scan", whole, *(pages(endpoint, "Scan", whole, None) for endpoint in self.both))
        for endpoint in self.both:
            clear(endpoint)
        return self.differing

    def ask(self, endpoint, operation, request):
        if operation == "ListTables":
            return listed(endpoint, request)
        if operation not in ("Query", "Scan"):
            return answer(operation, *endpoint.call(operation, request))
        schema = self.tables.get(request.get("TableName"), self.generator.schemas[0])
        names = schema.indexes.get(request.get("IndexName"), (None, schema.key))[1]
        return pages(endpoint, operation, request, names[1] if len(names) == 2 else None)

    def compare(self, step, operation, request, one, other):
        """Whether both answered alike."""
        self.tally["comparisons"] += 1
        if one == other:
            return True
        known = exceptions.known(operation, request, one, other, self.tables)
        if known:
            self.tally["exceptions"][known] = self.tally["exceptions"].get(known, 0) + 1
        else:
            self.differing.append((step, operation, request, one, other))
        return False

    def settle(self, step, operation, request, same):
        """Both have done, or not done, the same to the table that was named. Where they have not, it is dropped, and made anew if it is
        one of those that are always there."""
        name = request.get("TableName", "")
        found = [settled(endpoint, name) for endpoint in self.both]
        told = [one and description(one) for one in found]
        # What follows from different answers is no difference of its own.
        alike = told[0] == told[1] if not same else self.compare(step, operation, request, *told)
        if not alike:
            for endpoint in self.both:
                drop(endpoint, name)
        if alike and found[0]:
            self.tables[name] = Schema.described(found[0])
        elif self.tables.pop(name, None) and name not in self.own:
            self.made(Schema(self.rng, name))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("ours")
    arguments.add_argument("peer")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--sequences", type=int, default=60)
    arguments = arguments.parse_args()
    ours, peer = Endpoint(arguments.ours), Endpoint(arguments.peer)
    for endpoint in (ours, peer):
        clear(endpoint)
    tally, failed = {"comparisons": 0, "exceptions": {}}, 0
    for seed in range(arguments.seed, arguments.seed + arguments.sequences):
        differing = Sequence(ours, peer, seed, tally).run()
        failed += bool(differing)
        for step, operation, request, one, other in differing[:3]:
            print(f"FAILED seed {seed} step {step}: {operation} {json.dumps(request)}\n  Forebay        {one}\n  DynamoDB Local {other}")
    print(f"{arguments.sequences} sequences, {tally['comparisons']} comparisons")
    for name, times in sorted(tally["exceptions"].items()):
        print(f"exception {name}: {times} times")
    print(f"{arguments.sequences - failed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()

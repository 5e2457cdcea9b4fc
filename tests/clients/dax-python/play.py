"""Asks a DAX cluster what standard input says, a request a line, and answers a line each.

    {"operation": "GetItem", "input": {...}}  ->  {"output": {...}} or {"error": {"__type": ..., "message": ...}}

Nothing is tried twice, so that one line is one operation. The first line out is `ready`.
"""

import json
import os
import sys

from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import dax_client

OPERATIONS = {
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
    "DeleteItem": "delete_item",
    "GetItem": "get_item",
    "PutItem": "put_item",
    "Query": "query",
    "Scan": "scan",
    "TransactGetItems": "transact_get_items",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
}


def ask(client, asked):
    try:
        answer = getattr(client, OPERATIONS[asked["operation"]])(**asked["input"])
    except ClientError as error:
        told = error.response["Error"]
        body = {"__type": told.get("Code") or type(error).__name__, "message": told.get("Message", "")}
        # The client has them flat: code, message and item of each.
        flat = getattr(error, "cancellation_reasons", None) or []
        if flat:
            pairs = zip(flat[0::3], flat[1::3])
            body["CancellationReasons"] = [{"Code": code or "None", "Message": text or ""} for code, text in pairs]
        return {"error": body}
    except Exception as error:  # whatever a client meets when a node is away
        return {"error": {"__type": type(error).__name__, "message": str(error)}}
    return {"output": {name: value for name, value in answer.items() if name != "ResponseMetadata"}}


def main():
    config = Config(retries={"max_attempts": 0}, connect_timeout=1, read_timeout=3)
    with dax_client(os.environ["FOREBAY_DAX"], config=config) as client:
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(ask(client, json.loads(line))), flush=True)


main()

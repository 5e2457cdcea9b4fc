"""The README's first snippet, as it is pasted."""

import os
import subprocess
import sys

import boto3
import pytest

from snippet import snippet


@pytest.mark.skipif(os.environ["FOREBAY_ADMIN"] == "none", reason="it shows Forebay's own metrics")
def test_the_snippet_shows_a_hit():
    db = boto3.client("dynamodb", endpoint_url=os.environ["FOREBAY_ENDPOINT"])
    if "coupons" in db.list_tables()["TableNames"]:
        db.delete_table(TableName="coupons")
        db.get_waiter("table_not_exists").wait(TableName="coupons", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    # Twice: whoever tries a second time finds the table there.
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", snippet("python")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        *items, hits = done.stdout.splitlines()
        assert items == ["{'code': 'SUN', 'percent': Decimal('15')}"] * 3
        name, _, count = hits.partition(" ")
        assert name == 'forebay_item_cache_hits_total{operation="GetItem"}' and int(count) >= 3, hits

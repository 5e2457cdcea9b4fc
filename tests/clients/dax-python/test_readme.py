"""The README's snippet for DAX, as it is pasted."""

import subprocess
import sys

from conftest import make_table
from snippet import snippet


def test_the_snippet_prints_the_item(http):
    make_table(http, "coupons", {"code": "S"})
    http.put_item(TableName="coupons", Item={"code": {"S": "SUN"}, "percent": {"N": "15"}})
    done = subprocess.run([sys.executable, "-c", snippet("python", "dax://127.0.0.1:8111")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "{'code': {'S': 'SUN'}, 'percent': {'N': '15'}}\n"), done.stderr

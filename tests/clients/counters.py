"""What Forebay's admin port counted, for flows that assert where an answer came from."""

import os
import urllib.request

# How many nodes stand behind the endpoints.
NODES = int(os.environ.get("FOREBAY_NODES", "1"))


def counter(name, admin=None):
    """Sum of a counter over its labels, or of those written behind its name; None where the endpoint is no Forebay."""
    admin = admin or os.environ["FOREBAY_ADMIN"]
    if admin == "none":
        return None
    text = urllib.request.urlopen(admin + "/metrics", timeout=5).read().decode()
    rows = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
    assert rows, f"{name} is not among the metrics"
    return sum(float(line.rsplit(" ", 1)[1]) for line in rows)


class grows:
    """Asserts that a counter grew by at least `by` inside the block. Of so many `pages` among what is read there (an absence is one,
    since nobody wrote it), each node behind the endpoint but the one that was asked before has its own first read: memory is each
    node's own, and only what is written is in all of them."""

    def __init__(self, name, by=1, pages=0):
        self.name, self.by = name, by - pages * (NODES - 1)

    def __enter__(self):
        self.before = counter(self.name)

    def __exit__(self, kind, error, trace):
        if kind is None and self.before is not None:
            after = counter(self.name)
            assert after - self.before >= self.by, f"{self.name} grew by {after - self.before}, not by {self.by}"

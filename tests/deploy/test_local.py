"""Three processes on one machine, by deploy/local/three-nodes.sh: what the charts do on three. On three loopback addresses, and in network
namespaces, where a zone can be cut off."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ASKED_AGAIN_SECONDS, DEPLOY, FOREBAY, as_root, call, effective, notice

SCRIPT = DEPLOY / "local/three-nodes.sh"
CLIENT = Path(__file__).with_name("client.py")
# Enough for a rolling restart of three nodes beside a busy machine.
PATIENCE_SECONDS = 180


class Set:
    """Three nodes, and clients where they can be reached."""

    def __init__(self, folder, isolated):
        # Numbers of their own, so that neither a node of somebody else nor another run is met.
        self.network = f"{'10' if isolated else '127'}.{random.randint(64, 127)}.{random.randint(1, 254)}"
        self.folder, self.isolated = folder, isolated
        # Items below this number were acknowledged.
        self.written = 0
        self.environment = dict(os.environ, FOREBAY_LOCAL=str(folder / "set"), FOREBAY_NETWORK=self.network)
        if isolated:
            self.environment["FOREBAY_NETNS"] = "1"

    def words(self, *words):
        command = [SCRIPT, *words]
        if not self.isolated:
            return command
        kept = [f"{name}={value}" for name, value in self.environment.items() if name.startswith("FOREBAY_")]
        return as_root("env", *kept, *command)

    def do(self, *words):
        return call(*self.words(*words), env=self.environment)

    def endpoint(self, node):
        return f"http://{self.network}.{'abc'.index(node) + 1}:8000"

    def client(self, *words, nodes="abc"):
        command = ["run", sys.executable, CLIENT, self.folder / "set/secrets", *words, *map(self.endpoint, nodes)]
        command = [str(word) for word in self.words(*command)]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def outcome(self, client):
        out, err = client.communicate(timeout=PATIENCE_SECONDS)
        assert client.returncode == 0, f"{err}\n{self.logs()}"
        return json.loads(out)

    def while_writing(self, *steps, nodes="abc"):
        """Has the script do these steps while a client writes through `nodes`, which then have all that was ever acknowledged."""
        stop = self.folder / "stop"
        stop.unlink(missing_ok=True)
        client = self.client("write", stop, str(self.written), nodes=nodes)
        # Not before its first write was acknowledged; if it ends without, its outcome says why.
        client.stdout.readline()
        try:
            for step in steps:
                self.do(*step)
        finally:
            stop.touch()
            outcome = self.outcome(client)
        print(self.network, steps, outcome)
        self.written += outcome["written"]
        self.has_all(nodes)

    def has_all(self, nodes="abc"):
        assert self.outcome(self.client("read", str(self.written), nodes=nodes)) == {"missing": []}

    def logs(self):
        return "\n".join(f"{log}:\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("set/*/log")))


@pytest.fixture(params=["loopback", "namespaces"])
def nodes(request, tmp_path):
    made = Set(tmp_path, request.param == "namespaces")
    try:
        made.do("up", FOREBAY)
        made.outcome(made.client("table"))
        yield made
    finally:
        made.do("clean")


def test_a_set_is_restarted_and_repaired_while_it_is_written_to(nodes, tmp_path):
    settings = effective(tmp_path, (nodes.folder / "set/a/forebay.toml").read_text())
    assert notice(settings) >= ASKED_AGAIN_SECONDS
    nodes.while_writing(["restart"])
    # One of them is the primary when its turn comes.
    nodes.while_writing(*([what, node] for node in "abc" for what in ("kill", "start")))
    nodes.while_writing(["replace", "b"])
    if nodes.isolated:
        for node in "abc":
            nodes.while_writing(["cut", node], nodes="abc".replace(node, ""))
            nodes.do("heal", node)
            nodes.do("wait")
            nodes.has_all()


def test_all_may_stop_at_once(nodes):
    nodes.while_writing(["down"], ["up"])

"""What the tests of deploy/ share: the tools they ask, and the binary that has the last word on settings."""

import os
import subprocess
from pathlib import Path

import pytest
import tomli
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FOREBAY = os.environ["FOREBAY_BIN"]
# A tool that has not answered by then never will.
PATIENCE_SECONDS = 120
# Within it a DAX client has asked again who is there: the one for Python asks every 4 s.
ASKED_AGAIN_SECONDS = 5
# A node that is told to stop hands leadership over beside its notice, and takes no longer for it than that.
HAND_OVER_SECONDS = 5


def call(*command, good=True, **options):
    """Runs a command; what it prints on both streams is in a failure's message."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, **options)
    assert (done.returncode == 0) == good, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def as_root(*command):
    """The command as root, whoever asks."""
    return [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *command]


def effective(folder, text, overrides=()):
    """What the binary makes of settings: it refuses what it does not know and what does not fit.

    The files they name lie on other machines. It says so behind the settings, and only where these are right."""
    path = Path(folder) / "forebay.toml"
    path.write_text(text)
    words = [word for override in overrides for word in ("--set", override)]
    command = [FOREBAY, "node", "--config", str(path), "--print-config", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    accepted = done.returncode == 0 or (done.returncode == 64 and "the settings are well-formed" in done.stderr)
    assert accepted, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return tomli.loads(done.stdout)


def overrides(arguments, environment=None):
    """The `--set=…` among a container's arguments, with `$(NAME)` filled in as Kubernetes does it."""
    found = []
    for argument in arguments:
        for name, value in (environment or {}).items():
            argument = argument.replace(f"$({name})", value)
        if argument.startswith("--set="):
            found.append(argument.removeprefix("--set="))
    return found


def seconds(duration):
    """A duration as settings and Compose files have it: 90s, 2m."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = duration.lstrip("0123456789")
    return int(duration[: len(duration) - len(unit)]) * units[unit]


def notice(settings):
    """How long a node that is told to stop goes on as ever. Unit: seconds."""
    return seconds(settings["node"]["notice"])


def longest_stop(settings):
    """How long a node may take to stop by its settings, but for the last sync. Unit: seconds."""
    farewell = settings["dax"]["farewell_timeout_millis"] / 1000
    return max(notice(settings), HAND_OVER_SECONDS) + seconds(settings["node"]["drain"]) + farewell


def ports(settings):
    """The ports a node opens by its settings, by name."""
    listen, tls = settings["listen"], "tls" in settings
    found = {"https" if tls else "http": listen["http_port"]}
    found |= {"dax-tls": listen["dax_tls_port"]} if tls else {"dax": listen["dax_port"]}
    return found | {"grpc": listen["grpc_port"], "peer": listen["peer_port"], "admin": listen["admin_port"]}


@pytest.fixture(scope="session")
def admin():
    """The admin port of a running node."""
    return os.environ["FOREBAY_ADMIN"]


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]

"""The Terraform example: it parses, every name in it is there, and what it puts on a machine is what the machine accepts. Nothing is asked
of AWS or of its provider, so whether an argument is called so is not known here."""

import re

import hcl2
import pytest
import yaml
from conftest import ASKED_AGAIN_SECONDS, DEPLOY, call, effective, longest_stop, notice, seconds

FOLDER = DEPLOY / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))
PARSED = {path.name: hcl2.loads(path.read_text()) for path in FILES}


def unquoted(name):
    return name.strip('"')


def blocks(kind):
    """Names of all blocks of a kind: `variable` by name, `resource` and `data` by type and name."""
    found = []
    for parsed in PARSED.values():
        for block in parsed.get(kind, []):
            for first, inner in block.items():
                if kind in ("resource", "data"):
                    found += [f"{unquoted(first)}.{unquoted(name)}" for name in inner]
                else:
                    found.append(unquoted(first))
    return found


def code():
    return "\n".join(re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.M) for path in FILES)


def test_it_parses():
    assert len(FILES) == 6 and len(blocks("resource")) == 23
    with pytest.raises(Exception):
        hcl2.loads('resource "a" "b" {')


def test_every_name_is_declared_once_and_used():
    used = set(re.findall(r"\bvar\.([a-z_]+)", code()))
    assert used == set(blocks("variable")) and len(used) == len(blocks("variable"))
    local = {unquoted(name) for parsed in PARSED.values() for block in parsed.get("locals", []) for name in block}
    assert set(re.findall(r"\blocal\.([a-z_]+)", code())) == {name for name in local if not name.startswith("__")}
    for kind, prefix in (("resource", ""), ("data", "data.")):
        declared = blocks(kind)
        assert len(set(declared)) == len(declared)
        references = re.findall(r"(data\.)?\b(aws_[a-z0-9_]+\.[a-z0-9_]+)", code())
        assert {name for data, name in references if data == prefix} <= set(declared), kind


def test_ports_are_the_nodes_own(tmp_path):
    text = (FOLDER / "network.tf").read_text()
    listen = effective(tmp_path, "")["listen"]
    (clients,) = re.findall(r"client_ports = \{(.*?)\}", text)
    for name, port in re.findall(r"(\w+) += (\d+)", clients):
        assert listen[f"{name}_port"] == int(port)
    others = set(map(int, re.findall(r"from_port +=\s+(\d+)", text)))
    assert others == {listen["admin_port"], listen["peer_port"], 443}


@pytest.fixture
def machine():
    """The cloud-init of the node in zone b, filled in by the rules of Terraform's templates that it uses."""
    text = (FOLDER / "cloud-init.yaml.tftpl").read_text()
    (nodes, inner) = re.findall(r"(%\{ for node in nodes ~\}(.*?)%\{ endfor ~\})", text)[0]
    addresses = ["192.0.2.10", "192.0.2.74", "192.0.2.138"]
    text = text.replace(nodes, "".join(inner.replace("${node}", address) for address in addresses))
    values = {
        "name": "forebay", "zone": "eu-central-1b", "address": addresses[1], "cache_bytes": "4GiB", "region": "eu-central-1",
        "release.bucket": "builds", "release.key": "forebay.tar.gz", "release.sha256": "0" * 64, "volume": "vol0123",
    }
    for name, value in values.items():
        assert f"${{{name}}}" in text, name
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text and "%{" not in text
    files = {one["path"]: one for one in yaml.safe_load(text)["write_files"]}
    return {path: one["content"] for path, one in files.items()}


def test_the_binary_accepts_the_settings(machine, tmp_path):
    settings = effective(tmp_path, machine["/etc/forebay/forebay.toml"])
    assert settings["advertise"]["peer"] == settings["cluster"]["nodes"][1] == "192.0.2.74:8501"
    assert settings["node"]["zone"] == "eu-central-1b"


def test_a_node_gives_notice_and_the_unit_leaves_it_the_time_to_stop(machine, tmp_path):
    settings = effective(tmp_path, machine["/etc/forebay/forebay.toml"])
    assert notice(settings) >= ASKED_AGAIN_SECONDS
    # The machine runs the unit that the release brings.
    assert "forebay.service" in machine["/usr/local/sbin/forebay-install"]
    (allowed,) = re.findall(r"^TimeoutStopSec=(.*)$", (DEPLOY / "systemd/forebay.service").read_text(), re.M)
    assert seconds(allowed) >= longest_stop(settings) + 5


def test_the_first_start_puts_things_where_unit_and_settings_look(machine, tmp_path):
    script = tmp_path / "install"
    script.write_text(machine["/usr/local/sbin/forebay-install"])
    call("bash", "-n", script)
    settings = effective(tmp_path, machine["/etc/forebay/forebay.toml"])
    for path in (settings["credentials"]["file"], settings["cluster"]["secret_file"]):
        folder, name = path.rsplit("/", 1)
        assert folder == "/etc/forebay" and name in re.findall(r"for secret in (.*);", script.read_text())[0].split()
    assert settings["store"]["data"] in script.read_text()
    (boxes,) = re.findall(r'toset\(\[(.*?)\]\)', (FOLDER / "secrets.tf").read_text())
    assert boxes == '"cluster-secret", "credentials"'

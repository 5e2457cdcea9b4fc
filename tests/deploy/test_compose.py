"""The Compose file: read by Compose's own reader, and what it starts is three nodes that find each other."""

import pytest
import yaml
from conftest import ASKED_AGAIN_SECONDS, DEPLOY, FOREBAY, call, effective, longest_stop, notice, overrides, ports, seconds

ZONES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def project():
    # Compose takes names relative to the file's folder, its reader by itself to the current one.
    return yaml.safe_load(call("compose", "three-az.yaml", cwd=DEPLOY / "compose").stdout)


def node(project, zone):
    return project["services"][f"node-{zone}"]


def settings(project, zone, folder):
    return effective(folder, project["configs"]["forebay.toml"]["content"], overrides(node(project, zone)["command"]))


def test_the_reader_does_refuse(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((DEPLOY / "compose/three-az.yaml").read_text().replace("read_only:", "read_onyl:"))
    assert "read_onyl" in call("compose", wrong, good=False).stderr


@pytest.mark.parametrize("zone", ZONES)
def test_the_binary_accepts_the_settings(project, zone, tmp_path):
    found = settings(project, zone, tmp_path)
    assert found["node"]["zone"] == zone
    assert found["cluster"]["nodes"] == [f"{each}.peers:8501" for each in ZONES]
    assert found["advertise"]["peer"] == f"{zone}.peers:8501"
    assert node(project, zone)["networks"]["peers"]["aliases"] == [f"{zone}.peers"]


@pytest.mark.parametrize("zone", ZONES)
def test_clients_are_told_the_published_ports(project, zone, tmp_path):
    found = settings(project, zone, tmp_path)
    published = {one["target"]: one for one in node(project, zone)["ports"]}
    assert set(published) == set(ports(found).values()) - {found["listen"]["peer_port"]}
    for name in ("http", "dax"):
        one = published[found["listen"][f"{name}_port"]]
        assert int(one["published"]) == found["advertise"][f"{name}_port"]
        assert one["host_ip"] == found["advertise"]["address"]


def test_nothing_is_shared_that_is_one_nodes_own(project):
    volumes = [one["source"] for zone in ZONES for one in node(project, zone)["volumes"]]
    assert len(set(volumes)) == 3 and set(volumes) == set(project["volumes"])
    published = [one["published"] for zone in ZONES for one in node(project, zone)["ports"]]
    assert len(set(published)) == len(published)


@pytest.mark.parametrize("zone", ZONES)
def test_a_node_has_what_it_needs_and_no_more(project, zone, tmp_path):
    one, found = node(project, zone), settings(project, zone, tmp_path)
    assert one["read_only"] and one["cap_drop"] == ["ALL"]
    assert [mount["target"] for mount in one["volumes"]] == [found["store"]["data"]]
    assert {secret["source"] for secret in one["secrets"]} == {"cluster-secret", "credentials"}
    assert found["credentials"]["file"] == "/run/secrets/credentials"
    assert found["cluster"]["secret_file"] == "/run/secrets/cluster-secret"
    assert project["networks"]["peers"]["internal"]


@pytest.mark.parametrize("zone", ZONES)
def test_a_node_gives_notice_and_has_the_time_it_takes_to_stop(project, zone, tmp_path):
    found = settings(project, zone, tmp_path)
    assert notice(found) >= ASKED_AGAIN_SECONDS
    assert seconds(node(project, zone)["stop_grace_period"]) >= longest_stop(found) + 5


@pytest.mark.parametrize("zone", ZONES)
def test_the_health_check_asks_the_node_itself(project, zone, tmp_path):
    words = node(project, zone)["healthcheck"]["test"]
    assert words[:5] == ["CMD", "/forebay", "status", "--config", "/etc/forebay/forebay.toml"]
    assert overrides(words[5:]) == [f"advertise.peer={zone}.peers:8501"]
    # Without the secret it goes no further than the settings, which it accepts.
    path = tmp_path / "forebay.toml"
    path.write_text(project["configs"]["forebay.toml"]["content"])
    refused = call(FOREBAY, *words[2:3], "--config", path, *words[5:], good=False)
    assert "/run/secrets/cluster-secret" in refused.stderr

"""The systemd unit: systemd accepts it, it is shut in, and it leaves a node the time to stop."""

import re

from conftest import ASKED_AGAIN_SECONDS, DEPLOY, FOREBAY, call, effective, longest_stop, notice, seconds

UNIT = DEPLOY / "systemd/forebay.service"


def setting(name):
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)
    return value


def test_systemd_finds_nothing_to_say(tmp_path):
    # With a binary that is there.
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/usr/local/bin/forebay", FOREBAY))
    said = call("systemd-analyze", "verify", "--man=no", here)
    assert (said.stdout, said.stderr) == ("", "")
    here.write_text(here.read_text().replace("ProtectClock=", "ProtectClocks="))
    assert "ProtectClocks" in call("systemd-analyze", "verify", "--man=no", here).stderr


def test_it_is_shut_in():
    said = call("systemd-analyze", "security", "--offline=true", UNIT).stdout
    (exposure,) = re.findall(r"exposure level for forebay.service: ([0-9.]+)", said)
    assert float(exposure) <= 1.5, said


def test_a_node_gives_notice_and_has_the_time_it_takes_to_stop(tmp_path):
    settings = effective(tmp_path, (DEPLOY / "config/forebay.toml").read_text())
    assert notice(settings) >= ASKED_AGAIN_SECONDS
    assert seconds(setting("TimeoutStopSec")) >= longest_stop(settings) + 5
    assert int(setting("LimitNOFILE")) >= settings["node"]["max_connections"] + 2 * 512 + 1000


def test_bad_settings_are_not_tried_again(tmp_path):
    path = tmp_path / "forebay.toml"
    path.write_text("[cache]\nsize = 1\n")
    done = call(FOREBAY, "node", "--config", path, good=False)
    assert str(done.returncode) == setting("RestartPreventExitStatus")


def test_the_unit_and_its_config_agree(tmp_path):
    settings = effective(tmp_path, (DEPLOY / "config/forebay.toml").read_text())
    assert settings["store"]["data"] == "/var/lib/" + setting("StateDirectory")
    (user,) = re.findall(r"^u ([a-z]+) ", (DEPLOY / "systemd/forebay.sysusers").read_text(), re.M)
    assert setting("User") == user
    call("systemd-sysusers", "--dry-run", DEPLOY / "systemd/forebay.sysusers")

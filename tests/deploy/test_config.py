"""deploy/config/forebay.toml: a node accepts it, and the parts that are only remarks as well."""

import re

from conftest import DEPLOY, effective

TEXT = (DEPLOY / "config/forebay.toml").read_text()


def test_it_is_one_node_of_three(tmp_path):
    settings = effective(tmp_path, TEXT)
    assert len(settings["cluster"]["nodes"]) == 3
    assert settings["advertise"]["peer"] in settings["cluster"]["nodes"]


def test_what_stands_in_remarks_is_accepted_too(tmp_path):
    remarks = re.findall(r"^# ((?:\[|[a-z_]+ = ).*)$", TEXT, re.M)
    assert len(remarks) > 10
    settings = effective(tmp_path, re.sub(r"^# ((?:\[|[a-z_]+ = ).*)$", r"\1", TEXT, flags=re.M))
    for section in re.findall(r"^# \[([a-z_.]+)\]", TEXT, re.M):
        at = settings
        for name in section.split("."):
            assert name in at, section
            at = at[name]

"""deploy/secrets.sh: what it makes is for its owner only, fits together, and stays when it is called again."""

import configparser

from conftest import DEPLOY, call

SCRIPT = DEPLOY / "secrets.sh"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_there_stays_and_what_is_missing_is_made(tmp_path):
    call(SCRIPT, tmp_path / "set")
    first = contents(tmp_path / "set")
    assert set(first) == {"cluster-secret", "credentials"}
    call(SCRIPT, tmp_path / "set", "10.0.1.10")
    second = contents(tmp_path / "set")
    assert set(second) - set(first) == {"authority.key", "authority.pem", "10.0.1.10.key", "10.0.1.10.pem"}
    call(SCRIPT, tmp_path / "set", "10.0.1.10", "node-b.internal")
    third = contents(tmp_path / "set")
    assert set(third) - set(second) == {"node-b.internal.key", "node-b.internal.pem"}
    assert first.items() <= second.items() <= third.items()


def test_it_is_for_its_owner_only_and_never_the_same(tmp_path):
    for name in ("one", "other"):
        call(SCRIPT, tmp_path / name, "a")
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / name).iterdir())
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert len(one["cluster-secret"]) >= 32
    assert all(one[name] != other[name] for name in one)


def test_access_keys_are_as_the_aws_cli_keeps_them(tmp_path):
    call(SCRIPT, tmp_path / "set")
    read = configparser.ConfigParser()
    read.read(tmp_path / "set/credentials")
    keys = read["default"]
    assert len(keys["aws_access_key_id"]) == 20 and len(keys["aws_secret_access_key"]) == 40


def test_certificates_are_of_the_authority_and_name_their_host(tmp_path):
    folder = tmp_path / "set"
    call(SCRIPT, folder, "10.0.1.10", "node-b.internal")
    for host, flag in (("10.0.1.10", "-verify_ip"), ("node-b.internal", "-verify_hostname")):
        for purpose in ("sslserver", "sslclient"):
            verify = ["openssl", "verify", "-CAfile", folder / "authority.pem", "-purpose", purpose, "-x509_strict"]
            call(*verify, flag, host, folder / f"{host}.pem")
            call(*verify, flag, "10.9.9.9" if flag == "-verify_ip" else "other.internal", folder / f"{host}.pem", good=False)

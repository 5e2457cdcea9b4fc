"""The image: built here from nothing, and run here as a container would run it: another user, a root that can't be written to, one volume.
There is no container runtime in this; what namespaces and mounts do, the tests ask of the kernel themselves."""

import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
from conftest import DEPLOY, FOREBAY, PATIENCE_SECONDS, as_root, call

USER = 65532


def build(folder, tag):
    """Builds the image and answers it as a folder of the OCI layout."""
    # Storage of its own, of the plainest kind, so that it works inside a container too.
    conf = folder / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
    environment = dict(os.environ, CONTAINERS_STORAGE_CONF=str(conf), BUILDER="buildah", BUILDAH_ISOLATION="chroot")
    call(DEPLOY / "docker/build.sh", FOREBAY, tag, env=environment)
    out = folder / "oci"
    call("buildah", "push", tag, f"oci:{out}:{tag}", env=environment)
    shutil.rmtree(folder / "graph")
    return out


def blob(image, digest):
    return image / "blobs" / digest.replace(":", "/")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return build(tmp_path_factory.mktemp("image"), "forebay:test")


@pytest.fixture(scope="module")
def manifest(image):
    (entry,) = json.loads((image / "index.json").read_text())["manifests"]
    return json.loads(blob(image, entry["digest"]).read_text())


@pytest.fixture(scope="module")
def config(image, manifest):
    return json.loads(blob(image, manifest["config"]["digest"]).read_text())["config"]


@pytest.fixture(scope="module")
def members(image, manifest):
    found = {}
    for layer in manifest["layers"]:
        with tarfile.open(blob(image, layer["digest"])) as archive:
            found |= {"/" + one.name.strip("./"): one for one in archive}
    return found


def test_it_is_the_same_each_time(image, manifest, tmp_path):
    again = json.loads((build(tmp_path, "forebay:test") / "index.json").read_text())
    assert again["manifests"][0]["digest"] == json.loads((image / "index.json").read_text())["manifests"][0]["digest"]


def test_it_runs_the_node_as_nobody_special(config):
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["/forebay"] and config["Cmd"][0] == "node"
    assert set(config["Volumes"]) == {"/data"} and config["WorkingDir"] == "/data"
    assert set(config["ExposedPorts"]) == {f"{port}/tcp" for port in (8000, 8111, 9111, 8500, 8501, 8080)}


def test_it_holds_the_binary_its_libraries_their_licences_and_nothing_else(members):
    files = {path for path, one in members.items() if one.isfile()}
    linked = {word for line in call("ldd", FOREBAY).stdout.splitlines() for word in line.split() if word.startswith("/")}
    assert linked <= files
    small = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"}
    licences = {path for path in files if path.startswith("/usr/share/doc/") and path.endswith("/copyright")}
    assert len(licences) >= 3
    assert files == {"/forebay"} | linked | small | licences
    for path, one in members.items():
        # The volume is its user's; of the rest nothing may be changed by it, and nothing is run as somebody else.
        assert (one.uid, one.gid) == ((USER, USER) if path == "/data" else (0, 0)), path
        assert path == "/data" or one.issym() or not one.mode & 0o6022, path


@pytest.fixture(scope="module")
def root(image, manifest, tmp_path_factory):
    """The image unpacked, with its root mounted so that nobody can write to it but to the volume."""
    at = tmp_path_factory.mktemp("root")
    for layer in manifest["layers"]:
        call(*as_root("tar", "-xzf", blob(image, layer["digest"]), "-C", at, "--same-owner"))
    # chroot as another user wants every folder above it to be open.
    for folder in [at, *list(at.parents)[:2]]:
        call(*as_root("chmod", "a+rx", folder))
    yield at
    call(*as_root("rm", "-rf", at))


def contained(root, *arguments):
    """The image's own command, in a mount namespace that ends with it: read-only root, a volume, the user of the image. It says its
    number first, in the file `pid` beside the root."""
    inside = (
        f'echo $$ >"$0.pid" && mount --bind "$0" "$0" && mount -o remount,bind,ro,nosuid,nodev "$0" && '
        f'mount -t tmpfs -o uid={USER},gid={USER},mode=0700 data "$0/data" && '
        f'exec chroot --userspec={USER}:{USER} "$0" /forebay "$@"'
    )
    return as_root("unshare", "--mount", "--propagation", "private", "sh", "-c", inside, str(root), *arguments)


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def test_its_binary_finds_its_libraries(root):
    assert call(*contained(root, "--version")).stdout.startswith("forebay ")


def test_a_node_serves_from_a_root_that_nobody_can_write_to(root):
    http, dax, grpc, admin = free_ports(4)
    ports = [f"--http-port={http}", f"--dax-port={dax}", f"--grpc-port={grpc}", f"--admin-port={admin}"]
    process = subprocess.Popen(contained(root, "dev", "--data", "/data", *ports), stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.05)
        pid = Path(f"{root}.pid").read_text().strip()
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"\nUid:\t{USER}\t{USER}\t{USER}\t{USER}\n" in status and "\nCapEff:\t0000000000000000\n" in status
        db = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{http}", region_name="us-east-1",
                          aws_access_key_id="any", aws_secret_access_key="any")
        db.create_table(TableName="notes", BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        db.get_waiter("table_exists").wait(TableName="notes", WaiterConfig={"Delay": 1})
        db.put_item(TableName="notes", Item={"k": {"S": "a"}, "n": {"N": "1"}})
        read = db.get_item(TableName="notes", Key={"k": {"S": "a"}}, ConsistentRead=True)
        assert read["Item"]["n"] == {"N": "1"}
    finally:
        call(*as_root("kill", Path(f"{root}.pid").read_text().strip()))
        assert process.wait(PATIENCE_SECONDS) == 0, "a stop is clean"


def test_names_are_looked_up_without_plug_ins(root):
    """An image without a shell has no `getent`; the loader is there and takes any program of this machine."""
    inside = f'mount --bind "$0" "$0" && mount --bind "$1" "$0/forebay" && exec chroot "$0" /forebay hosts name.example'
    hosts = root / "etc/hosts"
    call(*as_root("sh", "-c", f"echo 192.0.2.9 name.example > {hosts}"))
    getent = call("which", "getent").stdout.strip()
    found = call(*as_root("unshare", "--mount", "--propagation", "private", "sh", "-c", inside, str(root), getent))
    call(*as_root("rm", hosts))
    assert found.stdout.split() == ["192.0.2.9", "name.example"]

"""DAX over TLS: by host name and by address, and not with another's certificate."""

import pytest
from amazondax.DaxError import DaxClientError, DaxValidationError
from botocore.exceptions import ClientError

from conftest import dax_client, http_client, make_table
from node import Node, certificate


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    file, key = certificate(folder, "DNS:localhost", "IP:127.0.0.1")
    with Node(f"tls.certificate_file={file}", f"tls.key_file={key}") as node:
        node.authority = str(file)
        make_table(http_client(node.http, verify=node.authority), "things", {"id": "S"})
        yield node


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_the_certificate_is_served(node, monkeypatch, host):
    monkeypatch.setenv("SSL_CERT_FILE", node.authority)
    with dax_client(f"daxs://{host}:{node.port('daxs')}") as dax:
        item = {"id": {"S": host}, "text": {"S": "x" * 300_000}}
        dax.put_item(TableName="things", Item=item)
        assert dax.get_item(TableName="things", Key={"id": {"S": host}})["Item"] == item
        # The node names its port for TLS to those who came over TLS: the client goes on there.
        for at in range(20):
            dax.put_item(TableName="things", Item={"id": {"S": f"{host} {at}"}})
        keys = [{"id": {"S": f"{host} {at}"}} for at in range(20)]
        assert len(dax.batch_get_item(RequestItems={"things": {"Keys": keys}})["Responses"]["things"]) == 20
        with pytest.raises(ClientError):
            dax.put_item(TableName="things", Item=item, ConditionExpression="attribute_not_exists(id)")


def test_a_client_that_does_not_trust_it_is_not(node, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises((DaxClientError, DaxValidationError)):
        dax_client(f"daxs://127.0.0.1:{node.port('daxs')}")


def test_there_is_no_plain_port_beside_it_unless_asked_for(node):
    assert not hasattr(node, "dax")


def test_the_client_survives_a_restart_over_tls(node, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", node.authority)
    with dax_client(node.daxs) as dax:
        item = {"id": {"S": "restart"}, "learned": {"S": "before"}}
        dax.put_item(TableName="things", Item=item)
        node.kill()
        node.start()
        assert dax.get_item(TableName="things", Key={"id": {"S": "restart"}})["Item"] == item
        dax.put_item(TableName="things", Item=item)

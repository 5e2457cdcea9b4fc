"""What stands around the operations: errors, versions, health, reflection, signatures, TLS, a stop."""

import hashlib
import threading

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import dynamodb_pb2 as pb
import dynamodb_pb2_grpc as stubs
import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from conftest import PATIENCE_SECONDS, address, addresses, details, item, make_table, n, refused, s
from node import Node, certificate

SERVICE = "forebay.dynamodb.v1.DynamoDb"


def test_mistakes_are_told_in_dynamodbs_words(db, orders):
    missing = refused(db.GetItem, pb.GetItemInput(table_name="no-such-table", key=item(pk=s("a"))))
    assert missing.code() is grpc.StatusCode.NOT_FOUND
    assert details(missing).kind == "ResourceNotFoundException"
    for value, words in {
        "empty, must contain exactly one": pb.AttributeValue(),
        "cannot be converted to a numeric value: ten": n("ten"),
        "An string set  may not be empty": pb.AttributeValue(ss=pb.StringSet()),
    }.items():
        error = refused(db.PutItem, pb.PutItemInput(table_name=orders, item=item(pk=s("a"), sk=n(1), x=words)))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert value in error.details() and details(error).kind == "ValidationException"
    unnamed = refused(db.GetItem, pb.GetItemInput(key=item(pk=s("a"))))
    assert "Value null at 'tableName' failed to satisfy constraint" in unnamed.details()
    query = pb.QueryInput(table_name=orders, key_condition_expression="pk = :missing")
    assert "attribute value: :missing" in refused(db.Query, query).details()
    number = pb.GetItemInput(table_name=orders, key=item(pk=s("a"), sk=n(1)), return_consumed_capacity=9)
    assert "Member must satisfy enum value set" in refused(db.GetItem, number).details()


def test_a_node_says_which_version_an_answer_is_of_and_is_held_to_it(db, orders):
    _, put = db.PutItem.with_call(pb.PutItemInput(table_name=orders, item=item(pk=s("version"), sk=n(1))))
    written = dict(put.initial_metadata())["x-forebay-version"]
    get = pb.GetItemInput(table_name=orders, key=item(pk=s("version"), sk=n(1)))
    sources = []
    for _ in range(3):
        answer, call = db.GetItem.with_call(get, metadata=[("x-forebay-min-version", written)])
        assert answer.HasField("item")
        metadata = dict(call.initial_metadata())
        assert metadata["x-forebay-version"] >= written
        sources.append(metadata["x-forebay-cache"])
    assert sources[-1] == "hit"
    error = refused(db.GetItem, get, metadata=[("x-forebay-min-version", "yesterday")])
    assert (error.code(), details(error).kind) == (grpc.StatusCode.INVALID_ARGUMENT, "ValidationException")


def test_an_item_of_400_kb_and_a_page_of_many_go_through(db, orders):
    large = item(pk=s("large"), sk=n(1), text=s("x" * 400_000))
    db.PutItem(pb.PutItemInput(table_name=orders, item=large))
    assert db.GetItem(pb.GetItemInput(table_name=orders, key=item(pk=s("large"), sk=n(1)))).item == large


def test_health_is_told(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    unknown = refused(health.Check, health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert unknown.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_shows_the_service(channel):
    reflected = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in reflected.get_services()
    service = DescriptorPool(reflected).FindServiceByName(SERVICE)
    assert {method.name for method in service.methods} == {method.name for method in pb.DESCRIPTOR.services_by_name["DynamoDb"].methods}


def test_a_compressed_message_is_refused_by_name(db, orders):
    get = pb.GetItemInput(table_name=orders, key=item(pk=s("a" * 2000), sk=n(1)))
    error = refused(db.GetItem, get, compression=grpc.Compression.Gzip)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


class Signing(grpc.UnaryUnaryClientInterceptor):
    """Signs calls with Signature Version 4, as any signer of AWS's does it."""

    def __init__(self, target, key, secret):
        self.target = target
        self.signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret), "dynamodb", "us-east-1")

    def intercept_unary_unary(self, continuation, details, request):
        method = details.method if isinstance(details.method, str) else details.method.decode()
        headers = {"host": self.target, "x-amz-content-sha256": self.hashed(request)}
        signed = botocore.awsrequest.AWSRequest("POST", f"http://{self.target}{method}", headers=headers)
        self.signer.add_auth(signed)
        metadata = [(name.lower(), value) for name, value in signed.headers.items() if name.lower() != "host"]
        return continuation(details._replace(metadata=[*(details.metadata or ()), *metadata]), request)

    def hashed(self, request):
        return "UNSIGNED-PAYLOAD"


class SigningMessages(Signing):
    """The same, with the message in the signature."""

    def hashed(self, request):
        return hashlib.sha256(request.SerializeToString()).hexdigest()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A node that has credentials configured."""
    keys = tmp_path_factory.mktemp("keys") / "credentials"
    keys.write_text("[kim]\naws_access_key_id = AKIAKIM\naws_secret_access_key = kims secret\n")
    with Node(f"credentials.file={keys}") as node:
        yield address(node.grpc)


@pytest.mark.parametrize("how", [Signing, SigningMessages])
def test_a_signed_call_is_let_in(guarded, how):
    with grpc.insecure_channel(guarded) as channel:
        signed = stubs.DynamoDbStub(grpc.intercept_channel(channel, how(guarded, "AKIAKIM", "kims secret")))
        signed.ListTables(pb.ListTablesInput())
        wrong = stubs.DynamoDbStub(grpc.intercept_channel(channel, how(guarded, "AKIAKIM", "another's")))
        error = refused(wrong.ListTables, pb.ListTablesInput())
        assert (error.code(), details(error).kind) == (grpc.StatusCode.UNAUTHENTICATED, "InvalidSignatureException")
        error = refused(stubs.DynamoDbStub(channel).ListTables, pb.ListTablesInput())
        assert details(error).kind == "MissingAuthenticationTokenException"
        # A load balancer asks without keys.
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1


def test_tls_is_spoken_where_there_is_a_certificate(tmp_path):
    file, key = certificate(tmp_path, "DNS:localhost", "IP:127.0.0.1")
    with Node(f"tls.certificate_file={file}", f"tls.key_file={key}") as node:
        assert node.grpc.startswith("grpcs://")
        trusting = grpc.ssl_channel_credentials(file.read_bytes())
        with grpc.secure_channel(address(node.grpc), trusting) as channel:
            db = stubs.DynamoDbStub(channel)
            make_table(db, "things")
            db.PutItem(pb.PutItemInput(table_name="things", item=item(pk=s("a"))))
        with grpc.insecure_channel(address(node.grpc)) as channel:
            error = refused(stubs.DynamoDbStub(channel).ListTables, pb.ListTablesInput())
            assert error.code() is grpc.StatusCode.UNAVAILABLE


def test_a_stop_is_told_to_watchers_and_waits_for_none():
    with Node() as node:
        with grpc.insecure_channel(address(node.grpc)) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            seen = [next(watch).status]
            ended = threading.Event()

            def look():
                try:
                    seen.extend(answer.status for answer in watch)
                except grpc.RpcError:
                    pass
                ended.set()

            threading.Thread(target=look, daemon=True).start()
            took = node.stop()
            assert ended.wait(PATIENCE_SECONDS)
        assert seen == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
        assert took < 5


def test_what_is_not_grpc_is_answered_and_the_port_goes_on(db):
    import http.client

    host, port = addresses().split(",")[0].rsplit(":", 1)
    plain = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.request("GET", "/")
        plain.getresponse()
    db.ListTables(pb.ListTablesInput())

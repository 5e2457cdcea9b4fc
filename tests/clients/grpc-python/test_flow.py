"""Items, pages, batches and transactions through stubs."""

import dynamodb_pb2 as pb
import grpc
import pytest

from conftest import details, item, n, refused, s


def test_items_of_every_type_are_written_read_changed_and_deleted(db, orders):
    written = item(
        pk=s("all types"),
        sk=n(1),
        number=n("-12345678901234567890.123456789012345678"),
        octets=pb.AttributeValue(b=b"\x00\xff"),
        yes=pb.AttributeValue(bool=False),
        nothing=pb.AttributeValue(null=True),
        document=pb.AttributeValue(m=item(parts=pb.AttributeValue(l=pb.List(values=[s("ü"), n(2), pb.AttributeValue(l=pb.List())])))),
        strings=pb.AttributeValue(ss=pb.StringSet(values=["a", "b"])),
        numbers=pb.AttributeValue(ns=pb.NumberSet(values=["1", "2.5"])),
        blobs=pb.AttributeValue(bs=pb.BinarySet(values=[b"1", b"2"])),
    )
    db.PutItem(pb.PutItemInput(table_name=orders, item=written))
    key = item(pk=s("all types"), sk=n(1))
    for consistent in (True, False):
        assert db.GetItem(pb.GetItemInput(table_name=orders, key=key, consistent_read=consistent)).item == written
    changed = db.UpdateItem(
        pb.UpdateItemInput(
            table_name=orders,
            key=key,
            update_expression="SET #d.parts[1] = :v REMOVE octets ADD strings :s",
            condition_expression="attribute_exists(octets)",
            expression_attribute_names={"#d": "document"},
            expression_attribute_values={":v": s("new"), ":s": pb.AttributeValue(ss=pb.StringSet(values=["c"]))},
            return_values=pb.RETURN_VALUE_ALL_NEW,
        )
    ).attributes.attributes
    assert changed["document"].m.attributes["parts"].l.values[1] == s("new")
    assert "octets" not in changed and list(changed["strings"].ss.values) == ["a", "b", "c"]
    projected = db.GetItem(
        pb.GetItemInput(table_name=orders, key=key, projection_expression="#n", expression_attribute_names={"#n": "number"})
    )
    assert projected.item == item(number=written.attributes["number"])
    gone = db.DeleteItem(pb.DeleteItemInput(table_name=orders, key=key, return_values=pb.RETURN_VALUE_ALL_OLD))
    assert gone.attributes.attributes["document"] == changed["document"]
    assert not db.GetItem(pb.GetItemInput(table_name=orders, key=key)).HasField("item")


def test_a_query_is_paged_in_both_directions_and_counted(db, orders):
    for at in range(25):
        db.PutItem(pb.PutItemInput(table_name=orders, item=item(pk=s("paged"), sk=n(at), even=pb.AttributeValue(bool=at % 2 == 0))))

    def pages(**more):
        start = None
        while True:
            page = db.Query(
                pb.QueryInput(
                    table_name=orders,
                    key_condition_expression="pk = :pk AND sk >= :from",
                    expression_attribute_values={":pk": s("paged"), ":from": n(5), **more.pop("values", {})},
                    limit=7,
                    exclusive_start_key=start,
                    **more,
                )
            )
            yield page
            if not page.HasField("last_evaluated_key"):
                return
            start = page.last_evaluated_key

    found = [int(one.attributes["sk"].n) for page in pages() for one in page.items]
    assert found == list(range(5, 25))
    backward = [int(one.attributes["sk"].n) for page in pages(scan_index_forward=False) for one in page.items]
    assert backward == found[::-1]
    counted = list(pages(select=pb.SELECT_COUNT))
    assert sum(page.count for page in counted) == 20 and not any(page.items for page in counted)
    even = db.Scan(
        pb.ScanInput(
            table_name=orders,
            filter_expression="pk = :pk AND even = :yes",
            expression_attribute_values={":pk": s("paged"), ":yes": pb.AttributeValue(bool=True)},
            return_consumed_capacity=pb.RETURN_CONSUMED_CAPACITY_TOTAL,
        )
    )
    assert even.count == 13 and even.scanned_count >= 25 and even.consumed_capacity.table_name == orders


def test_a_batch_writes_and_reads(db, orders):
    made = [item(pk=s("batch"), sk=n(at), text=s(str(at))) for at in range(10)]
    writes = [pb.WriteRequest(put_request=pb.PutRequest(item=one)) for one in made]
    answer = db.BatchWriteItem(pb.BatchWriteItemInput(request_items=[pb.TableWrites(table_name=orders, writes=writes)]))
    assert not answer.unprocessed_items
    gone = pb.WriteRequest(delete_request=pb.DeleteRequest(key=item(pk=s("batch"), sk=n(0))))
    db.BatchWriteItem(pb.BatchWriteItemInput(request_items=[pb.TableWrites(table_name=orders, writes=[gone])]))
    keys = [item(pk=s("batch"), sk=n(at)) for at in range(10)]
    found = db.BatchGetItem(pb.BatchGetItemInput(request_items=[pb.TableKeys(table_name=orders, keys=keys)]))
    (of_table,) = found.responses
    assert of_table.table_name == orders
    assert sorted(int(one.attributes["text"].s) for one in of_table.items) == list(range(1, 10))


def test_a_cancelled_transaction_says_why(db, orders):
    db.PutItem(pb.PutItemInput(table_name=orders, item=item(pk=s("taken"), sk=n(1), owner=s("kim"))))
    action = {"table_name": orders, "condition_expression": "attribute_not_exists(pk)"}
    items = [
        pb.TransactWriteItem(put=pb.TransactAction(item=item(pk=s("free"), sk=n(1)), **action)),
        pb.TransactWriteItem(
            put=pb.TransactAction(
                item=item(pk=s("taken"), sk=n(1)),
                return_values_on_condition_check_failure=pb.RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_ALL_OLD,
                **action,
            )
        ),
    ]
    error = refused(db.TransactWriteItems, pb.TransactWriteItemsInput(transact_items=items))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    detail = details(error)
    assert detail.kind == "TransactionCanceledException"
    assert [reason.code for reason in detail.cancellation_reasons] == ["None", "ConditionalCheckFailed"]
    assert detail.cancellation_reasons[1].item.attributes["owner"] == s("kim")
    gets = [pb.TransactGetItem(get=pb.TransactGet(table_name=orders, key=item(pk=s(pk), sk=n(1)))) for pk in ("free", "taken")]
    free, taken = db.TransactGetItems(pb.TransactGetItemsInput(transact_items=gets)).responses
    assert not free.HasField("item") and taken.item.attributes["owner"] == s("kim")


@pytest.mark.parametrize("bytes_of_item, comes_along", [(100, True), (100_000, False)])
def test_a_failed_condition_brings_the_item_where_it_fits(channel, db, orders, bytes_of_item, comes_along):
    stands = item(pk=s("condition"), sk=n(bytes_of_item), text=s("x" * bytes_of_item))
    put = pb.PutItemInput(
        table_name=orders,
        item=stands,
        condition_expression="attribute_not_exists(pk)",
        return_values_on_condition_check_failure=pb.RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_ALL_OLD,
    )
    db.PutItem(put)
    detail = details(refused(db.PutItem, put))
    assert (detail.kind, detail.message) == ("ConditionalCheckFailedException", "The conditional request failed")
    assert (detail.item == stands, detail.items_left_out) == (comes_along, not comes_along)
    # Errors as messages have room for any item.
    method = "/forebay.dynamodb.v1.DynamoDb/PutItem"
    in_place = channel.unary_unary(method, pb.PutItemInput.SerializeToString, pb.Error.FromString)
    error, call = in_place.with_call(put, metadata=[("x-forebay-errors", "message")])
    assert dict(call.initial_metadata())["x-forebay-error"] == "ConditionalCheckFailedException"
    assert error.item == stands


def test_tables_are_described_listed_tagged_altered_and_dropped(db):
    attributes = [pb.AttributeDefinition(attribute_name=name, attribute_type="S") for name in ("pk", "city")]
    described = db.CreateTable(
        pb.CreateTableInput(
            table_name="people",
            key_schema=[pb.KeySchemaElement(attribute_name="pk", key_type="HASH")],
            attribute_definitions=attributes,
            global_secondary_indexes=[
                pb.SecondaryIndex(
                    index_name="by-city",
                    key_schema=[pb.KeySchemaElement(attribute_name="city", key_type="HASH")],
                    projection=pb.Projection(projection_type="ALL"),
                )
            ],
            billing_mode="PAY_PER_REQUEST",
        )
    ).table_description
    assert "people" in db.ListTables(pb.ListTablesInput()).table_names
    table = db.DescribeTable(pb.DescribeTableInput(table_name="people")).table
    assert (table.table_status, table.billing_mode, table.table_id) == ("ACTIVE", "PAY_PER_REQUEST", described.table_id)
    db.PutItem(pb.PutItemInput(table_name="people", item=item(pk=s("kim"), city=s("Bonn"))))
    found = db.Query(
        pb.QueryInput(
            table_name="people",
            index_name="by-city",
            key_condition_expression="city = :c",
            expression_attribute_values={":c": s("Bonn")},
        )
    )
    assert [one.attributes["pk"].s for one in found.items] == ["kim"]
    db.TagResource(pb.TagResourceInput(resource_arn=table.table_arn, tags=[pb.Tag(key="team", value="a")]))
    tags = db.ListTagsOfResource(pb.ListTagsOfResourceInput(resource_arn=table.table_arn)).tags
    assert [(tag.key, tag.value) for tag in tags] == [("team", "a")]
    db.UpdateTable(pb.UpdateTableInput(table_name="people", deletion_protection_enabled=True))
    error = refused(db.DeleteTable, pb.DeleteTableInput(table_name="people"))
    assert details(error).kind == "ValidationException"
    db.UpdateTable(pb.UpdateTableInput(table_name="people", deletion_protection_enabled=False))
    db.DeleteTable(pb.DeleteTableInput(table_name="people"))
    assert "people" not in db.ListTables(pb.ListTablesInput()).table_names

package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.list;
import static forebay.Json.object;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every type of value, written by one operation and read by every other; whole and projected. */
class ValuesTest {
    interface Read {
        Object item(Map<String, Object> key, Map<String, Object> how);
    }

    static Object first(Object items) {
        return items == null || list(items).isEmpty() ? null : list(items).get(0);
    }

    /** The ways to one item of the table things. */
    static final Map<String, Read> READS = new LinkedHashMap<>();

    static {
        READS.put("GetItem", (key, how) -> CLIENT.call("GetItem", with(of("TableName", "things", "Key", key), how)).get("Item"));
        READS.put("GetItem, consistent", (key, how) ->
                CLIENT.call("GetItem", with(of("TableName", "things", "Key", key, "ConsistentRead", true), how)).get("Item"));
        READS.put("Query", (key, how) -> first(CLIENT.call("Query", with(of("TableName", "things", "KeyConditionExpression", "id = :id",
                "ExpressionAttributeValues", of(":id", key.get("id"))), how)).get("Items")));
        READS.put("Scan", (key, how) -> first(CLIENT.call("Scan", with(of("TableName", "things", "FilterExpression", "id = :id",
                "ExpressionAttributeValues", of(":id", key.get("id"))), how)).get("Items")));
        READS.put("BatchGetItem", (key, how) -> first(object(CLIENT.call("BatchGetItem",
                of("RequestItems", of("things", with(of("Keys", List.of(key)), how)))).get("Responses")).get("things")));
        READS.put("TransactGetItems", (key, how) -> object(first(CLIENT.call("TransactGetItems",
                of("TransactItems", List.of(of("Get", with(of("TableName", "things", "Key", key), how))))).get("Responses"))).get("Item"));
    }

    /** An item's worth of attributes of every type. */
    static Map<String, Object> everything() {
        Map<String, Object> cases = object(Json.cases("values"));
        Map<String, Object> all = of("nameless", cases.get("nameless"));
        Map.of("S", "strings", "B", "binaries", "N", "numbers").forEach((kind, name) -> {
            for (Object value : list(cases.get(name))) {
                all.put(kind.toLowerCase() + all.size(), of(kind, value));
            }
        });
        list(cases.get("composites")).forEach(value -> all.put("c" + all.size(), value));
        return all;
    }

    static Map<String, Object> input(String operation, Map<String, Object> item) {
        switch (operation) {
            case "PutItem":
                return of("TableName", "things", "Item", item);
            case "BatchWriteItem":
                return of("RequestItems", of("things", List.of(of("PutRequest", of("Item", item)))));
            case "TransactWriteItems":
                return of("TransactItems", List.of(of("Put", of("TableName", "things", "Item", item))));
            default:
                List<String> sets = new ArrayList<>();
                Map<String, Object> names = of();
                Map<String, Object> values = of();
                item.forEach((name, value) -> {
                    if (!name.equals("id")) {
                        sets.add("#" + name + " = :" + name);
                        names.put("#" + name, name);
                        values.put(":" + name, value);
                    }
                });
                return of("TableName", "things", "Key", of("id", item.get("id")), "UpdateExpression", "SET " + String.join(", ", sets),
                        "ExpressionAttributeNames", names, "ExpressionAttributeValues", values);
        }
    }

    @TestFactory
    Stream<DynamicTest> everyTypeComesBackAsItWentIn() {
        return Stream.of("PutItem", "UpdateItem", "BatchWriteItem", "TransactWriteItems").map(operation -> dynamicTest(operation, () -> {
            Map<String, Object> written = with(everything(), id("types by " + operation));
            CLIENT.call(operation, input(operation, written));
            READS.forEach((name, read) -> same(written, read.item(id("types by " + operation), of())));
            // And it is the item that a client of another wire sees.
            same(written, SHARED.over("GetItem", of("TableName", "things", "Key", id("types by " + operation))).get("Item"));
        }));
    }

    @TestFactory
    Stream<DynamicTest> whatWasWrittenOverHttpIsRead() {
        return READS.entrySet().stream().map(read -> dynamicTest(read.getKey(), () -> {
            Map<String, Object> written = with(everything(), id("over HTTP, " + read.getKey()));
            SHARED.over("PutItem", of("TableName", "things", "Item", written));
            same(written, read.getValue().item(id("over HTTP, " + read.getKey()), of()));
        }));
    }

    @Test
    void numbersAtTheEndsOfTheirRange() {
        for (Object number : list(object(Json.cases("values")).get("extremes"))) {
            Map<String, Object> written = with(id("extreme"), "n", of("N", number));
            SHARED.over("PutItem", of("TableName", "things", "Item", written));
            same(written, CLIENT.get("things", id("extreme")).get("Item"));
            CLIENT.put("things", written);
            same(written, SHARED.over("GetItem", of("TableName", "things", "Key", id("extreme"))).get("Item"));
        }
    }

    @Test
    void anItemOfNearly400KbComesBackWhole() {
        Map<String, Object> written =
                with(id("large"), "text", of("S", "x".repeat(200_000)), "bytes", of("B", "AAEC".repeat(66_000)));
        CLIENT.put("things", written);
        for (int time = 0; time < 2; time++) {
            same(written, CLIENT.get("things", id("large")).get("Item"));
        }
    }

    @TestFactory
    Stream<DynamicTest> aProjectionTakesJustWhatItNames() {
        Map<String, Object> document = object(Json.cases("document"));
        CLIENT.put("things", document);
        return list(Json.cases("projections")).stream().map(Json::object).map(one -> dynamicTest((String) one.get("projection"), () -> {
            Map<String, Object> how = of("ProjectionExpression", one.get("projection"));
            if (one.get("names") != null) {
                how.put("ExpressionAttributeNames", one.get("names"));
            }
            READS.forEach((name, read) -> same(one.get("item"), read.item(of("id", document.get("id")), how)));
        }));
    }

    @Test
    void aMissingItemIsNoItem() {
        for (Map<String, Object> how : List.of(of(), of("ProjectionExpression", "a"))) {
            READS.forEach((name, read) -> same(null, read.item(id("never there"), how)));
        }
    }
}

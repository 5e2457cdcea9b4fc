package forebay;

import static forebay.Client.same;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Where answers come from: counted at the node, operation by operation. */
class CachesTest {
    static final String QUERIES = "forebay_query_cache_hits_total";
    static final String SCANS = "forebay_scan_cache_hits_total";

    static String items(String operation) {
        return "forebay_item_cache_hits_total{operation=\"" + operation + "\"}";
    }

    static Map<String, Object> key(String player) {
        return of("game", of("S", "hot"), "player", of("S", player));
    }

    static Map<String, Object> scored(String player) {
        return with(key(player), "country", of("S", "at"), "points", of("N", "1"));
    }

    static Map<String, Object> query(Object... more) {
        return with(of("TableName", "cached", "KeyConditionExpression", "game = :g",
                "ExpressionAttributeValues", of(":g", of("S", "hot"))), more);
    }

    static Map<String, Object> inCountry(String index) {
        return of("TableName", "cached", "IndexName", index, "KeyConditionExpression", "country = :c",
                "ExpressionAttributeValues", of(":c", of("S", "at")));
    }

    static DynamicTest repeated(String name, String operation, String counter, int hits, int pages, Map<String, Object> input) {
        return dynamicTest(name, () -> {
            CLIENT.call(operation, input);
            SHARED.grows(counter, hits, pages, () -> {
                for (int time = 0; time < 10; time++) {
                    CLIENT.call(operation, input);
                }
            });
        });
    }

    static void count(int wanted) {
        for (Map<String, Object> input : List.of(query(), query("IndexName", "by_points"), inCountry("by_country"), inCountry("names"))) {
            same(wanted, CLIENT.call("Query", input).get("Count"));
        }
        same(wanted, CLIENT.call("Scan", of("TableName", "cached")).get("Count"));
    }

    @TestFactory
    Stream<DynamicTest> caches() {
        SHARED.table("scores", "cached");
        CLIENT.put("cached", scored("a"));
        CLIENT.put("cached", scored("b"));
        Map<String, Object> get = of("TableName", "cached", "Key", key("a"));
        return Stream.of(
                repeated("GetItem", "GetItem", items("GetItem"), 10, 0, get),
                repeated("GetItem, projected", "GetItem", items("GetItem"), 10, 0, with(get, "ProjectionExpression", "points")),
                repeated("GetItem, consistent", "GetItem", items("GetItem"), 0, 0, with(get, "ConsistentRead", true)),
                repeated("BatchGetItem", "BatchGetItem", items("BatchGetItem"), 20, 0,
                        of("RequestItems", of("cached", of("Keys", List.of(key("a"), key("b")))))),
                repeated("Query", "Query", QUERIES, 10, 1, query()),
                repeated("Query of a page", "Query", QUERIES, 10, 1, query("Limit", 2)),
                repeated("Query of a projection", "Query", QUERIES, 10, 1, query("ProjectionExpression", "player")),
                repeated("Query of a local index", "Query", QUERIES, 10, 1, query("IndexName", "by_points")),
                repeated("Query of a global index", "Query", QUERIES, 10, 1, inCountry("by_country")),
                repeated("Query of a sparse projection", "Query", QUERIES, 10, 1, inCountry("names")),
                repeated("Scan", "Scan", SCANS, 10, 1, of("TableName", "cached")),
                repeated("Scan of an index", "Scan", SCANS, 10, 1, of("TableName", "cached", "IndexName", "by_points")),
                repeated("Scan of a segment", "Scan", SCANS, 10, 1, of("TableName", "cached", "Segment", 0, "TotalSegments", 1)),
                repeated("an absence", "GetItem", items("GetItem"), 10, 1, of("TableName", "cached", "Key", key("nobody"))),
                dynamicTest("an absence ends with the first write", () -> {
                    CLIENT.put("cached", scored("nobody"));
                    assertNotNull(CLIENT.get("cached", key("nobody")).get("Item"));
                    CLIENT.call("DeleteItem", of("TableName", "cached", "Key", key("nobody")));
                    same(of(), Json.spoken(CLIENT.get("cached", key("nobody"))));
                }),
                dynamicTest("a query sees the write before it", () -> {
                    count(2);
                    CLIENT.put("cached", scored("c"));
                    count(3);
                    CLIENT.call("DeleteItem", of("TableName", "cached", "Key", key("c")));
                    count(2);
                    CLIENT.call("BatchWriteItem", of("RequestItems", of("cached", List.of(of("PutRequest", of("Item", scored("d")))))));
                    count(3);
                    CLIENT.call("TransactWriteItems",
                            of("TransactItems", List.of(of("Delete", of("TableName", "cached", "Key", key("d"))))));
                    count(2);
                    CLIENT.call("UpdateItem", with(get, "UpdateExpression", "REMOVE country, points"));
                    same(1, CLIENT.call("Query", inCountry("names")).get("Count"));
                    same(1, CLIENT.call("Query", query("IndexName", "by_points")).get("Count"));
                }));
    }
}

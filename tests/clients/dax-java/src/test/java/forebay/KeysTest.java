package forebay;

import static forebay.Client.same;
import static forebay.Json.list;
import static forebay.Json.object;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Hash and range keys of every type: all spellings of a number are one key, and ranges come in their order. */
class KeysTest {
    static final Map<String, Object> CASES = object(Json.cases("keys"));

    static List<Object> ascending(String kind) {
        return list(object(CASES.get(kind)).get("ascending"));
    }

    static Object last(List<Object> list) {
        return list.get(list.size() - 1);
    }

    @TestFactory
    Stream<DynamicTest> hashKeys() {
        return CASES.keySet().stream().map(kind -> dynamicTest(kind, () -> {
            String table = SHARED.table("keys-" + kind, kind, null);
            for (Object spellings : ascending(kind)) {
                for (int n = 0; n < list(spellings).size(); n++) {
                    CLIENT.put(table, of("h", of(kind, list(spellings).get(n)), "n", of("N", "" + n)));
                }
                for (Object spelling : list(spellings)) {
                    Map<String, Object> wanted = of("h", of(kind, spelling), "n", of("N", "" + (list(spellings).size() - 1)));
                    same(wanted, CLIENT.get(table, of("h", of(kind, spelling))).get("Item"));
                    same(List.of(wanted), CLIENT.call("Query", of("TableName", table, "KeyConditionExpression", "h = :h",
                            "ExpressionAttributeValues", of(":h", of(kind, spelling)))).get("Items"));
                }
            }
            same(ascending(kind).size(), CLIENT.walk("Scan", of("TableName", table, "Limit", 3)).size());
        }));
    }

    @TestFactory
    Stream<DynamicTest> rangeKeys() {
        return CASES.keySet().stream().flatMap(hash -> CASES.keySet().stream().map(kind ->
                dynamicTest(kind + " under " + hash, () -> rangeKeys(hash, kind))));
    }

    void rangeKeys(String hash, String kind) {
        String table = SHARED.table("keys-" + hash + kind, hash, kind);
        Object partition = of(hash, list(last(ascending(hash))).get(0));
        List<Object> wanted = new ArrayList<>();
        List<Object> keys = ascending(kind);
        // Written from the end: they must come back from the beginning.
        for (int at = keys.size() - 1; at >= 0; at--) {
            List<Object> spellings = list(keys.get(at));
            for (int n = 0; n < spellings.size(); n++) {
                Map<String, Object> item = of("h", partition, "r", of(kind, spellings.get(n)), "n", of("N", "" + n));
                CLIENT.call("BatchWriteItem", of("RequestItems", of(table, List.of(of("PutRequest", of("Item", item))))));
            }
            wanted.add(0, of("h", partition, "r", of(kind, spellings.get(0)), "n", of("N", "" + (spellings.size() - 1))));
        }
        Map<String, Object> all = of("TableName", table, "KeyConditionExpression", "h = :h",
                "ExpressionAttributeValues", of(":h", partition));
        same(wanted, CLIENT.call("Query", all).get("Items"));
        same(wanted, CLIENT.walk("Query", with(all, "Limit", 2)));
        List<Object> reversed = new ArrayList<>(wanted);
        Collections.reverse(reversed);
        same(reversed, CLIENT.walk("Query", with(all, "Limit", 3, "ScanIndexForward", false)));
        for (int at = 0; at < keys.size(); at++) {
            Map<String, Object> key = of("h", partition, "r", of(kind, last(list(keys.get(at)))));
            same(wanted.get(at), CLIENT.get(table, key).get("Item"));
            same(keys.size() - 1 - at, CLIENT.call("Query", of("TableName", table, "KeyConditionExpression", "h = :h AND r > :r",
                    "Select", "COUNT", "ExpressionAttributeValues", of(":h", partition, ":r", key.get("r")))).get("Count"));
        }
        Map<String, Object> prefix = object(object(CASES.get(kind)).get("prefix"));
        if (prefix != null) {
            List<Object> begun = list(CLIENT.call("Query", of("TableName", table, "KeyConditionExpression", "h = :h AND begins_with(r, :r)",
                    "ExpressionAttributeValues", of(":h", partition, ":r", of(kind, prefix.get("of"))))).get("Items"));
            same(prefix.get("found"), begun.stream().map(item -> object(object(item).get("r")).get(kind)).toList());
        }
    }
}

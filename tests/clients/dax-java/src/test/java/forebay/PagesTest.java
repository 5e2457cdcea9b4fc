package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.list;
import static forebay.Json.object;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Queries and scans of many pages, on the table and its indexes, in both directions, and in parallel. */
class PagesTest {
    static final List<String> PLAYERS = IntStream.range(0, 60).mapToObj(at -> String.format("p%03d", at)).toList();
    static final Map<String, Object> OF_GAME = of("TableName", "board", "KeyConditionExpression", "game = :g",
            "ExpressionAttributeValues", of(":g", of("S", "go")));

    @BeforeAll
    static void fill() {
        SHARED.table("scores", "board");
        for (int from = 0; from < 60; from += 20) {
            CLIENT.call("BatchWriteItem", of("RequestItems", of("board", IntStream.range(from, from + 20).mapToObj(at -> of("PutRequest",
                    of("Item", of("game", of("S", "go"), "player", of("S", PLAYERS.get(at)), "points", of("N", "" + (at * 7) % 60),
                            "country", of("S", "at"), "title", of("S", "t" + at))))).toList())));
        }
    }

    static List<String> players(List<Object> items) {
        return new ArrayList<>(items.stream().map(item -> (String) object(object(item).get("player")).get("S")).toList());
    }

    static List<String> sorted(List<String> names) {
        return names.stream().sorted().toList();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 60, 1000})
    void aWalkSeesEachItemOnce(int limit) {
        assertEquals(PLAYERS, players(CLIENT.walk("Query", with(OF_GAME, "Limit", limit))));
        assertEquals(PLAYERS, sorted(players(CLIENT.walk("Scan", of("TableName", "board", "Limit", limit)))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"by_points", "by_country", "names"})
    void anIndexIsWalkedBothWays(String index) {
        String key = index.equals("by_points") ? "game" : "country";
        Map<String, Object> query = of("TableName", "board", "IndexName", index, "KeyConditionExpression", key + " = :k", "Limit", 7,
                "ExpressionAttributeValues", of(":k", of("S", key.equals("game") ? "go" : "at")));
        List<String> there = players(CLIENT.walk("Query", query));
        assertEquals(PLAYERS, sorted(there));
        List<String> back = players(CLIENT.walk("Query", with(query, "ScanIndexForward", false)));
        Collections.reverse(back);
        assertEquals(there, back);
        assertEquals(PLAYERS, sorted(players(CLIENT.walk("Scan", of("TableName", "board", "IndexName", index, "Limit", 11)))));
    }

    @Test
    void projectedPages() {
        List<Object> found = CLIENT.walk("Query", with(OF_GAME, "Limit", 9, "ProjectionExpression", "player"));
        assertEquals(PLAYERS, players(found));
        same(of("player", of("S", "p059")), found.get(59));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8})
    void segmentsShareOutTheTable(int segments) {
        List<Object> together = IntStream.range(0, segments).parallel().boxed().flatMap(segment -> CLIENT.walk("Scan",
                of("TableName", "board", "Segment", segment, "TotalSegments", segments, "Limit", 5)).stream()).toList();
        assertEquals(PLAYERS, sorted(players(together)));
    }

    @Test
    void aPageEndsAtAMegabyte() {
        SHARED.table("megabytes", "S", "N");
        for (int at = 0; at < 11; at++) {
            CLIENT.put("megabytes", of("h", of("S", "x"), "r", of("N", "" + at), "text", of("S", "t".repeat(200_000))));
        }
        Map<String, Object> query = of("TableName", "megabytes", "KeyConditionExpression", "h = :h",
                "ExpressionAttributeValues", of(":h", of("S", "x")));
        Map<String, Object> page = CLIENT.call("Query", query);
        same(6, page.get("Count"));
        same(5, CLIENT.call("Query", with(query, "ExclusiveStartKey", page.get("LastEvaluatedKey"))).get("Count"));
    }

    @Test
    void keysThatDoNotFitInto16MbComeBackUnprocessed() {
        List<Object> keys = new ArrayList<>();
        for (int at = 0; at < 45; at++) {
            keys.add(id("bulky " + at));
            CLIENT.put("things", with(id("bulky " + at), "text", of("S", "t".repeat(399_000))));
        }
        Map<String, Object> wanted = of("things", of("Keys", keys, "ConsistentRead", true));
        int seen = 0;
        for (int round = 0; round < 2; round++) {
            Map<String, Object> answer = CLIENT.call("BatchGetItem", of("RequestItems", wanted));
            seen += list(object(answer.get("Responses")).get("things")).size();
            wanted = object(answer.get("UnprocessedKeys"));
        }
        assertEquals(45, seen);
        same(null, wanted == null || wanted.isEmpty() ? null : wanted);
        keys.forEach(key -> CLIENT.call("DeleteItem", of("TableName", "things", "Key", key)));
    }
}

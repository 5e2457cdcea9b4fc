package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.RulesTest.shaped;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import software.amazon.awssdk.core.exception.SdkException;

/**
 * One client object before and after its node was started anew.
 *
 * <p>What is at stake are the numbers of attribute lists. The client has learned, for this node's address, which number stands for
 * which attribute names, and never forgets it: a node that did would break that client, or mislabel attributes without a word.
 */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class RestartTest {
    static final List<List<String>> SHAPES = List.of(List.of("a"), List.of("b"), List.of("a", "b"), List.of("name", "owner", "value"),
            List.of("value"), List.of());

    /** A client that does not replace its connections, and forget what it learned, when its node is away. */
    static Client steady(Node node) {
        return new Client(node.dax(), how -> how.enableHealthChecks(false));
    }

    @TestFactory
    List<DynamicTest> whatTheClientHasLearnedStaysTrue() {
        return List.of(DynamicTest.dynamicTest("after a graceful stop", () -> learned(Node::stop)),
                DynamicTest.dynamicTest("after kill -9", () -> learned(Node::kill)));
    }

    static void learned(Consumer<Node> end) {
        try (Node node = Node.own()) {
            node.table("things", "things");
            try (Client client = steady(node)) {
                List<Map<String, Object>> written = new ArrayList<>();
                for (List<String> shape : SHAPES) {
                    Map<String, Object> item = shaped("before " + written.size(), shape.toArray(String[]::new));
                    client.put("things", item);
                    // Half of them are read, so that the client knows those lists in the other direction as well.
                    if (written.size() % 2 == 0) {
                        same(item, client.get("things", of("id", item.get("id"))).get("Item"));
                    }
                    written.add(item);
                }
                for (int round = 0; round < 2; round++) {
                    end.accept(node);
                    node.start();
                    try (Client other = new Client(node.dax())) {
                        // Others are first to ask for numbers now; none of those the client holds may be among what they get.
                        for (int at = 0; at < 5; at++) {
                            other.put("things", shaped("other " + at, "new" + round + at));
                        }
                        for (Map<String, Object> item : written) {
                            same(item, client.get("things", of("id", item.get("id"))).get("Item"));
                            Map<String, Object> key = id("again " + round + Json.text(item.get("id")));
                            Map<String, Object> again = with(item, key);
                            client.put("things", again);
                            same(again, client.get("things", key).get("Item"));
                            same(again, other.get("things", key).get("Item"));
                            same(again, node.over("GetItem", of("TableName", "things", "Key", key)).get("Item"));
                        }
                    }
                }
            }
        }
    }

    @Test
    void aClientThatWasThereBeforeItsNodeFindsIt() throws Exception {
        try (Node node = Node.own()) {
            node.table("things", "things");
            node.stop();
            try (Client client = new Client(node.dax())) {
                assertThrows(SdkException.class, () -> client.get("things", id("x")));
                node.start();
                for (boolean found = false; !found; Thread.sleep(50)) {
                    try {
                        client.get("things", id("x"));
                        found = true;
                    } catch (SdkException error) {
                        // The roster is asked for every few seconds.
                    }
                }
            }
        }
    }

    @Test
    void largeAnswersThatWereCutOffByAKillAreAskedForAgain() {
        try (Node node = Node.own()) {
            node.table("things", "things");
            try (Client client = steady(node)) {
                for (int at = 0; at < 8; at++) {
                    client.put("things", with(id("" + at), "text", of("S", "t".repeat(300_000))));
                }
                CompletableFuture<Void> reading = CompletableFuture.runAsync(() -> {
                    for (int time = 0; time < 50; time++) {
                        try {
                            client.call("Scan", of("TableName", "things", "ConsistentRead", true));
                        } catch (SdkException error) {
                            // Whatever becomes of these, the client must be of use afterwards.
                        }
                    }
                });
                node.kill();
                node.start();
                reading.join();
                assertEquals(8, client.walk("Scan", of("TableName", "things")).size());
            }
        }
    }
}

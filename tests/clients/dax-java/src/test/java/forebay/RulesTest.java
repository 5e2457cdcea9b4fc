package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import software.amazon.awssdk.services.dynamodb.model.ResourceNotFoundException;

/** What this client does that a node must bear, one test each. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class RulesTest {
    /** An item with these attributes; what each holds tells its name. */
    static Map<String, Object> shaped(String name, String... attributes) {
        Map<String, Object> item = id(name);
        for (String attribute : attributes) {
            item.put(attribute, of("S", "this is " + attribute));
        }
        return item;
    }

    @Test
    void answersOfAnySizeStandBehindHeaders() {
        // The client asks for layering 1: it waits for the length of an answer before it reads one.
        for (int bytes : new int[] {0, 1, 200, 4_000, 65_000, 399_000}) {
            Map<String, Object> item = with(id("header " + bytes), "text", of("S", "x".repeat(bytes)));
            CLIENT.put("things", item);
            same(item, CLIENT.get("things", id("header " + bytes)).get("Item"));
        }
    }

    @Test
    void partsOfAnItemComeInAMapThatHasAnEnd() {
        // Of a definite map the client takes the end for a value.
        CLIENT.put("things", shaped("parts", "a", "b"));
        Map<String, Object> update = of("TableName", "things", "Key", id("parts"), "UpdateExpression", "SET a = :v, c = :v",
                "ExpressionAttributeValues", of(":v", of("NULL", true)));
        same(of("a", of("S", "this is a")), CLIENT.call("UpdateItem", with(update, "ReturnValues", "UPDATED_OLD")).get("Attributes"));
        same(of("a", of("NULL", true), "c", of("NULL", true)),
                CLIENT.call("UpdateItem", with(update, "ReturnValues", "UPDATED_NEW")).get("Attributes"));
    }

    @Test
    void capacityOfATransactionComesInAMapThatHasAnEnd() {
        // A definite map the client does not read, and what stands behind it is then read as something else.
        Map<String, Object> write = of("TransactItems", List.of(of("Put", of("TableName", "scores", "Item",
                of("game", of("S", "rules"), "player", of("S", "p"), "points", of("N", "1"))))), "ReturnConsumedCapacity", "INDEXES",
                "ReturnItemCollectionMetrics", "SIZE");
        Map<String, Object> answer = CLIENT.call("TransactWriteItems", write);
        assertEquals(1, Json.list(answer.get("ConsumedCapacity")).size());
        assertEquals(1, Json.object(answer.get("ItemCollectionMetrics")).size());
    }

    @Test
    void theNamesOfAnAttributeListComeAsASet() {
        // And in the order of UTF-16, which puts what is beyond the basic plane before its end.
        for (int at = 0; at < 10; at++) {
            Map<String, Object> item = shaped("names " + at, "z", "a", "\uffee", "🐎", "Z", "é", "_");
            CLIENT.put("things", item);
            same(item, CLIENT.get("things", id("names " + at)).get("Item"));
            same(item, SHARED.over("GetItem", of("TableName", "things", "Key", id("names " + at))).get("Item"));
        }
    }

    @Test
    void definitionsOnOtherConnectionsInTheMiddleOfARequest() {
        try (Client fresh = new Client(SHARED.dax())) {
            List<Object> writes = new ArrayList<>();
            for (int at = 0; at < 25; at++) {
                Map<String, Object> item = with(shaped("middle " + at, "fresh" + at), "text", of("S", "t".repeat(5000)));
                writes.add(of("PutRequest", of("Item", item)));
            }
            fresh.call("BatchWriteItem", of("RequestItems", of("things", writes)));
            for (int at = 0; at < 25; at++) {
                same(of("S", "this is fresh" + at),
                        Json.object(fresh.get("things", id("middle " + at)).get("Item")).get("fresh" + at));
            }
        }
    }

    @Test
    void aTableThatIsNotThereIsAskedForAgainAndAgain() {
        for (String operation : List.of("GetItem", "UpdateItem", "DeleteItem")) {
            Map<String, Object> nowhere = of("TableName", "nowhere", "Key", id("x"));
            CLIENT.fails(operation, nowhere, "ResourceNotFoundException");
        }
        assertThrows(ResourceNotFoundException.class, () -> CLIENT.call("TransactWriteItems",
                of("TransactItems", List.of(of("Delete", of("TableName", "nowhere", "Key", id("x")))))));
    }

    @Test
    void aConnectionGoesOnAfterAnError() {
        String connections = "forebay_client_connections{protocol=\"dax\"}";
        double before = SHARED.counter(connections);
        for (int time = 0; time < 50; time++) {
            CLIENT.fails("PutItem", of("TableName", "things", "Item", id("never"), "ConditionExpression", "attribute_exists(id)"),
                    "ConditionalCheckFailedException");
        }
        assertTrue(SHARED.counter(connections) <= before + 3 * Node.behind());
    }

    @Test
    void manyAtOnce() {
        try (Client fresh = new Client(SHARED.dax())) {
            List<CompletableFuture<Void>> writers = new ArrayList<>();
            for (int writer = 0; writer < 32; writer++) {
                String name = "many " + writer;
                writers.add(CompletableFuture.runAsync(() -> {
                    for (int at = 0; at < 20; at++) {
                        Map<String, Object> item = shaped(name, "list" + at % 4);
                        fresh.put("things", item);
                        same(item, fresh.get("things", id(name)).get("Item"));
                    }
                }));
            }
            writers.forEach(CompletableFuture::join);
        }
    }
}

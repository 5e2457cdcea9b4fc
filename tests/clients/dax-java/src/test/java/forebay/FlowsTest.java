package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.list;
import static forebay.Json.object;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.Node.CLIENT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The flows that the suites of all languages share, and every error. */
class FlowsTest {
    /** Reads, for each node beyond the first, after which a client that picks nodes at random has met all. */
    private static final int MEETING_READS = 20;

    @TestFactory
    Stream<DynamicContainer> flows() throws Exception {
        List<String> files;
        try (Stream<Path> found = Files.list(Path.of("..", "_dax", "flows"))) {
            files = found.map(file -> file.getFileName().toString().replace(".json", "")).sorted().toList();
        }
        return files.stream().flatMap(file -> list(Json.cases("flows/" + file)).stream()).map(Json::object).map(flow -> {
            List<Object> calls = list(flow.get("calls"));
            return dynamicContainer((String) flow.get("name"), IntStream.range(0, calls.size()).mapToObj(at -> {
                Map<String, Object> step = object(calls.get(at));
                return dynamicTest(at + " " + step.get("call"), () -> take(step));
            }));
        });
    }

    static void take(Map<String, Object> step) {
        String call = (String) step.get("call");
        Map<String, Object> input = object(step.get("with"));
        if (step.get("fails") != null) {
            Client.Failure failure = CLIENT.fails(call, input, (String) step.get("fails"));
            if (step.get("message") != null) {
                assertEquals(step.get("message"), failure.message());
            }
            if (step.get("reasons") != null) {
                same(step.get("reasons"), failure.reasons());
            }
            return;
        }
        Map<String, Object> answer = Json.spoken(CLIENT.call(call, input));
        // This client learns names of attributes from each node for itself, and puts a reason whose item has names that it must ask for
        // behind the others. So what it is to know it reads often enough to have met every node.
        for (int again = 1; call.equals("GetItem") && again < MEETING_READS * (Node.behind() - 1); again++) {
            same(answer, Json.spoken(CLIENT.call(call, input)));
        }
        if (step.get("any") != null) {
            list(step.get("any")).forEach(answer::remove);
        }
        if (step.get("gives") != null) {
            same(Json.spoken(step.get("gives")), answer);
        }
    }

    @Test
    void overloadIsToldAsThrottling() {
        try (Node node = Node.own("dax.max_requests_in_flight=0")) {
            node.table("things", "things");
            try (Client client = new Client(node.dax(), how -> how.readRetries(1).writeRetries(1))) {
                client.fails("GetItem", of("TableName", "things", "Key", id("x")), "ThrottlingException");
                client.fails("PutItem", of("TableName", "things", "Item", id("x")), "ThrottlingException");
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> errors() {
        CLIENT.put("things", with(id("error"), "s", of("S", "text"), "m", of("M", of())));
        return list(Json.cases("errors")).stream().map(Json::object).map(wrong -> dynamicTest((String) wrong.get("name"), () -> {
            Client.Failure failure =
                    CLIENT.fails((String) wrong.get("operation"), object(wrong.get("params")), (String) wrong.get("code"));
            assertEquals(wrong.get("message"), failure.message());
            // The connection goes on.
            CLIENT.get("things", id("error"));
        }));
    }
}

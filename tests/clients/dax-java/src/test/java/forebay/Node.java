package forebay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A running node: the one all tests share, or one of a test's own. */
final class Node implements AutoCloseable {
    /** The one all tests share, and a client of it. */
    static final Node SHARED = new Node(Map.of("http", System.getenv("FOREBAY_ENDPOINT"), "dax", System.getenv("FOREBAY_DAX"),
            "admin", System.getenv("FOREBAY_ADMIN")));
    static final Client CLIENT = new Client(SHARED.dax());
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final long PATIENCE_SECONDS = 30;

    static {
        SHARED.table("things", "things");
        SHARED.table("scores", "scores");
    }

    private final Map<String, String> addresses;
    private List<String> settings;
    private Path folder;
    private Process process;

    private Node(Map<String, String> addresses) {
        this.addresses = addresses;
    }

    /** Starts a node with its data in a folder of its own. Its ports are free ones, and the same after a restart. */
    static Node own(String... settings) {
        Node node = new Node(new HashMap<>());
        try {
            node.folder = Files.createTempDirectory("forebay-");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        node.start(settings);
        return node;
    }

    String http() {
        return addresses.get("http");
    }

    String dax() {
        return addresses.get("dax");
    }

    String daxs() {
        return addresses.get("daxs");
    }

    String port(String name) {
        String address = addresses.getOrDefault(name, ":0");
        return address.substring(address.lastIndexOf(':') + 1);
    }

    void start(String... settings) {
        this.settings = List.of(settings);
        start();
    }

    void start() {
        List<String> command = new ArrayList<>(List.of(System.getenv("FOREBAY_BIN"), "dev", "--data", folder.resolve("data").toString(),
                "--http-port", port("http"), "--dax-port", port("dax"), "--dax-tls-port", port("daxs"), "--grpc-port", port("grpc"), "--admin-port", port("admin")));
        settings.forEach(setting -> command.addAll(List.of("--set", setting)));
        try {
            process = new ProcessBuilder(command).redirectError(folder.resolve("log.txt").toFile()).start();
            BufferedReader said = process.inputReader();
            for (String line = said.readLine(); line != null && !line.startsWith("data "); line = said.readLine()) {
                String[] words = line.trim().split(" +");
                if (words.length == 2) {
                    addresses.put(words[0].equals("https") ? "http" : words[0], words[1]);
                }
            }
            // Read to the end, so that the node never blocks on a full pipe.
            Thread reader = new Thread(() -> said.lines().forEach(line -> {}));
            reader.setDaemon(true);
            reader.start();
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
            while (!isReady()) {
                assertTrue(System.nanoTime() < until, () -> "the node is not ready: " + log());
                Thread.sleep(20);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private boolean isReady() throws InterruptedException {
        try {
            return send(HttpRequest.newBuilder(URI.create(addresses.get("admin") + "/ready")).build()).statusCode() == 200;
        } catch (UncheckedIOException error) {
            return false;
        }
    }

    private String log() {
        try {
            return Files.readString(folder.resolve("log.txt"));
        } catch (IOException error) {
            return error.toString();
        }
    }

    /** Asks the node to stop, which it must do by itself and well. */
    void stop() {
        process.destroy();
        await();
        assertEquals(0, process.exitValue(), this::log);
    }

    /** Leaves the node no time for anything. */
    void kill() {
        process.destroyForcibly();
        await();
    }

    private void await() {
        try {
            assertTrue(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the node does not stop");
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void close() {
        kill();
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** Runs an operation over HTTP, for what DAX clients can't do, and to see what they did. */
    Map<String, Object> over(String operation, Map<String, Object> input) {
        HttpResponse<String> answer = send(HttpRequest.newBuilder(URI.create(http()))
                .header("Content-Type", "application/x-amz-json-1.0").header("X-Amz-Target", "DynamoDB_20120810." + operation)
                .header("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, "
                        + "SignedHeaders=host, Signature=0")
                .POST(HttpRequest.BodyPublishers.ofString(Json.text(input))).build());
        assertEquals(200, answer.statusCode(), () -> operation + " " + Json.text(input) + ": " + answer.body());
        return Json.object(Json.parse(answer.body()));
    }

    private static HttpResponse<String> send(HttpRequest request) {
        try {
            return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Makes one of the shared tables, by its name there or another. */
    String table(String like, String name) {
        return create(Json.with(Json.object(Json.object(Json.cases("tables")).get(like)), "TableName", name));
    }

    /** Makes a table with a hash key `h` and, unless its type is null, a range key `r`. */
    String table(String name, String hash, String range) {
        List<Object> schema = new ArrayList<>(List.of(Json.of("AttributeName", "h", "KeyType", "HASH")));
        List<Object> attributes = new ArrayList<>(List.of(Json.of("AttributeName", "h", "AttributeType", hash)));
        if (range != null) {
            schema.add(Json.of("AttributeName", "r", "KeyType", "RANGE"));
            attributes.add(Json.of("AttributeName", "r", "AttributeType", range));
        }
        return create(Json.of("TableName", name, "BillingMode", "PAY_PER_REQUEST", "KeySchema", schema,
                "AttributeDefinitions", attributes));
    }

    String create(Map<String, Object> input) {
        over("CreateTable", input);
        Map<String, Object> name = Json.of("TableName", input.get("TableName"));
        while (!Json.object(over("DescribeTable", name).get("Table")).get("TableStatus").equals("ACTIVE")) {
            Thread.onSpinWait();
        }
        return (String) input.get("TableName");
    }

    /** Sum of a counter over its labels, or of those written behind its name. */
    double counter(String name) {
        List<String> rows = send(HttpRequest.newBuilder(URI.create(addresses.get("admin") + "/metrics")).build()).body().lines()
                .filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{")).toList();
        assertTrue(!rows.isEmpty(), name + " is not among the metrics");
        return rows.stream().mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1))).sum();
    }

    /** How many nodes stand behind the endpoints of the shared one. */
    static int behind() {
        return Integer.parseInt(System.getenv().getOrDefault("FOREBAY_NODES", "1"));
    }

    /**
     * Runs what must raise a counter by just so much. Of so many pages (an absence is one, since nobody wrote it), each node behind
     * the endpoint but the one that was asked before may have its own first read: memory is each node's own, and only what is written
     * is in all of them.
     */
    void grows(String name, double by, int pages, Runnable run) {
        double before = counter(name);
        run.run();
        double grown = counter(name) - before;
        double least = by - pages * (behind() - 1);
        assertTrue(least <= grown && grown <= by, name + " grew by " + grown + ", not by " + least + " to " + by);
    }
}

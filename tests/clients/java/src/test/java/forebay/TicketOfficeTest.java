package forebay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.enhanced.dynamodb.DynamoDbEnhancedClient;
import software.amazon.awssdk.enhanced.dynamodb.DynamoDbTable;
import software.amazon.awssdk.enhanced.dynamodb.Expression;
import software.amazon.awssdk.enhanced.dynamodb.Key;
import software.amazon.awssdk.enhanced.dynamodb.TableSchema;
import software.amazon.awssdk.enhanced.dynamodb.extensions.annotations.DynamoDbVersionAttribute;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbBean;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbPartitionKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSecondaryPartitionKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSecondarySortKey;
import software.amazon.awssdk.enhanced.dynamodb.mapper.annotations.DynamoDbSortKey;
import software.amazon.awssdk.enhanced.dynamodb.model.QueryConditional;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ConditionalCheckFailedException;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.model.ReturnConsumedCapacity;
import software.amazon.awssdk.services.dynamodb.model.TransactWriteItem;
import software.amazon.awssdk.services.dynamodb.model.TransactionCanceledException;
import software.amazon.awssdk.services.dynamodb.model.Update;
import software.amazon.awssdk.services.dynamodb.model.WriteRequest;

/** A ticket office: shows, seats and buyers who come at once. */
class TicketOfficeTest {
    static final URI ENDPOINT = URI.create(System.getenv("FOREBAY_ENDPOINT"));
    static final StaticCredentialsProvider CREDENTIALS =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local"));
    static final DynamoDbClient client = DynamoDbClient.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1)
            .credentialsProvider(CREDENTIALS).httpClientBuilder(UrlConnectionHttpClient.builder()).build();
    static final DynamoDbAsyncClient async = DynamoDbAsyncClient.builder().endpointOverride(ENDPOINT)
            .region(Region.US_EAST_1).credentialsProvider(CREDENTIALS).build();
    static final DynamoDbEnhancedClient enhanced = DynamoDbEnhancedClient.builder().dynamoDbClient(client).build();
    static final DynamoDbTable<Seat> seats = enhanced.table("seats", TableSchema.fromBean(Seat.class));

    @DynamoDbBean
    public static class Seat {
        private String show;
        private Integer number;
        private String buyer;
        private Instant sold;
        private Set<String> labels;
        private List<Map<String, Double>> prices;
        private Long version;

        @DynamoDbPartitionKey
        public String getShow() { return show; }
        public void setShow(String show) { this.show = show; }
        @DynamoDbSortKey
        public Integer getNumber() { return number; }
        public void setNumber(Integer number) { this.number = number; }
        @DynamoDbSecondaryPartitionKey(indexNames = "buyers")
        public String getBuyer() { return buyer; }
        public void setBuyer(String buyer) { this.buyer = buyer; }
        @DynamoDbSecondarySortKey(indexNames = "buyers")
        public Instant getSold() { return sold; }
        public void setSold(Instant sold) { this.sold = sold; }
        public Set<String> getLabels() { return labels; }
        public void setLabels(Set<String> labels) { this.labels = labels; }
        public List<Map<String, Double>> getPrices() { return prices; }
        public void setPrices(List<Map<String, Double>> prices) { this.prices = prices; }
        @DynamoDbVersionAttribute
        public Long getVersion() { return version; }
        public void setVersion(Long version) { this.version = version; }
    }

    static Seat seat(String show, int number, String buyer) {
        Seat seat = new Seat();
        seat.setShow(show);
        seat.setNumber(number);
        if (buyer != null) {
            seat.setBuyer(buyer);
            seat.setSold(Instant.parse("2026-01-01T00:00:00Z").plusSeconds(number));
        }
        return seat;
    }

    static Map<String, AttributeValue> key(String show, int number) {
        return Map.of("show", AttributeValue.fromS(show), "number", AttributeValue.fromN("" + number));
    }

    static double counter(String name) throws Exception {
        String body = HttpClient.newHttpClient().send(
                HttpRequest.newBuilder(URI.create(System.getenv("FOREBAY_ADMIN") + "/metrics")).build(),
                HttpResponse.BodyHandlers.ofString()).body();
        List<String> rows = body.lines().filter(l -> l.startsWith(name + " ") || l.startsWith(name + "{")).toList();
        assertTrue(!rows.isEmpty(), name + " is not among the metrics");
        return rows.stream().mapToDouble(l -> Double.parseDouble(l.substring(l.lastIndexOf(' ') + 1))).sum();
    }

    @BeforeAll
    static void open() {
        seats.createTable(request -> request.globalSecondaryIndices(index -> index.indexName("buyers")
                .projection(p -> p.projectionType(ProjectionType.ALL))
                .provisionedThroughput(t -> t.readCapacityUnits(50L).writeCapacityUnits(50L)))
                .provisionedThroughput(t -> t.readCapacityUnits(50L).writeCapacityUnits(50L)));
        client.waiter().waitUntilTableExists(r -> r.tableName("seats"));
    }

    @AfterAll
    static void close() {
        client.deleteTable(r -> r.tableName("seats"));
        client.waiter().waitUntilTableNotExists(r -> r.tableName("seats"));
        async.close();
        client.close();
    }

    @Test
    void aBeanComesBackWhole() {
        Seat seat = seat("opera", 1, "eva");
        seat.setLabels(Set.of("box", "view"));
        seat.setPrices(List.of(Map.of("full", 99.5, "half", 49.75)));
        seats.putItem(seat);
        Seat found = seats.getItem(seat);
        assertEquals(seat.getLabels(), found.getLabels());
        assertEquals(seat.getPrices(), found.getPrices());
        assertEquals(seat.getSold(), found.getSold());
        assertNull(seats.getItem(Key.builder().partitionValue("opera").sortValue(999).build()));
    }

    @Test
    void aRepeatedReadComesFromMemory() throws Exception {
        seats.putItem(seat("hot", 1, null));
        seats.getItem(seat("hot", 1, null));
        boolean counted = !System.getenv("FOREBAY_ADMIN").equals("none");
        double before = counted ? counter("forebay_item_cache_hits_total") : 0;
        for (int n = 0; n < 10; n++) {
            assertEquals(1, seats.getItem(seat("hot", 1, null)).getNumber());
        }
        if (counted) {
            assertTrue(counter("forebay_item_cache_hits_total") - before >= 10);
        }
    }

    @Test
    void aSeatIsSoldOnce() {
        List<CompletableFuture<Boolean>> buyers = IntStream.range(0, 24).mapToObj(n -> async.putItem(r -> r
                .tableName("seats")
                .item(Map.of("show", AttributeValue.fromS("race"), "number", AttributeValue.fromN("1"),
                        "buyer", AttributeValue.fromS("b" + n), "sold", AttributeValue.fromS("now")))
                .conditionExpression("attribute_not_exists(#s)").expressionAttributeNames(Map.of("#s", "show")))
                .handle((answer, error) -> {
                    if (error != null) {
                        assertTrue(error.getCause() instanceof ConditionalCheckFailedException, error.toString());
                    }
                    return error == null;
                })).toList();
        assertEquals(1, buyers.stream().filter(CompletableFuture::join).count());
    }

    @Test
    void aStaleVersionIsRefused() {
        seats.putItem(seat("version", 1, null));
        Seat one = seats.getItem(seat("version", 1, null));
        Seat two = seats.getItem(seat("version", 1, null));
        one.setBuyer("one");
        one.setSold(Instant.EPOCH);
        seats.updateItem(one);
        assertThrows(ConditionalCheckFailedException.class, () -> seats.updateItem(two));
        assertEquals("one", seats.getItem(two).getBuyer());
    }

    @Test
    void anIndexFollowsEachWrite() {
        QueryConditional adam = QueryConditional.keyEqualTo(k -> k.partitionValue("adam"));
        for (int n = 1; n <= 10; n++) {
            seats.putItem(seat("index", n, "adam"));
            assertEquals(n, seats.index("buyers").query(adam).stream().mapToInt(page -> page.items().size()).sum());
        }
        seats.deleteItem(seat("index", 1, null));
        assertEquals(9, seats.index("buyers").query(adam).stream().mapToInt(page -> page.items().size()).sum());
    }

    @Test
    void batchesPagesAndFilters() {
        // The enhanced client refuses to batch puts of a versioned bean.
        List<WriteRequest> puts = IntStream.range(0, 25).mapToObj(n ->
                WriteRequest.builder().putRequest(put -> put.item(key("bulk", n))).build()).toList();
        assertTrue(client.batchWriteItem(r -> r.requestItems(Map.of("seats", puts))).unprocessedItems().isEmpty());
        List<Integer> numbers = new ArrayList<>();
        seats.query(r -> r.queryConditional(QueryConditional.sortBetween(
                from -> from.partitionValue("bulk").sortValue(3), to -> to.partitionValue("bulk").sortValue(21)))
                .limit(4).scanIndexForward(false)).items().forEach(seat -> numbers.add(seat.getNumber()));
        assertEquals(IntStream.rangeClosed(3, 21).map(n -> 24 - n).boxed().toList(), numbers);
        long even = seats.scan(r -> r.limit(6).filterExpression(Expression.builder().expression("#s = :s AND #n IN (:a, :b)")
                .expressionNames(Map.of("#s", "show", "#n", "number"))
                .expressionValues(Map.of(":s", AttributeValue.fromS("bulk"), ":a", AttributeValue.fromN("2"),
                        ":b", AttributeValue.fromN("4.0"))).build())).items().stream().count();
        assertEquals(2, even);
    }

    @Test
    void aCancelledTransactionSaysWhy() {
        seats.putItem(seat("trans", 1, null));
        TransactWriteItem check = TransactWriteItem.builder().conditionCheck(c -> c.tableName("seats")
                .key(key("trans", 1)).conditionExpression("attribute_exists(buyer)")).build();
        TransactWriteItem update = TransactWriteItem.builder().update(Update.builder().tableName("seats")
                .key(key("trans", 2)).updateExpression("SET picture = :b")
                .expressionAttributeValues(Map.of(":b", AttributeValue.fromB(SdkBytes.fromByteArray(new byte[] {0, -1}))))
                .build()).build();
        TransactionCanceledException cancelled = assertThrows(TransactionCanceledException.class,
                () -> client.transactWriteItems(r -> r.transactItems(check, update)));
        assertEquals(List.of("ConditionalCheckFailed", "None"),
                cancelled.cancellationReasons().stream().map(reason -> reason.code()).toList());
        client.transactWriteItems(r -> r.transactItems(update));
        assertEquals(2, client.getItem(r -> r.tableName("seats").key(key("trans", 2)).consistentRead(true))
                .item().get("picture").b().asByteArray().length);
    }

    @Test
    void errorsAndCapacityAreThoseOfTheService() {
        DynamoDbException wrong = assertThrows(DynamoDbException.class, () -> client.getItem(r -> r.tableName("seats")
                .key(Map.of("show", AttributeValue.fromN("1"), "number", AttributeValue.fromN("1")))));
        assertEquals("ValidationException", wrong.awsErrorDetails().errorCode());
        assertEquals(1.0, client.putItem(r -> r.tableName("seats").item(key("capacity", 1))
                .returnConsumedCapacity(ReturnConsumedCapacity.TOTAL)).consumedCapacity().capacityUnits());
    }
}

package forebay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.BatchGetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.BatchWriteItemRequest;
import software.amazon.awssdk.services.dynamodb.model.DeleteItemRequest;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.PutItemRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.ScanRequest;
import software.amazon.awssdk.services.dynamodb.model.TransactGetItemsRequest;
import software.amazon.awssdk.services.dynamodb.model.TransactWriteItemsRequest;
import software.amazon.awssdk.services.dynamodb.model.TransactionCanceledException;
import software.amazon.awssdk.services.dynamodb.model.UpdateItemRequest;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.dax.ClusterDaxClient;
import software.amazon.dax.Configuration;

/** The client under test, in terms of DynamoDB's JSON. */
final class Client implements AutoCloseable {
    private final DynamoDbClient dax;

    Client(String endpoint) {
        this(endpoint, how -> how);
    }

    Client(String endpoint, UnaryOperator<Configuration.Builder> how) {
        Configuration.Builder configuration = Configuration.builder().url(endpoint).region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local")))
                .requestTimeoutMillis(20_000);
        try {
            dax = ClusterDaxClient.builder().overrideConfiguration(how.apply(configuration).build()).build();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public void close() {
        dax.close();
    }

    Map<String, Object> call(String operation, Map<String, Object> input) {
        return Json.object(Json.said(switch (operation) {
            case "GetItem" -> dax.getItem((GetItemRequest) Json.build(GetItemRequest.builder(), input));
            case "PutItem" -> dax.putItem((PutItemRequest) Json.build(PutItemRequest.builder(), input));
            case "UpdateItem" -> dax.updateItem((UpdateItemRequest) Json.build(UpdateItemRequest.builder(), input));
            case "DeleteItem" -> dax.deleteItem((DeleteItemRequest) Json.build(DeleteItemRequest.builder(), input));
            case "Query" -> dax.query((QueryRequest) Json.build(QueryRequest.builder(), input));
            case "Scan" -> dax.scan((ScanRequest) Json.build(ScanRequest.builder(), input));
            case "BatchGetItem" -> dax.batchGetItem((BatchGetItemRequest) Json.build(BatchGetItemRequest.builder(), input));
            case "BatchWriteItem" -> dax.batchWriteItem((BatchWriteItemRequest) Json.build(BatchWriteItemRequest.builder(), input));
            case "TransactGetItems" ->
                dax.transactGetItems((TransactGetItemsRequest) Json.build(TransactGetItemsRequest.builder(), input));
            case "TransactWriteItems" ->
                dax.transactWriteItems((TransactWriteItemsRequest) Json.build(TransactWriteItemsRequest.builder(), input));
            default -> throw new IllegalArgumentException("the client has no " + operation);
        }));
    }

    /** An error of the service, as the client shows it. */
    record Failure(String code, String message, List<Object> reasons) {}

    /** Runs an operation that must be refused with this error. */
    Failure fails(String operation, Map<String, Object> input, String code) {
        try {
            return fail(operation + " " + Json.text(input) + ": wanted " + code + ", got " + Json.text(call(operation, input)));
        } catch (AwsServiceException error) {
            assertNotNull(error.awsErrorDetails(), error.toString());
            List<Object> reasons = error instanceof TransactionCanceledException cancelled
                    ? Json.list(Json.said(cancelled.cancellationReasons())) : List.of();
            // The client puts the codes of the wire before the message.
            String message = error.awsErrorDetails().errorMessage().replaceFirst("^\\[[0-9.]*\\] ", "");
            assertEquals(code, error.awsErrorDetails().errorCode(), message);
            return new Failure(error.awsErrorDetails().errorCode(), message, reasons);
        }
    }

    Map<String, Object> get(String table, Map<String, Object> key) {
        return call("GetItem", Json.of("TableName", table, "Key", key));
    }

    void put(String table, Map<String, Object> item) {
        call("PutItem", Json.of("TableName", table, "Item", item));
    }

    /** The items of all pages. */
    List<Object> walk(String operation, Map<String, Object> input) {
        List<Object> all = new java.util.ArrayList<>();
        Map<String, Object> page = Json.of("LastEvaluatedKey", null);
        for (int pages = 0; pages < 1000; pages++) {
            Object from = page.get("LastEvaluatedKey");
            page = call(operation, from == null ? input : Json.with(input, "ExclusiveStartKey", from));
            if (page.get("Items") != null) {
                all.addAll(Json.list(page.get("Items")));
            }
            if (page.get("LastEvaluatedKey") == null) {
                return all;
            }
        }
        return fail("the pages have no end");
    }

    static void same(Object wanted, Object found) {
        assertEquals(Json.canonical(wanted), Json.canonical(found));
    }
}

package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.of;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;

/** A node that knows whom to let in. */
@Timeout(value = 30, unit = TimeUnit.SECONDS)
class CredentialsTest {
    @TempDir
    static Path folder;
    static Node node;

    @BeforeAll
    static void open() throws Exception {
        Path file = folder.resolve("credentials");
        Files.writeString(file, """
                [one]
                aws_access_key_id = AKIDONE
                aws_secret_access_key = secret one
                [two]
                aws_access_key_id = AKIDTWO
                aws_secret_access_key = secret two
                """);
        node = Node.own();
        node.table("things", "things");
        node.stop();
        node.start("credentials.file=" + file);
    }

    @AfterAll
    static void close() {
        node.close();
    }

    static Client client(AwsCredentialsProvider provider) {
        return new Client(node.dax(), how -> how.credentialsProvider(provider));
    }

    @Test
    void aRightSignature() {
        try (Client client = client(() -> AwsBasicCredentials.create("AKIDONE", "secret one"))) {
            client.put("things", id("x"));
            same(id("x"), client.get("things", id("x")).get("Item"));
            // Errors of the service are its own.
            client.fails("GetItem", of("TableName", "nowhere", "Key", id("x")), "ResourceNotFoundException");
        }
    }

    @ParameterizedTest
    @CsvSource({"AKIDONE,secret two", "AKIDTHREE,secret one"})
    void aWrongOne(String id, String secret) {
        assertThrows(SdkException.class, () -> {
            try (Client client = client(() -> AwsBasicCredentials.create(id, secret))) {
                client.get("things", id("x"));
            }
        });
    }

    @Test
    void aClientThatChangesItsKeyInTheMiddle() {
        AtomicInteger turns = new AtomicInteger();
        try (Client client = client(() -> turns.incrementAndGet() % 2 == 0 ? AwsBasicCredentials.create("AKIDONE", "secret one")
                : AwsBasicCredentials.create("AKIDTWO", "secret two"))) {
            client.put("things", id("x"));
            for (int time = 0; time < 20; time++) {
                same(id("x"), client.get("things", id("x")).get("Item"));
            }
        }
    }
}

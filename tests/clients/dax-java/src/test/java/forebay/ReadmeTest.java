package forebay;

import static forebay.Json.of;
import static forebay.Node.SHARED;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's snippet for Java, as it is pasted, but for the addresses. */
class ReadmeTest {
    @Test
    void theSnippetPrintsTheItem(@TempDir Path folder) throws Exception {
        List<MatchResult> found = Pattern.compile("^```java\n(.*?)^```", Pattern.MULTILINE | Pattern.DOTALL)
                .matcher(Files.readString(Path.of("..", "..", "..", "README.md"))).results().toList();
        assertEquals(1, found.size());
        Path program = folder.resolve("Hit.java");
        Files.writeString(program, found.get(0).group(1).replace("http://127.0.0.1:8000", SHARED.http())
                .replace("dax://127.0.0.1:8111", SHARED.dax()));
        SHARED.create(of("TableName", "coupons", "BillingMode", "PAY_PER_REQUEST",
                "KeySchema", List.of(of("AttributeName", "code", "KeyType", "HASH")),
                "AttributeDefinitions", List.of(of("AttributeName", "code", "AttributeType", "S"))));
        SHARED.over("PutItem", of("TableName", "coupons", "Item", of("code", of("S", "SUN"), "percent", of("N", "15"))));
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp", System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), program.toString())
                .redirectError(folder.resolve("log.txt").toFile()).start();
        assertEquals("15\n15\n", new String(process.getInputStream().readAllBytes()), () -> log(folder));
        assertEquals(0, process.waitFor());
    }

    static String log(Path folder) {
        try {
            return Files.readString(folder.resolve("log.txt"));
        } catch (IOException error) {
            return error.toString();
        }
    }
}

package forebay;

import static forebay.Client.same;
import static forebay.Json.id;
import static forebay.Json.of;
import static forebay.Json.with;
import static forebay.RulesTest.shaped;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.exception.SdkException;

/** DAX over TLS: by host name and by address, and not with another's certificate. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TlsTest {
    static final char[] PASSWORD = "forebay".toCharArray();
    @TempDir
    static Path folder;
    static Node node;

    /** Makes a certificate that is its own authority, and the settings of a node that has it. */
    static String[] certify(Path store) throws Exception {
        int done = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(), "-genkeypair",
                "-alias", "node", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=forebay test", "-ext", "bc:c", "-ext",
                "san=dns:localhost,ip:127.0.0.1", "-validity", "2", "-storetype", "PKCS12", "-keystore", store.toString(),
                "-storepass", new String(PASSWORD)).inheritIO().start().waitFor();
        assertEquals(0, done);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream input = Files.newInputStream(store)) {
            keys.load(input, PASSWORD);
        }
        Path certificate = Path.of(store + ".certificate.pem");
        Path key = Path.of(store + ".key.pem");
        Files.writeString(certificate, pem("CERTIFICATE", keys.getCertificate("node").getEncoded()));
        Files.writeString(key, pem("PRIVATE KEY", keys.getKey("node", PASSWORD).getEncoded()));
        return new String[] {"tls.certificate_file=" + certificate, "tls.key_file=" + key};
    }

    static String pem(String what, byte[] bytes) {
        return "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder(64, "\n".getBytes()).encodeToString(bytes)
                + "\n-----END " + what + "-----\n";
    }

    @BeforeAll
    static void open() throws Exception {
        Path trusted = folder.resolve("trusted.p12");
        String[] settings = certify(trusted);
        // The JDK reads these whenever a client asks for its trust store.
        System.setProperty("javax.net.ssl.trustStore", trusted.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", new String(PASSWORD));
        node = Node.own();
        node.table("things", "things");
        node.stop();
        node.start(settings);
    }

    @AfterAll
    static void close() {
        System.clearProperty("javax.net.ssl.trustStore");
        System.clearProperty("javax.net.ssl.trustStorePassword");
        node.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "localhost"})
    void aCertificateThatNamesTheHost(String host) {
        try (Client client = new Client("daxs://" + host + ":" + node.port("daxs"))) {
            Map<String, Object> written = with(id(host), "text", of("S", "x".repeat(300_000)));
            client.put("things", written);
            same(written, client.get("things", id(host)).get("Item"));
            client.fails("PutItem", of("TableName", "things", "Item", written, "ConditionExpression", "attribute_not_exists(id)"),
                    "ConditionalCheckFailedException");
        }
    }

    @Test
    void aCertificateThatDoesNotNameTheHost() {
        refused("daxs://127.0.0.2:" + node.port("daxs"));
    }

    @Test
    void aCertificateThatIsNotTrusted() throws Exception {
        try (Node other = Node.own(certify(folder.resolve("other.p12")))) {
            refused(other.daxs());
        }
    }

    static void refused(String endpoint) {
        try (Client client = new Client(endpoint)) {
            assertThrows(SdkException.class, () -> client.get("things", id("x")));
        }
    }

    @Test
    void aClientSurvivesARestart() {
        try (Client client = new Client(node.daxs(), how -> how.enableHealthChecks(false))) {
            Map<String, Object> written = shaped("restart", "learned");
            client.put("things", written);
            node.kill();
            node.start();
            same(written, client.get("things", id("restart")).get("Item"));
            client.put("things", written);
        }
    }
}

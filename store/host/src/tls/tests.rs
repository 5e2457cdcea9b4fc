//! With real certificates made on the spot, and real handshakes over an in-memory pipe.

use std::fs;

use base64::Engine;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::*;

/// A folder of its own that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("forebay-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate_file: self.0.join("cert.pem"),
            key_file: self.0.join("key.pem"),
            client_ca_file: None,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left in the temporary directory fails no test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pair() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("makes a pair")
}

fn write_pair(folder: &Folder, pair: &rcgen::CertifiedKey<rcgen::KeyPair>) {
    folder.write("cert.pem", &pair.cert.pem());
    folder.write("key.pem", &pair.signing_key.serialize_pem());
}

fn client(
    trusted: &rcgen::CertifiedKey<rcgen::KeyPair>,
    own: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
            builder.with_client_auth_cert(vec![own.cert.der().clone()], key).expect("a client pair")
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// The certificate the server showed, or why there is no connection.
async fn handshake(tls: &Tls, client: ClientConfig) -> std::io::Result<Vec<u8>> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (near, far) = tokio::io::duplex(16 * 1024);
    let server = async {
        let mut stream = tls.accept(far).await?;
        stream.write_all(b"!").await?;
        stream.flush().await
    };
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let dial = async {
        let mut stream = connector.connect(ServerName::try_from("localhost").expect("a name"), near).await?;
        // With TLS 1.3 a refused client certificate shows only at the first read.
        stream.read_exact(&mut [0]).await?;
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        let shown = connection.peer_certificates().expect("the server shows one");
        Ok::<_, std::io::Error>(shown[0].to_vec())
    };
    let (served, dialled) = tokio::join!(server, dial);
    let shown = dialled?;
    served?;
    Ok(shown)
}

#[tokio::test]
async fn a_changed_pair_is_shown_to_new_connections_and_a_bad_one_is_not() {
    let folder = Folder::new("reload");
    let first = pair();
    write_pair(&folder, &first);
    let tls = Tls::open(folder.settings(), &[b"h2", b"http/1.1"]).expect("a good pair");
    assert_eq!(tls.reload_if_changed(), Reload::Unchanged);
    assert_eq!(handshake(&tls, client(&first, None)).await.expect("trusted"), first.cert.der().to_vec());

    // The certificate of another key, as while somebody is half way through replacing both.
    let second = pair();
    folder.write("cert.pem", &format!("{}\n\n", second.cert.pem()));
    assert_eq!(tls.reload_if_changed(), Reload::Kept);
    assert_eq!(tls.reload_if_changed(), Reload::Unchanged, "a bad pair is looked at once");
    handshake(&tls, client(&first, None)).await.expect("the old pair stays");

    folder.write("key.pem", &format!("{}\n\n", second.signing_key.serialize_pem()));
    assert_eq!(tls.reload_if_changed(), Reload::Replaced);
    assert_eq!(handshake(&tls, client(&second, None)).await.expect("trusted"), second.cert.der().to_vec());
    handshake(&tls, client(&first, None)).await.expect_err("the old pair is gone");

    fs::remove_file(folder.0.join("key.pem")).expect("removable");
    assert_eq!(tls.reload_if_changed(), Reload::Kept);
    handshake(&tls, client(&second, None)).await.expect("a missing file changes nothing");
}

#[tokio::test]
async fn a_watch_sees_the_change_by_itself() {
    let folder = Folder::new("watch");
    let first = pair();
    write_pair(&folder, &first);
    let tls = Tls::open(folder.settings(), &[b"http/1.1"]).expect("a good pair");
    let watch = tokio::spawn(tls.clone().watch(Duration::from_millis(5)));
    let before = tls.config();
    let second = pair();
    folder.write("cert.pem", &format!("{}\n\n", second.cert.pem()));
    folder.write("key.pem", &format!("{}\n\n", second.signing_key.serialize_pem()));
    for _ in 0..2_000 {
        if !Arc::ptr_eq(&before, &tls.config()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    handshake(&tls, client(&second, None)).await.expect("the new pair is in force");
    watch.abort();
}

#[tokio::test]
async fn with_client_authorities_only_their_clients_get_in() {
    let folder = Folder::new("mutual");
    let (server, good, stranger) = (pair(), pair(), pair());
    write_pair(&folder, &server);
    folder.write("ca.pem", &good.cert.pem());
    let settings = TlsSettings { client_ca_file: Some(folder.0.join("ca.pem")), ..folder.settings() };
    let tls = Tls::open(settings, &[b"http/1.1"]).expect("usable");
    handshake(&tls, client(&server, Some(&good))).await.expect("known");
    handshake(&tls, client(&server, None)).await.expect_err("no certificate");
    handshake(&tls, client(&server, Some(&stranger))).await.expect_err("unknown certificate");
}

#[tokio::test]
async fn a_key_without_its_public_half_serves_with_its_own_certificate_only() {
    let (folder, own) = (Folder::new("bare"), pair());
    write_pair(&folder, &own);
    let bare = ec_key::tests::without_public(&own.signing_key.serialize_der());
    let key = PrivateKeyDer::Pkcs8(bare.clone().into());
    let provider = rustls::crypto::ring::default_provider();
    assert!(provider.key_provider.load_private_key(key).is_err(), "the library takes it as it is by now");
    let text = base64::engine::general_purpose::STANDARD.encode(bare);
    folder.write("key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"));
    let tls = Tls::open(folder.settings(), &[b"http/1.1"]).expect("usable");
    assert_eq!(handshake(&tls, client(&own, None)).await.expect("connects"), own.cert.der().to_vec());
    folder.write("cert.pem", &pair().cert.pem());
    assert!(matches!(Tls::open(folder.settings(), &[]), Err(TlsError::Unusable { .. })));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new("bad");
    let error = Tls::open(folder.settings(), &[]).expect_err("no files").to_string();
    assert!(error.contains("cert.pem") && error.contains("[tls]"), "{error}");
    write_pair(&folder, &pair());
    folder.write("key.pem", "not a key");
    let error = Tls::open(folder.settings(), &[]).expect_err("no key").to_string();
    assert!(error.contains("key.pem") && error.contains("private key"), "{error}");
    folder.write("cert.pem", "");
    let error = Tls::open(folder.settings(), &[]).expect_err("no certificate").to_string();
    assert!(error.contains("cert.pem") && error.contains("no certificate"), "{error}");
}

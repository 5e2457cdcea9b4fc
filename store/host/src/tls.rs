//! Certificates: the settings all fronts share, and a TLS configuration that follows the files on disk.
//!
//! The files are looked at once per [`RELOAD_EVERY`]; when any has changed, the whole configuration is built anew and swapped in
//! for connections to come. Connections that stand keep what they were made with. A pair that cannot be used (half written, key of
//! another certificate, not PEM) changes nothing but a line in the log: the last good one goes on.

mod advice;
mod ec_key;
mod expiry;

pub use advice::advice;
pub use expiry::Expiry;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};

use expiry::Earliest;

use crate::clock::Clock;
use crate::metrics::Registry;

/// How often the files are looked at.
pub const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// A client that has not finished its TLS handshake by then is let go.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which certificate the fronts show, and whom they ask for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file with the certificate, followed by its intermediates.
    pub certificate_file: PathBuf,
    /// PEM file with the private key: PKCS #8, PKCS #1 or SEC 1. On an elliptic curve it may lack its public half, as the JDK's do.
    pub key_file: PathBuf,
    /// PEM file with the authorities whose client certificates are accepted. When set, a client without one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; check the path in the [tls] settings and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the PEM it should be.
    #[error("{path} holds no {wanted} in PEM form{}", detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What the parser said, where it said anything.
        detail: Option<String>,
    },
    /// Certificate and key were read but cannot serve.
    #[error("the certificate in {certificate} and the key in {key} cannot be used: {reason}")]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A TLS configuration that follows its files. Clones share it.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    settings: TlsSettings,
    alpn: Vec<Vec<u8>>,
    current: ArcSwap<InForce>,
    // What the files looked like when they were last read, whether they could be used or not: a bad pair is logged once.
    seen: Mutex<Stamps>,
}

/// What new connections are made with.
struct InForce {
    config: Arc<ServerConfig>,
    // None: the certificate does not say.
    expiry: Option<Earliest>,
}

/// Time of change and length of each file; `None` for one that cannot be looked at.
type Stamps = Vec<Option<(SystemTime, u64)>>;

/// What a look at the files led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The files are as they were.
    Unchanged,
    /// New files are in force for new connections.
    Replaced,
    /// New files cannot be used; the old ones stay in force. The reason is in the log.
    Kept,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. `alpn` are the protocols the front offers, best first, such as `h2` and `http/1.1`; none offers none.
    pub fn open(settings: TlsSettings, alpn: &[&[u8]]) -> Result<Self, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|name| name.to_vec()).collect();
        // Looked at before they are read, so that a change in between is seen by the next look.
        let seen = stamps(&settings);
        let built = build(&settings, &alpn)?;
        let inner = Inner { settings, alpn, current: ArcSwap::from_pointee(built), seen: Mutex::new(seen) };
        Ok(Tls { inner: Arc::new(inner) })
    }

    /// The configuration in force, for one new connection.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.inner.current.load().config)
    }

    /// When the certificate in force, or the first of its chain, runs out. `None`: it does not say.
    pub fn expiry(&self) -> Option<Expiry> {
        self.inner.current.load().expiry.map(|earliest| earliest.expiry)
    }

    /// Keeps a metric of when the certificate runs out, and warns in the log from thirty days before. `section` are the settings that
    /// name it, without brackets. Spawn it once, as [`Tls::watch`].
    pub async fn watch_expiry(self, section: &'static str, registry: Registry, clock: Arc<dyn Clock>) {
        expiry::watch(section, || self.inner.current.load().expiry, registry, clock).await;
    }

    /// Does the server's side of the handshake with the configuration in force, within [`HANDSHAKE_TIMEOUT`].
    pub async fn accept<IO>(&self, stream: IO) -> std::io::Result<tokio_rustls::server::TlsStream<IO>>
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let acceptor = tokio_rustls::TlsAcceptor::from(self.config());
        tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))
            .await
            .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no TLS handshake in time"))?
    }

    /// Looks at the files and takes new ones into force.
    pub fn reload_if_changed(&self) -> Reload {
        let inner = &self.inner;
        let now = stamps(&inner.settings);
        let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Reload::Unchanged;
        }
        *seen = now;
        match build(&inner.settings, &inner.alpn) {
            Ok(built) => {
                inner.current.store(Arc::new(built));
                tracing::info!(certificate = %inner.settings.certificate_file.display(), "new certificate in force");
                Reload::Replaced
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used, the old one stays in force");
                Reload::Kept
            }
        }
    }

    /// Looks at the files every `every`, for ever. Spawn it once, on any runtime, and drop the task to stop it.
    pub async fn watch(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            self.reload_if_changed();
        }
    }
}

/// Both sides of TLS between peers that show each other certificates of one authority. Follows its files as [`Tls`] does.
/// Clones share it.
#[derive(Clone)]
pub struct MutualTls {
    accepting: Tls,
    dialling: Arc<ArcSwap<ClientConfig>>,
}

impl MutualTls {
    /// Reads the files. `settings` must name an authority, of which the certificates of both sides are to be.
    pub fn open(settings: TlsSettings) -> Result<Self, TlsError> {
        let dialling = Arc::new(ArcSwap::new(build_client(&settings)?));
        Ok(MutualTls { accepting: Tls::open(settings, &[])?, dialling })
    }

    /// The acceptor's side of a handshake, as [`Tls::accept`].
    pub async fn accept<IO>(&self, stream: IO) -> std::io::Result<tokio_rustls::server::TlsStream<IO>>
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        self.accepting.accept(stream).await
    }

    /// When this side's certificate runs out, as [`Tls::expiry`].
    pub fn expiry(&self) -> Option<Expiry> {
        self.accepting.expiry()
    }

    /// As [`Tls::watch_expiry`].
    pub async fn watch_expiry(self, section: &'static str, registry: Registry, clock: Arc<dyn Clock>) {
        self.accepting.watch_expiry(section, registry, clock).await;
    }

    /// The dialler's side of a handshake with a peer whose certificate must name `host`, within [`HANDSHAKE_TIMEOUT`].
    pub async fn connect<IO>(
        &self,
        host: &str,
        stream: IO,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<IO>>
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let connector = tokio_rustls::TlsConnector::from(self.dialling.load_full());
        tokio::time::timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream))
            .await
            .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no TLS handshake in time"))?
    }

    /// Looks at the files every `every`, for ever. Spawn it once, on any runtime, and drop the task to stop it.
    pub async fn watch(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            if self.accepting.reload_if_changed() != Reload::Replaced {
                continue;
            }
            match build_client(&self.accepting.inner.settings) {
                Ok(config) => self.dialling.store(config),
                Err(error) => {
                    tracing::error!(%error, "the new certificate cannot be used for dialling, the old one stays in force");
                }
            }
        }
    }
}

impl std::fmt::Debug for MutualTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MutualTls").field("accepting", &self.accepting).finish_non_exhaustive()
    }
}

fn build_client(settings: &TlsSettings) -> Result<Arc<ClientConfig>, TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        certificate: settings.certificate_file.clone(),
        key: settings.key_file.clone(),
        reason,
    };
    let Some(authority) = &settings.client_ca_file else {
        return Err(unusable("no authority is named".into()));
    };
    let roots = roots(authority)?;
    let chain = certificates(&settings.certificate_file)?;
    let key = private_key(&settings.key_file)?;
    let key = match chain.first() {
        Some(certificate) => ec_key::completed(key, certificate),
        None => key,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(config))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| TlsError::NotPem {
        path: path.to_owned(),
        wanted: "private key",
        detail: Some(error.to_string()),
    })
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::NotPem {
            path: path.to_owned(),
            wanted: "usable certificate authority",
            detail: Some(error.to_string()),
        })?;
    }
    Ok(roots)
}

fn stamps(settings: &TlsSettings) -> Stamps {
    [Some(&settings.certificate_file), Some(&settings.key_file), settings.client_ca_file.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
        .collect()
}

fn build(settings: &TlsSettings, alpn: &[Vec<u8>]) -> Result<InForce, TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        certificate: settings.certificate_file.clone(),
        key: settings.key_file.clone(),
        reason,
    };
    let chain = certificates(&settings.certificate_file)?;
    let expiry = expiry::of_chain(&chain);
    let key = private_key(&settings.key_file)?;
    let key = match chain.first() {
        Some(certificate) => ec_key::completed(key, certificate),
        None => key,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let builder = match &settings.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(file)?), provider)
                .build()
                .map_err(|error| unusable(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(error.to_string()))?;
    config.alpn_protocols = alpn.to_vec();
    Ok(InForce { config: Arc::new(config), expiry })
}

/// All certificates of a PEM file, of which there must be one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let not_pem = |detail| TlsError::NotPem { path: path.to_owned(), wanted: "certificate", detail };
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| not_pem(Some(error.to_string())))?;
    if found.is_empty() { Err(not_pem(None)) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;

//! Certificates that are made for a test, and clients that trust them.

use std::sync::Arc;

/// A certificate for `localhost` and 127.0.0.1 that is its own authority, and its key, both in PEM.
pub fn certificate() -> (String, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate is made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A client's settings that trust this certificate and no other.
pub fn trusting(pem: &str) -> Arc<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    let certificate =
        rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("it can be an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// One that signs certificates of nodes.
pub struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    /// A new one, of this name.
    pub fn new(name: &str) -> Authority {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key is made");
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("a certificate is made");
        Authority { issuer }
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a host, good until the beginning of a year, and its key, both in PEM.
    pub fn issue(&self, host: &str, until: i32) -> (String, String) {
        let mut params = rcgen::CertificateParams::new([host.to_owned()]).expect("a host");
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key is made");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate is made");
        (certificate.pem(), key.serialize_pem())
    }
}

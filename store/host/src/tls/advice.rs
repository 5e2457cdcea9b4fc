//! What to do about a TLS handshake between two nodes that failed.
//!
//! Who finds a certificate wrong knows why, and says it; whoever showed it hears an alert. Each is told what to do on its side.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// What to do about an error of [`MutualTls`](super::MutualTls), or of a connection that it made; `None` where TLS is not the reason.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(why) => of_the_peers(why),
        Error::NoCertificatesPresented => {
            "the peer shows no certificate: every node needs one of its own in [cluster.tls]"
        }
        Error::AlertReceived(alert) => of_our_own(*alert),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => {
            "the peer does not speak TLS here: either every node has [cluster.tls] or none has; and the address must be of a peer port"
        }
        _ => return None,
    })
}

/// What is wrong with the certificate that the peer shows.
fn of_the_peers(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the peer's certificate has run out: put a new one and its key in their place on that node, which takes them within ten \
             seconds"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the peer's certificate is not valid yet: check the clocks of both nodes"
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the peer's certificate is of an authority that [cluster.tls] authority does not have here: all nodes' certificates are to \
             be of one authority, and its certificate on all nodes"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the peer's certificate does not name the host by which it is reached: give that node a certificate for the host in its \
             [advertise] peer"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the peer's certificate must be good for servers and for clients"
        }
        _ => "the peer's certificate can't be used: give that node another",
    }
}

/// What the peer says of the certificate that this node shows.
fn of_our_own(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateExpired => {
            "the peer says that this node's certificate has run out, or is not valid yet: put a new one and its key in their place, or \
             check the clocks"
        }
        AlertDescription::UnknownCA => {
            "the peer does not know the authority of this node's certificate: all nodes' certificates are to be of one authority, and \
             its certificate on all nodes"
        }
        AlertDescription::CertificateRequired => {
            "the peer asks for a certificate, and this node showed none: every node needs one of its own in [cluster.tls]"
        }
        AlertDescription::BadCertificate => {
            "the peer refuses this node's certificate: most likely it does not name the host by which the others reach this node; the \
             peer's log says more"
        }
        _ => "the peer ended the handshake: its log says why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: Error) -> &'static str {
        advice(&io::Error::new(io::ErrorKind::InvalidData, error)).unwrap_or_default()
    }

    #[test]
    fn each_side_is_told_what_to_do() {
        assert!(said(Error::InvalidCertificate(CertificateError::Expired)).contains("on that node"));
        assert!(said(Error::AlertReceived(AlertDescription::CertificateExpired)).contains("this node's"));
        assert!(said(Error::InvalidCertificate(CertificateError::UnknownIssuer)).contains("authority"));
        assert!(
            said(Error::InvalidCertificate(CertificateError::NotValidForName)).contains("[advertise] peer")
        );
        assert!(said(Error::AlertReceived(AlertDescription::UnknownCA)).contains("authority"));
        assert!(said(Error::NoCertificatesPresented).contains("[cluster.tls]"));
        assert_eq!(advice(&io::ErrorKind::ConnectionRefused.into()), None);
        assert_eq!(said(Error::DecryptError), "");
    }
}

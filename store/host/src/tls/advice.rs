//! What to do about a TLS handshake between two nodes that failed.
//!
//! Who finds a certificate wrong knows why, and says it; whoever showed it hears an alert. Each is told what to do on its side.

use std::borrow::Cow;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::Expiry;

/// What to do about an error of [`MutualTls`](super::MutualTls), or of a connection that it made; `None` where TLS is not the reason.
/// `own` is when the certificate of this side runs out, if that is known.
pub fn advice(error: &io::Error, own: Option<Expiry>) -> Option<Cow<'static, str>> {
    let advice = match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            return Some(run_out_of_the_peers(Some(Expiry::from(*not_after))).into());
        }
        Error::InvalidCertificate(CertificateError::Expired) => {
            return Some(run_out_of_the_peers(None).into());
        }
        Error::InvalidCertificate(why) => of_the_peers(why),
        Error::NoCertificatesPresented => {
            "the peer shows no certificate: every node needs one of its own in [cluster.tls]"
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => return Some(run_out_here(own).into()),
        Error::AlertReceived(alert) => of_our_own(*alert),
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => {
            "the peer does not speak TLS here: either every node has [cluster.tls] or none has; and the address must be of a peer port"
        }
        _ => return None,
    };
    Some(advice.into())
}

fn run_out_of_the_peers(expiry: Option<Expiry>) -> String {
    let when = expiry.map_or(String::new(), |expiry| format!(" on {expiry}"));
    format!(
        "the peer's certificate has run out{when}: put a new one and its key in their place on that node, which takes them within ten \
         seconds"
    )
}

/// The alert is the same for a certificate that is not valid yet.
fn run_out_here(own: Option<Expiry>) -> String {
    let when = own.map_or(String::new(), |expiry| format!("; it is good until {expiry}"));
    format!(
        "the peer says that this node's certificate has run out, or is not valid yet{when}: put a new one and its key in their place, or \
         check the clocks"
    )
}

/// What is wrong with the certificate that the peer shows.
fn of_the_peers(why: &CertificateError) -> &'static str {
    match why {
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

    /// Of a certificate here that runs out at the end of 1970-01-01.
    fn said(error: Error) -> String {
        let own = Some(Expiry { unix_seconds: 86_399 });
        advice(&io::Error::new(io::ErrorKind::InvalidData, error), own).unwrap_or_default().into_owned()
    }

    #[test]
    fn a_certificate_that_has_run_out_is_named_with_the_date() {
        let at =
            |seconds| rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let expired =
            CertificateError::ExpiredContext { time: at(1_800_000_000), not_after: at(1_795_183_380) };
        let theirs = said(Error::InvalidCertificate(expired));
        assert!(
            theirs.starts_with("the peer's certificate has run out on 2026-11-20 14:03 UTC: put"),
            "{theirs}"
        );
        let ours = said(Error::AlertReceived(AlertDescription::CertificateExpired));
        assert!(
            ours.contains("has run out, or is not valid yet; it is good until 1970-01-01 23:59 UTC: put"),
            "{ours}"
        );
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
        assert_eq!(advice(&io::ErrorKind::ConnectionRefused.into(), None), None);
        assert_eq!(said(Error::DecryptError), "");
    }
}

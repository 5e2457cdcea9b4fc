//! A client's claim of who it is: the half of [`crate::authorize`] that holds a secret.

use ring::hmac;

use crate::authorize::{ALGORITHM, HOSTS, SERVICE, TERMINATOR, hexadecimal, request_hash};
use crate::codec::handshake::AuthorizeConnection;

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Appends a claim made at `now`, in seconds since 1970: a whole request that has no answer. Errors: none; the wire has the
    /// method.
    pub fn write_claim(
        &self,
        out: &mut Vec<u8>,
        region: &str,
        user_agent: &str,
        now: u64,
    ) -> Result<(), api::Error> {
        let time = basic_time(now);
        let scope = format!("{}/{region}/{SERVICE}/{TERMINATOR}", &time[..8]);
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", request_hash(HOSTS[0], &time));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", self.secret_key).as_bytes());
        let key = scope.split('/').fold(secret, |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
        let claim = AuthorizeConnection {
            access_key: &self.access_key,
            signature: &hexadecimal(hmac::sign(&key, text.as_bytes()).as_ref()),
            string_to_sign: text.as_bytes(),
            session_token: self.session_token.as_deref(),
            user_agent: Some(user_agent),
        };
        claim.write(out)
    }
}

/// A time like `20130609T095204Z`, of seconds since 1970.
fn basic_time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Eras of 400 years from the first of March of the year 0 have equal lengths, and their years end with the leap day.
    let since_march = days + 719_468;
    let (era, day_of_era) = (since_march / 146_097, since_march % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::seconds;

    #[test]
    fn times_are_those_that_a_server_reads() {
        for (text, at) in [("19700101T000000Z", 0), ("20000229T235959Z", 951_868_799)] {
            assert_eq!(basic_time(at), text);
        }
        // Every day of 200 years, at a different second of each.
        for day in 0..73_000u64 {
            let at = day * 86_400 + day % 86_400;
            assert_eq!(seconds(&basic_time(at)), Some(at));
        }
    }

    /// The worked values of the protocol, which are the official Python generator's.
    #[test]
    fn a_claim_is_signed_as_the_official_client_signs_it() {
        let credentials = Credentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
        };
        let mut out = Vec::new();
        credentials.write_claim(&mut out, "us-east-1", "test", 1_704_164_645).unwrap();
        let values = &out[6..];
        let claim = AuthorizeConnection::read(values).unwrap();
        assert_eq!(claim.access_key, "AKIDEXAMPLE");
        assert_eq!(claim.signature, "2b6a77536b7ae60b931a4ee56277cb98bad74d78eed6b45c01abd35dbe7c1e47");
        assert!(!format!("{credentials:?}").contains("wJalr"));
    }
}

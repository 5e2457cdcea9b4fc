//! The access keys a front knows, and the signing keys derived from them.

use std::collections::HashMap;
use std::sync::Arc;

use api::service::Caller;
use arc_swap::ArcSwap;
use ring::hmac;

/// Signing keys remembered for one access key: a day and a region each. More are derived anew every time.
const SCOPES_PER_KEY: usize = 8;
/// Most access keys of a file.
const KEYS: usize = 100_000;

/// An access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret. Never shown.
    pub secret_key: String,
    /// The token that temporary credentials must bring along.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// What is wrong with a credentials file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// A line that is no section, no setting and no comment.
    #[error("line {line} of the credentials file is neither [name] nor setting = value")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// A setting before the first section.
    #[error("line {line} of the credentials file stands before the first [name]")]
    NoSection {
        /// Counted from 1.
        line: usize,
    },
    /// A section without a key or a secret.
    #[error("section [{section}] of the credentials file needs aws_access_key_id and aws_secret_access_key")]
    Incomplete {
        /// Its name.
        section: String,
    },
    /// One access key in two sections.
    #[error("access key {access_key} stands twice in the credentials file")]
    Twice {
        /// The key.
        access_key: String,
    },
    /// No key at all.
    #[error("the credentials file holds no access key")]
    Empty,
    /// More keys than are kept.
    #[error("the credentials file holds more than {KEYS} access keys")]
    TooMany,
}

/// The keys a front knows. Replaced whole when their file changes; requests under way finish with what they found.
pub struct Keyring {
    known: ArcSwap<HashMap<String, Arc<Known>>>,
    region: Option<String>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.known.load().len()).finish_non_exhaustive()
    }
}

/// An access key and what was derived from it.
pub(super) struct Known {
    pub(super) credentials: Credentials,
    pub(super) caller: Arc<Caller>,
    signing: ArcSwap<Vec<(String, hmac::Key)>>,
}

impl Keyring {
    /// A ring of these keys. `region`, where given, is the only one that signatures may name.
    pub fn new(credentials: impl IntoIterator<Item = Credentials>, region: Option<String>) -> Keyring {
        Keyring { known: ArcSwap::from_pointee(index(credentials)), region }
    }

    /// A ring of the keys in a credentials file, in the form that AWS's tools write: sections in brackets, each with
    /// `aws_access_key_id`, `aws_secret_access_key` and perhaps `aws_session_token`; other settings are skipped.
    pub fn from_text(text: &str, region: Option<String>) -> Result<Keyring, KeyringError> {
        Ok(Keyring::new(parse(text)?, region))
    }

    /// Puts the keys of a changed file in the place of all that were known. Errors leave those in place.
    pub fn replace(&self, text: &str) -> Result<(), KeyringError> {
        self.known.store(Arc::new(index(parse(text)?)));
        Ok(())
    }

    /// The only region that signatures may name, if there is one.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub(super) fn find(&self, access_key: &str) -> Option<Arc<Known>> {
        self.known.load().get(access_key).cloned()
    }
}

impl Known {
    fn new(credentials: Credentials) -> Known {
        let caller = Arc::new(Caller { access_key: credentials.access_key.clone() });
        Known { credentials, caller, signing: ArcSwap::default() }
    }

    /// Asks `is_right` of the signing key of a scope, `day/region/service/aws4_request`. The key is remembered once it proved
    /// right: who knows no secret can't make us forget the keys in use.
    pub(super) fn judge(&self, scope: &str, is_right: impl FnOnce(&hmac::Key) -> bool) -> bool {
        let remembered = self.signing.load();
        if let Some((_, key)) = remembered.iter().find(|(known, _)| known == scope) {
            return is_right(key);
        }
        let key = derive(&self.credentials.secret_key, scope);
        if !is_right(&key) {
            return false;
        }
        // Newest first; the oldest goes. Two threads at once may forget each other's, which costs a derivation.
        let mut newer = Vec::with_capacity(SCOPES_PER_KEY);
        newer.push((scope.to_owned(), key));
        newer.extend(remembered.iter().take(SCOPES_PER_KEY - 1).cloned());
        self.signing.store(Arc::new(newer));
        true
    }
}

/// Derives the key of a scope: each of its parts signed with the key that the part before it gave.
pub(super) fn derive(secret: &str, scope: &str) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    scope.split('/').fold(first, |key, part| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
    })
}

fn index(credentials: impl IntoIterator<Item = Credentials>) -> HashMap<String, Arc<Known>> {
    credentials.into_iter().map(|each| (each.access_key.clone(), Arc::new(Known::new(each)))).collect()
}

fn parse(text: &str) -> Result<Vec<Credentials>, KeyringError> {
    let mut sections: Vec<(String, [Option<String>; 3])> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name.trim().to_owned(), [None, None, None]));
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(KeyringError::Line { line: line_number })?;
        let (_, settings) = sections.last_mut().ok_or(KeyringError::NoSection { line: line_number })?;
        let place = match name.trim() {
            "aws_access_key_id" => 0,
            "aws_secret_access_key" => 1,
            "aws_session_token" => 2,
            _ => continue,
        };
        settings[place] = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
    }
    if sections.is_empty() {
        return Err(KeyringError::Empty);
    }
    if sections.len() > KEYS {
        return Err(KeyringError::TooMany);
    }
    let mut seen = std::collections::HashSet::new();
    let mut all = Vec::with_capacity(sections.len());
    for (section, [access_key, secret_key, session_token]) in sections {
        let (Some(access_key), Some(secret_key)) = (access_key, secret_key) else {
            return Err(KeyringError::Incomplete { section });
        };
        if !seen.insert(access_key.clone()) {
            return Err(KeyringError::Twice { access_key });
        }
        all.push(Credentials { access_key, secret_key, session_token });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# ours\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s3cr/et=\nregion = eu-west-1\n\n\
                        [ temp ]\naws_access_key_id=ASIA2\naws_secret_access_key=x\naws_session_token = t==\n";

    #[test]
    fn a_file_of_aws_tools_is_read() {
        let keyring = Keyring::from_text(FILE, None).unwrap();
        assert_eq!(keyring.find("AKIA1").unwrap().credentials.secret_key, "s3cr/et=");
        assert_eq!(keyring.find("ASIA2").unwrap().credentials.session_token.as_deref(), Some("t=="));
        assert!(keyring.find("AKIA").is_none());
        assert!(!format!("{:?}", keyring.find("AKIA1").unwrap().credentials).contains("s3cr"));
    }

    #[test]
    fn a_changed_file_replaces_every_key_and_a_broken_one_none() {
        let keyring = Keyring::from_text(FILE, None).unwrap();
        assert_eq!(keyring.replace("[a]\nnonsense"), Err(KeyringError::Line { line: 2 }));
        assert!(keyring.find("AKIA1").is_some());
        keyring.replace("[a]\naws_access_key_id=B\naws_secret_access_key=c").unwrap();
        assert!(keyring.find("AKIA1").is_none() && keyring.find("B").is_some());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let error = |text: &str| Keyring::from_text(text, None).unwrap_err();
        assert_eq!(error(""), KeyringError::Empty);
        assert_eq!(error("aws_access_key_id=B"), KeyringError::NoSection { line: 1 });
        assert_eq!(error("[a]\naws_access_key_id=B"), KeyringError::Incomplete { section: "a".into() });
        let twice = format!("{FILE}[again]\naws_access_key_id=AKIA1\naws_secret_access_key=y");
        assert_eq!(error(&twice), KeyringError::Twice { access_key: "AKIA1".into() });
    }

    fn scope(day: u32) -> String {
        format!("202611{day:02}/us-east-1/dynamodb/aws4_request")
    }

    fn known() -> Known {
        Known::new(Credentials { access_key: "A".into(), secret_key: "S".into(), session_token: None })
    }

    #[test]
    fn remembered_signing_keys_are_bounded_and_right() {
        let known = known();
        for round in 0..2 {
            for day in 0..20 {
                let scope = scope(day);
                let expected = hmac::sign(&derive("S", &scope), b"x");
                let right = known.judge(&scope, |key| hmac::sign(key, b"x").as_ref() == expected.as_ref());
                assert!(right, "{round} {scope}");
                assert!(known.signing.load().len() <= SCOPES_PER_KEY);
            }
        }
    }

    #[test]
    fn a_wrong_signature_makes_no_key_forgotten() {
        let known = known();
        assert!(known.judge(&scope(0), |_| true));
        for day in 1..20 {
            assert!(!known.judge(&scope(day), |_| false));
        }
        assert_eq!(known.signing.load()[0].0, scope(0));
    }
}

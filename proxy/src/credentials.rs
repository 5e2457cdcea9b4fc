//! The file of access keys, read at the start and followed when it changes. All fronts let in the same callers.

use std::path::PathBuf;
use std::sync::Arc;

use host::shutdown::Shutdown;
use http_front::sigv4::{Auth, Keyring};

use crate::config::CredentialSettings;
use crate::run::{FOLLOW_EVERY, Failure};

/// Whom the settings let in. Errors: a file that can't be read or holds no keys, before any port opens.
pub fn open(settings: &CredentialSettings, shutdown: &Shutdown) -> Result<Auth, Failure> {
    let Some((file, text, keyring)) = read(settings)? else { return Ok(Auth::Any) };
    let keyring = Arc::new(keyring);
    tokio::spawn(follow(file, text, Arc::clone(&keyring), shutdown.clone()));
    Ok(Auth::Keys(keyring))
}

/// Refuses a file that [`open`] would refuse.
pub fn check(settings: &CredentialSettings) -> Result<(), Failure> {
    read(settings).map(drop)
}

fn read(settings: &CredentialSettings) -> Result<Option<(PathBuf, String, Keyring)>, Failure> {
    let Some(file) = settings.file.clone() else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "[credentials] file {}: {error}; copy it from another node, or write it as the AWS CLI has it: a line [NAME], then \
             aws_access_key_id = … and aws_secret_access_key = …",
            file.display()
        ))
    };
    let text = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
    let keyring = Keyring::from_text(&text, None).map_err(|error| wrong(&error))?;
    Ok(Some((file, text, keyring)))
}

/// Takes over what the file holds whenever it holds something else. A file that can't be used changes nothing but the log.
async fn follow(file: PathBuf, mut known: String, keyring: Arc<Keyring>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.triggered() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
        match std::fs::read_to_string(&file) {
            Ok(text) if text == known => {}
            Ok(text) => {
                match keyring.replace(&text) {
                    Ok(()) => tracing::info!(file = %file.display(), "access keys were replaced"),
                    Err(error) => {
                        tracing::error!(file = %file.display(), %error, "the changed access keys can't be used; the old ones stay")
                    }
                }
                known = text;
            }
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "the access keys can't be read; the old ones stay");
            }
        }
    }
}

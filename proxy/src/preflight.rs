//! What a start would refuse of the files that the settings name, found out without a start: nothing is opened but those files.

use host::tls::Tls;

use crate::cluster::node::Plan;
use crate::config::Config;
use crate::run::Failure;
use crate::{credentials, front};

/// Reads the cluster's secret, credentials and certificates. Errors: the first that can't be used. Settings for another machine are
/// well-formed all the same, and the error says so.
pub fn check_files(config: &Config) -> Result<(), Failure> {
    let certificates = || match config.tls.clone() {
        Some(tls) => Tls::open(tls, front::http::ALPN)
            .map(drop)
            .map_err(|error| Failure::Usage(format!("[tls]: {error}"))),
        None => Ok(()),
    };
    let checked = Plan::of(config)
        .map(drop)
        .and_then(|()| credentials::check(&config.credentials))
        .and_then(|()| certificates());
    checked.map_err(|failure| {
        Failure::Usage(format!(
            "the settings are well-formed, but a node can't start with them here: {failure}"
        ))
    })
}

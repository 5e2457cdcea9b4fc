//! What a node tells the others of itself: the text that the membership keeps beside its address.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::visibility::WriteVisibility;

/// What a node says. Fields that an older node does not know are passed over; those that it did not send are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its availability zone.
    pub zone: String,
    /// Where clients reach it.
    pub address: Option<IpAddr>,
    /// The port of DynamoDB over HTTP.
    pub http_port: Option<u16>,
    /// The port of DAX, if it is open.
    pub dax_port: Option<u16>,
    /// The port of DAX over TLS, if it is open.
    pub dax_tls_port: Option<u16>,
    /// When it acknowledges a write, and so whether it answers from memory without a lease.
    pub write_visibility: WriteVisibility,
    /// It is about to stop: clients should be told of others.
    pub stopping: bool,
}

impl About {
    /// Reads what a node said. `None`: it has said nothing, or what this version can't read.
    pub fn read(text: &str) -> Option<About> {
        serde_json::from_str(text).ok()
    }

    /// The text.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts have a form in JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back_and_what_is_unknown_passed_over() {
        let about = About {
            name: "n".into(),
            zone: "a".into(),
            address: "10.0.0.1".parse().ok(),
            dax_port: Some(8111),
            stopping: true,
            ..About::default()
        };
        assert_eq!(About::read(&about.write()), Some(about));
        let newer = About::read(r#"{"name":"m","colour":"red"}"#).unwrap();
        assert_eq!((newer.name.as_str(), newer.zone.as_str()), ("m", ""));
        assert_eq!(About::read(""), None);
    }
}

//! Settings of telemetry.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::settings::{HumanDuration, Secret};

/// What is logged, and where traces and metrics go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySettings {
    /// What is logged: a level, or `target=level` pairs separated by commas. Default `info`; of the Raft library only what it can't
    /// go on after, since it warns of each message to a node that is down, and calls it an error where a node asks another to do
    /// something that only the leader can.
    pub log: String,
    /// How a log line looks. Default text.
    pub format: LogFormat,
    /// The OpenTelemetry endpoint. Default none: nothing is exported and no span is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpSettings>,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        TelemetrySettings {
            log: "info,openraft=error,openraft::raft=off".to_owned(),
            format: LogFormat::Text,
            otlp: None,
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// An OpenTelemetry endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpSettings {
    /// The base URL, such as `http://127.0.0.1:4318`; `/v1/traces` and `/v1/metrics` are appended.
    pub endpoint: String,
    /// The encoding. Default `http/protobuf`, the only one.
    #[serde(default = "http_protobuf")]
    pub protocol: OtlpProtocol,
    /// Share of traces that are kept, 0 to 1, decided where a trace begins. Default 1.
    #[serde(default = "one")]
    pub sampling_ratio: f64,
    /// Time between exports. Default 10 s.
    #[serde(default = "ten_seconds")]
    pub interval: HumanDuration,
    /// The longest an export may take. Default 5 s.
    #[serde(default = "five_seconds")]
    pub timeout: HumanDuration,
    /// `service.name` of everything exported. Default `forebay`.
    #[serde(default = "forebay")]
    pub service_name: String,
    /// Headers sent along, such as an API key. Default none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// PEM file with the authorities an `https` endpoint is checked against. Default: the system's bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl OtlpSettings {
    /// Settings for `endpoint` with every default.
    pub fn new(endpoint: impl Into<String>) -> Self {
        OtlpSettings {
            endpoint: endpoint.into(),
            protocol: http_protobuf(),
            sampling_ratio: one(),
            interval: ten_seconds(),
            timeout: five_seconds(),
            service_name: forebay(),
            headers: BTreeMap::new(),
            ca_file: None,
        }
    }
}

/// How telemetry is encoded on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtlpProtocol {
    /// Protobuf messages in HTTP/1.1 POST requests.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

fn http_protobuf() -> OtlpProtocol {
    OtlpProtocol::HttpProtobuf
}

fn one() -> f64 {
    1.0
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn five_seconds() -> HumanDuration {
    HumanDuration::from_secs(5)
}

fn forebay() -> String {
    "forebay".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that is down is a warning of the library ten times a second, and each of them says what our own line says once a minute.
    #[test]
    fn of_the_raft_library_only_what_it_cannot_go_on_after_is_logged() {
        use tracing::Level;
        let filter: tracing_subscriber::filter::Targets = TelemetrySettings::default().log.parse().unwrap();
        assert!(filter.would_enable("forebay_store_raft", &Level::INFO));
        assert!(filter.would_enable("openraft::core::raft_core", &Level::ERROR));
        assert!(!filter.would_enable("openraft::core::heartbeat::worker", &Level::WARN));
        // "the first step error: has to forward request to".
        assert!(!filter.would_enable("openraft::raft::api::management", &Level::ERROR));
    }
}

//! What a node says of itself on standard output once it is ready: its endpoints, and a first thing to try with each client.
//!
//! Programs read the lines `NAME URL`; people paste the examples, so these are whole: a machine without any settings of AWS's
//! tools runs them.

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::config::Config;

/// Where a node can be reached.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    /// DynamoDB over HTTP; over HTTPS where `tls` is set.
    pub http: SocketAddr,
    /// Whether `http` is HTTPS, and `grpc` over TLS.
    pub tls: bool,
    /// DAX in plain text.
    pub dax: Option<SocketAddr>,
    /// DAX over TLS.
    pub dax_tls: Option<SocketAddr>,
    /// gRPC; over TLS where `tls` is set.
    pub grpc: SocketAddr,
    /// Health, metrics and settings.
    pub admin: SocketAddr,
}

/// The region of the examples. Any will do; clients must name one.
const REGION: &str = api::limits::REGION;

/// Writes it all.
pub fn announce(out: &mut impl Write, config: &Config, endpoints: &Endpoints) -> io::Result<()> {
    let http = format!("{}://{}", if endpoints.tls { "https" } else { "http" }, endpoints.http);
    let grpc = format!("{}://{}", if endpoints.tls { "grpcs" } else { "grpc" }, endpoints.grpc);
    let dax = endpoints.dax.map(|address| format!("dax://{address}"));
    let dax_tls = endpoints.dax_tls.map(|address| format!("daxs://{address}"));
    writeln!(out, "forebay {} is ready", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "http   {http}")?;
    if let Some(dax) = &dax {
        writeln!(out, "dax    {dax}")?;
    }
    if let Some(dax) = &dax_tls {
        writeln!(out, "daxs   {dax}")?;
    }
    writeln!(out, "grpc   {grpc}")?;
    writeln!(out, "admin  http://{}", endpoints.admin)?;
    match config.store.in_memory {
        true => writeln!(out, "data   memory")?,
        false => writeln!(out, "data   {}", config.store.data.display())?,
    }
    let (key, secret) =
        if config.credentials.file.is_none() { ("any", "any") } else { ("YOUR_KEY", "YOUR_SECRET") };
    let python =
        format!("region_name=\"{REGION}\", aws_access_key_id=\"{key}\", aws_secret_access_key=\"{secret}\"");
    let js = format!(
        "region: \"{REGION}\", credentials: {{ accessKeyId: \"{key}\", secretAccessKey: \"{secret}\" }}"
    );
    writeln!(
        out,
        "
boto3
  import boto3
  db = boto3.client(\"dynamodb\", endpoint_url=\"{http}\", {python})
AWS CLI
  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={REGION}
  aws dynamodb list-tables --endpoint-url {http}
JavaScript
  import {{ DynamoDBClient }} from \"@aws-sdk/client-dynamodb\";
  const db = new DynamoDBClient({{ endpoint: \"{http}\", {js} }});"
    )?;
    if let Some(dax) = dax.or(dax_tls) {
        writeln!(
            out,
            "Python, DAX client
  from amazondax import AmazonDaxClient
  dax = AmazonDaxClient(endpoint_url=\"{dax}\", {python})
JavaScript, DAX client
  import {{ Dax }} from \"@amazon-dax-sdk/client-dax\";
  const dax = new Dax({{ endpoints: [\"{dax}\"], {js} }});"
        )?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(config: &Config, dax: Option<&str>, dax_tls: Option<&str>) -> String {
        let at = |text: &str| text.parse().unwrap();
        let endpoints = Endpoints {
            http: at("127.0.0.1:8000"),
            tls: dax_tls.is_some(),
            dax: dax.map(at),
            dax_tls: dax_tls.map(at),
            grpc: at("127.0.0.1:8500"),
            admin: at("127.0.0.1:8080"),
        };
        let mut out = Vec::new();
        announce(&mut out, config, &endpoints).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The lines that programs read: a name and a URL.
    fn endpoints(said: &str) -> Vec<&str> {
        said.lines().filter(|line| line.split_whitespace().count() == 2 && line.contains("://")).collect()
    }

    #[test]
    fn programs_find_each_endpoint_and_the_admin_port_last() {
        let config = Config::default();
        assert_eq!(
            endpoints(&said(&config, Some("127.0.0.1:8111"), None)),
            [
                "http   http://127.0.0.1:8000",
                "dax    dax://127.0.0.1:8111",
                "grpc   grpc://127.0.0.1:8500",
                "admin  http://127.0.0.1:8080"
            ]
        );
        assert_eq!(
            endpoints(&said(&config, None, Some("127.0.0.1:9111"))),
            [
                "http   https://127.0.0.1:8000",
                "daxs   daxs://127.0.0.1:9111",
                "grpc   grpcs://127.0.0.1:8500",
                "admin  http://127.0.0.1:8080"
            ]
        );
    }

    #[test]
    fn each_example_names_a_region_and_keys() {
        let mut config = Config::default();
        let open = said(&config, Some("127.0.0.1:8111"), None);
        for (client, keys) in
            [("boto3.client", "\"any\""), ("DynamoDBClient(", "\"any\""), ("export", "=any")]
        {
            let line = open.lines().find(|line| line.contains(client)).unwrap();
            assert!(line.contains(keys) && line.contains("us-east-1"), "{line}");
        }
        for client in ["= AmazonDaxClient(", "new Dax("] {
            let line = open.lines().find(|line| line.contains(client)).unwrap();
            assert!(line.contains("dax://127.0.0.1:8111") && line.contains("us-east-1"), "{line}");
            assert!(line.contains("\"any\""), "{line}");
        }
        config.credentials.file = Some("keys".into());
        assert!(!said(&config, None, Some("127.0.0.1:9111")).contains("\"any\""), "not any key will do");
    }
}

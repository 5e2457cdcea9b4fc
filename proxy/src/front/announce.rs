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
    /// Whether `http` is HTTPS.
    pub tls: bool,
    /// DAX in plain text.
    pub dax: Option<SocketAddr>,
    /// DAX over TLS.
    pub dax_tls: Option<SocketAddr>,
    /// Health, metrics and settings.
    pub admin: SocketAddr,
}

/// The region of the examples. Any will do; clients must name one.
const REGION: &str = api::limits::REGION;

/// Writes it all.
pub fn announce(out: &mut impl Write, config: &Config, endpoints: &Endpoints) -> io::Result<()> {
    let http = format!("{}://{}", if endpoints.tls { "https" } else { "http" }, endpoints.http);
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

//! Servers under load: where they are, what they speak, and how a connection to them begins.

use std::fmt;
use std::io::Write;
use std::net::TcpStream;
use std::str::FromStr;

use ::dax::client::Credentials;

use crate::exchange::Exchange;
use crate::scenario::Scenario;
use crate::{BenchError, dax};

/// What a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.0.
    Http,
    /// RESP.
    Redis,
    /// The DAX wire.
    Dax,
    /// [`crate::echo`].
    Echo(Modelled),
}

/// Whose numbers of bytes an echo is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modelled {
    /// Those of the same question to Forebay over HTTP, head and body.
    Http,
    /// Those of the same question over DAX.
    Dax,
}

/// A server under load.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its name in the table.
    pub(crate) name: String,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// `host:port`.
    pub(crate) address: String,
    /// The server's process, if its CPU time or memory is to be reported.
    pub(crate) process: Option<u32>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let wrong =
            || format!("{text:?} is not of the form name=http://HOST:PORT or name=http://HOST:PORT#PID");
        let (name, url) = text.split_once('=').ok_or_else(wrong)?;
        let (url, process) = match url.split_once('#') {
            Some((url, pid)) => (url, Some(pid.parse().map_err(|_| wrong())?)),
            None => (url, None),
        };
        let (scheme, address) = url.split_once("://").ok_or_else(wrong)?;
        let protocol = match scheme {
            "http" => Protocol::Http,
            "redis" => Protocol::Redis,
            "dax" => Protocol::Dax,
            "echo" => Protocol::Echo(Modelled::Http),
            "echo-dax" => Protocol::Echo(Modelled::Dax),
            _ => return Err(wrong()),
        };
        Ok(Target { name: name.into(), protocol, address: address.trim_end_matches('/').into(), process })
    }
}

impl Target {
    /// A scenario in the bytes of this target, and the bytes that a connection begins with. Asks a DAX target for what a
    /// client would know by then.
    pub(crate) fn exchange(
        &self,
        scenario: Scenario,
        value_bytes: usize,
        credentials: Option<&Credentials>,
    ) -> Result<(Exchange, Vec<u8>), BenchError> {
        let (learned, mut opening) = match self.protocol {
            Protocol::Dax => {
                let opening = dax::opening(credentials);
                (dax::Learned::ask(self, &opening)?, opening)
            }
            Protocol::Http | Protocol::Redis | Protocol::Echo(_) => (dax::Learned::ASSUMED, Vec::new()),
        };
        let exchange = Exchange::new(self.protocol, scenario, value_bytes, learned);
        if let (Protocol::Echo(_), (request, Some(answer))) = (self.protocol, exchange.sizes()) {
            opening.extend_from_slice(&crate::echo::greeting(request, answer));
        }
        Ok((exchange, opening))
    }
}

/// Opens a connection and says how it begins.
pub(crate) fn connect(target: &Target, opening: &[u8]) -> Result<TcpStream, BenchError> {
    let doing = || format!("connecting to {} at {}", target.name, target.address);
    let mut stream = TcpStream::connect(&target.address).map_err(BenchError::io(doing()))?;
    stream.set_nodelay(true).map_err(BenchError::io(doing()))?;
    stream.set_read_timeout(Some(crate::lane::ANSWER_TIMEOUT)).map_err(BenchError::io(doing()))?;
    stream.write_all(opening).map_err(BenchError::io(doing()))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_may_name_its_process() {
        let target: Target = "a=http://h:1#42".parse().unwrap();
        assert_eq!((target.address.as_str(), target.process), ("h:1", Some(42)));
        assert!("a=http://h:1#x".parse::<Target>().is_err());
        let protocol = |text: &str| text.parse::<Target>().unwrap().protocol;
        assert_eq!(protocol("a=dax://h:1"), Protocol::Dax);
        assert_eq!(protocol("a=echo-dax://h:1"), Protocol::Echo(Modelled::Dax));
    }
}

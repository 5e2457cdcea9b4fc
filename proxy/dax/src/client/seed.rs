//! Where a cluster is found: `dax://host[:port]`, or `daxs://` over TLS.

use super::failure::DaxDbError;

const PORT: u16 = 8111;
const TLS_PORT: u16 = 9111;

/// A name or an address, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seed {
    pub host: String,
    pub port: u16,
    pub encrypted: bool,
}

impl Seed {
    pub(super) fn parse(seed: &str) -> Result<Seed, DaxDbError> {
        let bad = || DaxDbError::Seed { seed: seed.to_owned() };
        let (encrypted, authority) = match seed.split_once("://") {
            Some(("dax", rest)) => (false, rest),
            Some(("daxs", rest)) => (true, rest),
            _ => return Err(bad()),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
                match (rest, rest.strip_prefix(':')) {
                    ("", _) => (host, None),
                    (_, Some(port)) => (host, Some(port)),
                    (_, None) => return Err(bad()),
                }
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() || host.contains(['/', '@', '?', '#']) {
            return Err(bad());
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| bad())?,
            None if encrypted => TLS_PORT,
            None => PORT,
        };
        Ok(Seed { host: host.to_owned(), port, encrypted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_scheme_a_host_and_a_port() {
        for (text, host, port, encrypted) in [
            ("dax://a.b", "a.b", 8111, false),
            ("daxs://a.b", "a.b", 9111, true),
            ("dax://127.0.0.1:7/", "127.0.0.1", 7, false),
            ("dax://[::1]", "::1", 8111, false),
            ("daxs://[::1]:1", "::1", 1, true),
        ] {
            let seed = Seed { host: host.to_owned(), port, encrypted };
            assert_eq!(Seed::parse(text), Ok(seed), "{text}");
        }
        for text in
            ["", "a.b:8111", "http://a", "dax://", "dax://:1", "dax://a:b", "dax://a:65536", "dax://[::1"]
        {
            assert!(Seed::parse(text).is_err(), "{text}");
        }
    }
}

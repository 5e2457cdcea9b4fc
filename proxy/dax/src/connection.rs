//! What one connection has agreed with its client: who calls and until when, the version its reads may not fall behind, the
//! names of the tables it spoke of, its request ids, what its client means by its words.
//!
//! Deliberately no attribute lists and no key schemas: the registry and the catalog have those, and what a connection kept
//! could only be older.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::schema::TableName;
use api::service::Caller;
use api::{Error, ErrorKind, Floor, Version};

use crate::codec::handshake::Preamble;
use crate::codec::request::SelectAll;

/// How long an authorisation lasts: what clients take it to be, and a while for those that are late to sign anew.
const AUTHORIZED_FOR: Duration = Duration::from_secs(300 + 60);

/// Table names kept, so that a name on the wire is not made into one of ours each time.
const TABLE_NAMES: usize = 16;

/// Who calls on a connection.
#[derive(Debug, Clone)]
enum Authorization {
    /// Nobody said.
    Missing,
    /// A claim was wrong; the next request is told, once.
    Refused(Error),
    /// This caller, until then.
    Given { caller: Arc<Caller>, until: Instant },
}

/// State of a connection. Used by one request at a time: the wire has no others.
#[derive(Debug)]
pub(crate) struct Connection {
    seed: u128,
    requests: u64,
    authorization: Authorization,
    floor: Floor,
    // Borrowed for a look and an insertion.
    tables: RefCell<Vec<TableName>>,
    select_all: SelectAll,
}

impl Connection {
    /// A connection that has seen nothing. `seed` makes its request ids unique.
    pub(crate) const fn new(seed: u128) -> Connection {
        Connection {
            seed,
            requests: 0,
            authorization: Authorization::Missing,
            floor: Floor::NONE,
            tables: RefCell::new(Vec::new()),
            select_all: SelectAll::Meant,
        }
    }

    /// Notes how the client introduced itself.
    pub(crate) fn introduced(&mut self, preamble: &Preamble) {
        self.select_all = SelectAll::of(preamble.user_agent.as_deref());
    }

    /// What the client means that asks a page for all attributes.
    pub(crate) const fn select_all(&self) -> SelectAll {
        self.select_all
    }

    /// Notes what became of a claim.
    pub(crate) fn claimed(&mut self, caller: Result<Arc<Caller>, Error>, now: Instant) {
        self.authorization = match caller {
            Ok(caller) => Authorization::Given { caller, until: now + AUTHORIZED_FOR },
            Err(error) => Authorization::Refused(error),
        };
    }

    /// Who calls. Errors: nobody that is let in; the client should sign, and ask again.
    pub(crate) fn caller(&mut self, now: Instant) -> Result<&Arc<Caller>, Error> {
        if let Authorization::Refused(error) = &self.authorization {
            let error = error.clone();
            self.authorization = Authorization::Missing;
            return Err(error);
        }
        match &self.authorization {
            Authorization::Given { caller, until } if now < *until => Ok(caller),
            _ => Err(Error::new(
                ErrorKind::MissingAuthenticationTokenException,
                "The connection requires authentication.",
            )),
        }
    }

    /// The version to ask for: this wire carries none of a client's own.
    pub(crate) fn floor(&self) -> Option<Version> {
        self.floor.over(None)
    }

    /// Notes the version of an answer, as [`Floor::saw`].
    pub(crate) fn saw(&mut self, version: Option<Version>) {
        if let Some(version) = version {
            // Of a later one nothing follows: answers of this wire are given in the order of their requests.
            self.floor.saw(version);
        }
    }

    /// An id for the next request.
    pub(crate) const fn next_request_id(&mut self) -> u128 {
        let number = self.requests as u128;
        self.requests = self.requests.wrapping_add(1);
        // An odd multiplier is a bijection on 128 bits: no two requests of a connection share an id, and neighbours look
        // nothing alike in a log.
        self.seed.wrapping_add(number << 64 | number).wrapping_mul(0xda94_2042_e4dd_58b5_a054_6a2b_9c1f_3a7d)
    }

    /// The table name that a text is; `None` for a text that can be none.
    pub(crate) fn table_name(&self, text: &str) -> Option<TableName> {
        let mut tables = self.tables.borrow_mut();
        if let Some(known) = tables.iter().find(|known| known.as_str() == text) {
            return Some(known.clone());
        }
        let name = TableName::new(text)?;
        if tables.len() < TABLE_NAMES {
            tables.push(name.clone());
        }
        Some(name)
    }
}

/// A request id as answers carry it.
pub(crate) fn request_id_text(id: u128) -> String {
    format!("{id:032X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "any moment does as a beginning")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_refused_claim_is_told_once_and_an_authorisation_runs_out() {
        let mut connection = Connection::new(1);
        let now = now();
        let missing = ErrorKind::MissingAuthenticationTokenException;
        assert_eq!(connection.caller(now).unwrap_err().kind, missing);
        connection.claimed(Err(Error::new(ErrorKind::InvalidSignatureException, "no")), now);
        assert_eq!(connection.caller(now).unwrap_err().kind, ErrorKind::InvalidSignatureException);
        assert_eq!(connection.caller(now).unwrap_err().kind, missing);
        connection.claimed(Ok(Arc::default()), now);
        assert!(connection.caller(now + AUTHORIZED_FOR - Duration::from_secs(1)).is_ok());
        assert_eq!(connection.caller(now + AUTHORIZED_FOR).unwrap_err().kind, missing);
    }

    #[test]
    fn request_ids_of_a_connection_differ() {
        let mut connection = Connection::new(u128::MAX);
        let ids: std::collections::HashSet<u128> = (0..1000).map(|_| connection.next_request_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert_eq!(request_id_text(1).len(), 32);
    }

    #[test]
    fn table_names_are_kept_up_to_a_bound() {
        let connection = Connection::new(0);
        for at in 0..3 * TABLE_NAMES {
            let name = format!("table-{at}");
            assert_eq!(connection.table_name(&name).unwrap().as_str(), name);
            assert_eq!(connection.table_name(&name).unwrap().as_str(), name);
        }
        assert_eq!(connection.tables.borrow().len(), TABLE_NAMES);
        assert_eq!(connection.table_name("a"), None);
    }
}

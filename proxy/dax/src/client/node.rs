//! A node as a client sees it: a pool of connections and what was learned of it.
//!
//! Asks on any connection that has room and makes one where none has, up to a bound; who finds none waits for one, no longer
//! than its own deadline. What a request needs to know of the node first, schemas and attribute lists, is asked for in rounds.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use api::{Error, ErrorKind, Request, Response, TableName};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Wiring;
use super::failure::{Again, Failed};
use super::known::Known;
use super::link::Link;
use crate::attribute_lists::{ListId, Names};
use crate::cbor::Reader;
use crate::codec::answer::read_answer;
use crate::codec::handshake::{self, Endpoint};
use crate::codec::item::{ListIds, ListNames};
use crate::codec::method::Method;
use crate::codec::request::write_request;
use crate::codec::schema::{NamedKey, Schema};
use crate::error::{read_codes, read_error};

/// Rounds of learning what a request or its answer needs. A transaction may name a hundred tables, one learned a round.
const ROUNDS: usize = 128;

/// Connections being made at a time, where each carries one request.
const DIALS: usize = 10;

/// Failures in a row after which a node is avoided until it answers a check, and begun anew.
const FAILURES: u32 = 3;

/// Where a node is. Two are the same node if this is the same.
pub(super) type Address = (IpAddr, u16);

pub(super) struct Node {
    address: Address,
    wiring: Arc<Wiring>,
    // Held for one look.
    links: Mutex<Vec<Arc<Link>>>,
    requests: Semaphore,
    dials: Semaphore,
    known: Known,
    failures: AtomicU32,
}

/// A connection with room for one more request, held for it.
struct Held<'n> {
    node: &'n Node,
    link: Arc<Link>,
    _place: SemaphorePermit<'n>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut links = self.node.links();
        self.link.in_use.fetch_sub(1, Ordering::Relaxed);
        if self.link.is_broken() {
            links.retain(|link| !Arc::ptr_eq(link, &self.link));
        }
    }
}

/// An answer, whole.
struct Said {
    answer: Vec<u8>,
    /// Where the payload of a success begins.
    payload: usize,
    /// Of an error, whether its codes allow another try.
    again: Option<Again>,
    link: Arc<Link>,
}

impl Said {
    /// What is made of an answer that can't be read: its connection is of no use any more.
    fn unreadable(&self, error: &Error) -> Failed {
        self.link.break_off();
        Failed::no_answer(&error.message)
    }
}

/// The codes that all lacks of an authorisation begin with.
const UNAUTHORIZED: &[i64] = &[4, 23, 31];

/// What has to be learned before a request can be written, or its answer read.
enum Gap {
    Table(String),
    Ids(Vec<Names>),
    Names(Vec<ListId>),
}

impl Node {
    pub(super) fn new(address: Address, wiring: Arc<Wiring>) -> Node {
        let (connections, depth) = (wiring.settings.max_connections, wiring.settings.pipelining);
        Node {
            address,
            links: Mutex::new(Vec::new()),
            requests: Semaphore::new(connections.saturating_mul(depth).min(Semaphore::MAX_PERMITS)),
            // With room for several requests on each, those that wait for a connection use it too: one at a time.
            dials: Semaphore::new(if depth > 1 { 1 } else { DIALS }),
            known: Known::default(),
            failures: AtomicU32::new(0),
            wiring,
        }
    }

    pub(super) const fn address(&self) -> Address {
        self.address
    }

    /// Whether the node failed again and again.
    pub(super) fn is_failing(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES
    }

    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection used last that has room.
    fn with_room(&self) -> Option<Arc<Link>> {
        let mut links = self.links();
        links.retain(|link| !link.is_broken());
        let depth = self.wiring.settings.pipelining;
        let found = links.iter().rev().find(|link| link.in_use.load(Ordering::Relaxed) < depth)?;
        found.in_use.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(found))
    }

    async fn hold(&self) -> Result<Held<'_>, Failed> {
        let place = self.requests.acquire().await.map_err(|closed| Failed::not_sent(&closed))?;
        let held = |link| Held { node: self, link, _place: place };
        if let Some(link) = self.with_room() {
            return Ok(held(link));
        }
        let _dialing = self.dials.acquire().await.map_err(|closed| Failed::not_sent(&closed))?;
        if let Some(link) = self.with_room() {
            return Ok(held(link));
        }
        let (host, port) = (self.address.0.to_string(), self.address.1);
        let link = Arc::new(self.wiring.connect(&host, port).await?);
        link.in_use.fetch_add(1, Ordering::Relaxed);
        self.links().push(Arc::clone(&link));
        Ok(held(link))
    }

    async fn ask(&self, method: Method, request: &[u8]) -> Result<Said, Failed> {
        let said = self.ask_of_link(method, request).await;
        match &said {
            Err(failed) if failed.of_node => self.failed(),
            // Read first: an answer that follows many others writes nothing that other threads read.
            _ if self.failures.load(Ordering::Relaxed) > 0 => self.failures.store(0, Ordering::Relaxed),
            _ => {}
        }
        said
    }

    async fn ask_of_link(&self, method: Method, request: &[u8]) -> Result<Said, Failed> {
        let held = self.hold().await?;
        let claim = |out: &mut Vec<u8>| self.wiring.claim(out);
        let answer = held.link.exchange(method, request, self.now(), claim).await?;
        let mut said = Said { answer, payload: 0, again: None, link: Arc::clone(&held.link) };
        let mut reader = Reader::new(&said.answer);
        let codes = read_codes(&mut reader).map_err(|error| said.unreadable(&error))?;
        if codes.is_empty() {
            said.payload = said.answer.len() - reader.rest().len();
            return Ok(said);
        }
        if codes.starts_with(UNAUTHORIZED) {
            held.link.forget_authorization();
        }
        said.again = Some(Again::after(&codes));
        Ok(said)
    }

    /// Asks one of the wire's own methods, on the way to another request.
    async fn ask_own<T>(
        &self,
        method: Method,
        request: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Failed> {
        let said = self.ask(method, request).await.map_err(|failed| match failed.again {
            // The request that this is for was not sent yet, whatever became of this one.
            Again::IfHarmless => Failed { again: Again::Always, ..failed },
            Again::Never | Again::Always => failed,
        })?;
        let Some(again) = said.again else {
            return read(&said.answer[said.payload..]).map_err(|error| said.unreadable(&error));
        };
        let unknown = |_: &str| Err(internal());
        match read_error(&said.answer, None, &unknown, &mut ListNames::new(&|_| None)) {
            Ok(error) => Err(Failed { error, again, of_node: false }),
            Err(error) => Err(said.unreadable(&error)),
        }
    }

    /// The nodes of the cluster, as this one knows them.
    pub(super) async fn endpoints(&self) -> Result<Vec<Endpoint>, Failed> {
        let mut request = Vec::new();
        handshake::write_endpoints_request(&mut request).map_err(Failed::for_good)?;
        self.ask_own(Method::Endpoints, &request, handshake::read_endpoints).await
    }

    /// Counts a failure. With one too many all connections are given up and what was learned is forgotten: what answers at
    /// this address next may be another.
    pub(super) fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES {
            self.links().drain(..).for_each(|link| link.break_off());
            self.known.forget();
        }
    }

    async fn learn(&self, gap: Gap) -> Result<(), Failed> {
        let mut request = Vec::new();
        match gap {
            Gap::Table(name) => {
                handshake::write_define_key_schema(&mut request, &name).map_err(Failed::for_good)?;
                let key = self.ask_own(Method::DefineKeySchema, &request, handshake::read_key_schema).await?;
                let table = TableName::new(&name).ok_or_else(|| Failed::for_good(internal()))?;
                self.known.learn_schema(NamedKey { table, key }, self.now());
            }
            Gap::Ids(lists) => {
                for names in lists {
                    request.clear();
                    handshake::write_define_attribute_list_id(&mut request, &names)
                        .map_err(Failed::for_good)?;
                    let id = self
                        .ask_own(Method::DefineAttributeListId, &request, handshake::read_list_id)
                        .await?;
                    self.known.learn_id(&names, id);
                }
            }
            Gap::Names(ids) => {
                for id in ids {
                    request.clear();
                    handshake::write_define_attribute_list(&mut request, id).map_err(Failed::for_good)?;
                    let names = self.ask_own(Method::DefineAttributeList, &request, read_list).await?;
                    self.known.learn_names(id, names);
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.wiring.surroundings.monotonic()
    }

    /// Asks one of the API's operations.
    pub(super) async fn call(&self, request: &Request) -> Result<Response, Failed> {
        let message = self.message(request).await?;
        let method = Method::Operation(request.kind());
        let said = self.ask(method, &message).await?;
        for _ in 0..ROUNDS {
            let gap = match said.again {
                None => match self.read_answer(&said.answer[said.payload..], request) {
                    Ok(Ok(response)) => return Ok(response),
                    Ok(Err(gap)) => gap,
                    Err(error) => return Err(said.unreadable(&error)),
                },
                Some(again) => match self.read_error(&said.answer, request) {
                    Ok(Ok(error)) => return Err(Failed { error, again, of_node: false }),
                    Ok(Err(gap)) => gap,
                    Err(error) => return Err(said.unreadable(&error)),
                },
            };
            // The request is answered: all that is left is to read what came.
            self.learn(gap).await.map_err(after_effect)?;
        }
        Err(said.unreadable(&internal()))
    }

    /// The request as it goes out, once all is known that it needs.
    async fn message(&self, request: &Request) -> Result<Vec<u8>, Failed> {
        for _ in 0..ROUNDS {
            match self.write(request).map_err(Failed::for_good)? {
                Ok(message) => return Ok(message),
                Err(gap) => self.learn(gap).await?,
            }
        }
        Err(Failed::for_good(internal()))
    }

    fn write(&self, request: &Request) -> Result<Result<Vec<u8>, Gap>, Error> {
        let mut out = Vec::new();
        let find = |names: &[&str]| self.known.id(names);
        let mut lists = ListIds::new(&find);
        let written = self.with_schemas(|schemas| write_request(&mut out, request, schemas, &mut lists));
        let missing = lists.missing();
        Ok(match written? {
            Ok(()) if missing.is_empty() => Ok(out),
            Ok(()) => Err(Gap::Ids(missing)),
            Err(gap) => Err(gap),
        })
    }

    fn read_answer(&self, payload: &[u8], request: &Request) -> Result<Result<Response, Gap>, Error> {
        self.with_names(|schemas, names| read_answer(payload, request, schemas, names))
    }

    fn read_error(&self, answer: &[u8], request: &Request) -> Result<Result<Error, Gap>, Error> {
        self.with_names(|schemas, names| read_error(answer, Some(request), schemas, names))
    }

    fn with_names<T>(
        &self,
        read: impl FnOnce(&dyn Fn(&str) -> Result<Schema, Error>, &mut ListNames<'_>) -> Result<T, Error>,
    ) -> Result<Result<T, Gap>, Error> {
        let find = |id| self.known.names(id);
        let mut names = ListNames::new(&find);
        let read = self.with_schemas(|schemas| read(schemas, &mut names));
        let missing = names.missing();
        if !missing.is_empty() {
            return Ok(Err(Gap::Names(missing)));
        }
        read
    }

    /// Does what needs schemas; the first that is not known is the gap.
    fn with_schemas<T>(
        &self,
        act: impl FnOnce(&dyn Fn(&str) -> Result<Schema, Error>) -> Result<T, Error>,
    ) -> Result<Result<T, Gap>, Error> {
        let now = self.now();
        let missing = std::cell::RefCell::new(None);
        let schemas = |name: &str| {
            self.known.schema(name, now).ok_or_else(|| {
                missing.borrow_mut().get_or_insert_with(|| name.to_owned());
                internal()
            })
        };
        let acted = act(&schemas);
        match missing.into_inner() {
            Some(name) => Ok(Err(Gap::Table(name))),
            None => acted.map(Ok),
        }
    }
}

fn after_effect(failed: Failed) -> Failed {
    let again = if failed.again == Again::Never { Again::Never } else { Again::IfHarmless };
    Failed { again, ..failed }
}

fn read_list(payload: &[u8]) -> Result<Names, Error> {
    let mut reader = Reader::new(payload);
    let names = handshake::read_names(&mut reader)?;
    reader.end()?;
    Ok(names)
}

fn internal() -> Error {
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}

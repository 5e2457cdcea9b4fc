//! From a request to its answer: who calls, what is asked, the call, the answer's bytes.
//!
//! A read of a whole item is looked for first as it lies in its frame, and copied where its answer lies ready: no request, no
//! allocation, no count of owners. What else the service can say without waiting is asked for by a plain call, and is written
//! before the next request is looked at: no future, no clock, no count, and no allocation but what decoding needs. A panic below
//! is not caught here.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use api::operation::{Request, Response};
use api::schema::Status;
use api::service::{Caller, Peek, Tables};
use api::{Answer, Context, Detail, DynamoDb, Error, ErrorKind, OpClass, OpKind, Version, Wire};

use super::{Auth, Inner, Reached};
use crate::attribute_lists::{Demand, EMPTY, ListId, Names};
use crate::authorize;
use crate::cbor::write;
use crate::codec::answer::{SUCCESS, write_answer};
use crate::codec::handshake::{self, AuthorizeConnection};
use crate::codec::item::{ListIds, ListNames};
use crate::codec::key::append_canonical;
use crate::codec::method::Method;
use crate::codec::question::Question;
use crate::codec::request::{PlainGet, read_request};
use crate::codec::schema::Schema;
use crate::connection::{Connection, request_id_text};
use crate::error::{UNKNOWN_TABLE, write_error, write_with_codes};

/// Rounds of defining attribute lists that an answer had none for. One round defines all it needs; a second is for those that
/// a registry gave up meanwhile, which none does.
const DEFINING_ROUNDS: usize = 2;

/// Longest key that is looked for as it lies in its frame, which is longer than any item's. Unit: bytes.
const PEEKED_KEY_BYTES: usize = 4096;

thread_local! {
    // A key's canonical form, while it is looked for.
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request as it arrived.
#[derive(Clone, Copy)]
pub(super) struct Framed<'a> {
    pub(super) reached: Reached,
    pub(super) method: Method,
    pub(super) values: &'a [u8],
}

/// What has to be done for a request.
#[allow(
    clippy::large_enum_variant,
    reason = "taken apart where it is made; a box would be an allocation in every hit"
)]
pub(super) enum Step {
    /// Nothing more: the answer is written, or there is none.
    Done,
    /// The service is to be called.
    Call { cx: Context, request: Request, asked: Asked },
    /// The service has answered, with attributes whose lists have no ids yet.
    Unnamed { response: Response, asked: Asked },
    /// An attribute list is to be registered, and its id answered.
    Define { names: Names, request_id: u128 },
    /// The request speaks of what other nodes may know. Nothing is written; it is to be begun again once this node has caught up.
    Behind,
}

/// What becomes of a request that speaks of a table or a list that is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It waits, where other nodes may know more.
    MayCome,
    /// It has waited.
    IsRefused,
}

/// A request that was passed on.
pub(super) struct Asked {
    request_id: u128,
    question: Question,
}

impl Asked {
    /// Whether it may have changed something.
    pub(super) const fn changes(&self) -> bool {
        matches!(self.question.op().class(), OpClass::Write | OpClass::Control)
    }
}

/// Does all of a request that needs no waiting.
pub(super) fn begin<D: DynamoDb>(
    inner: &Inner<D>,
    connection: &mut Connection,
    frame: Framed<'_>,
    unknown: Unknown,
    out: &mut Vec<u8>,
) -> Step {
    if frame.method == Method::AuthorizeConnection {
        claim(inner, connection, frame.values);
        return Step::Done;
    }
    let (start, met) = (out.len(), Cell::new(false));
    let request_id = connection.next_request_id();
    let step = try_begin(inner, connection, frame, request_id, out, &met).unwrap_or_else(|error| {
        fail(out, &error, request_id);
        Step::Done
    });
    if met.get() && unknown == Unknown::MayCome && inner.cluster.follows.is_some() {
        out.truncate(start);
        return Step::Behind;
    }
    step
}

/// Notes who calls. Nothing is answered: what is wrong is the error of the next request.
fn claim<D>(inner: &Inner<D>, connection: &mut Connection, values: &[u8]) {
    let Auth::Keys(signers) = &inner.auth else { return };
    let now = inner.surroundings.wall_millis() / 1000;
    let caller =
        AuthorizeConnection::read(values).and_then(|claim| authorize::check(&claim, &**signers, now));
    connection.claimed(caller, inner.surroundings.monotonic());
}

/// Appends an error whose detail needs nothing of the question.
pub(super) fn fail(out: &mut Vec<u8>, error: &Error, request_id: u128) {
    write_error(out, error, &request_id_text(request_id), None, &mut ListIds::new(&|_| None));
}

fn try_begin<D: DynamoDb>(
    inner: &Inner<D>,
    connection: &mut Connection,
    frame: Framed<'_>,
    request_id: u128,
    out: &mut Vec<u8>,
    unknown_met: &Cell<bool>,
) -> Result<Step, Error> {
    let Framed { reached, method, values } = frame;
    let floor = connection.floor();
    let caller = match &inner.auth {
        Auth::Any => &inner.anyone,
        Auth::Keys(_) => connection.caller(inner.surroundings.monotonic())?,
    };
    if method == Method::Operation(OpKind::GetItem)
        && let Some(version) = peek(inner, caller, floor, values, out)
    {
        connection.saw(Some(version));
        return Ok(Step::Done);
    }
    let caller = Arc::clone(caller);
    match method {
        Method::Operation(op) => {
            let (request, question) = read(inner, connection, op, values, unknown_met)?;
            let mut cx = Context {
                request_id,
                caller,
                deadline: None,
                min_version: floor,
                max_staleness: None,
                wire: question.wire(),
                hops: 0,
                tables: Tables::default(),
            };
            let asked = Asked { request_id, question };
            let Some(answer) = inner.db.call_now(&mut cx, &request) else {
                if !inner.account.has_room() {
                    return Err(throttled());
                }
                // Only what may wait needs a deadline, and a clock read for it.
                cx.deadline = Some(inner.surroundings.monotonic() + inner.settings.request_timeout());
                return Ok(Step::Call { cx, request, asked });
            };
            connection.saw(answer.version);
            return Ok(match written_at_once(inner, out, &asked, &answer.response)? {
                true => Step::Done,
                false => Step::Unnamed { response: answer.response, asked },
            });
        }
        Method::Endpoints => {
            let endpoints = inner.cluster.nodes.endpoints(reached);
            out.push(SUCCESS);
            handshake::write_endpoints(out, &endpoints);
        }
        Method::DefineKeySchema => {
            let name = handshake::read_define_key_schema(values)?;
            let table = connection.table_name(name).and_then(|name| inner.cluster.catalog.table(&name));
            match table.filter(|table| matches!(table.status, Status::Active | Status::Updating)) {
                Some(table) => {
                    out.push(SUCCESS);
                    handshake::write_key_schema(out, &table.key);
                }
                None => {
                    unknown_met.set(true);
                    let (error, id) = (no_such_table(), request_id_text(request_id));
                    write_with_codes(out, UNKNOWN_TABLE, &error, &id, None, &mut ListIds::new(&|_| None));
                }
            }
        }
        Method::DefineAttributeListId => {
            let names = handshake::read_define_attribute_list_id(values)?;
            let known = match names.len() {
                0 => Some(EMPTY),
                _ => {
                    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
                    inner.cluster.lists.id(&borrowed, Demand::Write)
                }
            };
            match known {
                Some(id) => list_id(out, id),
                None => return Ok(Step::Define { names, request_id }),
            }
        }
        Method::DefineAttributeList => {
            let id = handshake::read_list_id(values)?;
            let names = if id == EMPTY { Some(Names::default()) } else { inner.cluster.lists.names(id) };
            let names = names.ok_or_else(|| {
                unknown_met.set(true);
                Error::validation(format!("The attribute list {} is not known here", id.0))
            })?;
            out.push(SUCCESS);
            handshake::write_names(out, &names);
        }
        // It was taken care of before a caller was asked for.
        Method::AuthorizeConnection => {}
    }
    Ok(Step::Done)
}

/// Appends the answer to a read of a whole item, where it lies ready. `None`, and nothing appended, where it does not, and for
/// every other request.
fn peek<D: DynamoDb>(
    inner: &Inner<D>,
    caller: &Arc<Caller>,
    min_version: Option<Version>,
    values: &[u8],
    out: &mut Vec<u8>,
) -> Option<Version> {
    let get = PlainGet::read(values).filter(|get| get.key.len() <= PEEKED_KEY_BYTES)?;
    KEY.with_borrow_mut(|key| {
        key.clear();
        let mut version = None;
        inner.cluster.catalog.lend(get.table, &mut |table| {
            if append_canonical(&table.key, get.key, key).is_some() {
                let read = Peek { caller, table, key, min_version, wire: Wire::Dax };
                version = inner.db.peek(&read, out);
            }
        });
        version
    })
}

fn list_id(out: &mut Vec<u8>, id: ListId) {
    out.push(SUCCESS);
    write::unsigned(out, id.0);
}

fn read<D>(
    inner: &Inner<D>,
    connection: &Connection,
    op: OpKind,
    values: &[u8],
    unknown_met: &Cell<bool>,
) -> Result<(Request, Question), Error> {
    let schemas = |name: &str| {
        let name = connection.table_name(name).ok_or_else(|| {
            Error::validation(
                "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may \
                 contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
            )
        })?;
        inner.cluster.catalog.table(&name).map(Schema::Table).ok_or_else(|| {
            unknown_met.set(true);
            no_such_table()
        })
    };
    let names = |id| {
        let names = inner.cluster.lists.names(id);
        unknown_met.set(unknown_met.get() || names.is_none());
        names
    };
    read_request(op, values, connection.select_all(), &schemas, &mut ListNames::new(&names))
}

fn no_such_table() -> Error {
    Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found")
}

pub(super) fn throttled() -> Error {
    Error::new(ErrorKind::ThrottlingException, "Rate of requests exceeds the allowed throughput.")
}

/// Registers an attribute list and appends the answer.
pub(super) async fn define<D>(inner: &Inner<D>, names: Names, request_id: u128, out: &mut Vec<u8>) {
    match inner.cluster.lists.define(names, Demand::Write).await {
        Ok(id) => list_id(out, id),
        Err(error) => fail(out, &error, request_id),
    }
}

/// Appends an answer that needs no attribute list registered. `false`, and nothing appended, where it does.
fn written_at_once<D>(
    inner: &Inner<D>,
    out: &mut Vec<u8>,
    asked: &Asked,
    response: &Response,
) -> Result<bool, Error> {
    let start = out.len();
    let find = |names: &[&str]| inner.cluster.lists.id(names, Demand::Answer);
    let mut lists = ListIds::new(&find);
    let written = write_answer(out, &asked.question, response, &mut lists);
    let whole = written.is_ok() && lists.missing().is_empty();
    if !whole {
        out.truncate(start);
    }
    written.map_err(|error| untold(asked, error)).map(|()| whole)
}

/// Appends the answer to what was asked. Waits only where an item has a list of attributes that has no id yet.
pub(super) async fn finish<D>(
    inner: &Inner<D>,
    connection: &mut Connection,
    asked: Asked,
    result: Result<Answer, Error>,
    out: &mut Vec<u8>,
) {
    let result = result.map(|answer| {
        connection.saw(answer.version);
        answer.response
    });
    written(inner, asked, result, out).await;
}

/// Appends what came of what was asked, once all its attribute lists have ids.
pub(super) async fn written<D>(
    inner: &Inner<D>,
    asked: Asked,
    result: Result<Response, Error>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let written = write_with_lists(inner, out, |out, lists| write_result(out, &asked, &result, lists)).await;
    if let Err(why) = written {
        out.truncate(start);
        let untold = untold(&asked, why);
        // An error is told without what goes with it.
        let error = result.err().unwrap_or(untold);
        fail(out, &error, asked.request_id);
    }
}

/// What is answered, and said in the log, where an answer can't be written. The reason alone may be an error by which clients know that
/// nothing was done, and of a change that would be wrong.
fn untold(asked: &Asked, why: Error) -> Error {
    tracing::error!(
        operation = asked.question.op().name(),
        kind = why.kind.name(),
        message = %why.message,
        "an answer can't be written"
    );
    if !asked.changes() {
        return why;
    }
    let message = format!("The request has taken effect, but its answer can't be written: {}", why.message);
    Error::new(ErrorKind::InternalServerError, message).with(Detail::OutcomeUnknown)
}

fn write_result(
    out: &mut Vec<u8>,
    asked: &Asked,
    result: &Result<Response, Error>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    match result {
        Ok(response) => write_answer(out, &asked.question, response, lists),
        Err(error) => {
            let id = request_id_text(asked.request_id);
            write_error(out, error, &id, Some(&asked.question), lists);
            Ok(())
        }
    }
}

/// Writes; where lists had no id, has them registered and writes again.
async fn write_with_lists<D>(
    inner: &Inner<D>,
    out: &mut Vec<u8>,
    write: impl Fn(&mut Vec<u8>, &mut ListIds<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = out.len();
    for _ in 0..=DEFINING_ROUNDS {
        let missing = {
            let find = |names: &[&str]| inner.cluster.lists.id(names, Demand::Answer);
            let mut lists = ListIds::new(&find);
            write(out, &mut lists)?;
            lists.missing()
        };
        if missing.is_empty() {
            return Ok(());
        }
        out.truncate(start);
        for names in missing {
            inner.cluster.lists.define(names, Demand::Answer).await?;
        }
    }
    Err(Error::new(ErrorKind::InternalServerError, "Internal server error"))
}

//! Query and Scan.

use api::expr::{Condition, ExpressionKind, Projection};
use api::op::{QueryInput, ScanInput, Segment, Select};
use api::schema::IndexName;
use api::{Error, Item, Request, limits};

use crate::cbor::{Reader, write};
use crate::codec::expr::{self, read_condition, read_key_condition, read_projection};
use crate::codec::key::{read_index_position, read_key, write_index_position, write_key_alone};
use crate::codec::malformed;
use crate::codec::options::{Options, OptionsWriter, select, utf8};
use crate::codec::question::{self, Question};
use crate::codec::request::SelectAll;
use crate::codec::schema::{FindSchema, Schema};
use crate::codec::value::Room;

/// Which of the two asks; the service words some refusals differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Query,
    Scan,
}

/// What both have.
struct Common {
    index: Option<IndexName>,
    filter: Option<Condition>,
    select: Select,
    limit: Option<u32>,
    start: Option<Item>,
}

fn read_common(
    asks: Asks,
    schema: &Schema,
    options: &Options<'_>,
    all: SelectAll,
    room: &mut Room,
) -> Result<Common, Error> {
    let index = options.index.map(read_index_name).transpose()?;
    let limit = match options.limit {
        None => None,
        Some(limit) if limit < 1 => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must \
                 have value greater than or equal to 1"
            )));
        }
        // More than can be counted is no limit.
        Some(limit) => u32::try_from(limit).ok(),
    };
    let start = match (options.start, &index) {
        (None, _) => None,
        (Some(bytes), Some(_)) => Some(read_index_position(bytes).map_err(bad_start)?),
        (Some(bytes), None) => Some(read_key(schema.key(), bytes).map_err(bad_start)?),
    };
    let filter =
        options.filter.map(|bytes| read_condition(ExpressionKind::Filter, bytes, room)).transpose()?;
    let projection = options.projection.map(|bytes| read_projection(bytes, room)).transpose()?;
    let number = options.select.filter(|number| *number != select::ALL || all == SelectAll::Meant);
    let select = read_select(asks, number, index.is_some(), projection)?;
    Ok(Common { index, filter, select, limit, start })
}

fn bad_start(error: Error) -> Error {
    Error::validation(format!("The provided starting key is invalid: {}", error.message))
}

fn read_index_name(text: &str) -> Result<IndexName, Error> {
    IndexName::new(text).ok_or_else(|| {
        Error::validation(
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain \
             only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
        )
    })
}

fn read_select(
    asks: Asks,
    number: Option<i64>,
    of_index: bool,
    projection: Option<Projection>,
) -> Result<Select, Error> {
    let refuse = |message: &str| match asks {
        Asks::Query => Error::validation(format!("1 validation error detected: {message}")),
        Asks::Scan => Error::validation(message.to_owned()),
    };
    let beside =
        |what: &str| refuse(&format!("Cannot specify the ProjectionExpression when choosing to get {what}"));
    match (number, projection) {
        (None, None) if of_index => Ok(Select::AllProjected),
        (None | Some(select::ALL), None) => Ok(Select::AllAttributes),
        (None | Some(select::SPECIFIC), Some(projection)) => Ok(Select::Specific(projection)),
        (Some(select::ALL), Some(_)) => Err(beside("ALL_ATTRIBUTES")),
        (Some(select::SPECIFIC), None) => Err(refuse(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        )),
        (Some(select::ALL_PROJECTED), Some(_)) => Err(beside("ALL_PROJECTED_ATTRIBUTES")),
        (Some(select::ALL_PROJECTED), None) if !of_index => {
            Err(refuse("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"))
        }
        (Some(select::ALL_PROJECTED), None) => Ok(Select::AllProjected),
        (Some(select::COUNT), Some(_)) => Err(beside("only the Count")),
        (Some(select::COUNT), None) => Ok(Select::Count),
        (Some(_), _) => Err(malformed("a Select that is none")),
    }
}

pub(super) fn read_query(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
    all: SelectAll,
) -> Result<(Request, Question), Error> {
    let schema = schemas(utf8(reader.bytes()?)?)?;
    let key_condition = if reader.null()? { None } else { Some(reader.bytes()?) };
    let options = Options::read(reader)?;
    let room = &mut expr::room_of_request();
    let key_condition = key_condition.ok_or_else(|| {
        Error::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let key_condition = read_key_condition(key_condition, room)?;
    let common = read_common(Asks::Query, &schema, &options, all, room)?;
    let table = schema.name().clone();
    let (select, page) = question::ask_page(schema, common.index.as_ref(), common.select);
    let input = QueryInput {
        table,
        index: common.index,
        key_condition,
        filter: common.filter,
        select,
        limit: common.limit,
        consistent: options.consistent,
        forward: options.forward.unwrap_or(true),
        start: common.start,
        return_capacity: options.return_capacity,
    };
    Ok((input.into(), Question::Query(page)))
}

pub(super) fn read_scan(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
    all: SelectAll,
) -> Result<(Request, Question), Error> {
    let schema = schemas(utf8(reader.bytes()?)?)?;
    let options = Options::read(reader)?;
    let segment = read_segment(options.segment, options.total_segments)?;
    let room = &mut expr::room_of_request();
    let common = read_common(Asks::Scan, &schema, &options, all, room)?;
    let table = schema.name().clone();
    let (select, page) = question::ask_page(schema, common.index.as_ref(), common.select);
    let input = ScanInput {
        table,
        index: common.index,
        filter: common.filter,
        select,
        limit: common.limit,
        consistent: options.consistent,
        segment,
        start: common.start,
        return_capacity: options.return_capacity,
    };
    Ok((input.into(), Question::Scan(page)))
}

/// Which share of the table; both numbers are given or neither. The words are the service's.
fn read_segment(number: Option<i64>, total: Option<i64>) -> Result<Option<Segment>, Error> {
    let (number, total) = match (number, total) {
        (None, None) => return Ok(None),
        (Some(number), Some(total)) => (number, total),
        (Some(_), None) => {
            return Err(Error::validation(
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
                 present",
            ));
        }
        (None, Some(_)) => {
            return Err(Error::validation(
                "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
                 present",
            ));
        }
    };
    let constraint = |value: i64, at: &str, bound: &str, limit: i64| {
        Err(Error::validation(format!(
            "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: Member must have \
             value {bound} than or equal to {limit}"
        )))
    };
    let most = i64::from(limits::SCAN_SEGMENTS);
    if total < 1 {
        return constraint(total, "totalSegments", "greater", 1);
    }
    if total > most {
        return constraint(total, "totalSegments", "less", most);
    }
    if number < 0 {
        return constraint(number, "segment", "greater", 0);
    }
    if number >= total {
        return Err(Error::validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {number} is \
             not less than TotalSegments: {total}"
        )));
    }
    let narrow = |value| u32::try_from(value).map_err(|_| malformed("a segment out of range"));
    Ok(Some(Segment { number: narrow(number)?, total: narrow(total)? }))
}

pub(super) fn write_query(
    out: &mut Vec<u8>,
    input: &QueryInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    let schema = schemas(input.table.as_str())?;
    write::bytes(out, input.table.as_str().as_bytes());
    write::wrapped(out, |out| expr::write_key_condition(out, &input.key_condition));
    let mut options = OptionsWriter::open(out);
    write_place(
        &mut options,
        Asks::Query,
        &schema,
        input.index.as_ref(),
        &input.select,
        input.limit,
        input.start.as_ref(),
    )?;
    if !input.forward {
        options.backward();
    }
    options.capacity(input.return_capacity);
    if input.consistent {
        options.consistent_page();
    }
    write_what(&mut options, input.filter.as_ref(), &input.select);
    options.close();
    Ok(())
}

pub(super) fn write_scan(out: &mut Vec<u8>, input: &ScanInput, schemas: FindSchema<'_>) -> Result<(), Error> {
    let schema = schemas(input.table.as_str())?;
    write::bytes(out, input.table.as_str().as_bytes());
    let mut options = OptionsWriter::open(out);
    write_place(
        &mut options,
        Asks::Scan,
        &schema,
        input.index.as_ref(),
        &input.select,
        input.limit,
        input.start.as_ref(),
    )?;
    options.capacity(input.return_capacity);
    if input.consistent {
        options.consistent_page();
    }
    if let Some(segment) = input.segment {
        options.segment(segment);
    }
    write_what(&mut options, input.filter.as_ref(), &input.select);
    options.close();
    Ok(())
}

fn write_place(
    options: &mut OptionsWriter<'_>,
    asks: Asks,
    schema: &Schema,
    index: Option<&IndexName>,
    select: &Select,
    limit: Option<u32>,
    start: Option<&Item>,
) -> Result<(), Error> {
    if let Some(index) = index {
        options.index(index.as_str());
    }
    match select {
        Select::Count => options.select(select::COUNT),
        Select::AllAttributes if index.is_some() => options.select(select::ALL),
        // The defaults, of a table and of an index.
        Select::AllAttributes | Select::AllProjected | Select::Specific(_) => {}
    }
    if let Some(limit) = limit {
        options.limit(limit);
    }
    match (start, index) {
        (None, _) => Ok(()),
        (Some(start), Some(_)) => {
            options.start(|out| write_index_position(out, start));
            Ok(())
        }
        // One that does not fit is refused here, since bytes have no place for it; in the service's words.
        (Some(start), None) if asks == Asks::Query && start.0.len() != schema.key().attributes().count() => {
            Err(Error::validation("The provided starting key is invalid"))
        }
        (Some(start), None) => {
            options.start(|out| write_key_alone(out, schema.key(), start)).map_err(bad_start)
        }
    }
}

fn write_what(options: &mut OptionsWriter<'_>, filter: Option<&Condition>, select: &Select) {
    if let Some(filter) = filter {
        options.filter(|out| expr::write_condition(out, filter));
    }
    if let Select::Specific(projection) = select {
        options.projection(|out| expr::write_projection(out, projection));
    }
}

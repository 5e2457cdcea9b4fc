//! Consumed capacity and item collection metrics. Plain answers carry capacity as a byte string of five values, transactions
//! as a map that tells reads from writes.

use std::collections::BTreeMap;

use api::op::{Capacity, ConsumedCapacity, ItemCollectionMetrics};
use api::schema::KeySchema;
use api::{Error, Item};

use super::key::value_of;
use super::malformed;
use super::value::{Room, read_value, write_value};
use crate::cbor::{FRAME_DEPTH, Kind, Reader, write};

/// Keys of the extended form.
mod key {
    pub const UNITS: u64 = 1;
    pub const READ_UNITS: u64 = 2;
    pub const WRITE_UNITS: u64 = 3;
    pub const TABLE_NAME: u64 = 4;
    pub const TABLE: u64 = 5;
    pub const GLOBAL: u64 = 6;
    pub const LOCAL: u64 = 7;
}

/// Most indexes that are read of one table; more than one can have.
const INDEXES: usize = 64;

/// Appends what each table consumed, each in the form that `write_one` has.
pub(super) fn write_all(
    out: &mut Vec<u8>,
    capacity: &[ConsumedCapacity],
    write_one: fn(&mut Vec<u8>, &ConsumedCapacity),
) {
    write::array(out, capacity.len());
    capacity.iter().for_each(|each| write_one(out, each));
}

/// Reads what each table consumed; null is nothing.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    read_one: impl Fn(&mut Reader<'_>) -> Result<Option<ConsumedCapacity>, Error>,
) -> Result<Vec<ConsumedCapacity>, Error> {
    let mut all = Vec::new();
    if reader.null()? {
        return Ok(all);
    }
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        all.extend(read_one(reader)?);
    }
    Ok(all)
}

/// A number of units, which some clients write as an integer.
fn read_units(reader: &mut Reader<'_>) -> Result<f64, Error> {
    match reader.kind()? {
        // Units are far below where a double stops telling integers apart.
        Kind::Int => Ok(reader.int()? as f64),
        _ => Ok(reader.double()?),
    }
}

/// Appends the plain form.
pub(super) fn write_plain(out: &mut Vec<u8>, capacity: &ConsumedCapacity) {
    write::wrapped(out, |out| {
        write::text(out, &capacity.table);
        write::double(out, capacity.total.units);
        match capacity.own {
            Some(own) => write::double(out, own.units),
            None => write::null(out),
        }
        for indexes in [&capacity.global, &capacity.local] {
            if indexes.is_empty() {
                write::null(out);
                continue;
            }
            write::map(out, indexes.len());
            for (name, units) in indexes {
                write::text(out, name);
                write::double(out, units.units);
            }
        }
    });
}

/// Reads the plain form; `None` for a null.
pub(super) fn read_plain(reader: &mut Reader<'_>) -> Result<Option<ConsumedCapacity>, Error> {
    if reader.null()? {
        return Ok(None);
    }
    let reader = &mut Reader::new(reader.bytes()?);
    let table = reader.text()?.to_owned();
    let units = |reader: &mut Reader<'_>| Ok(Capacity { units: read_units(reader)?, ..Capacity::default() });
    let total = units(reader)?;
    let own = if reader.null()? { None } else { Some(units(reader)?) };
    let global = read_indexes(reader, units)?;
    let local = read_indexes(reader, units)?;
    reader.end()?;
    Ok(Some(ConsumedCapacity { table, total, own, local, global }))
}

fn read_indexes(
    reader: &mut Reader<'_>,
    units: impl Fn(&mut Reader<'_>) -> Result<Capacity, Error>,
) -> Result<BTreeMap<String, Capacity>, Error> {
    let mut indexes = BTreeMap::new();
    if reader.null()? {
        return Ok(indexes);
    }
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        if indexes.len() == INDEXES {
            return Err(malformed("capacity of more indexes than a table has"));
        }
        indexes.insert(reader.text()?.to_owned(), units(reader)?);
    }
    Ok(indexes)
}

/// Appends the extended form. Its map is indefinite, those in it are not: the Java client takes no others.
pub(super) fn write_extended(out: &mut Vec<u8>, capacity: &ConsumedCapacity) {
    write::open_map(out);
    write::unsigned(out, key::TABLE_NAME);
    write::text(out, &capacity.table);
    write_parts(out, &capacity.total);
    if let Some(own) = &capacity.own {
        write::unsigned(out, key::TABLE);
        write_units_map(out, own);
    }
    for (key, indexes) in [(key::GLOBAL, &capacity.global), (key::LOCAL, &capacity.local)] {
        if !indexes.is_empty() {
            write::unsigned(out, key);
            write::map(out, indexes.len());
            for (name, units) in indexes {
                write::text(out, name);
                write_units_map(out, units);
            }
        }
    }
    write::close(out);
}

fn write_units_map(out: &mut Vec<u8>, units: &Capacity) {
    let parts = 1 + usize::from(units.read_units.is_some()) + usize::from(units.write_units.is_some());
    write::map(out, parts);
    write_parts(out, units);
}

fn write_parts(out: &mut Vec<u8>, units: &Capacity) {
    for (key, value) in [
        (key::UNITS, Some(units.units)),
        (key::READ_UNITS, units.read_units),
        (key::WRITE_UNITS, units.write_units),
    ] {
        if let Some(value) = value {
            write::unsigned(out, key);
            write::double(out, value);
        }
    }
}

/// Reads the extended form.
pub(super) fn read_extended(reader: &mut Reader<'_>) -> Result<ConsumedCapacity, Error> {
    let mut capacity = ConsumedCapacity::default();
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        match reader.int_as::<u64>()? {
            key::UNITS => capacity.total.units = read_units(reader)?,
            key::READ_UNITS => capacity.total.read_units = Some(read_units(reader)?),
            key::WRITE_UNITS => capacity.total.write_units = Some(read_units(reader)?),
            key::TABLE_NAME => capacity.table = reader.text()?.to_owned(),
            key::TABLE => capacity.own = Some(read_units_map(reader)?),
            key::GLOBAL => capacity.global = read_indexes(reader, read_units_map)?,
            key::LOCAL => capacity.local = read_indexes(reader, read_units_map)?,
            _ => {
                reader.raw(FRAME_DEPTH)?;
            }
        }
    }
    Ok(capacity)
}

fn read_units_map(reader: &mut Reader<'_>) -> Result<Capacity, Error> {
    let mut units = Capacity::default();
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        match reader.int_as::<u64>()? {
            key::UNITS => units.units = read_units(reader)?,
            key::READ_UNITS => units.read_units = Some(read_units(reader)?),
            key::WRITE_UNITS => units.write_units = Some(read_units(reader)?),
            _ => {
                reader.raw(FRAME_DEPTH)?;
            }
        }
    }
    Ok(units)
}

/// Appends an item collection. Errors: metrics of another table.
pub(super) fn write_collection(
    out: &mut Vec<u8>,
    schema: &KeySchema,
    metrics: &ItemCollectionMetrics,
) -> Result<(), Error> {
    let partition = value_of(&metrics.key, &schema.partition)?;
    write::wrapped(out, |out| {
        write_value(out, partition);
        // Doubles, also where they are whole: not every client takes integers here.
        write::double(out, metrics.size_range_gb.0);
        write::double(out, metrics.size_range_gb.1);
    });
    Ok(())
}

/// Reads an item collection; `None` for a null.
pub(super) fn read_collection(
    reader: &mut Reader<'_>,
    schema: &KeySchema,
) -> Result<Option<ItemCollectionMetrics>, Error> {
    if reader.null()? {
        return Ok(None);
    }
    let reader = &mut Reader::new(reader.bytes()?);
    let partition = read_value(reader, &mut Room::of_item())?;
    let lower = read_units(reader)?;
    let upper = read_units(reader)?;
    reader.end()?;
    let key = Item::new().with(schema.partition.name.clone(), partition);
    Ok(Some(ItemCollectionMetrics { key, size_range_gb: (lower, upper) }))
}

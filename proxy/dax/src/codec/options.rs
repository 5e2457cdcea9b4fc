//! The last value of every data request: null, or a map from number to option.
//!
//! Clients differ in the order and in how they write some options; all that was seen is read. Python sends the condition's
//! text under the key of the condition first: the last one counts.

use api::Error;
use api::op::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};

use super::malformed;
use crate::cbor::{FRAME_DEPTH, Kind, Reader, write};

mod key {
    pub const PROJECTION: u64 = 0;
    pub const CONSISTENT: u64 = 2;
    pub const RETURN_CAPACITY: u64 = 3;
    pub const CONDITION: u64 = 4;
    pub const RETURN_COLLECTION: u64 = 6;
    pub const RETURN_VALUES: u64 = 7;
    pub const UPDATE: u64 = 8;
    pub const START: u64 = 9;
    pub const FILTER: u64 = 10;
    pub const INDEX: u64 = 11;
    pub const LIMIT: u64 = 13;
    pub const FORWARD: u64 = 14;
    pub const SELECT: u64 = 15;
    pub const SEGMENT: u64 = 16;
    pub const TOTAL_SEGMENTS: u64 = 17;
    pub const TOKEN: u64 = 19;
}

/// Numbers of `ReturnValues`.
pub(super) mod return_values {
    pub const NONE: i64 = 1;
    pub const ALL_OLD: i64 = 2;
    pub const UPDATED_OLD: i64 = 3;
    pub const ALL_NEW: i64 = 4;
    pub const UPDATED_NEW: i64 = 5;
}

/// Numbers of `Select`.
pub(super) mod select {
    pub const ALL: i64 = 1;
    pub const ALL_PROJECTED: i64 = 2;
    pub const COUNT: i64 = 3;
    pub const SPECIFIC: i64 = 4;
}

/// The options of a request, borrowed from its frame. What is not there is `None`, or asks for nothing.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub projection: Option<&'a [u8]>,
    pub consistent: bool,
    pub return_capacity: ReturnConsumedCapacity,
    pub condition: Option<&'a [u8]>,
    pub return_collection: ReturnItemCollectionMetrics,
    pub return_values: Option<i64>,
    pub update: Option<&'a [u8]>,
    pub start: Option<&'a [u8]>,
    pub filter: Option<&'a [u8]>,
    pub index: Option<&'a str>,
    pub limit: Option<i64>,
    pub forward: Option<bool>,
    pub select: Option<i64>,
    pub segment: Option<i64>,
    pub total_segments: Option<i64>,
    pub token: Option<&'a str>,
}

impl<'a> Options<'a> {
    /// Reads the options.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        if reader.null()? {
            return Ok(options);
        }
        let mut entries = reader.map()?;
        while entries.more(reader)? {
            let key: u64 = reader.int_as()?;
            if !reader.null()? {
                options.set(key, reader)?;
            }
        }
        Ok(options)
    }

    fn set(&mut self, key: u64, reader: &mut Reader<'a>) -> Result<(), Error> {
        match key {
            key::PROJECTION => self.projection = Some(reader.bytes()?),
            key::CONSISTENT => self.consistent = flag(reader)?,
            key::RETURN_CAPACITY => {
                self.return_capacity = match reader.int_as()? {
                    0i64 => ReturnConsumedCapacity::None,
                    1 => ReturnConsumedCapacity::Total,
                    2 => ReturnConsumedCapacity::Indexes,
                    _ => return Err(malformed("a ReturnConsumedCapacity that is none")),
                }
            }
            key::CONDITION => self.condition = Some(reader.bytes()?),
            key::RETURN_COLLECTION => {
                self.return_collection = match reader.int_as()? {
                    0i64 => ReturnItemCollectionMetrics::None,
                    1 => ReturnItemCollectionMetrics::Size,
                    _ => return Err(malformed("a ReturnItemCollectionMetrics that is none")),
                }
            }
            key::RETURN_VALUES => self.return_values = Some(reader.int_as()?),
            key::UPDATE => self.update = Some(reader.bytes()?),
            key::START => self.start = Some(reader.bytes()?),
            key::FILTER => self.filter = Some(reader.bytes()?),
            key::INDEX => self.index = Some(utf8(reader.bytes()?)?),
            key::LIMIT => self.limit = Some(reader.int_as()?),
            key::FORWARD => self.forward = Some(flag(reader)?),
            key::SELECT => self.select = Some(reader.int_as()?),
            key::SEGMENT => self.segment = Some(reader.int_as()?),
            key::TOTAL_SEGMENTS => self.total_segments = Some(reader.int_as()?),
            key::TOKEN => self.token = Some(reader.text()?),
            // Names and values that were substituted already, and what a later client may add.
            _ => {
                reader.raw(FRAME_DEPTH)?;
            }
        }
        Ok(())
    }
}

/// A flag, which clients write as a boolean or as 0 and 1.
fn flag(reader: &mut Reader<'_>) -> Result<bool, Error> {
    match reader.kind()? {
        Kind::Bool => Ok(reader.boolean()?),
        _ => Ok(reader.int()? != 0),
    }
}

/// A name that came as bytes.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| malformed("a name that is not UTF-8"))
}

/// Writes options in one order. `open` and `close` a map around them.
pub(super) struct OptionsWriter<'o>(&'o mut Vec<u8>);

impl<'o> OptionsWriter<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> OptionsWriter<'o> {
        write::open_map(out);
        OptionsWriter(out)
    }

    pub(super) fn close(self) {
        write::close(self.0);
    }

    fn int(&mut self, key: u64, value: i64) {
        write::unsigned(self.0, key);
        write::int(self.0, value);
    }

    fn wrapped<T>(&mut self, key: u64, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        write::unsigned(self.0, key);
        write::wrapped(self.0, content)
    }

    pub(super) fn index(&mut self, index: &str) {
        self.wrapped(key::INDEX, |out| out.extend_from_slice(index.as_bytes()));
    }

    pub(super) fn select(&mut self, number: i64) {
        self.int(key::SELECT, number);
    }

    pub(super) fn limit(&mut self, limit: u32) {
        self.int(key::LIMIT, i64::from(limit));
    }

    pub(super) fn start<T>(&mut self, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.wrapped(key::START, content)
    }

    pub(super) fn backward(&mut self) {
        self.int(key::FORWARD, 0);
    }

    /// Of getItem, a boolean. A real cluster insists on the type.
    pub(super) fn consistent(&mut self) {
        write::unsigned(self.0, key::CONSISTENT);
        write::boolean(self.0, true);
    }

    /// Of query and scan, a number. A real cluster insists on the type.
    pub(super) fn consistent_page(&mut self) {
        self.int(key::CONSISTENT, 1);
    }

    pub(super) fn return_values(&mut self, number: i64) {
        self.int(key::RETURN_VALUES, number);
    }

    /// Always written: a defect of DAX's first release is said to need it.
    pub(super) fn capacity(&mut self, asked: ReturnConsumedCapacity) {
        self.int(
            key::RETURN_CAPACITY,
            match asked {
                ReturnConsumedCapacity::None => 0,
                ReturnConsumedCapacity::Total => 1,
                ReturnConsumedCapacity::Indexes => 2,
            },
        );
    }

    pub(super) fn collection(&mut self, asked: ReturnItemCollectionMetrics) {
        match asked {
            ReturnItemCollectionMetrics::None => {}
            ReturnItemCollectionMetrics::Size => self.int(key::RETURN_COLLECTION, 1),
        }
    }

    pub(super) fn segment(&mut self, segment: api::op::Segment) {
        self.int(key::TOTAL_SEGMENTS, i64::from(segment.total));
        self.int(key::SEGMENT, i64::from(segment.number));
    }

    pub(super) fn condition(&mut self, content: impl FnOnce(&mut Vec<u8>)) {
        self.wrapped(key::CONDITION, content);
    }

    pub(super) fn update(&mut self, content: impl FnOnce(&mut Vec<u8>)) {
        self.wrapped(key::UPDATE, content);
    }

    pub(super) fn filter(&mut self, content: impl FnOnce(&mut Vec<u8>)) {
        self.wrapped(key::FILTER, content);
    }

    pub(super) fn projection(&mut self, content: impl FnOnce(&mut Vec<u8>)) {
        self.wrapped(key::PROJECTION, content);
    }

    pub(super) fn token(&mut self, token: &str) {
        write::unsigned(self.0, key::TOKEN);
        write::text(self.0, token);
    }
}

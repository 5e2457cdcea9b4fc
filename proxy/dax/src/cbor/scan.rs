//! Finds where a number of consecutive values end, in bytes that still arrive.
//!
//! Frames of this wire carry no length, so the end is known only by walking over the values. The walk is kept between
//! arrivals: each byte is looked at once, and the content of a string not at all. A frame cut short is `Ok(None)`; one that
//! can't become whole, or would break a bound, is an error at the first head that shows it, before its content is awaited.

use super::{CborError, Head, major};

/// A value that is open: begun, and not yet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// So many values are to come: elements, keys and values of a map, or what a tag marks.
    Counted(u64),
    /// An array until its break.
    Array,
    /// A map until its break; `true` where a value follows a key.
    Map(bool),
}

/// The walk over one frame.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Values still to come on the outermost level.
    wanted: u64,
    open: Vec<Open>,
    /// Bytes of the frame that were walked over; may be past what has arrived, by the rest of a string.
    at: usize,
    depth_max: usize,
    bytes_max: usize,
}

impl Scanner {
    /// Looks for the end of `wanted` values that nest at most `depth_max` levels and take at most `bytes_max` bytes.
    pub const fn new(wanted: u64, depth_max: usize, bytes_max: usize) -> Scanner {
        Scanner { wanted, open: Vec::new(), at: 0, depth_max, bytes_max }
    }

    /// Begins anew, keeping the memory.
    pub fn restart(&mut self, wanted: u64) {
        self.wanted = wanted;
        self.open.clear();
        self.at = 0;
    }

    /// Wants further values behind those that were found, or are looked for.
    pub const fn want(&mut self, more: u64) {
        self.wanted = self.wanted.saturating_add(more);
    }

    /// Walks on. `bytes` is all of the frame that has arrived, from its first byte. `None` while more has to arrive; then
    /// the length of the frame. Errors: no frame that begins like this is allowed.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, CborError> {
        while self.wanted > 0 {
            let Some(rest) = bytes.get(self.at..) else { return Ok(None) };
            let head = match Head::read(rest) {
                Ok(head) => head,
                Err(CborError::Ends) => return self.check_length().map(|()| None),
                Err(error) => return Err(error),
            };
            self.at += head.bytes;
            self.value(head)?;
            self.check_length()?;
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// The least length the frame can have, from what was walked over. Unit: bytes.
    pub const fn least_bytes(&self) -> usize {
        self.at
    }

    fn check_length(&self) -> Result<(), CborError> {
        if self.at > self.bytes_max { Err(CborError::TooLong) } else { Ok(()) }
    }

    fn value(&mut self, head: Head) -> Result<(), CborError> {
        match head.major {
            major::BYTES | major::TEXT => {
                let length = usize::try_from(head.argument).map_err(|_| CborError::TooLong)?;
                self.at = self.at.checked_add(length).ok_or(CborError::TooLong)?;
                self.done();
                Ok(())
            }
            major::ARRAY if head.is_indefinite() => self.enter(Open::Array),
            major::MAP if head.is_indefinite() => self.enter(Open::Map(false)),
            major::ARRAY => self.counted(head.argument),
            major::MAP => self.counted(head.argument.checked_mul(2).ok_or(CborError::TooLong)?),
            major::TAG => self.counted(1),
            major::SIMPLE if head.is_break() => match self.open.last() {
                Some(Open::Array | Open::Map(false)) => {
                    self.open.pop();
                    self.done();
                    Ok(())
                }
                Some(Open::Counted(_) | Open::Map(true)) | None => Err(CborError::Malformed),
            },
            _ => {
                self.done();
                Ok(())
            }
        }
    }

    fn counted(&mut self, count: u64) -> Result<(), CborError> {
        if count == 0 {
            self.done();
            return Ok(());
        }
        // Each value takes a byte at least.
        let least = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        if least.is_none_or(|least| least > self.bytes_max) {
            return Err(CborError::TooLong);
        }
        self.enter(Open::Counted(count))
    }

    fn enter(&mut self, open: Open) -> Result<(), CborError> {
        if self.open.len() >= self.depth_max {
            return Err(CborError::TooDeep);
        }
        self.open.push(open);
        Ok(())
    }

    /// A value ended, and with it all those whose last part it was.
    fn done(&mut self) {
        loop {
            match self.open.last_mut() {
                None => {
                    self.wanted -= 1;
                    return;
                }
                Some(Open::Array) => return,
                Some(Open::Map(value_next)) => {
                    *value_next = !*value_next;
                    return;
                }
                Some(Open::Counted(left)) => {
                    *left -= 1;
                    if *left > 0 {
                        return;
                    }
                    self.open.pop();
                }
            }
        }
    }
}

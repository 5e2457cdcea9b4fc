//! Takes fixed-width parts off the front of stored bytes. Never panics.

use super::{Kind, Malformed};

pub(super) struct Reader<'a> {
    kind: Kind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(kind: Kind, bytes: &'a [u8]) -> Self {
        Self { kind, rest: bytes }
    }

    pub(super) fn malformed(&self, reason: &'static str) -> Malformed {
        Malformed { kind: self.kind, reason }
    }

    /// The first `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(self.malformed("it is too short"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The first `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (first, rest) = self.rest.split_at_checked(length).ok_or(self.malformed("it is too short"))?;
        self.rest = rest;
        Ok(first)
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A format byte, which must be one of `known`.
    pub(super) fn format_of(&mut self, known: &[u8]) -> Result<u8, Malformed> {
        let format = self.u8()?;
        if known.contains(&format) {
            Ok(format)
        } else {
            Err(self.malformed("its format is newer than this program, or it is damaged"))
        }
    }

    /// A format byte, which must be `known`.
    pub(super) fn format(&mut self, known: u8) -> Result<(), Malformed> {
        if self.u8()? == known {
            Ok(())
        } else {
            Err(self.malformed("its format is newer than this program, or it is damaged"))
        }
    }
}

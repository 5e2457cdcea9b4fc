//! Ranges of keys, and how they are walked.

/// Keys from `start` (inclusive) up to `end` (exclusive; `None` is the end of the map).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// First key that belongs to the range.
    pub start: Vec<u8>,
    /// First key that no longer belongs to it; `None`: there is none.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self { start: Vec::new(), end: None }
    }

    /// Keys from `start` (inclusive) to `end` (exclusive); empty if `end` is not above `start`.
    pub fn between(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Self {
        Self { start: start.into(), end: Some(end.into()) }
    }

    /// Keys at or above `start`.
    pub fn starting_at(start: impl Into<Vec<u8>>) -> Self {
        Self { start: start.into(), end: None }
    }

    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let end = Self::past_prefix(&start);
        Self { start, end }
    }

    /// The least key above every key that begins with `prefix`; `None` if there is no such key
    /// (the prefix is empty or all bytes are 255).
    pub fn past_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
        let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
        let mut end = prefix[..=kept].to_vec();
        end[kept] += 1;
        Some(end)
    }

    /// The least key above `key`: turns an exclusive start, or an inclusive end, into ours.
    pub fn just_past(key: &[u8]) -> Vec<u8> {
        let mut past = Vec::with_capacity(key.len() + 1);
        past.extend_from_slice(key);
        past.push(0);
        past
    }

    /// Whether a key belongs to the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end.as_ref().is_none_or(|end| key < end.as_slice())
    }

    /// Whether no key can belong to the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// Direction of a scan, by the bytes of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanOrder {
    /// Lowest key first.
    #[default]
    Ascending,
    /// Highest key first.
    Descending,
}

/// Where a scan may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanSource {
    /// Memory and disk: the call may block.
    #[default]
    All,
    /// Memory only: fails with [`DbError::NeedsDisk`](super::DbError::NeedsDisk) where that is not
    /// enough.
    Resident,
}

/// Which records a cursor gives, and in what order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Which keys.
    pub range: KeyRange,
    /// In what order.
    pub order: ScanOrder,
    /// From where.
    pub source: ScanSource,
}

impl Scan {
    /// A range, lowest key first, from memory or disk.
    pub fn ascending(range: KeyRange) -> Self {
        Self { range, order: ScanOrder::Ascending, source: ScanSource::All }
    }

    /// A range, highest key first, from memory or disk.
    pub fn descending(range: KeyRange) -> Self {
        Self { range, order: ScanOrder::Descending, source: ScanSource::All }
    }

    /// The same scan, from memory only.
    #[must_use]
    pub fn resident(mut self) -> Self {
        self.source = ScanSource::Resident;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::KeyRange;

    #[test]
    fn a_prefix_range_holds_exactly_the_keys_with_the_prefix() {
        let range = KeyRange::prefix([7, 255]);
        assert!(range.contains(&[7, 255]));
        assert!(range.contains(&[7, 255, 255, 255]));
        assert!(!range.contains(&[8]));
        assert!(!range.contains(&[7, 254]));
        assert_eq!(KeyRange::past_prefix(&[255, 255]), None);
        assert_eq!(KeyRange::past_prefix(&[]), None);
    }
}

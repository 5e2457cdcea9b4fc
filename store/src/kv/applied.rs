//! How far the state has been brought.
//!
//! Key: `0x02`. Value: format (u8, now 2), incarnation (u64), shard (u32), index (u64), log time (u64, milliseconds),
//! semantics level (u32), digest (u64; format 1, which is still read, has none: it begins with 0), what the log's library wants
//! kept beside it (the rest, opaque to the state). Written by apply in the batch whose effects it speaks of, so that the two
//! cannot part; correctness of replay depends on all of it.

use api::Version;
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 2;
const FORMAT_WITHOUT_DIGEST: u8 = 1;

/// The record's key.
pub const KEY: [u8; 1] = [Kind::Applied as u8];

/// How far the state has been brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The last entry applied. Incarnation 0: the store has not begun yet.
    pub version: Version,
    /// Its log time, milliseconds since the epoch.
    pub log_time_millis: u64,
    /// The level that entries are judged by; see [`crate::command`].
    pub semantics_level: u32,
    /// Of every effect since the store began, in order: the same on all replicas at the same entry.
    pub digest: u64,
    /// What the log's library keeps here: its own name of the last entry, and the members of the cluster.
    pub log_state: Bytes,
}

impl Applied {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(41 + self.log_state.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.version.incarnation.to_be_bytes());
        bytes.extend_from_slice(&self.version.shard.to_be_bytes());
        bytes.extend_from_slice(&self.version.index.to_be_bytes());
        bytes.extend_from_slice(&self.log_time_millis.to_be_bytes());
        bytes.extend_from_slice(&self.semantics_level.to_be_bytes());
        bytes.extend_from_slice(&self.digest.to_be_bytes());
        bytes.extend_from_slice(&self.log_state);
        bytes.into()
    }

    /// The record of a value.
    pub fn decode(value: &Bytes) -> Result<Applied, Malformed> {
        let mut reader = Reader::new(Kind::Applied, value);
        let has_digest = reader.format_of(&[FORMAT_WITHOUT_DIGEST, FORMAT])? == FORMAT;
        let version = Version { incarnation: reader.u64()?, shard: reader.u32()?, index: reader.u64()? };
        let log_time_millis = reader.u64()?;
        let semantics_level = reader.u32()?;
        let digest = if has_digest { reader.u64()? } else { 0 };
        let log_state = value.slice_ref(reader.rest());
        Ok(Applied { version, log_time_millis, semantics_level, digest, log_state })
    }
}

#[cfg(test)]
mod tests {
    use super::Applied;
    use api::Version;
    use bytes::Bytes;

    #[test]
    fn the_applied_version_round_trips() {
        let applied = Applied {
            version: Version { incarnation: u64::MAX, shard: 3, index: 77 },
            log_time_millis: 1_700_000_000_123,
            semantics_level: 1,
            digest: u64::MAX,
            log_state: Bytes::from_static(b"term and members"),
        };
        assert_eq!(Applied::decode(&applied.encode()), Ok(applied));
        assert!(Applied::decode(&Bytes::from_static(b"\x02short")).is_err());
    }

    #[test]
    fn a_record_from_before_there_were_digests_is_read() {
        let applied =
            Applied { semantics_level: 1, log_state: Bytes::from_static(b"rest"), ..Applied::default() };
        let mut before = applied.encode().to_vec();
        before[0] = 1;
        before.drain(33..41);
        assert_eq!(Applied::decode(&before.into()), Ok(applied));
    }
}

//! Looks through a write-ahead log before the engine does, and tells a torn end from a damaged middle.
//!
//! Why not the engine's own recovery modes: none knows how far its log was synced. `kTolerateCorruptedTailRecords` takes
//! an end that is cut short, refuses one of full length with a bad checksum, as a power cut leaves where the file grew and
//! its pages were not written, and passes over a zeroed page without a word. `kPointInTimeRecovery` opens all of them, and
//! drops every good record behind a damaged one with them. `kAbsoluteConsistency` refuses all.
//!
//! An instance with a write-ahead log is written by one thread, and every write is synced before the next begins. So at
//! most the last record can be one that was never called done, and whatever is bad with a later record begun behind it was
//! good once. That is the test: a damaged record with a later one behind it refuses to open; without one it is the torn end
//! and is cut off. What is left has to satisfy the engine in its strictest mode.
//!
//! What it can't tell: damage to the very last synced record from a record that never came to its end. The checks of the
//! replicated log above know the applied version, and refuse if what it names is gone.
//!
//! Layout, integers little endian (engine's wiki, *Write Ahead Log File Format*): blocks of 32 KB; in each, fragments of
//! masked CRC-32C of all behind it (u32), length (u16), type (u8: 1 whole, 2 first, 3 middle, 4 last), payload; less than a
//! header at the end of a block is padding. A record's payload begins with its sequence number (u64) and the number of
//! changes in it (u32).

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::super::DbError;

const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;
const WHOLE: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// Bytes of a batch before its changes.
const BATCH_HEADER_BYTES: usize = 12;

/// Cuts off the torn end of the write-ahead log in a directory, if it has one. A missing directory has none.
///
/// Errors: [`DbError::Corrupt`] for damage that no crash leaves, with what to do; what the disk says.
pub(super) fn mend(directory: &Path) -> Result<(), DbError> {
    let mut files = files(directory)?.into_iter();
    let mut sequence = 0;
    while let Some(path) = files.next() {
        let bytes = read(&path)?;
        let walked = walk(&bytes, sequence).map_err(|at| unknown(&path, at))?;
        sequence = walked.sequence;
        if !walked.torn {
            continue;
        }
        let end = walked.end;
        if let Some(at) = later_record(&bytes, end, Some(next_start(end)), sequence) {
            return Err(damaged(&path, end, &path, at));
        }
        for later in files {
            if let Some(at) = later_record(&read(&later)?, 0, None, sequence) {
                return Err(damaged(&path, end, &later, at));
            }
        }
        tracing::warn!(
            file = %path.display(),
            at = end,
            bytes = bytes.len() - end,
            "cut off a torn, never acknowledged end of the write-ahead log"
        );
        return cut(&path, end);
    }
    Ok(())
}

/// The files of the write-ahead log in the order they were written.
fn files(directory: &Path) -> Result<Vec<PathBuf>, DbError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(directory, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(directory, &error))?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number
            && path.extension().is_some_and(|extension| extension == "log")
        {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// A file is about as large as a write buffer of the log.
fn read(path: &Path) -> Result<Vec<u8>, DbError> {
    std::fs::read(path).map_err(|error| failed(path, &error))
}

fn cut(path: &Path, end: usize) -> Result<(), DbError> {
    let cut = |file: File| {
        file.set_len(end as u64)?;
        file.sync_all()
    };
    OpenOptions::new().write(true).open(path).and_then(cut).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> DbError {
    DbError::Io(format!("{}: {error}", path.display()).into())
}

fn damaged(path: &Path, end: usize, later: &Path, at: usize) -> DbError {
    DbError::Corrupt(
        format!(
            "{} is damaged behind byte {end}, and what is damaged was acknowledged, since a later record begins at byte \
             {at} of {}",
            path.display(),
            later.display()
        )
        .into(),
    )
}

fn unknown(path: &Path, at: usize) -> DbError {
    DbError::Corrupt(
        format!(
            "{} has a record at byte {at} of a kind that this program does not know (did a newer one write it?)",
            path.display()
        )
        .into(),
    )
}

/// How far a file is good.
struct Walked {
    /// Behind the last whole record.
    end: usize,
    /// Whether anything stands there.
    torn: bool,
    /// The sequence number of the next record.
    sequence: u64,
}

/// Reads records as long as they are good. `sequence` is what is expected of the first. Errors: the place of a good
/// fragment of a kind that this program does not know.
fn walk(bytes: &[u8], sequence: u64) -> Result<Walked, usize> {
    let mut walked = Walked { end: 0, torn: false, sequence };
    // The beginning of the record under way: its first fragment may be too short to hold it.
    let mut under_way: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < bytes.len() {
        let left = BLOCK_BYTES - at % BLOCK_BYTES;
        if left < HEADER_BYTES {
            at += left;
            continue;
        }
        let Some(fragment) = Fragment::at(bytes, at) else { break };
        let mut head = match (fragment.kind, under_way.take()) {
            (WHOLE | FIRST, None) => Vec::with_capacity(BATCH_HEADER_BYTES),
            (MIDDLE | LAST, Some(head)) => head,
            (WHOLE..=LAST, _) => break,
            _ => return Err(at),
        };
        at += HEADER_BYTES + fragment.payload.len();
        head.extend(fragment.payload.iter().take(BATCH_HEADER_BYTES - head.len()));
        if matches!(fragment.kind, FIRST | MIDDLE) {
            under_way = Some(head);
            continue;
        }
        let Some(next) = next_sequence(&head) else { break };
        walked.end = at;
        walked.sequence = next;
    }
    walked.torn = walked.end < bytes.len();
    Ok(walked)
}

/// A place at or behind `from`, but not `except`, where a record begins that was written at or after `sequence`. Looks at
/// every byte, since what is damaged may hide where fragments begin.
fn later_record(bytes: &[u8], from: usize, except: Option<usize>, sequence: u64) -> Option<usize> {
    // Bounds what other bytes are taken for a number: no store makes so many changes.
    let plausible = sequence..sequence.saturating_add(1 << 40);
    (from..bytes.len()).filter(|at| Some(*at) != except).find(|at| {
        let begins = matches!(bytes.get(at + HEADER_BYTES - 1), Some(&(WHOLE | FIRST)));
        begins
            && Fragment::at_if(bytes, *at, |payload| match payload.first_chunk() {
                Some(number) => plausible.contains(&u64::from_le_bytes(*number)),
                // Only what is left of a block is as short as that.
                None => (at + HEADER_BYTES + payload.len()).is_multiple_of(BLOCK_BYTES),
            })
            .is_some()
    })
}

/// Where a record begins that is written behind one that ends at `end`.
fn next_start(end: usize) -> usize {
    let left = BLOCK_BYTES - end % BLOCK_BYTES;
    if left < HEADER_BYTES { end + left } else { end }
}

fn next_sequence(head: &[u8]) -> Option<u64> {
    let (sequence, rest) = head.split_first_chunk()?;
    let count = u32::from_le_bytes(*rest.first_chunk()?);
    Some(u64::from_le_bytes(*sequence).saturating_add(u64::from(count)))
}

struct Fragment<'a> {
    kind: u8,
    payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment that begins at a place, if it lies in one block and its checksum holds.
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        Self::at_if(bytes, at, |_| true)
    }

    /// The same, if its payload is worth the checksum.
    fn at_if(bytes: &'a [u8], at: usize, worth: impl FnOnce(&[u8]) -> bool) -> Option<Self> {
        let block_end = (at / BLOCK_BYTES + 1) * BLOCK_BYTES;
        let rest = &bytes[at..bytes.len().min(block_end)];
        let (crc, checked) = rest.split_first_chunk::<4>()?;
        let (length, _) = checked.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length));
        let kind = *checked.get(2)?;
        let payload = checked.get(3..3 + length)?;
        let whole = checked.get(2..3 + length)?;
        let good = kind != 0 && worth(payload) && crc32c(whole) == unmask(u32::from_le_bytes(*crc));
        good.then_some(Self { kind, payload })
    }
}

/// A checksum is stored rotated and offset, so that a checksum of data that holds checksums is a good one too.
fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(0xa282_ead8).rotate_left(15)
}

/// Tables for eight bytes at a time: `TABLES[n][byte]` is the remainder of the byte with `n` zeros behind it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    /// The polynomial of Castagnoli, reflected. Source: RFC 3720, appendix B.4.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[zeros - 1][byte];
            tables[zeros][byte] = crc >> 8 ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
        crc = word
            .to_le_bytes()
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)]);
    }
    for byte in rest {
        crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::{crc32c, unmask};

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let masked = |crc: u32| crc.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(unmask(masked(0x1234_5678)), 0x1234_5678);
    }
}

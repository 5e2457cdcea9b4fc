//! Bodies in chunks (RFC 9112, section 7.1), put together where they lie.
//!
//! What is decoded stands right behind the request's head, what is not yet right behind that: each look moves the former
//! down over the chunk's frame, so that a body takes no more memory than its bytes, however small its chunks are.
//! Extensions and trailers are skipped; both have a bound. A size that could never fit is told at once, before any of the
//! chunk has come.

use api::limits::REQUEST_BYTES;

/// Longest line with a chunk's size, extensions included.
pub(super) const SIZE_LINE_BYTES: usize = 1024;
/// All trailers together.
const TRAILER_BYTES: usize = 4096;

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More must come.
    Part,
    /// It is whole.
    Whole,
    /// A chunk announced more than a request may have.
    TooLarge,
    /// These are no chunks.
    Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Size,
    Data { left: usize },
    DataEnd,
    Trailer { bytes: usize },
    Nothing,
}

/// A body that is being put together.
#[derive(Debug)]
pub(super) struct Chunks {
    head_bytes: usize,
    body_bytes: usize,
    expects: Expects,
}

impl Chunks {
    /// The body behind a head of that length.
    pub(super) fn new(head_bytes: usize) -> Chunks {
        Chunks { head_bytes, body_bytes: 0, expects: Expects::Size }
    }

    /// Bytes of the body that are there.
    pub(super) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Whether nothing more belongs to it. What then stands behind it is the next request.
    pub(super) fn is_whole(&self) -> bool {
        self.expects == Expects::Nothing
    }

    /// The most bytes that head, body and frame can ever take at a time.
    pub(super) fn bytes_max(&self) -> usize {
        self.head_bytes + REQUEST_BYTES + SIZE_LINE_BYTES
    }

    /// Decodes what has come. `bytes` begins with the request's head; what stands there is moved down, and the new end of
    /// it is returned.
    pub(super) fn advance(&mut self, bytes: &mut [u8]) -> (Progress, usize) {
        let mut at = self.end();
        let progress = loop {
            if let Some(progress) = self.step(bytes, &mut at) {
                break progress;
            }
        };
        bytes.copy_within(at.., self.end());
        (progress, bytes.len() - (at - self.end()))
    }

    /// Where the decoded part ends.
    fn end(&self) -> usize {
        self.head_bytes + self.body_bytes
    }

    /// One step; `None` if the next may follow at once.
    fn step(&mut self, bytes: &mut [u8], at: &mut usize) -> Option<Progress> {
        match self.expects {
            Expects::Size => {
                let line = match line(&bytes[*at..], SIZE_LINE_BYTES) {
                    Ok(line) => line,
                    Err(progress) => return Some(progress),
                };
                let Some(size) = size(line) else { return Some(Progress::Malformed) };
                *at += line.len() + 2;
                self.expects = match usize::try_from(size) {
                    Ok(0) => Expects::Trailer { bytes: 0 },
                    Ok(size) if size <= REQUEST_BYTES - self.body_bytes => Expects::Data { left: size },
                    _ => return Some(Progress::TooLarge),
                };
            }
            Expects::Data { left } => {
                let here = left.min(bytes.len() - *at);
                bytes.copy_within(*at..*at + here, self.end());
                self.body_bytes += here;
                *at += here;
                if here < left {
                    self.expects = Expects::Data { left: left - here };
                    return Some(Progress::Part);
                }
                self.expects = Expects::DataEnd;
            }
            Expects::DataEnd => {
                match bytes[*at..] {
                    [] | [b'\r'] => return Some(Progress::Part),
                    [b'\r', b'\n', ..] => *at += 2,
                    _ => return Some(Progress::Malformed),
                }
                self.expects = Expects::Size;
            }
            Expects::Trailer { bytes: before } => {
                let line = match line(&bytes[*at..], TRAILER_BYTES - before) {
                    Ok(line) => line,
                    Err(progress) => return Some(progress),
                };
                *at += line.len() + 2;
                self.expects = match line.len() {
                    0 => Expects::Nothing,
                    _ if before + line.len() + 2 > TRAILER_BYTES => return Some(Progress::Malformed),
                    bytes => Expects::Trailer { bytes: before + bytes + 2 },
                };
            }
            Expects::Nothing => return Some(Progress::Whole),
        }
        None
    }
}

/// The first line, without its end. Errors: that it is not whole, too long, or does not end as lines do here: a line feed
/// alone is how two servers come to see different requests.
fn line(bytes: &[u8], bytes_max: usize) -> Result<&[u8], Progress> {
    let seen = &bytes[..bytes.len().min(bytes_max + 2)];
    match seen.iter().position(|byte| *byte == b'\n') {
        Some(end) if end > 0 && seen[end - 1] == b'\r' => Ok(&seen[..end - 1]),
        Some(_) => Err(Progress::Malformed),
        None if seen.len() == bytes_max + 2 => Err(Progress::Malformed),
        None => Err(Progress::Part),
    }
}

/// The size at the beginning of a line: hexadecimal digits, then nothing or extensions.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || digits > 16 || !(rest.is_empty() || rest[0] == b';') || rest.contains(&b'\r') {
        return None;
    }
    line[..digits]
        .iter()
        .try_fold(0, |size: u64, digit| Some(size << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] = b"HEAD";

    /// Feeds a stream in pieces of these sizes, over and over; how it ended, the body, and what stands behind it.
    fn feed(stream: &[u8], pieces: &[usize]) -> (Progress, Vec<u8>, Vec<u8>) {
        let mut chunks = Chunks::new(HEAD.len());
        let mut bytes = HEAD.to_vec();
        let mut pieces = pieces.iter().cycle();
        let mut rest = stream;
        loop {
            let (piece, later) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            rest = later;
            bytes.extend_from_slice(piece);
            let (progress, end) = chunks.advance(&mut bytes);
            bytes.truncate(end);
            assert_eq!(&bytes[..HEAD.len()], HEAD);
            assert_eq!(progress == Progress::Whole, chunks.is_whole());
            if progress != Progress::Part || rest.is_empty() {
                let body_end = HEAD.len() + chunks.body_bytes();
                let after = [&bytes[body_end..], rest].concat();
                return (progress, bytes[HEAD.len()..body_end].to_vec(), after);
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_comes_out_whole_however_it_was_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            extension in "(;[a-z=\"]{0,12})?",
            trailers in prop::collection::vec("[a-z]{1,9}: [a-z]{0,9}", 0..3),
            after in prop::collection::vec(any::<u8>(), 0..20),
            pieces in prop::collection::vec(1..50_usize, 1..6),
        ) {
            let mut stream = Vec::new();
            for part in &parts {
                stream.extend_from_slice(format!("{:X}{extension}\r\n", part.len()).as_bytes());
                stream.extend_from_slice(part);
                stream.extend_from_slice(b"\r\n");
            }
            stream.extend_from_slice(b"0\r\n");
            for trailer in &trailers {
                stream.extend_from_slice(format!("{trailer}\r\n").as_bytes());
            }
            stream.extend_from_slice(b"\r\n");
            stream.extend_from_slice(&after);
            prop_assert_eq!(feed(&stream, &pieces), (Progress::Whole, parts.concat(), after));
        }

        #[test]
        fn no_bytes_make_it_panic(stream in prop::collection::vec(prop::sample::select(&b"0159afF;\r\n x"[..]), 0..200)) {
            for pieces in [1, 7, 200] {
                feed(&stream, &[pieces]);
            }
        }
    }

    #[test]
    fn a_size_that_never_fits_is_told_before_the_chunk_comes() {
        for (stream, progress) in [
            (format!("{:x}\r\n", REQUEST_BYTES), Progress::Part),
            (format!("{:x}\r\n", REQUEST_BYTES + 1), Progress::TooLarge),
            (format!("1\r\nx\r\n{:x}\r\n", REQUEST_BYTES), Progress::TooLarge),
            ("ffffffffffffffff\r\n".into(), Progress::TooLarge),
            ("10000000000000000\r\n".into(), Progress::Malformed),
        ] {
            assert_eq!(feed(stream.as_bytes(), &[3]).0, progress, "{stream}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = |bytes: usize| format!("1;{}\r\n", "x".repeat(bytes));
        for (stream, progress) in [
            ("\r\n".to_owned(), Progress::Malformed),
            ("g\r\n".to_owned(), Progress::Malformed),
            ("-1\r\n".to_owned(), Progress::Malformed),
            ("0x1\r\n".to_owned(), Progress::Malformed),
            ("1\nx\r\n".to_owned(), Progress::Malformed),
            ("1 2\r\n".to_owned(), Progress::Malformed),
            ("1\r\nxy\r\n".to_owned(), Progress::Malformed),
            ("1\r\nx\n0\r\n".to_owned(), Progress::Malformed),
            ("0\r\n\n".to_owned(), Progress::Malformed),
            (long(SIZE_LINE_BYTES - 2), Progress::Part),
            (long(SIZE_LINE_BYTES - 1), Progress::Malformed),
            (format!("0\r\n{}", "a: b\r\n".repeat(TRAILER_BYTES / 6 + 1)), Progress::Malformed),
        ] {
            assert_eq!(feed(stream.as_bytes(), &[1]).0, progress, "{stream:?}");
        }
    }
}

//! Content codings: gzip and deflate, of requests and of answers, as DynamoDB takes and gives them.
//!
//! Invariant: unfolding a request never holds more than the largest request body, whatever it claims to be.

use std::io::{Read, Write};

use api::limits::REQUEST_BYTES;
use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
}

/// What the coding of a request asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requested {
    Plain,
    Coded(Coding),
    Unsupported,
}

/// Why a body could not be unfolded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfold {
    /// It is not of the coding it claims.
    Malformed,
    /// It unfolds to more than a request may have.
    TooLarge,
}

impl Coding {
    /// The coding's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }
}

/// Reads a request's `Content-Encoding`.
pub(super) fn of_request(header: Option<&[u8]>) -> Requested {
    match header.map(<[u8]>::trim_ascii) {
        None | Some(b"") => Requested::Plain,
        Some(name) if name.eq_ignore_ascii_case(b"identity") => Requested::Plain,
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => Requested::Coded(Coding::Gzip),
        Some(name) if name.eq_ignore_ascii_case(b"deflate") => Requested::Coded(Coding::Deflate),
        Some(_) => Requested::Unsupported,
    }
}

/// The coding to answer in, by a request's `Accept-Encoding`: the first we know that is not refused by a weight of zero.
pub(super) fn for_answer(header: &[u8]) -> Option<Coding> {
    header.split(|byte| *byte == b',').find_map(|choice| {
        let mut parts = choice.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let coding = match parts.next()? {
            name if name.eq_ignore_ascii_case(b"gzip") => Coding::Gzip,
            name if name.eq_ignore_ascii_case(b"deflate") => Coding::Deflate,
            _ => return None,
        };
        let refused = |part: &[u8]| {
            part.strip_prefix(b"q=").is_some_and(|weight| weight.iter().all(|b| matches!(b, b'0' | b'.')))
        };
        (!parts.any(refused)).then_some(coding)
    })
}

/// Unfolds a request's body.
pub(super) fn unfold(coding: Coding, body: &[u8]) -> Result<Vec<u8>, Unfold> {
    match coding {
        Coding::Gzip => read_bounded(MultiGzDecoder::new(body)),
        Coding::Deflate => read_bounded(ZlibDecoder::new(body)),
    }
}

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, Unfold> {
    let mut plain = Vec::new();
    reader.take(REQUEST_BYTES as u64 + 1).read_to_end(&mut plain).map_err(|_| Unfold::Malformed)?;
    if plain.len() > REQUEST_BYTES { Err(Unfold::TooLarge) } else { Ok(plain) }
}

/// Folds an answer's body. At the fastest level: a page of 1 MB would hold up the other connections of its thread several
/// times as long at the usual one, for a few percent.
pub(super) fn fold(coding: Coding, body: &[u8]) -> Vec<u8> {
    let out = Vec::with_capacity(body.len() / 4);
    let folded = match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(out, Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(out, Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
    };
    folded.expect("writing to a Vec does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_folded_unfolds() {
        let body: Vec<u8> = (0..100_000_u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Deflate] {
            let folded = fold(coding, &body);
            assert!(folded.len() < body.len());
            assert_eq!(unfold(coding, &folded), Ok(body.clone()));
            assert_eq!(unfold(coding, &folded[..folded.len() / 2]), Err(Unfold::Malformed));
            assert_eq!(unfold(coding, b"not folded at all"), Err(Unfold::Malformed));
        }
    }

    #[test]
    fn a_body_may_unfold_to_the_largest_request_and_no_further() {
        assert_eq!(
            unfold(Coding::Gzip, &fold(Coding::Gzip, &vec![b' '; REQUEST_BYTES])).map(|b| b.len()),
            Ok(REQUEST_BYTES)
        );
        assert_eq!(
            unfold(Coding::Gzip, &fold(Coding::Gzip, &vec![b' '; REQUEST_BYTES + 1])),
            Err(Unfold::TooLarge)
        );
    }

    #[test]
    fn the_first_acceptable_coding_is_taken() {
        assert_eq!(for_answer(b"gzip, deflate, br"), Some(Coding::Gzip));
        assert_eq!(for_answer(b"br, Deflate;q=0.5"), Some(Coding::Deflate));
        assert_eq!(for_answer(b"gzip;q=0, deflate; q=0.0"), None);
        assert_eq!(for_answer(b"identity"), None);
        assert_eq!(for_answer(b""), None);
    }
}

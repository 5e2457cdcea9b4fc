//! The frame around a message: whether it is compressed, and its length. Source: the gRPC over HTTP/2 specification.
//!
//! Calls are unary, so a body is exactly one frame.

use bytes::Bytes;
use tonic::{Code, Status};

/// Bytes before a message.
pub(crate) const PREFIX_BYTES: usize = 5;

/// Begins a frame, which [`close`] ends.
pub(crate) fn open(capacity: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(PREFIX_BYTES + capacity);
    frame.extend_from_slice(&[0; PREFIX_BYTES]);
    frame
}

/// Writes the length of the message behind the prefix into it. Errors: one that no frame can hold.
pub(crate) fn close(mut frame: Vec<u8>) -> Result<Bytes, Status> {
    let length = u32::try_from(frame.len() - PREFIX_BYTES)
        .map_err(|_| Status::new(Code::OutOfRange, "the message is larger than a frame may be"))?;
    frame[1..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame.into())
}

/// The message of a body. Errors: a body that is not one frame of uncompressed bytes.
pub(crate) fn message(body: Bytes) -> Result<Bytes, Status> {
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(Status::new(Code::InvalidArgument, "the body holds no message"));
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::new(Code::Unimplemented, "compressed messages are not supported"));
    }
    if rest.len() as u64 != u64::from(u32::from_be_bytes(length)) {
        return Err(Status::new(Code::InvalidArgument, "the body must hold exactly one message"));
    }
    Ok(body.slice(PREFIX_BYTES..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_out_of_its_frame() {
        let mut frame = open(3);
        frame.extend_from_slice(b"abc");
        assert_eq!(&message(close(frame).unwrap()).unwrap()[..], b"abc");
        assert!(message(close(open(0)).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_one_plain_frame_is_refused() {
        let code = |body: &'static [u8]| message(Bytes::from_static(body)).unwrap_err().code();
        assert_eq!(code(b""), Code::InvalidArgument);
        assert_eq!(code(&[0, 0, 0, 0]), Code::InvalidArgument);
        assert_eq!(code(&[0, 0, 0, 0, 2, 1]), Code::InvalidArgument);
        assert_eq!(code(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Code::InvalidArgument);
        assert_eq!(code(&[1, 0, 0, 0, 0]), Code::Unimplemented);
    }
}

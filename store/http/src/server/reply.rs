//! An answer before it is bytes of HTTP/1.1 or a response of hyper's.

use api::{Source, Version, token};
use bytes::Bytes;
use socket::Due;

use super::cors::{self, Preflight};
use super::encoding::Coding;
use super::request_id;

/// The type of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// `application/x-amz-json-1.0`.
    Json10,
    /// `application/json`, where the request said so or said nothing.
    Json,
    /// Text that carries no type.
    Bare,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) body: Bytes,
    /// CRC32 of `body`; `None` where the service sends none.
    pub(super) crc32: Option<u32>,
    pub(super) request_id: u128,
    pub(super) version: Option<Version>,
    /// Of a read, where it came from.
    pub(super) source: Option<Source>,
    pub(super) coding: Option<Coding>,
    /// Whether the request named an origin.
    pub(super) cross_origin: bool,
    pub(super) preflight: Option<Box<Preflight>>,
    /// Whether it is sent also where there is no room for it.
    pub(super) due: Due,
    /// Whether the connection ends with this answer.
    pub(super) close: bool,
}

impl Reply {
    /// An answer with a body and nothing else.
    pub(super) fn new(request_id: u128, status: u16, content: Content, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            content,
            body: body.into(),
            crc32: None,
            request_id,
            version: None,
            source: None,
            coding: None,
            cross_origin: false,
            preflight: None,
            due: Due::IfRoom,
            close: false,
        }
    }

    /// The same answer with the CRC32 of its body.
    pub(super) fn summed(mut self) -> Reply {
        self.crc32 = Some(crc32fast::hash(&self.body));
        self
    }

    /// Calls `field` for each header but those of the connection, the date and the length. Names are in lower case.
    /// Values are at most as long as what the client sent and hold no line ends.
    pub(super) fn headers(&self, mut field: impl FnMut(&'static str, &[u8])) {
        field("x-amzn-requestid", &request_id::text(self.request_id));
        match self.content {
            Content::Json10 => field("content-type", b"application/x-amz-json-1.0"),
            Content::Json => field("content-type", b"application/json"),
            Content::Bare => {}
        }
        if let Some(crc32) = self.crc32 {
            field("x-amz-crc32", Decimal::new(crc32.into()).as_bytes());
        }
        if let Some(coding) = self.coding {
            field("content-encoding", coding.name().as_bytes());
        }
        if let Some(source) = self.source {
            let text: &[u8] = match source {
                Source::Cache => b"hit",
                Source::Store => b"miss",
                Source::Mixed => b"mixed",
            };
            field(token::CACHE_HEADER, text);
        }
        if let Some(version) = &self.version {
            let mut text = Vec::with_capacity(token::TOKEN_BYTES);
            token::write(version, &mut text);
            field(token::VERSION_HEADER, &text);
        }
        if self.cross_origin {
            field("access-control-allow-origin", b"*");
        }
        if let Some(preflight) = &self.preflight {
            if let Some(headers) = &preflight.headers {
                field("access-control-allow-headers", headers);
            }
            if let Some(method) = &preflight.method {
                field("access-control-allow-methods", method);
            }
            field("access-control-max-age", cors::MAX_AGE.as_bytes());
        }
    }
}

/// A number in decimal, without a heap.
pub(super) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(super) fn new(mut number: u64) -> Decimal {
        let mut digits = [b'0'; 20];
        let mut start = 20;
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Decimal { digits, start };
            }
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_what_display_writes() {
        for number in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(Decimal::new(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}

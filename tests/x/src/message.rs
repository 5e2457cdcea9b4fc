//! Messages of HTTP/1.1 as bytes to pass on: where a head ends, how long the body behind it is, and nothing else of them.
//!
//! Deliberately no parser of what it passes: a line that is no header is for whoever it goes to. What it can't pass, a request that
//! waits for leave to send its body, is an error.

use std::io::{self, BufRead, Read, Write};

/// A longer head is nobody's. Unit: bytes.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// The lines before a body, as they came.
pub struct Head {
    text: String,
}

/// How the end of a body is known.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A line with its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(MAX_HEAD_BYTES).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') && !line.is_empty() {
        return Err(bad("a line without an end"));
    }
    String::from_utf8(line).map_err(|_| bad("a line that is no text"))
}

impl Head {
    /// The next head; `None` where the peer has closed in place of one.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Head>> {
        let mut text = String::new();
        loop {
            let line = line(from)?;
            match (line.as_str(), text.is_empty()) {
                ("", true) => return Ok(None),
                ("", false) => return Err(bad("half a head")),
                _ => text.push_str(&line),
            }
            if line == "\r\n" || line == "\n" {
                return Ok(Some(Head { text }));
            }
            if text.len() as u64 > MAX_HEAD_BYTES {
                return Err(bad("a head that does not end"));
            }
        }
    }

    /// The words of the first line: of a request method, path and version, of an answer version, status and reason.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text.lines().next().unwrap_or_default().split_whitespace()
    }

    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Whether its sender closes the connection behind the message.
    pub fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Passes a request on.
    pub fn pass_request(&self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
        if self.header("expect").is_some() {
            return Err(bad("a request that waits for leave to send its body"));
        }
        self.pass(self.framing(Framing::Length(0))?, from, to)
    }

    /// Passes an answer on; whether both sides may go on after it.
    pub fn pass_answer(&self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
        let framing = match self.words().nth(1) {
            Some("204" | "304") => Framing::Length(0),
            _ => self.framing(Framing::UntilClosed)?,
        };
        let goes_on = framing != Framing::UntilClosed && !self.is_last();
        self.pass(framing, from, to)?;
        Ok(goes_on)
    }

    fn framing(&self, otherwise: Framing) -> io::Result<Framing> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Framing::Chunked);
        }
        match self.header("content-length") {
            Some(length) => {
                length.parse().map(Framing::Length).map_err(|_| bad("a length that is no number"))
            }
            None => Ok(otherwise),
        }
    }

    fn pass(&self, framing: Framing, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.text.as_bytes())?;
        match framing {
            Framing::Length(length) => pass_bytes(length, from, to)?,
            Framing::UntilClosed => {
                io::copy(from, to)?;
            }
            Framing::Chunked => loop {
                let size = line(from)?;
                to.write_all(size.as_bytes())?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| bad("a chunk without a size"))?;
                if size > 0 {
                    // With the end of its line.
                    pass_bytes(size + 2, from, to)?;
                    continue;
                }
                // Trailers, and the empty line behind them.
                loop {
                    let trailer = line(from)?;
                    to.write_all(trailer.as_bytes())?;
                    if trailer.trim().is_empty() {
                        break;
                    }
                }
                break;
            },
        }
        to.flush()
    }
}

fn pass_bytes(count: u64, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    if io::copy(&mut from.take(count), to)? < count {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Passing = fn(&Head, &mut &[u8], &mut Vec<u8>) -> io::Result<()>;

    /// What of `bytes` was passed on as one message, and what was left.
    fn passed(bytes: &str, pass: Passing) -> (String, String) {
        let (mut from, mut to) = (bytes.as_bytes(), Vec::new());
        let head = Head::read(&mut from).unwrap().unwrap();
        pass(&head, &mut from, &mut to).unwrap();
        (String::from_utf8(to).unwrap(), String::from_utf8(from.to_vec()).unwrap())
    }

    #[test]
    fn a_message_is_passed_on_to_its_end_and_no_further() {
        for request in [
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4;x=y\r\nab\r\n\r\nA\r\n0123456789\r\n0\r\nt: 1\r\n\r\n",
        ] {
            let (whole, left) =
                passed(&format!("{request}GET /next"), |head, from, to| head.pass_request(from, to));
            assert_eq!((whole.as_str(), left.as_str()), (request, "GET /next"));
        }
        let answer: Passing = |head, from, to| head.pass_answer(from, to).map(drop);
        let nothing = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(passed(&format!("{nothing}HTTP"), answer), (nothing.to_owned(), "HTTP".to_owned()));
        let to_the_end = "HTTP/1.1 200 OK\r\n\r\nall of it";
        assert_eq!(passed(to_the_end, answer), (to_the_end.to_owned(), String::new()));
    }

    #[test]
    fn what_can_not_be_passed_on_is_an_error() {
        for request in [
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nabc",
            "POST / HTTP/1.1\r\ncontent-length: many\r\n\r\nabc",
            "PUT / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n",
        ] {
            let mut from = request.as_bytes();
            let head = Head::read(&mut from).unwrap().unwrap();
            assert!(head.pass_request(&mut from, &mut Vec::new()).is_err(), "{request}");
        }
        assert!(Head::read(&mut &b"GET / HTTP/1.1\r\nhost"[..]).is_err());
        assert!(Head::read(&mut &b"GET / HTTP/1.1\r\n"[..]).is_err());
        assert!(Head::read(&mut &b""[..]).unwrap().is_none());
    }
}

//! Raw bytes to a server, and its answers, over a blocking socket.
//!
//! Deliberately knows nothing of DynamoDB but the headers every client sends: what is malformed on purpose must reach the
//! server as it is.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer that does not come by then is a failed test.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection.
pub struct Wire<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error's name without its namespace; empty where there is none.
    pub fn kind(&self) -> String {
        let body = self.json();
        let kind = body["__type"].as_str().unwrap_or_default();
        kind.rsplit('#').next().unwrap_or_default().to_owned()
    }

    /// The error's message, under either spelling.
    pub fn message(&self) -> String {
        let body = self.json();
        body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default().to_owned()
    }
}

impl Wire<TcpStream> {
    /// Connects.
    pub fn connect(address: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Wire::over(stream))
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

impl<S: Read + Write> Wire<S> {
    /// Speaks over a stream that is open.
    pub fn over(stream: S) -> Wire<S> {
        Wire { stream, read: Vec::new() }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads one answer.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let head_end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end;
            }
            if self.read.len() > HEAD_BYTES_MAX {
                return Err(io::Error::other("the head of the answer does not end"));
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.read[..head_end]).into_owned();
        self.read.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map(|(_, value)| value.parse::<usize>());
        let length = match length {
            Some(Ok(length)) => length,
            Some(Err(_)) => return Err(io::Error::other("a content-length that is no number")),
            None => 0,
        };
        while self.read.len() < length {
            self.more()?;
        }
        let body = self.read.drain(..length).collect();
        Ok(Reply { status, headers, body })
    }

    /// Sends one DynamoDB request and reads its answer.
    pub fn ask(&mut self, op: &str, body: &Value) -> io::Result<Reply> {
        let body = body.to_string();
        self.send(&request(op, body.as_bytes(), &[]))?;
        self.reply()
    }

    /// Waits until the server closes the connection. Errors: it sends something, or does not close in time.
    pub fn closed(&mut self) -> io::Result<()> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::Error::other("more came")),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut part = [0; 16 * 1024];
        let count = self.stream.read(&mut part)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend_from_slice(&part[..count]);
        Ok(())
    }
}

/// A whole request of an operation, with the headers every client sends and these besides.
pub fn request(op: &str, body: &[u8], headers: &[(&str, &str)]) -> Vec<u8> {
    let mut request = head(op, headers);
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

/// The head of a request without what says how long its body is, and without its end.
pub fn head(op: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-target: DynamoDB_20120810.{op}\r\n"
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.into_bytes()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

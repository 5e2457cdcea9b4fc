//! One request at a time over a blocking connection: for what is not a load.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::exchange::Exchange;
use crate::scenario::Scenario;
use crate::target::{Target, connect};
use crate::{BenchError, dax};

/// A connection that waits for each answer.
pub(crate) struct Connection<'a> {
    target: &'a Target,
    exchange: Exchange,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl<'a> Connection<'a> {
    /// Opens one.
    pub(crate) fn open(target: &'a Target) -> Result<Connection<'a>, BenchError> {
        // Only the ends of answers matter here, and those of HTTP and Redis say them.
        let exchange = Exchange::new(target.protocol, Scenario::PutItem, 0, dax::Learned::ASSUMED);
        let stream = connect(target, &[])?;
        Ok(Connection { target, exchange, stream, answer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer; whether it was a good one.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<bool, BenchError> {
        let failed = || BenchError::io(format!("talking to {}", self.target.name));
        self.stream.write_all(request).map_err(failed())?;
        self.answer.clear();
        let mut part = [0; 16 << 10];
        loop {
            let bytes = self.stream.read(&mut part).map_err(failed())?;
            if bytes == 0 {
                return Err(failed()(std::io::ErrorKind::UnexpectedEof.into()));
            }
            self.answer.extend_from_slice(&part[..bytes]);
            if let Some(end) = self.exchange.answer_end(&self.answer) {
                return Ok(end.good);
            }
        }
    }

    /// As [`Connection::exchange`], and an error unless the answer was a good one.
    pub(crate) fn insist(&mut self, request: &[u8], doing: &str) -> Result<(), BenchError> {
        if self.exchange(request)? {
            Ok(())
        } else {
            Err(BenchError::answer(self.target, doing, &self.answer))
        }
    }

    /// The last answer, head and body.
    pub(crate) fn answer(&self) -> &[u8] {
        &self.answer
    }
}

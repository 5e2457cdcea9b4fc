//! A connection of the generator: requests out, answers in, each judged.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};

use crate::BenchError;
use crate::exchange::Batch;
use crate::keys::Keys;
use crate::target::{Target, connect};

/// Longest time any answer is waited for.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer there may be.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Of so many answers, one is held against what was asked for.
const LOOKED_AT: u32 = 64;

/// A connection with one batch of requests under way.
pub(crate) struct Lane<'t> {
    target: &'t Target,
    stream: mio::net::TcpStream,
    pub(crate) batch: Batch,
    /// How much of the batch is written.
    written: usize,
    received: Vec<u8>,
    /// How much of `received` was read of the socket, and how much of that was answers that are dealt with.
    read: usize,
    taken: usize,
    /// Requests of the batch that are answered.
    answered: usize,
    /// Answers until the next whose content is looked at.
    until_looked_at: u32,
    /// When the batch was sent, or was to be.
    pub(crate) sent: Instant,
}

impl<'t> Lane<'t> {
    /// A connection on which `opening` was said. `room` is what answers are expected to need.
    pub(crate) fn open(
        target: &'t Target,
        opening: &[u8],
        batch: Batch,
        room: usize,
    ) -> Result<Lane<'t>, BenchError> {
        let stream = connect(target, opening)?;
        stream.set_nonblocking(true).map_err(BenchError::io("making a socket non-blocking"))?;
        Ok(Lane::on(target, mio::net::TcpStream::from_std(stream), batch, room))
    }

    /// As [`Lane::open`], without waiting for the connection; whatever it begins with stands in the batch.
    pub(crate) fn begin_to_open(
        target: &'t Target,
        address: std::net::SocketAddr,
        batch: Batch,
        room: usize,
    ) -> io::Result<Lane<'t>> {
        let stream = mio::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Lane::on(target, stream, batch, room))
    }

    fn on(target: &'t Target, stream: mio::net::TcpStream, batch: Batch, room: usize) -> Lane<'t> {
        Lane {
            target,
            stream,
            written: batch.bytes().len(),
            answered: batch.keys().len(),
            batch,
            received: vec![0; room],
            read: 0,
            taken: 0,
            until_looked_at: 0,
            sent: Instant::now(),
        }
    }

    /// Has a poll tell of the connection.
    pub(crate) fn register(&mut self, registry: &Registry, token: usize) -> Result<(), BenchError> {
        registry
            .register(&mut self.stream, Token(token), Interest::READABLE | Interest::WRITABLE)
            .map_err(BenchError::io("registering a socket"))
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> BenchError + use<> {
        BenchError::io(format!("talking to {}", self.target.name))
    }

    /// Whether all requests of the batch are answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.answered == self.batch.keys().len()
    }

    /// Draws keys and sends the batch. `sent` is when it was to be sent.
    pub(crate) fn begin(&mut self, keys: &mut Keys, sent: Instant) -> io::Result<()> {
        self.batch.draw(keys);
        (self.written, self.read, self.taken, self.answered, self.sent) = (0, 0, 0, 0, sent);
        self.send()
    }

    /// Writes what the socket takes of the batch.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        while self.written < self.batch.bytes().len() {
            match self.stream.write(&self.batch.bytes()[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come. Gives how many answers became whole.
    pub(crate) fn receive(&mut self) -> Result<usize, BenchError> {
        let before = self.answered;
        loop {
            let room = self.received.len() - self.read;
            let bytes = match self.stream.read(&mut self.received[self.read..]) {
                Ok(0) => return Err(self.failed()(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.failed()(error)),
            };
            self.read += bytes;
            self.take()?;
            if self.is_idle() {
                break;
            }
            if bytes < room {
                // The socket is empty, and will say so when it no longer is.
                break;
            }
            if self.read == self.received.len() {
                self.make_room()?;
            }
        }
        Ok(self.answered - before)
    }

    fn make_room(&mut self) -> Result<(), BenchError> {
        if self.taken > 0 {
            self.received.copy_within(self.taken..self.read, 0);
            (self.read, self.taken) = (self.read - self.taken, 0);
        } else if self.received.len() >= ANSWER_BYTES_MAX {
            return Err(self.failed()(io::ErrorKind::FileTooLarge.into()));
        } else {
            self.received.resize((self.received.len() * 2).max(4096), 0);
        }
        Ok(())
    }

    /// Takes the answers that are whole off what was read.
    fn take(&mut self) -> Result<(), BenchError> {
        let exchange = &self.batch.exchange;
        while let Some(key) = self.batch.keys().get(self.answered) {
            let answer = &self.received[self.taken..self.read];
            let Some(end) = exchange.answer_end(answer) else { return Ok(()) };
            let answer = &answer[..end.bytes];
            let looked_at = self.until_looked_at == 0;
            if !end.good || (looked_at && !exchange.is_answered(answer, *key)) {
                let doing = format!("{} of key {key}", exchange.name());
                return Err(BenchError::answer(self.target, &doing, answer));
            }
            self.until_looked_at = if looked_at { LOOKED_AT } else { self.until_looked_at - 1 };
            self.taken += end.bytes;
            self.answered += 1;
        }
        if self.taken < self.read {
            let doing = format!("{}: more came than was asked for", exchange.name());
            return Err(BenchError::answer(self.target, &doing, &self.received[self.taken..self.read]));
        }
        Ok(())
    }
}

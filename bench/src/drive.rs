//! Drives a target: a closed loop on each connection, every answer timed.
//!
//! One thread waits for all connections at once. An exchange costs it one write, one read and its share of a wait, whatever
//! the target speaks, so that little of what is measured is the generator's own; [`Measured::generator`] says how much.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use crate::BenchError;
use crate::keys::Keys;
use crate::process;
use crate::scenario::Load;
use crate::target::{EchoSizes, Protocol, Requests, Target};

/// Longest time any answer is waited for.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether an answer is overdue.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The largest answer there may be.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What one round of one target came to.
pub(crate) struct Measured {
    /// Answers.
    pub(crate) answers: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// Latency of each answer, nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the target's process, where that is known.
    pub(crate) server: Option<Duration>,
    /// CPU time of this process.
    pub(crate) generator: Option<Duration>,
}

/// Opens a connection and, to an echo, says what to answer.
pub(crate) fn connect(target: &Target, sizes: &EchoSizes) -> Result<TcpStream, BenchError> {
    let doing = || format!("connecting to {} at {}", target.name, target.address);
    let mut stream = TcpStream::connect(&target.address).map_err(BenchError::io(doing()))?;
    stream.set_nodelay(true).map_err(BenchError::io(doing()))?;
    if target.protocol == Protocol::Echo {
        stream.write_all(&sizes.greeting()).map_err(BenchError::io(doing()))?;
    }
    Ok(stream)
}

/// A connection with one request under way.
struct Lane<'a> {
    target: &'a Target,
    load: &'a Load,
    stream: mio::net::TcpStream,
    keys: Keys,
    requests: Requests,
    /// How much of the request is written.
    written: usize,
    answer: Vec<u8>,
    /// How much of `answer` has been read.
    read: usize,
    sent: Instant,
    over: bool,
}

impl<'a> Lane<'a> {
    fn open(target: &'a Target, load: &'a Load, seed: u64) -> Result<Lane<'a>, BenchError> {
        let requests = Requests::new(target.protocol, load);
        let stream = connect(target, requests.echo())?;
        stream.set_nonblocking(true).map_err(BenchError::io("making a socket non-blocking"))?;
        Ok(Lane {
            target,
            load,
            stream: mio::net::TcpStream::from_std(stream),
            keys: Keys::new(seed, load.keys),
            requests,
            written: 0,
            answer: vec![0; 64 << 10],
            read: 0,
            sent: Instant::now(),
            over: false,
        })
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> BenchError + use<> {
        BenchError::io(format!("talking to {}", self.target.name))
    }

    fn begin(&mut self, now: Instant) -> Result<(), BenchError> {
        self.requests.draw(self.keys.draw());
        (self.written, self.read, self.sent) = (0, 0, now);
        self.send()
    }

    /// Writes what the socket takes of the request.
    fn send(&mut self) -> Result<(), BenchError> {
        while self.written < self.requests.bytes().len() {
            match self.stream.write(&self.requests.bytes()[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(self.failed()(error)),
            }
        }
        Ok(())
    }

    /// Reads what has come; whether the answer is whole.
    fn receive(&mut self) -> Result<bool, BenchError> {
        loop {
            let room = self.answer.len() - self.read;
            let bytes = match self.stream.read(&mut self.answer[self.read..]) {
                Ok(0) => return Err(self.failed()(io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.failed()(error)),
            };
            self.read += bytes;
            let answer = &self.answer[..self.read];
            match self.target.answer_end(answer, self.load.scenario, self.requests.echo()) {
                Some(end) if end.good && end.bytes == self.read => return Ok(true),
                Some(_) => return Err(BenchError::answer(self.target, self.load.scenario.name(), answer)),
                None if self.answer.len() >= ANSWER_BYTES_MAX => {
                    return Err(self.failed()(io::ErrorKind::FileTooLarge.into()));
                }
                None if bytes == room => self.answer.resize(self.answer.len() * 2, 0),
                // Less than there was room for: the socket is empty, and will say so when it no longer is.
                None => return Ok(false),
            }
        }
    }
}

/// Drives a target for the load's time.
pub(crate) fn run(target: &Target, load: &Load, round: u64) -> Result<Measured, BenchError> {
    let mut poll = Poll::new().map_err(BenchError::io("making a poll"))?;
    let mut events = Events::with_capacity(load.connections.max(1));
    let mut lanes = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        let seed = load.seed ^ (round << 32) ^ ((number as u64) << 48);
        let mut lane = Lane::open(target, load, seed)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut lane.stream, Token(number), both)
            .map_err(BenchError::io("registering a socket"))?;
        lanes.push(lane);
    }
    let mut latency = Histogram::<u64>::new_with_bounds(100, 60_000_000_000, 3)
        .expect("the bounds are in order and three digits are allowed");
    let server_before = target.process.and_then(process::cpu_time);
    let generator_before = process::cpu_time(std::process::id());
    let started = Instant::now();
    let until = started + load.time;
    for lane in &mut lanes {
        lane.begin(Instant::now())?;
    }
    let mut going = lanes.len();
    while going > 0 {
        if let Err(error) = poll.poll(&mut events, Some(LOOK_EVERY))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(BenchError::io("waiting for answers")(error));
        }
        for event in &events {
            let lane = &mut lanes[event.token().0];
            if lane.over {
                continue;
            }
            if event.is_writable() {
                lane.send()?;
            }
            if event.is_readable() && lane.receive()? {
                let now = Instant::now();
                latency.saturating_record((now - lane.sent).as_nanos() as u64);
                if now < until {
                    lane.begin(now)?;
                } else {
                    lane.over = true;
                    going -= 1;
                }
            }
        }
        if events.is_empty() && lanes.iter().any(|lane| !lane.over && lane.sent.elapsed() > ANSWER_TIMEOUT) {
            return Err(BenchError::io(format!("waiting for {}", target.name))(
                io::ErrorKind::TimedOut.into(),
            ));
        }
    }
    let spent = |pid, before: Option<Duration>| process::cpu_time(pid)?.checked_sub(before?);
    Ok(Measured {
        answers: latency.len(),
        time: started.elapsed(),
        server: target.process.and_then(|pid| spent(pid, server_before)),
        generator: spent(std::process::id(), generator_before),
        latency,
    })
}

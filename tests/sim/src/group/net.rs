//! The network of a world: streams between nodes, each direction of which has its own delay and can be blocked.
//!
//! What is simulated is what a node sees of TCP: bytes of a stream come whole and in order, or not at all. A lost packet shows as a
//! delay, reordering as streams that overtake one another, a partition as silence or, where the world says so, as a broken stream.
//! A direction that is blocked keeps what is under way, and lets it through when it opens.
//!
//! Everything happens at the world's ticks, in the order of the streams' numbers, so that nothing but the seed decides it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use raft::transport::Dialled;
use raft::{BoxedStream, PeerTransport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};

use super::way::{Call, Reply};
use super::{MILLIS_PER_TICK, NodeId, Tick};
use crate::random::Random;

/// Bytes in a direction that nobody has read; more make the writer wait.
const PIPE_BYTES: usize = 256 * 1024;
/// Streams that wait to be accepted.
const BACKLOG: usize = 64;
/// How long a lost packet takes to be sent again. Unit: ticks.
const SENT_AGAIN: Tick = 200 / MILLIS_PER_TICK;

/// What the network does at the moment, besides what is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Ticks that everything takes at most, drawn for each write; at least 1.
    pub delay_max: Tick,
    /// In a thousand: writes of which a packet is lost.
    pub loss: u64,
    /// In a thousand: writes after which the stream breaks.
    pub breaks: u64,
}

impl Weather {
    /// Nothing is lost.
    pub const FAIR: Weather = Weather { delay_max: 2, loss: 0, breaks: 0 };
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Net {
    state: Arc<Mutex<State>>,
}

struct State {
    now: Tick,
    random: Random,
    weather: Weather,
    /// From, to.
    blocked: BTreeSet<(NodeId, NodeId)>,
    listeners: BTreeMap<NodeId, mpsc::Sender<Stream>>,
    dials: Vec<Dial>,
    messages: Vec<Message>,
    streams: BTreeMap<u64, Wire>,
    next_stream: u64,
    /// Of every byte that came anywhere, and when.
    digest: u64,
    carried_bytes: u64,
}

/// Something that is sent from node to node, whole, and what is done with it when it comes there.
struct Message {
    from: NodeId,
    to: NodeId,
    due: Tick,
    content: Content,
}

/// What a [`Message`] is.
pub enum Content {
    /// A request that is passed on, for the world to give to the node.
    Call(Box<Call>),
    /// Its answer.
    Answer(Box<Reply>),
}

struct Dial {
    from: NodeId,
    to: NodeId,
    due: Tick,
    answer: oneshot::Sender<io::Result<Stream>>,
}

/// One stream. The side that dialled is 0, the other 1; a pipe has the number of the side that writes to it.
struct Wire {
    ends: [NodeId; 2],
    pipes: [Pipe; 2],
    /// Whether the side has let go of it.
    gone: [bool; 2],
    broken: bool,
}

#[derive(Default)]
struct Pipe {
    under_way: VecDeque<(Tick, Bytes)>,
    ready: VecDeque<Bytes>,
    bytes: usize,
    last_due: Tick,
    /// Whether its writer has ended it. The end travels like bytes, as none.
    closed: bool,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn close(&mut self, due: Tick) {
        if !std::mem::replace(&mut self.closed, true) {
            self.last_due = self.last_due.max(due);
            self.under_way.push_back((self.last_due, Bytes::new()));
        }
    }

    fn wake_all(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Net {
    /// A fair network of nobody.
    pub fn new(seed: u64) -> Net {
        let state = State {
            now: 0,
            random: Random::new(seed),
            weather: Weather::FAIR,
            blocked: BTreeSet::new(),
            listeners: BTreeMap::new(),
            dials: Vec::new(),
            messages: Vec::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            carried_bytes: 0,
        };
        Net { state: Arc::new(Mutex::new(state)) }
    }

    /// A node begins to listen. Whoever was there before under its name is gone: so are its streams.
    pub fn join(&self, node: NodeId) -> Transport {
        let (sender, incoming) = mpsc::channel(BACKLOG);
        let mut state = self.state.lock();
        state.listeners.insert(node, sender);
        for wire in state.streams.values_mut().filter(|wire| wire.ends.contains(&node)) {
            wire.break_off();
        }
        Transport { net: self.clone(), node, incoming: tokio::sync::Mutex::new(incoming) }
    }

    /// A node is gone. `told`: the others' systems hear of it at once; else they find out by themselves.
    pub fn leave(&self, node: NodeId, told: bool) {
        let mut state = self.state.lock();
        state.listeners.remove(&node);
        state.dials.retain(|dial| dial.from != node);
        for wire in state.streams.values_mut().filter(|wire| wire.ends.contains(&node)) {
            let side = usize::from(wire.ends[1] == node);
            // Nothing of it comes any more, its end neither.
            wire.gone[side] = true;
            wire.pipes[side].under_way.clear();
            if told {
                wire.break_off();
            }
        }
    }

    /// Nothing passes in this direction until it is opened.
    pub fn block(&self, from: NodeId, to: NodeId) {
        self.state.lock().blocked.insert((from, to));
    }

    /// Everything passes.
    pub fn heal(&self) {
        self.state.lock().blocked.clear();
    }

    /// Whether a direction is open.
    pub fn is_open(&self, from: NodeId, to: NodeId) -> bool {
        !self.state.lock().blocked.contains(&(from, to))
    }

    /// From now on it is so.
    pub fn set_weather(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    /// Sends something whole.
    pub fn send(&self, from: NodeId, to: NodeId, content: Content) {
        let mut state = self.state.lock();
        let due = state.now + state.draw_delay();
        state.messages.push(Message { from, to, due, content });
    }

    /// A number that all bytes that were carried, and when, have decided; and how many there were.
    pub fn carried(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.digest, state.carried_bytes)
    }

    /// What is due comes to where it goes. Answers the calls that have come, each with the node it is for.
    pub fn tick(&self, now: Tick) -> Vec<(NodeId, Call)> {
        let (due, messages) = {
            let mut state = self.state.lock();
            state.now = now;
            (state.due_dials(), state.due_messages())
        };
        // Without the lock: a stream that nobody takes lets go of its side.
        for dial in due {
            let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there");
            let opened = self.open(&dial).ok_or_else(refused);
            // Whoever dialled may have given up.
            let _ = dial.answer.send(opened);
        }
        self.state.lock().carry();
        let mut calls = Vec::new();
        for Message { to, content, .. } in messages {
            match content {
                Content::Call(call) => calls.push((to, *call)),
                Content::Answer(reply) => reply.give(),
            }
        }
        calls
    }

    fn open(&self, dial: &Dial) -> Option<Stream> {
        let (listener, number) = {
            let mut state = self.state.lock();
            let listener = state.listeners.get(&dial.to)?.clone();
            let number = state.next_stream;
            state.next_stream += 1;
            state.streams.insert(number, Wire::new([dial.from, dial.to]));
            (listener, number)
        };
        let end = |side| Stream { net: self.clone(), number, side };
        let mine = end(0);
        listener.try_send(end(1)).ok().map(|()| mine)
    }

    fn with<T>(&self, number: u64, look: impl FnOnce(&mut State, &mut Wire) -> T) -> io::Result<T> {
        let mut state = self.state.lock();
        let Some(mut wire) = state.streams.remove(&number) else { return Err(broken()) };
        let result = look(&mut state, &mut wire);
        state.streams.insert(number, wire);
        Ok(result)
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the stream is broken")
}

impl Wire {
    fn new(ends: [NodeId; 2]) -> Wire {
        Wire { ends, pipes: Default::default(), gone: [false; 2], broken: false }
    }

    fn break_off(&mut self) {
        self.broken = true;
        self.pipes.iter_mut().for_each(Pipe::wake_all);
    }
}

impl State {
    fn draw_delay(&mut self) -> Tick {
        let lost = self.random.below(1_000) < self.weather.loss;
        1 + self.random.below(self.weather.delay_max) + if lost { SENT_AGAIN } else { 0 }
    }

    fn due_dials(&mut self) -> Vec<Dial> {
        let mut due = Vec::new();
        for mut dial in std::mem::take(&mut self.dials) {
            let ways = [(dial.from, dial.to), (dial.to, dial.from)];
            if dial.answer.is_closed() {
                continue;
            }
            if dial.due > self.now {
                self.dials.push(dial);
            } else if ways.iter().any(|way| self.blocked.contains(way)) {
                // Asked again, as systems do, until whoever dials gives up.
                dial.due = self.now + SENT_AGAIN;
                self.dials.push(dial);
            } else {
                due.push(dial);
            }
        }
        due
    }

    fn due_messages(&mut self) -> Vec<Message> {
        let (now, blocked) = (self.now, &self.blocked);
        let is_due =
            |message: &mut Message| message.due <= now && !blocked.contains(&(message.from, message.to));
        self.messages.extract_if(.., is_due).collect()
    }

    fn carry(&mut self) {
        let State { now, blocked, streams, digest, carried_bytes, .. } = self;
        streams.retain(|_, wire| wire.gone != [true; 2]);
        for (number, wire) in streams.iter_mut().filter(|(_, wire)| !wire.broken) {
            for side in [0, 1] {
                let way = (wire.ends[side], wire.ends[1 - side]);
                if blocked.contains(&way) {
                    continue;
                }
                let pipe = &mut wire.pipes[side];
                let mut moved = false;
                while let Some((_, bytes)) = pipe.under_way.pop_front_if(|(due, _)| *due <= *now) {
                    *carried_bytes += bytes.len() as u64;
                    for part in [&number.to_be_bytes()[..], &now.to_be_bytes(), &[side as u8], &bytes] {
                        for byte in part {
                            // FNV-1a: small, and any byte changes it.
                            *digest = (*digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                        }
                    }
                    match bytes.is_empty() {
                        true => pipe.ended = true,
                        false => pipe.ready.push_back(bytes),
                    }
                    moved = true;
                }
                if moved && let Some(reader) = pipe.reader.take() {
                    reader.wake();
                }
            }
        }
    }
}

/// The network as one node has it.
pub struct Transport {
    net: Net,
    node: NodeId,
    incoming: tokio::sync::Mutex<mpsc::Receiver<Stream>>,
}

impl PeerTransport for Transport {
    fn dial(&self, address: &str) -> Dialled<'static> {
        let (net, from) = (self.net.clone(), self.node);
        let to = super::node_at(address);
        Box::pin(async move {
            let to = to.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no node has that address"))?;
            let (answer, answered) = oneshot::channel();
            {
                let mut state = net.state.lock();
                let due = state.now + state.draw_delay() + state.draw_delay();
                state.dials.push(Dial { from, to, due, answer });
            }
            let stream = answered.await.map_err(|_| broken())??;
            Ok(Box::new(stream) as BoxedStream)
        })
    }

    fn accept(&self) -> Dialled<'_> {
        Box::pin(async move {
            match self.incoming.lock().await.recv().await {
                Some(stream) => Ok(Box::new(stream) as BoxedStream),
                None => std::future::pending().await,
            }
        })
    }
}

/// One side of a stream.
struct Stream {
    net: Net,
    number: u64,
    side: usize,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let side = 1 - self.side;
        let read = self.net.with(self.number, |_, wire| {
            let pipe = &mut wire.pipes[side];
            let mut read = 0;
            while buf.remaining() > 0
                && let Some(bytes) = pipe.ready.front_mut()
            {
                let count = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..count]);
                bytes.advance(count);
                read += count;
                if bytes.is_empty() {
                    pipe.ready.pop_front();
                }
            }
            if read > 0 {
                pipe.bytes -= read;
                if let Some(writer) = pipe.writer.take() {
                    writer.wake();
                }
                return Poll::Ready(Ok(()));
            }
            if wire.broken {
                return Poll::Ready(Err(broken()));
            }
            if pipe.ended {
                return Poll::Ready(Ok(()));
            }
            pipe.reader = Some(cx.waker().clone());
            Poll::Pending
        });
        read.unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let side = self.side;
        let written = self.net.with(self.number, |state, wire| {
            if wire.broken {
                return Poll::Ready(Err(broken()));
            }
            if wire.pipes[side].bytes >= PIPE_BYTES {
                wire.pipes[side].writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if state.random.below(1_000) < state.weather.breaks {
                wire.break_off();
                return Poll::Ready(Err(broken()));
            }
            let delay = state.draw_delay();
            let pipe = &mut wire.pipes[side];
            pipe.last_due = pipe.last_due.max(state.now + delay);
            pipe.under_way.push_back((pipe.last_due, Bytes::copy_from_slice(bytes)));
            pipe.bytes += bytes.len();
            Poll::Ready(Ok(bytes.len()))
        });
        written.unwrap_or_else(|error| Poll::Ready(Err(error)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // One that is gone already is as shut as it can be.
        let _ = self.net.with(self.number, |state, wire| wire.pipes[self.side].close(state.now + 1));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // As above.
        let _ = self.net.with(self.number, |state, wire| {
            // The other side reads to the end of what was sent. Of a node that has lost its power there is no end.
            if !std::mem::replace(&mut wire.gone[self.side], true) {
                wire.pipes[self.side].close(state.now + 1);
            }
            let pipe = &mut wire.pipes[1 - self.side];
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
        });
    }
}

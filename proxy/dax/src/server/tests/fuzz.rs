//! Whole connections of broken bytes against the front, over a pipe that may be narrow, from peers that may be slow, deaf
//! or silent.
//!
//! Whatever is sent: nothing panics, no connection outlives all of the front's timeouts or keeps a thread busy, what is taken
//! of memory is bounded and given back, and what is answered is one whole answer for each request, in their order, none of
//! them an internal error.
//!
//! `FOREBAY_FUZZ_RUNS` sets how many connections (30,000 without it), `FOREBAY_FUZZ_SEED` which; each has a seed of its own,
//! so that a failing one is made again alone by the seed that its message names.

mod service;

use std::sync::mpsc;

use tokio::io::{ReadHalf, WriteHalf};

use super::*;
use crate::attribute_lists::{Demand, Names};
use crate::cbor::Reader;
use crate::codec::frame::{AnswerScanner, Frame, FrameScanner};
use crate::codec::handshake::Preamble;
use crate::codec::layering::{HEADER_BYTES, Layering};
use crate::codec::method::Method;
use crate::codec::tests::corpus::{CORPUS, Capture, Run};
use crate::codec::tests::mutation::{Dice, mutate_bytes, mutated, random_values, setting};
use service::Whatever;

/// The frame limit of these fronts: what a frame, and answers that wait, may hold beyond a connection's own buffers.
const FRAME_LIMIT: usize = 256 << 10;
/// Most memory that a connection may take at once, the front and both ends of the pipe included. A buffer that grows is
/// there twice for a moment, so twice the frame limit, and as much for what is read of it and answered.
const MEMORY_MAX: u64 = 4 * FRAME_LIMIT as u64;
/// What a connection may leave behind: caches of the runtime and of the standard library.
const LEFT_MAX: i64 = 4 << 10;
/// Longer than all timeouts of the front in a row, in the virtual time of these connections.
const A_WHILE: Duration = Duration::from_secs(3600);
/// Longest that a connection may really take. Unit: seconds.
const REAL_SECONDS: u32 = 20;

/// How a peer behaves.
struct Peer {
    /// What it says.
    bytes: Vec<u8>,
    /// In pieces of at most so many bytes.
    piece_bytes: usize,
    /// After how many pieces it stops for how long, once.
    pause: Option<(usize, Duration)>,
    /// What the pipe holds in each direction.
    pipe_bytes: usize,
    hears: Hears,
    /// How long it holds the connection when it has said everything.
    silent: Duration,
    /// When the process is stopped.
    stop_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// What comes, at once.
    AtOnce,
    /// A few bytes, and then a while nothing.
    Slowly,
    /// Nothing, until the front gave up.
    Nothing,
}

impl Peer {
    fn new(dice: &mut Dice, run: &'static Run) -> Peer {
        let bytes = stream(dice, run);
        let seconds = |dice: &mut Dice, most| Duration::from_secs(dice.below(most) as u64);
        Peer {
            piece_bytes: *dice.pick(&[1, 3, 17, 100, 1000, 1 << 20]),
            pause: dice.once_in(8).then(|| (dice.below(20), seconds(dice, 100))),
            pipe_bytes: *dice.pick(&[64, 1000, 1 << 16]),
            hears: *dice.pick(&[Hears::AtOnce, Hears::AtOnce, Hears::AtOnce, Hears::Slowly, Hears::Nothing]),
            silent: if dice.once_in(8) { seconds(dice, 200) } else { Duration::ZERO },
            stop_after: dice.once_in(16).then(|| seconds(dice, 3)),
            bytes,
        }
    }

    /// Whether nothing of how it behaves keeps the front from answering everything.
    fn is_patient(&self) -> bool {
        self.hears == Hears::AtOnce
            && self.pause.is_none()
            && self.stop_after.is_none()
            && self.bytes.len() < FRAME_LIMIT / 2
    }

    async fn say(&self, mut to: WriteHalf<DuplexStream>) {
        for (number, piece) in self.bytes.chunks(self.piece_bytes).enumerate() {
            if let Some((after, pause)) = self.pause
                && after == number
            {
                tokio::time::sleep(pause).await;
            }
            // The front may have hung up.
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(self.silent).await;
        // It may have meanwhile.
        let _ = to.shutdown().await;
    }

    async fn hear(&self, mut from: ReadHalf<DuplexStream>) -> Vec<u8> {
        let mut heard = Vec::new();
        if self.hears == Hears::Nothing {
            tokio::time::sleep(A_WHILE / 4).await;
        }
        let mut part = [0; 4096];
        let room = if self.hears == Hears::Slowly { 64 } else { part.len() };
        while let Ok(bytes) = from.read(&mut part[..room]).await
            && bytes > 0
        {
            heard.extend_from_slice(&part[..bytes]);
            if self.hears == Hears::Slowly {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        heard
    }
}

/// What a peer says: a preamble, and frames that are sound, changed, made up, cut or lied about.
fn stream(dice: &mut Dice, run: &'static Run) -> Vec<u8> {
    let preamble = dice.pick::<Vec<u8>>(&run.preambles);
    let mut bytes = match dice.below(24) {
        0 => mutated(preamble, dice),
        1 => Vec::new(),
        // With answers behind headers.
        2..=5 => {
            let mut headed = preamble.clone();
            headed[8] = 1;
            headed
        }
        _ => preamble.clone(),
    };
    if !dice.once_in(4) {
        bytes.extend(run.claim().0);
    }
    for _ in 0..dice.below(10) {
        let capture = dice.pick::<Capture>(&run.captures);
        match dice.below(16) {
            0..11 => bytes.extend(&capture.request),
            11..14 => bytes.extend(mutated(&capture.request, dice)),
            14 => {
                bytes.extend(&capture.request[..capture.header_bytes]);
                bytes.extend(random_values(dice, capture.method.request_values()));
            }
            _ => {
                bytes.extend(&capture.request);
                mutate_bytes(&mut bytes, dice);
            }
        }
    }
    // A request that is as long as it says, and longer than the front may hold.
    if dice.once_in(200) {
        bytes.extend(unhex("011a0fb0cc6a"));
        bytes.push(0x5a);
        bytes.extend(u32::try_from(2 * FRAME_LIMIT).unwrap().to_be_bytes());
        bytes.resize(bytes.len() + 2 * FRAME_LIMIT, b'x');
    }
    bytes
}

struct Tables;

impl Catalog for Tables {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        CORPUS.table(name.as_str())
    }
}

fn server(dice: &mut Dice, run: &'static Run, world: Arc<World>) -> DaxServer<Whatever> {
    // Few are left for lists that answers need: then those are refused.
    let lists = VolatileLists::new(run.lists.len() + dice.below(8));
    for names in &run.lists {
        let mut defining = lists.define(Names::clone(names), Demand::Write);
        let waker = std::task::Waker::noop();
        let defined = defining.as_mut().poll(&mut std::task::Context::from_waker(waker));
        assert!(defined.is_ready(), "a volatile registry never waits");
    }
    let cluster = Cluster {
        catalog: Arc::new(Tables),
        lists: Arc::new(lists),
        nodes: Arc::new(OneNode),
        follows: None,
    };
    let auth = if dice.once_in(4) { Auth::Keys(Arc::new(OneKey)) } else { Auth::Any };
    let settings = DaxSettings { max_frame_bytes_in_flight: FRAME_LIMIT, ..DaxSettings::default() };
    let db = Whatever(Mutex::new(Dice::new(dice.roll())));
    DaxServer::new(db, cluster, auth, settings, world.clone(), world)
}

/// One connection from its beginning to its end. Gives what the peer heard.
async fn converse(dice: &mut Dice, run: &'static Run, peer: &Peer) -> Vec<u8> {
    let world = Arc::new(World::default());
    world.late_seconds.store(run.claim().1 - SIGNED_SECONDS, Ordering::Relaxed);
    let server = server(dice, run, world);
    let (near, far) = tokio::io::duplex(peer.pipe_bytes);
    let (read, write) = tokio::io::split(near);
    let stop = async {
        match peer.stop_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let all =
        async { tokio::join!(server.serve_connection(far, REACHED, stop), peer.say(write), peer.hear(read)) };
    let (_, (), heard) = tokio::time::timeout(A_WHILE, all).await.expect("the connection hangs");
    assert_eq!(server.0.account.held_bytes(), 0, "memory of frames was not given back");
    assert!(server.0.account.has_room(), "a request is still counted as under way");
    heard
}

/// What the bytes of a peer are, as far as they are anything.
struct Said {
    layering: Layering,
    requests: Vec<Method>,
    /// What is no frame follows.
    ends_badly: bool,
}

impl Said {
    fn new(bytes: &[u8]) -> Said {
        let mut said = Said { layering: Layering::Plain, requests: Vec::new(), ends_badly: false };
        let (mut scanner, mut left, mut begun) = (FrameScanner::new(), bytes, false);
        loop {
            match scanner.next(left) {
                Ok(Some(Frame::Preamble { bytes })) => {
                    let Ok(preamble) = Preamble::read(&left[..bytes]) else { return said };
                    said.layering = preamble.layering;
                    begun = true;
                    left = &left[bytes..];
                }
                Ok(Some(Frame::Request { method, bytes, .. })) => {
                    if method != Method::AuthorizeConnection {
                        said.requests.push(method);
                    }
                    left = &left[bytes..];
                }
                Ok(None) => return said,
                Err(_) => {
                    said.ends_badly = begun;
                    return said;
                }
            }
        }
    }
}

/// Takes the next answer off `heard`; `None` where it is not all there.
fn next_answer<'h>(heard: &mut &'h [u8], layering: Layering, method: Method) -> Option<&'h [u8]> {
    let mut left = *heard;
    if layering == Layering::Headed {
        let (header, behind) = left.split_at_checked(HEADER_BYTES)?;
        assert_eq!(header[4..], [1, 0, 0, 0]);
        let length = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize - HEADER_BYTES;
        left = &behind[..length.min(behind.len())];
    }
    let end = AnswerScanner::new(method, 1 << 20).next(left).expect("an answer is of this wire")?;
    if layering == Layering::Headed {
        assert_eq!(end, left.len(), "a header says how long its answer is");
        *heard = &heard[HEADER_BYTES..];
    }
    let (answer, behind) = heard.split_at(end);
    *heard = behind;
    Some(answer)
}

/// Holds what was heard against what was said. Gives how many requests were granted.
fn judge(peer: &Peer, heard: &[u8]) -> usize {
    let said = Said::new(&peer.bytes);
    let mut left = heard;
    let mut granted = 0;
    let mut answered = 0;
    for method in &said.requests {
        // A frame that is refused for its end is answered like an error of any method.
        let Some(answer) = next_answer(&mut left, said.layering, *method) else { break };
        answered += 1;
        granted += usize::from(judge_answer(answer));
    }
    let refused =
        answered == said.requests.len() && next_answer(&mut left, said.layering, Method::Endpoints).is_some();
    if peer.hears != Hears::Nothing && peer.hears != Hears::Slowly {
        assert!(left.is_empty(), "{} bytes follow the last whole answer: {}", left.len(), hex(left));
    }
    assert!(!refused || said.ends_badly || !peer.is_patient(), "an answer to nothing");
    if peer.is_patient() {
        assert_eq!(answered, said.requests.len(), "requests without an answer");
        assert_eq!(refused, said.ends_badly, "what ends a connection is answered, once");
    }
    granted
}

/// `true` where it is no error.
fn judge_answer(answer: &[u8]) -> bool {
    if answer[0] == 0x80 {
        return true;
    }
    let reader = &mut Reader::new(answer);
    reader.raw(1).expect("codes");
    let message = reader.text().expect("a message");
    reader.array().expect("what more is known");
    reader.text().expect("the request's id");
    let kind = ErrorKind::from_name(reader.text().expect("a kind"));
    // A change was made, and there was no room for the list of names of what it gave back.
    let untold = message.starts_with("The request has taken effect") && message.contains("attribute lists");
    assert!(kind.is_some_and(|kind| untold || kind != ErrorKind::InternalServerError), "{kind:?}: {message}");
    false
}

/// Ends the process when a connection takes too long: a thread that is kept busy can't be stopped in any other way. Counts
/// its own seconds, so that a process that was stopped for a while is not taken for one that hangs.
fn watch(seed: &AtomicU64, done: mpsc::Receiver<()>) {
    let (mut last, mut seconds) = (0, 0);
    while done.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now = seed.load(Ordering::Relaxed);
        seconds = if now == last { seconds + 1 } else { 0 };
        last = now;
        if seconds > REAL_SECONDS {
            eprintln!("a connection keeps its thread busy: seed {now}");
            std::process::abort();
        }
    }
}

#[test]
fn fuzz_dax_stream() {
    let runs = setting("FOREBAY_FUZZ_RUNS", 30_000);
    let first = setting("FOREBAY_FUZZ_SEED", 1);
    let under_way = AtomicU64::new(0);
    let (done, told) = mpsc::channel();
    let (mut granted, mut most) = (0, (0, 0));
    std::thread::scope(|scope| {
        let under_way = &under_way;
        scope.spawn(move || watch(under_way, told));
        // Dropped at the end, also of a test that fails: it ends the watch.
        let _done = done;
        for seed in first..first + runs {
            under_way.store(seed, Ordering::Relaxed);
            let mut dice = Dice::new(seed);
            let run = dice.pick::<Run>(&CORPUS.runs);
            let peer = Peer::new(&mut dice, run);
            let mut of_this = 0;
            let memory = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                allocation_counter::measure(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
                    let heard = runtime.block_on(converse(&mut dice, run, &peer));
                    of_this = judge(&peer, &heard);
                    // Not the connection's any more, but the thread's.
                    socket::spare::clear();
                })
            }));
            let shown = || {
                format!(
                    "seed {seed}, {} bytes: {}",
                    peer.bytes.len(),
                    hex(&peer.bytes[..peer.bytes.len().min(4096)])
                )
            };
            let memory = memory.unwrap_or_else(|_| panic!("{}", shown()));
            assert!(memory.bytes_max <= MEMORY_MAX, "{} bytes of memory: {}", memory.bytes_max, shown());
            // What is made once for all is made in the first ones.
            assert!(seed < first + 100 || memory.bytes_current <= LEFT_MAX, "{memory:?}: {}", shown());
            granted += of_this;
            most = most.max((memory.bytes_max, seed));
        }
    });
    println!(
        "{runs} connections from seed {first}, {granted} requests granted; at most {most:?} bytes of memory, seed"
    );
    // A fuzzer whose connections all end at the first byte tests nothing.
    assert!(granted as u64 > runs, "only {granted} requests of {runs} connections were granted");
}

//! Whole connections of bytes that no client sends: each lie has its answer, nothing panics or hangs, and what was held of
//! the memory of all connections is given back.

use proptest::prelude::*;

use super::*;
use crate::cbor::{FRAME_DEPTH, Reader};

/// Longer than any wait of the front in a row, in the virtual time of these tests.
const A_WHILE: Duration = Duration::from_secs(3600);

/// Of every connection here: a bound that a few lies would break if their lengths were believed.
const HELD_BYTES_MAX: usize = 1 << 20;

fn bounded(auth: Auth) -> Front {
    front_with(auth, DaxSettings { max_frame_bytes_in_flight: HELD_BYTES_MAX, ..DaxSettings::default() })
}

/// Says `bytes` in `pieces`, and gives what came back when the front had hung up, or had been hung up on.
async fn converse<'p>(front: &Front, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
    let Peer { io, served, stop: _stop } = front.connect();
    let (mut read, mut write) = tokio::io::split(io);
    let say = async {
        for piece in pieces {
            // The front may have hung up.
            if write.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = write.shutdown().await;
    };
    let mut answers = Vec::new();
    let hear = async { read.read_to_end(&mut answers).await.map(|_| ()) };
    let conversation = async { tokio::join!(say, hear) };
    let ((), heard) = tokio::time::timeout(A_WHILE, conversation).await.expect("no connection hangs");
    heard.unwrap();
    tokio::time::timeout(A_WHILE, served).await.expect("no connection hangs").unwrap().unwrap();
    assert_eq!(front.server.0.account.held_bytes(), 0);
    answers
}

fn after_preamble(parts: &[&[u8]]) -> Vec<u8> {
    [&unhex(PREAMBLE)[..], &parts.concat()].concat()
}

/// A getItem of `Hash`, up to its key.
fn begun_get() -> Vec<u8> {
    unhex("011a0fb0cc6a4448617368")
}

const MALFORMED: &str = "8504182518261827182e";
const UNKNOWN_OPERATION: &str = "840418251826182c";

/// What is answered before the connection is closed: one error with these codes, though requests follow.
async fn is_refused(bytes: &[u8], codes: &str) {
    let front = bounded(Auth::Any);
    let bytes = after_preamble(&[bytes, &unhex(ENDPOINTS)]);
    let answer = hex(&converse(&front, [&bytes[..]]).await);
    assert!(answer.starts_with(codes), "{answer}");
    assert!(!answer.contains(&hex(b"node0.fake.dax")), "{answer}");
    assert_eq!(front.world.malformed.load(Ordering::Relaxed), 1);
}

/// What is answered with one error, and the next request as ever.
async fn is_answered(bytes: &[u8], codes: &str) {
    let front = bounded(Auth::Any);
    let bytes = after_preamble(&[bytes, &unhex(ENDPOINTS)]);
    let answer = hex(&converse(&front, [&bytes[..]]).await);
    assert!(answer.starts_with(codes), "{answer}");
    assert!(answer.ends_with(&NODE.replace(' ', "")), "{answer}");
    assert_eq!(front.world.malformed.load(Ordering::Relaxed), 0);
}

/// An error as a client reads it: codes, message, kind, status.
fn error(answer: &[u8]) -> (Vec<i64>, String, String, i64) {
    let reader = &mut Reader::new(answer);
    let mut codes = Vec::new();
    let mut elements = reader.array().unwrap();
    while elements.more(reader).unwrap() {
        codes.push(reader.int_as().unwrap());
    }
    let message = reader.text().unwrap().to_owned();
    assert_eq!(reader.array().unwrap().announced(), Some(3));
    assert_eq!(reader.text().unwrap().len(), 32, "a request id");
    (codes, message, reader.text().unwrap().to_owned(), reader.int_as().unwrap())
}

const SERIALIZATION: (&[i64], &str) = (&[4, 37, 38, 39, 46], "SerializationException");
const VALIDATION: (&[i64], &str) = (&[4, 37, 38, 39, 46], "ValidationException");
const OPERATION: (&[i64], &str) = (&[4, 37, 38, 44], "UnknownOperationException");
const UNAUTHORIZED: &[i64] = &[4, 23, 31, 33];

/// To the word, since clients show it to people who then have to do something about it.
#[tokio::test(start_paused = true)]
async fn each_lie_has_its_answer() {
    let get = begun_get();
    let too_long = "The request can't be read: a length is larger than the whole may be";
    let too_deep = "The request can't be read: values are nested too deeply";
    let list_9 = "The attribute list 9 is not known here";
    let learn_anew = "; connect anew to learn the lists of this cluster";
    let values = [&[2][..], &[0x81].repeat(39), &[0xf6]].concat();
    let nested = [&unhex("013a7d8e7e5644486173684161")[..], &[0x58, 41], &values, &[0xf6]].concat();
    for (bytes, (codes, kind), message) in [
        ([get.clone(), unhex("5bffffffffffffffff")].concat(), SERIALIZATION, too_long.to_owned()),
        ([get.clone(), unhex("5b0000000100000000")].concat(), SERIALIZATION, too_long.to_owned()),
        ([get.clone(), unhex("5affffffff")].concat(), SERIALIZATION, too_long.to_owned()),
        ([get.clone(), unhex("9b0000000100000000")].concat(), SERIALIZATION, too_long.to_owned()),
        ([get.clone(), [0x81].repeat(FRAME_DEPTH + 1)].concat(), SERIALIZATION, too_deep.to_owned()),
        ([get.clone(), unhex("1c")].concat(), SERIALIZATION, "The request can't be read: a value begins in a way that is not allowed here".to_owned()),
        (unhex("013a12ae9a75a0"), OPERATION, "method id -313432694 is not known".to_owned()),
        (unhex("021a1b2bcf02"), OPERATION, "service id 2 is not known".to_owned()),
        (unhex("011a27f9bd7109"), VALIDATION, list_9.to_owned()),
        (unhex("013a7d8e7e5644486173684161420901f6"), VALIDATION, format!("{list_9}{learn_anew}")),
        (
            [unhex("013a495927bb816176"), nested].concat(),
            VALIDATION,
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported \
             limit"
                .to_owned(),
        ),
    ] {
        let front = bounded(Auth::Any);
        let answer = converse(&front, [&after_preamble(&[&bytes])[..]]).await;
        // The list that one of them defines before.
        let answer = answer.strip_prefix(b"\x80\x02").unwrap_or(&answer);
        assert_eq!(error(answer), (codes.to_vec(), message, kind.to_owned(), 400), "{}", hex(&bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_for_which_there_is_no_memory_is_answered_to_a_peer_that_reads_slowly_too() {
    let front = bounded(Auth::Any);
    let (mut io, served) = narrow(&front);
    let long = [begun_get(), unhex("5a00400000"), vec![b'x'; 4 << 20]].concat();
    let long = after_preamble(&[&long]);
    let (mut read, mut write) = tokio::io::split(&mut io);
    let say = async {
        // The front may have hung up before it has all.
        let _ = write.write_all(&long).await;
        let _ = write.shutdown().await;
    };
    let mut answer = Vec::new();
    let hear = async { read.read_to_end(&mut answer).await.map(|_| ()) };
    let ((), heard) = tokio::join!(say, hear);
    heard.unwrap();
    served.await.unwrap().unwrap();
    let message = "Rate of requests exceeds the allowed throughput.";
    let kind = "ThrottlingException";
    assert_eq!(error(&answer), (vec![4, 37, 38, 39, 50], message.to_owned(), kind.to_owned(), 400));
}

#[tokio::test(start_paused = true)]
async fn each_false_claim_has_its_answer() {
    let claim = |right| claim_frame(SIGNED_AT, right);
    let strange = unhex("011a58c2336b61616040f6f6");
    for (late_seconds, claim, kind, message) in [
        (0, Vec::new(), "MissingAuthenticationTokenException", "The connection requires authentication."),
        (0, claim(false), "InvalidSignatureException", "not right"),
        (
            301,
            claim(true),
            "InvalidSignatureException",
            "Signature expired: 20240102T030405Z is more than 5 minutes ago. Check the clock of the client.",
        ),
        (0, strange, "IncompleteSignatureException", "The string to sign must have exactly 4 lines."),
    ] {
        let front = bounded(Auth::Keys(Arc::new(OneKey)));
        front.world.late_seconds.store(late_seconds, Ordering::Relaxed);
        let bytes = after_preamble(&[&claim, &unhex(ENDPOINTS)]);
        let answer = converse(&front, [&bytes[..]]).await;
        assert_eq!(error(&answer), (UNAUTHORIZED.to_vec(), message.to_owned(), kind.to_owned(), 400));
    }
}

#[tokio::test(start_paused = true)]
async fn lengths_beyond_a_frame_are_refused_at_their_head() {
    for head in [
        // Eight bytes of length, four gigabytes, one byte more than a frame may have.
        "5bffffffffffffffff",
        "7b7fffffffffffffff",
        "5b0000000100000000",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "bb8000000000000000",
        "5affffffff",
        "7affffffff",
        "9affffffff",
        "baffffffff",
        "5a01000001",
    ] {
        is_refused(&[begun_get(), unhex(head)].concat(), MALFORMED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_of_eight_bytes_may_be_true() {
    let get = format!("011a0fb0cc6a 5b0000000000000004 48617368 5b0000000000000005 {} f6", hex(b"ready"));
    let front = bounded(Auth::Any);
    let bytes = after_preamble(&[&unhex(&get.replace(' ', ""))]);
    assert_eq!(hex(&converse(&front, [&bytes[..]]).await), "80bf004101ff");
}

#[tokio::test(start_paused = true)]
async fn strings_that_never_come_hold_no_memory() {
    let front = bounded(Auth::Any);
    // As many connections as would hold sixteen times the bound, if lengths were believed.
    let mut peers = Vec::new();
    for _ in 0..16 {
        let mut peer = front.connect();
        peer.send(&format!("{PREAMBLE} 011a0fb0cc6a 4448617368 5a00100000")).await;
        peers.push(peer);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(front.server.0.account.held_bytes(), 0);
    assert!(peers.iter().all(|peer| !peer.served.is_finished()));
    // And their silence ends them.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(peers.iter().all(|peer| peer.served.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn depth_bombs_are_refused_in_a_frame_and_answered_in_a_string() {
    for level in ["81", "9f", "a100", "bf00", "c4", "d90cfb", "d90cfb81"] {
        let level = unhex(level);
        for levels in [FRAME_DEPTH + 1, 100_000] {
            is_refused(&[begun_get(), level.repeat(levels)].concat(), MALFORMED).await;
        }
        // As the values of an item, as a condition, as a key.
        let mut bomb = level.repeat(10_000);
        bomb.push(0);
        let length = u32::try_from(bomb.len() + 1).unwrap().to_be_bytes();
        let wrapped = [&[0x5a][..], &length, &[2], &bomb].concat();
        let as_values = [&unhex("013a7d8e7e5644486173684161")[..], &wrapped, &[0xf6]].concat();
        let front = bounded(Auth::Any);
        let define = unhex("013a495927bb816176");
        let bytes = after_preamble(&[&define, &as_values, &unhex(ENDPOINTS)]);
        let answer = hex(&converse(&front, [&bytes[..]]).await);
        assert!(answer.starts_with(&format!("8002{MALFORMED}")), "{answer}");
        assert!(answer.ends_with(&NODE.replace(' ', "")), "{answer}");
        let condition = unhex("011a3c69622144486173684161bf04");
        is_answered(&[&condition[..], &wrapped, &[0xff]].concat(), MALFORMED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn methods_and_services_that_nobody_knows_are_refused() {
    for id in
        ["00", "20", "1a12ae9a74", "3a12ae9a75", "1a7e64c359", "1b7fffffffffffffff", "3b7fffffffffffffff"]
    {
        is_refused(&unhex(&format!("01{id}a0")), UNKNOWN_OPERATION).await;
    }
    for service in ["00", "02", "20", "1affffffff"] {
        is_refused(&unhex(&format!("{service}1a1b2bcf02")), UNKNOWN_OPERATION).await;
    }
    for no_number in ["1bffffffffffffffff", "3bffffffffffffffff", "6161", "f6", "80", "fb3ff0000000000000"] {
        is_refused(&unhex(&format!("01{no_number}a0")), MALFORMED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn attribute_lists_that_nobody_registered_are_answered() {
    for id in ["00", "09", "20", "1b001fffffffffffff", "1bffffffffffffffff", "6161"] {
        is_answered(&unhex(&format!("011a27f9bd71{id}")), MALFORMED).await;
        let values = format!("{id}01");
        let put = format!("013a7d8e7e5644486173684161{:02x}{values}f6", 0x40 + values.len() / 2);
        is_answered(&unhex(&put), MALFORMED).await;
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_request_and_then_the_end_is_no_answer() {
    let whole = unhex(&get("ready").replace(' ', ""));
    for end in 1..whole.len() {
        let front = bounded(Auth::Any);
        let bytes = after_preamble(&[&whole[..end]]);
        assert_eq!(hex(&converse(&front, [&bytes[..]]).await), "", "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_slower_than_a_frame_may_be_is_let_go() {
    let front = bounded(Auth::Any);
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    let began = tokio::time::Instant::now();
    // A byte a second: a short request gets through, a long one does not.
    let short = unhex(&get("ready").replace(' ', ""));
    for byte in &short {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.io.write_all(&[*byte]).await.unwrap();
    }
    peer.expect("80bf004101ff").await;
    assert!(began.elapsed() < Duration::from_secs(60));
    let began = tokio::time::Instant::now();
    let long = [begun_get(), unhex("5903e8"), vec![b'x'; 1000]].concat();
    for byte in &long {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if peer.io.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
    assert!(peer.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_replayed_claim_is_good_within_its_window_and_no_longer() {
    let front = bounded(Auth::Keys(Arc::new(OneKey)));
    let claim = claim_frame(SIGNED_AT, true);
    let told = async |late_seconds| {
        front.world.late_seconds.store(late_seconds, Ordering::Relaxed);
        // On a connection of its own, as whoever overheard it would.
        let bytes = after_preamble(&[&claim, &unhex(ENDPOINTS), &claim, &unhex(ENDPOINTS)]);
        hex(&converse(&front, [&bytes[..]]).await)
    };
    for late_seconds in [0, 1, 299, 300] {
        assert_eq!(told(late_seconds).await, NODE.replace(' ', "").repeat(2));
    }
    for late_seconds in [301, 24 * 3600, 366 * 24 * 3600] {
        let told = told(late_seconds).await;
        assert_eq!(told.matches("840417181f1821").count(), 2, "{told}");
        assert_eq!(told.matches(&hex(b"Signature expired")).count(), 2, "{told}");
        assert_eq!(told.matches(&hex(b"InvalidSignatureException")).count(), 2, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_claim_takes_away_what_a_right_one_gave() {
    let front = bounded(Auth::Keys(Arc::new(OneKey)));
    let (right, wrong) = (claim_frame(SIGNED_AT, true), claim_frame(SIGNED_AT, false));
    let ask = unhex(ENDPOINTS);
    let told = converse(&front, [&after_preamble(&[&right, &ask, &wrong, &ask, &ask])[..]]).await;
    let told = hex(&told);
    assert!(told.starts_with(&NODE.replace(' ', "")), "{told}");
    assert_eq!(told.matches("840417181f1821").count(), 2, "{told}");
    // A claim whose values are no claim is one that is wrong.
    let no_claim = unhex("011a58c2336b00000000f6");
    let told = hex(&converse(&front, [&after_preamble(&[&right, &no_claim, &ask])[..]]).await);
    assert!(told.starts_with(MALFORMED) || told.starts_with("840417181f1821"), "{told}");
}

/// A stream that begins as a client's does, of frames that are sound, cut, changed in a few bytes, or none.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let sound = [
        ENDPOINTS.to_owned(),
        get("ready"),
        get("nope"),
        "013a2c43e27e4448617368".to_owned(),
        "013a495927bb816176".to_owned(),
        "011a27f9bd7102".to_owned(),
        "013a7d8e7e56444861736842633142020abf0300ff".to_owned(),
        "011a58c2336b6161616141616161f6f6".to_owned(),
        "013a7d8e7e56444861736842633142020abf030004581861747472696275 74655f6e6f745f65786973747328706b29044a\
         8301820c821262706b80ff"
            .to_owned(),
        "011a0fb0cc6a 4448617368 4466756c6c bf 0300 00 582a820185821262706b8412616d616e617a8312616cd90cfc01\
         8312616cd90cfc008212676d697373696e67 01a162237062706b ff"
            .to_owned(),
        "013a29985cdba1644861736883f4f6824262314262 32bf0300ff".to_owned(),
        "013a4524c569820207824448617368444861736882427431437a7a7a82420201f6f6820201f6f6bf0300ff".to_owned(),
    ]
    .map(|frame| unhex(&frame.replace(' ', "")));
    let sound = proptest::sample::select(sound.to_vec());
    let changed =
        (sound.clone(), proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4))
            .prop_map(|(mut frame, changes)| {
                for (at, byte) in changes {
                    let at = at.index(frame.len());
                    frame[at] = byte;
                }
                frame
            });
    let cut = (sound.clone(), any::<prop::sample::Index>())
        .prop_map(|(frame, at)| frame[..at.index(frame.len())].to_vec());
    let heads = proptest::sample::select(vec![
        "5bffffffffffffffff",
        "9b00000000ffffffff",
        "bf",
        "9f",
        "ff",
        "d90cfb",
        "1c",
    ]);
    let lie = heads.prop_map(unhex);
    let noise = proptest::collection::vec(any::<u8>(), 0..60);
    let part = prop_oneof![4 => sound, 4 => changed, 1 => cut, 1 => lie, 1 => noise.clone()];
    let parts = proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
    prop_oneof![
        8 => parts.prop_map(|parts| after_preamble(&[&parts])),
        1 => noise,
        1 => any::<prop::sample::Index>().prop_map(|at| {
            let preamble = unhex(PREAMBLE);
            preamble[..at.index(preamble.len())].to_vec()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn arbitrary_streams_never_panic_nor_hang_and_what_is_answered_is_whole(
        stream in stream(),
        piece_bytes in prop_oneof![1 => 1..4usize, 3 => 4..200usize],
        signed: bool,
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let answers = runtime.block_on(async {
            let front = bounded(if signed { Auth::Keys(Arc::new(OneKey)) } else { Auth::Any });
            converse(&front, stream.chunks(piece_bytes)).await
        });
        // Bounded by what was asked: no request here has an answer of more than a few hundred bytes.
        prop_assert!(answers.len() <= 600 * (stream.len() / 3 + 1), "{}", answers.len());
        let mut reader = Reader::new(&answers);
        while !reader.is_empty() {
            prop_assert!(reader.raw(FRAME_DEPTH).is_ok(), "{}", hex(&answers));
        }
    }
}

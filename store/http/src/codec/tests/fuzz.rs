//! Mutated bodies of every operation. Deterministic: the same number of runs does the same on every machine.

use api::ErrorKind;

use super::super::{decode_request, encode_request};
use super::corpus::CORPUS;

/// Runs without `FOREBAY_FUZZ_RUNS`.
const RUNS: u64 = 100_000;
/// Longest body tried, bytes. Longer ones add time and nothing new.
const BODY_BYTES: usize = 1 << 16;

/// A small generator of bits, after Marsaglia. Enough to choose places and mutations.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Ends of JSON values and names: where one of these stands, something can be put in or taken out.
fn seams(body: &[u8]) -> Vec<usize> {
    let seam = |byte: &u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':' | b'"');
    body.iter().enumerate().filter(|(_, byte)| seam(byte)).map(|(at, _)| at).collect()
}

/// How many of the tokens are whole values; the others only look like the beginning or end of one.
const VALUE_TOKENS: usize = 34;

/// What is put in place of something else.
const TOKENS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e999",
    "99999999999999999999",
    "\"\"",
    "\"x\"",
    "\"AA==\"",
    "{}",
    "[]",
    "{\"S\":\"a\"}",
    "{\"N\":\"1\"}",
    "{\"N\":\"abc\"}",
    "{\"N\":\"1e200\"}",
    "{\"NS\":[]}",
    "{\"SS\":[\"a\",\"a\"]}",
    "{\"B\":\"?\"}",
    "{\"M\":{\"a\":{\"S\":\"b\"}}}",
    "{\"L\":[{}]}",
    "{\"S\":\"a\",\"N\":\"1\"}",
    "{\"NULL\":false}",
    "[null]",
    "[[[]]]",
    "\"((((\"",
    "\"a = :v\"",
    "\"#n\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"SET a = :one\"",
    "\"ALL_OLD\"",
    "\"NONE\"",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\u{7f}",
];

/// Where the names and values of a body stand, and for each whether a colon follows: a name, then.
fn spans(body: &[u8]) -> Vec<(std::ops::Range<usize>, bool)> {
    let mut spans = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => open.push(start),
            b'}' | b']' => {
                if let Some(start) = open.pop() {
                    spans.push((start..at, false));
                }
            }
            b'"' => {
                while let Some(byte) = body.get(at) {
                    at += if *byte == b'\\' { 2 } else { 1 };
                    if *byte == b'"' {
                        break;
                    }
                }
                spans.push((start..at.min(body.len()), body.get(at) == Some(&b':')));
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                while body.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.') {
                    at += 1;
                }
                spans.push((start..at, false));
            }
            _ => {}
        }
    }
    spans
}

/// Puts a whole value in the place of another, a name in the place of a name, or has a member stand twice.
fn transplant(body: &mut Vec<u8>, dice: &mut Dice) {
    let own = spans(body);
    let foreign = dice.pick(CORPUS).1.as_bytes();
    let foreign_spans = spans(foreign);
    if own.is_empty() {
        return;
    }
    let (place, is_name) = dice.pick(&own).clone();
    let graft: Vec<u8> = match dice.below(4) {
        // As wholes only: the first tokens are values.
        0 if !is_name => dice.pick(&TOKENS[..VALUE_TOKENS]).bytes().collect(),
        1 => {
            let fits: Vec<_> = foreign_spans.iter().filter(|(_, name)| *name == is_name).collect();
            if fits.is_empty() { return } else { foreign[dice.pick(&fits).0.clone()].to_vec() }
        }
        2 if is_name => {
            // The member once more, in front of itself.
            let value = own.iter().map(|(span, _)| span).find(|span| span.start > place.end);
            let Some(value) = value.filter(|value| value.start <= place.end + 3) else { return };
            let whole =
                own.iter().filter(|(span, _)| span.start == value.start).map(|(span, _)| span.end).max();
            let mut member = body[place.start..whole.unwrap_or(value.end)].to_vec();
            member.push(b',');
            body.splice(place.start..place.start, member);
            return;
        }
        _ => {
            let fits: Vec<_> = own.iter().filter(|(_, name)| *name == is_name).collect();
            body[dice.pick(&fits).0.clone()].to_vec()
        }
    };
    body.splice(place, graft);
}

fn mutate(body: &mut Vec<u8>, dice: &mut Dice) {
    if dice.below(4) > 0 {
        transplant(body, dice);
        body.truncate(BODY_BYTES);
        return;
    }
    let seams = seams(body);
    match dice.below(9) {
        // Noise.
        0 => {
            let at = dice.below(body.len());
            if let Some(byte) = body.get_mut(at) {
                *byte = dice.roll() as u8;
            }
        }
        // Something else in the place of what stands between two seams.
        1 | 2 if seams.len() > 1 => {
            let first = dice.below(seams.len() - 1);
            let last = (first + 1 + dice.below(4)).min(seams.len() - 1);
            let token = dice.pick(TOKENS);
            body.splice(seams[first] + 1..seams[last], token.bytes());
        }
        // Something more.
        3 if !seams.is_empty() => {
            let at = *dice.pick(&seams) + 1;
            let token = dice.pick(TOKENS);
            body.splice(at..at, token.bytes());
        }
        // Something less.
        4 if seams.len() > 1 => {
            let first = dice.below(seams.len() - 1);
            let last = (first + 1 + dice.below(6)).min(seams.len() - 1);
            body.drain(seams[first]..seams[last]);
        }
        // The same twice: names, elements, whole structures.
        5 if seams.len() > 1 => {
            let first = dice.below(seams.len() - 1);
            let last = (first + 1 + dice.below(12)).min(seams.len() - 1);
            let copy = body[seams[first]..seams[last]].to_vec();
            body.splice(seams[last]..seams[last], copy);
        }
        // A piece of another body.
        6 => {
            let other = dice.pick(CORPUS).1.as_bytes();
            let from = dice.below(other.len());
            let to = (from + dice.below(80)).min(other.len());
            let at = dice.below(body.len());
            body.splice(at..at, other[from..to].iter().copied());
        }
        // Nesting.
        7 if !seams.is_empty() => {
            let at = *dice.pick(&seams) + 1;
            let magnitude = dice.below(12);
            let levels = 1 + dice.below(1 << magnitude);
            let (open, close): (&str, &str) =
                *dice.pick(&[("[", "]"), ("{\"M\":{\"a\":", "}}"), ("{\"L\":[", "]}"), ("{\"a\":", "}")]);
            let nested = open.repeat(levels) + "{\"S\":\"deep\"}" + &close.repeat(levels);
            body.splice(at..at, nested.bytes());
        }
        // A cut.
        _ => {
            let keep = dice.below(body.len() + 1);
            body.truncate(keep);
        }
    }
    body.truncate(BODY_BYTES);
}

/// No body makes decoding panic or recurse without bound; whatever is refused is refused with an error a client may get
/// for its request; whatever is accepted means the same when it is written down and read again.
#[test]
fn fuzz_json_requests() {
    let runs =
        std::env::var("FOREBAY_FUZZ_RUNS").ok().map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0u64;
    for run in 0..runs {
        let (op, body) = dice.pick(CORPUS);
        let op = if dice.below(20) == 0 { dice.pick(CORPUS).0 } else { *op };
        let mut body = body.as_bytes().to_vec();
        for _ in 0..1 + dice.below(4) {
            mutate(&mut body, &mut dice);
        }
        let shown = || format!("run {run}, {}: {}", op.name(), String::from_utf8_lossy(&body));
        match decode_request(op, &body) {
            Ok(request) => {
                accepted += 1;
                // Actions of an update and conditions of legacy parameters may change places once, on their way into an
                // expression; from then on nothing moves.
                let rewritten = |body: &[u8]| match decode_request(op, body) {
                    Ok(request) => encode_request(&request),
                    Err(error) => {
                        panic!("{error}\n{}\nwas written as {}", shown(), String::from_utf8_lossy(body))
                    }
                };
                let once = rewritten(&encode_request(&request));
                let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
                assert_eq!(text(&rewritten(&once)), text(&once), "{}", shown());
            }
            Err(error) => {
                let expected = matches!(
                    error.kind,
                    ErrorKind::SerializationException
                        | ErrorKind::ValidationException
                        | ErrorKind::AccessDeniedException
                );
                assert!(expected, "{error}\n{}", shown());
            }
        }
    }
    // A fuzzer whose bodies are all refused at the first byte tests nothing.
    assert!(accepted * 50 > runs, "only {accepted} of {runs} bodies were accepted");
}

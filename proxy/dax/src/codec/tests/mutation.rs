//! Bytes that are almost of this wire: captured frames taken apart into their values, changed, and written again, now and
//! then with heads that lie; and values put together at random.
//!
//! Deterministic: all chance comes from [`Dice`], and a seed does the same on every machine.

use std::sync::LazyLock;

use super::corpus::CORPUS;
use crate::cbor::{Head, INDEFINITE, major, write};

/// A small generator of bits, after Marsaglia. Enough to choose places and mutations.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of a seed. Neighbouring seeds have nothing in common.
    pub(crate) fn new(seed: u64) -> Dice {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Dice((mixed ^ (mixed >> 31)) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.roll()) * bound.max(1) as u128) >> 64) as usize
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Few far more often than many: below 2^`magnitude`.
    fn few(&mut self, magnitude: usize) -> usize {
        let magnitude = self.below(magnitude + 1);
        self.below(1 << magnitude)
    }

    fn noise(&mut self, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|_| self.roll() as u8).collect()
    }
}

/// A number for whoever runs a fuzz target, from the environment or `default`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// Whether the head of an array or map says how many follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Definite,
    Indefinite,
}

/// A value that may be anything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Bytes as they stand: a number, a simple value, or what is no value.
    Raw(Vec<u8>),
    /// A text, which need not be UTF-8.
    Text(Vec<u8>),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A byte string of values.
    Wrapped(Vec<Tree>),
    /// An array.
    Array(Form, Vec<Tree>),
    /// A map: keys and values in turn.
    Map(Form, Vec<Tree>),
    /// A tag and what it marks.
    Tag(u64, Vec<Tree>),
}

/// The values that bytes are, one behind the other; `None` where they are none. As deep as captures are.
pub(crate) fn parse(mut bytes: &[u8]) -> Option<Vec<Tree>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tree, rest) = parse_one(bytes)?;
        all.push(tree);
        bytes = rest;
    }
    Some(all)
}

fn parse_one(bytes: &[u8]) -> Option<(Tree, &[u8])> {
    let head = Head::read(bytes).ok()?;
    let (front, mut rest) = bytes.split_at(head.bytes);
    let form = if head.is_indefinite() { Form::Indefinite } else { Form::Definite };
    let mut children = |count: Option<usize>| {
        let mut all = Vec::new();
        while count.is_none_or(|count| all.len() < count) {
            if count.is_none() && rest.first() == Some(&0xff) {
                rest = &rest[1..];
                break;
            }
            let (child, behind) = parse_one(rest)?;
            all.push(child);
            rest = behind;
        }
        Some(all)
    };
    let count = |of_each: usize| (form == Form::Definite).then_some(head.argument as usize * of_each);
    let tree = match head.major {
        major::BYTES | major::TEXT => {
            let (string, behind) = rest.split_at_checked(head.argument as usize)?;
            let tree = if head.major == major::TEXT { Tree::Text(string.to_vec()) } else { wrapped(string) };
            return Some((tree, behind));
        }
        major::ARRAY => Tree::Array(form, children(count(1))?),
        major::MAP => Tree::Map(form, children(count(2))?),
        major::TAG => Tree::Tag(head.argument, children(Some(1))?),
        _ => Tree::Raw(front.to_vec()),
    };
    Some((tree, rest))
}

/// A byte string, taken further apart where it looks as if it held values.
fn wrapped(string: &[u8]) -> Tree {
    // Names of tables and keys of one string are CBOR by accident at times; either way something is changed in them.
    match parse(string) {
        Some(values) if !values.is_empty() => Tree::Wrapped(values),
        _ => Tree::Bytes(string.to_vec()),
    }
}

impl Tree {
    fn children(&self) -> &[Tree] {
        match self {
            Tree::Raw(_) | Tree::Text(_) | Tree::Bytes(_) => &[],
            Tree::Wrapped(all) | Tree::Array(_, all) | Tree::Map(_, all) | Tree::Tag(_, all) => all,
        }
    }

    fn children_mut(&mut self) -> Option<&mut Vec<Tree>> {
        match self {
            Tree::Raw(_) | Tree::Text(_) | Tree::Bytes(_) => None,
            Tree::Wrapped(all) | Tree::Array(_, all) | Tree::Map(_, all) | Tree::Tag(_, all) => Some(all),
        }
    }

    fn count(&self) -> usize {
        1 + self.children().iter().map(Tree::count).sum::<usize>()
    }

    /// The value at a place in a walk from the top; `at` counts down to it.
    fn nth(&mut self, at: &mut usize) -> Option<&mut Tree> {
        if *at == 0 {
            return Some(self);
        }
        *at -= 1;
        self.children_mut()?.iter_mut().find_map(|child| child.nth(at))
    }

    fn write(&self, out: &mut Vec<u8>, lie: &mut Lie) {
        match self {
            Tree::Raw(bytes) => out.extend_from_slice(bytes),
            Tree::Text(text) => {
                lie.head(out, major::TEXT, text.len());
                out.extend_from_slice(text);
            }
            Tree::Bytes(bytes) => {
                lie.head(out, major::BYTES, bytes.len());
                out.extend_from_slice(bytes);
            }
            Tree::Wrapped(values) => {
                let mut inner = Vec::new();
                write_all(values, &mut inner, lie);
                lie.head(out, major::BYTES, inner.len());
                out.extend_from_slice(&inner);
            }
            Tree::Array(Form::Definite, elements) => {
                lie.head(out, major::ARRAY, elements.len());
                write_all(elements, out, lie);
            }
            Tree::Map(Form::Definite, parts) => {
                lie.head(out, major::MAP, parts.len() / 2);
                write_all(parts, out, lie);
            }
            Tree::Array(Form::Indefinite, elements) => {
                out.push(major::ARRAY << 5 | INDEFINITE);
                write_all(elements, out, lie);
                write::close(out);
            }
            Tree::Map(Form::Indefinite, parts) => {
                write::open_map(out);
                write_all(parts, out, lie);
                write::close(out);
            }
            Tree::Tag(number, marked) => {
                write::tag(out, *number);
                write_all(marked, out, lie);
            }
        }
    }
}

fn write_all(trees: &[Tree], out: &mut Vec<u8>, lie: &mut Lie) {
    trees.iter().for_each(|tree| tree.write(out, lie));
}

/// Which head of a frame does not say the truth, and how.
struct Lie {
    /// Heads until the one that lies; past it none does.
    heads_before: usize,
    dice: Dice,
}

impl Lie {
    /// One frame in sixteen has a head that lies.
    fn maybe(dice: &mut Dice) -> Lie {
        let heads_before = if dice.once_in(16) { dice.below(24) } else { usize::MAX };
        Lie { heads_before, dice: Dice::new(dice.roll()) }
    }

    fn head(&mut self, out: &mut Vec<u8>, major: u8, length: usize) {
        let tells = self.heads_before > 0;
        self.heads_before = self.heads_before.saturating_sub(1);
        if tells {
            return head(out, major, length as u64, 0);
        }
        self.heads_before = usize::MAX;
        let length = length as u64;
        let told = match self.dice.below(7) {
            0 => length + 1,
            1 => length.wrapping_sub(1),
            2 => length + self.dice.few(20) as u64,
            3 => 1 << self.dice.below(64),
            4 => u64::from(u32::MAX),
            5 => u64::MAX - self.dice.few(8) as u64,
            // True, but longer than it need be.
            _ => length,
        };
        let info = self.dice.below(5) as u8;
        head(out, major, told, info);
    }
}

/// A head of at least so many steps above the shortest form.
fn head(out: &mut Vec<u8>, major: u8, argument: u64, steps: u8) {
    let first = major << 5;
    let shortest = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    match (shortest + steps).min(4) {
        0 => out.push(first | argument as u8),
        1 => out.extend_from_slice(&[first | 24, argument as u8]),
        2 => {
            out.push(first | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        3 => {
            out.push(first | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(first | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// What is put in the place of something else: values at the edges of what is allowed, and beyond. Hexadecimal.
const TOKENS: &[&str] = &[
    // Simple values, some of them of no use here; a break that belongs to nothing; reserved heads.
    "f6",
    "f5",
    "f4",
    "f7",
    "f97c00",
    "fa7fc00000",
    "ff",
    "1c",
    "5f",
    "7f",
    "e0",
    "f818",
    // Integers.
    "00",
    "01",
    "17",
    "1818",
    "18ff",
    "19ffff",
    "1a7fffffff",
    "1affffffff",
    "1b0020000000000000",
    "1b7fffffffffffffff",
    "1bffffffffffffffff",
    "20",
    "21",
    "3903e7",
    "3b7fffffffffffffff",
    "3bffffffffffffffff",
    // Doubles: zeros, one and a half, infinity, none, the largest and the least.
    "fb0000000000000000",
    "fb8000000000000000",
    "fb3ff8000000000000",
    "fb7ff0000000000000",
    "fb7ff8000000000000",
    "fb7fefffffffffffff",
    "fb0000000000000001",
    // Bignums and fractions, in range and out of it.
    "c240",
    "c24101",
    "c2490100000000000000ff",
    "c35820ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "c482206101",
    "c4822001",
    "c4821903e701",
    "c4823903e701",
    "c4823b7fffffffffffffff01",
    "c4821b7fffffffffffffff01",
    "c4822d1b0de0b6b3a763ffff",
    "c482381fc2490100000000000000ff",
    "c480",
    "c48101",
    "c483010101",
    // Sets: sound, empty, with repeats, of the wrong things.
    "d90cf98261616162",
    "d90cf980",
    "d90cf98261616161",
    "d90cfa820102",
    "d90cfa8201fb3ff0000000000000",
    "d90cfb814101",
    "d90cfb8101",
    "d90cfa816161",
    "d90cf900",
    // A position in a list, a tag nobody knows, a tag of nothing.
    "d90cfc00",
    "d90cfc20",
    "d90cfc1affffffff",
    "d9ffff00",
    "c1",
    "dbffffffffffffffff00",
    // Strings: empty, not UTF-8, of another kind.
    "40",
    "60",
    "61ff",
    "62c328",
    "63e2982a",
    "4100",
    "6100",
    // Structures: empty, odd, nested.
    "80",
    "a0",
    "9fff",
    "bfff",
    "bf00ff",
    "a10000",
    "a200000000",
    "818181f6",
    "9f9f9fffffff",
    // Expressions and what they are made of.
    "83018300821262706b8211008101",
    "82018182126161",
    "8301820b821262706b80",
    "8301831813808080",
    "820b82126161",
    "8301820680",
    "83018208820880",
    "82126161",
    "8312616ad90cfc05",
    "821100",
    "82111affffffff",
    "8210821082126161",
    // Keys of options and their values.
    "bf0301ff",
    "bf0001ff",
    "bf0d00ff",
    "bf10011102ff",
    "bf0f03ff",
    "bf0740ff",
    "bf09a0ff",
    "bf0b4467736931ff",
];

static TOKEN_BYTES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| TOKENS.iter().map(|token| super::unhex(token)).collect());

/// Every value of every capture, requests and answers, to be put into the place of another.
static GRAFTS: LazyLock<Vec<Tree>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let frames = CORPUS.captures().flat_map(|capture| [&capture.request, &capture.response]);
    let mut open: Vec<Tree> = frames.filter_map(|frame| parse(frame)).flatten().collect();
    while let Some(tree) = open.pop() {
        open.extend(tree.children().iter().cloned());
        if !all.contains(&tree) {
            all.push(tree);
        }
    }
    all
});

/// A value put together at random.
pub(crate) fn random(dice: &mut Dice, levels: usize) -> Tree {
    let children = |dice: &mut Dice, of_each: usize| {
        (0..of_each * dice.few(3)).map(|_| random(dice, levels - 1)).collect::<Vec<_>>()
    };
    let form = if dice.once_in(3) { Form::Indefinite } else { Form::Definite };
    let kinds = if levels == 0 { 4 } else { 9 };
    match dice.below(kinds) {
        0 => Tree::Raw(dice.pick(&TOKEN_BYTES).clone()),
        1 => Tree::Raw({
            let mut number = Vec::new();
            let shift = dice.below(64);
            head(&mut number, dice.below(2) as u8, dice.roll() >> shift, 0);
            number
        }),
        2 => Tree::Text({
            let length = dice.few(6);
            (0..length).map(|_| b'a' + dice.below(26) as u8).collect()
        }),
        3 => Tree::Bytes({
            let length = dice.few(6);
            dice.noise(length)
        }),
        4 => Tree::Wrapped(children(dice, 1)),
        5 => Tree::Array(form, children(dice, 1)),
        6 => Tree::Map(form, children(dice, 2)),
        // An opcode and its operands.
        7 => {
            let mut node = children(dice, 1);
            node.insert(0, Tree::Raw(vec![dice.below(24) as u8]));
            Tree::Array(Form::Definite, node)
        }
        _ => Tree::Tag(*dice.pick(&[2, 3, 4, 3321, 3322, 3323, 3324]), vec![random(dice, levels - 1)]),
    }
}

/// Deep nesting of one kind, up to thousands of levels.
fn bomb(dice: &mut Dice) -> Tree {
    let level = *dice.pick(&["81", "9f", "a100", "bf00", "c4", "d90cfb", "d90cfb81", "8206", "8208", "8210"]);
    let level = super::unhex(level);
    let levels = 1 + dice.few(12);
    let mut bytes = level.repeat(levels);
    bytes.push(0);
    let closed = dice.once_in(2) && level[0] & 31 == INDEFINITE;
    bytes.extend(std::iter::repeat_n(0xff, if closed { levels } else { 0 }));
    Tree::Raw(bytes)
}

fn mutate_tree(tree: &mut Tree, dice: &mut Dice) {
    let mut at = dice.below(tree.count());
    let Some(place) = tree.nth(&mut at) else { return };
    match dice.below(12) {
        0 | 1 => *place = Tree::Raw(dice.pick(&TOKEN_BYTES).clone()),
        2 | 3 => *place = dice.pick(&GRAFTS).clone(),
        4 => {
            let levels = dice.below(5);
            *place = random(dice, levels);
        }
        5 if dice.once_in(4) => *place = bomb(dice),
        // Around what stands there.
        5 => {
            let inner = vec![std::mem::replace(place, Tree::Raw(Vec::new()))];
            *place = match dice.below(4) {
                0 => Tree::Wrapped(inner),
                1 => Tree::Array(Form::Definite, inner),
                2 => Tree::Tag(*dice.pick(&[2, 3, 4, 3321, 3322, 3323, 3324]), inner),
                _ => Tree::Map(Form::Indefinite, [inner, vec![Tree::Raw(vec![0xf6])]].concat()),
            };
        }
        _ => mutate_in_place(place, dice),
    }
}

/// Changes something inside of a value: one child more or less, a byte of a string, the form of its head.
fn mutate_in_place(place: &mut Tree, dice: &mut Dice) {
    match place {
        Tree::Raw(bytes) | Tree::Text(bytes) | Tree::Bytes(bytes) => match dice.below(4) {
            0 => {
                let length = dice.few(10);
                let noise = dice.noise(length);
                let at = dice.below(bytes.len() + 1);
                bytes.splice(at..at, noise);
            }
            1 if !bytes.is_empty() => bytes.truncate(dice.below(bytes.len())),
            2 if !bytes.is_empty() => {
                let at = dice.below(bytes.len());
                bytes[at] = bytes[at].wrapping_add(if dice.once_in(2) { 1 } else { 0xff });
            }
            _ if !bytes.is_empty() => {
                let at = dice.below(bytes.len());
                bytes[at] = dice.roll() as u8;
            }
            _ => {}
        },
        Tree::Array(form, _) | Tree::Map(form, _) if dice.once_in(4) => {
            *form = if *form == Form::Definite { Form::Indefinite } else { Form::Definite };
        }
        Tree::Wrapped(children)
        | Tree::Array(_, children)
        | Tree::Map(_, children)
        | Tree::Tag(_, children) => {
            let at = dice.below(children.len() + 1);
            match dice.below(5) {
                0 => children.insert(at, dice.pick(&GRAFTS).clone()),
                1 if at < children.len() => drop(children.remove(at)),
                2 if at < children.len() => {
                    let again = children[at].clone();
                    let times = 1 + dice.few(7);
                    children.splice(at..at, std::iter::repeat_n(again, times));
                }
                3 if at < children.len() => {
                    let other = dice.below(children.len());
                    children.swap(at, other);
                }
                // A pair: an option, an attribute.
                _ if at < children.len() => {
                    let pair = children[at..children.len().min(at + 2)].to_vec();
                    children.splice(at..at, pair);
                }
                _ => {}
            }
        }
    }
}

/// Changes bytes without regard to what they mean.
pub(crate) fn mutate_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len().max(1)).min(bytes.len());
    match dice.below(5) {
        0 => bytes.truncate(at),
        1 => {
            let length = 1 + dice.few(6);
            let noise = dice.noise(length);
            bytes.splice(at..at, noise);
        }
        2 => {
            let end = bytes.len().min(at + 1 + dice.few(5));
            bytes.drain(at..end);
        }
        3 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        _ if at < bytes.len() => bytes[at] = dice.roll() as u8,
        _ => {}
    }
}

/// Longest frame made, bytes. Longer ones add time and nothing new.
const FRAME_BYTES: usize = 1 << 16;

/// A frame changed in one to four places. What does not parse is changed byte by byte.
pub(crate) fn mutated(frame: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len() + 64);
    match parse(frame).filter(|_| !dice.once_in(8)) {
        Some(mut trees) if !trees.is_empty() => {
            for _ in 0..1 + dice.few(2) {
                let at = dice.below(trees.len());
                mutate_tree(&mut trees[at], dice);
            }
            if dice.once_in(32) {
                let at = dice.below(trees.len());
                drop(trees.remove(at));
            }
            let mut lie = Lie::maybe(dice);
            write_all(&trees, &mut bytes, &mut lie);
        }
        _ => {
            bytes.extend_from_slice(frame);
            for _ in 0..1 + dice.few(2) {
                mutate_bytes(&mut bytes, dice);
            }
        }
    }
    bytes.truncate(FRAME_BYTES);
    bytes
}

/// So many values put together at random, as bytes.
pub(crate) fn random_values(dice: &mut Dice, values: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut lie = Lie::maybe(dice);
    for _ in 0..values {
        let levels = dice.below(6);
        random(dice, levels).write(&mut bytes, &mut lie);
    }
    bytes.truncate(FRAME_BYTES);
    bytes
}

#[test]
fn what_is_taken_apart_is_written_the_same() {
    let mut whole = Lie { heads_before: usize::MAX, dice: Dice::new(0) };
    for capture in CORPUS.captures() {
        for frame in [&capture.request, &capture.response] {
            let mut written = Vec::new();
            let trees = parse(frame).unwrap();
            write_all(&trees, &mut written, &mut whole);
            assert_eq!(&written, frame);
        }
    }
    assert!(GRAFTS.len() > 500, "{}", GRAFTS.len());
}

//! Random expression text, some of it sound, and what must hold of whatever is made of it.
//!
//! The generator follows the grammars, then a share of the texts is broken: tokens and characters are dropped, doubled and
//! exchanged. The same seed gives the same texts on every machine.

use super::*;
use crate::expr::Renderer;
use crate::item::EncodedItem;
use crate::limits::EXPRESSION_BYTES;

/// A small deterministic generator (xorshift64*).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % bound
    }

    pub(super) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 14] =
    ["pk", "sk", "a", "b", "l", "m", "tags", "#n", "#m", "#odd", "#long", "if_x", "contains", "#remove"];
const ANY_VALUES: [&str; 14] =
    [":s", ":s2", ":n", ":z", ":big", ":b", ":b2", ":ss", ":ns", ":l", ":m", ":t", ":null", ":type"];
const ORDERED_VALUES: [&str; 7] = [":s", ":s2", ":n", ":z", ":big", ":b", ":b2"];
const TOKENS: [&str; 52] = [
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "+",
    "-",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "AND",
    "or",
    "NOT",
    "Between",
    "IN",
    "SET",
    "remove",
    "ADD",
    "Delete",
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "size",
    "if_not_exists",
    "list_append",
    "unknown",
    "a",
    "b",
    "pk",
    "#n",
    "#odd",
    "#undefined",
    "#",
    ":s",
    ":n",
    ":ss",
    ":undefined",
    ":",
    "0",
    "7",
    "2147483648",
    "status",
    "_",
    "é",
    "'",
    "*",
];

/// Placeholders of the samples: those of all tests, and names that no text could hold as they are.
pub(super) fn sample_placeholders() -> Placeholders {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (key, name) in [
        ("#n", "name"),
        ("#m", "map"),
        ("#odd", "a.b[0] é:#"),
        ("#long", "a_name_that_is_rather_long"),
        ("#remove", "remove"),
    ] {
        names.insert(key.to_owned(), name.to_owned());
    }
    let mut values = BTreeMap::new();
    for (key, value) in [
        (":s", s("a")),
        (":s2", s("z")),
        (":n", n("1")),
        (":z", n("0")),
        (":big", n("5")),
        (":b", b(b"a")),
        (":b2", b(b"z")),
        (":ss", ss(&["a", "b"])),
        (":ns", ns(&["1", "2"])),
        (":l", l(&[s("a"), n("1")])),
        (":m", m(&[("k", s("v"))])),
        (":t", AttributeValue::Bool(true)),
        (":null", AttributeValue::Null),
        (":type", s("S")),
    ] {
        values.insert(key.to_owned(), value);
    }
    Placeholders::new(Some(names), Some(values)).unwrap()
}

/// Items that the samples are judged on.
pub(super) fn sample_items() -> Vec<Item> {
    vec![
        Item::new(),
        item(&[("pk", s("a")), ("sk", n("1")), ("a", n("5")), ("tags", ss(&["a", "b"]))]),
        item(&[
            ("pk", s("a")),
            ("a", m(&[("a", n("1")), ("b", l(&[n("1"), s("x")]))])),
            ("b", s("banana")),
            ("l", l(&[n("0"), l(&[n("1"), n("2")]), m(&[("a", s("a")), ("m", m(&[]))])])),
            ("m", m(&[("l", l(&[])), ("b", b(b"abc")), ("name", AttributeValue::Null)])),
            ("name", ns(&["1", "7"])),
            ("a.b[0] é:#", l(&[s("a")])),
        ]),
    ]
}

fn path(random: &mut Random) -> String {
    let mut path = random.pick(&NAMES).to_owned();
    while random.below(3) == 0 {
        match random.below(2) {
            0 => path += &format!("[{}]", random.below(4)),
            _ => path += &format!(".{}", random.pick(&NAMES)),
        }
    }
    path
}

fn operand(random: &mut Random, values: &[&str]) -> String {
    match random.below(8) {
        0..=3 => path(random),
        4 => format!("size({})", path(random)),
        5 => format!("({})", path(random)),
        _ => random.pick(values).to_owned(),
    }
}

fn list(random: &mut Random, most: usize, mut element: impl FnMut(&mut Random) -> String) -> String {
    let count = 1 + random.below(most);
    (0..count).map(|_| element(random)).collect::<Vec<_>>().join(", ")
}

pub(super) fn condition_text(random: &mut Random, depth: usize) -> String {
    if depth > 0 {
        match random.below(5) {
            0 => {
                let (one, two) = (condition_text(random, depth - 1), condition_text(random, depth - 1));
                return format!("{one} {} {two}", random.pick(&["AND", "OR", "and", "oR"]));
            }
            1 => {
                let (one, two) = (condition_text(random, depth - 1), condition_text(random, depth - 1));
                return format!("({one} {} {two})", random.pick(&["AND", "OR"]));
            }
            2 => return format!("NOT {}", condition_text(random, depth - 1)),
            _ => {}
        }
    }
    let any = &ANY_VALUES;
    match random.below(9) {
        0 | 1 => {
            let comparator = random.pick(&["=", "<>"]);
            format!("{} {comparator} {}", operand(random, any), operand(random, any))
        }
        2 | 3 => {
            let comparator = random.pick(&["<", "<=", ">", ">="]);
            format!("{}{comparator}{}", operand(random, &ORDERED_VALUES), operand(random, &ORDERED_VALUES))
        }
        4 => format!("{} BETWEEN {} AND :s2", path(random), random.pick(&["pk", ":s", ":s2"])),
        5 => format!("{} IN ({})", operand(random, any), list(random, 4, |random| operand(random, any))),
        6 => format!("{}({})", random.pick(&["attribute_exists", "attribute_not_exists"]), path(random)),
        7 => format!("begins_with({}, {})", path(random), random.pick(&[":s", ":b", "sk"])),
        _ => match random.below(2) {
            0 => format!("attribute_type({}, :type)", path(random)),
            _ => format!("contains({}, {})", path(random), operand(random, any)),
        },
    }
}

fn set_operand(random: &mut Random, depth: usize) -> String {
    match random.below(8) {
        0..=2 => path(random),
        3 if depth > 0 => format!("if_not_exists({}, {})", path(random), set_operand(random, depth - 1)),
        4 if depth > 0 => {
            let first = if random.below(2) == 0 {
                format!("if_not_exists({}, :l)", path(random))
            } else {
                path(random)
            };
            format!("list_append({first}, :l)")
        }
        5 => format!("({})", random.pick(&[":n", ":big"])),
        _ => random.pick(&[":n", ":z", ":big"]).to_owned(),
    }
}

pub(super) fn update_text(random: &mut Random) -> String {
    let mut sections = vec!["SET", "REMOVE", "ADD", "DELETE"];
    let mut texts = Vec::new();
    for _ in 0..=random.below(4) {
        let section = sections.remove(random.below(sections.len()));
        let actions = list(random, 3, |random| match section {
            "SET" => match random.below(4) {
                0 => format!(
                    "{} = {} {} {}",
                    path(random),
                    random.pick(&["a", ":n"]),
                    random.pick(&["+", "-"]),
                    ":n"
                ),
                1 => format!("{} = ({} + :n)", path(random), path(random)),
                _ => format!("{} = {}", path(random), set_operand(random, 2)),
            },
            "REMOVE" => path(random),
            "ADD" => format!("{} {}", path(random), random.pick(&[":n", ":big", ":ss", ":ns"])),
            _ => format!("{} {}", path(random), random.pick(&[":ss", ":ns"])),
        });
        texts.push(format!("{section} {actions}"));
    }
    texts.join(" ")
}

pub(super) fn projection_text(random: &mut Random) -> String {
    list(random, 6, path)
}

pub(super) fn key_condition_text(random: &mut Random) -> String {
    let sort = match random.below(4) {
        0 => String::new(),
        1 => " AND sk BETWEEN :s AND :s2".to_owned(),
        2 => " AND begins_with(sk, :b)".to_owned(),
        _ => format!(" AND sk {} :n", random.pick(&["=", "<", ">="])),
    };
    format!("{} = {}{sort}", random.pick(&["pk", "(#n)", "#odd"]), random.pick(&[":s", ":n", ":b"]))
}

/// Tokens in any order.
pub(super) fn soup(random: &mut Random) -> String {
    let count = random.below(40);
    let mut text = String::new();
    for _ in 0..count {
        text.push_str(random.pick(&TOKENS));
        if random.below(3) > 0 {
            text.push(' ');
        }
    }
    text
}

/// Any characters.
pub(super) fn noise(random: &mut Random) -> String {
    let count = random.below(60);
    (0..count)
        .map(|_| match random.below(4) {
            0 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or('\u{fffd}'),
            1 => char::from(random.below(128) as u8),
            _ => random.pick(&TOKENS).chars().next().unwrap_or(' '),
        })
        .collect()
}

/// Breaks a text a little, somewhere.
pub(super) fn broken(random: &mut Random, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(chars.len() + 1);
        match random.below(6) {
            0 if at < chars.len() => {
                chars.remove(at);
            }
            1 => {
                let token: Vec<char> = random.pick(&TOKENS).chars().collect();
                chars.splice(at..at, token);
            }
            2 if at < chars.len() => {
                let other = random.below(chars.len());
                chars.swap(at, other);
            }
            3 => chars.truncate(at),
            4 => {
                let end = at + random.below(chars.len() - at + 1);
                let part = chars[at..end].to_vec();
                chars.splice(at..at, part);
            }
            _ => {
                let end = at + random.below(chars.len() - at + 1);
                chars.insert(end, ')');
                chars.insert(at, '(');
            }
        }
    }
    chars.into_iter().collect()
}

/// Parses a text as every kind of expression and checks what must hold of each tree. Returns how many kinds took it.
pub(super) fn check_text(text: &str, items: &[Item]) -> usize {
    let fresh = sample_placeholders();
    let mut taken = 0;
    if let Ok(condition) = judged(&fresh, text, |p| p.condition(ExpressionKind::Filter, text)) {
        taken += 1;
        condition.validate(ExpressionKind::Filter).expect("what was parsed is valid");
        let mut renderer = Renderer::new();
        let rendered = renderer.condition(&condition);
        again(renderer, &rendered, |p| p.condition(ExpressionKind::Filter, &rendered), &condition);
        let opposite = condition.clone().negated();
        for item in items {
            assert_ne!(condition.holds(item), opposite.holds(item), "{text}");
        }
    }
    if let Ok(update) = judged(&fresh, text, |p| p.update(text)) {
        taken += 1;
        update.validate().expect("what was parsed is valid");
        let mut renderer = Renderer::new();
        let rendered = renderer.update(&update).expect("a parsed update has actions");
        again(renderer, &rendered, |p| p.update(&rendered), &update);
        for item in items {
            let Ok((after, touched)) = update.apply(item) else { continue };
            assert_eq!(touched.len(), update.actions.len());
            for name in item.0.keys().chain(after.0.keys()) {
                assert!(update.touches(name) || item.get(name) == after.get(name), "{text} changed {name}");
            }
        }
    }
    if let Ok(projection) = judged(&fresh, text, |p| p.projection(text)) {
        taken += 1;
        projection.validate().expect("what was parsed is valid");
        let mut renderer = Renderer::new();
        let rendered = renderer.projection(&projection);
        again(renderer, &rendered, |p| p.projection(&rendered), &projection);
        for item in items {
            let kept = projection.apply(item);
            assert_eq!(projection.apply_encoded(&EncodedItem::encode(item)), kept, "{text}");
        }
    }
    if let Ok(key_condition) = judged(&fresh, text, |p| p.key_condition(text)) {
        taken += 1;
        key_condition.validate().expect("what was parsed is valid");
        let mut renderer = Renderer::new();
        let rendered = renderer.key_condition(&key_condition);
        again(renderer, &rendered, |p| p.key_condition(&rendered), &key_condition);
    }
    taken
}

fn judged<T>(
    fresh: &Placeholders,
    text: &str,
    parse: impl FnOnce(&mut Placeholders) -> Result<T, Error>,
) -> Result<T, Error> {
    let result = parse(&mut fresh.clone());
    if let Err(error) = &result {
        assert_eq!(error.kind, ErrorKind::ValidationException, "{text}");
        assert!(!error.message.is_empty() && error.message.len() < text.len() + 600, "{text}: {error}");
    }
    result
}

/// Rendered text must parse to an equal tree, with every placeholder used.
fn again<T: PartialEq + std::fmt::Debug>(
    renderer: Renderer,
    rendered: &str,
    parse: impl FnOnce(&mut Placeholders) -> Result<T, Error>,
    tree: &T,
) {
    if rendered.len() > EXPRESSION_BYTES {
        return;
    }
    let (names, values) = renderer.finish();
    let mut placeholders = Placeholders::new(names, values).unwrap();
    assert_eq!(
        &parse(&mut placeholders).unwrap_or_else(|error| panic!("{rendered}: {error}")),
        tree,
        "{rendered}"
    );
    placeholders.finish().unwrap();
}

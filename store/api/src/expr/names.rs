//! Placeholders: `#name` and `:value`, their checks, their substitution, and which of them an expression used.
//!
//! A [`Placeholders`] lives for one request: made from the two maps, asked for each expression in the order in which the
//! service reads them, and finished, which reports what no expression used. It does not judge the values themselves; that
//! is done where they are decoded.

use std::collections::BTreeMap;

use super::build;
use super::{Condition, KeyCondition, Projection, Update};
use crate::error::Error;
use crate::limits::{EXPRESSION_BYTES, PLACEHOLDER_BYTES, PLACEHOLDERS_BYTES, REQUEST_BYTES};
use crate::value::{AttributeValue, size};

/// The parameters that hold expression text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpressionKind {
    /// What must hold of the item a write replaces.
    Condition,
    /// What must hold of an item that a Query or Scan returns.
    Filter,
    /// Which partition and range a Query reads.
    KeyCondition,
    /// Which paths a read returns.
    Projection,
    /// What an UpdateItem does.
    Update,
}

impl ExpressionKind {
    /// The parameter's name.
    pub const fn name(self) -> &'static str {
        match self {
            ExpressionKind::Condition => "ConditionExpression",
            ExpressionKind::Filter => "FilterExpression",
            ExpressionKind::KeyCondition => "KeyConditionExpression",
            ExpressionKind::Projection => "ProjectionExpression",
            ExpressionKind::Update => "UpdateExpression",
        }
    }

    /// The error of an expression of this kind, from the part of the message that follows the parameter's name.
    pub(super) fn invalid(self, problem: &str) -> Error {
        Error::validation(format!("Invalid {}: {problem}", self.name()))
    }
}

/// Who wrote the text of expressions, which says what bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Author {
    /// A client: the published limits hold.
    #[default]
    Client,
    /// A node of the same group, which rendered trees that it had judged. They may come from parameters that the limits of text do
    /// not bind (legacy ones, trees of the DAX wire), so only memory and depth are bounded.
    Node,
}

impl Author {
    /// Most bytes that the expressions of one request may come to once placeholders are substituted. Ours: trees own their
    /// values, so this bounds what a few kilobytes of text can make us allocate. A client's request can't bring more than this
    /// anyway; what a node renders of one may name an attribute twice.
    const fn substituted_bytes(self) -> usize {
        match self {
            Author::Client => REQUEST_BYTES,
            Author::Node => 2 * REQUEST_BYTES,
        }
    }
}

#[derive(Debug, Clone)]
struct Entry<T> {
    key: String,
    value: T,
    used: bool,
}

/// The placeholders of one request.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    names: Vec<Entry<String>>,
    values: Vec<Entry<AttributeValue>>,
    names_given: bool,
    values_given: bool,
    expressions: usize,
    value_expressions: usize,
    substituted_bytes: usize,
    author: Author,
}

impl Placeholders {
    /// Takes a client's `ExpressionAttributeNames` and `ExpressionAttributeValues`. Errors: an empty map, a key that is no
    /// placeholder or longer than 255 bytes, an empty name, more than 2 MB in one or both.
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, AttributeValue>>,
    ) -> Result<Placeholders, Error> {
        Placeholders::by(Author::Client, names, values)
    }

    /// The same by whomever; a node's may be as large as its message.
    pub fn by(
        author: Author,
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, AttributeValue>>,
    ) -> Result<Placeholders, Error> {
        if let Some(names) = &names {
            check_keys("ExpressionAttributeNames", '#', names.keys())?;
            if let Some((key, _)) = names.iter().find(|(_, name)| name.is_empty()) {
                return Err(Error::validation(format!(
                    "ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}"
                )));
            }
        }
        if let Some(values) = &values {
            check_keys("ExpressionAttributeValues", ':', values.keys())?;
        }
        if author == Author::Client {
            check_sizes(names.as_ref(), values.as_ref())?;
        }
        Ok(Placeholders {
            author,
            names_given: names.is_some(),
            values_given: values.is_some(),
            names: entries(names),
            values: entries(values),
            ..Placeholders::default()
        })
    }

    /// Parses a condition. `kind` is `Condition` or `Filter` and only names the parameter in errors.
    pub fn condition(&mut self, kind: ExpressionKind, text: &str) -> Result<Condition, Error> {
        self.expression(kind, text, build::condition)
    }

    /// Parses an update.
    pub fn update(&mut self, text: &str) -> Result<Update, Error> {
        self.expression(ExpressionKind::Update, text, build::update)
    }

    /// Parses a projection.
    pub fn projection(&mut self, text: &str) -> Result<Projection, Error> {
        self.expression(ExpressionKind::Projection, text, build::projection)
    }

    /// Parses a key condition.
    pub fn key_condition(&mut self, text: &str) -> Result<KeyCondition, Error> {
        let condition = self.expression(ExpressionKind::KeyCondition, text, build::condition)?;
        KeyCondition::from_condition(condition)
    }

    /// Reports placeholders that no expression used. Call once, after the last expression.
    pub fn finish(self) -> Result<(), Error> {
        if self.names_given && self.expressions == 0 {
            return Err(Error::validation(
                "ExpressionAttributeNames can only be specified when using expressions",
            ));
        }
        if self.values_given && self.value_expressions == 0 {
            return Err(Error::validation(
                "ExpressionAttributeValues can only be specified when using expressions",
            ));
        }
        report_unused("ExpressionAttributeNames", &self.names)?;
        report_unused("ExpressionAttributeValues", &self.values)
    }

    fn expression<T>(
        &mut self,
        kind: ExpressionKind,
        text: &str,
        build: fn(&mut Placeholders, &str) -> Result<T, String>,
    ) -> Result<T, Error> {
        self.expressions += 1;
        self.value_expressions += usize::from(kind != ExpressionKind::Projection);
        check_length(self.author, kind, text)
            .and_then(|()| build(self, text))
            .map_err(|problem| kind.invalid(&problem))
    }

    pub(super) const fn author(&self) -> Author {
        self.author
    }

    /// The attribute name behind `#name`.
    pub(super) fn name(&mut self, key: &str) -> Result<String, String> {
        let Some(entry) = find(&mut self.names, key) else {
            return Err(format!(
                "An expression attribute name used in the document path is not defined; attribute name: {key}"
            ));
        };
        entry.used = true;
        let name = entry.value.clone();
        self.count_substituted(name.len())?;
        Ok(name)
    }

    /// The value behind `:value`.
    pub(super) fn value(&mut self, key: &str) -> Result<AttributeValue, String> {
        let Some(entry) = find(&mut self.values, key) else {
            return Err(format!(
                "An expression attribute value used in expression is not defined; attribute value: {key}"
            ));
        };
        entry.used = true;
        // Counted before it is copied: a short text can name one large value a thousand times.
        let bytes = size::value_bytes(&entry.value);
        self.count_substituted(bytes)?;
        Ok(find(&mut self.values, key).expect("it was found a moment ago").value.clone())
    }

    fn count_substituted(&mut self, bytes: usize) -> Result<(), String> {
        self.substituted_bytes = self.substituted_bytes.saturating_add(bytes);
        let most = self.author.substituted_bytes();
        if self.substituted_bytes > most {
            return Err(format!(
                "The expressions of one request may stand for at most {most} bytes of names and values; \
                 name fewer or smaller ones;"
            ));
        }
        Ok(())
    }
}

fn check_length(author: Author, kind: ExpressionKind, text: &str) -> Result<(), String> {
    if text.len() <= EXPRESSION_BYTES || author == Author::Node {
        return Ok(());
    }
    let problem = "Expression size has exceeded the maximum allowed size;";
    Err(match kind {
        ExpressionKind::Condition | ExpressionKind::Filter => {
            format!("{problem} expression size: {}", text.len())
        }
        ExpressionKind::KeyCondition | ExpressionKind::Projection | ExpressionKind::Update => {
            problem.to_owned()
        }
    })
}

fn check_keys<'a>(
    parameter: &str,
    mark: char,
    keys: impl ExactSizeIterator<Item = &'a String>,
) -> Result<(), Error> {
    if keys.len() == 0 {
        return Err(Error::validation(format!("{parameter} must not be empty")));
    }
    for key in keys {
        let problem = if key.len() > PLACEHOLDER_BYTES {
            // Only names tell the size.
            let size = if mark == '#' { format!(" size of key: {}", key.len()) } else { String::new() };
            format!("The expression attribute map contains a key that is too long;{size}")
        } else if is_placeholder(mark, key) {
            continue;
        } else {
            format!("Syntax error; key: \"{key}\"")
        };
        return Err(Error::validation(format!("{parameter} contains invalid key: {problem}")));
    }
    Ok(())
}

/// The published bound on all substitution texts together. What is counted is the placeholders and what they stand for.
fn check_sizes(
    names: Option<&BTreeMap<String, String>>,
    values: Option<&BTreeMap<String, AttributeValue>>,
) -> Result<(), Error> {
    let names = names.into_iter().flatten().map(|(key, name)| key.len() + name.len()).sum::<usize>();
    let values =
        values.into_iter().flatten().map(|(key, value)| key.len() + size::value_bytes(value)).sum::<usize>();
    let exceeding = if names > PLACEHOLDERS_BYTES {
        "ExpressionAttributeNames"
    } else if values > PLACEHOLDERS_BYTES {
        "ExpressionAttributeValues"
    } else if names + values > PLACEHOLDERS_BYTES {
        "Combined size of ExpressionAttributeNames and ExpressionAttributeValues"
    } else {
        return Ok(());
    };
    Err(Error::validation(format!("{exceeding} exceeds max size")))
}

fn is_placeholder(mark: char, key: &str) -> bool {
    key.strip_prefix(mark)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(super::token::is_word_part))
}

fn entries<T>(map: Option<BTreeMap<String, T>>) -> Vec<Entry<T>> {
    map.into_iter().flatten().map(|(key, value)| Entry { key, value, used: false }).collect()
}

fn find<'a, T>(entries: &'a mut [Entry<T>], key: &str) -> Option<&'a mut Entry<T>> {
    let at = entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
    Some(&mut entries[at])
}

fn report_unused<T>(parameter: &str, entries: &[Entry<T>]) -> Result<(), Error> {
    let unused: Vec<&str> =
        entries.iter().filter(|entry| !entry.used).map(|entry| entry.key.as_str()).collect();
    if unused.is_empty() {
        return Ok(());
    }
    Err(Error::validation(format!(
        "Value provided in {parameter} unused in expressions: keys: {{{}}}",
        unused.join(", ")
    )))
}

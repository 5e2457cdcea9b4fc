//! Trees to text with fresh placeholders.
//!
//! Whoever parses the text with the maps gets an equal tree, if the tree came from a parser or passed `validate` and holds
//! no AND directly in an AND (nor OR in OR). Text is kept short, because the reader limits its length: a name that may
//! stand as it is does so where that is no longer, placeholders are counted in base 36, equal names share one.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::reserved::is_reserved;
use super::{
    Condition, KeyCondition, KeyTest, Operand, Path, Projection, SetOperand, SetValue, Step, Update,
    UpdateAction,
};
use crate::value::AttributeValue;

/// Renders the expressions of one request, which share their placeholders.
#[derive(Debug, Clone, Default)]
pub struct Renderer {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
}

/// What `ExpressionAttributeNames` and `ExpressionAttributeValues` must hold; `None` where the text names none.
pub type PlaceholderMaps = (Option<BTreeMap<String, String>>, Option<BTreeMap<String, AttributeValue>>);

/// How tightly a condition binds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

impl Renderer {
    /// Without placeholders yet.
    pub fn new() -> Renderer {
        Renderer::default()
    }

    /// The text of a condition or filter.
    pub fn condition(&mut self, condition: &Condition) -> String {
        let mut text = String::new();
        self.write_condition(&mut text, condition, Binding::Or);
        text
    }

    /// The text of a projection.
    pub fn projection(&mut self, projection: &Projection) -> String {
        let mut text = String::new();
        self.write_list(&mut text, &projection.paths, Renderer::write_path);
        text
    }

    /// The text of a key condition.
    pub fn key_condition(&mut self, condition: &KeyCondition) -> String {
        let mut text = String::new();
        for (attribute, test) in &condition.tests {
            if !text.is_empty() {
                text.push_str(" AND ");
            }
            match test {
                KeyTest::Compare(comparator, value) => {
                    self.write_name(&mut text, attribute);
                    text.push_str(comparator.symbol());
                    self.write_value(&mut text, value);
                }
                KeyTest::Between(lower, upper) => {
                    self.write_name(&mut text, attribute);
                    text.push_str(" BETWEEN ");
                    self.write_value(&mut text, lower);
                    text.push_str(" AND ");
                    self.write_value(&mut text, upper);
                }
                KeyTest::BeginsWith(prefix) => {
                    text.push_str("begins_with(");
                    self.write_name(&mut text, attribute);
                    text.push(',');
                    self.write_value(&mut text, prefix);
                    text.push(')');
                }
            }
        }
        text
    }

    /// The text of an update; `None` for one without actions, which no text can say. The legacy ADD of a list becomes a
    /// SET that appends.
    pub fn update(&mut self, update: &Update) -> Option<String> {
        let mut sections: Vec<(&str, String)> = Vec::with_capacity(4);
        for action in &update.actions {
            let keyword = match action {
                UpdateAction::Set(..) | UpdateAction::Append(..) => "SET",
                UpdateAction::Remove(_) => "REMOVE",
                UpdateAction::Add(..) => "ADD",
                UpdateAction::Delete(..) => "DELETE",
            };
            let at = sections.iter().position(|(other, _)| *other == keyword).unwrap_or_else(|| {
                sections.push((keyword, String::new()));
                sections.len() - 1
            });
            let text = &mut sections[at].1;
            text.push(if text.is_empty() { ' ' } else { ',' });
            self.write_action(text, action);
        }
        let sections: Vec<String> =
            sections.into_iter().map(|(keyword, actions)| keyword.to_owned() + &actions).collect();
        (!sections.is_empty()).then(|| sections.join(" "))
    }

    /// The maps that go with the texts.
    pub fn finish(self) -> PlaceholderMaps {
        let names = self.names.into_iter().map(|(name, key)| (key, name)).collect::<BTreeMap<_, _>>();
        ((!names.is_empty()).then_some(names), (!self.values.is_empty()).then_some(self.values))
    }

    fn write_condition(&mut self, text: &mut String, condition: &Condition, outer: Binding) {
        match condition {
            Condition::And(terms) => self.write_terms(text, terms, " AND ", (Binding::And, outer)),
            Condition::Or(terms) => self.write_terms(text, terms, " OR ", (Binding::Or, outer)),
            Condition::Not(term) => {
                text.push_str("NOT ");
                self.write_condition(text, term, Binding::Not);
            }
            Condition::Compare(comparator, first, second) => {
                self.write_operand(text, first);
                text.push_str(comparator.symbol());
                self.write_operand(text, second);
            }
            Condition::Between(value, lower, upper) => {
                self.write_operand(text, value);
                text.push_str(" BETWEEN ");
                self.write_operand(text, lower);
                text.push_str(" AND ");
                self.write_operand(text, upper);
            }
            Condition::In(value, list) => {
                self.write_operand(text, value);
                text.push_str(" IN (");
                self.write_list(text, list, Renderer::write_operand);
                text.push(')');
            }
            Condition::AttributeExists(path) => {
                self.write_call(text, "attribute_exists", [path], Renderer::write_path)
            }
            Condition::AttributeNotExists(path) => {
                self.write_call(text, "attribute_not_exists", [path], Renderer::write_path);
            }
            Condition::AttributeType(path, value_type) => {
                text.push_str("attribute_type(");
                self.write_path(text, path);
                text.push(',');
                self.write_value(text, &AttributeValue::S(value_type.name().to_owned()));
                text.push(')');
            }
            Condition::BeginsWith(first, second) => {
                self.write_call(text, "begins_with", [first, second], Renderer::write_operand);
            }
            Condition::Contains(first, second) => {
                self.write_call(text, "contains", [first, second], Renderer::write_operand);
            }
        }
    }

    fn write_terms(
        &mut self,
        text: &mut String,
        terms: &[Condition],
        separator: &str,
        (own, outer): (Binding, Binding),
    ) {
        // One level of the same kind inside another, which a parser would not keep, needs them too.
        let inner = if own == Binding::Or { Binding::And } else { Binding::Not };
        let parentheses = own < outer;
        if parentheses {
            text.push('(');
        }
        for (at, term) in terms.iter().enumerate() {
            if at > 0 {
                text.push_str(separator);
            }
            self.write_condition(text, term, inner);
        }
        if parentheses {
            text.push(')');
        }
    }

    fn write_list<'a, T: 'a>(
        &mut self,
        text: &mut String,
        list: impl IntoIterator<Item = &'a T>,
        write: fn(&mut Renderer, &mut String, &T),
    ) {
        for (at, element) in list.into_iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            write(self, text, element);
        }
    }

    fn write_call<'a, T: 'a>(
        &mut self,
        text: &mut String,
        function: &str,
        arguments: impl IntoIterator<Item = &'a T>,
        write: fn(&mut Renderer, &mut String, &T),
    ) {
        text.push_str(function);
        text.push('(');
        self.write_list(text, arguments, write);
        text.push(')');
    }

    fn write_operand(&mut self, text: &mut String, operand: &Operand) {
        match operand {
            Operand::Path(path) => self.write_path(text, path),
            Operand::Value(value) => self.write_value(text, value),
            Operand::Size(inner) => self.write_call(text, "size", [&**inner], Renderer::write_operand),
        }
    }

    fn write_action(&mut self, text: &mut String, action: &UpdateAction) {
        self.write_path(text, action.path());
        match action {
            UpdateAction::Set(_, value) => {
                text.push('=');
                let (first, rest) = match value {
                    SetValue::Operand(operand) => (operand, None),
                    SetValue::Plus(first, second) => (first, Some(('+', second))),
                    SetValue::Minus(first, second) => (first, Some(('-', second))),
                };
                self.write_set_operand(text, first);
                if let Some((operator, second)) = rest {
                    text.push(operator);
                    self.write_set_operand(text, second);
                }
            }
            UpdateAction::Remove(_) => {}
            UpdateAction::Add(_, value) | UpdateAction::Delete(_, value) => {
                text.push(' ');
                self.write_value(text, value);
            }
            UpdateAction::Append(path, values) => {
                text.push_str("=list_append(if_not_exists(");
                self.write_path(text, path);
                text.push(',');
                self.write_value(text, &AttributeValue::L(Vec::new()));
                text.push_str("),");
                self.write_value(text, &AttributeValue::L(values.clone()));
                text.push(')');
            }
        }
    }

    fn write_set_operand(&mut self, text: &mut String, operand: &SetOperand) {
        match operand {
            SetOperand::Path(path) => self.write_path(text, path),
            SetOperand::Value(value) => self.write_value(text, value),
            SetOperand::IfNotExists(path, other) => {
                text.push_str("if_not_exists(");
                self.write_path(text, path);
                text.push(',');
                self.write_set_operand(text, other);
                text.push(')');
            }
            SetOperand::ListAppend(first, second) => {
                text.push_str("list_append(");
                self.write_set_operand(text, first);
                text.push(',');
                self.write_set_operand(text, second);
                text.push(')');
            }
        }
    }

    fn write_path(&mut self, text: &mut String, path: &Path) {
        self.write_name(text, &path.attribute);
        for step in &path.steps {
            match step {
                Step::Field(name) => {
                    text.push('.');
                    self.write_name(text, name);
                }
                Step::Index(index) => write!(text, "[{index}]").expect("a String takes any text"),
            }
        }
    }

    fn write_name(&mut self, text: &mut String, name: &str) {
        let count = self.names.len();
        if let Some(key) = self.names.get(name) {
            let shorter = if is_plain(name) && name.len() <= key.len() { name } else { key };
            text.push_str(shorter);
            return;
        }
        let key = placeholder('#', count);
        if is_plain(name) && name.len() <= key.len() {
            text.push_str(name);
            return;
        }
        text.push_str(&key);
        self.names.insert(name.to_owned(), key);
    }

    fn write_value(&mut self, text: &mut String, value: &AttributeValue) {
        let key = placeholder(':', self.values.len());
        text.push_str(&key);
        self.values.insert(key, value.clone());
    }
}

/// Whether a name may stand in every kind of expression without a placeholder.
fn is_plain(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(super::token::is_word_part)
        && !is_reserved(name)
        // A keyword of updates that is not in the list of reserved words.
        && !name.eq_ignore_ascii_case("REMOVE")
}

/// The placeholder of that number, in base 36.
fn placeholder(mark: char, mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    let mut key = String::with_capacity(digits.len() + 1);
    key.push(mark);
    key.extend(digits.iter().rev().map(|digit| char::from(*digit)));
    key
}

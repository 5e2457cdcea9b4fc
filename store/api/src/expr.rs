//! The expression language: text to tree, tree to text, and what a tree does to an item.
//!
//! Trees hold no placeholders: names and values are substituted while parsing, so that equal requests have equal trees
//! whatever their placeholders were called. Depth of every tree is bounded by the parser, so recursion over one is safe;
//! a tree that came by another wire is bounded by `validate`, which a front must call before anything else.
//!
//! Text to tree: `token`, `parse` (grammars), `build` (substitution and checks), [`names`] (the entry point,
//! [`Placeholders`]), [`reserved`]; [`check`] judges trees. [`legacy`] makes trees of
//! the legacy parameters, [`render`] text of trees. Effects, all pure: [`condition`], [`update`],
//! [`projection`], [`key_condition`].

mod build;
pub mod check;
pub mod condition;
pub mod key_condition;
pub mod legacy;
pub mod names;
mod parse;
mod path;
pub mod projection;
pub mod render;
pub mod reserved;
#[cfg(test)]
mod tests;
mod token;
pub mod update;

pub use key_condition::{KeyRange, SortRange};
pub use names::{Author, ExpressionKind, Placeholders};
pub use render::{PlaceholderMaps, Renderer};

use crate::value::{AttributeValue, ValueType};

/// A step into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Step {
    /// `.name`
    Field(String),
    /// `[index]`
    Index(u32),
}

/// A document path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Path {
    /// The top-level attribute.
    pub attribute: String,
    /// Steps below it.
    pub steps: Vec<Step>,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Comparator {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparator {
    /// The operator as text.
    pub const fn symbol(self) -> &'static str {
        match self {
            Comparator::Eq => "=",
            Comparator::Ne => "<>",
            Comparator::Lt => "<",
            Comparator::Le => "<=",
            Comparator::Gt => ">",
            Comparator::Ge => ">=",
        }
    }

    /// The operator that says the same with the operands exchanged.
    pub const fn mirrored(self) -> Comparator {
        match self {
            Comparator::Eq => Comparator::Eq,
            Comparator::Ne => Comparator::Ne,
            Comparator::Lt => Comparator::Gt,
            Comparator::Le => Comparator::Ge,
            Comparator::Gt => Comparator::Lt,
            Comparator::Ge => Comparator::Le,
        }
    }
}

/// An operand of a condition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Operand {
    /// What stands at a path.
    Path(Path),
    /// A literal.
    Value(AttributeValue),
    /// `size(path)`, or of a literal.
    Size(Box<Operand>),
}

/// A condition or filter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Condition {
    /// All of them; at least two.
    And(Vec<Condition>),
    /// Any of them; at least two.
    Or(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Comparator, Operand, Operand),
    /// `a BETWEEN b AND c`, both ends included.
    Between(Operand, Operand, Operand),
    /// `a IN (b, c, …)`.
    In(Operand, Vec<Operand>),
    /// `attribute_exists(path)`.
    AttributeExists(Path),
    /// `attribute_not_exists(path)`.
    AttributeNotExists(Path),
    /// `attribute_type(path, type)`.
    AttributeType(Path, ValueType),
    /// `begins_with(a, b)`.
    BeginsWith(Operand, Operand),
    /// `contains(a, b)`.
    Contains(Operand, Operand),
}

/// An operand of SET.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SetOperand {
    /// What stands at a path.
    Path(Path),
    /// A literal.
    Value(AttributeValue),
    /// `if_not_exists(path, operand)`.
    IfNotExists(Path, Box<SetOperand>),
    /// `list_append(a, b)`.
    ListAppend(Box<SetOperand>, Box<SetOperand>),
}

/// The right side of a SET action.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SetValue {
    /// The operand as it is.
    Operand(SetOperand),
    /// Sum.
    Plus(SetOperand, SetOperand),
    /// Difference.
    Minus(SetOperand, SetOperand),
}

/// One action of an update.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum UpdateAction {
    /// `SET path = value`.
    Set(Path, SetValue),
    /// `REMOVE path`.
    Remove(Path),
    /// `ADD path value`: numbers add, sets unite.
    Add(Path, AttributeValue),
    /// `DELETE path value`: takes elements out of a set.
    Delete(Path, AttributeValue),
    /// Legacy `ADD` of a list: appends. No expression text has it.
    Append(Path, Vec<AttributeValue>),
}

impl UpdateAction {
    /// The path it changes.
    pub const fn path(&self) -> &Path {
        match self {
            UpdateAction::Set(path, _)
            | UpdateAction::Remove(path)
            | UpdateAction::Add(path, _)
            | UpdateAction::Delete(path, _)
            | UpdateAction::Append(path, _) => path,
        }
    }
}

/// An update: its actions in the order they were written. All read the item as it was before the update.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Update {
    /// At least one, unless the legacy form left them out.
    pub actions: Vec<UpdateAction>,
}

/// The paths a read returns. Not empty; no two overlap or conflict.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Projection {
    /// The paths, in the order they were written.
    pub paths: Vec<Path>,
}

/// What a key condition asks of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum KeyTest {
    /// A comparison with a literal; never `<>`.
    Compare(Comparator, AttributeValue),
    /// Both ends included.
    Between(AttributeValue, AttributeValue),
    /// Prefix of a string or binary.
    BeginsWith(AttributeValue),
}

/// A key condition: tests of different attributes, joined by AND. Which is the partition key, and whether there are as many
/// as the key has attributes, shows only beside a schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeyCondition {
    /// Attribute and test, in the order they were written.
    pub tests: Vec<(String, KeyTest)>,
}

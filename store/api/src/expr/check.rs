//! What must hold of a tree whatever wire it came by: operand types, distinct operands, paths that keep apart, depth.
//!
//! The parser calls these on what it built; other fronts call `validate` on trees that never were text.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::names::{Author, ExpressionKind};
use super::{
    Comparator, Condition, Operand, Path, Projection, SetOperand, SetValue, Step, Update, UpdateAction,
};
use crate::error::Error;
use crate::limits::{EXPRESSION_OPERATORS, IN_OPERANDS, NESTING_LEVELS};
use crate::value::{AttributeValue, ValueType};

/// Deepest tree that is looked at. Ours: a client's text can't make a deeper one, since every level costs an operator.
pub const TREE_DEPTH: usize = EXPRESSION_OPERATORS + 1;

impl Condition {
    /// Checks a condition that was not made by the parser: depth, number of operators, paths, operands. Errors: those of
    /// the same condition as text. `kind` names the parameter.
    ///
    /// Looks at one level of a tree after another, so a tree of any depth is refused safely; it must be called before
    /// anything else is done with a foreign tree.
    pub fn validate(&self, kind: ExpressionKind) -> Result<(), Error> {
        check_condition(self).map_err(|problem| kind.invalid(&problem))
    }
}

impl Update {
    /// Checks an update that was not made by the parser. Errors: those of the same update as text.
    pub fn validate(&self) -> Result<(), Error> {
        check_update(self).map_err(|problem| ExpressionKind::Update.invalid(&problem))
    }
}

impl Projection {
    /// Checks a projection that was not made by the parser. Errors: those of the same projection as text.
    pub fn validate(&self) -> Result<(), Error> {
        let checked = if self.paths.is_empty() {
            Err("The expression can not be empty;".to_owned())
        } else {
            self.paths.iter().try_for_each(path_depth).and_then(|()| paths(self.paths.iter()))
        };
        checked.map_err(|problem| ExpressionKind::Projection.invalid(&problem))
    }
}

/// The service stops counting at the first one too many.
pub(super) fn too_many_operators() -> String {
    format!("The expression contains too many operators; operator count: {}", EXPRESSION_OPERATORS + 1)
}

/// The error of a path of so many levels.
pub(super) fn too_deep(levels: usize) -> String {
    format!("The document path has too many nesting levels; nesting levels: {levels}")
}

fn path_depth(path: &Path) -> Result<(), String> {
    let levels = path.steps.len() + 1;
    if levels > NESTING_LEVELS { Err(too_deep(levels)) } else { Ok(()) }
}

fn check_condition(condition: &Condition) -> Result<(), String> {
    let mut operators = 0usize;
    let mut count = |more: usize| {
        operators = operators.saturating_add(more);
        if operators > EXPRESSION_OPERATORS { Err(too_many_operators()) } else { Ok(()) }
    };
    // Leaves are judged in the order of the text, so children are put on the stack last first.
    let mut pending = vec![condition];
    let mut leaves = Vec::new();
    while let Some(condition) = pending.pop() {
        match condition {
            Condition::And(terms) | Condition::Or(terms) => {
                if terms.len() < 2 {
                    return Err("AND and OR need at least two operands;".to_owned());
                }
                count(terms.len() - 1)?;
                pending.extend(terms.iter().rev());
            }
            Condition::Not(term) => {
                count(1)?;
                pending.push(term);
            }
            leaf => {
                count(1)?;
                for operand in operands(leaf) {
                    count(size_calls(operand)?)?;
                }
                leaves.push(leaf);
            }
        }
    }
    for condition in leaves {
        leaf_paths(condition).into_iter().try_for_each(path_depth)?;
        leaf(condition, Author::Client)?;
    }
    Ok(())
}

/// How many calls of `size` an operand consists of. More than a few are refused, as the parser does.
fn size_calls(mut operand: &Operand) -> Result<usize, String> {
    let mut calls = 0;
    while let Operand::Size(inner) = operand {
        calls += 1;
        if calls > NESTING_LEVELS {
            return Err(
                "The function is not allowed to be used this way in an expression; function: size".to_owned()
            );
        }
        operand = inner;
    }
    Ok(calls)
}

/// The operands of a leaf, in the order of the text.
pub(super) fn operands(leaf: &Condition) -> Vec<&Operand> {
    match leaf {
        Condition::Compare(_, first, second)
        | Condition::BeginsWith(first, second)
        | Condition::Contains(first, second) => vec![first, second],
        Condition::Between(value, lower, upper) => vec![value, lower, upper],
        Condition::In(value, list) => std::iter::once(value).chain(list).collect(),
        Condition::And(_)
        | Condition::Or(_)
        | Condition::Not(_)
        | Condition::AttributeExists(_)
        | Condition::AttributeNotExists(_)
        | Condition::AttributeType(..) => Vec::new(),
    }
}

/// The paths of a leaf, in the order of the text.
pub(super) fn leaf_paths(leaf: &Condition) -> Vec<&Path> {
    match leaf {
        Condition::AttributeExists(path)
        | Condition::AttributeNotExists(path)
        | Condition::AttributeType(path, _) => vec![path],
        other => operands(other).into_iter().filter_map(operand_path).collect(),
    }
}

fn operand_path(mut operand: &Operand) -> Option<&Path> {
    loop {
        match operand {
            Operand::Path(path) => return Some(path),
            Operand::Value(_) => return None,
            Operand::Size(inner) => operand = inner,
        }
    }
}

/// Checks a condition that is no AND, OR or NOT.
pub(super) fn leaf(condition: &Condition, author: Author) -> Result<(), String> {
    match condition {
        Condition::Compare(comparator, first, second) => {
            let name = comparator.symbol();
            distinct(name, first, [second])?;
            sizes([first, second])?;
            match comparator {
                Comparator::Eq | Comparator::Ne => Ok(()),
                Comparator::Lt | Comparator::Le | Comparator::Gt | Comparator::Ge => {
                    orderable(name, [first, second])
                }
            }
        }
        Condition::Between(value, lower, upper) => {
            distinct("BETWEEN", value, [lower, upper])?;
            sizes([value, lower, upper])?;
            orderable("BETWEEN", [value, lower, upper])?;
            bounds(lower, upper)
        }
        Condition::In(value, list) => {
            if list.len() > IN_OPERANDS && author == Author::Client {
                let count = list.len();
                return Err(format!(
                    "The IN operator is provided with too many operands; number of operands: {count}"
                ));
            }
            distinct("IN", value, list)?;
            sizes(std::iter::once(value).chain(list))
        }
        Condition::BeginsWith(first, second) => {
            distinct("begins_with", first, [second])?;
            sizes([first, second])?;
            let found = [first, second].into_iter().filter_map(literal_type);
            let mut wrong = found.filter(|found| !matches!(found, ValueType::S | ValueType::B));
            wrong.next().map_or(Ok(()), |found| Err(incorrect_type("begins_with", found)))
        }
        Condition::Contains(first, second) => {
            distinct("contains", first, [second])?;
            sizes([first, second])
        }
        Condition::AttributeExists(_)
        | Condition::AttributeNotExists(_)
        | Condition::AttributeType(..)
        | Condition::And(_)
        | Condition::Or(_)
        | Condition::Not(_) => Ok(()),
    }
}

fn incorrect_type(function: &str, found: ValueType) -> String {
    format!(
        "Incorrect operand type for operator or function; operator or function: {function}, operand type: {}",
        found.name()
    )
}

/// The type of an operand that is known without an item.
fn literal_type(operand: &Operand) -> Option<ValueType> {
    match operand {
        Operand::Path(_) => None,
        Operand::Value(value) => Some(value.value_type()),
        Operand::Size(_) => Some(ValueType::N),
    }
}

/// The first operand may not be the same path as one of the others.
pub(super) fn distinct<'a>(
    operator: &str,
    first: &Operand,
    others: impl IntoIterator<Item = &'a Operand>,
) -> Result<(), String> {
    let Operand::Path(path) = first else { return Ok(()) };
    if others.into_iter().any(|other| matches!(other, Operand::Path(other) if other == path)) {
        return Err(format!(
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: {operator}, first operand: {}",
            Bracketed(path)
        ));
    }
    Ok(())
}

/// `size` takes a path, or a literal that has a size.
fn sizes<'a>(operands: impl IntoIterator<Item = &'a Operand>) -> Result<(), String> {
    for mut operand in operands {
        // The innermost call is the first the service looks at.
        let mut wrong = None;
        while let Operand::Size(inner) = operand {
            let found = literal_type(inner);
            if let Some(found @ (ValueType::N | ValueType::Bool | ValueType::Null)) = found {
                wrong = Some(found);
            }
            operand = inner;
        }
        if let Some(found) = wrong {
            return Err(incorrect_type("size", found));
        }
    }
    Ok(())
}

fn orderable<'a>(operator: &str, operands: impl IntoIterator<Item = &'a Operand>) -> Result<(), String> {
    let mut wrong = operands
        .into_iter()
        .filter_map(literal_type)
        .filter(|found| !matches!(found, ValueType::S | ValueType::N | ValueType::B));
    wrong.next().map_or(Ok(()), |found| Err(incorrect_type(operator, found)))
}

fn bounds(lower: &Operand, upper: &Operand) -> Result<(), String> {
    let (Operand::Value(lower), Operand::Value(upper)) = (lower, upper) else { return Ok(()) };
    let rule = if lower.value_type() != upper.value_type() {
        "same data type for lower and upper bounds"
    } else if super::condition::order(lower, upper) == Some(std::cmp::Ordering::Greater) {
        "upper bound to be greater than or equal to lower bound"
    } else {
        return Ok(());
    };
    Err(format!(
        "The BETWEEN operator requires {rule}; lower bound operand: AttributeValue: {{{}}}, \
         upper bound operand: AttributeValue: {{{}}}",
        Typed(lower),
        Typed(upper)
    ))
}

/// A value of a key type as messages show it, e.g. `N:5`.
pub(super) struct Typed<'a>(pub(super) &'a AttributeValue);

impl fmt::Display for Typed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.value_type().name();
        match self.0 {
            AttributeValue::S(text) => write!(f, "{name}:{text}"),
            AttributeValue::N(number) => write!(f, "{name}:{number}"),
            AttributeValue::B(bytes) => write!(f, "{name}:{}", STANDARD.encode(bytes)),
            // Only key types have an order, so nothing else is ever shown.
            _ => f.write_str(name),
        }
    }
}

/// A path as messages show it, e.g. `[a, [0], b]`.
pub(super) struct Bracketed<'a>(pub(super) &'a Path);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.0.attribute)?;
        for step in &self.0.steps {
            match step {
                Step::Field(name) => write!(f, ", {name}")?,
                Step::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}

/// How two paths stand in each other's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clash {
    /// One is the other, or leads to it.
    Overlap,
    /// At the same place one takes a map and the other a list.
    Conflict,
}

fn clash(one: &Path, two: &Path) -> Option<Clash> {
    if one.attribute != two.attribute {
        return None;
    }
    for pair in one.steps.iter().zip(&two.steps) {
        match pair {
            (Step::Field(a), Step::Field(b)) if a == b => {}
            (Step::Index(a), Step::Index(b)) if a == b => {}
            (Step::Field(_), Step::Field(_)) | (Step::Index(_), Step::Index(_)) => return None,
            (Step::Field(_), Step::Index(_)) | (Step::Index(_), Step::Field(_)) => {
                return Some(Clash::Conflict);
            }
        }
    }
    Some(Clash::Overlap)
}

/// Checks that no two paths overlap, then that no two conflict. The error names the first pair in the order given.
///
/// Sorted, a path stands directly before those it leads to, and where fields meet indexes at one place the last of the
/// fields stands directly before the first of the indexes; so looking at neighbours finds whether there is any clash.
pub(super) fn paths<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<(), String> {
    let paths: Vec<&Path> = paths.collect();
    if paths.len() < 2 {
        return Ok(());
    }
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let found = |kind| sorted.windows(2).any(|pair| clash(pair[0], pair[1]) == Some(kind));
    for (kind, word) in [(Clash::Overlap, "overlap"), (Clash::Conflict, "conflict")] {
        if found(kind) {
            let (one, two) = first_clash(&paths, kind);
            return Err(format!(
                "Two document paths {word} with each other; must remove or rewrite one of these paths; \
                 path one: {}, path two: {}",
                Bracketed(one),
                Bracketed(two)
            ));
        }
    }
    Ok(())
}

/// The first path that clashes with one before it, and the first of those. There must be such a pair.
fn first_clash<'a>(paths: &[&'a Path], kind: Clash) -> (&'a Path, &'a Path) {
    let mut before: BTreeSet<&Path> = BTreeSet::new();
    for &two in paths {
        let neighbours = [before.range::<Path, _>(two..).next(), before.range::<Path, _>(..two).next_back()];
        if neighbours.into_iter().flatten().any(|one| clash(one, two) == Some(kind))
            && let Some(one) = paths.iter().find(|one| clash(one, two) == Some(kind))
        {
            return (one, two);
        }
        before.insert(two);
    }
    unreachable!("neighbours in the sorted list clash, and one of them came last")
}

/// The paths of an update, in the order of its actions.
pub(super) fn update_paths(update: &Update) -> Result<(), String> {
    paths(update.actions.iter().map(UpdateAction::path))
}

fn check_update(update: &Update) -> Result<(), String> {
    let mut operators = 0usize;
    for action in &update.actions {
        path_depth(action.path())?;
        if let UpdateAction::Set(_, value) = action {
            operators = operators.saturating_add(set_value_operators(value)?);
        }
    }
    if operators > EXPRESSION_OPERATORS {
        return Err(too_many_operators());
    }
    update_paths(update)?;
    update_actions(update)?;
    update_functions(update)
}

/// Counts operators and functions, and checks paths and depth, without recursion.
fn set_value_operators(value: &SetValue) -> Result<usize, String> {
    let (mut operators, mut pending) = match value {
        SetValue::Operand(operand) => (0, vec![operand]),
        SetValue::Plus(first, second) | SetValue::Minus(first, second) => (1, vec![second, first]),
    };
    while let Some(operand) = pending.pop() {
        match operand {
            SetOperand::Path(path) => path_depth(path)?,
            SetOperand::Value(_) => {}
            SetOperand::IfNotExists(path, other) => {
                path_depth(path)?;
                operators += 1;
                pending.push(other);
            }
            SetOperand::ListAppend(first, second) => {
                operators += 1;
                for part in [first, second] {
                    if matches!(**part, SetOperand::ListAppend(..)) {
                        return Err("The function is not allowed to be used this way in an expression; \
                                    function: list_append"
                            .to_owned());
                    }
                }
                pending.extend([&**second, &**first]);
            }
        }
        if operators > EXPRESSION_OPERATORS {
            return Err(too_many_operators());
        }
    }
    Ok(operators)
}

/// The values of ADD and DELETE.
pub(super) fn update_actions(update: &Update) -> Result<(), String> {
    for action in &update.actions {
        let (operator, set, found, fits) = match action {
            UpdateAction::Add(_, value) => (
                "ADD",
                "ALLOWED_FOR_ADD_OPERAND",
                value,
                is_set(value) || matches!(value, AttributeValue::N(_)),
            ),
            UpdateAction::Delete(_, value) => ("DELETE", "ALLOWED_FOR_DELETE_OPERAND", value, is_set(value)),
            UpdateAction::Set(..) | UpdateAction::Remove(_) | UpdateAction::Append(..) => continue,
        };
        if !fits {
            return Err(format!(
                "Incorrect operand type for operator or function; operator: {operator}, operand type: {}, \
                 typeSet: {set}",
                long_type_name(found.value_type())
            ));
        }
    }
    Ok(())
}

fn is_set(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_))
}

/// The name of a type in messages about ADD and DELETE.
const fn long_type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::S => "STRING",
        ValueType::N => "NUMBER",
        ValueType::B => "BINARY",
        ValueType::Bool => "BOOLEAN",
        ValueType::Null => "NULL",
        ValueType::M => "MAP",
        ValueType::L => "LIST",
        ValueType::Ss => "STRING_SET",
        ValueType::Ns => "NUMBER_SET",
        ValueType::Bs => "BINARY_SET",
    }
}

/// The literals that functions and arithmetic of an update are given.
pub(super) fn update_functions(update: &Update) -> Result<(), String> {
    for action in &update.actions {
        let UpdateAction::Set(_, value) = action else { continue };
        let (operator, operands) = match value {
            SetValue::Operand(operand) => ("", vec![operand]),
            SetValue::Plus(first, second) => ("+", vec![first, second]),
            SetValue::Minus(first, second) => ("-", vec![first, second]),
        };
        for operand in &operands {
            set_operand(operand)?;
        }
        if !operator.is_empty() {
            literals(operator, operands, ValueType::N)?;
        }
    }
    Ok(())
}

fn set_operand(operand: &SetOperand) -> Result<(), String> {
    match operand {
        SetOperand::Path(_) | SetOperand::Value(_) => Ok(()),
        SetOperand::IfNotExists(_, other) => set_operand(other),
        SetOperand::ListAppend(first, second) => {
            set_operand(first)?;
            set_operand(second)?;
            literals("list_append", [&**first, &**second], ValueType::L)
        }
    }
}

fn literals<'a>(
    function: &str,
    operands: impl IntoIterator<Item = &'a SetOperand>,
    wanted: ValueType,
) -> Result<(), String> {
    for operand in operands {
        if let SetOperand::Value(value) = operand
            && value.value_type() != wanted
        {
            return Err(incorrect_type(function, value.value_type()));
        }
    }
    Ok(())
}

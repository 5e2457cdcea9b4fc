//! Raw trees to trees: placeholders are substituted and what needs their values is checked, in the service's order.
//!
//! A condition is judged leaf by leaf: within one leaf undefined placeholders come first, then the number of operands,
//! then equal operands, then types. An update is judged as a whole: undefined names, undefined values, paths, types.

use super::check;
use super::names::Placeholders;
use super::parse::{self, Call, RawAction, RawCondition, RawOperand, RawPath, RawSetValue, RawStep};
use super::{Condition, Operand, Path, Projection, SetOperand, SetValue, Step, Update, UpdateAction};
use crate::limits::NESTING_LEVELS;
use crate::value::{AttributeValue, ValueType};

/// Parses and builds a condition.
pub(super) fn condition(placeholders: &mut Placeholders, text: &str) -> Result<Condition, String> {
    build_condition(placeholders, parse::parse_condition(text, placeholders.author())?)
}

/// Parses and builds a projection.
pub(super) fn projection(placeholders: &mut Placeholders, text: &str) -> Result<Projection, String> {
    let raw = parse::parse_projection(text, placeholders.author())?;
    let paths = raw.into_iter().map(|path| build_path(placeholders, path)).collect::<Result<Vec<_>, _>>()?;
    check::paths(paths.iter())?;
    Ok(Projection { paths })
}

/// Parses and builds an update.
pub(super) fn update(placeholders: &mut Placeholders, text: &str) -> Result<Update, String> {
    let (raw, twice) = parse::parse_update(text, placeholders.author())?;
    if let Some(section) = twice {
        let keyword = section.keyword();
        return Err(format!("The \"{keyword}\" section can only be used once in an update expression;"));
    }
    let mut builder = UpdateBuilder { placeholders, value: None, operands: None };
    let actions = raw.into_iter().map(|action| builder.action(action)).collect::<Result<Vec<_>, _>>()?;
    if let Some(problem) = builder.value {
        return Err(problem);
    }
    let update = Update { actions };
    check::update_paths(&update)?;
    check::update_actions(&update)?;
    builder.operands.map_or(Ok(()), Err)?;
    check::update_functions(&update)?;
    Ok(update)
}

fn build_condition(placeholders: &mut Placeholders, raw: RawCondition<'_>) -> Result<Condition, String> {
    match raw {
        RawCondition::And(terms) => {
            let terms: Result<Vec<_>, _> =
                terms.into_iter().map(|term| build_condition(placeholders, term)).collect();
            Ok(Condition::all(terms?))
        }
        RawCondition::Or(terms) => {
            let terms: Result<Vec<_>, _> =
                terms.into_iter().map(|term| build_condition(placeholders, term)).collect();
            Ok(Condition::any(terms?))
        }
        RawCondition::Not(term) => Ok(Condition::Not(Box::new(build_condition(placeholders, *term)?))),
        leaf => {
            let leaf = build_leaf(placeholders, leaf)?;
            check::leaf(&leaf, placeholders.author())?;
            Ok(leaf)
        }
    }
}

fn build_leaf(placeholders: &mut Placeholders, raw: RawCondition<'_>) -> Result<Condition, String> {
    match raw {
        RawCondition::Compare(comparator, first, second) => {
            let first = resolve(placeholders, first)?;
            let second = resolve(placeholders, second)?;
            Ok(Condition::Compare(comparator, first.operand()?, second.operand()?))
        }
        RawCondition::Between(value, lower, upper) => {
            let value = resolve(placeholders, value)?;
            let lower = resolve(placeholders, lower)?;
            let upper = resolve(placeholders, upper)?;
            Ok(Condition::Between(value.operand()?, lower.operand()?, upper.operand()?))
        }
        RawCondition::In(value, list) => {
            let value = resolve(placeholders, value)?;
            let list = list
                .into_iter()
                .map(|operand| resolve(placeholders, operand))
                .collect::<Result<Vec<_>, _>>()?;
            let value = value.operand()?;
            let list = list.into_iter().map(Resolved::operand).collect::<Result<Vec<_>, _>>()?;
            Ok(Condition::In(value, list))
        }
        RawCondition::Call(call) => {
            let (function, arguments) = resolve_call(placeholders, call)?;
            build_call(function, arguments)
        }
        RawCondition::And(_) | RawCondition::Or(_) | RawCondition::Not(_) => {
            unreachable!("build_condition takes these apart itself")
        }
    }
}

/// An operand with its placeholders substituted, calls not judged yet.
enum Resolved<'a> {
    Path(Path),
    Value(AttributeValue),
    Call(&'a str, Vec<Resolved<'a>>),
}

impl Resolved<'_> {
    /// The operand. `size` is the only call that gets here.
    fn operand(self) -> Result<Operand, String> {
        match self {
            Resolved::Path(path) => Ok(Operand::Path(path)),
            Resolved::Value(value) => Ok(Operand::Value(value)),
            Resolved::Call(function, arguments) => {
                let [argument] = exactly(function, arguments)?;
                Ok(Operand::Size(Box::new(argument.operand()?)))
            }
        }
    }
}

fn resolve<'a>(placeholders: &mut Placeholders, raw: RawOperand<'a>) -> Result<Resolved<'a>, String> {
    match raw {
        RawOperand::Path(path) => build_path(placeholders, path).map(Resolved::Path),
        RawOperand::Value(key) => placeholders.value(key).map(Resolved::Value),
        RawOperand::Call(call) => {
            let (function, arguments) = resolve_call(placeholders, call)?;
            Ok(Resolved::Call(function, arguments))
        }
    }
}

fn resolve_call<'a>(
    placeholders: &mut Placeholders,
    call: Call<'a>,
) -> Result<(&'a str, Vec<Resolved<'a>>), String> {
    let arguments = call.arguments.into_iter().map(|argument| resolve(placeholders, argument));
    Ok((call.function, arguments.collect::<Result<Vec<_>, _>>()?))
}

/// The arguments, if there are as many as the function takes.
fn exactly<const N: usize, T>(function: &str, arguments: Vec<T>) -> Result<[T; N], String> {
    <[T; N]>::try_from(arguments).map_err(|arguments| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: {function}, \
             number of operands: {}",
            arguments.len()
        )
    })
}

fn needs_path(function: &str) -> String {
    format!("Operator or function requires a document path; operator or function: {function}")
}

fn build_call(function: &str, arguments: Vec<Resolved<'_>>) -> Result<Condition, String> {
    match function {
        "attribute_exists" | "attribute_not_exists" => {
            let [argument] = exactly(function, arguments)?;
            match argument.operand()? {
                Operand::Path(path) if function == "attribute_exists" => Ok(Condition::AttributeExists(path)),
                Operand::Path(path) => Ok(Condition::AttributeNotExists(path)),
                Operand::Value(_) | Operand::Size(_) => Err(needs_path(function)),
            }
        }
        "attribute_type" => {
            let [argument, kind] = exactly(function, arguments)?;
            let (argument, kind) = (argument.operand()?, kind.operand()?);
            check::distinct(function, &argument, [&kind])?;
            let value_type = attribute_type(function, kind)?;
            match argument {
                Operand::Path(path) => Ok(Condition::AttributeType(path, value_type)),
                Operand::Value(_) | Operand::Size(_) => Err(needs_path(function)),
            }
        }
        "begins_with" => {
            let [first, second] = exactly(function, arguments)?;
            Ok(Condition::BeginsWith(first.operand()?, second.operand()?))
        }
        "contains" => {
            let [first, second] = exactly(function, arguments)?;
            Ok(Condition::Contains(first.operand()?, second.operand()?))
        }
        other => Err(format!("Invalid function name; function: {other}")),
    }
}

/// The type that the second operand of `attribute_type` names.
fn attribute_type(function: &str, operand: Operand) -> Result<ValueType, String> {
    let incorrect = |found: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {function}, operand type: {found}"
        )
    };
    match operand {
        Operand::Value(AttributeValue::S(name)) => ValueType::from_name(&name).ok_or_else(|| {
            format!("Invalid attribute type name found; type: {name}, valid types: {{S,SS,N,NS,B,BS,BOOL,NULL,L,M}}")
        }),
        Operand::Value(value) => Err(incorrect(value.value_type().name())),
        Operand::Size(_) => Err(incorrect(ValueType::N.name())),
        // Any type may stand at a path, and the service lists its internal ones too.
        Operand::Path(_) => Err(incorrect(
            "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,INTSET}",
        )),
    }
}

fn build_path(placeholders: &mut Placeholders, raw: RawPath<'_>) -> Result<Path, String> {
    let levels = raw.rest.len() + 1;
    let attribute = match raw.first {
        RawStep::Word(word) => word.to_owned(),
        RawStep::Placeholder(key) => placeholders.name(key)?,
        RawStep::Index(_) => unreachable!("the grammar starts a path with a name"),
    };
    let steps = raw
        .rest
        .into_iter()
        .map(|step| match step {
            RawStep::Word(word) => Ok(Step::Field(word.to_owned())),
            RawStep::Placeholder(key) => placeholders.name(key).map(Step::Field),
            RawStep::Index(index) => Ok(Step::Index(index)),
        })
        .collect::<Result<Vec<_>, String>>()?;
    if levels > NESTING_LEVELS {
        return Err(check::too_deep(levels));
    }
    Ok(Path { attribute, steps })
}

/// Builds an update. What comes later in the service's order than undefined names is put by until all names are known.
struct UpdateBuilder<'p> {
    placeholders: &'p mut Placeholders,
    value: Option<String>,
    operands: Option<String>,
}

impl UpdateBuilder<'_> {
    fn action(&mut self, raw: RawAction<'_>) -> Result<UpdateAction, String> {
        Ok(match raw {
            RawAction::Set(path, value) => {
                let path = build_path(self.placeholders, path)?;
                UpdateAction::Set(path, self.set_value(value)?)
            }
            RawAction::Remove(path) => UpdateAction::Remove(build_path(self.placeholders, path)?),
            RawAction::Add(path, key) => {
                let path = build_path(self.placeholders, path)?;
                UpdateAction::Add(path, self.value(key))
            }
            RawAction::Delete(path, key) => {
                let path = build_path(self.placeholders, path)?;
                UpdateAction::Delete(path, self.value(key))
            }
        })
    }

    fn set_value(&mut self, raw: RawSetValue<'_>) -> Result<SetValue, String> {
        Ok(match raw {
            RawSetValue::Operand(operand) => SetValue::Operand(self.operand(operand)?),
            RawSetValue::Plus(first, second) => {
                let first = self.operand(first)?;
                SetValue::Plus(first, self.operand(second)?)
            }
            RawSetValue::Minus(first, second) => {
                let first = self.operand(first)?;
                SetValue::Minus(first, self.operand(second)?)
            }
        })
    }

    fn operand(&mut self, raw: RawOperand<'_>) -> Result<SetOperand, String> {
        match raw {
            RawOperand::Path(path) => build_path(self.placeholders, path).map(SetOperand::Path),
            RawOperand::Value(key) => Ok(SetOperand::Value(self.value(key))),
            RawOperand::Call(call) => self.call(call),
        }
    }

    fn call(&mut self, call: Call<'_>) -> Result<SetOperand, String> {
        let function = call.function;
        let arguments = call.arguments.into_iter().map(|argument| self.operand(argument));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let [first, second] = match exactly(function, arguments) {
            Ok(arguments) => arguments,
            Err(problem) => return Ok(self.put_by(problem)),
        };
        match (function, first) {
            ("list_append", first) => Ok(SetOperand::ListAppend(Box::new(first), Box::new(second))),
            ("if_not_exists", SetOperand::Path(path)) => Ok(SetOperand::IfNotExists(path, Box::new(second))),
            _ => Ok(self.put_by(needs_path(function))),
        }
    }

    /// Keeps the first problem of this kind. The update is thrown away in the end, so any operand does.
    fn put_by(&mut self, problem: String) -> SetOperand {
        self.operands.get_or_insert(problem);
        SetOperand::Value(AttributeValue::Null)
    }

    fn value(&mut self, key: &str) -> AttributeValue {
        match self.placeholders.value(key) {
            Ok(value) => value,
            Err(problem) => {
                self.value.get_or_insert(problem);
                AttributeValue::Null
            }
        }
    }
}

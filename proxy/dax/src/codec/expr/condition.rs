//! Conditions.

use api::expr::{Comparator, Condition, Operand, Path};
use api::value::ValueType;
use api::{AttributeValue, Error};

use super::{Node, Used, Values, code, malformed, node, read_path, write_path};
use crate::cbor::{Reader, write};

pub(super) const fn comparator_code(comparator: Comparator) -> u8 {
    match comparator {
        Comparator::Eq => code::EQ,
        Comparator::Ne => code::NE,
        Comparator::Lt => code::LT,
        Comparator::Le => code::LE,
        Comparator::Gt => code::GT,
        Comparator::Ge => code::GE,
    }
}

/// The names of types as literals, for `attribute_type`.
fn type_value(value_type: ValueType) -> &'static AttributeValue {
    static NAMES: std::sync::LazyLock<Vec<AttributeValue>> = std::sync::LazyLock::new(|| {
        ValueType::ALL.iter().map(|each| AttributeValue::S(each.name().to_owned())).collect()
    });
    &NAMES[value_type as usize]
}

pub(super) fn write<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, condition: &'a Condition) {
    match condition {
        Condition::And(terms) => write_terms(out, used, code::AND, terms),
        Condition::Or(terms) => write_terms(out, used, code::OR, terms),
        Condition::Not(term) => {
            node(out, code::NOT, 1);
            write(out, used, term);
        }
        Condition::Compare(comparator, first, second) => {
            node(out, comparator_code(*comparator), 2);
            write_operands(out, used, [first, second]);
        }
        Condition::Between(value, lower, upper) => {
            node(out, code::BETWEEN, 3);
            write_operands(out, used, [value, lower, upper]);
        }
        Condition::In(value, list) => {
            node(out, code::IN, 2);
            write_operands(out, used, [value]);
            write::array(out, list.len());
            write_operands(out, used, list);
        }
        Condition::AttributeExists(path) => {
            node(out, code::ATTRIBUTE_EXISTS, 1);
            write_path(out, path);
        }
        Condition::AttributeNotExists(path) => {
            node(out, code::ATTRIBUTE_NOT_EXISTS, 1);
            write_path(out, path);
        }
        Condition::AttributeType(path, value_type) => {
            node(out, code::ATTRIBUTE_TYPE, 2);
            write_path(out, path);
            used.write(out, type_value(*value_type));
        }
        Condition::BeginsWith(first, second) => {
            node(out, code::BEGINS_WITH, 2);
            write_operands(out, used, [first, second]);
        }
        Condition::Contains(first, second) => {
            node(out, code::CONTAINS, 2);
            write_operands(out, used, [first, second]);
        }
    }
}

/// Terms joined to the right, as clients do: `a AND (b AND c)`.
fn write_terms<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, code: u8, terms: &'a [Condition]) {
    let mut left = terms.iter().peekable();
    while let Some(term) = left.next() {
        if left.peek().is_some() {
            node(out, code, 2);
        }
        write(out, used, term);
    }
}

fn write_operands<'a>(
    out: &mut Vec<u8>,
    used: &mut Used<'a>,
    operands: impl IntoIterator<Item = &'a Operand>,
) {
    for operand in operands {
        let mut operand = operand;
        while let Operand::Size(inner) = operand {
            node(out, code::SIZE, 1);
            operand = inner;
        }
        match operand {
            Operand::Path(path) => write_path(out, path),
            Operand::Value(value) => used.write(out, value),
            Operand::Size(_) => unreachable!("the loop above ends at what is no size"),
        }
    }
}

/// Reads a condition. As deep as the bytes are, which were bounded when they were stepped over.
pub(super) fn read(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<Condition, Error> {
    values.node()?;
    let mut node = Node::open(reader)?;
    let condition = match node.code {
        code::AND => Condition::all(read_terms(reader, values, &mut node)?),
        code::OR => Condition::any(read_terms(reader, values, &mut node)?),
        code::NOT => {
            node.argument(reader)?;
            read(reader, values)?.negated()
        }
        code::EQ => compare(reader, values, &mut node, Comparator::Eq)?,
        code::NE => compare(reader, values, &mut node, Comparator::Ne)?,
        code::LT => compare(reader, values, &mut node, Comparator::Lt)?,
        code::GE => compare(reader, values, &mut node, Comparator::Ge)?,
        code::GT => compare(reader, values, &mut node, Comparator::Gt)?,
        code::LE => compare(reader, values, &mut node, Comparator::Le)?,
        code::BETWEEN => {
            let value = read_argument(reader, values, &mut node)?;
            let lower = read_argument(reader, values, &mut node)?;
            Condition::Between(value, lower, read_argument(reader, values, &mut node)?)
        }
        code::IN => {
            let value = read_argument(reader, values, &mut node)?;
            node.argument(reader)?;
            let mut elements = reader.array()?;
            let mut list = Vec::new();
            while elements.more(reader)? {
                list.push(read_operand(reader, values)?);
            }
            Condition::In(value, list)
        }
        code::ATTRIBUTE_EXISTS => {
            let operand = read_argument(reader, values, &mut node)?;
            Condition::AttributeExists(path_of(operand, "attribute_exists", values)?)
        }
        code::ATTRIBUTE_NOT_EXISTS => {
            let operand = read_argument(reader, values, &mut node)?;
            Condition::AttributeNotExists(path_of(operand, "attribute_not_exists", values)?)
        }
        code::ATTRIBUTE_TYPE => {
            let operand = read_argument(reader, values, &mut node)?;
            let value_type = type_of(read_argument(reader, values, &mut node)?, values)?;
            Condition::AttributeType(path_of(operand, "attribute_type", values)?, value_type)
        }
        code::BEGINS_WITH => {
            let first = read_argument(reader, values, &mut node)?;
            Condition::BeginsWith(first, read_argument(reader, values, &mut node)?)
        }
        code::CONTAINS => {
            let first = read_argument(reader, values, &mut node)?;
            Condition::Contains(first, read_argument(reader, values, &mut node)?)
        }
        _ => return Err(malformed("an expression node that is no condition")),
    };
    node.end(reader)?;
    Ok(condition)
}

fn compare(
    reader: &mut Reader<'_>,
    values: &mut Values<'_>,
    node: &mut Node,
    comparator: Comparator,
) -> Result<Condition, Error> {
    let first = read_argument(reader, values, node)?;
    Ok(Condition::Compare(comparator, first, read_argument(reader, values, node)?))
}

fn path_of(operand: Operand, function: &str, values: &Values<'_>) -> Result<Path, Error> {
    match operand {
        Operand::Path(path) => Ok(path),
        Operand::Value(_) | Operand::Size(_) => Err(values.invalid(&format!(
            "Operator or function requires a document path; operator or function: {function}"
        ))),
    }
}

/// The type that the second operand of `attribute_type` names.
fn type_of(operand: Operand, values: &Values<'_>) -> Result<ValueType, Error> {
    let found = match operand {
        Operand::Value(AttributeValue::S(name)) => {
            return ValueType::from_name(&name).ok_or_else(|| {
                values.invalid(&format!(
                    "Invalid attribute type name found; type: {name}, valid types: \
                     {{S,SS,N,NS,B,BS,BOOL,NULL,L,M}}"
                ))
            });
        }
        Operand::Value(value) => value.value_type().name(),
        Operand::Size(_) => ValueType::N.name(),
        // Any type may stand at a path, and the service lists its internal ones too.
        Operand::Path(_) => {
            "{S,SS,N,NS,B,BS,BOOL,NULL,L,M,HD,DOUBLE,FLOAT,HDS,FS,DOUBLESET,DICT,DECIMAL,INT,DECIMALSET,INTSET}"
        }
    };
    Err(values.invalid(&format!(
        "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {found}"
    )))
}

/// The terms of an AND or OR. The chain to the right is walked, not recursed into: it is how long expressions look.
fn read_terms(
    reader: &mut Reader<'_>,
    values: &mut Values<'_>,
    outer: &mut Node,
) -> Result<Vec<Condition>, Error> {
    outer.argument(reader)?;
    let mut terms = vec![read(reader, values)?];
    outer.argument(reader)?;
    let mut chain: Vec<Node> = Vec::new();
    loop {
        let mut ahead = *reader;
        let mut next = Node::open(&mut ahead)?;
        if next.code != outer.code {
            break;
        }
        *reader = ahead;
        next.argument(reader)?;
        terms.push(read(reader, values)?);
        next.argument(reader)?;
        chain.push(next);
    }
    terms.push(read(reader, values)?);
    for mut node in chain.into_iter().rev() {
        node.end(reader)?;
    }
    Ok(terms)
}

fn read_argument(
    reader: &mut Reader<'_>,
    values: &mut Values<'_>,
    node: &mut Node,
) -> Result<Operand, Error> {
    node.argument(reader)?;
    read_operand(reader, values)
}

fn read_operand(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<Operand, Error> {
    values.node()?;
    let mut node = Node::open(reader)?;
    let operand = match node.code {
        code::PATH => Operand::Path(read_path(reader, &mut node)?),
        code::VALUE => {
            node.argument(reader)?;
            Operand::Value(values.get(reader.int_as()?)?)
        }
        code::SIZE => Operand::Size(Box::new(read_argument(reader, values, &mut node)?)),
        _ => return Err(malformed("an expression node that is no operand of a condition")),
    };
    node.end(reader)?;
    Ok(operand)
}

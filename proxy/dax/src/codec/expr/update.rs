//! Updates: an array of actions, the sections of the text flattened in their order.

use std::borrow::Cow;

use api::expr::{Path, SetOperand, SetValue, Update, UpdateAction};
use api::{AttributeValue, Error};

use super::{Node, Used, Values, code, malformed, node, read_path, read_path_node, write_path};
use crate::cbor::{Reader, write};

/// An action in the form that has a node here.
pub(super) fn as_written(action: &UpdateAction) -> Cow<'_, UpdateAction> {
    let UpdateAction::Append(path, values) = action else { return Cow::Borrowed(action) };
    let empty = SetOperand::Value(AttributeValue::L(Vec::new()));
    let there = SetOperand::IfNotExists(path.clone(), Box::new(empty));
    let more = SetOperand::Value(AttributeValue::L(values.clone()));
    let joined = SetOperand::ListAppend(Box::new(there), Box::new(more));
    Cow::Owned(UpdateAction::Set(path.clone(), SetValue::Operand(joined)))
}

/// Appends actions that went through [`as_written`].
pub(super) fn write<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, actions: &'a [Cow<'a, UpdateAction>]) {
    write::array(out, actions.len());
    for action in actions {
        match &**action {
            UpdateAction::Set(path, value) => {
                node(out, code::SET, 2);
                write_path(out, path);
                write_set_value(out, used, value);
            }
            UpdateAction::Add(path, value) => write_with_value(out, used, code::ADD, path, value),
            UpdateAction::Delete(path, value) => write_with_value(out, used, code::DELETE, path, value),
            UpdateAction::Remove(path) => {
                node(out, code::REMOVE, 1);
                write_path(out, path);
            }
            UpdateAction::Append(..) => unreachable!("`as_written` leaves no append"),
        }
    }
}

fn write_with_value<'a>(
    out: &mut Vec<u8>,
    used: &mut Used<'a>,
    code: u8,
    path: &Path,
    value: &'a AttributeValue,
) {
    node(out, code, 2);
    write_path(out, path);
    used.write(out, value);
}

fn write_set_value<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, value: &'a SetValue) {
    let (code, first, second) = match value {
        SetValue::Operand(operand) => return write_operand(out, used, operand),
        SetValue::Plus(first, second) => (code::PLUS, first, second),
        SetValue::Minus(first, second) => (code::MINUS, first, second),
    };
    node(out, code, 2);
    write_operand(out, used, first);
    write_operand(out, used, second);
}

fn write_operand<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, operand: &'a SetOperand) {
    match operand {
        SetOperand::Path(path) => write_path(out, path),
        SetOperand::Value(value) => used.write(out, value),
        SetOperand::IfNotExists(path, other) => {
            node(out, code::IF_NOT_EXISTS, 2);
            write_path(out, path);
            write_operand(out, used, other);
        }
        SetOperand::ListAppend(first, second) => {
            node(out, code::LIST_APPEND, 2);
            write_operand(out, used, first);
            write_operand(out, used, second);
        }
    }
}

/// Reads the actions of an update.
pub(super) fn read(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<Update, Error> {
    let mut elements = reader.array()?;
    let mut actions = Vec::new();
    while elements.more(reader)? {
        actions.push(read_action(reader, values)?);
    }
    Ok(Update { actions })
}

fn read_action(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<UpdateAction, Error> {
    values.node()?;
    let mut node = Node::open(reader)?;
    if !matches!(node.code, code::SET | code::ADD | code::DELETE | code::REMOVE) {
        return Err(malformed("an expression node that is no action of an update"));
    }
    node.argument(reader)?;
    let path = read_path_node(reader)?;
    let action = match node.code {
        code::REMOVE => UpdateAction::Remove(path),
        code::SET => {
            node.argument(reader)?;
            UpdateAction::Set(path, read_set_value(reader, values)?)
        }
        code => {
            node.argument(reader)?;
            let SetOperand::Value(value) = read_operand(reader, values)? else {
                return Err(malformed("an ADD or DELETE of something else than a value"));
            };
            if code == code::ADD { UpdateAction::Add(path, value) } else { UpdateAction::Delete(path, value) }
        }
    };
    node.end(reader)?;
    Ok(action)
}

fn read_set_value(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<SetValue, Error> {
    let mut ahead = *reader;
    let mut node = Node::open(&mut ahead)?;
    let join = match node.code {
        code::PLUS => SetValue::Plus,
        code::MINUS => SetValue::Minus,
        _ => return read_operand(reader, values).map(SetValue::Operand),
    };
    *reader = ahead;
    node.argument(reader)?;
    let first = read_operand(reader, values)?;
    node.argument(reader)?;
    let second = read_operand(reader, values)?;
    node.end(reader)?;
    Ok(join(first, second))
}

/// Reads an operand. As deep as the bytes are, which were bounded when they were stepped over.
fn read_operand(reader: &mut Reader<'_>, values: &mut Values<'_>) -> Result<SetOperand, Error> {
    values.node()?;
    let mut node = Node::open(reader)?;
    let operand = match node.code {
        code::PATH => SetOperand::Path(read_path(reader, &mut node)?),
        code::VALUE => {
            node.argument(reader)?;
            SetOperand::Value(values.get(reader.int_as()?)?)
        }
        code::IF_NOT_EXISTS => {
            node.argument(reader)?;
            let path = read_path_node(reader)?;
            node.argument(reader)?;
            SetOperand::IfNotExists(path, Box::new(read_operand(reader, values)?))
        }
        code::LIST_APPEND => {
            node.argument(reader)?;
            let first = read_operand(reader, values)?;
            node.argument(reader)?;
            SetOperand::ListAppend(Box::new(first), Box::new(read_operand(reader, values)?))
        }
        _ => return Err(malformed("an expression node that is no operand of an update")),
    };
    node.end(reader)?;
    Ok(operand)
}

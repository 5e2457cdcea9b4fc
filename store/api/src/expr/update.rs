//! What an update does to an item.
//!
//! Pure. Every action reads the item as it was before the update, so the order of actions shows nowhere but in which error
//! comes first. First all values are worked out, then all paths judged, and only then is anything changed: an update that
//! fails changes nothing. Whether it may touch an attribute (a key, say) is not known here; ask [`Update::touches`].

use std::borrow::Cow;

use super::projection::Selection;
use super::{Path, SetOperand, SetValue, Step, Update, UpdateAction};
use crate::error::Error;
use crate::item::Item;
use crate::limits::ITEM_BYTES;
use crate::value::{AttributeValue, Number, size};

const INVALID_PATH: &str = "The document path provided in the update expression is invalid for update";
const WRONG_TYPE: &str = "An operand in the update expression has an incorrect data type";
const NO_SUCH_ATTRIBUTE: &str =
    "The provided expression refers to an attribute that does not exist in the item";

/// What becomes of a path.
enum Change {
    Put(AttributeValue),
    Remove,
}

impl Update {
    /// The item after the update, and the paths it touched in the order of its actions. Where nothing stands yet, start
    /// from an item of the key attributes. Errors: a path that leads nowhere, an operand of the wrong type or missing, a
    /// number out of range, values larger than an item may be. Whether the whole item still fits is left to the caller.
    pub fn apply(&self, item: &Item) -> Result<(Item, Vec<Path>), Error> {
        let mut put_bytes = 0usize;
        let mut count = |value: &AttributeValue| {
            // No two paths overlap, so all that is put stands in the item at once. Without this, a few kilobytes of text
            // could make hundreds of copies of a large attribute before the item is found too large.
            put_bytes = put_bytes.saturating_add(size::value_bytes(value));
            if put_bytes > ITEM_BYTES {
                return Err(Error::validation("Item size to update has exceeded the maximum allowed size"));
            }
            Ok(())
        };
        let mut set = Vec::with_capacity(self.actions.len());
        for action in &self.actions {
            set.push(match action {
                UpdateAction::Set(_, value) => {
                    let value = set_value(value, item)?;
                    count(&value)?;
                    Some(Change::Put(value))
                }
                UpdateAction::Remove(_)
                | UpdateAction::Add(..)
                | UpdateAction::Delete(..)
                | UpdateAction::Append(..) => None,
            });
        }
        let mut changes: Vec<(&Path, Change)> = Vec::with_capacity(self.actions.len());
        for (action, set) in self.actions.iter().zip(set) {
            let path = action.path();
            check_parent(path, item)?;
            let existing = path.get(item);
            let change = match action {
                UpdateAction::Set(..) => set,
                // A position behind the end may be filled by another action; that is not what this one means.
                UpdateAction::Remove(_) => existing.is_some().then_some(Change::Remove),
                UpdateAction::Add(_, value) => {
                    let value = add(existing, value)?;
                    count(&value)?;
                    Some(Change::Put(value))
                }
                UpdateAction::Delete(_, value) => {
                    existing.map(|existing| delete(existing, value)).transpose()?
                }
                UpdateAction::Append(_, values) => {
                    let value = append(existing, values)?;
                    count(&value)?;
                    Some(Change::Put(value))
                }
            };
            changes.extend(change.map(|change| (path, change)));
        }
        let mut after = item.clone();
        make(&mut after, changes)?;
        Ok((after, self.actions.iter().map(|action| action.path().clone()).collect()))
    }

    /// Whether an action changes an attribute or a part of it.
    pub fn touches(&self, attribute: &str) -> bool {
        self.actions.iter().any(|action| action.path().attribute == attribute)
    }

    /// The part of an item that the update touches: of the item before it what `UPDATED_OLD` returns, of the item after
    /// it what `UPDATED_NEW` returns.
    pub fn touched_of(&self, item: &Item) -> Item {
        Selection::new(self.actions.iter().map(UpdateAction::path)).take_from(item)
    }
}

fn set_value(value: &SetValue, item: &Item) -> Result<AttributeValue, Error> {
    let number = |operand| match &*set_operand(operand, item)? {
        AttributeValue::N(number) => Ok(*number),
        _ => Err(Error::validation(WRONG_TYPE)),
    };
    let sum = |first: Number, second: Number| Ok(AttributeValue::N(first.checked_add(&second)?));
    match value {
        SetValue::Operand(operand) => Ok(set_operand(operand, item)?.into_owned()),
        SetValue::Plus(first, second) => sum(number(first)?, number(second)?),
        SetValue::Minus(first, second) => sum(number(first)?, number(second)?.negate()),
    }
}

fn set_operand<'a>(operand: &'a SetOperand, item: &'a Item) -> Result<Cow<'a, AttributeValue>, Error> {
    match operand {
        SetOperand::Value(value) => Ok(Cow::Borrowed(value)),
        SetOperand::Path(path) => {
            path.get(item).map(Cow::Borrowed).ok_or_else(|| Error::validation(NO_SUCH_ATTRIBUTE))
        }
        SetOperand::IfNotExists(path, other) => match path.get(item) {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => set_operand(other, item),
        },
        SetOperand::ListAppend(first, second) => {
            let mut list = list(set_operand(first, item)?)?;
            list.extend(self::list(set_operand(second, item)?)?);
            Ok(Cow::Owned(AttributeValue::L(list)))
        }
    }
}

fn list(value: Cow<'_, AttributeValue>) -> Result<Vec<AttributeValue>, Error> {
    match value {
        Cow::Owned(AttributeValue::L(list)) => Ok(list),
        Cow::Borrowed(AttributeValue::L(list)) => Ok(list.clone()),
        _ => Err(Error::validation(WRONG_TYPE)),
    }
}

/// A number added, or a set united. Nothing counts as 0 or as the empty set.
fn add(existing: Option<&AttributeValue>, value: &AttributeValue) -> Result<AttributeValue, Error> {
    Ok(match (existing, value) {
        (
            None,
            AttributeValue::N(_) | AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_),
        ) => value.clone(),
        (Some(AttributeValue::N(old)), AttributeValue::N(more)) => AttributeValue::N(old.checked_add(more)?),
        (Some(AttributeValue::Ss(old)), AttributeValue::Ss(more)) => AttributeValue::Ss(old | more),
        (Some(AttributeValue::Ns(old)), AttributeValue::Ns(more)) => AttributeValue::Ns(old | more),
        (Some(AttributeValue::Bs(old)), AttributeValue::Bs(more)) => AttributeValue::Bs(old | more),
        _ => return Err(Error::validation(WRONG_TYPE)),
    })
}

/// A set without some elements. A set that would be empty goes altogether.
fn delete(existing: &AttributeValue, value: &AttributeValue) -> Result<Change, Error> {
    let (left, empty) = match (existing, value) {
        (AttributeValue::Ss(old), AttributeValue::Ss(gone)) => {
            let left = old - gone;
            let empty = left.is_empty();
            (AttributeValue::Ss(left), empty)
        }
        (AttributeValue::Ns(old), AttributeValue::Ns(gone)) => {
            let left = old - gone;
            let empty = left.is_empty();
            (AttributeValue::Ns(left), empty)
        }
        (AttributeValue::Bs(old), AttributeValue::Bs(gone)) => {
            let left = old - gone;
            let empty = left.is_empty();
            (AttributeValue::Bs(left), empty)
        }
        _ => return Err(Error::validation(WRONG_TYPE)),
    };
    Ok(if empty { Change::Remove } else { Change::Put(left) })
}

/// The legacy ADD of a list.
fn append(existing: Option<&AttributeValue>, values: &[AttributeValue]) -> Result<AttributeValue, Error> {
    match existing {
        None => Ok(AttributeValue::L(values.to_vec())),
        Some(AttributeValue::L(old)) => Ok(AttributeValue::L([old, values].concat())),
        Some(_) => Err(Error::validation("Type mismatch for attribute to update")),
    }
}

/// All but the last step must lead to a map or a list, as the last step needs.
fn check_parent(path: &Path, item: &Item) -> Result<(), Error> {
    let Some((last, parents)) = path.steps.split_last() else { return Ok(()) };
    let parent = super::path::walk(item, &path.attribute, parents);
    match (parent, last) {
        (Some(AttributeValue::M(_)), Step::Field(_)) | (Some(AttributeValue::L(_)), Step::Index(_)) => Ok(()),
        _ => Err(Error::validation(INVALID_PATH)),
    }
}

/// Makes the changes. Puts come first, by ascending path: within a list that keeps every old position, and what goes
/// behind the end is appended in the order of the positions asked for. Removals follow by descending path, so that none
/// moves what another means.
fn make(item: &mut Item, changes: Vec<(&Path, Change)>) -> Result<(), Error> {
    let mut puts = Vec::with_capacity(changes.len());
    let mut removals = Vec::new();
    for (path, change) in changes {
        match change {
            Change::Put(value) => puts.push((path, value)),
            Change::Remove => removals.push(path),
        }
    }
    puts.sort_by_key(|(path, _)| *path);
    removals.sort_unstable_by(|one, two| two.cmp(one));
    for (path, value) in puts {
        let Some(last) = path.steps.last() else {
            item.0.insert(path.attribute.clone(), value);
            continue;
        };
        match (parent_mut(item, path), last) {
            (Some(AttributeValue::M(map)), Step::Field(name)) => {
                map.insert(name.clone(), value);
            }
            (Some(AttributeValue::L(list)), Step::Index(index)) => match list.get_mut(*index as usize) {
                Some(old) => *old = value,
                None => list.push(value),
            },
            _ => return Err(Error::validation(INVALID_PATH)),
        }
    }
    // A long list loses many elements at once, so they are only marked here and taken out together.
    let mut removals = removals.into_iter().peekable();
    while let Some(path) = removals.next() {
        let Some((last, parents)) = path.steps.split_last() else {
            item.0.remove(&path.attribute);
            continue;
        };
        match (parent_mut(item, path), last) {
            (Some(AttributeValue::M(map)), Step::Field(name)) => {
                map.remove(name);
            }
            (Some(AttributeValue::L(list)), Step::Index(index)) => {
                let mut gone = vec![*index];
                while let Some(next) = removals.next_if(|next| is_sibling(path, next, parents.len())) {
                    gone.extend(next.steps.last().and_then(|step| match step {
                        Step::Index(index) => Some(*index),
                        Step::Field(_) => None,
                    }));
                }
                take_out(list, &gone);
            }
            _ => return Err(Error::validation(INVALID_PATH)),
        }
    }
    Ok(())
}

/// Whether two paths name elements of one list.
fn is_sibling(one: &Path, two: &Path, depth: usize) -> bool {
    one.attribute == two.attribute
        && two.steps.len() == depth + 1
        && one.steps[..depth] == two.steps[..depth]
        && matches!(two.steps[depth], Step::Index(_))
}

/// Removes elements, given by descending position.
fn take_out(list: &mut Vec<AttributeValue>, gone: &[u32]) {
    let mut gone = gone.iter().rev().peekable();
    let mut position = 0;
    list.retain(|_| {
        let keep = gone.next_if(|gone| **gone == position).is_none();
        position += 1;
        keep
    });
}

fn parent_mut<'a>(item: &'a mut Item, path: &Path) -> Option<&'a mut AttributeValue> {
    let (_, parents) = path.steps.split_last()?;
    let mut value = item.0.get_mut(&path.attribute)?;
    for step in parents {
        value = match (value, step) {
            (AttributeValue::M(map), Step::Field(name)) => map.get_mut(name)?,
            (AttributeValue::L(list), Step::Index(index)) => list.get_mut(*index as usize)?,
            _ => return None,
        };
    }
    Some(value)
}

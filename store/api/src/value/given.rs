//! Values as a wire gave them: what the service refuses about a single value, in its words.
//!
//! For all codecs: each reads shapes of its own and judges none. A codec of text reads a value whatever is wrong with it, notes the
//! first thing wrong, and the operation reports that in its turn.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{AttributeValue, Number};
use crate::error::Error;
use crate::limits;

/// The first thing found wrong with values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problems(Option<Error>);

impl Problems {
    /// Notes a problem, unless one was noted before.
    pub fn note(&mut self, problem: impl FnOnce() -> Error) {
        if self.0.is_none() {
            self.0 = Some(problem());
        }
    }

    /// Whether something was wrong. What comes then is never looked at and need not be built.
    pub const fn any(&self) -> bool {
        self.0.is_some()
    }

    /// The first one.
    pub fn into_first(self) -> Option<Error> {
        self.0
    }

    /// The value, or one that is never looked at and a note of what was wrong with it.
    pub fn sound(&mut self, value: Result<AttributeValue, Error>) -> AttributeValue {
        value.unwrap_or_else(|error| {
            self.note(|| error);
            AttributeValue::Null
        })
    }
}

fn invalid(what: &str) -> Error {
    Error::validation(format!("One or more parameter values were invalid: {what}"))
}

/// A value without a type.
pub fn empty() -> Error {
    Error::validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

/// A value with several types.
pub fn several() -> Error {
    Error::validation(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
    )
}

/// A value nested deeper than may be stored.
pub fn too_deep() -> Error {
    Error::validation(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
    )
}

/// Judges the name of an attribute.
pub fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(invalid("Empty attribute name"));
    }
    if name.len() > limits::ATTRIBUTE_NAME_BYTES {
        return Err(invalid(&format!(
            "Attribute name is too large, must be less than {} bytes",
            limits::ATTRIBUTE_NAME_BYTES + 1
        )));
    }
    Ok(())
}

/// The null value, which says `true`.
pub fn null(said: bool) -> Result<AttributeValue, Error> {
    if said {
        return Ok(AttributeValue::Null);
    }
    Err(invalid("Null attribute value types must have the value of true"))
}

/// A number from its text.
pub fn number(text: &str) -> Result<AttributeValue, Error> {
    Ok(AttributeValue::N(Number::parse(text)?))
}

/// A set of strings.
pub fn string_set(given: Vec<String>) -> Result<AttributeValue, Error> {
    if given.is_empty() {
        return Err(invalid("An string set  may not be empty"));
    }
    let count = given.len();
    let set: BTreeSet<String> = given.iter().cloned().collect();
    if set.len() == count {
        return Ok(AttributeValue::Ss(set));
    }
    Err(invalid(&format!("Input collection [{}] contains duplicates.", given.join(", "))))
}

/// A set of numbers from their texts.
pub fn number_set<'a>(given: impl IntoIterator<Item = &'a str>) -> Result<AttributeValue, Error> {
    set_of_numbers(given.into_iter().map(Number::parse).collect::<Result<_, _>>()?)
}

/// A set of numbers.
pub fn set_of_numbers(given: Vec<Number>) -> Result<AttributeValue, Error> {
    if given.is_empty() {
        return Err(invalid("An number set  may not be empty"));
    }
    let count = given.len();
    let set: BTreeSet<Number> = given.into_iter().collect();
    if set.len() != count {
        return Err(Error::validation("Input collection contains duplicates"));
    }
    Ok(AttributeValue::Ns(set))
}

/// A set of binaries.
pub fn binary_set(given: Vec<Bytes>) -> Result<AttributeValue, Error> {
    use base64::Engine;
    if given.is_empty() {
        return Err(invalid("Binary sets should not be empty"));
    }
    let set: BTreeSet<Bytes> = given.iter().cloned().collect();
    if set.len() == given.len() {
        return Ok(AttributeValue::Bs(set));
    }
    let shown: Vec<String> =
        given.iter().map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)).collect();
    Err(invalid(&format!("Input collection [{}]of type BS contains duplicates.", shown.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_problem_is_kept() {
        let mut problems = Problems::default();
        assert!(!problems.any());
        assert_eq!(problems.sound(number("12")), AttributeValue::N(Number::from(12)));
        assert_eq!(problems.sound(null(false)), AttributeValue::Null);
        problems.note(empty);
        assert!(problems.any());
        assert_eq!(
            problems.into_first().map(|error| error.message.into_owned()).as_deref(),
            Some(
                "One or more parameter values were invalid: Null attribute value types must have the value of true"
            )
        );
    }

    #[test]
    fn sets_are_neither_empty_nor_do_they_repeat() {
        let text = |result: Result<AttributeValue, Error>| result.unwrap_err().message.into_owned();
        let prefix = "One or more parameter values were invalid: ";
        assert_eq!(text(string_set(vec![])), format!("{prefix}An string set  may not be empty"));
        assert_eq!(
            text(string_set(vec!["a".into(), "a".into()])),
            format!("{prefix}Input collection [a, a] contains duplicates.")
        );
        assert_eq!(text(number_set([])), format!("{prefix}An number set  may not be empty"));
        assert_eq!(text(number_set(["1", "1.0"])), "Input collection contains duplicates");
        assert_eq!(text(binary_set(vec![])), format!("{prefix}Binary sets should not be empty"));
        let twice = vec![Bytes::from_static(b"a"), Bytes::from_static(b"a")];
        assert_eq!(
            text(binary_set(twice)),
            format!("{prefix}Input collection [YQ==, YQ==]of type BS contains duplicates.")
        );
    }
}

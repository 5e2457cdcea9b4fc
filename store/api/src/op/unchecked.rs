//! Values a text protocol carried, before their operation asks whether they are sound.
//!
//! Decoding makes the checked tree at once and keeps the first thing wrong with it, because the service reports other
//! faults of the request first. A value with a problem never leaves [`Unchecked::check`], so what stands in its place in
//! the meantime does not matter. Protocols that carry trees (DAX) use [`Unchecked::sound`].

use std::collections::BTreeMap;

use crate::error::Error;
use crate::value::AttributeValue;

/// A value and the first thing wrong with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unchecked<T> {
    value: T,
    problem: Option<Box<Error>>,
}

impl<T> Unchecked<T> {
    /// A value with what was found wrong while it was made.
    pub fn new(value: T, problem: Option<Error>) -> Unchecked<T> {
        Unchecked { value, problem: problem.map(Box::new) }
    }

    /// A value nothing is wrong with.
    pub fn sound(value: T) -> Unchecked<T> {
        Unchecked { value, problem: None }
    }

    /// The value, or what is wrong with it.
    pub fn check(self) -> Result<T, Error> {
        match self.problem {
            None => Ok(self.value),
            Some(problem) => Err(*problem),
        }
    }

    /// The value as far as it could be made, for messages.
    pub fn as_found(&self) -> &T {
        &self.value
    }

    /// The value as far as it could be made, and what is wrong with it.
    pub fn into_parts(self) -> (T, Option<Error>) {
        (self.value, self.problem.map(|problem| *problem))
    }
}

/// `ExpressionAttributeNames`.
pub type Names = BTreeMap<String, String>;

/// `ExpressionAttributeValues`.
pub type Values = BTreeMap<String, Unchecked<AttributeValue>>;

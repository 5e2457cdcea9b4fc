//! The grammars: text to a raw tree that still holds placeholders, and notes on what the service complains of later.
//!
//! Nothing here recurses with the text but calls of functions inside calls, which stop at [`CALL_DEPTH`]: parentheses of
//! conditions are kept on a stack of our own. A raw tree is at most as deep as the operators in a client's 4,096 bytes of text, or
//! as [`TREE_DEPTH`] in a node's; it is built on only after they were counted. Only syntax errors, and a node's depth, end a parse;
//! what else is wrong is noted, because the service reports some of it in another order than that of the text.

mod condition;
mod paths;
mod update;

pub(super) use condition::parse_condition;
pub(super) use paths::{Call, RawOperand, RawPath, RawStep, parse_projection};
pub(super) use update::{RawAction, RawSetValue, parse_update};

use super::check::{TREE_DEPTH, too_many_operators};
use super::names::Author;
use super::reserved::is_reserved;
use super::token::{Cursor, Token};
use super::{Comparator, parse::paths::Problem};
use crate::limits::EXPRESSION_OPERATORS;

/// Deepest nesting of calls that is still parsed. Ours: no valid expression nests calls deeper than a few levels, so past
/// this the text is refused with the error it would get in the end.
const CALL_DEPTH: usize = 32;

/// A condition as written; leaves borrow from the text.
#[derive(Debug)]
pub(super) enum RawCondition<'a> {
    And(Vec<RawCondition<'a>>),
    Or(Vec<RawCondition<'a>>),
    Not(Box<RawCondition<'a>>),
    Compare(Comparator, RawOperand<'a>, RawOperand<'a>),
    Between(RawOperand<'a>, RawOperand<'a>, RawOperand<'a>),
    In(RawOperand<'a>, Vec<RawOperand<'a>>),
    Call(Call<'a>),
}

/// Which grammar a text follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    Condition,
    Projection,
    Update,
}

impl Grammar {
    /// Whether a word is a keyword here and so can't be a name.
    fn is_keyword(self, word: &str) -> bool {
        let keywords: &[&str] = match self {
            Grammar::Condition => &["AND", "OR", "NOT", "BETWEEN", "IN"],
            Grammar::Update => &["SET", "REMOVE", "ADD", "DELETE"],
            Grammar::Projection => &[],
        };
        keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
    }
}

/// A parse under way. Each note keeps the first of its kind.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    cursor: Cursor<'a>,
    grammar: Grammar,
    author: Author,
    operators: usize,
    /// Parentheses that are open around a term, and NOT before it.
    levels: usize,
    redundant_parentheses: bool,
    function: Option<String>,
    misused: Option<&'a str>,
    reserved: Option<&'a str>,
    range: Option<String>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, grammar: Grammar, author: Author) -> Result<Parser<'a>, String> {
        let cursor = Cursor::new(text);
        if cursor.token() == Token::End {
            return Err("The expression can not be empty;".to_owned());
        }
        Ok(Parser {
            cursor,
            grammar,
            author,
            operators: 0,
            levels: 0,
            redundant_parentheses: false,
            function: None,
            misused: None,
            reserved: None,
            range: None,
        })
    }

    /// What was noted, in the order in which the service reports it. Undefined placeholders, overlaps and types come
    /// after all of these.
    fn check_notes(self) -> Result<(), String> {
        if self.operators > EXPRESSION_OPERATORS && self.author == Author::Client {
            return Err(too_many_operators());
        }
        if self.redundant_parentheses {
            return Err("The expression has redundant parentheses;".to_owned());
        }
        let reserved = self
            .reserved
            .map(|word| format!("Attribute name is a reserved keyword; reserved keyword: {word}"));
        let misused = self.misused.map(misused_function);
        // Only updates put reserved words before functions.
        let notes = match self.grammar {
            Grammar::Condition | Grammar::Projection => [self.function, misused, reserved, self.range],
            Grammar::Update => [reserved, self.function, misused, self.range],
        };
        notes.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    fn syntax_error<T>(&self) -> Result<T, Problem> {
        Err(Problem(self.cursor.syntax_error()))
    }

    fn expect(&mut self, token: Token<'_>) -> Result<(), Problem> {
        if self.cursor.take(token) { Ok(()) } else { self.syntax_error() }
    }

    /// Counts an operator or a function.
    fn count_operator(&mut self) {
        self.operators += 1;
    }

    /// Goes a level deeper. A client's text is too short to go deep; a node's ends at what its trees may have.
    fn open_level(&mut self) -> Result<(), Problem> {
        self.levels += 1;
        if self.levels > TREE_DEPTH && self.author == Author::Node {
            return Err(Problem(too_many_operators()));
        }
        Ok(())
    }

    fn close_levels(&mut self, levels: usize) {
        self.levels -= levels;
    }

    fn note_word(&mut self, word: &'a str) {
        if self.reserved.is_none() && is_reserved(word) {
            self.reserved = Some(word);
        }
    }
}

fn misused_function(name: &str) -> String {
    format!("The function is not allowed to be used this way in an expression; function: {name}")
}

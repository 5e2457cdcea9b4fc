//! Document paths, operands and calls, which all grammars share, and the whole grammar of projections.

use super::{CALL_DEPTH, Grammar, Parser, misused_function};
use crate::expr::names::Author;
use crate::expr::token::Token;

/// The part of an error's message that follows the parameter's name.
#[derive(Debug)]
pub(in crate::expr) struct Problem(pub(super) String);

/// A step of a path as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum RawStep<'a> {
    Word(&'a str),
    Placeholder(&'a str),
    Index(u32),
}

/// A path as written. Most are one name, which needs no list.
#[derive(Debug)]
pub(in crate::expr) struct RawPath<'a> {
    /// Never an index.
    pub(in crate::expr) first: RawStep<'a>,
    pub(in crate::expr) rest: Vec<RawStep<'a>>,
}

/// An operand as written.
#[derive(Debug)]
pub(in crate::expr) enum RawOperand<'a> {
    Path(RawPath<'a>),
    /// `:value`.
    Value(&'a str),
    Call(Call<'a>),
}

/// A call of a function.
#[derive(Debug)]
pub(in crate::expr) struct Call<'a> {
    pub(in crate::expr) function: &'a str,
    pub(in crate::expr) arguments: Vec<RawOperand<'a>>,
}

const CONDITION_FUNCTIONS: [&str; 6] =
    ["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"];
const UPDATE_FUNCTIONS: [&str; 2] = ["if_not_exists", "list_append"];

/// Parses a projection. Errors: syntax, then reserved words.
pub(in crate::expr) fn parse_projection(text: &str, author: Author) -> Result<Vec<RawPath<'_>>, String> {
    let mut parser = Parser::new(text, Grammar::Projection, author)?;
    let paths = parser.path_list().map_err(|problem| problem.0)?;
    parser.check_notes()?;
    Ok(paths)
}

impl<'a> Parser<'a> {
    fn path_list(&mut self) -> Result<Vec<RawPath<'a>>, Problem> {
        let mut paths = vec![self.path()?];
        while self.cursor.take(Token::Comma) {
            paths.push(self.path()?);
        }
        self.expect(Token::End)?;
        Ok(paths)
    }

    /// A path without parentheses.
    pub(super) fn path(&mut self) -> Result<RawPath<'a>, Problem> {
        let first = self.name()?;
        self.path_from(first)
    }

    fn path_from(&mut self, first: RawStep<'a>) -> Result<RawPath<'a>, Problem> {
        let mut path = RawPath { first, rest: Vec::new() };
        self.path_steps(&mut path)?;
        Ok(path)
    }

    /// The steps that follow a path's beginning; says whether there were any.
    pub(super) fn path_steps(&mut self, path: &mut RawPath<'a>) -> Result<bool, Problem> {
        let before = path.rest.len();
        loop {
            if self.cursor.take(Token::Dot) {
                path.rest.push(self.name()?);
            } else if self.cursor.take(Token::OpenIndex) {
                let Token::Digits(digits) = self.cursor.token() else { return self.syntax_error() };
                self.cursor.advance();
                self.expect(Token::CloseIndex)?;
                path.rest.push(RawStep::Index(self.index(digits)));
            } else {
                return Ok(path.rest.len() > before);
            }
        }
    }

    fn index(&mut self, digits: &str) -> u32 {
        match digits.parse::<u32>() {
            Ok(index) if index <= i32::MAX as u32 => index,
            _ => {
                let problem = format!("List index is not within the allowable range; index: [{digits}]");
                self.range.get_or_insert(problem);
                0
            }
        }
    }

    fn name(&mut self) -> Result<RawStep<'a>, Problem> {
        let step = match self.cursor.token() {
            Token::Word(word) if !self.grammar.is_keyword(word) => {
                self.note_word(word);
                RawStep::Word(word)
            }
            Token::Name(placeholder) => RawStep::Placeholder(placeholder),
            _ => return self.syntax_error(),
        };
        self.cursor.advance();
        Ok(step)
    }

    /// An operand without parentheses around it. `depth` counts the calls it stands in.
    pub(super) fn operand(&mut self, depth: usize) -> Result<RawOperand<'a>, Problem> {
        match self.cursor.token() {
            Token::Value(placeholder) => {
                self.cursor.advance();
                Ok(RawOperand::Value(placeholder))
            }
            Token::Word(word) if !self.grammar.is_keyword(word) => {
                self.cursor.advance();
                if self.cursor.take(Token::Open) {
                    return self.call(word, depth).map(RawOperand::Call);
                }
                self.note_word(word);
                self.path_from(RawStep::Word(word)).map(RawOperand::Path)
            }
            Token::Name(_) => self.path().map(RawOperand::Path),
            _ => self.syntax_error(),
        }
    }

    /// An operand, perhaps in parentheses.
    pub(super) fn operand_in_parentheses(&mut self, depth: usize) -> Result<RawOperand<'a>, Problem> {
        let mut open = 0usize;
        while self.cursor.take(Token::Open) {
            open += 1;
        }
        let mut operand = self.operand(depth)?;
        let mut wrapped = false;
        for _ in 0..open {
            self.expect(Token::Close)?;
            wrapped = self.close_operand(&mut operand, wrapped)?;
        }
        Ok(operand)
    }

    /// After the parenthesis that closes an operand: notes a pair too many, and reads on where a path goes on behind it,
    /// as in `(a).b`. Says whether the operand now ends with a parenthesis around all of it.
    pub(super) fn close_operand(
        &mut self,
        operand: &mut RawOperand<'a>,
        wrapped: bool,
    ) -> Result<bool, Problem> {
        self.redundant_parentheses |= wrapped;
        match operand {
            RawOperand::Path(path) => Ok(!self.path_steps(path)?),
            RawOperand::Value(_) | RawOperand::Call(_) => Ok(true),
        }
    }

    /// A call from behind its opening parenthesis.
    fn call(&mut self, function: &'a str, depth: usize) -> Result<Call<'a>, Problem> {
        if depth >= CALL_DEPTH {
            return Err(Problem(misused_function(function)));
        }
        let mut arguments = vec![self.operand_in_parentheses(depth + 1)?];
        while self.cursor.take(Token::Comma) {
            arguments.push(self.operand_in_parentheses(depth + 1)?);
        }
        self.expect(Token::Close)?;
        self.count_operator();
        self.note_misused(&arguments);
        self.note_function(function);
        Ok(Call { function, arguments })
    }

    /// Notes a call that stands where only a value may. Inside a condition only `size` yields one, inside an update only
    /// `if_not_exists`.
    pub(super) fn note_misused<'b>(&mut self, operands: impl IntoIterator<Item = &'b RawOperand<'a>>)
    where
        'a: 'b,
    {
        let allowed = match self.grammar {
            Grammar::Condition | Grammar::Projection => "size",
            Grammar::Update => "if_not_exists",
        };
        if self.misused.is_none() {
            self.misused = operands.into_iter().find_map(|operand| match operand {
                // A function the grammar doesn't know has an error of its own.
                RawOperand::Call(call) if call.function != allowed && self.knows(call.function) => {
                    Some(call.function)
                }
                RawOperand::Call(_) | RawOperand::Path(_) | RawOperand::Value(_) => None,
            });
        }
    }

    fn knows(&self, function: &str) -> bool {
        match self.grammar {
            Grammar::Condition | Grammar::Projection => CONDITION_FUNCTIONS.contains(&function),
            Grammar::Update => UPDATE_FUNCTIONS.contains(&function),
        }
    }

    fn note_function(&mut self, function: &str) {
        if self.function.is_some() || self.knows(function) {
            return;
        }
        let elsewhere = CONDITION_FUNCTIONS.contains(&function) || UPDATE_FUNCTIONS.contains(&function);
        self.function = Some(match self.grammar {
            Grammar::Update if elsewhere => {
                format!("The function is not allowed in an update expression; function: {function}")
            }
            Grammar::Condition if elsewhere => {
                format!("The function is not allowed in a condition expression; function: {function}")
            }
            Grammar::Condition | Grammar::Projection | Grammar::Update => {
                format!("Invalid function name; function: {function}")
            }
        });
    }
}

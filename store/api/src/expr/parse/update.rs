//! The grammar of updates.

use super::paths::Problem;
use super::{Grammar, Parser, RawOperand, RawPath};
use crate::expr::names::Author;
use crate::expr::token::Token;

/// The four sections of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::expr) enum Section {
    Set,
    Remove,
    Add,
    Delete,
}

impl Section {
    const ALL: [Section; 4] = [Section::Set, Section::Remove, Section::Add, Section::Delete];

    pub(in crate::expr) const fn keyword(self) -> &'static str {
        match self {
            Section::Set => "SET",
            Section::Remove => "REMOVE",
            Section::Add => "ADD",
            Section::Delete => "DELETE",
        }
    }
}

/// The right side of SET as written.
#[derive(Debug)]
pub(in crate::expr) enum RawSetValue<'a> {
    Operand(RawOperand<'a>),
    Plus(RawOperand<'a>, RawOperand<'a>),
    Minus(RawOperand<'a>, RawOperand<'a>),
}

/// An action as written.
#[derive(Debug)]
pub(in crate::expr) enum RawAction<'a> {
    Set(RawPath<'a>, RawSetValue<'a>),
    Remove(RawPath<'a>),
    /// The name of the value follows the path.
    Add(RawPath<'a>, &'a str),
    Delete(RawPath<'a>, &'a str),
}

/// The actions of an update, and the first section that came twice.
pub(in crate::expr) type RawUpdate<'a> = (Vec<RawAction<'a>>, Option<Section>);

/// Parses an update. Errors: syntax, operator count, redundant parentheses, reserved words, functions.
pub(in crate::expr) fn parse_update(text: &str, author: Author) -> Result<RawUpdate<'_>, String> {
    let mut parser = Parser::new(text, Grammar::Update, author)?;
    let update = parser.sections().map_err(|problem| problem.0)?;
    parser.check_notes()?;
    Ok(update)
}

impl<'a> Parser<'a> {
    fn sections(&mut self) -> Result<RawUpdate<'a>, Problem> {
        let mut actions = Vec::new();
        let mut seen: Vec<Section> = Vec::with_capacity(Section::ALL.len());
        let mut twice = None;
        while self.cursor.token() != Token::End {
            let token = self.cursor.token();
            let Some(section) = Section::ALL.into_iter().find(|section| token.is(section.keyword())) else {
                return self.syntax_error();
            };
            self.cursor.advance();
            if !seen.contains(&section) {
                seen.push(section);
            } else if twice.is_none() {
                twice = Some(section);
            }
            actions.push(self.action(section)?);
            while self.cursor.take(Token::Comma) {
                actions.push(self.action(section)?);
            }
        }
        Ok((actions, twice))
    }

    fn action(&mut self, section: Section) -> Result<RawAction<'a>, Problem> {
        let path = self.path()?;
        match section {
            Section::Set => {
                self.expect(Token::Comparator(crate::expr::Comparator::Eq))?;
                Ok(RawAction::Set(path, self.set_value()?))
            }
            Section::Remove => Ok(RawAction::Remove(path)),
            Section::Add => Ok(RawAction::Add(path, self.value()?)),
            Section::Delete => Ok(RawAction::Delete(path, self.value()?)),
        }
    }

    fn value(&mut self) -> Result<&'a str, Problem> {
        let Token::Value(placeholder) = self.cursor.token() else { return self.syntax_error() };
        self.cursor.advance();
        Ok(placeholder)
    }

    /// An operand, or the sum or difference of two, perhaps in parentheses. Which of the opened parentheses belong to the
    /// first operand alone shows only where they close.
    fn set_value(&mut self) -> Result<RawSetValue<'a>, Problem> {
        let mut open = 0usize;
        while self.cursor.take(Token::Open) {
            open += 1;
        }
        let mut first = self.operand(0)?;
        let mut wrapped = false;
        while open > 0 && self.cursor.take(Token::Close) {
            open -= 1;
            wrapped = self.close_operand(&mut first, wrapped)?;
        }
        let kind = match self.cursor.token() {
            Token::Plus => RawSetValue::Plus,
            Token::Minus => RawSetValue::Minus,
            _ if open > 0 => return self.syntax_error(),
            _ => return Ok(RawSetValue::Operand(first)),
        };
        self.cursor.advance();
        self.count_operator();
        let second = self.operand_in_parentheses(0)?;
        for closed in 0..open {
            self.expect(Token::Close)?;
            self.redundant_parentheses |= closed > 0;
        }
        Ok(kind(first, second))
    }
}

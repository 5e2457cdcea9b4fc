//! The grammar of conditions, filters and key conditions.

use super::paths::Problem;
use super::{Grammar, Parser, RawCondition, RawOperand};
use crate::expr::names::Author;
use crate::expr::token::Token;

/// What stands between one parenthesis and the next, as far as it was read.
#[derive(Debug, Default)]
struct Group<'a> {
    /// Terms joined by OR, complete.
    any: Vec<RawCondition<'a>>,
    /// Terms of the AND under way, complete.
    all: Vec<RawCondition<'a>>,
    /// How many NOT stand before the term under way.
    nots: usize,
}

impl<'a> Group<'a> {
    fn is_fresh(&self) -> bool {
        self.any.is_empty() && self.all.is_empty() && self.nots == 0
    }

    /// Joins the complete terms and the last one.
    fn join(self, last: RawCondition<'a>) -> RawCondition<'a> {
        let all = join(self.all, last, RawCondition::And);
        join(self.any, all, RawCondition::Or)
    }
}

/// Parses a condition. Errors: syntax, operator count, redundant parentheses, functions, reserved words.
pub(in crate::expr) fn parse_condition(text: &str, author: Author) -> Result<RawCondition<'_>, String> {
    let mut parser = Parser::new(text, Grammar::Condition, author)?;
    let condition = parser.condition().map_err(|problem| problem.0)?;
    parser.check_notes()?;
    Ok(condition)
}

/// A term, and whether parentheses stand around all of it.
type Term<'a> = (RawCondition<'a>, bool);

impl<'a> Parser<'a> {
    fn condition(&mut self) -> Result<RawCondition<'a>, Problem> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut group = Group::default();
        loop {
            if self.cursor.token().is("NOT") {
                self.cursor.advance();
                self.count_operator();
                self.open_level()?;
                group.nots += 1;
                continue;
            }
            if self.cursor.take(Token::Open) {
                self.open_level()?;
                groups.push(std::mem::take(&mut group));
                continue;
            }
            let mut term = self.term(&mut groups, &mut group)?;
            loop {
                let nots = std::mem::take(&mut group.nots);
                self.close_levels(nots);
                for _ in 0..nots {
                    term = (RawCondition::Not(Box::new(term.0)), false);
                }
                if self.cursor.token().is("AND") {
                    self.cursor.advance();
                    self.count_operator();
                    group.all.push(term.0);
                    break;
                }
                if self.cursor.token().is("OR") {
                    self.cursor.advance();
                    self.count_operator();
                    let all = join(std::mem::take(&mut group.all), term.0, RawCondition::And);
                    group.any.push(all);
                    break;
                }
                match self.cursor.token() {
                    Token::Close if !groups.is_empty() => {
                        self.cursor.advance();
                        self.close_levels(1);
                        let closed = std::mem::replace(&mut group, groups.pop().expect("it isn't empty"));
                        self.redundant_parentheses |= closed.is_fresh() && term.1;
                        term = (closed.join(term.0), true);
                    }
                    Token::End if groups.is_empty() => return Ok(group.join(term.0)),
                    _ => return self.syntax_error(),
                }
            }
        }
    }

    /// One comparison, BETWEEN, IN or call. Parentheses that were opened for its first operand alone are closed here.
    fn term(&mut self, groups: &mut Vec<Group<'a>>, group: &mut Group<'a>) -> Result<Term<'a>, Problem> {
        let mut first = self.operand(0)?;
        let mut wrapped = false;
        while group.is_fresh() && self.cursor.token() == Token::Close {
            let Some(outer) = groups.pop() else { break };
            *group = outer;
            self.cursor.advance();
            self.close_levels(1);
            wrapped = self.close_operand(&mut first, wrapped)?;
        }
        let token = self.cursor.token();
        if let Token::Comparator(comparator) = token {
            self.cursor.advance();
            let second = self.operand_in_parentheses(0)?;
            self.count_operator();
            self.note_misused([&first, &second]);
            return Ok((RawCondition::Compare(comparator, first, second), false));
        }
        if token.is("BETWEEN") {
            self.cursor.advance();
            let lower = self.operand_in_parentheses(0)?;
            if !self.cursor.token().is("AND") {
                return self.syntax_error();
            }
            self.cursor.advance();
            let upper = self.operand_in_parentheses(0)?;
            self.count_operator();
            self.note_misused([&first, &lower, &upper]);
            return Ok((RawCondition::Between(first, lower, upper), false));
        }
        if token.is("IN") {
            self.cursor.advance();
            self.expect(Token::Open)?;
            let mut list = vec![self.operand_in_parentheses(0)?];
            while self.cursor.take(Token::Comma) {
                list.push(self.operand_in_parentheses(0)?);
            }
            self.expect(Token::Close)?;
            self.count_operator();
            self.note_misused(std::iter::once(&first).chain(&list));
            return Ok((RawCondition::In(first, list), false));
        }
        let RawOperand::Call(call) = first else { return self.syntax_error() };
        if call.function == "size" {
            self.misused.get_or_insert(call.function);
        }
        Ok((RawCondition::Call(call), wrapped))
    }
}

/// Puts a last term behind others of its kind, without a level for what is one already.
fn join<'a>(
    mut terms: Vec<RawCondition<'a>>,
    last: RawCondition<'a>,
    kind: fn(Vec<RawCondition<'a>>) -> RawCondition<'a>,
) -> RawCondition<'a> {
    if terms.is_empty() {
        return last;
    }
    terms.push(last);
    kind(terms)
}

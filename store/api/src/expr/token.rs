//! Tokens of expression text.
//!
//! One pass, nothing copied: a token borrows from the text. Every character belongs to some token or is white space; what
//! no grammar knows becomes a [`Token::Stray`], so that the parser alone decides what a syntax error is and the message
//! names the same token as the service does. A word starts with a letter: `_id` is a stray `_` and the word `id`.

use super::Comparator;

/// A token of expression text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, a function or an attribute name; which of them, the place tells.
    Word(&'a str),
    /// `#name`.
    Name(&'a str),
    /// `:value`.
    Value(&'a str),
    /// A run of decimal digits.
    Digits(&'a str),
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`.
    Comparator(Comparator),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenIndex,
    /// `]`
    CloseIndex,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// A character of no grammar.
    Stray(&'a str),
    /// The end of the text.
    End,
}

impl<'a> Token<'a> {
    /// Whether it is this keyword, in any case.
    pub(super) fn is(self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Where a token stands in the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

/// Reads tokens one by one and remembers as much as a syntax error quotes.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    current: Token<'a>,
    span: Span,
    previous: Option<Span>,
}

impl<'a> Cursor<'a> {
    /// Stands on the first token.
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        let (current, span) = lex(text, 0);
        Cursor { text, current, span, previous: None }
    }

    /// The token it stands on.
    pub(super) fn token(&self) -> Token<'a> {
        self.current
    }

    /// Moves on.
    pub(super) fn advance(&mut self) {
        self.previous = Some(self.span);
        (self.current, self.span) = lex(self.text, self.span.end);
    }

    /// Moves on if it stands on this token.
    pub(super) fn take(&mut self, token: Token<'_>) -> bool {
        let found = self.current == token;
        if found {
            self.advance();
        }
        found
    }

    /// The syntax error of the token it stands on. Quotes the text from the token before to the token after.
    pub(super) fn syntax_error(&self) -> String {
        let start = self.previous.unwrap_or(self.span).start;
        let (token, end) = match (self.current, self.previous) {
            (Token::End, Some(previous)) => ("<EOF>", previous.end),
            (Token::End, None) => ("<EOF>", self.span.end),
            _ => {
                let (next, after) = lex(self.text, self.span.end);
                let end = if next == Token::End { self.span.end } else { after.end };
                (&self.text[self.span.start..self.span.end], end)
            }
        };
        format!("Syntax error; token: \"{token}\", near: \"{}\"", &self.text[start..end])
    }
}

/// The token at or after a byte position that lies on a character boundary.
fn lex(text: &str, from: usize) -> (Token<'_>, Span) {
    let bytes = text.as_bytes();
    let mut start = from;
    while start < bytes.len() && matches!(bytes[start], b' ' | b'\t' | b'\r' | b'\n') {
        start += 1;
    }
    let Some(&first) = bytes.get(start) else {
        return (Token::End, Span { start: bytes.len(), end: bytes.len() });
    };
    let symbol = |token, width| (token, Span { start, end: start + width });
    let run = |from: usize, belongs: fn(u8) -> bool| {
        bytes[from..].iter().position(|&byte| !belongs(byte)).map_or(bytes.len(), |length| from + length)
    };
    match first {
        b'(' => symbol(Token::Open, 1),
        b')' => symbol(Token::Close, 1),
        b'[' => symbol(Token::OpenIndex, 1),
        b']' => symbol(Token::CloseIndex, 1),
        b',' => symbol(Token::Comma, 1),
        b'.' => symbol(Token::Dot, 1),
        b'+' => symbol(Token::Plus, 1),
        b'-' => symbol(Token::Minus, 1),
        b'=' => symbol(Token::Comparator(Comparator::Eq), 1),
        b'<' => match bytes.get(start + 1) {
            Some(b'=') => symbol(Token::Comparator(Comparator::Le), 2),
            Some(b'>') => symbol(Token::Comparator(Comparator::Ne), 2),
            _ => symbol(Token::Comparator(Comparator::Lt), 1),
        },
        b'>' => match bytes.get(start + 1) {
            Some(b'=') => symbol(Token::Comparator(Comparator::Ge), 2),
            _ => symbol(Token::Comparator(Comparator::Gt), 1),
        },
        b'#' | b':' if bytes.get(start + 1).is_some_and(|&byte| is_word_part(byte)) => {
            let end = run(start + 1, is_word_part);
            let placeholder = &text[start..end];
            let token = if first == b'#' { Token::Name(placeholder) } else { Token::Value(placeholder) };
            (token, Span { start, end })
        }
        b'0'..=b'9' => {
            let end = run(start, |byte| byte.is_ascii_digit());
            (Token::Digits(&text[start..end]), Span { start, end })
        }
        b'a'..=b'z' | b'A'..=b'Z' => {
            let end = run(start, is_word_part);
            (Token::Word(&text[start..end]), Span { start, end })
        }
        _ => {
            let width = text[start..].chars().next().map_or(1, char::len_utf8);
            (Token::Stray(&text[start..start + width]), Span { start, end: start + width })
        }
    }
}

/// Whether a byte may stand inside a word or a placeholder.
pub(super) fn is_word_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

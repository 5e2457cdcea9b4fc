//! A pull reader over a request or response body.
//!
//! Strings without escapes are borrowed from the body. The typed readers (`text`, `flag`, `integer`, …) answer `None` for
//! `null`, which the service treats as an absent field, and name a wrong type as the service names it.

use std::borrow::Cow;

use api::{Error, ErrorKind};
use base64::Engine;

/// Deepest nesting followed, levels. Attribute values end at 32 levels, which take 64 of these and a few around them;
/// nesting past that limit but within this one is still read, so that it can be refused by the limit's own message.
pub const DEPTH_MAX: u32 = 1000;

/// What stands next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// A string.
    String,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// The error for a body that is not JSON. The service gives no message with it.
pub fn malformed() -> Error {
    Error::new(ErrorKind::SerializationException, "")
}

fn refused(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::SerializationException, message)
}

/// What a value found in the place of a field or map value is called when its type is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A member of a structure.
    Field,
    /// An element of a list or a value of a map.
    Value,
}

/// Reads one body from front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Starts at the front of a body. Errors: `SerializationException` if it is empty or not UTF-8.
    pub fn new(body: &'a [u8]) -> Result<Reader<'a>, Error> {
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        if text.is_empty() {
            return Err(malformed());
        }
        Ok(Reader { text, at: 0, depth: 0 })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    fn take(&mut self, expected: u8) -> Result<(), Error> {
        self.space();
        if self.byte() == Some(expected) {
            self.at += 1;
            return Ok(());
        }
        Err(malformed())
    }

    /// The kind of the next value, which stays where it is.
    pub fn peek(&mut self) -> Result<Kind, Error> {
        self.space();
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(malformed()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(malformed())
    }

    /// Takes a `null`, if that is what stands next.
    pub fn null(&mut self) -> Result<bool, Error> {
        if self.peek()? == Kind::Null {
            self.word("null")?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Refuses whatever follows the value but white space.
    pub fn end(&mut self) -> Result<(), Error> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(malformed()) }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(malformed()) } else { Ok(()) }
    }

    /// Reads an object, giving each name and the reader, which must take the value, to `member`.
    pub fn members(
        &mut self,
        mut member: impl FnMut(&mut Reader<'a>, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.take(b'{')?;
        self.enter()?;
        self.space();
        if self.byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.space();
                let name = self.quoted()?;
                self.take(b':')?;
                member(self, name)?;
                self.space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(malformed()),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array, giving the reader, which must take the value, to `element`.
    pub fn elements(
        &mut self,
        mut element: impl FnMut(&mut Reader<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.take(b'[')?;
        self.enter()?;
        self.space();
        if self.byte() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                element(self)?;
                self.space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b']') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(malformed()),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Takes a string.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.byte() != Some(b'"') {
            return Err(malformed());
        }
        self.at += 1;
        let start = self.at;
        self.plain_run();
        match self.byte() {
            Some(b'"') => {
                let text = &self.text[start..self.at];
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => self.escaped(start).map(Cow::Owned),
            _ => Err(malformed()),
        }
    }

    /// Moves to the next byte of a string that is not simply itself.
    fn plain_run(&mut self) {
        self.at += super::plain_bytes(&self.text.as_bytes()[self.at..]);
    }

    fn escaped(&mut self, start: usize) -> Result<String, Error> {
        let mut text = String::from(&self.text[start..self.at]);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(malformed()),
            }
            let run = self.at;
            self.plain_run();
            text.push_str(&self.text[run..self.at]);
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.byte().ok_or_else(malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if (0xD800..0xDC00).contains(&first) {
                    self.take_exact(b"\\u")?;
                    let second = self.hex()?;
                    if !(0xDC00..0xE000).contains(&second) {
                        return Err(malformed());
                    }
                    let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    char::from_u32(code).ok_or_else(malformed)?
                } else {
                    // The second half of a pair by itself is no character.
                    char::from_u32(first).ok_or_else(malformed)?
                }
            }
            _ => return Err(malformed()),
        })
    }

    fn take_exact(&mut self, expected: &[u8]) -> Result<(), Error> {
        if self.text.as_bytes()[self.at..].starts_with(expected) {
            self.at += expected.len();
            return Ok(());
        }
        Err(malformed())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(malformed)?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + (*digit as char).to_digit(16).ok_or_else(malformed)?;
        }
        self.at += 4;
        Ok(code)
    }

    /// Takes a number and gives its text.
    fn digits(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let run = |at: &mut usize| {
            let from = *at;
            while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            *at > from
        };
        let mut at = start;
        if bytes.get(at) == Some(&b'-') {
            at += 1;
        }
        let whole = at;
        if !run(&mut at) || (bytes[whole] == b'0' && at > whole + 1) {
            return Err(malformed());
        }
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            if !run(&mut at) {
                return Err(malformed());
            }
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            if let Some(b'+' | b'-') = bytes.get(at) {
                at += 1;
            }
            if !run(&mut at) {
                return Err(malformed());
            }
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    /// Takes any value and forgets it. Iterative: nesting costs a bit a level, not a stack frame.
    pub fn skip(&mut self) -> Result<(), Error> {
        // One entry a level that was entered here: whether it is an object.
        let mut open: Vec<bool> = Vec::new();
        loop {
            match self.peek()? {
                Kind::Object => {
                    self.at += 1;
                    self.enter()?;
                    self.space();
                    if self.byte() == Some(b'}') {
                        self.at += 1;
                        self.depth -= 1;
                    } else {
                        self.quoted()?;
                        self.take(b':')?;
                        open.push(true);
                        continue;
                    }
                }
                Kind::Array => {
                    self.at += 1;
                    self.enter()?;
                    self.space();
                    if self.byte() == Some(b']') {
                        self.at += 1;
                        self.depth -= 1;
                    } else {
                        open.push(false);
                        continue;
                    }
                }
                Kind::String => {
                    self.quoted()?;
                }
                Kind::Number => {
                    self.digits()?;
                }
                Kind::True => self.word("true")?,
                Kind::False => self.word("false")?,
                Kind::Null => self.word("null")?,
            }
            // A value ended: close what it was the last of, or move on to its neighbour.
            loop {
                let Some(object) = open.last().copied() else { return Ok(()) };
                self.space();
                match (self.byte(), object) {
                    (Some(b','), true) => {
                        self.at += 1;
                        self.space();
                        self.quoted()?;
                        self.take(b':')?;
                        break;
                    }
                    (Some(b','), false) => {
                        self.at += 1;
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        self.depth -= 1;
                        open.pop();
                    }
                    _ => return Err(malformed()),
                }
            }
        }
    }

    /// The token's name as the service writes it, for the scalar that stands next. Takes it.
    fn scalar_name(&mut self) -> Result<&'static str, Error> {
        Ok(match self.peek()? {
            Kind::String => {
                self.quoted()?;
                "STRING_VALUE"
            }
            Kind::Number => {
                let whole = self.digits()?.bytes().all(|b| b.is_ascii_digit() || b == b'-');
                if whole { "NUMBER_VALUE" } else { "DECIMAL_VALUE" }
            }
            Kind::True => {
                self.word("true")?;
                "TRUE_VALUE"
            }
            Kind::False => {
                self.word("false")?;
                "FALSE_VALUE"
            }
            Kind::Object | Kind::Array | Kind::Null => return Err(malformed()),
        })
    }

    fn wrong_scalar(&mut self, class: &str) -> Error {
        match self.peek() {
            Ok(Kind::Object) => refused("Start of structure or map found where not expected"),
            Ok(Kind::Array) => refused(format!("Unrecognized collection type class java.lang.{class}")),
            Ok(_) => match self.scalar_name() {
                Ok(name) => refused(format!("{name} cannot be converted to {class}")),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    /// A string.
    pub fn text(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| None),
            Kind::String => self.quoted().map(Some),
            _ => Err(self.wrong_scalar("String")),
        }
    }

    /// A string of one's own.
    pub fn string(&mut self) -> Result<Option<String>, Error> {
        Ok(self.text()?.map(Cow::into_owned))
    }

    /// A boolean. The service also takes the strings `true`, `yes`, `1` and `false`, `no`, `0` in any case.
    pub fn flag(&mut self) -> Result<Option<bool>, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| None),
            Kind::True => self.word("true").map(|()| Some(true)),
            Kind::False => self.word("false").map(|()| Some(false)),
            Kind::String => {
                let text = self.quoted()?;
                let is = |word: &&str| text.eq_ignore_ascii_case(word);
                if ["true", "yes", "1"].iter().any(&is) {
                    Ok(Some(true))
                } else if ["false", "no", "0"].iter().any(is) {
                    Ok(Some(false))
                } else {
                    Err(refused("Unexpected token received from parser"))
                }
            }
            _ => Err(self.wrong_scalar("Boolean")),
        }
    }

    fn whole(&mut self, class: &'static str, least: i64, most: i64) -> Result<Option<i64>, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| None),
            Kind::Number => {
                let digits = self.digits()?;
                let value = match digits.parse::<i64>() {
                    Ok(value) => value,
                    // A fraction or an exponent: the service drops what is behind the point.
                    Err(_) if digits.contains(['.', 'e', 'E']) => {
                        let value = digits.parse::<f64>().map_err(|_| malformed())?.trunc();
                        // Both bounds are exact in f64 or lie beyond what either end allows.
                        if value < least as f64 || value > most as f64 {
                            return Err(malformed());
                        }
                        value as i64
                    }
                    Err(_) => return Err(malformed()),
                };
                if value < least || value > most {
                    return Err(malformed());
                }
                Ok(Some(value))
            }
            _ => Err(self.wrong_scalar(class)),
        }
    }

    /// A 32-bit number.
    pub fn integer(&mut self) -> Result<Option<i64>, Error> {
        self.whole("Integer", i64::from(i32::MIN), i64::from(i32::MAX))
    }

    /// A 64-bit number.
    pub fn long(&mut self) -> Result<Option<i64>, Error> {
        self.whole("Long", i64::MIN, i64::MAX)
    }

    /// A number with a fraction.
    pub fn double(&mut self) -> Result<Option<f64>, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| None),
            Kind::Number => Ok(Some(self.digits()?.parse().map_err(|_| malformed())?)),
            _ => Err(self.wrong_scalar("Double")),
        }
    }

    /// Bytes in base64.
    pub fn blob(&mut self) -> Result<Option<bytes::Bytes>, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| None),
            Kind::String => {
                let text = self.quoted()?;
                if text.len() % 4 != 0 {
                    return Err(refused(format!(
                        "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                        text.len()
                    )));
                }
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(text.as_bytes())
                    .map_err(|_| refused("Invalid last non-pad Base64 character dectected"))?;
                Ok(Some(bytes.into()))
            }
            Kind::Object => Err(refused("Start of structure or map found where not expected")),
            Kind::Array => Err(refused("Unrecognized collection type class java.nio.ByteBuffer")),
            _ => Err(refused("only base-64-encoded strings are convertible to bytes")),
        }
    }

    /// A list, given element by element; `false` for `null`.
    pub fn list(&mut self, element: impl FnMut(&mut Reader<'a>) -> Result<(), Error>) -> Result<bool, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| false),
            Kind::Array => self.elements(element).map(|()| true),
            Kind::Object => Err(refused("Start of structure or map found where not expected")),
            _ => Err(refused("Unexpected field type")),
        }
    }

    /// A map of `class`, given member by member; `false` for `null`.
    pub fn map(
        &mut self,
        class: &str,
        member: impl FnMut(&mut Reader<'a>, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        match self.peek()? {
            Kind::Null => self.word("null").map(|()| false),
            Kind::Object => self.members(member).map(|()| true),
            Kind::Array => Err(refused(format!(
                "Unrecognized collection type java.util.Map<java.lang.String, {}>",
                class_name(class)
            ))),
            _ => Err(refused("Unexpected field type")),
        }
    }

    /// A structure of `class`, given member by member; `false` for `null`.
    pub fn structure(
        &mut self,
        class: &str,
        place: Place,
        member: impl FnMut(&mut Reader<'a>, Cow<'a, str>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        match (self.peek()?, place) {
            (Kind::Null, _) => self.word("null").map(|()| false),
            (Kind::Object, _) => self.members(member).map(|()| true),
            (Kind::Array, _) => {
                Err(refused(format!("Unrecognized collection type class {}", class_name(class))))
            }
            (_, Place::Field) => Err(refused("Unexpected field type")),
            (_, Place::Value) => Err(refused("Unexpected value type in payload")),
        }
    }
}

/// The service's own name of a shape: those without a package are its model's.
fn class_name(class: &str) -> Cow<'_, str> {
    if class.contains('.') {
        Cow::Borrowed(class)
    } else {
        Cow::Owned(format!("com.amazonaws.dynamodb.v20120810.{class}"))
    }
}

#[cfg(test)]
mod tests;

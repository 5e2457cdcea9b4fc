//! Writes JSON into a byte vector. No value is held: what is written is already on its way out.

use base64::Engine;

/// Writes a string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text.as_bytes());
    out.push(b'"');
}

/// What a byte that does not stand for itself becomes: `u` for `\u00xx`, else the letter behind the backslash.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = b'u';
        at += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 1);
    let mut rest = bytes;
    loop {
        let (plain, special) = rest.split_at(super::plain_bytes(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        rest = after;
        let escape = ESCAPES[usize::from(byte)];
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(b"00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// Writes bytes as a base64 string with its quotes.
pub fn blob(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, 0);
    let written = base64::engine::general_purpose::STANDARD
        .encode_slice(bytes, &mut out[from..])
        .expect("the space was made to measure");
    out.truncate(from + written);
    out.push(b'"');
}

/// Writes `true` or `false`.
pub fn flag(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a whole number.
pub fn integer(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a finite number as the service does: always with a point.
pub fn double(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite(), "capacities and sizes are finite");
    out.extend_from_slice(format!("{value:?}").as_bytes());
}

/// Writes seconds with three decimals from milliseconds, as the service dates things.
pub fn seconds(out: &mut Vec<u8>, millis: u64) {
    integer(out, millis / 1000);
    out.extend_from_slice(format!(".{:03}", millis % 1000).as_bytes());
}

/// An object being written: names and commas in their places.
#[derive(Debug)]
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Opens an object.
    pub fn new(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// Writes a name that needs no escaping and gives the place its value goes to.
    pub fn field(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes any name and gives the place its value goes to.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        self.comma();
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn comma(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    /// Writes a string field.
    pub fn text(&mut self, name: &'static str, value: &str) {
        string(self.field(name), value);
    }

    /// Writes an object field.
    pub fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::new(self.field(name));
        fill(&mut object);
        object.close();
    }

    /// Writes an array field.
    pub fn array(&mut self, name: &'static str, fill: impl FnOnce(&mut Array<'_>)) {
        let mut array = Array::new(self.field(name));
        fill(&mut array);
        array.close();
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// An array being written.
#[derive(Debug)]
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Array<'o> {
    /// Opens an array.
    pub fn new(out: &'o mut Vec<u8>) -> Array<'o> {
        out.push(b'[');
        Array { out, empty: true }
    }

    /// The place the next element goes to.
    pub fn element(&mut self) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out
    }

    /// Writes an object as the next element.
    pub fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::new(self.element());
        fill(&mut object);
        object.close();
    }

    /// Closes the array.
    pub fn close(self) {
        self.out.push(b']');
    }
}

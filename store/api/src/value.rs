//! Attribute values: the ten types, exact numbers, order of keys, billed size.

pub mod given;
pub mod number;
pub mod order;
pub mod size;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
pub use number::Number;

/// A value of an attribute. Sets are never empty and hold no value twice; both are checked where a request is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum AttributeValue {
    /// String, UTF-8.
    S(String),
    /// Number, up to 38 significant digits.
    N(Number),
    /// Binary.
    B(Bytes),
    /// Boolean.
    Bool(bool),
    /// The null value.
    Null,
    /// Map from names to values.
    M(BTreeMap<String, AttributeValue>),
    /// List.
    L(Vec<AttributeValue>),
    /// Set of strings, in order of their bytes.
    Ss(BTreeSet<String>),
    /// Set of numbers, in numeric order.
    Ns(BTreeSet<Number>),
    /// Set of binaries, in order of their bytes.
    Bs(BTreeSet<Bytes>),
}

/// The type of a value, named as the service names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum ValueType {
    /// `S`.
    S,
    /// `N`.
    N,
    /// `B`.
    B,
    /// `BOOL`.
    Bool,
    /// `NULL`.
    Null,
    /// `M`.
    M,
    /// `L`.
    L,
    /// `SS`.
    Ss,
    /// `NS`.
    Ns,
    /// `BS`.
    Bs,
}

impl ValueType {
    /// Every type, in the order of [`AttributeValue`]'s variants.
    pub const ALL: [ValueType; 10] = [
        ValueType::S,
        ValueType::N,
        ValueType::B,
        ValueType::Bool,
        ValueType::Null,
        ValueType::M,
        ValueType::L,
        ValueType::Ss,
        ValueType::Ns,
        ValueType::Bs,
    ];

    /// The name on the wire, e.g. `BOOL`.
    pub const fn name(self) -> &'static str {
        match self {
            ValueType::S => "S",
            ValueType::N => "N",
            ValueType::B => "B",
            ValueType::Bool => "BOOL",
            ValueType::Null => "NULL",
            ValueType::M => "M",
            ValueType::L => "L",
            ValueType::Ss => "SS",
            ValueType::Ns => "NS",
            ValueType::Bs => "BS",
        }
    }

    /// The type of that wire name.
    pub fn from_name(name: &str) -> Option<ValueType> {
        ValueType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl AttributeValue {
    /// The value's type.
    pub const fn value_type(&self) -> ValueType {
        match self {
            AttributeValue::S(_) => ValueType::S,
            AttributeValue::N(_) => ValueType::N,
            AttributeValue::B(_) => ValueType::B,
            AttributeValue::Bool(_) => ValueType::Bool,
            AttributeValue::Null => ValueType::Null,
            AttributeValue::M(_) => ValueType::M,
            AttributeValue::L(_) => ValueType::L,
            AttributeValue::Ss(_) => ValueType::Ss,
            AttributeValue::Ns(_) => ValueType::Ns,
            AttributeValue::Bs(_) => ValueType::Bs,
        }
    }
    /// Levels of lists and maps: 0 for scalars and sets, 1 for a list of scalars.
    pub fn nesting(&self) -> usize {
        match self {
            AttributeValue::M(map) => 1 + map.values().map(AttributeValue::nesting).max().unwrap_or(0),
            AttributeValue::L(list) => 1 + list.iter().map(AttributeValue::nesting).max().unwrap_or(0),
            _ => 0,
        }
    }
}

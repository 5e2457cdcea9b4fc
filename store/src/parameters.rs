//! Parameters of the whole group: what an operator sets once, and every node obeys.
//!
//! They stand in the state and change by a command in the log, so they are durable, in order with all else, and the same on
//! every node. This room knows their names and bounds; what they mean is the business of whoever reads them. Names, and that
//! both are milliseconds, are DAX's.
//!
//! A parameter that was never set, or was unset, has no value: then whoever reads it takes what its own settings say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most that a time to live may be: a year. Unit: milliseconds.
pub const TTL_MILLIS_MAX: u64 = 365 * 24 * 60 * 60 * 1000;

/// A parameter. The numbers are on disk: fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Parameter {
    /// How long a cached item may be served; 0 is for ever.
    RecordTtlMillis = 1,
    /// How long a cached page may be served; 0 caches none.
    QueryTtlMillis = 2,
}

impl Parameter {
    /// All there are.
    pub const ALL: [Parameter; 2] = [Parameter::RecordTtlMillis, Parameter::QueryTtlMillis];

    /// Its name, as DAX has it.
    pub const fn name(self) -> &'static str {
        match self {
            Parameter::RecordTtlMillis => "record-ttl-millis",
            Parameter::QueryTtlMillis => "query-ttl-millis",
        }
    }

    /// The parameter of a name.
    pub fn named(name: &str) -> Option<Parameter> {
        Parameter::ALL.into_iter().find(|parameter| parameter.name() == name)
    }

    /// The most that it may be; the least is 0.
    pub const fn most(self) -> u64 {
        match self {
            Parameter::RecordTtlMillis | Parameter::QueryTtlMillis => TTL_MILLIS_MAX,
        }
    }

    /// Its number on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The parameter of a number.
    pub fn numbered(number: u8) -> Option<Parameter> {
        Parameter::ALL.into_iter().find(|parameter| parameter.number() == number)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of all parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters {
    record_ttl_millis: Option<u64>,
    query_ttl_millis: Option<u64>,
}

impl Parameters {
    /// The value of one; `None` where it is not set.
    pub fn get(&self, parameter: Parameter) -> Option<u64> {
        match parameter {
            Parameter::RecordTtlMillis => self.record_ttl_millis,
            Parameter::QueryTtlMillis => self.query_ttl_millis,
        }
    }

    /// Gives one a value, or takes it away.
    pub fn set(&mut self, parameter: Parameter, value: Option<u64>) {
        match parameter {
            Parameter::RecordTtlMillis => self.record_ttl_millis = value,
            Parameter::QueryTtlMillis => self.query_ttl_millis = value,
        }
    }
}

/// Why a parameter was not set. Each says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// Out of its bounds.
    #[error("{parameter} is 0 to {}, and not {value}", parameter.most())]
    OutOfBounds {
        /// Which.
        parameter: Parameter,
        /// What was asked for.
        value: u64,
    },
    /// Not every member could read the command.
    #[error(
        "parameters can be set once every member runs a version that knows them, and these have not said so within the last \
         two seconds: {}; upgrade them, start those that are down, or remove those that are gone", listed(.members)
    )]
    NotSupported {
        /// The members that are in the way.
        members: Vec<u64>,
    },
    /// The store's own reasons.
    #[error("{}", .0.message)]
    Store(api::Error),
}

fn listed(members: &[u64]) -> String {
    let members: Vec<String> = members.iter().map(|member| format!("member {member}")).collect();
    if members.is_empty() { "(all have by now; try again)".to_owned() } else { members.join(", ") }
}

/// Errors: a value out of bounds.
pub(crate) fn check(parameter: Parameter, value: Option<u64>) -> Result<(), ParameterError> {
    match value {
        Some(value) if value > parameter.most() => Err(ParameterError::OutOfBounds { parameter, value }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_values_belong_together() {
        let mut parameters = Parameters::default();
        for (at, parameter) in Parameter::ALL.into_iter().enumerate() {
            assert_eq!(Parameter::named(parameter.name()), Some(parameter));
            assert_eq!(Parameter::numbered(parameter.number()), Some(parameter));
            assert_eq!(parameters.get(parameter), None);
            parameters.set(parameter, Some(at as u64));
        }
        for (at, parameter) in Parameter::ALL.into_iter().enumerate() {
            assert_eq!(parameters.get(parameter), Some(at as u64));
        }
        assert_eq!((Parameter::named("ttl"), Parameter::numbered(0)), (None, None));
    }

    #[test]
    fn a_value_out_of_bounds_is_refused_with_the_bounds() {
        let parameter = Parameter::QueryTtlMillis;
        for value in [None, Some(0), Some(TTL_MILLIS_MAX)] {
            assert_eq!(check(parameter, value), Ok(()));
        }
        let refused = check(parameter, Some(TTL_MILLIS_MAX + 1)).unwrap_err().to_string();
        assert_eq!(refused, "query-ttl-millis is 0 to 31536000000, and not 31536000001");
    }
}

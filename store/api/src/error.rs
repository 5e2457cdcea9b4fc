//! Every error the service names. Only [`Error`] crosses the trait.

use std::borrow::Cow;

use crate::item::Item;

macro_rules! kinds {
    ($($name:ident, $fault:ident, $retry:literal;)*) => {
        /// DynamoDB's error names, alphabetically.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum ErrorKind { $(#[doc = concat!("`", stringify!($name), "`.")] $name),* }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name),*];
            /// The name as the service writes it.
            pub const fn name(self) -> &'static str { match self { $(ErrorKind::$name => stringify!($name)),* } }
            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<ErrorKind> {
                match name { $(stringify!($name) => Some(ErrorKind::$name),)* _ => None }
            }
            /// Whose fault it is.
            pub const fn fault(self) -> Fault { match self { $(ErrorKind::$name => Fault::$fault),* } }
            /// Whether the same request may succeed later.
            pub const fn is_retryable(self) -> bool { match self { $(ErrorKind::$name => $retry),* } }
        }
    };
}

/// Whose fault an error is; fronts turn it into 4xx or 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request can't be served as it is.
    Client,
    /// The request was fine.
    Server,
}

kinds! {
    AccessDeniedException,                    Client, false;
    ConditionalCheckFailedException,          Client, false;
    ExpiredTokenException,                    Client, false;
    IdempotentParameterMismatchException,     Client, false;
    IncompleteSignatureException,             Client, false;
    InternalServerError,                      Server, true;
    InvalidSignatureException,                Client, false;
    ItemCollectionSizeLimitExceededException, Client, false;
    LimitExceededException,                   Client, true;
    MissingAuthenticationTokenException,      Client, false;
    ProvisionedThroughputExceededException,   Client, true;
    RequestLimitExceeded,                     Client, true;
    ResourceInUseException,                   Client, false;
    ResourceNotFoundException,                Client, false;
    SerializationException,                   Client, false;
    ServiceUnavailableException,              Server, true;
    ThrottlingException,                      Client, true;
    TransactionCanceledException,             Client, false;
    TransactionConflictException,             Client, true;
    TransactionInProgressException,           Client, true;
    UnknownOperationException,                Client, false;
    UnrecognizedClientException,              Client, false;
    ValidationException,                      Client, false;
}

/// What an error carries besides its message.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Detail {
    /// The item that failed a condition, where the caller asked for it.
    Item(Item),
    /// Why each action of a transaction did or did not stand in the way, in the order of the request.
    Cancellation(Vec<CancellationReason>),
    /// The node that was asked is not the primary, and only the primary may answer. The request certainly had no effect. For
    /// whoever passes requests on between nodes; no wire to a client has a place for it.
    NotPrimary {
        /// The number of the node that is, as far as the asked one knows.
        primary: Option<u64>,
    },
    /// Nobody knows whether the write took effect, or will. As above, for between nodes.
    OutcomeUnknown,
}

/// Why one action of a transaction stood in the way.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct CancellationReason {
    /// `None` for an action that would have succeeded (code `None` on the wire).
    pub code: Option<CancellationCode>,
    /// The message, where there is a code.
    pub message: Option<String>,
    /// The item that failed the condition, where the caller asked for it.
    pub item: Option<Item>,
}

/// The codes of cancellation reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CancellationCode {
    /// The condition did not hold.
    ConditionalCheckFailed,
    /// An item collection would grow over its limit.
    ItemCollectionSizeLimitExceeded,
    /// Another transaction holds the item.
    TransactionConflict,
    /// Not enough provisioned throughput.
    ProvisionedThroughputExceeded,
    /// Throttled.
    ThrottlingError,
    /// The action is not valid for the item.
    ValidationError,
    /// The same item twice in one transaction.
    DuplicateItem,
}

impl CancellationCode {
    /// The code as the service writes it.
    pub const fn name(self) -> &'static str {
        match self {
            CancellationCode::ConditionalCheckFailed => "ConditionalCheckFailed",
            CancellationCode::ItemCollectionSizeLimitExceeded => "ItemCollectionSizeLimitExceeded",
            CancellationCode::TransactionConflict => "TransactionConflict",
            CancellationCode::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
            CancellationCode::ThrottlingError => "ThrottlingError",
            CancellationCode::ValidationError => "ValidationError",
            CancellationCode::DuplicateItem => "DuplicateItem",
        }
    }

    /// The code of a name.
    pub fn from_name(name: &str) -> Option<CancellationCode> {
        const ALL: [CancellationCode; 7] = [
            CancellationCode::ConditionalCheckFailed,
            CancellationCode::ItemCollectionSizeLimitExceeded,
            CancellationCode::TransactionConflict,
            CancellationCode::ProvisionedThroughputExceeded,
            CancellationCode::ThrottlingError,
            CancellationCode::ValidationError,
            CancellationCode::DuplicateItem,
        ];
        ALL.into_iter().find(|code| code.name() == name)
    }
}

/// An error as the service would send it.
#[derive(Debug, Clone, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{}: {message}", kind.name())]
pub struct Error {
    /// Which error.
    pub kind: ErrorKind,
    /// The message the caller sees. Causes of internal errors go to the log instead.
    pub message: Cow<'static, str>,
    /// What it carries besides.
    pub detail: Option<Box<Detail>>,
}

impl Error {
    /// An error with a message and nothing else.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error { kind, message: message.into(), detail: None }
    }

    /// A `ValidationException`.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(ErrorKind::ValidationException, message)
    }

    /// Whether the request was refused, certainly without effect, by a node that is not the primary.
    pub fn is_not_primary(&self) -> bool {
        matches!(self.detail.as_deref(), Some(Detail::NotPrimary { .. }))
    }

    /// Whether the write that got this answer may have taken effect, or may yet.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self.detail.as_deref(), Some(Detail::OutcomeUnknown))
    }

    /// The same error, carrying a detail.
    pub fn with(mut self, detail: Detail) -> Error {
        self.detail = Some(Box::new(detail));
        self
    }
}

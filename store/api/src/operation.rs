//! The one table of operations. A new operation is one row here, one file in [`crate::op`], one handler in the engine;
//! the compiler lists the rest.

use crate::op::*;

/// What an operation does to data, which decides where it may be answered and how it is routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpClass {
    /// Reads items. May be answered from a replica or a cache when the request allows it.
    Read,
    /// Changes items. Goes to the primary and through the log.
    Write,
    /// Reads table metadata.
    Describe,
    /// Changes table metadata. Goes to the primary and through the log.
    Control,
}

/// An answer that is already in the wire form its front asked for.
///
/// Shape: the whole body as it goes out. Errors: none. Made only by a cache that was given the front's own encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The wire form of `bytes`; always the one the request's context asked for.
    pub wire: crate::service::Wire,
    /// The whole body.
    pub bytes: bytes::Bytes,
    /// CRC32 (IEEE) of `bytes`, as `x-amz-crc32` carries it.
    pub crc32: u32,
}

macro_rules! operations {
    ($($name:ident, $class:ident, $dax:expr, $input:ident, $output:ident;)*) => {
        /// The name of an operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OpKind { $(#[doc = concat!("The operation `", stringify!($name), "`.")] $name),* }

        impl OpKind {
            /// Every operation, in the table's order.
            pub const ALL: &'static [OpKind] = &[$(OpKind::$name),*];

            /// The API name, as in `X-Amz-Target` after the dot.
            pub const fn name(self) -> &'static str {
                match self { $(OpKind::$name => stringify!($name)),* }
            }

            /// What the operation does to data.
            pub const fn class(self) -> OpClass {
                match self { $(OpKind::$name => OpClass::$class),* }
            }

            /// The DAX method id, where the DAX protocol has the operation.
            pub const fn dax_method(self) -> Option<i32> {
                match self { $(OpKind::$name => $dax),* }
            }

            /// The operation of that API name.
            pub fn from_name(name: &str) -> Option<OpKind> {
                match name { $(stringify!($name) => Some(OpKind::$name),)* _ => None }
            }

            /// The operation of that DAX method id.
            pub fn from_dax_method(id: i32) -> Option<OpKind> {
                OpKind::ALL.iter().copied().find(|op| op.dax_method() == Some(id))
            }
        }

        /// A request of values that cannot be malformed.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum Request { $(#[doc = concat!("Input of `", stringify!($name), "`.")] $name($input)),* }

        impl Request {
            /// Which operation this asks for.
            pub const fn kind(&self) -> OpKind {
                match self { $(Request::$name(_) => OpKind::$name),* }
            }
        }

        /// The answer to a [`Request`] of the same operation, or bytes that a front may send as they are.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Response {
            $(#[doc = concat!("Output of `", stringify!($name), "`.")] $name($output),)*
            /// The answer in the wire form that [`crate::Context::wire`] asked for.
            Ready(Ready),
        }

        $(
            impl From<$input> for Request {
                fn from(input: $input) -> Request { Request::$name(input) }
            }
            impl Operation for $input {
                type Output = $output;
                const KIND: OpKind = OpKind::$name;
                fn output(response: Response) -> Option<$output> {
                    match response { Response::$name(output) => Some(output), _ => None }
                }
            }
        )*
    };
}

/// Pairs an input with its output. Implemented by the table of operations only.
pub trait Operation: Into<Request> {
    /// What the service answers with.
    type Output;
    /// The operation's name.
    const KIND: OpKind;
    /// Takes the output out of a response; `None` if the response belongs to another operation or is already encoded.
    fn output(response: Response) -> Option<Self::Output>;
}

operations! {
    BatchGetItem,       Read,     Some(-697_851_100),   BatchGetItemInput,       BatchGetItemOutput;
    BatchWriteItem,     Write,    Some(116_217_951),    BatchWriteItemInput,     BatchWriteItemOutput;
    CreateTable,        Control,  None,                 CreateTableInput,        CreateTableOutput;
    DeleteItem,         Write,    Some(1_013_539_361),  DeleteItemInput,         DeleteItemOutput;
    DeleteTable,        Control,  None,                 DeleteTableInput,        DeleteTableOutput;
    DescribeEndpoints,  Describe, None,                 DescribeEndpointsInput,  DescribeEndpointsOutput;
    DescribeLimits,     Describe, None,                 DescribeLimitsInput,     DescribeLimitsOutput;
    DescribeTable,      Describe, None,                 DescribeTableInput,      DescribeTableOutput;
    GetItem,            Read,     Some(263_244_906),    GetItemInput,            GetItemOutput;
    ListTables,         Describe, None,                 ListTablesInput,         ListTablesOutput;
    ListTagsOfResource, Describe, None,                 ListTagsOfResourceInput, ListTagsOfResourceOutput;
    PutItem,            Write,    Some(-2_106_490_455), PutItemInput,            PutItemOutput;
    Query,              Read,     Some(-931_250_863),   QueryInput,              QueryOutput;
    Scan,               Read,     Some(-1_875_390_620), ScanInput,               ScanOutput;
    TagResource,        Control,  None,                 TagResourceInput,        TagResourceOutput;
    TransactGetItems,   Read,     Some(1_866_287_579),  TransactGetItemsInput,   TransactGetItemsOutput;
    TransactWriteItems, Write,    Some(-1_160_037_738), TransactWriteItemsInput, TransactWriteItemsOutput;
    UntagResource,      Control,  None,                 UntagResourceInput,      UntagResourceOutput;
    UpdateItem,         Write,    Some(1_425_579_023),  UpdateItemInput,         UpdateItemOutput;
    UpdateTable,        Control,  None,                 UpdateTableInput,        UpdateTableOutput;
}

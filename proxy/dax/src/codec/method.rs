//! What a request may ask for: the API's operations that this wire has, and the wire's own methods beside them.

use api::OpKind;

/// A method of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Says who calls. Has no answer; what is wrong with it is the error of the next request.
    AuthorizeConnection,
    /// The nodes of the cluster.
    Endpoints,
    /// The key schema of a table.
    DefineKeySchema,
    /// The id of an attribute list.
    DefineAttributeListId,
    /// The attribute list of an id.
    DefineAttributeList,
    /// An operation of the API; only those that have a method id.
    Operation(OpKind),
}

const AUTHORIZE_CONNECTION: i32 = 1_489_122_155;
const ENDPOINTS: i32 = 455_855_874;
const DEFINE_KEY_SCHEMA: i32 = -742_646_399;
const DEFINE_ATTRIBUTE_LIST_ID: i32 = -1_230_579_644;
const DEFINE_ATTRIBUTE_LIST: i32 = 670_678_385;

impl Method {
    /// The method of an id, if this wire has its layout.
    pub fn from_id(id: i64) -> Option<Method> {
        match i32::try_from(id).ok()? {
            AUTHORIZE_CONNECTION => Some(Method::AuthorizeConnection),
            ENDPOINTS => Some(Method::Endpoints),
            DEFINE_KEY_SCHEMA => Some(Method::DefineKeySchema),
            DEFINE_ATTRIBUTE_LIST_ID => Some(Method::DefineAttributeListId),
            DEFINE_ATTRIBUTE_LIST => Some(Method::DefineAttributeList),
            id => OpKind::from_dax_method(id).map(Method::Operation),
        }
    }

    /// The id; `None` for an operation that the wire lacks.
    pub const fn id(self) -> Option<i32> {
        match self {
            Method::AuthorizeConnection => Some(AUTHORIZE_CONNECTION),
            Method::Endpoints => Some(ENDPOINTS),
            Method::DefineKeySchema => Some(DEFINE_KEY_SCHEMA),
            Method::DefineAttributeListId => Some(DEFINE_ATTRIBUTE_LIST_ID),
            Method::DefineAttributeList => Some(DEFINE_ATTRIBUTE_LIST),
            Method::Operation(op) => op.dax_method(),
        }
    }

    /// How many values a request has behind its method id. Frames have no length: this is how their end is known.
    pub const fn request_values(self) -> u64 {
        match self {
            Method::AuthorizeConnection => 5,
            Method::Endpoints => 0,
            Method::DefineKeySchema | Method::DefineAttributeListId | Method::DefineAttributeList => 1,
            Method::Operation(op) => match op {
                OpKind::PutItem => 4,
                OpKind::Scan | OpKind::BatchGetItem | OpKind::BatchWriteItem => 2,
                OpKind::TransactGetItems => 4,
                OpKind::TransactWriteItems => 9,
                _ => 3,
            },
        }
    }

    /// How many values the answer has behind the empty array of a success. The first has no answer at all.
    pub const fn answer_values(self) -> u64 {
        match self {
            Method::AuthorizeConnection => 0,
            Method::Operation(OpKind::BatchGetItem) => 2,
            Method::Operation(OpKind::BatchWriteItem) => 3,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_its_methods() {
        let own = [
            Method::AuthorizeConnection,
            Method::Endpoints,
            Method::DefineKeySchema,
            Method::DefineAttributeListId,
            Method::DefineAttributeList,
        ];
        let operations = OpKind::ALL.iter().map(|op| Method::Operation(*op));
        let mut with_id = 0;
        for method in own.into_iter().chain(operations) {
            if let Some(id) = method.id() {
                assert_eq!(Method::from_id(i64::from(id)), Some(method));
                with_id += 1;
            }
        }
        assert_eq!(with_id, 15);
        // createTable, whose layout no client shows, and what no number of 32 bits is.
        assert_eq!(Method::from_id(-313_431_286), None);
        assert_eq!(Method::from_id(i64::MAX), None);
    }
}

//! What `X-Amz-Target` may say: the operations we have, and those DynamoDB has and we do not have yet.

use api::OpKind;

/// Where a request is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// An operation of ours.
    Operation(OpKind),
    /// An operation that the service has and we have not.
    NotYet(&'a str),
    /// Nothing the service knows.
    Unknown,
}

const SERVICE: &[u8] = b"DynamoDB_20120810.";
const STREAMS: &[u8] = b"DynamoDBStreams_20120810.";
const FIRST_VERSION: &[u8] = b"DynamoDB_20111205.";

/// Operations of the service (API version 2012-08-10) and of its streams that are not in our table of operations.
/// Source: the service's API models.
const NOT_YET: &[&str] = &[
    "BatchExecuteStatement",
    "CreateBackup",
    "CreateGlobalTable",
    "DeleteBackup",
    "DeleteResourcePolicy",
    "DescribeBackup",
    "DescribeContinuousBackups",
    "DescribeContributorInsights",
    "DescribeExport",
    "DescribeGlobalTable",
    "DescribeGlobalTableSettings",
    "DescribeImport",
    "DescribeKinesisStreamingDestination",
    "DescribeTableReplicaAutoScaling",
    "DescribeTimeToLive",
    "DisableKinesisStreamingDestination",
    "EnableKinesisStreamingDestination",
    "ExecuteStatement",
    "ExecuteTransaction",
    "ExportTableToPointInTime",
    "GetResourcePolicy",
    "ImportTable",
    "ListBackups",
    "ListContributorInsights",
    "ListExports",
    "ListGlobalTables",
    "ListImports",
    "PutResourcePolicy",
    "RestoreTableFromBackup",
    "RestoreTableToPointInTime",
    "UpdateContinuousBackups",
    "UpdateContributorInsights",
    "UpdateGlobalTable",
    "UpdateGlobalTableSettings",
    "UpdateKinesisStreamingDestination",
    "UpdateTableReplicaAutoScaling",
    "UpdateTimeToLive",
];
const STREAMS_NOT_YET: &[&str] = &["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
/// The operations of API version 2011-12-05, which no current SDK speaks.
const FIRST_VERSION_OPERATIONS: &[&str] = &[
    "BatchGetItem",
    "BatchWriteItem",
    "CreateTable",
    "DeleteItem",
    "DeleteTable",
    "DescribeTable",
    "GetItem",
    "ListTables",
    "PutItem",
    "Query",
    "Scan",
    "UpdateItem",
    "UpdateTable",
];

/// Reads a target.
pub(super) fn target(header: &[u8]) -> Target<'_> {
    let listed = |list: &[&str], name: &[u8]| list.iter().any(|known| known.as_bytes() == name);
    let not_yet = |found: bool| match std::str::from_utf8(header) {
        Ok(target) if found => Target::NotYet(target),
        _ => Target::Unknown,
    };
    if let Some(name) = header.strip_prefix(SERVICE) {
        match std::str::from_utf8(name).ok().and_then(OpKind::from_name) {
            Some(op) => Target::Operation(op),
            None => not_yet(listed(NOT_YET, name)),
        }
    } else if let Some(name) = header.strip_prefix(STREAMS) {
        not_yet(listed(STREAMS_NOT_YET, name))
    } else if let Some(name) = header.strip_prefix(FIRST_VERSION) {
        not_yet(listed(FIRST_VERSION_OPERATIONS, name))
    } else {
        Target::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_table_is_reached_and_none_is_called_missing() {
        for op in OpKind::ALL {
            assert_eq!(target(format!("DynamoDB_20120810.{}", op.name()).as_bytes()), Target::Operation(*op));
            assert!(!NOT_YET.contains(&op.name()), "{} is both there and not yet", op.name());
        }
    }

    #[test]
    fn operations_we_lack_are_named_and_inventions_are_not() {
        for name in NOT_YET {
            let text = format!("DynamoDB_20120810.{name}");
            assert_eq!(target(text.as_bytes()), Target::NotYet(&text));
        }
        for known in ["DynamoDBStreams_20120810.GetRecords", "DynamoDB_20111205.GetItem"] {
            assert_eq!(target(known.as_bytes()), Target::NotYet(known));
        }
        for text in [
            "",
            "GetItem",
            "DynamoDB_20120810",
            "DynamoDB_20120810.",
            "DynamoDB_20120810.ListTable",
            "dynamodb_20120810.GetItem",
            "DynamoDB_20120810.GetItem ",
            "DynamoDB_20111205.TransactGetItems",
            "\u{fffd}",
        ] {
            assert_eq!(target(text.as_bytes()), Target::Unknown, "{text}");
        }
    }
}

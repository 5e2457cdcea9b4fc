//! Every published limit, with its unit and source. Source of all, unless said otherwise: Developer Guide, *Quotas in
//! Amazon DynamoDB*.

/// Region in ARNs. Ours: there is one region per cluster until global tables come.
pub const REGION: &str = "us-east-1";
/// Account id in ARNs. Ours: the same placeholder that local DynamoDB uses.
pub const ACCOUNT: &str = "000000000000";

/// Shortest table or index name, bytes.
pub const NAME_BYTES_MIN: usize = 3;
/// Longest table or index name, bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Largest item: names and values, bytes.
pub const ITEM_BYTES: usize = 400 * 1024;
/// Longest partition key value, bytes.
pub const PARTITION_KEY_BYTES: usize = 2048;
/// Longest sort key value, bytes.
pub const SORT_KEY_BYTES: usize = 1024;
/// Longest attribute name, bytes.
pub const ATTRIBUTE_NAME_BYTES: usize = 65535;
/// Longest attribute name in a key or secondary index, bytes.
pub const KEY_ATTRIBUTE_NAME_BYTES: usize = 255;
/// Deepest nesting of lists and maps, levels.
pub const NESTING_LEVELS: usize = 32;
/// Most significant digits of a number.
pub const NUMBER_DIGITS: usize = 38;
/// Largest exponent of a number: magnitude below 10^126.
pub const NUMBER_EXPONENT_MAX: i32 = 125;
/// Smallest exponent of a number: magnitude at least 10^-130.
pub const NUMBER_EXPONENT_MIN: i32 = -130;
/// Most keys in one BatchGetItem.
pub const BATCH_GET_KEYS: usize = 100;
/// Most writes in one BatchWriteItem.
pub const BATCH_WRITE_ITEMS: usize = 25;
/// Most actions in one transaction.
pub const TRANSACT_ITEMS: usize = 100;
/// Most data in one transaction, bytes.
pub const TRANSACT_BYTES: usize = 4 * 1024 * 1024;
/// How long an idempotency token is remembered, milliseconds of log time.
pub const TRANSACT_TOKEN_MILLIS: u64 = 10 * 60 * 1000;
/// Longest idempotency token, characters.
pub const TRANSACT_TOKEN_CHARS: usize = 36;
/// Most data a Query or Scan page evaluates, bytes.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// Most data a BatchGetItem answers, bytes.
pub const BATCH_GET_BYTES: usize = 16 * 1024 * 1024;
/// Largest request body, bytes.
pub const REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// Longest expression, bytes.
pub const EXPRESSION_BYTES: usize = 4096;
/// Most operators and functions in an expression.
pub const EXPRESSION_OPERATORS: usize = 300;
/// Most operands of IN.
pub const IN_OPERANDS: usize = 100;
/// Longest substitution token, bytes.
pub const PLACEHOLDER_BYTES: usize = 255;
/// All substitution texts of an expression together, bytes.
pub const PLACEHOLDERS_BYTES: usize = 2 * 1024 * 1024;
/// Most local indexes of a table.
pub const LOCAL_INDEXES: usize = 5;
/// Most global indexes of a table.
pub const GLOBAL_INDEXES: usize = 20;
/// Most attributes named by INCLUDE projections of one table, in all.
pub const PROJECTED_ATTRIBUTES: usize = 100;
/// Largest item collection of a table with local indexes, bytes.
pub const ITEM_COLLECTION_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// Most names in one ListTables page.
pub const LIST_TABLES: usize = 100;
/// Most segments of a parallel scan.
pub const SCAN_SEGMENTS: u32 = 1_000_000;
/// Most tags of a table.
pub const TAGS: usize = 50;
/// Read unit, bytes.
pub const READ_UNIT_BYTES: usize = 4096;
/// Write unit, bytes.
pub const WRITE_UNIT_BYTES: usize = 1024;

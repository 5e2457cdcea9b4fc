//! The DynamoDB contract: types, expressions, limits and errors. Pure: no I/O, no clock, no tokio.

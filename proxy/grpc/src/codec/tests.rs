//! What is encoded is decoded to an equal value, and what is no message or no sound one is refused in DynamoDB's words.

mod bad_input;
mod fuzz;
mod round_trip;

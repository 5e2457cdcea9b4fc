//! Examples, round trips and mutated bodies of every operation.

mod corpus;
mod examples;
mod fuzz;
mod round_trip;

//! The cache in front of a DynamoDB-API store, and what the server binary is made of.
//!
//! [`cache`] is the product as a data structure; [`layer`] the decorators around it; [`stack`] their order; [`upstream`]
//! where misses go; [`run`] the order of start and stop; [`config`] the settings of it all.

// A connection is one future: the front, every decorator and the store, nested deeper than the compiler looks by default.
#![recursion_limit = "256"]

pub mod cache;
pub mod config;
pub mod credentials;
pub mod layer;
pub mod run;
pub mod stack;
pub mod surroundings;
pub mod upstream;

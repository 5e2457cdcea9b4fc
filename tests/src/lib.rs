//! Contract, client and fault suites over any implementation of the contract.
//!
//! The map: [`contract`] the cases; [`subject`] who is asked, [`clients`] of a node and [`spread`] all nodes of a cluster in turn; [`ask`] how; [`node`], [`cluster`], [`wire`] and [`dax_wire`] a real process and
//! raw bytes to it, on [`ports`] that are free; [`numbers`] and [`seen`] what most of them are asked for; [`ledger`] what a crash may and may not do to writes; [`players`] concurrent clients whose every operation is
//! recorded, over [`dialling`] or from [`outside`]; [`load`] clients that are there while a cluster is changed; [`fault`] what happens to a cluster meanwhile, [`rounds`] the histories that come of it;
//! [`failover`] what the loss of a primary costs, [`hand_over`] what a planned change of it does, [`wake`] what one that was stopped answers when it goes on;
//! [`roster`] how soon DAX clients are told what becomes of a node; [`durations`] how long all that took.

// The whole stack is one future, nested deeper than the compiler looks by default.
#![recursion_limit = "256"]

pub mod ask;
pub mod certificate;
pub mod clients;
pub mod cluster;
pub mod contract;
pub mod dax_wire;
pub mod dialling;
pub mod directory;
pub mod durations;
pub mod failover;
pub mod fault;
pub mod hand_over;
pub mod kill;
pub mod ledger;
pub mod load;
pub mod node;
pub mod numbers;
pub mod outside;
pub mod players;
pub mod ports;
pub mod random;
pub mod roster;
pub mod rounds;
pub mod seen;
pub mod spread;
pub mod subject;
pub mod wake;
pub mod wire;

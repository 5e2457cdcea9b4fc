//! The contract suite: cases over any implementation of the one trait.
//!
//! A case says in DynamoDB's own JSON what is asked and what must come back, and knows nothing of who answers. Every
//! implementation runs every case. A case that fails on AWS is a wrong case. What a protocol has no place for stands in
//! [`inexpressible`].
//!
//! [`core`] is what any client needs; [`complete`] every operation, option and index; [`strict`] order of validation,
//! exact messages, limits. Tables are shared and made once; a case writes under keys that begin with its own name, so
//! cases need no order and no cleaning up.

pub mod complete;
pub mod core;
pub mod inexpressible;
pub mod strict;
pub mod tables;

use std::future::Future;
use std::pin::Pin;

use futures_util::future::FutureExt;

use crate::ask::Ask;

/// A case under way.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One case: a rule that every implementation keeps. It panics where the rule is broken.
#[derive(Clone, Copy)]
pub struct Case {
    /// The rule it proves.
    pub name: &'static str,
    /// Starts it.
    pub run: fn(Ask) -> Running,
}

/// The cases of a module, by the names of their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        /// The cases of this module.
        pub const CASES: &[$crate::contract::Case] =
            &[$($crate::contract::Case { name: stringify!($case), run: |db| Box::pin($case(db)) }),*];
    };
}
pub(crate) use cases;

/// Every module of cases, by name.
pub const MODULES: &[(&str, &[Case])] = &[
    ("core", core::CASES),
    ("complete::batches", complete::batches::CASES),
    ("complete::capacity", complete::capacity::CASES),
    ("complete::conditions", complete::conditions::CASES),
    ("complete::indexes", complete::indexes::CASES),
    ("complete::legacy", complete::legacy::CASES),
    ("complete::lifecycle", complete::lifecycle::CASES),
    ("complete::pages", complete::pages::CASES),
    ("complete::projections", complete::projections::CASES),
    ("complete::transactions", complete::transactions::CASES),
    ("complete::updates", complete::updates::CASES),
    ("strict::limits", strict::limits::CASES),
    ("strict::messages", strict::messages::CASES),
    ("strict::shapes", strict::shapes::CASES),
];

/// Runs all cases of a module over one subject, and answers the names of those that failed; why, they print themselves.
pub async fn run(cases: &[Case], db: &Ask) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in cases {
        // A case that broke its rule leaves nothing behind but items under its own keys.
        if std::panic::AssertUnwindSafe((case.run)(db.clone())).catch_unwind().await.is_err() {
            eprintln!("    case {} failed over {}", case.name, db.name());
            failed.push(case.name);
        }
    }
    failed
}

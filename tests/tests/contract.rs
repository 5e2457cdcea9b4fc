//! Every case of the contract over every implementation: one test for each module and subject.

use forebay_tests::contract::{self, tables};
use forebay_tests::subject::Subject;

/// Runs one module over one subject, and names the cases that failed.
fn run(module: &str, subject: Subject) {
    let (_, cases) =
        contract::MODULES.iter().find(|(name, _)| *name == module).expect("the module is in the list");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let mut failed = runtime.block_on(async {
        let running = subject.start().await;
        tables::create(&running.ask).await;
        let failed = contract::run(cases, &running.ask).await;
        running.stop().await;
        failed
    });
    println!(
        "{module} over {}: {} of {} cases hold",
        subject.name(),
        cases.len() - failed.len(),
        cases.len()
    );
    failed.sort_unstable();
    assert_eq!(failed, subject.inexpressible(module), "{module} over {}", subject.name());
}

macro_rules! over_every_subject {
    ($($test:ident: $module:literal;)*) => {
        $(mod $test {
            use super::{Subject, run};

            #[test]
            fn embedded() {
                run($module, Subject::Embedded);
            }
            #[test]
            fn through_the_cache() {
                run($module, Subject::Cached);
            }
            #[test]
            fn over_http() {
                run($module, Subject::Http);
            }
            #[test]
            fn through_the_front_as_bytes() {
                run($module, Subject::Front);
            }
            #[test]
            fn over_dax() {
                run($module, Subject::Dax);
            }
            #[test]
            fn over_grpc() {
                run($module, Subject::Grpc);
            }
        })*

        #[test]
        fn what_is_inexpressible_is_a_case() {
            for each in contract::inexpressible::OVER_DAX {
                let (_, cases) = contract::MODULES.iter().find(|(name, _)| *name == each.module).expect("a module");
                assert!(cases.iter().any(|case| case.name == each.case), "there is no {}", each.case);
                assert!(!each.reason.is_empty());
            }
        }

        #[test]
        fn every_module_is_run() {
            let listed: Vec<_> = contract::MODULES.iter().map(|(name, _)| *name).collect();
            assert_eq!(listed, [$($module),*]);
        }
    };
}

over_every_subject! {
    core: "core";
    batches: "complete::batches";
    capacity: "complete::capacity";
    conditions: "complete::conditions";
    indexes: "complete::indexes";
    legacy: "complete::legacy";
    lifecycle: "complete::lifecycle";
    pages: "complete::pages";
    projections: "complete::projections";
    transactions: "complete::transactions";
    updates: "complete::updates";
    limits: "strict::limits";
    messages: "strict::messages";
    shapes: "strict::shapes";
}

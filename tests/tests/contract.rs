//! Every case of the contract over every implementation: one test for each module and subject; of three nodes one for all modules,
//! since they take longer to start than to ask.

use forebay_tests::contract::{self, tables};
use forebay_tests::subject::Subject;

/// Runs modules over one subject, and names the cases that failed, and those that should have.
fn run(modules: &[&str], subject: Subject) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let (mut failed, mut known) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let running = subject.start().await;
        tables::create(&running.ask).await;
        for module in modules {
            let (_, cases) =
                contract::MODULES.iter().find(|(name, _)| name == module).expect("the module is in the list");
            let fell = contract::run(cases, &running.ask).await;
            let (name, count) = (subject.name(), cases.len());
            println!("{module} over {name}: {} of {count} cases hold", count - fell.len());
            failed.extend(fell.into_iter().map(|case| (*module, case)));
            known.extend(subject.inexpressible(module).into_iter().map(|case| (*module, case)));
        }
        running.stop().await;
    });
    failed.sort_unstable();
    known.sort_unstable();
    assert_eq!(failed, known, "over {}", subject.name());
}

macro_rules! over_every_subject {
    ($($test:ident: $module:literal;)*) => {
        $(mod $test {
            use super::{Subject, run};

            #[test]
            fn embedded() {
                run(&[$module], Subject::Embedded);
            }
            #[test]
            fn through_the_cache() {
                run(&[$module], Subject::Cached);
            }
            #[test]
            fn over_http() {
                run(&[$module], Subject::Http);
            }
            #[test]
            fn through_the_front_as_bytes() {
                run(&[$module], Subject::Front);
            }
            #[test]
            fn over_dax() {
                run(&[$module], Subject::Dax);
            }
            #[test]
            fn over_grpc() {
                run(&[$module], Subject::Grpc);
            }
        })*

        #[test]
        fn every_module_over_three_nodes() {
            run(&[$($module),*], Subject::Nodes);
        }

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

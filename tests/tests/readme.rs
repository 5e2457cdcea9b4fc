//! The README says at any time which operations exist.

use std::collections::BTreeSet;

use api::OpKind;

const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_names_every_operation_and_no_other() {
    let row = README.lines().find(|line| line.starts_with("| Operations |")).expect("a row of operations");
    let list = row.trim_start_matches("| Operations |").split('.').next().expect("a sentence");
    let named: BTreeSet<&str> =
        list.split([',', '|']).map(str::trim).filter(|name| !name.is_empty()).collect();
    let exist: BTreeSet<&str> = OpKind::ALL.iter().map(|op| op.name()).collect();
    assert_eq!(named, exist);
}

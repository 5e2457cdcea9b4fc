//! The storage engine is not among what the simulation is built from.

use std::process::Command;

#[test]
fn no_storage_engine_in_the_tree() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--manifest-path",
            manifest,
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
            "--offline",
        ])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.contains("forebay-store v"), "that is not our tree:\n{tree}");
    assert!(!tree.contains("rocksdb"), "the storage engine is in the tree:\n{tree}");
}

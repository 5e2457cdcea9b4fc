//! The checked-in code is what the definitions give.

use std::path::Path;

use forebay_tests_proto::generate;

/// Set by `cargo x proto`: write what is not current, where the test would fail.
const WRITE: &str = "FOREBAY_WRITE_GENERATED";

#[test]
fn the_checked_in_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    for file in generate(root, Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap() {
        let path = root.join(&file.path);
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &file.bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_default();
        assert!(
            kept == file.bytes,
            "{} is not what its definition gives: run `cargo x proto`",
            file.path.display()
        );
    }
}

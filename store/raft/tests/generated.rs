//! The checked-in code of the peer protocol is what its definition gives: nobody who builds needs a compiler for it.
//!
//! After a change of `proto/raft.proto`: `FOREBAY_WRITE_GENERATED=1 cargo test --release -p forebay-store-raft --test generated`.

use std::path::Path;

#[test]
fn the_generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let definition = root.join("proto/raft.proto");
    let files = protox::compile([&definition], [root.join("proto")]).unwrap();
    tonic_prost_build::configure().build_transport(false).bytes(".").out_dir(out).compile_fds(files).unwrap();
    let fresh = std::fs::read_to_string(out.join("forebay.raft.v1.rs")).unwrap();
    let kept = root.join("src/network/generated.rs");
    if std::env::var_os("FOREBAY_WRITE_GENERATED").is_some() {
        std::fs::write(&kept, &fresh).unwrap();
    }
    assert!(std::fs::read_to_string(&kept).unwrap() == fresh, "see the head of this file");
}

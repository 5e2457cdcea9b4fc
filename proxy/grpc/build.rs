//! Makes the messages of `proto/` and their descriptors. Needs no protoc.

use std::path::PathBuf;

use prost::Message;

const FILES: [&str; 2] = ["dynamodb.proto", "peer.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let descriptors = protox::compile(FILES, ["proto"])?;
    // Served by reflection: what clients may call, and not what peers may.
    let public = only_public(&descriptors);
    std::fs::write(out.join("dynamodb.bin"), public)?;
    prost_build::Config::new()
        .btree_map(["."])
        .bytes(["."])
        // Read into and written from the contract's own forms, without a tree of messages in between.
        .extern_path(".forebay.dynamodb.v1.Item", "crate::codec::value::WireItem")
        .extern_path(".forebay.dynamodb.v1.AttributeValue", "crate::codec::value::WireValue")
        .compile_fds(descriptors)?;
    Ok(())
}

fn only_public(all: &prost_types::FileDescriptorSet) -> Vec<u8> {
    let file = all.file.iter().filter(|file| file.name() == FILES[0]).cloned().collect();
    prost_types::FileDescriptorSet { file }.encode_to_vec()
}

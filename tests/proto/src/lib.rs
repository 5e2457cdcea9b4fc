//! What is checked in of the gRPC definitions: which file is made from which, and how. Needs no protoc.
//!
//! Whoever builds a node compiles what is checked in; only whoever changes a definition runs this, with `cargo x proto`.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

/// A file that is checked in, and what should stand in it.
pub struct Generated {
    /// Where it lies below the repository's root.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Everything, made anew in `scratch`. `root` is the repository's.
pub fn generate(root: &Path, scratch: &Path) -> Result<Vec<Generated>, Box<dyn Error>> {
    let mut all = members(root, scratch)?;
    all.extend(service(root, scratch)?);
    Ok(all)
}

/// What the members of a group say to each other: messages, client and server.
fn members(root: &Path, scratch: &Path) -> Result<Vec<Generated>, Box<dyn Error>> {
    let room = Path::new("store/raft");
    let files = protox::compile(["raft.proto"], [root.join(room).join("proto")])?;
    tonic_prost_build::configure().build_transport(false).bytes(".").out_dir(scratch).compile_fds(files)?;
    let bytes = std::fs::read(scratch.join("forebay.raft.v1.rs"))?;
    Ok(vec![Generated { path: room.join("src/network/generated.rs"), bytes }])
}

/// The DynamoDB API and what peers ask beside it: messages only, and the descriptors that reflection shows.
fn service(root: &Path, scratch: &Path) -> Result<Vec<Generated>, Box<dyn Error>> {
    const PUBLIC: &str = "dynamodb.proto";
    let room = Path::new("proxy/grpc");
    let files = protox::compile([PUBLIC, "peer.proto"], [root.join(room).join("proto")])?;
    // What clients may call, and not what peers may.
    let public = files.file.iter().filter(|file| file.name() == PUBLIC).cloned().collect();
    let shown = FileDescriptorSet { file: public }.encode_to_vec();
    prost_build::Config::new()
        .btree_map(["."])
        .bytes(["."])
        // Read into and written from the contract's own forms, without a tree of messages in between.
        .extern_path(".forebay.dynamodb.v1.Item", "crate::codec::value::WireItem")
        .extern_path(".forebay.dynamodb.v1.AttributeValue", "crate::codec::value::WireValue")
        .out_dir(scratch)
        .compile_fds(files)?;
    let made = |name: &str| std::fs::read(scratch.join(name));
    Ok(vec![
        Generated { path: room.join("src/proto/dynamodb.rs"), bytes: made("forebay.dynamodb.v1.rs")? },
        Generated { path: room.join("src/proto/peer.rs"), bytes: made("forebay.peer.v1.rs")? },
        Generated { path: room.join("src/proto/dynamodb.bin"), bytes: shown },
    ])
}

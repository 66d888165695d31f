//! Compiles the .proto files without protoc.
use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=interdocket");
    let mut files = Vec::new();
    for entry in std::fs::read_dir("interdocket/v1")? {
        files.push(entry?.path());
    }
    files.sort();
    let descriptors = protox::compile(&files, ["."])?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(
        Path::new(&out).join("descriptors.bin"),
        descriptors.encode_to_vec(),
    )?;
    let rpc = std::env::var_os("CARGO_FEATURE_RPC").is_some();
    tonic_prost_build::configure()
        .bytes(".")
        .build_client(rpc)
        .build_server(rpc)
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}

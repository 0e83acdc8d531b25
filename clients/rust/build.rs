//! Stubs from ../../proto, made when the crate is built and without protoc.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("QMTL_PROTO").unwrap_or_else(|_| "../../proto".to_owned()));
    let third_party = root.with_file_name("third_party");
    let mut files = Vec::new();
    collect(&root.join("qmtl"), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [&root, &third_party])?;
    tonic_prost_build::configure().build_server(false).include_file("qmtl.rs").compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed={}", root.display());
    println!("cargo:rerun-if-env-changed=QMTL_PROTO");
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

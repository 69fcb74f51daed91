//! Reads `collections/*.toml`, refuses faulty ones, and leaves one JSON text for the crate.

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the crate uses and documents what the build does not"
)]
#[path = "src/model.rs"]
mod model;
#[path = "src/parse.rs"]
mod parse;
#[allow(dead_code, unreachable_pub, reason = "the crate uses what the build does not")]
#[path = "src/path.rs"]
mod path;

use std::{env, fs, process::exit};

fn main() {
    println!("cargo:rerun-if-changed=collections");
    let mut files: Vec<_> = fs::read_dir("collections")
        .expect("the crate has a folder `collections`")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut collections = Vec::new();
    for file in files {
        let name = format!("schemas/catalog/{}", file.display());
        let text = fs::read_to_string(&file).expect("a readable file");
        match parse::collection(&name, &text) {
            Ok(collection) => collections.push(collection),
            Err(fault) => refuse(&fault),
        }
    }
    if let Err(fault) = parse::catalog(&mut collections) {
        refuse(&fault);
    }
    let out = std::path::Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("catalog.json");
    let json = serde_json::to_string(&collections).expect("strings and numbers serialise");
    fs::write(out, json).expect("cargo's folder can be written");
}

/// Prints the fault where editors look for it, and ends the build.
fn refuse(fault: &str) -> ! {
    eprintln!("{fault}");
    println!("cargo:warning={fault}");
    exit(1)
}

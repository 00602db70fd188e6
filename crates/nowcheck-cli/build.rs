//! Tells the program its version with the commit.

use std::env;
use std::path::PathBuf;

fn main() {
    let crate_root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let sources = ["crates", "Cargo.toml", "Cargo.lock"];
    println!("{}", source_version::directives(&crate_root.join("../.."), &sources));
}

//! Lets the tests of this package find libtorch at run time, and the crate know its version.

use std::env;
use std::path::absolute;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = env::var_os("LIBTORCH").and_then(|folder| absolute(folder).ok()) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
        let version = folder.join("build-version");
        println!("cargo:rerun-if-changed={}", version.display());
        if let Ok(version) = std::fs::read_to_string(version) {
            println!("cargo:rustc-env=SLUICEGATE_LIBTORCH_VERSION={}", version.trim());
        }
    }
}

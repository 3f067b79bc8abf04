//! Lets the tests of this package find libtorch at run time, where the suites of models are among them.

use std::env;
use std::path::absolute;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if env::var_os("CARGO_FEATURE_MODEL").is_none() {
        return;
    }
    if let Some(folder) = env::var_os("LIBTORCH").and_then(|folder| absolute(folder).ok()) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
    }
}

//! Lets the tests of this package find libtorch at run time. The package itself needs none; its tests link the testkit, which has
//! suites of models when the whole workspace is built.

use std::env;
use std::path::absolute;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = env::var_os("LIBTORCH").and_then(|folder| absolute(folder).ok()) {
        println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{}", folder.join("lib").display());
    }
}

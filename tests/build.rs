//! Lets the command and the tests of this package find libtorch at run time.

use std::env;
use std::path::absolute;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = env::var_os("LIBTORCH").and_then(|folder| absolute(folder).ok()) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
    }
}

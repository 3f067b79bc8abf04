//! A schema registry for the tests, by Maven, pinned by hash.

use std::fs;
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::failure::{Done, Failure};
use crate::tools::{self, Tool};
use crate::workspace::{self, Workspace};

const VERSION: &str = "2.6.13.Final";
/// Of the archive with the program and everything that it needs.
const SHA256: &str = "3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba";
/// Written last: without it the folder counts as half made.
const STAMP: &str = "sluicegate-stamp";

/// Makes `.sluicegate/registry` hold the pinned Apicurio Registry.
///
/// `.cargo/config.toml` names the folder to the tests as `SLUICEGATE_REGISTRY`.
pub(crate) fn set_up(workspace: &Workspace) -> Done {
    let folder = workspace.fetched("registry");
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made| made == SHA256) {
        println!("Schema registry for the tests: {}", folder.display());
        return Ok(());
    }
    tools::require(&[Tool::Java, Tool::Maven])?;
    println!("Fetching Apicurio Registry {VERSION} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(Failure::io("remove", &folder))?;
    }
    fs::create_dir_all(&folder).map_err(Failure::io("make", &folder))?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy", "-Dmdep.useBaseVersion=true"]);
    maven.arg(format!("-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"));
    maven.arg(format!("-DoutputDirectory={}", folder.display())).current_dir(&folder);
    workspace::succeed(&mut maven)?;
    let archive = folder.join(format!("apicurio-registry-app-{VERSION}-all.tar.gz"));
    let bytes = fs::read(&archive).map_err(Failure::io("read", &archive))?;
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if hash != SHA256 {
        return Err(Failure::new(format!("{} has the SHA-256 {hash}, not {SHA256}", archive.display())));
    }
    workspace::succeed(Command::new("tar").arg("xzf").arg(&archive).current_dir(&folder))?;
    fs::remove_file(&archive).map_err(Failure::io("remove", &archive))?;
    fs::write(&stamp, SHA256).map_err(Failure::io("write", &stamp))
}

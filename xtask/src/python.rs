//! The Python of the end-to-end tests: other people's readers, to open the Parquet files that we write.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Done, Failure};
use crate::tools::{self, Tool};
use crate::workspace::{self, Workspace};

/// Written last, with the pins that were installed: without it the folder counts as half made.
const STAMP: &str = "sluicegate-stamp";

/// Makes `.sluicegate/python` hold exactly what `tests/requirements.txt` pins.
///
/// `.cargo/config.toml` names its interpreter to the tests as `SLUICEGATE_PYTHON`, so plain `cargo test` finds it too.
pub(crate) fn set_up(workspace: &Workspace) -> Done {
    let requirements = workspace.root().join("tests").join("requirements.txt");
    let pins = fs::read_to_string(&requirements).map_err(Failure::io("read", &requirements))?;
    let folder = workspace.fetched("python");
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        println!("Python for the tests: {}", folder.display());
        return Ok(());
    }
    tools::require(&[Tool::Python, Tool::Pip, Tool::Venv])?;
    println!("Making a Python for the tests in {}", folder.display());
    let made = install(&folder, &requirements);
    made.map_err(|failure| {
        Failure::new(format!(
            "the Python for the tests could not be made: {failure}. `tests/requirements.txt` has wheels for Python 3.10 \
             and later; `cargo xtask test --fast` does without."
        ))
    })?;
    fs::write(&stamp, pins).map_err(Failure::io("write", &stamp))
}

fn install(folder: &Path, requirements: &Path) -> Done {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Failure::io("remove", folder))?;
    }
    workspace::succeed(Command::new(tools::PYTHON).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary=:all:", "--requirement"]);
    pip.arg(requirements);
    // A `user = true` in somebody's pip configuration is not for a virtual environment.
    pip.env("PIP_USER", "0");
    workspace::succeed(&mut pip)
}

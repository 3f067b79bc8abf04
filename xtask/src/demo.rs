//! The first pipeline, from nothing to forecasts on disk.

use std::ffi::OsString;

use crate::failure::Done;
use crate::libtorch;
use crate::workspace::{self, Profile, Workspace};

const PIPELINE: &str = "pipelines/power.toml";
/// Where that pipeline writes.
const FORECASTS: &str = "out/power";

/// Sets up, builds `sluice`, runs [`PIPELINE`] with `args` and says where to look.
pub(crate) fn run(workspace: &Workspace, args: &[OsString]) -> Done {
    libtorch::set_up(workspace)?;
    let mut sluice = workspace.built("sluice", Profile::Dev)?;
    workspace::succeed(sluice.args(["run", PIPELINE]).args(args))?;
    println!();
    println!("The forecasts are Parquet files in {FORECASTS}. To open them in Python, with pandas and pyarrow:");
    println!();
    println!("    import pandas");
    println!("    pandas.read_parquet(\"{FORECASTS}\")");
    Ok(())
}

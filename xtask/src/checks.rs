//! What a change must pass, in the order in which a failure is cheapest.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::failure::{Done, Failure};
use crate::workspace::{Workspace, spelled};
use crate::{kafka, libtorch, python, registry};

struct Step {
    title: &'static str,
    args: Vec<String>,
    env: &'static [(&'static str, &'static str)],
}

impl Step {
    fn new(title: &'static str, args: &[&str]) -> Self {
        Self { title, args: args.iter().map(|&arg| arg.to_owned()).collect(), env: &[] }
    }
}

fn format() -> Step {
    Step::new("Format", &["fmt", "--all", "--check"])
}

fn lints() -> Step {
    Step::new("Lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn tests() -> Step {
    Step::new("Tests", &["test", "--workspace"])
}

fn docs() -> Step {
    let step = Step::new("Docs", &["doc", "--workspace", "--no-deps"]);
    Step { env: &[("RUSTDOCFLAGS", "-D warnings")], ..step }
}

/// Every test that takes no end-to-end run: all of each crate's own, and the architecture.
///
/// They are chosen by name because leaving a package out would change the features of dependencies, and with them most
/// of what has been built.
fn tests_of_the_crates(root: &Path) -> Done<Step> {
    let mut step = Step::new("Tests of the crates", &["test", "--workspace", "--lib", "--bins"]);
    let names = test_targets(&root.join("crates")).map_err(Failure::io("list the tests in", &root.join("crates")))?;
    for name in names.into_iter().chain(["architecture".to_owned()]) {
        step.args.extend(["--test".to_owned(), name]);
    }
    Ok(step)
}

/// Names of the integration tests of the packages in `crates`, as cargo finds them: `tests/*.rs` and `tests/*/main.rs`.
fn test_targets(crates: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for package in fs::read_dir(crates)? {
        let tests = package?.path().join("tests");
        if !tests.is_dir() {
            continue;
        }
        for test in fs::read_dir(tests)? {
            let path = test?.path();
            if path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file() {
                names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
    }
    Ok(names)
}

/// Sets up and takes every step; with `fast`, those that are quick enough to wait for between edits.
pub(crate) fn run(workspace: &Workspace, fast: bool) -> Done {
    let start = Instant::now();
    libtorch::set_up(workspace)?;
    if !fast {
        python::set_up(workspace)?;
        kafka::set_up(workspace)?;
        registry::set_up(workspace)?;
    }
    let steps = if fast {
        vec![format(), lints(), tests_of_the_crates(workspace.root())?]
    } else {
        vec![format(), lints(), tests(), docs()]
    };
    for (number, step) in (1..).zip(&steps) {
        step.take(step.command(workspace), &format!("[{number}/{}]", steps.len()))?;
    }
    let left_out = if fast { "; end-to-end tests, doc examples and docs left out" } else { "" };
    println!("\nAll {} steps passed in {}{left_out}.", steps.len(), spoken(start.elapsed()));
    Ok(())
}

impl Step {
    fn command(&self, workspace: &Workspace) -> Command {
        let mut cargo = workspace.cargo();
        cargo.args(&self.args).envs(self.env.iter().copied());
        cargo
    }

    fn take(&self, mut command: Command, number: &str) -> Done {
        let (title, repeat) = (self.title, spelled(&command));
        println!("\n{number} {title}: {repeat}");
        let start = Instant::now();
        let status = command.status().map_err(|error| Failure::new(format!("cannot start `{repeat}`: {error}")))?;
        let took = spoken(start.elapsed());
        if !status.success() {
            return Err(Failure::new(format!(
                "step {number} {title} failed after {took}; what is wrong is above. To repeat it alone: {repeat}"
            )));
        }
        println!("{number} {title}: passed in {took}");
        Ok(())
    }
}

fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        assert_eq!(spoken(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(spoken(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn a_failed_step_names_the_command_that_repeats_it() {
        let mut command = Command::new("false");
        command.arg("--all").env("A", "b");
        let failure = Step::new("Nonsense", &[]).take(command, "[1/1]").unwrap_err().to_string();
        assert!(failure.ends_with("To repeat it alone: A=b false --all"), "{failure}");
    }

    #[test]
    fn the_tests_of_the_crates_are_found_as_cargo_finds_them() {
        let temp = tempfile::tempdir().unwrap();
        for path in
            ["a/tests/laws.rs", "a/tests/parquet/main.rs", "b/tests/common/mod.rs", "b/tests/laws.rs", "c/src/lib.rs"]
        {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(Vec::from_iter(test_targets(temp.path()).unwrap()), ["laws", "parquet"]);
    }
}

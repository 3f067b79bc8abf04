//! Where things are in the checkout, and how commands are run in it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Done, Failure};

/// The checkout that the task works on.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that `cargo xtask` was started in, or else the one this binary was built in.
    pub(crate) fn find() -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let package = PathBuf::from(package);
        Self { root: package.parent().unwrap_or(&package).to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where set-up puts what it fetched: ignored by git, and out of reach of `cargo clean`.
    pub(crate) fn fetched(&self, name: &str) -> PathBuf {
        self.root.join(".sluicegate").join(name)
    }

    /// The cargo that started this task, in the root of the checkout, where `.cargo/config.toml` applies.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// Builds the command `name` of one of our packages and returns it, to be run in the root of the checkout.
    ///
    /// The whole workspace is named rather than the package: cargo chooses the features of dependencies by what is named,
    /// so anything else would build most of them, libtorch's bindings included, a second time beside those of the tests.
    pub(crate) fn built(&self, name: &str, profile: Profile) -> Done<Command> {
        let mut build = self.cargo();
        build.args(["build", "--workspace", "--bin", name]).args(profile.cargo_args());
        succeed(&mut build)?;
        // We were built by the same cargo, so what it has just built lies beside us.
        let here = env::current_exe().map_err(Failure::io("find", Path::new("this program")))?;
        let target = here.parent().and_then(Path::parent).unwrap_or(&here);
        let mut built = Command::new(target.join(profile.folder()).join(format!("{name}{}", env::consts::EXE_SUFFIX)));
        built.current_dir(&self.root);
        Ok(built)
    }
}

/// How a command of ours is built.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// As the tests are: optimised, and with our own assertions.
    Dev,
    /// As it would be installed: slower to build, for measuring.
    Release,
}

impl Profile {
    fn cargo_args(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Runs `command` on our terminal and fails unless it succeeds.
pub(crate) fn succeed(command: &mut Command) -> Done {
    let status = command
        .status()
        .map_err(|error| Failure::new(format!("cannot start `{}`: {error}", command.get_program().display())))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` failed ({status}); its own message is above", spelled(command))))
}

/// `command` as one would type it in the root of the checkout.
pub(crate) fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| value.map(|value| format!("{}={}", name.to_string_lossy(), quoted(value))));
    let words = std::iter::once(program).chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_spelled_as_one_would_type_it() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["doc", "--no-deps", "two words"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("UNSET");
        assert_eq!(spelled(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'two words'");
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let failure = succeed(Command::new("false").arg("now")).unwrap_err().to_string();
        assert_eq!(failure, "`false now` failed (exit status: 1); its own message is above");
    }
}

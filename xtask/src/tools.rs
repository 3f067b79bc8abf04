//! Programs of the machine that set-up leans on, and what to install where one is missing.

use std::env;
use std::process::{Command, Stdio};

use crate::failure::{Done, Failure};

/// The Python that set-up runs; only its pip and venv modules matter, so any release from 3.8 on will do.
pub(crate) const PYTHON: &str = "python3";

/// Something that must be on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Compiles the C++ side of tch.
    Compiler,
    /// Runs the two below.
    Python,
    /// Fetches libtorch.
    Pip,
    /// Makes the Python of the end-to-end tests.
    Venv,
    /// Runs Kafka.
    Java,
    /// Fetches Kafka.
    Maven,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Compiler => "a C++ compiler (`c++`, or what CXX names)",
            Self::Python => "Python 3.8 or later (`python3`)",
            Self::Pip => "pip for `python3`",
            Self::Venv => "the venv module of `python3`",
            Self::Java => "Java 17 or later (`java`)",
            Self::Maven => "Maven (`mvn`)",
        }
    }

    fn debian_package(self) -> &'static str {
        match self {
            Self::Compiler => "g++",
            Self::Python => "python3",
            Self::Pip => "python3-pip",
            Self::Venv => "python3-venv",
            Self::Java => "openjdk-17-jdk-headless",
            Self::Maven => "maven",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Compiler => {
                // CXX may carry arguments (`ccache g++`); as in the builds it is for, the first word is the program.
                let cxx = env::var("CXX").unwrap_or_default();
                works(cxx.split_whitespace().next().unwrap_or("c++"), &["--version"])
            }
            Self::Python => works(PYTHON, &["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]),
            Self::Pip => works(PYTHON, &["-c", "import pip"]),
            Self::Venv => works(PYTHON, &["-c", "import venv, ensurepip"]),
            // `--source` runs a file without compiling it first; a Java that does not know the release refuses it.
            Self::Java => works("java", &["--source", "17", "--version"]),
            Self::Maven => works("mvn", &["--version"]),
        }
    }
}

fn works(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fails, naming every one of `tools` that is missing and the Debian packages that hold them.
pub(crate) fn require(tools: &[Tool]) -> Done {
    let missing: Vec<Tool> = tools.iter().copied().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() { Ok(()) } else { Err(absence(&missing)) }
}

fn absence(missing: &[Tool]) -> Failure {
    let list =
        |word: fn(Tool) -> &'static str, between| missing.iter().map(|&t| word(t)).collect::<Vec<_>>().join(between);
    Failure::new(format!(
        "this machine lacks {}; on Debian or Ubuntu, `sudo apt-get install {}` brings it. Then run the same command again.",
        list(Tool::name, " and "),
        list(Tool::debian_package, " "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_tools_are_named_together_with_their_packages() {
        assert_eq!(
            absence(&[Tool::Compiler, Tool::Pip]).to_string(),
            "this machine lacks a C++ compiler (`c++`, or what CXX names) and pip for `python3`; on Debian or Ubuntu, \
             `sudo apt-get install g++ python3-pip` brings it. Then run the same command again."
        );
    }

    #[test]
    fn a_program_that_does_not_exist_does_not_work() {
        assert!(!works("no-such-program-anywhere", &[]));
    }
}

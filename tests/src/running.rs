//! Processes that end with whoever started them.

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command};

/// A process that is killed when nobody holds it any more: a test that fails leaves none behind, which would go on writing to the
/// broker and the log of the next.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the command starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_ends_with_a_test_that_fails() {
        let mut process = None;
        let failed = catch_unwind(AssertUnwindSafe(|| {
            let running = Running::start(Command::new("sleep").arg("600").stdout(Stdio::null()));
            process = Some(running.id());
            panic!("the test fails");
        }));
        assert!(failed.is_err());
        let id = process.expect("an id").to_string();
        let asked = Command::new("kill").args(["-0", &id]).stderr(Stdio::null()).status().expect("kill");
        assert!(!asked.success(), "process {id} is still there");
    }
}

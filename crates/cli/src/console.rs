//! Where the command writes.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write};

use crate::failure::{Ending, Failure};

/// Standard output and standard error, or whatever stands for them.
pub struct Console<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    live: bool,
}

impl<'a> Console<'a> {
    /// Writes results to `out`, and progress and errors to `err`, which is taken for no terminal.
    pub fn new(out: impl Write + 'a, err: impl Write + 'a) -> Self {
        Self { out: Box::new(out), err: Box::new(err), live: false }
    }

    /// The console of this process.
    pub(crate) fn of_process() -> Self {
        Self { live: io::stderr().is_terminal(), ..Self::new(io::stdout(), io::stderr()) }
    }

    /// Whether standard error is a terminal, on which a line may be drawn over again.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Writes a result.
    pub(crate) fn out(&mut self, text: Arguments<'_>) -> Result<(), Failure> {
        match self.out.write_fmt(text).and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            // Whoever read our output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::quiet(Ending::Done)),
            Err(error) => Err(Failure::failed(format!("standard output cannot be written to: {error}"))),
        }
    }

    /// Writes a message. Where that fails there is nobody left to tell.
    pub(crate) fn err(&mut self, text: Arguments<'_>) {
        let _ = self.err.write_fmt(text).and_then(|()| self.err.flush());
    }
}

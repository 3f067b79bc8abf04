//! Which rows are shown, and what happens when nobody reads them.

use std::io::{self, Write};

use sluicegate_core::{Batch, BoxError, Sink};

use super::config::Format;
use super::json;
use super::table::Table;
use crate::SinkError;

/// Which rows and columns are shown.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Places of the columns in the input.
    pub(super) columns: Vec<usize>,
    /// Every so many rows.
    pub(super) every: u64,
    /// At most so many rows.
    pub(super) limit: Option<u64>,
}

/// Shows the rows of one partition.
pub(super) struct ConsoleSink<W> {
    format: Format,
    choice: Choice,
    table: Table,
    seen: u64,
    shown: u64,
    out: W,
    /// Whether somebody still reads.
    heard: bool,
}

impl<W: Write> ConsoleSink<W> {
    pub(super) fn new(format: Format, choice: Choice, out: W) -> Self {
        Self { format, choice, table: Table::default(), seen: 0, shown: 0, out, heard: true }
    }

    fn render(&mut self, batch: &Batch) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let columns = &self.choice.columns;
        for row in 0..batch.len() {
            let due = self.seen.is_multiple_of(self.choice.every);
            self.seen += 1;
            if !due || self.choice.limit.is_some_and(|limit| self.shown >= limit) {
                continue;
            }
            self.shown += 1;
            match self.format {
                Format::Table => self.table.write_row(batch.records(), columns, row, &mut text)?,
                Format::Json => json::write_row(batch.records(), columns, row, &mut text)?,
            }
        }
        Ok(text)
    }
}

impl<W: Write + Send> Sink for ConsoleSink<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError> {
        if !self.heard {
            return Ok(());
        }
        let text = self.render(batch).map_err(SinkError::Console)?;
        match self.out.write_all(&text).and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.heard = false;
                Ok(())
            }
            Err(error) => Err(SinkError::Console(error).into()),
        }
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

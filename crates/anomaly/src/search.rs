//! The search for the first row to judge, so that settings by which none ever comes are not silent.

use std::collections::BTreeSet;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::AnomalyError;

/// After so many rows without one to judge there is none: an event of a forecast operator makes at most this many, unless it has
/// thousands of horizons of many targets and models.
const ROWS_MAX: u64 = 100_000;
/// So many models are named in an error; a mixture has fewer members.
const MODELS_MAX: usize = 32;

/// What came before the first row to judge. Nothing is remembered once it has come.
#[derive(Debug, Default)]
pub(crate) struct Search {
    rows: u64,
    models: BTreeSet<String>,
    is_over: bool,
}

impl Search {
    /// A row came that is judged.
    pub(crate) fn found(&mut self) {
        if !self.is_over {
            *self = Self { is_over: true, ..Self::default() };
        }
    }

    /// A row came that is not looked at.
    ///
    /// # Errors
    /// When too many have come for there to be any other.
    pub(crate) fn passed_over(&mut self, by: Option<&str>, wanted: Option<&str>) -> Result<(), AnomalyError> {
        if self.is_over {
            return Ok(());
        }
        self.rows += 1;
        if let Some(by) = by.filter(|by| self.models.len() < MODELS_MAX && !self.models.contains(*by)) {
            self.models.insert(by.to_owned());
        }
        if self.rows < ROWS_MAX { Ok(()) } else { self.give_up(wanted) }
    }

    /// No more rows come.
    ///
    /// # Errors
    /// When there were rows and none to judge.
    pub(crate) fn end(&self, wanted: Option<&str>) -> Result<(), AnomalyError> {
        if self.rows == 0 { Ok(()) } else { self.give_up(wanted) }
    }

    fn give_up(&self, wanted: Option<&str>) -> Result<(), AnomalyError> {
        let (rows, models) = (self.rows, self.models.iter().cloned().collect());
        Err(AnomalyError::NothingToJudge { rows, wanted: wanted.map(str::to_owned), models })
    }

    pub(crate) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), AnomalyError> {
        to.i64("rows", &[1], &[self.rows as i64])?;
        to.u8("is_over", &[1], &[u8::from(self.is_over)])?;
        Ok(to.strings("models", self.models.iter().map(String::as_str))?)
    }

    pub(crate) fn restore(from: &SnapshotReader<'_>) -> Result<Self, AnomalyError> {
        let wrong = |_| AnomalyError::Restore("it has seen fewer than no rows");
        Ok(Self {
            rows: u64::try_from(from.i64("rows", &[1])?[0]).map_err(wrong)?,
            models: from.strings("models")?.into_iter().collect(),
            is_over: from.u8("is_over", &[1])?[0] != 0,
        })
    }
}

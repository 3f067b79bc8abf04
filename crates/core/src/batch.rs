//! Rows of one partition, with the offset of each.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::{Offset, PartitionId};

/// The offsets of a batch's rows: a range where they are dense, a list where they are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets(Repr);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Repr {
    Dense { first: i64, len: usize },
    Sparse { all: Arc<[i64]>, start: usize, len: usize },
}

impl Offsets {
    /// `len` consecutive offsets from `first`.
    ///
    /// # Errors
    /// [`BatchError::OffsetOverflow`] when the last one would not fit an `i64`.
    pub fn dense(first: Offset, len: usize) -> Result<Self, BatchError> {
        let fits = i64::try_from(len).ok().and_then(|n| first.0.checked_add(n));
        match fits {
            Some(_) => Ok(Self(Repr::Dense { first: first.0, len })),
            None => Err(BatchError::OffsetOverflow { first: first.0, rows: len }),
        }
    }

    /// The given offsets, which must strictly increase.
    ///
    /// # Errors
    /// [`BatchError::OffsetsNotIncreasing`] names the first pair that does not.
    pub fn sparse(offsets: impl Into<Arc<[i64]>>) -> Result<Self, BatchError> {
        let all = offsets.into();
        if let Some(pair) = all.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(BatchError::OffsetsNotIncreasing { before: pair[0], after: pair[1] });
        }
        let len = all.len();
        Ok(Self(Repr::Sparse { all, start: 0, len }))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Dense { len, .. } | Repr::Sparse { len, .. } => *len,
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The offset of row `row`, or `None` past the end.
    pub fn get(&self, row: usize) -> Option<Offset> {
        if row >= self.len() {
            return None;
        }
        match &self.0 {
            Repr::Dense { first, .. } => Some(Offset(first + row as i64)),
            Repr::Sparse { all, start, .. } => all.get(start + row).copied().map(Offset),
        }
    }

    /// The offset of the last row, or `None` when there is none.
    pub fn last(&self) -> Option<Offset> {
        self.len().checked_sub(1).and_then(|row| self.get(row))
    }

    /// All offsets in order.
    pub fn iter(&self) -> impl Iterator<Item = Offset> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// Rows `start .. start + len`, clamped to what there is; no offset is copied.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.len());
        let len = len.min(self.len() - start);
        Self(match &self.0 {
            Repr::Dense { first, .. } => Repr::Dense { first: first + start as i64, len },
            Repr::Sparse { all, start: from, .. } => Repr::Sparse { all: Arc::clone(all), start: from + start, len },
        })
    }
}

/// Why a batch could not be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// Not as many offsets as rows.
    #[error("a batch of {rows} rows came with {offsets} offsets")]
    LengthMismatch {
        /// Rows in the records.
        rows: usize,
        /// Offsets given.
        offsets: usize,
    },
    /// Two neighbouring offsets in the wrong order.
    #[error("offsets must increase along a partition, but {after} follows {before}")]
    OffsetsNotIncreasing {
        /// The earlier row's offset.
        before: i64,
        /// The later row's offset.
        after: i64,
    },
    /// The offsets would pass the largest `i64`.
    #[error("{rows} rows from offset {first} pass the largest offset there is")]
    OffsetOverflow {
        /// Offset of the first row.
        first: i64,
        /// Number of rows.
        rows: usize,
    },
}

/// Rows of one partition in order, each with its offset. Cloning and slicing copy no data.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{Float64Array, RecordBatch};
/// use sluicegate_core::{Batch, Offset, Offsets, PartitionId};
///
/// let price = Arc::new(Float64Array::from(vec![1.0, 2.0, 4.0]));
/// let records = RecordBatch::try_from_iter([("price", price as _)])?;
/// let batch = Batch::new(PartitionId::new("trades-0"), Offsets::dense(Offset(7), 3)?, records)?;
/// assert_eq!(batch.slice(1, 2).offsets().get(0), Some(Offset(8)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    partition: PartitionId,
    offsets: Offsets,
    records: RecordBatch,
}

impl Batch {
    /// Puts rows and their offsets together.
    ///
    /// # Errors
    /// [`BatchError::LengthMismatch`] when there are not as many offsets as rows.
    pub fn new(partition: PartitionId, offsets: Offsets, records: RecordBatch) -> Result<Self, BatchError> {
        if offsets.len() != records.num_rows() {
            return Err(BatchError::LengthMismatch { rows: records.num_rows(), offsets: offsets.len() });
        }
        Ok(Self { partition, offsets, records })
    }

    /// The partition that the rows belong to.
    pub fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// The rows' offsets.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The rows' columns.
    pub fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.records.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows `start .. start + len`, clamped to what there is, sharing the same memory.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.len());
        let len = len.min(self.len() - start);
        Self {
            partition: self.partition.clone(),
            offsets: self.offsets.slice(start, len),
            records: self.records.slice(start, len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_sparse_offsets_keep_their_places() {
        let offsets = Offsets::sparse(vec![2, 5, 9, 11]).unwrap();
        let tail = offsets.slice(1, 3).slice(1, 9);
        assert_eq!(tail.iter().map(|o| o.0).collect::<Vec<_>>(), [9, 11]);
        assert_eq!(tail.last(), Some(Offset(11)));
        assert_eq!(tail.get(2), None);
    }

    #[test]
    fn offsets_that_do_not_increase_are_refused() {
        let refused = Offsets::sparse(vec![1, 3, 3]);
        assert_eq!(refused, Err(BatchError::OffsetsNotIncreasing { before: 3, after: 3 }));
    }

    #[test]
    fn offsets_past_the_largest_are_refused() {
        assert!(Offsets::dense(Offset(i64::MAX - 1), 1).is_ok());
        assert!(Offsets::dense(Offset(i64::MAX - 1), 2).is_err());
    }
}

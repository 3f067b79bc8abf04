//! What can go wrong in the operator.

use sluicegate_core::PartitionId;

/// Why an operator `symbols` cannot go on or be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolsError {
    /// A column is not what it was when the pipeline was checked.
    #[error("column `{column}` at offset {offset}: {reason}")]
    Column {
        /// The column.
        column: String,
        /// Offset of the first row of the batch.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// A value is no text, and that is to stop the run.
    #[error(
        "column `{column}` at offset {offset}: {reason}; mend it where it is made, or set `bad_utf8 = \"dead-letter\"` or `\"replace\"`"
    )]
    BadUtf8 {
        /// The column.
        column: String,
        /// Offset of the row.
        offset: i64,
        /// What is no UTF-8, and where in the value.
        reason: String,
    },
    /// Rows were made for another partition than this operator's.
    #[error("this operator instance works on partition {expected}, but was given rows of {found}")]
    WrongPartition {
        /// The partition it was built for.
        expected: PartitionId,
        /// The partition of the rows.
        found: PartitionId,
    },
    /// The output table could not be put together.
    #[error("the symbols could not be put into a table: {0}")]
    Output(#[from] arrow::error::ArrowError),
    /// The output rows could not be numbered.
    #[error("the symbols could not be put into a batch: {0}")]
    Rows(#[from] sluicegate_core::BatchError),
    /// A snapshot that cannot be written or is damaged.
    #[error(transparent)]
    Snapshot(#[from] sluicegate_core::SnapshotError),
    /// A snapshot of an operator with other settings.
    #[error(
        "the snapshot was made with `{setting}` = {snapshot}, but here it is {here}; rows would go on as symbols of another kind. \
         Put the setting back, or start over on purpose with `sluice run --fresh NAME`, NAME being the pipeline's"
    )]
    Settings {
        /// The setting.
        setting: &'static str,
        /// Its value then.
        snapshot: String,
        /// Its value now.
        here: String,
    },
}

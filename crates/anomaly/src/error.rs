//! What can go wrong in the operator.

/// Why an anomaly operator cannot go on or be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnomalyError {
    /// A column is not what it was when the pipeline was checked.
    #[error("column `{column}` at offset {offset}: {reason}")]
    Column {
        /// The column.
        column: &'static str,
        /// Offset of the first row of the batch.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// Rows were made for another partition than this operator's.
    #[error("this operator instance works on partition {expected}, but was given rows of {found}")]
    WrongPartition {
        /// The partition it was built for.
        expected: sluicegate_core::PartitionId,
        /// The partition of the rows.
        found: sluicegate_core::PartitionId,
    },
    /// No row is of the model that is looked at, one event ahead.
    #[error("{}", nothing_to_judge(*rows, wanted.as_deref(), models))]
    NothingToJudge {
        /// How many rows came.
        rows: u64,
        /// The model that is looked at; `None` where not even the first row names one.
        wanted: Option<String>,
        /// The models whose rows came.
        models: Vec<String>,
    },
    /// The output table could not be put together.
    #[error("the scores could not be put into a table: {0}")]
    Output(#[from] arrow::error::ArrowError),
    /// The output rows could not be numbered.
    #[error("the scores could not be put into a batch: {0}")]
    Rows(#[from] sluicegate_core::BatchError),
    /// A snapshot that cannot be written or is damaged.
    #[error(transparent)]
    Snapshot(#[from] sluicegate_core::SnapshotError),
    /// A snapshot of an operator with other settings.
    #[error(
        "the snapshot was made with `{setting}` = {snapshot}, but here it is {here}; its state would mean something else. \
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
    /// A snapshot whose contents contradict each other or the settings.
    #[error("the snapshot cannot be restored: {0}")]
    Restore(&'static str),
}

fn nothing_to_judge(rows: u64, wanted: Option<&str>, models: &[String]) -> String {
    let Some(wanted) = wanted else {
        return format!("of {rows} rows none says in `model` who forecast; the input must be an operator `forecast`");
    };
    if models.iter().any(|model| model == wanted) {
        return format!(
            "of {rows} rows none is of horizon 1 by the model `{wanted}`; put 1 among the `horizons` of the operator `forecast`"
        );
    }
    let listed: Vec<String> = models.iter().map(|model| format!("`{model}`")).collect();
    format!(
        "of {rows} rows none is by the model `{wanted}`; there are {}: correct `model`, or leave it out to take the forecast itself",
        listed.join(", ")
    )
}

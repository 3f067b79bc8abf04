//! What can go wrong in a model.

/// Why a model cannot be built, restored or driven on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// libtorch reported an error.
    #[error("libtorch failed: {0}")]
    Torch(#[from] tch::TchError),
    /// libtorch's result for a row depends on the rows beside it, so a replay would not equal the live run.
    #[error(
        "on this processor libtorch's {kind} step with {inputs} inputs and {hidden} hidden units gives row {row} of a batch of \
         {rows} another result than the same row alone, so results would depend on timing; \
         choose another `model.kind` or `model.hidden`"
    )]
    NotBatchInvariant {
        /// The cell.
        kind: &'static str,
        /// Width of its input.
        inputs: usize,
        /// Hidden units.
        hidden: usize,
        /// Rows of the batch that differed.
        rows: usize,
        /// Row that differed.
        row: usize,
    },
    /// The native backend has no such cell.
    #[error(
        "the native backend has recurrent cells only, and {kind} is none; leave `model.backend` out, or set it to \"libtorch\""
    )]
    NotNative {
        /// The cell.
        kind: &'static str,
    },
    /// A cell without inputs, units or layers.
    #[error("a cell needs at least one input, hidden unit and layer; this one has {inputs}, {hidden} and {layers}")]
    EmptyCell {
        /// Width of its input.
        inputs: usize,
        /// Hidden units.
        hidden: usize,
        /// Layers.
        layers: usize,
    },
    /// A backend that does not tell what its gates did.
    #[error(
        "what gates did is not told by this backend ({arithmetic}); set `model.backend` to \"native\" and take a recurrent cell"
    )]
    NoGates {
        /// The backend.
        arithmetic: String,
    },
    /// Too few events for a diagnosis.
    #[error(
        "there are too few events to tell {what}: a key needs at least {needed}, with labels among them; give more events"
    )]
    NothingToDiagnose {
        /// What was asked for.
        what: String,
        /// Events that a key needs.
        needed: u64,
    },
    /// No forecast of a diagnosis was scored, as scores begin after its events.
    #[error(
        "no event was scored: there are {events}, and scores begin at row {from}, by `scores.from`; give more events, or leave \
         `scores.from` out"
    )]
    ScoresBeginLater {
        /// Events there were.
        events: usize,
        /// The first row that is scored.
        from: u64,
    },
    /// No forecast of a diagnosis was scored.
    #[error(
        "no event of {events} was scored: there are too few events, or none has a label that counts; give more events"
    )]
    NothingScored {
        /// Events there were.
        events: usize,
    },
    /// A cell was used out of order.
    #[error("a cell was used before its parameters were loaded or its windows unrolled")]
    CellNotLoaded,
    /// A model of numbers was asked for classes.
    #[error("`{}` is a model of numbers, and the targets are classes; there are persistence, seasonal, markov, ar and the networks", .0.as_str())]
    NotOfClasses(crate::family::ModelKind),
    /// A model of classes was asked for numbers.
    #[error("`{}` is a model of classes, and the targets are numbers", .0.as_str())]
    NotOfNumbers(crate::family::ModelKind),
    /// A model without a cell was to be built as a network.
    #[error("`{}` is no network", .0.as_str())]
    NoNetwork(crate::family::ModelKind),
    /// A head was asked to forecast what it is not made for.
    #[error("the head {head:?} does not forecast {what}; set `model.head` to one that does")]
    Head {
        /// The head.
        head: crate::head::HeadKind,
        /// What it was asked for.
        what: &'static str,
    },
    /// Settings that cannot work.
    #[error(transparent)]
    Config(#[from] sluicegate_core::ConfigError),
    /// A file with initial weights cannot be used.
    #[error("the initial weights in {file} cannot be used: {reason}")]
    InitialWeights {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A column holds another type than when the pipeline was checked.
    #[error("column `{column}` at offset {offset}: {reason}")]
    Column {
        /// The column.
        column: String,
        /// Offset of the first row of the batch.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// A value that the settings say to stop at.
    #[error("offset {offset}: column `{column}` {reason}, and `bad_values.{setting}` is \"fail\"")]
    BadValue {
        /// Offset of the row.
        offset: i64,
        /// The column.
        column: String,
        /// What is wrong with the value.
        reason: &'static str,
        /// The setting that makes it an error.
        setting: &'static str,
    },
    /// Rows were made for another partition than this operator's.
    #[error("this operator instance works on partition {expected}, but was given rows of {found}")]
    WrongPartition {
        /// The partition it was built for.
        expected: sluicegate_core::PartitionId,
        /// The partition of the rows.
        found: sluicegate_core::PartitionId,
    },
    /// The rows that stay of a batch could not be put together.
    #[error("the rows that are worked on could not be put together: {0}")]
    Rows(#[from] sluicegate_core::BatchError),
    /// The output table could not be put together.
    #[error("the forecasts could not be put into a table: {0}")]
    Output(#[from] arrow::error::ArrowError),
    /// A snapshot of other settings, or a damaged one.
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
    /// No sequence can be generated from a state.
    #[error("nothing can be generated: {0}")]
    Generate(String),
    /// A snapshot whose contents contradict each other or the settings.
    #[error("the snapshot cannot be restored: {0}")]
    Restore(String),
}

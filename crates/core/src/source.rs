//! The source: where events come from.

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, BoxError, ConfigError, Ledger, Membership, Offset, PartitionId, PipelineContext, Rejected};

/// A set of partitions with one schema. Opening one gives its [`Reader`].
pub trait Source: Send {
    /// The columns of every batch, with [`Roles`](crate::Roles) in the schema's metadata.
    fn schema(&self) -> SchemaRef;

    /// The partitions there are, in a fixed order.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError>;

    /// Opens one partition. Reading begins at the first row whose offset is at least `from`, or where the settings say
    /// when `from` is `None`.
    ///
    /// # Errors
    /// When the partition is unknown or cannot be opened.
    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError>;

    /// What processes that share the partitions out must have in common besides the types of their components, in a line of
    /// text: what is read, for instance, but not how fast. `None`, unless overridden, where there is no such thing.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Joins whoever shares the partitions out, where they are shared out between processes; `None`, unless overridden,
    /// where all of them are this process's for good. Called once, before any partition is opened.
    ///
    /// `fingerprint` is that of the pipeline: processes of which it differs must not share partitions out.
    ///
    /// # Errors
    /// When it cannot join, or a process of another pipeline has.
    fn membership(&mut self, fingerprint: &str) -> Result<Option<Box<dyn Membership>>, BoxError> {
        let _ = fingerprint;
        Ok(None)
    }

    /// Where the position of a partition is committed, where the source's own system keeps positions; `None` unless
    /// overridden. Asked for before [`Source::membership`] too, by tools that move positions while nothing runs.
    ///
    /// # Errors
    /// When the ledger is not to be had.
    fn ledger(&mut self, partition: &PartitionId) -> Result<Option<Box<dyn Ledger>>, BoxError> {
        let _ = partition;
        Ok(None)
    }

    /// Whether the events of a key come to `partition`, where that follows from the key; `None` unless overridden.
    fn routes(&self, partition: &PartitionId, key: Option<&str>) -> Option<bool> {
        let _ = (partition, key);
        None
    }

    /// The partitions that keys are divided among together with `partition`, itself among them, as they are now. By default, and of
    /// a partition that shares its keys with no other, only itself.
    ///
    /// # Errors
    /// When nobody can say.
    fn siblings(&self, partition: &PartitionId) -> Result<Vec<PartitionId>, BoxError> {
        Ok(vec![partition.clone()])
    }

    /// To which partitions the keys that now come to `partition` came when there were only those of `before`. By default, and
    /// of a partition that shares its keys with no other, none.
    ///
    /// # Errors
    /// When nobody can say.
    fn origins(&self, partition: &PartitionId, before: &[PartitionId]) -> Result<Vec<PartitionId>, BoxError> {
        let _ = (partition, before);
        Ok(Vec::new())
    }

    /// Whether it has no end: events come in for as long as somebody reads. Not so unless overridden.
    fn is_live(&self) -> bool {
        false
    }
}

/// Reads one partition in order.
pub trait Reader: Send {
    /// The next rows; `Ok(None)` at the end. May block: it is called on a thread of its own.
    ///
    /// Offsets increase from batch to batch. A reader that waits for events gives a batch without rows when none has come
    /// for a tenth of a second, so that whoever reads can stop; only then may a batch be empty.
    ///
    /// # Errors
    /// When the next rows cannot be read. No later call will succeed.
    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError>;

    /// The offset at which reading began: no row before it is ever handed out.
    fn start(&self) -> Offset;

    /// Takes the records that could not become rows, of the stretch of the partition that the last batch covers. Asked for
    /// after every call of [`Reader::next_batch`].
    fn take_rejected(&mut self) -> Vec<Rejected> {
        Vec::new()
    }

    /// How much has been read, and how much there is, as far as it is known.
    fn progress(&self) -> Progress {
        Progress::default()
    }
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows handed out so far.
    pub rows_done: u64,
    /// Rows that there are in all, where that is known beforehand.
    pub rows_total: Option<u64>,
    /// Rows that are there and have not been handed out, of a partition that grows.
    pub rows_behind: Option<u64>,
    /// Rows that were read and are none of the partition's.
    pub rows_left_out: u64,
}

impl Progress {
    /// `rows_done` rows out of `rows_total`.
    pub fn new(rows_done: u64, rows_total: Option<u64>) -> Self {
        Self { rows_done, rows_total, rows_behind: None, rows_left_out: 0 }
    }
}

/// The settings of a source type: the table `[source.NAME]` of a pipeline file without `type`.
pub trait SourceConfig: DeserializeOwned + JsonSchema + 'static {
    /// Checks the settings and looks at what is there, as far as needed to know the schema.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting, and the file or server where it is at fault.
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError>;
}

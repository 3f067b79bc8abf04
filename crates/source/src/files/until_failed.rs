//! The end of a reader at its first error.

use sluicegate_core::{Batch, BoxError, Offset, PartitionId, Progress, Reader, Rejected};

use crate::SourceError;

/// A reader of a partition's files that gives nothing more after an error, as [`Reader::next_batch`] promises: the files behind the
/// one at fault would be read as if it were whole.
pub(crate) struct UntilFailed<R> {
    reader: R,
    partition: PartitionId,
    failed: bool,
}

impl<R: Reader> UntilFailed<R> {
    pub(crate) fn new(reader: R, partition: &PartitionId) -> Self {
        Self { reader, partition: partition.clone(), failed: false }
    }
}

impl<R: Reader> Reader for UntilFailed<R> {
    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        if self.failed {
            return Err(SourceError::Ended { partition: self.partition.to_string() }.into());
        }
        let read = self.reader.next_batch();
        self.failed = read.is_err();
        read
    }

    fn start(&self) -> Offset {
        self.reader.start()
    }

    fn take_rejected(&mut self) -> Vec<Rejected> {
        self.reader.take_rejected()
    }

    fn progress(&self) -> Progress {
        self.reader.progress()
    }
}

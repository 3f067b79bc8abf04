//! The rows of one partition of a shard that keeps checkpoints: nothing is visible before it is committed, nothing is lost.
//!
//! A file grows over many checkpoints and is cut where its size says, as without checkpoints. So that its rows outlive the
//! process, each stretch between two checkpoints is also written to a *segment*, an Arrow stream under a hidden name; after a
//! crash the file is put together from its segments again, each of which must be what its checkpoint says. A file that is full is completed under a hidden name, and gets its
//! own when the commit of a checkpoint that lists it is done.
//!
//! Hidden names are `.staged-<partition>-<number>.<kind>`, where the kind is `parquet` or `arrow`. Numbers of segments begin
//! anew with each process, at one that no other has: one that was given up but still runs cannot write into another's.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use blake3::{Hash, OUT_LEN};
use parquet::file::properties::WriterProperties;
use sluicegate_core::{Batch, BoxError, PartitionId, Sink, SnapshotError, SnapshotReader, SnapshotWriter, failpoint};

use super::config::Existing;
use super::directory::Directory;
use super::folder::Folder;
use super::names;
use super::part::Part;
use super::segment::{Segment, SegmentWriter};
use super::sink::{Limits, check_columns};
use crate::SinkError;

/// A Parquet sink whose rows become visible with commits.
pub(super) struct StagedSink {
    directory: Arc<Directory>,
    tag: String,
    partition: PartitionId,
    schema: SchemaRef,
    properties: WriterProperties,
    limits: Limits,
    /// Whether it is known what there is already: nothing, or what a checkpoint lists.
    begun: bool,
    /// Numbers of an earlier run's complete files, which go right before the first one of this run gets its name.
    replaced: Vec<u64>,
    /// The file in the making.
    number: u64,
    part: Option<Part>,
    /// Its segments that are complete, and the one in the making.
    segments: Vec<Segment>,
    segment: Option<SegmentWriter>,
    next_segment: u64,
    /// Files that are complete and have no name yet; the first so many of them are in the last snapshot.
    complete: Vec<u64>,
    listed: usize,
    /// Segments that no later snapshot needs; the first so many of them not even the last one.
    obsolete: Vec<u64>,
    obsolete_listed: usize,
    any_file: bool,
    ended: bool,
}

impl StagedSink {
    /// A sink that looks at the directory only when it is known whether it goes on from a checkpoint.
    pub(super) fn new(
        directory: Arc<Directory>,
        partition: &PartitionId,
        schema: &SchemaRef,
        properties: &WriterProperties,
        limits: Limits,
    ) -> Self {
        Self {
            directory,
            tag: names::tag(partition.as_str()),
            partition: partition.clone(),
            schema: schema.clone(),
            properties: properties.clone(),
            limits,
            begun: false,
            replaced: Vec::new(),
            number: 0,
            part: None,
            segments: Vec::new(),
            segment: None,
            next_segment: 0,
            complete: Vec::new(),
            listed: 0,
            obsolete: Vec::new(),
            obsolete_listed: 0,
            any_file: false,
            ended: false,
        }
    }

    /// Begins anew: what an earlier run staged goes, what it made visible is dealt with as the settings say.
    fn begin(&mut self) -> Result<(), SinkError> {
        if self.begun {
            return Ok(());
        }
        self.folder().make()?;
        let complete = self.directory.complete_files(&self.tag)?;
        match (self.directory.existing(), complete.last()) {
            (Existing::Replace, _) => {
                let foreign = complete.iter().find(|(_, name)| !self.folder().is_ours(name));
                if let Some((_, name)) = foreign {
                    return Err(SinkError::Foreign { path: self.folder().path_of(name) });
                }
                self.replaced = complete.into_iter().map(|(number, _)| number).collect();
            }
            (Existing::Append, Some((last, _))) => self.number = last + 1,
            (Existing::Refuse, Some((_, last))) => {
                let first = last.clone();
                let directory = self.directory.path().to_owned();
                return Err(SinkError::Occupied { directory, files: complete.len(), first });
            }
            (Existing::Append | Existing::Refuse, None) => {}
        }
        self.remove_staged(&[], &[])?;
        self.next_segment = names::own_number();
        self.begun = true;
        Ok(())
    }

    fn folder(&self) -> &Arc<Folder> {
        self.directory.folder()
    }

    fn staged(&self, number: u64, kind: &str) -> String {
        format!(".staged-{}-{number:010}.{kind}", self.tag)
    }

    /// Begins the next file. It is complete under its staged name, and gets its own with a commit.
    fn next_part(&self) -> Result<Part, SinkError> {
        let hidden = names::unfinished(&names::complete(&self.tag, self.number));
        let name = self.staged(self.number, "parquet");
        Part::create(self.folder(), name, hidden, &self.schema, &self.properties)
    }

    /// Removes what is staged for this partition, but for some files and segments.
    fn remove_staged(&self, files: &[u64], segments: &[u64]) -> Result<(), SinkError> {
        let keep: Vec<String> = files
            .iter()
            .map(|number| self.staged(*number, "parquet"))
            .chain(segments.iter().map(|number| self.staged(*number, "arrow")))
            .collect();
        let prefix = format!(".staged-{}-", self.tag);
        for name in self.folder().names()? {
            // Another partition's tag may begin with this one's.
            let number = name.strip_prefix(&prefix).and_then(|rest| rest.split_once('.'));
            let staged = number.is_some_and(|(number, _)| number.len() >= 10 && number.parse::<u64>().is_ok());
            // Files in the making of a process that was killed.
            let left = names::is_unfinished(&name) && names::tag_of_unfinished(&name) == Some(&self.tag);
            if (staged || left) && !keep.contains(&name) {
                self.folder().remove("remove", &name)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, records: &RecordBatch, saved: bool) -> Result<(), SinkError> {
        check_columns(records, &self.schema, || self.folder().path_of(&names::complete(&self.tag, self.number)))?;
        let mut written = 0;
        while written < records.num_rows() {
            let part = match &mut self.part {
                Some(part) => part,
                None => {
                    let part = self.next_part()?;
                    self.part.insert(part)
                }
            };
            let rows = self.limits.room(part).min(records.num_rows() - written);
            let slice = records.slice(written, rows);
            part.write(&slice)?;
            written += rows;
            let full = self.limits.is_full(part);
            if !saved {
                self.save(&slice)?;
            }
            if full {
                self.complete()?;
            }
        }
        Ok(())
    }

    /// Appends rows to the segment in the making.
    fn save(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let segment = match &mut self.segment {
            Some(segment) => segment,
            None => {
                let name = self.staged(self.next_segment, "arrow");
                let segment = SegmentWriter::create(self.folder(), &name, &self.schema)?;
                self.segment.insert(segment)
            }
        };
        segment.write(rows)
    }

    /// Completes the file in the making under its hidden name. Its segments are needed only by snapshots that were made before.
    fn complete(&mut self) -> Result<(), SinkError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        part.complete()?;
        self.any_file = true;
        self.complete.push(self.number);
        self.number += 1;
        self.obsolete.extend(self.segments.drain(..).map(|segment| segment.number));
        if let Some(segment) = self.segment.take() {
            drop(segment);
            self.folder().remove("remove", &self.staged(self.next_segment, "arrow"))?;
            self.next_segment += 1;
        }
        Ok(())
    }

    /// Completes the segment in the making.
    fn settle(&mut self) -> Result<(), SinkError> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        self.segments.push(segment.complete(self.next_segment)?);
        self.next_segment += 1;
        Ok(())
    }

    /// Puts the file in the making together again.
    fn refill(&mut self) -> Result<(), SinkError> {
        for segment in self.segments.clone() {
            let name = self.staged(segment.number, "arrow");
            for rows in segment.rows(self.folder(), &name)? {
                self.append(&rows?, true)?;
            }
        }
        Ok(())
    }

    fn make_visible(&mut self) -> Result<(), SinkError> {
        let due: Vec<u64> = self.complete.drain(..self.listed).collect();
        self.listed = 0;
        if !due.is_empty() {
            for number in self.replaced.drain(..) {
                let name = names::complete(&self.tag, number);
                self.directory.folder().remove("remove the earlier run's", &name)?;
            }
        }
        for number in due {
            failpoint::reach("reveal.before", &self.partition);
            self.directory.reveal(&self.staged(number, "parquet"), &names::complete(&self.tag, number))?;
        }
        let unneeded: Vec<u64> = self.obsolete.drain(..self.obsolete_listed).collect();
        self.obsolete_listed = 0;
        for number in unneeded {
            self.folder().remove("remove", &self.staged(number, "arrow"))?;
        }
        Ok(())
    }

    fn refuse_ended(&self) -> Result<(), SinkError> {
        if self.ended {
            return Err(SinkError::Ended { path: self.directory.path().to_owned() });
        }
        Ok(())
    }
}

impl Sink for StagedSink {
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError> {
        self.refuse_ended()?;
        self.begin()?;
        Ok(self.append(batch.records(), false)?)
    }

    fn snapshot(&mut self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        self.begin()?;
        self.settle()?;
        self.folder().sync_names()?;
        self.listed = self.complete.len();
        self.obsolete_listed = self.obsolete.len();
        let numbers = |numbers: &[u64]| numbers.iter().map(|number| *number as i64).collect::<Vec<i64>>();
        let next = [self.number as i64, self.next_segment as i64, i64::from(self.any_file)];
        to.i64("next", &[next.len()], &next)?;
        to.i64("replaced", &[self.replaced.len()], &numbers(&self.replaced))?;
        let of_segment = |segment: &Segment| [segment.number as i64, segment.size_bytes as i64];
        let segments: Vec<i64> = self.segments.iter().flat_map(of_segment).collect();
        to.i64("segments", &[self.segments.len(), 2], &segments)?;
        let hashes: Vec<u8> = self.segments.iter().flat_map(|segment| *segment.blake3.as_bytes()).collect();
        to.u8("segments.blake3", &[self.segments.len(), OUT_LEN], &hashes)?;
        Ok(to.i64("complete", &[self.complete.len()], &numbers(&self.complete))?)
    }

    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        let numbers = |name: &str| -> Result<Vec<u64>, BoxError> {
            let numbers = from.i64(name, &from.shape(name)?)?;
            Ok(numbers.into_iter().map(|number| u64::try_from(number).unwrap_or_default()).collect())
        };
        let next = from.i64("next", &[3])?;
        self.number = u64::try_from(next[0]).unwrap_or_default();
        self.next_segment = u64::try_from(next[1]).unwrap_or_default();
        self.any_file = next[2] != 0;
        self.segments = segments_in(from)?;
        self.complete = numbers("complete")?;
        self.listed = self.complete.len();
        // The segment that its snapshot named last may be one that another process still writes after.
        self.next_segment = names::own_number().max(self.next_segment);
        self.folder().make()?;
        // Where a listed file has its name already, the earlier run's went before that.
        let mut revealed = false;
        for number in &self.complete {
            revealed |= !self.folder().holds(&self.staged(*number, "parquet"))?;
        }
        self.replaced = if revealed { Vec::new() } else { numbers("replaced")? };
        let segments: Vec<u64> = self.segments.iter().map(|segment| segment.number).collect();
        self.remove_staged(&self.complete, &segments)?;
        self.begun = true;
        Ok(self.refill()?)
    }

    fn publish(&mut self) -> Result<(), BoxError> {
        Ok(self.make_visible()?)
    }

    /// A partition without rows gets one file without rows, so that its columns are known.
    fn finish(&mut self) -> Result<(), BoxError> {
        self.refuse_ended()?;
        self.begin()?;
        self.ended = true;
        if self.part.is_none() && !self.any_file {
            self.part = Some(self.next_part()?);
        }
        Ok(self.complete()?)
    }
}

/// The segments that a snapshot lists.
fn segments_in(from: &SnapshotReader<'_>) -> Result<Vec<Segment>, SnapshotError> {
    let len = from.shape("segments")?.first().copied().unwrap_or_default();
    let numbers = from.i64("segments", &[len, 2])?;
    let hashes = from.u8("segments.blake3", &[len, OUT_LEN])?;
    let (numbers, hashes) = (numbers.as_chunks::<2>().0, hashes.as_chunks::<OUT_LEN>().0);
    let segment = |([number, size_bytes], blake3): (&[i64; 2], &[u8; OUT_LEN])| Segment {
        number: u64::try_from(*number).unwrap_or_default(),
        size_bytes: u64::try_from(*size_bytes).unwrap_or_default(),
        blake3: Hash::from_bytes(*blake3),
    };
    Ok(numbers.iter().zip(hashes).map(segment).collect())
}

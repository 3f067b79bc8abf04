//! The rows of one partition of a shard that keeps checkpoints: nothing is visible before it is committed, nothing is lost.
//!
//! A file grows over many checkpoints and is cut where its size says, as without checkpoints. So that its rows outlive the
//! process, each stretch between two checkpoints is also written to a *segment*, an Arrow stream under a hidden name; after a
//! crash the file is put together from its segments again. A file that is full is completed under a hidden name, and gets its
//! own when the commit of a checkpoint that lists it is done.
//!
//! Hidden names are `.staged-<partition>-<number>.<kind>`, where the kind is `parquet` or `arrow`.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use parquet::file::properties::WriterProperties;
use sluicegate_core::{Batch, BoxError, Sink, SnapshotReader, SnapshotWriter, failpoint};

use super::config::Existing;
use super::directory::Directory;
use super::part::Part;
use super::sink::{Limits, check_columns};
use super::{mark, names};
use crate::SinkError;

/// A Parquet sink whose rows become visible with commits.
pub(super) struct StagedSink {
    directory: Arc<Directory>,
    tag: String,
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
    segments: Vec<u64>,
    segment: Option<Segment>,
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

struct Segment {
    path: PathBuf,
    writer: StreamWriter<BufWriter<File>>,
}

impl StagedSink {
    /// A sink that looks at the directory only when it is known whether it goes on from a checkpoint.
    pub(super) fn new(
        directory: Arc<Directory>,
        tag: String,
        schema: &SchemaRef,
        properties: &WriterProperties,
        limits: Limits,
    ) -> Self {
        Self {
            directory,
            tag,
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
        self.directory.make()?;
        let complete = self.directory.complete_files(&self.tag)?;
        match (self.directory.existing(), complete.last()) {
            (Existing::Replace, _) => {
                let foreign = complete.iter().map(|(_, path)| path).find(|path| !mark::is_ours(path));
                if let Some(path) = foreign {
                    return Err(SinkError::Foreign { path: path.clone() });
                }
                self.replaced = complete.into_iter().map(|(number, _)| number).collect();
            }
            (Existing::Append, Some((last, _))) => self.number = last + 1,
            (Existing::Refuse, Some((_, last))) => {
                let first = last.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let directory = self.directory.path().to_owned();
                return Err(SinkError::Occupied { directory, files: complete.len(), first });
            }
            (Existing::Append | Existing::Refuse, None) => {}
        }
        self.remove_staged(&[], &[])?;
        self.begun = true;
        Ok(())
    }

    fn staged(&self, number: u64, kind: &str) -> PathBuf {
        self.directory.path().join(format!(".staged-{}-{number:010}.{kind}", self.tag))
    }

    /// Removes what is staged for this partition, but for some files and segments.
    fn remove_staged(&self, files: &[u64], segments: &[u64]) -> Result<(), SinkError> {
        let keep: Vec<PathBuf> = files
            .iter()
            .map(|number| self.staged(*number, "parquet"))
            .chain(segments.iter().map(|number| self.staged(*number, "arrow")))
            .collect();
        let prefix = format!(".staged-{}-", self.tag);
        for path in self.directory.entries()? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // Another partition's tag may begin with this one's.
            let number = name.strip_prefix(&prefix).and_then(|rest| rest.split_once('.'));
            let staged = number.is_some_and(|(number, _)| number.len() == 10 && number.parse::<u64>().is_ok());
            // Files in the making of a process that was killed.
            let left = names::is_unfinished(&name) && names::tag_of_unfinished(&name) == Some(&self.tag);
            if (staged || left) && !keep.contains(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, records: &RecordBatch, saved: bool) -> Result<(), SinkError> {
        check_columns(records, &self.schema, || self.directory.path().join(names::complete(&self.tag, self.number)))?;
        let mut written = 0;
        while written < records.num_rows() {
            let part = match &mut self.part {
                Some(part) => part,
                None => {
                    let name = names::complete(&self.tag, self.number);
                    let part = Part::create(&self.directory, name, &self.schema, &self.properties)?;
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
                let path = self.staged(self.next_segment, "arrow");
                let failed = |source| SinkError::Io { doing: "stage rows in", path: path.clone(), source };
                let file = BufWriter::new(File::create(&path).map_err(failed)?);
                let writer = StreamWriter::try_new(file, &self.schema).map_err(|error| encode(&path, error))?;
                self.segment.insert(Segment { path: path.clone(), writer })
            }
        };
        segment.writer.write(rows).map_err(|error| encode(&segment.path, error))
    }

    /// Completes the file in the making under its hidden name. Its segments are needed only by snapshots that were made before.
    fn complete(&mut self) -> Result<(), SinkError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        part.complete_as(&self.staged(self.number, "parquet"))?;
        self.any_file = true;
        self.complete.push(self.number);
        self.number += 1;
        self.obsolete.append(&mut self.segments);
        if let Some(segment) = self.segment.take() {
            let path = segment.path;
            drop(segment.writer);
            remove(&path)?;
            self.next_segment += 1;
        }
        Ok(())
    }

    /// Completes the segment in the making.
    fn settle(&mut self) -> Result<(), SinkError> {
        let Some(mut segment) = self.segment.take() else { return Ok(()) };
        segment.writer.finish().map_err(|error| encode(&segment.path, error))?;
        let file = segment.writer.get_ref().get_ref();
        file.sync_all().map_err(|source| SinkError::Io {
            doing: "stage rows in",
            path: segment.path.clone(),
            source,
        })?;
        self.segments.push(self.next_segment);
        self.next_segment += 1;
        Ok(())
    }

    /// Puts the file in the making together again.
    fn refill(&mut self) -> Result<(), SinkError> {
        for number in self.segments.clone() {
            let path = self.staged(number, "arrow");
            let file =
                File::open(&path).map_err(|source| SinkError::Io { doing: "read", path: path.clone(), source })?;
            let rows = StreamReader::try_new(BufReader::new(file), None).map_err(|error| encode(&path, error))?;
            for rows in rows {
                self.append(&rows.map_err(|error| encode(&path, error))?, true)?;
            }
        }
        Ok(())
    }

    fn make_visible(&mut self) -> Result<(), SinkError> {
        let due: Vec<u64> = self.complete.drain(..self.listed).collect();
        self.listed = 0;
        if !due.is_empty() {
            for number in self.replaced.drain(..) {
                remove(&self.directory.path().join(names::complete(&self.tag, number)))?;
            }
        }
        for number in due {
            failpoint::reach("reveal.before");
            self.directory.reveal(&self.staged(number, "parquet"), &names::complete(&self.tag, number))?;
        }
        let unneeded: Vec<u64> = self.obsolete.drain(..self.obsolete_listed).collect();
        self.obsolete_listed = 0;
        for number in unneeded {
            remove(&self.staged(number, "arrow"))?;
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
        self.directory.sync_names()?;
        self.listed = self.complete.len();
        self.obsolete_listed = self.obsolete.len();
        let numbers = |numbers: &[u64]| numbers.iter().map(|number| *number as i64).collect::<Vec<i64>>();
        let next = [self.number as i64, self.next_segment as i64, i64::from(self.any_file)];
        to.i64("next", &[next.len()], &next)?;
        to.i64("replaced", &[self.replaced.len()], &numbers(&self.replaced))?;
        to.i64("segments", &[self.segments.len()], &numbers(&self.segments))?;
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
        self.segments = numbers("segments")?;
        self.complete = numbers("complete")?;
        self.listed = self.complete.len();
        self.directory.make()?;
        // Where a listed file has its name already, the earlier run's went before that.
        let revealed = self.complete.iter().any(|number| !self.staged(*number, "parquet").exists());
        self.replaced = if revealed { Vec::new() } else { numbers("replaced")? };
        self.remove_staged(&self.complete, &self.segments)?;
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
            let name = names::complete(&self.tag, self.number);
            self.part = Some(Part::create(&self.directory, name, &self.schema, &self.properties)?);
        }
        Ok(self.complete()?)
    }
}

fn remove(path: &Path) -> Result<(), SinkError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SinkError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn encode(path: &Path, error: ArrowError) -> SinkError {
    match error {
        ArrowError::IoError(_, source) => SinkError::Io { doing: "stage rows in", path: path.to_owned(), source },
        error => SinkError::Encode { path: path.to_owned(), message: error.to_string() },
    }
}

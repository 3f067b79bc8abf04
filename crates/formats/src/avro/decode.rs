//! Payloads to rows.
//!
//! The decoder of `arrow-avro` is of no use after a bad datum, and finds text that is no UTF-8 only when its rows are taken. So
//! the data of the rows that wait are kept: when one of them is bad, the others are decoded once more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_avro::reader::Decoder as RowDecoder;
use sluicegate_core::ConfigError;

use super::columns;
use super::config::{AvroConfig, Framing};
use super::framing;
use super::registry::{Registry, RegistryError};
use crate::{BadRecord, DecodeError, Decoder, Taken};

/// Ids whose schema is not known are remembered, but no more than so many: somebody may be making them up.
const UNKNOWN_MAX: usize = 10_000;

/// What is known before the first payload.
#[derive(Clone)]
pub(crate) struct AvroPlan {
    columns: SchemaRef,
    reader: Arc<str>,
    framing: Framing,
    registry: Option<Registry>,
}

impl fmt::Debug for AvroPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AvroPlan").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl AvroPlan {
    /// Finds the schema that the columns are of. `topic` gives the subject its name.
    ///
    /// # Errors
    /// When there is none, or one that has no columns.
    pub(crate) fn new(config: &AvroConfig, base_dir: &Path, topic: Option<&str>) -> Result<Self, ConfigError> {
        let registry = config.registry.as_ref().map(Registry::new).transpose()?;
        if config.framing == Framing::None && registry.is_some() && config.schema_file.is_none() {
            return Err(ConfigError::new("framing", "without framing no record says by which schema it was written")
                .help("set `schema_file`"));
        }
        let (reader, setting) = match (&config.schema_file, &registry) {
            (Some(file), _) => {
                let path = base_dir.join(file);
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    ConfigError::new("schema_file", format!("{} cannot be read: {error}", path.display()))
                })?;
                (text, "schema_file")
            }
            (None, Some(registry)) => (latest(registry, config, topic)?, "registry"),
            (None, None) => {
                return Err(ConfigError::new("", "no schema is named").help(
                    "name one: avro = { schema_file = \"trades.avsc\" } or { registry = { url = \"http://…\" } }",
                ));
            }
        };
        let columns = columns::of_schema(&reader).map_err(|message| ConfigError::new(setting, message))?;
        Ok(Self { columns, reader: reader.into(), framing: config.framing, registry })
    }

    pub(crate) fn columns(&self) -> SchemaRef {
        self.columns.clone()
    }
}

fn latest(registry: &Registry, config: &AvroConfig, topic: Option<&str>) -> Result<String, ConfigError> {
    let subject = match (&config.subject, topic) {
        (Some(subject), _) => subject.clone(),
        (None, Some(topic)) => format!("{topic}-value"),
        (None, None) => {
            return Err(ConfigError::new("subject", "several topics have no subject in common")
                .help("name the subject, or a `schema_file`"));
        }
    };
    match registry.latest(&subject) {
        Ok(Some(schema)) => Ok(schema),
        Ok(None) => Err(ConfigError::new("subject", format!("the registry has no subject `{subject}`"))
            .help("name another, or register a schema under it")),
        Err(error) => Err(ConfigError::new("registry", error.to_string())),
    }
}

/// What is known of a schema by which records are written.
enum Writer {
    Known(Arc<str>),
    /// Why records of it cannot be read.
    Bad(BadRecord),
}

/// Rows that wait in one decoder, which all were written by one schema.
struct Run {
    id: Option<u32>,
    schema: Arc<str>,
    rows: RowDecoder,
    /// Their data, one after the other.
    data: Vec<u8>,
    ends: Vec<usize>,
}

/// Reads one datum a payload.
pub(crate) struct AvroDecoder {
    plan: AvroPlan,
    writers: HashMap<u32, Writer>,
    run: Option<Run>,
    done: Vec<RecordBatch>,
    /// Rows in `done` and those found bad, by their places among all.
    settled: usize,
    bad: Vec<(usize, BadRecord)>,
}

impl AvroDecoder {
    pub(crate) fn new(plan: AvroPlan) -> Self {
        Self { plan, writers: HashMap::new(), run: None, done: Vec::new(), settled: 0, bad: Vec::new() }
    }

    /// The schema of an id. A registry that is away is waited for, and is never a record's fault.
    fn writer(&mut self, id: u32) -> Result<Arc<str>, DecodeError> {
        if self.writers.len() > UNKNOWN_MAX {
            self.writers.retain(|_, writer| matches!(writer, Writer::Known(_)));
        }
        let Some(registry) = &self.plan.registry else { return Ok(Arc::clone(&self.plan.reader)) };
        let writer = match self.writers.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let found = match registry.schema(id) {
                    Ok(Some(schema)) => match columns::decoder(&schema, &self.plan.reader) {
                        Ok(_) => Writer::Known(schema.into()),
                        Err(error) => Writer::Bad(BadRecord::new(
                            "schema-mismatch",
                            format!("data of schema {id} cannot be read as the columns: {error}"),
                        )),
                    },
                    Ok(None) => {
                        Writer::Bad(BadRecord::new("unknown-schema", format!("the registry knows no schema {id}")))
                    }
                    Err(error @ (RegistryError::Away { .. } | RegistryError::Refused { .. })) => {
                        return Err(DecodeError::Failed(error.into()));
                    }
                };
                new.insert(found)
            }
        };
        match writer {
            Writer::Known(schema) => Ok(Arc::clone(schema)),
            Writer::Bad(bad) => Err(bad.clone().into()),
        }
    }

    /// The run that a datum written by `schema` belongs to.
    fn run_of(&mut self, id: Option<u32>, schema: &Arc<str>) -> Result<&mut Run, ArrowError> {
        if self.run.as_ref().is_some_and(|run| run.id != id) {
            self.settle()?;
        }
        if self.run.is_none() {
            self.run = Some(Run::new(id, schema, &self.plan.reader)?);
        }
        self.run.as_mut().ok_or_else(|| ArrowError::ComputeError("a run that was just made is gone".to_owned()))
    }

    /// Takes the rows out of the run at hand. It can go on.
    fn settle(&mut self) -> Result<(), ArrowError> {
        let Some(mut run) = self.run.take() else { return Ok(()) };
        let count = run.ends.len();
        if count == 0 {
            return Ok(());
        }
        match run.rows.flush().map_err(ArrowError::from).and_then(|rows| self.conform(rows)) {
            Ok(rows) => self.done.extend(rows),
            // Some text is no UTF-8: each for itself, then.
            Err(_) => {
                for (place, datum) in run.each().enumerate() {
                    let alone = self.alone(&run.schema, datum);
                    match alone {
                        Ok(rows) => self.done.extend(rows),
                        Err(error) => {
                            let bad = BadRecord::new("undecodable", format!("it is no Avro record: {error}"));
                            self.bad.push((self.settled + place, bad));
                        }
                    }
                }
            }
        }
        self.settled += count;
        Ok(())
    }

    fn alone(&self, schema: &str, datum: &[u8]) -> Result<Option<RecordBatch>, ArrowError> {
        let mut decoder = columns::decoder(schema, &self.plan.reader)?;
        decoder.decode(datum)?;
        let rows = decoder.flush()?;
        self.conform(rows)
    }

    fn conform(&self, rows: Option<RecordBatch>) -> Result<Option<RecordBatch>, ArrowError> {
        rows.map(|rows| columns::conform(&rows, &self.plan.columns)).transpose()
    }
}

impl Run {
    fn new(id: Option<u32>, schema: &Arc<str>, reader: &str) -> Result<Self, ArrowError> {
        let rows = columns::decoder(schema, reader)?;
        Ok(Self { id, schema: Arc::clone(schema), rows, data: Vec::new(), ends: Vec::new() })
    }

    /// The data of the rows, in order.
    fn each(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.data.get(start..*end))
    }

    /// Appends a row; `false` when its datum is none. The run is then of no use.
    fn push(&mut self, datum: &[u8]) -> Result<(), String> {
        match self.rows.decode(datum) {
            Ok(read) if read == datum.len() => {
                self.data.extend_from_slice(datum);
                self.ends.push(self.data.len());
                Ok(())
            }
            Ok(read) => Err(format!("{} bytes are left over after its {read}", datum.len() - read)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The same rows in a decoder that has not met a bad datum.
    fn again(&self, reader: &str) -> Result<Self, ArrowError> {
        let mut run = Self::new(self.id, &self.schema, reader)?;
        for datum in self.each() {
            run.push(datum).map_err(ArrowError::ComputeError)?;
        }
        Ok(run)
    }
}

impl Decoder for AvroDecoder {
    fn schema(&self) -> SchemaRef {
        self.plan.columns.clone()
    }

    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError> {
        let payload = payload.ok_or_else(BadRecord::empty)?;
        let (id, datum) = match self.plan.framing {
            Framing::Confluent => {
                let (id, datum) = framing::split(payload)?;
                (Some(id), datum)
            }
            Framing::None => (None, payload),
        };
        let schema = match id {
            Some(id) => self.writer(id)?,
            None => Arc::clone(&self.plan.reader),
        };
        let failed = |error: ArrowError| DecodeError::Failed(error.into());
        let pushed = self.run_of(id, &schema).map_err(failed)?.push(datum);
        pushed.map_err(|message| {
            // What waits goes on without it, and is not decoded a third time.
            let mended = self.run.take().map(|run| run.again(&self.plan.reader)).transpose();
            let mended = mended.and_then(|run| {
                self.run = run;
                self.settle()
            });
            match mended {
                Ok(()) => BadRecord::new("undecodable", format!("it is no Avro record: {message}")).into(),
                Err(error) => failed(error),
            }
        })
    }

    fn len(&self) -> usize {
        self.settled + self.run.as_ref().map_or(0, |run| run.ends.len())
    }

    fn take(&mut self) -> Result<Taken, ArrowError> {
        let id = self.run.as_ref().map(|run| (run.id, Arc::clone(&run.schema)));
        self.settle()?;
        if let Some((id, schema)) = id {
            // Most records that follow are of the same schema.
            self.run = Some(Run::new(id, &schema, &self.plan.reader)?);
        }
        self.settled = 0;
        let rows = match <[RecordBatch; 1]>::try_from(std::mem::take(&mut self.done)) {
            Ok([rows]) => rows,
            Err(parts) => concat_batches(&self.plan.columns, &parts)?,
        };
        Ok(Taken { rows, bad: std::mem::take(&mut self.bad) })
    }
}

//! The settings of the WAV source.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{ConfigError, PartitionId, PipelineContext, Source, SourceConfig};

use super::clock::Clock;
use super::frame::{FrameConfig, Grid};
use super::header::Header;
use super::labels::KeyPattern;
use super::shape::{FILE, OF_FRAME, OF_SAMPLE, Shape, TIME};
use super::source::{Partition, WavSource};
use crate::SourceError;
use crate::files::{self, Kind, Partitions, Paths, batch_rows_default};
use crate::position::{self, Position};
use crate::time;

/// Which files of a directory are meant.
const KIND: Kind = Kind { endings: &["wav", "WAV"], compressed: false };
/// What the one partition is called where neither `path` nor the pipeline has a name.
const NAMELESS: &str = "wav";
const NANOS_PER_MICRO: i128 = 1000;

/// Reads sound from WAV files: PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64, at 1 Hz to 1 MHz.
///
/// The offset of a row is its number in its partition, counted from 0 over all files in order. Each file is a key with a state of its
/// own, unless `key_pattern` says otherwise. All files have one rate. A file without samples has no rows; one whose header promises
/// more than there is, or that is in another encoding, is refused when the pipeline is checked. Memory does not grow with the
/// length of a file. A run that goes on at an offset begins to read there.
///
/// Columns of samples: `file`, `sample` (its number in the file), `value` (in [−1, 1) of PCM: divided by 2^(bits − 1); floats as they
/// are), `time`. Columns of frames: `file`, `frame` (its number in the file), `rms_db` (10 · log₁₀ of the mean square, at least −120),
/// `zero_crossing_rate` (the share of neighbouring samples of which one is below zero and the other is not), `peak` (the largest
/// magnitude), `time`. Frames lie within a file; what is left at its end is no frame.
///
/// `time` is that of the sample, or of the last sample of the frame: `origin` + n / rate, where n counts the samples of the
/// partition over all its files, in microseconds and rounded down. Files so follow each other without a gap.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WavConfig {
    /// The files: a file, a directory, a pattern such as `sound/*_jackson_*.wav`, or a list of these, relative to the folder of the
    /// pipeline file; or the same as the URL of an object store, such as `s3://bucket/sound/*.wav`, with credentials from the
    /// environment (`AWS_ACCESS_KEY_ID` and so on).
    ///
    /// Entries are read in the order given, one file after the other. A directory stands for every `*.wav` and `*.WAV` file directly
    /// in it; files of a directory or pattern are sorted by name, byte by byte. Names that begin with `.` or `_` are skipped in
    /// directories.
    pub path: Paths,

    /// What a row is.
    #[serde(default)]
    pub unit: Unit,

    /// How long frames are and how far apart they begin, where they are rows: `{ length = "25ms", hop = "10ms" }`.
    #[serde(default)]
    pub frame: Option<FrameConfig>,

    /// Which channel is read, the first one being 1. Files of one channel need none.
    #[serde(default)]
    pub channel: Option<u16>,

    /// The time of the first sample of each partition, such as `2024-05-01T12:00:00Z`. By default that is 1970-01-01T00:00:00Z.
    #[serde(default, deserialize_with = "position::optional_time")]
    #[schemars(with = "Option<String>")]
    pub origin: Option<String>,

    /// A regular expression with one named group, looked for in the name of each file with its ending and without its folders. The
    /// group names a further column, which is the key: with `_(?<speaker>[a-z]+)_` the rows of `0_jackson_1.wav` have the key
    /// `jackson` in the column `speaker`.
    ///
    /// By default the key is `file`: the file's name without ending, with as many of its folders in front as tell it from the
    /// others.
    #[serde(default)]
    pub key_pattern: Option<String>,

    /// How files become partitions.
    #[serde(default)]
    pub partitions: Partitions,

    /// The first row to read, inclusive: `{ offset = 8000 }` or `{ time = "1970-01-01T00:00:01Z" }`. The first row there is when
    /// left out. A time means the first row, in offset order, whose time is that or later.
    #[serde(default)]
    pub start: Option<Position>,

    /// The row to end before, exclusive, as for `start`. The last row there is when left out.
    #[serde(default)]
    pub stop: Option<Position>,

    /// Rows of a batch, at most. It changes the speed, never the result.
    #[serde(default = "batch_rows_default")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_rows: usize,
}

/// What a row is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A sample.
    #[default]
    Sample,
    /// A frame of samples, as `frame` has it.
    Frame,
}

impl SourceConfig for WavConfig {
    fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        files::check_paths(&self.path)?;
        files::check_batch_rows(self.batch_rows)?;
        let (start, stop) = files::bounds(self.start.as_ref(), self.stop.as_ref(), true)?;
        let key = self.key()?;
        let origin_us = self.origin_us()?;
        let at_path = |error: SourceError| ConfigError::new("path", error.to_string());
        let entries = self.path.entries();
        let found = files::find(entries, &pipeline.base_dir, KIND).map_err(at_path)?;
        let names = |partitions| files::partition_names(partitions, entries, &found, pipeline, NAMELESS);
        let ids = names(self.partitions).map_err(at_path)?;
        let labels = names(Partitions::PerFile).map_err(at_path)?;

        let mut shape: Option<(Arc<Shape>, PathBuf)> = None;
        let mut partitions: Vec<Partition> = Vec::new();
        for ((file, id), label) in found.iter().zip(ids).zip(labels) {
            pipeline.claim_read(&file.path);
            let header = Header::read(file).map_err(at_path)?;
            self.check_channel(header.channels, &file.path)?;
            let name = match &key {
                Some(key) => key.key_of(file).map_err(|error| ConfigError::new("key_pattern", error.to_string()))?,
                None => String::new(),
            };
            let (shape, first) = match &mut shape {
                Some(shape) => shape,
                None => {
                    let clock = Clock { origin_us, rate: header.rate };
                    let grid = self.grid(header.rate)?;
                    let column = key.as_ref().map(|key| key.column.as_str());
                    let new = Shape::new(grid, self.unit == Unit::Sample, clock, column);
                    shape.insert((Arc::new(new), file.path.clone()))
                }
            };
            if header.rate != shape.clock.rate {
                let (first, expected) = (first.clone(), shape.clock.rate);
                let second = file.path.clone();
                return Err(at_path(SourceError::OtherRate { first, expected, second, found: header.rate }));
            }
            let same = partitions.last().is_some_and(|last| last.id.as_str() == id);
            if !same {
                partitions.push(Partition::new(PartitionId::new(id)));
            }
            if let Some(last) = partitions.last_mut() {
                last.push(file.clone(), header, label, name, shape.grid);
            }
        }
        let (shape, _) = shape.ok_or_else(|| ConfigError::new("path", "it names no file"))?;
        Ok(Box::new(WavSource {
            shape,
            partitions: partitions.into_iter().map(Arc::new).collect(),
            channel: self.channel.map_or(0, |channel| channel - 1),
            start,
            stop,
            batch_rows: self.batch_rows,
        }))
    }
}

impl WavConfig {
    fn key(&self) -> Result<Option<KeyPattern>, ConfigError> {
        let numbers: &[&str] = if self.unit == Unit::Sample { &OF_SAMPLE } else { &OF_FRAME };
        let columns: Vec<&str> = [FILE, TIME].iter().chain(numbers).copied().collect();
        self.key_pattern.as_ref().map(|pattern| KeyPattern::new(pattern, &columns)).transpose()
    }

    fn origin_us(&self) -> Result<i64, ConfigError> {
        let Some(text) = &self.origin else { return Ok(0) };
        let micros = time::parse(text).and_then(|nanos| i64::try_from(nanos.div_euclid(NANOS_PER_MICRO)).ok());
        micros.ok_or_else(|| {
            ConfigError::new("origin", format!("`{text}` is not a time"))
                .help("write it as 2024-05-01T12:00:00Z or 2024-05-01")
        })
    }

    fn grid(&self, rate: u32) -> Result<Grid, ConfigError> {
        match (self.unit, &self.frame) {
            (Unit::Sample, None) => Ok(Grid::SAMPLES),
            (Unit::Frame, Some(frame)) => Grid::of_frames(frame, rate),
            (Unit::Sample, Some(_)) => {
                Err(ConfigError::new("frame", "rows are samples").help("write unit = \"frame\", or leave `frame` out"))
            }
            (Unit::Frame, None) => Err(ConfigError::new("unit", "nothing says how long a frame is")
                .help("write frame = { length = \"25ms\", hop = \"10ms\" }")),
        }
    }

    fn check_channel(&self, channels: u16, path: &std::path::Path) -> Result<(), ConfigError> {
        let path = path.display();
        match self.channel {
            None if channels == 1 => Ok(()),
            None => Err(ConfigError::new("channel", format!("{path} has {channels} channels, and none is chosen"))
                .help(format!("write channel = 1 for the first, up to {channels}"))),
            Some(channel) if (1..=channels).contains(&channel) => Ok(()),
            Some(channel) => Err(ConfigError::new("channel", format!("{path} has no channel {channel}"))
                .help(format!("it has {channels}; the first is 1"))),
        }
    }
}

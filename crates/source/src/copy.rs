//! The copy task as a source: what shows whether a network remembers.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{
    Batch, BoxError, ConfigError, Offset, Offsets, PartitionId, PipelineContext, Progress, Reader, Roles, Source,
    SourceConfig,
};

use crate::SourceError;

/// The one partition.
const PARTITION: &str = "copy";
/// Rows of a batch.
const BATCH_ROWS: u64 = 8192;
/// There are so many letters.
const SYMBOLS_MAX: u32 = 26;
/// A farther copy than this is out of any network's reach.
const LAG_MAX: u64 = 100_000;

/// Makes events up that can be foretold by remembering alone: for tests and teaching.
///
/// Each of several streams shows a symbol drawn at random (`a`, `b`, …), then dots, then `?`, and `lag` events after the symbol the
/// same symbol again; then the next one. That is the task of Hochreiter & Schmidhuber (1997, "Long short-term memory", experiment 2)
/// without an end. Columns: `stream`, the key; `symbol`; and `copy`, which holds the symbol where it comes again and nothing
/// elsewhere. A target `copy` is scored and learned from where memory alone helps: whoever remembers nothing is right once in
/// `symbols` times. Rows take turns by stream, and each stream begins elsewhere in its period. Every row is a function of the settings
/// and its offset.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyConfig {
    /// Events from a symbol to its copy; at least 2.
    pub lag: u64,

    /// Another lag from some offset on, where streams begin anew: `{ offset = 100000, lag = 5 }`.
    #[serde(default)]
    pub change: Option<CopyChange>,

    /// How many symbols there are, from 2 to 26.
    #[serde(default = "symbols_default")]
    pub symbols: u32,

    /// How many streams.
    #[serde(default = "streams_default")]
    pub streams: u64,

    /// Rows in all.
    pub events: u64,

    /// The share of copies that are drawn anew instead, from 0 to below 1.
    #[serde(default)]
    pub noise: f64,

    /// What symbols are drawn by.
    #[serde(default)]
    pub seed: u64,
}

/// Where a dependency changes its length.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyChange {
    /// The first row with the other lag.
    pub offset: u64,
    /// The other lag.
    pub lag: u64,
}

fn symbols_default() -> u32 {
    4
}

fn streams_default() -> u64 {
    32
}

impl SourceConfig for CopyConfig {
    fn connect(self, _: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        let lags = [("lag", self.lag)].into_iter().chain(self.change.map(|change| ("change.lag", change.lag)));
        if let Some((key, lag)) = lags.into_iter().find(|(_, lag)| !(2..=LAG_MAX).contains(lag)) {
            return Err(ConfigError::new(key, format!("must be from 2 to {LAG_MAX}, not {lag}")));
        }
        if !(2..=SYMBOLS_MAX).contains(&self.symbols) {
            return Err(ConfigError::new("symbols", format!("must be from 2 to {SYMBOLS_MAX}, not {}", self.symbols)));
        }
        if self.streams == 0 {
            return Err(ConfigError::new("streams", "must be at least 1"));
        }
        if !(0.0..1.0).contains(&self.noise) {
            return Err(ConfigError::new("noise", format!("must be from 0 to below 1, not {}", self.noise)));
        }
        if i64::try_from(self.events).is_err() {
            return Err(ConfigError::new("events", "are more than there are offsets"));
        }
        Ok(Box::new(CopySource { config: Arc::new(self) }))
    }
}

struct CopySource {
    config: Arc<CopyConfig>,
}

impl Source for CopySource {
    fn schema(&self) -> SchemaRef {
        let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
        let roles = Roles { key: Some("stream".into()), time: None };
        roles.mark(&Schema::new(vec![text("stream", false), text("symbol", false), text("copy", true)]))
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(vec![PartitionId::new(PARTITION)])
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        if partition.as_str() != PARTITION {
            let (partition, known) = (partition.to_string(), format!("`{PARTITION}`"));
            return Err(SourceError::UnknownPartition { partition, known }.into());
        }
        let first = from.map_or(0, |Offset(from)| u64::try_from(from).unwrap_or(0));
        Ok(Box::new(CopyReader { config: Arc::clone(&self.config), schema: self.schema(), first, next: first }))
    }
}

struct CopyReader {
    config: Arc<CopyConfig>,
    schema: SchemaRef,
    first: u64,
    next: u64,
}

impl Reader for CopyReader {
    fn start(&self) -> Offset {
        Offset(i64::try_from(self.first).unwrap_or(i64::MAX))
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, BoxError> {
        let end = self.next.saturating_add(BATCH_ROWS).min(self.config.events);
        if self.next >= end {
            return Ok(None);
        }
        let rows: Vec<Row> = (self.next..end).map(|row| self.config.row(row)).collect();
        let streams = StringArray::from_iter_values(rows.iter().map(|row| format!("s{}", row.stream)));
        let symbols = StringArray::from_iter_values(rows.iter().map(|row| row.symbol.to_string()));
        let copies = StringArray::from_iter(rows.iter().map(|row| row.is_copy.then(|| row.symbol.to_string())));
        let columns: Vec<ArrayRef> = vec![Arc::new(streams), Arc::new(symbols), Arc::new(copies)];
        let records = RecordBatch::try_new(self.schema.clone(), columns)?;
        let offsets = Offsets::dense(Offset(i64::try_from(self.next)?), rows.len())?;
        self.next = end;
        Ok(Some(Batch::new(PartitionId::new(PARTITION), offsets, records)?))
    }

    fn progress(&self) -> Progress {
        Progress::new(self.next - self.first, Some(self.config.events.saturating_sub(self.first)))
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    stream: u64,
    symbol: char,
    is_copy: bool,
}

impl CopyConfig {
    fn row(&self, row: u64) -> Row {
        let (from, lag) = match self.change {
            Some(change) if row >= change.offset => (change.offset, change.lag),
            _ => (0, self.lag),
        };
        let stream = row % self.streams;
        // Events of this stream since the lag is what it is.
        let event = row / self.streams - from / self.streams;
        let period = lag + 1;
        let at = event + self.draw(from, stream, 0) % period;
        let (episode, place) = (at / period, at % period);
        let drawn = |what: u64| self.letter(self.draw(from, stream, 1 + 3 * episode + what));
        let is_copy = place == lag;
        let symbol = match place {
            0 => drawn(0),
            _ if is_copy && self.is_wrong(from, stream, 1 + 3 * episode + 1) => drawn(2),
            _ if is_copy => drawn(0),
            _ if place + 1 == lag => '?',
            _ => '.',
        };
        Row { stream, symbol, is_copy }
    }

    fn letter(&self, drawn: u64) -> char {
        char::from(b'a' + (drawn % u64::from(self.symbols)) as u8)
    }

    fn is_wrong(&self, from: u64, stream: u64, index: u64) -> bool {
        const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
        ((self.draw(from, stream, index) >> 11) as f64) * SCALE < self.noise
    }

    /// The number of this index of a stream's sequence.
    fn draw(&self, from: u64, stream: u64, index: u64) -> u64 {
        [from, stream, index].into_iter().fold(mixed(self.seed), |state, value| mixed(state ^ mixed(value)))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> CopyConfig {
        let change = Some(CopyChange { offset: 3000, lag: 3 });
        CopyConfig { lag: 7, change, symbols: 4, streams: 3, events: 30_000, noise: 0.0, seed: 5 }
    }

    fn read(config: &CopyConfig, from: u64) -> Vec<Batch> {
        let mut source = config.clone().connect(&PipelineContext::default()).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        let mut reader = source.open(&partition, Some(Offset(from as i64))).unwrap();
        std::iter::from_fn(|| reader.next_batch().unwrap()).collect()
    }

    #[test]
    fn a_symbol_comes_again_after_the_lag_and_the_mark_stands_before_it() {
        let config = config();
        for (rows, lag) in [(0..3000, 7), (3000..30_000, 3)] {
            for stream in 0..3 {
                let own: Vec<Row> =
                    rows.clone().map(|row| config.row(row)).filter(|row| row.stream == stream).collect();
                let copies: Vec<usize> = (lag..own.len()).filter(|place| own[*place].is_copy).collect();
                assert!(copies.windows(2).all(|pair| pair[1] - pair[0] == lag + 1));
                for place in copies {
                    assert_eq!((own[place].symbol, '?'), (own[place - lag].symbol, own[place - 1].symbol));
                    assert!(own[place - lag + 1..place - 1].iter().all(|row| row.symbol == '.'));
                }
            }
        }
        let copies = |symbol: char| (0..30_000).filter(|row| config.row(*row).symbol == symbol).count();
        let (least, most) = ('a'..='d').map(copies).fold((usize::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
        assert!(most < least * 6 / 5, "{least} to {most}");
        let offset_of_first_copy = |stream| (0..30).find(|row| row % 3 == stream && config.row(*row).is_copy);
        assert!((1..3).any(
            |stream| offset_of_first_copy(stream).map(|row| row / 3) != offset_of_first_copy(0).map(|row| row / 3)
        ));
    }

    #[test]
    fn a_share_of_copies_is_drawn_anew() {
        let wrong = |noise: f64| {
            let config = CopyConfig { noise, change: None, ..config() };
            let copies: Vec<u64> = (21..30_000).filter(|row| config.row(*row).is_copy).collect();
            let wrong = copies.iter().filter(|row| config.row(**row).symbol != config.row(**row - 21).symbol).count();
            wrong as f64 / copies.len() as f64
        };
        // Of those that are drawn anew, one in four is right.
        assert_eq!(wrong(0.0), 0.0);
        assert!((wrong(0.4) - 0.3).abs() < 0.03, "{}", wrong(0.4));
    }

    #[test]
    fn reading_goes_on_at_any_offset() {
        let config = config();
        let whole = arrow::compute::concat_batches(
            &read(&config, 0)[0].records().schema(),
            read(&config, 0).iter().map(Batch::records),
        )
        .unwrap();
        assert_eq!(whole.num_rows(), 30_000);
        for from in [0, 1, 2999, 8192, 29_999, 30_000] {
            let rest = read(&config, from);
            let rows: usize = rest.iter().map(Batch::len).sum();
            assert_eq!(rows as u64, 30_000 - from);
            let Some(first) = rest.first() else { continue };
            assert_eq!(
                (first.offsets().get(0), first.records()),
                (Some(Offset(from as i64)), &whole.slice(from as usize, first.len()))
            );
        }
    }

    #[test]
    fn settings_out_of_their_range_are_refused_by_name() {
        let refused = |change: fn(&mut CopyConfig)| {
            let mut config = config();
            change(&mut config);
            config.connect(&PipelineContext::default()).err().map(|error| error.key.clone())
        };
        assert_eq!(refused(|_| ()), None);
        for (key, change) in [
            ("lag", (|config| config.lag = 1) as fn(&mut CopyConfig)),
            ("change.lag", |config| config.change = Some(CopyChange { offset: 0, lag: 0 })),
            ("symbols", |config| config.symbols = 27),
            ("streams", |config| config.streams = 0),
            ("noise", |config| config.noise = f64::NAN),
            ("events", |config| config.events = u64::MAX),
        ] {
            assert_eq!(refused(change).as_deref(), Some(key));
        }
    }
}

//! Windows that follow how far gradients reach: the laws hold on them, and they do follow.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use common::suite::{assert_learned, config, suite};
use sluicegate_core::{Batch, Metrics, Offset, Offsets, Operator, Output, PartitionId, SnapshotReader, SnapshotWriter};
use sluicegate_model::head::HeadKind;
use sluicegate_model::{
    AdaptiveWindow, BackendKind, BpttConfig, ForecastConfig, MixtureConfig, MixtureSetting, ModelKind, Random,
    WindowSetting,
};
use sluicegate_testkit::logs::LogSpec;

fn adaptive(every: usize, max: usize, tolerance: f64) -> BpttConfig {
    BpttConfig { every, window: Some(WindowSetting::Adaptive(AdaptiveWindow { tolerance, max })) }
}

/// k2 of the model at `scope` in a snapshot.
fn window(snapshot: &[u8], scope: &str) -> i64 {
    let reader = SnapshotReader::parse(snapshot).unwrap();
    reader.scope(&format!("{scope}.truncation")).i64("counts", &[3]).unwrap()[0]
}

#[test]
fn the_laws_hold_while_windows_change_their_length() {
    let spec = LogSpec { rows: 1500, keys: 5, ..LogSpec::default() };
    for (kind, backend) in [
        (ModelKind::Lstm, BackendKind::Native),
        (ModelKind::Gru, BackendKind::Native),
        (ModelKind::Rnn, BackendKind::Libtorch),
    ] {
        let mut config = config(&spec);
        (config.model.kind, config.model.backend) = (kind, backend);
        config.model.bptt = adaptive(2, 16, 0.03);
        config.model.update_every = Some(12);
        let suite = suite(&config, &spec);
        suite.assert_rechunking(&[1, 5, 7, 64, 1000]);
        // Windows to measure wait in some of these snapshots, and the windows are of other lengths from one to the next.
        // Windows to measure wait in some of these snapshots, and windows change their length on the way.
        let lengths = [10, 150, 400, 900, 1499].map(|rows| window(&suite.snapshot_after(rows), "model"));
        assert!(lengths[0] == 16 && lengths.iter().any(|length| *length < 16), "{kind:?}: {lengths:?}");
        for rows in [150, 391, 393, 903] {
            suite.assert_snapshot_is_prefix(rows, 41);
        }
        assert_learned(&suite, &config, &spec);
    }
}

#[test]
fn the_networks_of_a_mixture_have_windows_of_their_own() {
    let spec = LogSpec { rows: 1500, keys: 3, ..LogSpec::default() };
    let mut config = config(&spec);
    config.mixture = MixtureSetting::On(MixtureConfig { rates: Some(vec![1e-4, 0.1]), ..MixtureConfig::default() });
    config.model.bptt = adaptive(1, 16, 0.1);
    let suite = suite(&config, &spec);
    suite.assert_rechunking(&[7]);
    suite.assert_snapshot_is_prefix(700, 64);
    let snapshot = suite.run(64).snapshot;
    assert_ne!(window(&snapshot, "model"), window(&snapshot, "member.1"));
}

/// Events of several streams: a symbol is shown and comes again `lag` events later, one time in ten another in its place.
struct Copies {
    random: Random,
    /// Of each stream: where it is in its period, and what it has shown.
    places: Vec<(usize, usize)>,
}

const STREAMS: usize = 16;
const SYMBOLS: [&str; 4] = ["a", "b", "c", "d"];

impl Copies {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), places: (0..STREAMS).map(|stream| (stream % 3, 0)).collect() }
    }

    fn draw(&mut self, below: usize) -> usize {
        (self.random.unit() * below as f32) as usize
    }

    /// Rounds of events, one of each stream.
    fn rounds(&mut self, rounds: usize, lag: usize) -> RecordBatch {
        let (mut streams, mut symbols, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        for stream in (0..rounds).flat_map(|_| 0..STREAMS) {
            let (place, shown) = self.places[stream];
            let place = if place > lag { 0 } else { place };
            let shown = if place == 0 { self.draw(SYMBOLS.len()) } else { shown };
            let symbol = match place {
                0 => SYMBOLS[shown],
                place if place == lag && self.draw(10) == 0 => SYMBOLS[self.draw(SYMBOLS.len())],
                place if place == lag => SYMBOLS[shown],
                place if place + 1 == lag => "?",
                _ => ".",
            };
            self.places[stream] = (place + 1, shown);
            streams.push(format!("s{stream}"));
            symbols.push(symbol);
            copies.push((place == lag).then_some(symbol));
        }
        let column = |values: StringArray| Arc::new(values) as ArrayRef;
        let columns = [
            ("stream", column(StringArray::from(streams)), false),
            ("symbol", column(StringArray::from(symbols)), false),
            ("copy", column(StringArray::from(copies)), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }
}

/// A GRU that learns to copy, k1 being 4 and k2 up to 48.
struct Run {
    operator: Box<dyn Operator>,
    rows: i64,
}

impl Run {
    fn new(records: &RecordBatch) -> Self {
        let mut config = ForecastConfig::new(["copy"]);
        (config.mixture, config.controls) = (MixtureSetting::Off, Vec::new());
        config.key = Some("stream".into());
        config.features.categories = vec!["symbol".into()];
        config.classes.max = 6;
        let model = &mut config.model;
        (model.kind, model.hidden, model.head) = (ModelKind::Gru, 16, HeadKind::Categorical);
        (model.memory_events, model.bptt) = (Some(16), adaptive(4, 48, 0.25));
        (model.optimizer.rate, model.optimizer.rate_decay_steps) = (1e-2, 0.0);
        model.update_every = Some(64);
        let operator = common::operator(&config, &records.schema(), Path::new("."), &Metrics::new());
        Self { operator, rows: 0 }
    }

    /// Works on the events; k2 after them.
    fn go(&mut self, records: &RecordBatch) -> i64 {
        let offsets = Offsets::dense(Offset(self.rows), records.num_rows()).unwrap();
        self.rows += records.num_rows() as i64;
        let batch = Batch::new(PartitionId::new("log"), offsets, records.clone()).unwrap();
        self.operator.process(batch, &mut Output::new()).unwrap();
        let mut snapshot = SnapshotWriter::new();
        self.operator.snapshot(&mut snapshot).unwrap();
        window(&snapshot.finish().unwrap(), "model")
    }
}

/// How soon it follows: within 32,000 events of 16 streams. The other way a network follows only once it forgets what it has no use
/// for any more, and nothing makes it.
#[test]
fn the_window_stays_short_where_memory_is_and_follows_a_dependency_that_grows_long() {
    const ROUNDS: usize = 1000;
    for seed in 0..6 {
        let mut copies = Copies::new(seed);
        let (short, long) = (3 + copies.draw(5), 20 + copies.draw(16));
        let mut run = Run::new(&copies.rounds(0, short));
        let mut lengths = |lag: usize| [(); 2].map(|()| run.go(&copies.rounds(ROUNDS, lag)));
        let at_first = lengths(short);
        assert!(at_first.iter().all(|length| *length <= 16), "a lag of {short}: {at_first:?}");
        let later = lengths(long);
        assert!((long as i64 - 4..=long as i64 + 8).contains(&later[1]), "{short}, then a lag of {long}: {later:?}");
    }
}

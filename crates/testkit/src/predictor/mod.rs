//! The laws of predictors, of numbers and of classes.
//!
//! The suite makes a log, lets the features of the model crate look at it, and drives predictors with it as the forecast operator
//! does. So a model is held to the laws without an operator around it, and one that breaks them is found where it does:
//!
//! ```
//! use sluicegate_core::{SnapshotReader, SnapshotWriter};
//! use sluicegate_model::feature::FeatureConfig;
//! use sluicegate_model::score::Distribution;
//! use sluicegate_model::{Dims, ModelError, Predictor, Wave};
//! use sluicegate_testkit::predictor::Suite;
//!
//! /// The last value, give or take the running scale. All it needs is in the wave.
//! struct LastValue;
//! impl Predictor for LastValue {
//!     fn reserve(&mut self, _: usize) {}
//!     fn observe(&mut self, _: &Wave) -> Result<(), ModelError> { Ok(()) }
//!     fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
//!         for (out, (level, scale)) in out.iter_mut().zip(wave.level.iter().zip(&wave.scale)) {
//!             *out = Distribution::gaussian(*level, *scale);
//!         }
//!         Ok(())
//!     }
//!     fn forget(&mut self, _: usize) {}
//!     fn snapshot(&self, _: &[usize], _: &mut SnapshotWriter) -> Result<(), ModelError> { Ok(()) }
//!     fn restore(&mut self, _: usize, _: &SnapshotReader<'_>) -> Result<(), ModelError> { Ok(()) }
//! }
//!
//! let inputs = FeatureConfig::default().width(1);
//! let dims = Dims { targets: 1, horizons: vec![1], inputs, ..Dims::default() };
//! Suite::new(dims, || Box::new(LastValue)).assert_all();
//! ```

mod drive;
mod hostile;
mod stream;

use std::collections::BTreeMap;

use sluicegate_model::feature::FeatureConfig;
use sluicegate_model::{Dims, Predictor};

use crate::logs::LogSpec;
use crate::said::Said;
use drive::{Driver, Learning};
use stream::{Raw, Row};

/// Builds a fresh predictor of the same settings, each time.
pub type Build<F> = dyn Fn() -> Box<dyn Predictor<F>>;

/// Rows of the log: windows, refits and seasons of settings that are small happen in so many.
const ROWS: usize = 160;
const KEYS: usize = 4;
/// Rows from one update to the next; no law may look at rows that are all multiples of it.
const UPDATE_ROWS: u64 = 5;

/// Checks the laws of one predictor.
pub struct Suite<F> {
    build: Box<Build<F>>,
    dims: Dims,
    features: FeatureConfig,
    learning: Learning,
    events: Vec<Raw>,
}

impl<F: Said> Suite<F> {
    /// A suite for what `build` builds for these widths, with the features as they are by default.
    pub fn new(dims: Dims, build: impl Fn() -> Box<dyn Predictor<F>> + 'static) -> Self {
        let learning = Learning::Every(UPDATE_ROWS);
        let suite =
            Self { build: Box::new(build), dims, features: FeatureConfig::default(), learning, events: Vec::new() };
        suite.with_features(FeatureConfig::default())
    }

    /// With other features, whose widths are to be those of the dims.
    #[must_use]
    pub fn with_features(self, features: FeatureConfig) -> Self {
        let (targets, inputs) = (self.dims.targets, features.inputs.len());
        let spec = LogSpec { rows: ROWS, keys: KEYS, targets, inputs, missing: 0.05, ..LogSpec::default() };
        Self { events: stream::events(&spec), features, ..self }
    }

    /// With so many rows from one update to the next; by default there are 5.
    #[must_use]
    pub fn with_update_rows(self, rows: u64) -> Self {
        Self { learning: Learning::Every(rows.max(1)), ..self }
    }

    /// All the laws, where they break if they do.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_all(&self) {
        self.assert_rows_alone_as_together(&[2, 7, ROWS]);
        for row in [1, ROWS / 3, ROWS - 2] {
            self.assert_looks_at_nothing_ahead(row);
        }
        for rows in [0, 1, ROWS / 3 + 2, ROWS / 2 + 3, ROWS - 1] {
            self.assert_snapshot_is_prefix(rows);
        }
        self.assert_keys_stand_alone_while_nothing_is_learned();
        // Keys that come at once again: windows of the key that is gone wait while the next one has its slot.
        let comes_again = |row: &usize| self.events[*row].key == self.events[row - 1].key;
        for row in (ROWS / 2..ROWS).filter(comes_again).take(4) {
            self.assert_forgotten_slot_is_new(row);
        }
        self.assert_sound_on_hostile_streams();
    }

    /// Laws 1 and 4: a forecast and the state do not depend on which rows are in a wave together. Waves are made from at most so
    /// many rows at once, and compared with rows that are each alone.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_rows_alone_as_together(&self, sizes: &[usize]) {
        let rows = self.rows(&self.events);
        let alone = self.run(&rows, 1, self.learning);
        assert_says_something(&alone.said);
        for size in sizes {
            let together = self.run(&rows, *size, self.learning);
            let what = format!("waves from {size} rows at once against rows alone");
            assert_same_said(&alone.said, &together.said, &what);
            assert_same_bytes(&alone.snapshot(), &together.snapshot(), &what);
        }
    }

    /// Law 2: values from row `row` on reach no forecast that was made before, though the rows are in waves with those before them.
    ///
    /// # Panics
    /// With the first row that differs, or when the change changed nothing at all.
    pub fn assert_looks_at_nothing_ahead(&self, row: usize) {
        let mut changed = self.events.clone();
        for event in &mut changed[row..] {
            event.values.iter_mut().for_each(|value| *value = *value * 1.7 + 3.0);
        }
        let mut runs = [&self.events, &changed].map(|events| self.run(&self.rows(events), ROWS, self.learning).said);
        let after = runs.each_mut().map(|said| said.split_off(&(row as i64)));
        assert_same_said(&runs[0], &runs[1], &format!("a change of values from row {row} on reached back"));
        let changed = bits(&after[0]) != bits(&after[1]);
        assert!(changed, "a change of values from row {row} on changed no forecast, so this checks nothing");
    }

    /// Law 3: a snapshot after `rows` rows, restored into a fresh predictor that takes the rest, ends like a run without it.
    /// Writing one changes nothing, and what was restored is written as it was.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_snapshot_is_prefix(&self, rows: usize) {
        let log = self.rows(&self.events);
        let (before, after) = log.split_at(rows.min(log.len()));
        let whole = self.run(&log, ROWS, self.learning);
        let first = self.run(before, ROWS, self.learning);
        let bytes = first.snapshot();
        assert_same_bytes(&bytes, &first.snapshot(), "a second snapshot against the first");
        let mut second = first.handed_over_to((self.build)());
        let what = format!("restored after {rows} rows against uninterrupted");
        assert_same_bytes(&bytes, &second.snapshot(), &format!("the snapshot of what was restored after {rows} rows"));
        second.advance(after, ROWS);
        assert_same_said(&whole.said, &second.said, &what);
        assert_same_bytes(&whole.snapshot(), &second.snapshot(), &what);
    }

    /// While nothing is learned, no key's forecasts depend on whether others are there: what keys share moves at the end of an
    /// update span, and there is none.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_keys_stand_alone_while_nothing_is_learned(&self) {
        let rows = self.rows(&self.events);
        let all = self.run(&rows, ROWS, Learning::Off).said;
        for key in 0..KEYS {
            let of_key: Vec<Row> = rows.iter().filter(|row| row.key == key).cloned().collect();
            let alone = self.run(&of_key, ROWS, Learning::Off).said;
            let among: BTreeMap<i64, Vec<F>> =
                of_key.iter().filter_map(|row| Some((row.index, all.get(&row.index)?.clone()))).collect();
            assert_same_said(&alone, &among, &format!("key {key} alone against among others"));
        }
    }

    /// A key that is forgotten after `row` rows leaves nothing: the next key in its slot behaves as one in a slot that nobody had,
    /// across a snapshot, too.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_forgotten_slot_is_new(&self, row: usize) {
        const NEW: usize = KEYS;
        let gone = self.events[row - 1].key;
        let mut events = self.events.clone();
        let later = events[row..].iter_mut().filter(|event| event.key == gone);
        later.for_each(|event| event.key = NEW);
        let rows = self.rows(&events);
        let (before, after) = rows.split_at(row);
        // What is left of the old key may be overwritten in time, so the state is looked at as soon as the new one is there, too.
        let begun = after.iter().position(|row| row.key == NEW).map_or(after.len(), |place| place + 1);
        let run = |use_again: bool, restored: bool| {
            let mut driver = self.run(before, ROWS, self.learning);
            driver.forget(gone, use_again);
            if restored {
                driver = driver.handed_over_to((self.build)());
            }
            driver.advance(&after[..begun], ROWS);
            let bytes = driver.snapshot();
            driver.advance(&after[begun..], ROWS);
            (driver, bytes)
        };
        let (fresh, fresh_begun) = run(false, false);
        for (restored, what) in [(false, "a slot that is used again"), (true, "a slot that was forgotten and restored")]
        {
            let (again, again_begun) = run(true, restored);
            let what = format!("{what} after {row} rows against a new one");
            assert_same_bytes(&fresh_begun, &again_begun, &format!("{what}, at the first event of its key"));
            assert_same_said(&fresh.said, &again.said, &what);
            assert_same_bytes(&fresh.snapshot(), &again.snapshot(), &what);
        }
    }

    /// Whatever a stream holds, what is said is finite or nothing; and of a key whose values were known a few times, something is
    /// said from then on. Streams go wild in one key, while another stays quiet.
    ///
    /// # Panics
    /// With the first forecast that is not sound.
    pub fn assert_sound_on_hostile_streams(&self) {
        /// A first value, a first difference at the farthest horizon, and room for what settles.
        const SETTLE: usize = 8;
        for (name, events) in hostile::streams(&self.dims, self.features.inputs.len()) {
            let driver = self.run(&self.rows(&events), ROWS, self.learning);
            let mut known = [0; hostile::KEYS];
            for ((row, said), event) in driver.said.iter().zip(&events) {
                if let Some(fault) = F::fault(said, &self.dims) {
                    panic!("a stream of {name}, row {row}: not finite, or no distribution: {fault}");
                }
                known[event.key] += usize::from(event.values.iter().all(|value| !value.is_nan()));
                let must_speak = known[event.key] > self.dims.horizon_max() + SETTLE;
                assert!(
                    !must_speak || !said.iter().any(F::is_nothing),
                    "a stream of {name}, row {row}: nothing is said"
                );
            }
            // Numbers that are not finite might be in the state and show later.
            let bytes = driver.snapshot();
            let again = driver.handed_over_to((self.build)()).snapshot();
            assert_same_bytes(&bytes, &again, &format!("a stream of {name}: the snapshot of what was restored"));
        }
    }

    fn rows(&self, events: &[Raw]) -> Vec<Row> {
        stream::rows(events, &self.dims, &self.features)
    }

    fn run(&self, rows: &[Row], together: usize, learning: Learning) -> Driver<F> {
        let mut driver = Driver::new((self.build)(), &self.dims, learning);
        driver.advance(rows, together);
        driver
    }
}

fn bits<F: Said>(said: &BTreeMap<i64, Vec<F>>) -> Vec<Vec<Vec<u64>>> {
    said.values().map(|said| said.iter().map(F::bits).collect()).collect()
}

/// A suite must not pass because nothing was said.
fn assert_says_something<F: Said>(said: &BTreeMap<i64, Vec<F>>) {
    let all = said.values().filter(|said| !said.iter().any(F::is_nothing)).count();
    assert!(2 * all > said.len(), "something is said at {all} of {} rows only, so this checks nothing", said.len());
}

fn assert_same_said<F: Said>(a: &BTreeMap<i64, Vec<F>>, b: &BTreeMap<i64, Vec<F>>, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}: the number of rows differs");
    for ((row, a), (_, b)) in a.iter().zip(b) {
        for (place, (a, b)) in a.iter().zip(b).enumerate() {
            assert!(a.bits() == b.bits(), "{what}: row {row}, place {place}: {a:?} against {b:?}");
        }
    }
}

fn assert_same_bytes(a: &[u8], b: &[u8], what: &str) {
    if a != b {
        let place = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
        panic!("{what}: snapshots of {} and {} bytes differ at byte {place}", a.len(), b.len());
    }
}

//! The suite of predictors lets one that keeps the laws pass, and finds everyone that breaks one.
#![cfg(feature = "model")]

use std::panic::AssertUnwindSafe;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_model::feature::FeatureConfig;
use sluicegate_model::score::Distribution;
use sluicegate_model::{Code, Dims, ModelError, Predictor, Wave};
use sluicegate_testkit::predictor::Suite;

/// What is wrong with a [`Steps`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// Forecasts from the last row of its wave.
    Peeks,
    /// Is as wide as the rows of its wave are on average.
    Mixes,
    /// Moves what keys share with each event instead of at the end of an update span.
    LearnsAtOnce,
    /// Learns in the order in which it saw events, not in that of the log.
    LearnsInAnyOrder,
    /// Counts one width for all keys.
    SharesWidths,
    /// Leaves what waits to be learned out of the snapshot.
    LosesWhatWaits,
    /// Writes keys by their slots, whatever it was asked for.
    WritesSlots,
    /// Leaves what keys share as it is when it is restored.
    ReadsPart,
    /// Draws from something that goes on whenever a snapshot is written.
    WritingMoves,
    /// Keeps what it knew of a key that was forgotten.
    NeverForgets,
    /// Has nothing to say when the last values were the same.
    GivesUp,
    /// Squares in single precision.
    Overflows,
}

/// Forecasts the last value and a drift that all keys share, as wide as a key's steps have been.
struct Steps {
    flaw: Flaw,
    drift: f64,
    /// Row and step.
    waiting: Vec<(i64, f64)>,
    /// Per slot: steps counted, and their mean size.
    widths: Vec<[f64; 2]>,
    written: std::sync::atomic::AtomicU64,
}

impl Steps {
    fn new(flaw: Flaw) -> Self {
        Self { flaw, drift: 0.0, waiting: Vec::new(), widths: Vec::new(), written: 0.into() }
    }

    fn width_of(&self, slot: usize) -> usize {
        if self.flaw == Flaw::SharesWidths { 0 } else { slot }
    }
}

impl Predictor for Steps {
    fn reserve(&mut self, slots: usize) {
        self.widths.resize(slots.max(self.widths.len()), [0.0; 2]);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        for ((row, slot), step) in wave.rows.iter().zip(&wave.slots).zip(&wave.difference) {
            if step.is_nan() {
                continue;
            }
            let place = self.width_of(*slot);
            let [count, size] = &mut self.widths[place];
            *count += 1.0;
            *size += (step.abs() - *size) / *count;
            self.waiting.push((*row, step.clamp(-1.0, 1.0)));
        }
        if self.flaw == Flaw::LearnsAtOnce { self.learn() } else { Ok(()) }
    }

    fn falls_due(&self, event: u64) -> bool {
        event > 0
    }

    fn has_due(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        if self.flaw != Flaw::LearnsInAnyOrder {
            self.waiting.sort_unstable_by_key(|(row, _)| *row);
        }
        self.waiting.drain(..).for_each(|(_, step)| self.drift = 0.9 * self.drift + 0.1 * step);
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        for (row, out) in out.iter_mut().enumerate() {
            let [count, mut size] = self.widths[self.width_of(wave.slots[row])];
            let from = if self.flaw == Flaw::Peeks { wave.len() - 1 } else { row };
            match self.flaw {
                Flaw::Mixes => {
                    size = wave.slots.iter().map(|slot| self.widths[*slot][1]).sum::<f64>() / wave.len() as f64;
                }
                Flaw::GivesUp if size == 0.0 => continue,
                Flaw::Overflows => size = f64::from((size as f32).powi(2).sqrt()),
                _ => {}
            }
            let written = self.written.load(std::sync::atomic::Ordering::Relaxed) as f64;
            if count > 0.0 {
                let location = wave.level[from] + self.drift + 1e-3 * written;
                let least = if self.flaw == Flaw::GivesUp { 0.0 } else { wave.scale_min[row] };
                *out = Distribution::gaussian(location, size.max(least));
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        if self.flaw != Flaw::NeverForgets {
            self.widths[slot] = [0.0; 2];
        }
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let of = |place: usize| match self.flaw {
            Flaw::WritesSlots => self.widths[place],
            _ => self.widths[slots[place]],
        };
        let widths: Vec<f64> = (0..slots.len()).flat_map(of).collect();
        to.f64("widths", &[slots.len(), 2], &widths)?;
        to.f64("drift", &[1], &[self.drift])?;
        let mut waiting = self.waiting.clone();
        waiting.sort_unstable_by_key(|(row, _)| *row);
        if self.flaw == Flaw::LosesWhatWaits {
            waiting.clear();
        }
        if self.flaw == Flaw::WritingMoves {
            self.written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let (rows, steps): (Vec<i64>, Vec<f64>) = waiting.into_iter().unzip();
        to.i64("rows", &[rows.len()], &rows)?;
        Ok(to.f64("steps", &[steps.len()], &steps)?)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.widths = from.f64("widths", &[keys, 2])?.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        if self.flaw != Flaw::ReadsPart {
            self.drift = from.f64("drift", &[1])?[0];
        }
        let count = from.shape("rows")?[0];
        let (rows, steps) = (from.i64("rows", &[count])?, from.f64("steps", &[count])?);
        self.waiting = rows.into_iter().zip(steps).collect();
        Ok(())
    }
}

fn suite(flaw: Flaw) -> Suite<Option<Distribution>> {
    let inputs = FeatureConfig::default().width(1);
    let dims = Dims { targets: 1, horizons: vec![1], inputs, ..Dims::default() };
    Suite::new(dims, move || Box::new(Steps::new(flaw)))
}

/// With what a check fails.
fn failure(check: impl FnOnce()) -> String {
    match std::panic::catch_unwind(AssertUnwindSafe(check)) {
        Ok(()) => "nothing".to_owned(),
        Err(message) => message.downcast::<String>().map_or_else(|_| "a panic without a message".into(), |text| *text),
    }
}

type Law = fn(&Suite<Option<Distribution>>);

#[test]
fn who_keeps_the_laws_passes() {
    suite(Flaw::None).assert_all();
    suite(Flaw::None).with_update_rows(1).assert_all();
    suite(Flaw::None).with_update_rows(17).assert_all();
}

#[test]
fn who_breaks_a_law_is_found_by_it_and_by_the_whole_suite() {
    let alone: Law = |suite| suite.assert_rows_alone_as_together(&[7]);
    let ahead: Law = |suite| suite.assert_looks_at_nothing_ahead(101);
    let prefix: Law = |suite| suite.assert_snapshot_is_prefix(103);
    let apart: Law = Suite::assert_keys_stand_alone_while_nothing_is_learned;
    let forgotten: Law = |suite| suite.assert_forgotten_slot_is_new(103);
    let hostile: Law = Suite::assert_sound_on_hostile_streams;
    let cases = [
        (Flaw::Peeks, ahead, "a change of values from row 101 on reached back"),
        (Flaw::Peeks, alone, "waves from 7 rows at once against rows alone"),
        (Flaw::Mixes, alone, "waves from 7 rows at once against rows alone"),
        (Flaw::Mixes, apart, "alone against among others"),
        (Flaw::LearnsAtOnce, alone, "waves from 7 rows at once against rows alone"),
        (Flaw::LearnsAtOnce, apart, "alone against among others"),
        (Flaw::LearnsInAnyOrder, alone, "waves from 7 rows at once against rows alone"),
        (Flaw::SharesWidths, apart, "alone against among others"),
        (Flaw::LosesWhatWaits, prefix, "restored after 103 rows against uninterrupted"),
        (Flaw::WritesSlots, prefix, "restored after 103 rows against uninterrupted"),
        (Flaw::ReadsPart, prefix, "the snapshot of what was restored after 103 rows"),
        (Flaw::WritingMoves, prefix, "restored after 103 rows against uninterrupted"),
        (Flaw::NeverForgets, forgotten, "a slot that is used again after 103 rows against a new one"),
        (Flaw::GivesUp, hostile, "nothing is said"),
        (Flaw::Overflows, hostile, "nothing is said"),
    ];
    for (flaw, law, expected) in cases {
        let found = failure(|| law(&suite(flaw)));
        assert!(found.contains(expected), "{flaw:?}: {found}");
        assert_ne!(failure(|| suite(flaw).assert_all()), "nothing", "{flaw:?}");
    }
}

/// Says the same probabilities of every event.
struct Always(Vec<f32>);

impl Predictor<f32> for Always {
    fn reserve(&mut self, _: usize) {}

    fn observe(&mut self, _: &Wave) -> Result<(), ModelError> {
        Ok(())
    }

    fn forecast(&mut self, _: &Wave, out: &mut [f32]) -> Result<(), ModelError> {
        out.chunks_exact_mut(self.0.len()).for_each(|out| out.copy_from_slice(&self.0));
        Ok(())
    }

    fn forget(&mut self, _: usize) {}

    fn snapshot(&self, _: &[usize], _: &mut SnapshotWriter) -> Result<(), ModelError> {
        Ok(())
    }

    fn restore(&mut self, _: usize, _: &SnapshotReader<'_>) -> Result<(), ModelError> {
        Ok(())
    }
}

#[test]
fn probabilities_that_are_none_are_found() {
    let failure = |probabilities: [f32; 3]| {
        let codes = vec![Code { classes: 3, embedding: None }];
        let dims = Dims { targets: 1, horizons: vec![1], classes: vec![3], codes, ..Dims::default() };
        failure(|| Suite::new(dims, move || Box::new(Always(probabilities.to_vec()))).assert_sound_on_hostile_streams())
    };
    assert_eq!(failure([0.5, 0.3, 0.2]), "nothing");
    for wrong in [[0.5, 0.3, 0.3], [0.5, 0.5, 0.0], [1.2, -0.1, -0.1], [0.5, 0.5, f32::NAN], [f32::INFINITY, 0.1, 0.1]]
    {
        assert!(failure(wrong).contains("no distribution: output 0"), "{wrong:?}: {}", failure(wrong));
    }
    assert!(failure([f32::NAN; 3]).contains("nothing is said"), "{}", failure([f32::NAN; 3]));
}

/// A suite that cannot fail would be worse than none.
#[test]
fn a_suite_on_which_nothing_happens_says_so() {
    let codes = vec![Code { classes: 2, embedding: None }];
    let dims = Dims { targets: 1, horizons: vec![1], classes: vec![2], codes, ..Dims::default() };
    let of =
        |said: [f32; 2]| Suite::new(dims.clone(), move || Box::new(Always(said.to_vec())) as Box<dyn Predictor<f32>>);
    let silent = failure(|| of([f32::NAN; 2]).assert_rows_alone_as_together(&[3]));
    assert!(silent.contains("something is said at 0 of"), "{silent}");
    let rigid = failure(|| of([0.5; 2]).assert_looks_at_nothing_ahead(40));
    assert!(rigid.contains("changed no forecast"), "{rigid}");
    let other = Dims { inputs: 9, ..dims };
    let widths = failure(|| Suite::new(other, || Box::new(Always(vec![0.5; 2]))).assert_all());
    assert!(widths.contains("inputs and calendar of the dims against those of the features"), "{widths}");
}

//! The laws of heads, of numbers and of classes.
//!
//! ```
//! use sluicegate_model::Dims;
//! use sluicegate_model::head::GaussianHead;
//! use sluicegate_testkit::head::Suite;
//!
//! let dims = Dims { targets: 2, horizons: vec![1, 3], ..Dims::default() };
//! let outputs = dims.outputs();
//! Suite::new(dims, move || Box::new(GaussianHead::new(outputs))).assert_all();
//! ```

use std::collections::BTreeSet;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_model::head::{Head, Standing};
use sluicegate_model::{Dims, Layout, Random};

use crate::said::Said;

/// Builds a fresh head of the same settings, each time.
pub type Build<F> = dyn Fn() -> Box<dyn Head<F>>;

/// Raw numbers of a row that are drawn lie within this of 0, and by default labels of numbers within that: no bound that a head may
/// have for outliers is reached, beyond which a gradient need not be that of the loss.
const RAW_MAX: f32 = 0.5;
const LABEL_MAX: f32 = 1.5;
/// Rows to draw.
const ROWS: usize = 20;
/// Loss and gradient may differ from what they are compared with by this, in single precision.
const TOLERANCE: f64 = 2e-3;

/// Checks the laws of one head.
pub struct Suite<F> {
    build: Box<Build<F>>,
    dims: Dims,
    label_max: f32,
}

/// A row: parameters of the head's own, raw numbers, labels.
struct Row {
    own: Vec<f32>,
    raw: Vec<f32>,
    labels: Vec<f32>,
}

impl<F: Said> Suite<F> {
    /// A suite for what `build` builds for the outputs, and where targets are classes the classes, of `dims`.
    pub fn new(dims: Dims, build: impl Fn() -> Box<dyn Head<F>> + 'static) -> Self {
        Self { build: Box::new(build), dims, label_max: LABEL_MAX }
    }

    /// With labels of numbers that lie up to so far from 0, for heads whose gradient has no bound there; by default up to 1.5.
    #[must_use]
    pub fn with_labels_up_to(self, label_max: f32) -> Self {
        Self { label_max, ..self }
    }

    /// All the laws.
    ///
    /// # Panics
    /// Where the first one breaks.
    pub fn assert_all(&self) {
        self.assert_starts_with_something_to_say();
        self.assert_missing_label_moves_nothing();
        self.assert_gradient_is_that_of_the_loss();
        self.assert_loss_scores_the_forecast();
        self.assert_forecast_is_in_the_units_of_the_target();
        self.assert_sound_for_any_raw_numbers();
        self.assert_own_parameters_survive();
    }

    /// Weights of zero and the starting parameters give a sound forecast of every output, and are where they may be.
    ///
    /// # Panics
    /// When they do not.
    pub fn assert_starts_with_something_to_say(&self) {
        let own = self.start();
        let mut constrained = own.clone();
        self.head().constrain(&mut constrained);
        assert!(
            same(&own, &constrained),
            "the starting parameters {own:?} are out of range, in which is {constrained:?}"
        );
        let said = self.forecast(&own, &vec![0.0; self.head().raw_len()]);
        assert!(!said.iter().any(F::is_nothing), "nothing is said at the start: {said:?}");
        assert_eq!(F::fault(&said, &self.dims), None, "the forecast at the start");
    }

    /// The gradient is that of the loss, by central differences. Where the loss has a kink, as that of quantiles does at the label,
    /// there is none to compare with; so many places are left that nothing can hide there.
    ///
    /// # Panics
    /// With the first number whose gradient is another.
    pub fn assert_gradient_is_that_of_the_loss(&self) {
        const STEP: f32 = 1e-2;
        let (mut compared, mut kinks) = (0, 0);
        for Row { own, raw, labels } in self.rows() {
            let head = self.loaded(&own);
            // What is added to and what is overwritten shows in numbers that are there before.
            let (mut d_raw, mut d_own) = (vec![9.0; raw.len()], vec![3.0; own.len()]);
            let here = head.loss(&own, &raw, &labels, &mut d_raw, &mut d_own);
            let values: Vec<f32> = raw.iter().chain(&own).copied().collect();
            let gradient: Vec<f32> = d_raw.into_iter().chain(d_own.into_iter().map(|d| d - 3.0)).collect();
            for (place, analytic) in gradient.into_iter().enumerate() {
                let at = |step: f32| {
                    let mut moved = values.clone();
                    moved[place] += step;
                    let (raw, own) = moved.split_at(raw.len());
                    let loss = head.loss(own, raw, &labels, &mut vec![0.0; raw.len()], &mut vec![0.0; own.len()]);
                    (loss, f64::from(moved[place]) - f64::from(values[place]))
                };
                let ((up, ahead), (down, behind)) = (at(STEP), at(-STEP));
                let (forward, backward) = ((up - here) / ahead, (down - here) / behind);
                if (forward - backward).abs() > 0.1 {
                    kinks += 1;
                    continue;
                }
                compared += 1;
                let numeric = (up - down) / (ahead - behind);
                let name = if place < raw.len() { "raw number" } else { "own parameter" };
                let place = if place < raw.len() { place } else { place - raw.len() };
                let close = (f64::from(analytic) - numeric).abs() < TOLERANCE * (1.0 + numeric.abs());
                assert!(close, "the gradient of {name} {place} is {analytic}, by differences {numeric}");
            }
        }
        assert!(compared > 4 * kinks, "{kinks} of {} numbers are at a kink, so this checks little", compared + kinks);
    }

    /// The loss is what the forecast costs: the negative log-likelihood of the label, or for quantiles the pinball loss summed over
    /// the levels. Losses of the outputs add up.
    ///
    /// # Panics
    /// With the first loss that is another.
    pub fn assert_loss_scores_the_forecast(&self) {
        for Row { own, raw, labels } in self.rows() {
            let loss = self.loss(&own, &raw, &labels).0;
            let score = F::loss(&self.forecast(&own, &raw), &labels, &self.dims);
            let close = (loss - score).abs() < TOLERANCE * (1.0 + score.abs());
            assert!(close, "the loss of the labels {labels:?} is {loss}, but the forecast scores {score}");
        }
    }

    /// A label that is missing costs nothing and moves nothing.
    ///
    /// # Panics
    /// When it does.
    pub fn assert_missing_label_moves_nothing(&self) {
        for Row { own, raw, labels } in self.rows() {
            let (loss, d_raw, d_own) = self.loss(&own, &raw, &vec![f32::NAN; labels.len()]);
            let still = loss == 0.0 && d_raw.iter().chain(&d_own).all(|d| *d == 0.0);
            assert!(still, "without a label the loss is {loss}, the gradient {d_raw:?} and {d_own:?}");
        }
    }

    /// A forecast of numbers moves with level and scale as its target does; one of classes knows neither.
    ///
    /// # Panics
    /// With the first output that does not.
    pub fn assert_forecast_is_in_the_units_of_the_target(&self) {
        let (targets, outputs, horizons) = (self.dims.targets, self.dims.outputs(), self.dims.horizons.len());
        let level: Vec<f64> = (0..targets).map(|target| 10.0 - 7.0 * target as f64).collect();
        let scale: Vec<f64> = (0..outputs).map(|k| 3.0 + 0.5 * k as f64).collect();
        for Row { own, raw, .. } in self.rows() {
            let unit = self.forecast(&own, &raw);
            let moved = self.forecast_at(&own, &raw, Standing { level: &level, scale: &scale });
            for (k, (unit, moved)) in unit.iter().zip(&moved).enumerate() {
                for (unit, moved) in unit.points().into_iter().zip(moved.points()) {
                    let expected = if F::IS_SCALED { level[k / horizons] + scale[k] * unit } else { unit };
                    let close = (moved - expected).abs() < 1e-9 * (1.0 + expected.abs());
                    assert!(close, "place {k}: {unit} in scaled units became {moved}, not {expected}");
                }
            }
        }
    }

    /// Whatever the raw numbers are, the forecast is sound or there is none, and none where they are not numbers.
    ///
    /// # Panics
    /// With the first that is not.
    pub fn assert_sound_for_any_raw_numbers(&self) {
        let own = self.start();
        let width = self.head().raw_len();
        for value in [1e4, -1e4, 1e30, -1e30, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            // All of them, then every one alone.
            let rows = std::iter::once(vec![value; width]).chain((0..width).map(|place| {
                let mut raw = vec![0.1; width];
                raw[place] = value;
                raw
            }));
            for raw in rows {
                let said = self.forecast(&own, &raw);
                if let Some(fault) = F::fault(&said, &self.dims) {
                    panic!("the raw numbers {raw:?} give no distribution: {fault}");
                }
            }
        }
        let said = self.forecast(&own, &vec![f32::NAN; width]);
        assert!(said.iter().all(F::is_nothing), "raw numbers that are none say {said:?}");
    }

    /// The head's own parameters are all there is of it: written, read and loaded into a fresh head they give the same forecasts bit
    /// by bit, whatever was loaded before; and what is in range stays as it is.
    ///
    /// # Panics
    /// With the first forecast that is another.
    pub fn assert_own_parameters_survive(&self) {
        let specs = self.head().own_parameters();
        let names: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names.len(), specs.len(), "own parameters of the same name");
        let layout = Layout::new(specs);
        let mut used = (self.build)();
        for Row { own, raw, .. } in self.rows() {
            let mut again = own.clone();
            self.head().constrain(&mut again);
            assert!(same(&own, &again), "parameters in range are moved: {own:?} to {again:?}");
            let mut writer = SnapshotWriter::new();
            layout.write(&own, &mut writer).expect("own parameters that can be written");
            let bytes = writer.finish().expect("a snapshot that can be encoded");
            let reader = SnapshotReader::parse(&bytes).expect("a snapshot that was just written");
            let read = layout.read(&reader).expect("own parameters that were just written");
            used.load(&own);
            let said = self.said(used.as_ref(), &raw, self.unit());
            let restored = self.forecast(&read, &raw);
            let bits = |said: &[F]| said.iter().map(F::bits).collect::<Vec<_>>();
            assert!(bits(&said) == bits(&restored), "own parameters {own:?}: {said:?}, and restored {restored:?}");
        }
    }

    fn head(&self) -> Box<dyn Head<F>> {
        (self.build)()
    }

    fn loaded(&self, own: &[f32]) -> Box<dyn Head<F>> {
        let mut head = self.head();
        head.load(own);
        head
    }

    fn start(&self) -> Vec<f32> {
        let head = self.head();
        let mut own = vec![0.0; head.own_parameters().iter().map(|spec| spec.len()).sum()];
        head.init(&mut own);
        own
    }

    /// Level 0 and scale 1.
    fn unit(&self) -> (Vec<f64>, Vec<f64>) {
        (vec![0.0; self.dims.targets], vec![1.0; self.dims.outputs()])
    }

    fn forecast(&self, own: &[f32], raw: &[f32]) -> Vec<F> {
        self.said(self.loaded(own).as_ref(), raw, self.unit())
    }

    fn forecast_at(&self, own: &[f32], raw: &[f32], standing: Standing<'_>) -> Vec<F> {
        self.said(self.loaded(own).as_ref(), raw, (standing.level.to_vec(), standing.scale.to_vec()))
    }

    fn said(&self, head: &dyn Head<F>, raw: &[f32], (level, scale): (Vec<f64>, Vec<f64>)) -> Vec<F> {
        let width = if self.dims.classes.is_empty() { self.dims.outputs() } else { self.dims.probabilities() };
        let mut out = vec![F::NOTHING; width];
        head.forecast(raw, Standing { level: &level, scale: &scale }, &mut out);
        out
    }

    /// Loss, and gradients from zero.
    fn loss(&self, own: &[f32], raw: &[f32], labels: &[f32]) -> (f64, Vec<f32>, Vec<f32>) {
        let (mut d_raw, mut d_own) = (vec![9.0; raw.len()], vec![0.0; own.len()]);
        let loss = self.loaded(own).loss(own, raw, labels, &mut d_raw, &mut d_own);
        (loss, d_raw, d_own)
    }

    /// Rows that are drawn: the same each time. One label in eight is missing.
    fn rows(&self) -> Vec<Row> {
        let mut random = Random::new(7);
        let (start, width, outputs) = (self.start(), self.head().raw_len(), self.dims.outputs());
        let classes = if F::IS_SCALED { vec![0; outputs] } else { self.dims.classes_of_outputs().collect() };
        let row = |_| {
            let mut numbers = |count: usize, range: f32| {
                let mut values = vec![0.0; count];
                random.fill_uniform(range, &mut values);
                values
            };
            let (raw, moved) = (numbers(width, RAW_MAX), numbers(start.len(), RAW_MAX));
            let mut own: Vec<f32> = start.iter().zip(moved).map(|(start, moved)| start + moved).collect();
            self.head().constrain(&mut own);
            let label = |((drawn, fate), classes): ((f32, f32), &usize)| match classes {
                _ if fate > 0.75 => f32::NAN,
                0 => drawn,
                classes => ((drawn / self.label_max + 1.0) * 0.499_999 * *classes as f32).floor(),
            };
            let labels = numbers(outputs, self.label_max).into_iter().zip(numbers(outputs, 1.0)).zip(&classes);
            Row { own, raw, labels: labels.map(label).collect() }
        };
        (0..ROWS).map(row).collect()
    }
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|value| value.to_bits()).eq(b.iter().map(|value| value.to_bits()))
}

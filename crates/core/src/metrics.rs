//! Named numbers that a running component publishes and anybody may read: a progress bar, a server, a test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A set of named numbers. Clones share the same set; there is no global one.
///
/// Publishing takes no lock: a [`Counter`] or [`Gauge`] is looked up once and then is an atomic of its own.
///
/// ```
/// use sluicegate_core::Metrics;
///
/// let metrics = Metrics::new();
/// metrics.counter("rows", &[("operator", "forecast")]).add(3);
/// let sample = &metrics.samples()[0];
/// assert_eq!((sample.name.as_str(), sample.value, sample.label("operator")), ("rows", 3.0, Some("forecast")));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    series: Arc<Mutex<BTreeMap<Series, Cell>>>,
}

type Labels = Vec<(String, String)>;
type Series = (String, Labels);

#[derive(Debug, Clone)]
enum Cell {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
}

/// A number that only grows.
#[derive(Debug, Clone)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The last value set; 0 before the first.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// How a number may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// It only grows: a [`Counter`].
    Counter,
    /// It goes up and down: a [`Gauge`].
    Gauge,
}

/// One number as it stood when it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The family's name.
    pub name: String,
    /// How it may change.
    pub kind: MetricKind,
    /// Label names and values, sorted by name.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

impl Metrics {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name and these labels, made at 0 when it is new.
    ///
    /// Asking for a counter where a gauge of that name and labels exists gives one that nobody reads.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        match self.cell(name, labels, Cell::Counter) {
            Cell::Counter(cell) => Counter(cell),
            Cell::Gauge(_) => Counter(Arc::default()),
        }
    }

    /// The gauge of this name and these labels, made at 0 when it is new.
    ///
    /// Asking for a gauge where a counter of that name and labels exists gives one that nobody reads.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        match self.cell(name, labels, Cell::Gauge) {
            Cell::Gauge(cell) => Gauge(cell),
            Cell::Counter(_) => Gauge(Arc::default()),
        }
    }

    /// All numbers as they stand, sorted by name and labels.
    pub fn samples(&self) -> Vec<Sample> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |cell: &Cell| match cell {
            Cell::Counter(cell) => (MetricKind::Counter, cell.load(Ordering::Relaxed) as f64),
            Cell::Gauge(cell) => (MetricKind::Gauge, f64::from_bits(cell.load(Ordering::Relaxed))),
        };
        let sample = |((name, labels), cell): (&Series, &Cell)| {
            let (kind, value) = read(cell);
            Sample { name: name.clone(), kind, labels: labels.clone(), value }
        };
        series.iter().map(sample).collect()
    }

    fn cell(&self, name: &str, labels: &[(&str, &str)], make: fn(Arc<AtomicU64>) -> Cell) -> Cell {
        let mut labels: Labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        labels.sort();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.entry((name.to_owned(), labels)).or_insert_with(|| make(Arc::default())).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_labels_does_not_make_another_series() {
        let metrics = Metrics::new();
        metrics.gauge("nll", &[("model", "ar"), ("target", "OT")]).set(0.5);
        assert_eq!(metrics.gauge("nll", &[("target", "OT"), ("model", "ar")]).get(), 0.5);
        assert_eq!(metrics.samples().len(), 1);
    }

    #[test]
    fn a_sample_says_whether_it_only_grows() {
        let metrics = Metrics::new();
        metrics.counter("rows", &[]).add(2);
        metrics.gauge("lag", &[]).set(1.0);
        let kinds: Vec<_> = metrics.samples().into_iter().map(|sample| (sample.name, sample.kind)).collect();
        assert_eq!(kinds, [("lag".into(), MetricKind::Gauge), ("rows".into(), MetricKind::Counter)]);
    }
}

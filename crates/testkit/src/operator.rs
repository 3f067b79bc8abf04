//! The laws of operators.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow::compute::{concat_batches, take};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sluicegate_core::{Batch, Operator, Output, SnapshotReader, SnapshotWriter};

/// Builds a fresh operator of the same settings, each time.
pub type Build = dyn Fn() -> Box<dyn Operator>;

/// What a run left behind.
pub struct Outcome {
    /// Everything emitted, as one table; `None` when nothing was.
    pub table: Option<RecordBatch>,
    /// The offsets of its rows.
    pub offsets: Vec<i64>,
    /// The encoded snapshot at the end.
    pub snapshot: Vec<u8>,
}

/// Checks the laws of one operator on one log.
pub struct Suite {
    build: Box<Build>,
    log: Batch,
}

impl Suite {
    /// A suite for what `build` builds, on the given log.
    pub fn new(build: impl Fn() -> Box<dyn Operator> + 'static, log: Batch) -> Self {
        Self { build: Box::new(build), log }
    }

    /// The log.
    pub fn log(&self) -> &Batch {
        &self.log
    }

    /// Runs the whole log, cut into batches of `rows` rows.
    pub fn run(&self, rows: usize) -> Outcome {
        let mut operator = (self.build)();
        let mut emitted = Vec::new();
        feed(operator.as_mut(), &self.log, rows, &mut emitted);
        finish(operator.as_mut(), emitted)
    }

    /// The snapshot after the first `rows` rows.
    pub fn snapshot_after(&self, rows: usize) -> Vec<u8> {
        let mut operator = (self.build)();
        feed(operator.as_mut(), &self.log.slice(0, rows), rows.max(1), &mut Vec::new());
        snapshot(operator.as_ref())
    }

    /// Law 1: batches of any of these sizes give the same rows, the same offsets and the same snapshot.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_rechunking(&self, sizes: &[usize]) {
        let whole = self.run(self.log.len());
        for size in sizes {
            let cut = self.run(*size);
            assert_same_rows(&whole, &cut, &format!("batches of {size} rows against one batch"));
            assert_same_bytes(&whole.snapshot, &cut.snapshot, &format!("batches of {size} rows against one batch"));
        }
    }

    /// Law 3: a snapshot after `rows` rows, restored into a fresh operator that takes the rest in batches of `size`, ends like
    /// a run without it. Writing a snapshot changes nothing.
    ///
    /// # Panics
    /// With the first row that differs.
    pub fn assert_snapshot_is_prefix(&self, rows: usize, size: usize) {
        let rows = rows.min(self.log.len());
        let whole = self.run(size);
        let mut first = (self.build)();
        let mut emitted = Vec::new();
        feed(first.as_mut(), &self.log.slice(0, rows), size, &mut emitted);
        let bytes = snapshot(first.as_ref());
        assert_same_bytes(&bytes, &snapshot(first.as_ref()), "a second snapshot against the first");

        let mut second = (self.build)();
        let reader = SnapshotReader::parse(&bytes).expect("a snapshot that was just written");
        second.restore(&reader).expect("a snapshot of the same settings");
        assert_same_bytes(&bytes, &snapshot(second.as_ref()), "the snapshot of a restored operator");
        feed(second.as_mut(), &self.log.slice(rows, usize::MAX), size, &mut emitted);
        let resumed = finish(second.as_mut(), emitted);
        let what = format!("restored after {rows} rows against uninterrupted");
        assert_same_rows(&whole, &resumed, &what);
        assert_same_bytes(&whole.snapshot, &resumed.snapshot, &what);
    }

    /// Law 2: changing the values of `column` from row `row` on changes no output row of an earlier event, and in the rows of
    /// that event itself no column of `fixed`. The output column `offset` says which event a row is of.
    ///
    /// # Panics
    /// With the first row that differs, or when the change changed nothing at all.
    pub fn assert_predicts_before_learning(&self, column: &str, row: usize, fixed: &[&str]) {
        let before = self.run(64).table.expect("an operator that emits rows");
        let log = with_changed_column(&self.log, column, row);
        let mut operator = (self.build)();
        let mut emitted = Vec::new();
        feed(operator.as_mut(), &log, 64, &mut emitted);
        let after = finish(operator.as_mut(), emitted).table.expect("an operator that emits rows");
        let at = self.log.offsets().get(row).expect("a row of the log").0;
        let rows_of = |keep: &dyn Fn(i64) -> bool| -> Vec<u64> {
            let offsets = before.column_by_name("offset").expect("an output column `offset`");
            let offsets = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(offsets.as_ref());
            (0..offsets.len()).filter(|index| keep(offsets.value(*index))).map(|index| index as u64).collect()
        };
        let earlier = rows_of(&|offset| offset < at);
        assert_equal_at(&before, &after, &earlier, None, &format!("a change of `{column}` at offset {at}"));
        let same = rows_of(&|offset| offset == at);
        assert_equal_at(&before, &after, &same, Some(fixed), &format!("a change of `{column}` at offset {at}"));
        assert!(before != after, "a change of `{column}` at offset {at} changed nothing, so this checks nothing");
    }
}

fn feed(operator: &mut dyn Operator, log: &Batch, rows: usize, emitted: &mut Vec<Batch>) {
    let mut out = Output::new();
    let mut from = 0;
    while from < log.len() {
        operator.process(log.slice(from, rows), &mut out).expect("a log that can be processed");
        emitted.extend(out.take());
        from += rows;
    }
}

fn finish(operator: &mut dyn Operator, mut emitted: Vec<Batch>) -> Outcome {
    let snapshot = snapshot(operator);
    let mut out = Output::new();
    operator.finish(&mut out).expect("an operator that can finish");
    emitted.extend(out.take());
    let table = emitted.first().map(|first| {
        concat_batches(&first.records().schema(), emitted.iter().map(Batch::records)).expect("batches of one schema")
    });
    let offsets = emitted.iter().flat_map(|batch| batch.offsets().iter().map(|offset| offset.0)).collect();
    Outcome { table, offsets, snapshot }
}

fn snapshot(operator: &dyn Operator) -> Vec<u8> {
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).expect("a state that can be written");
    writer.finish().expect("a snapshot that can be encoded")
}

/// The log with every non-null value of a float column moved from row `from` on.
fn with_changed_column(log: &Batch, column: &str, from: usize) -> Batch {
    let records = log.records();
    let place = records.schema().index_of(column).expect("a column of the log");
    let values = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(records.column(place).as_ref());
    let moved =
        |(row, value): (usize, Option<f64>)| value.map(|value| if row < from { value } else { value * 1.7 + 3.0 });
    let changed: Float64Array = values.iter().enumerate().map(moved).collect();
    let mut columns: Vec<ArrayRef> = records.columns().to_vec();
    columns[place] = Arc::new(changed);
    let records = RecordBatch::try_new(records.schema(), columns).expect("the same types");
    Batch::new(log.partition().clone(), log.offsets().clone(), records).expect("the same rows")
}

fn assert_equal_at(a: &RecordBatch, b: &RecordBatch, rows: &[u64], columns: Option<&[&str]>, what: &str) {
    let rows = arrow::array::UInt64Array::from(rows.to_vec());
    for (place, field) in a.schema().fields().iter().enumerate() {
        if columns.is_some_and(|columns| !columns.contains(&field.name().as_str())) {
            continue;
        }
        let of = |table: &RecordBatch| take(table.column(place), &rows, None).expect("rows of the table");
        assert!(of(a) == of(b), "{what} reached back into column `{}`", field.name());
    }
}

fn assert_same_rows(a: &Outcome, b: &Outcome, what: &str) {
    assert_eq!(a.offsets, b.offsets, "{what}: offsets differ");
    let (Some(a), Some(b)) = (&a.table, &b.table) else {
        assert!(a.table.is_none() && b.table.is_none(), "{what}: one emitted nothing");
        return;
    };
    if a == b {
        return;
    }
    assert_eq!(a.num_rows(), b.num_rows(), "{what}: the number of rows differs");
    for row in 0..a.num_rows() {
        for (place, field) in a.schema().fields().iter().enumerate() {
            let of = |table: &RecordBatch| table.column(place).slice(row, 1);
            if of(a) != of(b) {
                let (left, right) = (show(&of(a)), show(&of(b)));
                panic!("{what}: row {row}, column `{}`: {left} against {right}", field.name());
            }
        }
    }
}

fn show(array: &ArrayRef) -> String {
    let options = FormatOptions::default().with_null("null");
    match ArrayFormatter::try_new(array.as_ref(), &options) {
        Ok(formatter) => formatter.value(0).to_string(),
        Err(error) => error.to_string(),
    }
}

fn assert_same_bytes(a: &[u8], b: &[u8], what: &str) {
    if a != b {
        let place = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
        panic!("{what}: snapshots of {} and {} bytes differ at byte {place}", a.len(), b.len());
    }
}

//! The output: what was said of rows, as a table.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use sluicegate_core::Roles;

use crate::detector::{Statistic, Verdict};
use crate::error::AnomalyError;
use crate::rows::Rows;

/// The columns, in order.
///
/// | column | what it is |
/// |---|---|
/// | `partition`, `offset`, `key`, `time` | the event |
/// | `target`, `observed`, `forecast` | as they came in |
/// | `score` | the sum of the parts; null where there is none, and where there is no value to judge |
/// | `value_part`, `level_part`, `error_part` | the parts, each from 0 to 1; null while there is nothing to compare with |
/// | `alarm` | whether the row makes an alarm |
/// | `reason` | of an alarm: the statistic with the largest part, `value`, `level` or `error`; else null |
pub(crate) fn schema() -> SchemaRef {
    let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let part = |statistic: Statistic| number(&format!("{}_part", statistic.as_str()));
    let mut fields = vec![
        Field::new("partition", text(), false),
        Field::new("offset", DataType::Int64, true),
        Field::new("key", text(), true),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("target", text(), false),
        number("observed"),
        number("forecast"),
        number("score"),
    ];
    fields.extend(Statistic::ALL.map(part));
    fields.extend([Field::new("alarm", DataType::Boolean, false), Field::new("reason", text(), true)]);
    let roles = Roles { key: Some("key".into()), time: Some("time".into()) };
    roles.mark(&Arc::new(Schema::new(fields)))
}

/// A table in the making.
#[derive(Default)]
pub(crate) struct Table {
    partitions: StringDictionaryBuilder<Int32Type>,
    events: Int64Builder,
    keys: StringDictionaryBuilder<Int32Type>,
    times: TimestampMicrosecondBuilder,
    targets: StringDictionaryBuilder<Int32Type>,
    /// Observed, forecast, score and the parts.
    numbers: [Float64Builder; 6],
    alarms: BooleanBuilder,
    reasons: StringDictionaryBuilder<Int32Type>,
}

impl Table {
    /// Adds what was said of a row.
    pub(crate) fn push(
        &mut self,
        partition: &str,
        rows: &Rows,
        row: usize,
        target: &str,
        verdict: Option<&Verdict>,
    ) -> Result<(), AnomalyError> {
        self.partitions.append(partition)?;
        self.events.append_option(rows.events.is_valid(row).then(|| rows.events.value(row)));
        self.keys.append_option(rows.key(row));
        self.times.append_option(rows.time(row));
        self.targets.append(target)?;
        let parts = verdict.map_or([None; 3], |verdict| verdict.parts);
        let finite = |number: Option<f64>| number.filter(|number| !number.is_nan());
        let numbers =
            [finite(rows.observed(row)), finite(rows.forecast(row)), verdict.and_then(|verdict| verdict.score)];
        for (builder, number) in self.numbers.iter_mut().zip(numbers.into_iter().chain(parts)) {
            builder.append_option(number);
        }
        let alarm = verdict.filter(|verdict| verdict.alarm);
        self.alarms.append_value(alarm.is_some());
        self.reasons.append_option(alarm.map(|verdict| verdict.reason().as_str()));
        Ok(())
    }

    /// The table, under `schema`.
    pub(crate) fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch, AnomalyError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.partitions.finish()),
            Arc::new(self.events.finish()),
            Arc::new(self.keys.finish()),
            Arc::new(self.times.finish().with_timezone("UTC")),
            Arc::new(self.targets.finish()),
        ];
        columns.extend(self.numbers.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.extend([Arc::new(self.alarms.finish()) as ArrayRef, Arc::new(self.reasons.finish())]);
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

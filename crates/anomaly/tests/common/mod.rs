//! Logs as a forecast operator writes them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use sluicegate_anomaly::AnomalyConfig;
use sluicegate_core::{
    Batch, Metrics, Offset, Offsets, Operator, OperatorConfig, PartitionId, PipelineContext, ShardContext,
};

/// Who forecasts, the product first.
const MODELS: [&str; 2] = ["forecast", "persistence"];
/// How far ahead.
const HORIZONS: [i32; 2] = [1, 3];

/// One event: its key, and per target what was observed and forecast.
pub(crate) type Event = (Option<String>, Vec<(Option<f64>, Option<f64>)>);

/// A row per event, target, horizon and model. The control's forecasts are off by a hundred, and so are those three ahead.
pub(crate) fn long(events: &[Event]) -> Batch {
    let (mut offsets, mut keys, mut targets, mut horizons, mut models) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut observed, mut forecasts) = (vec![], vec![]);
    for (offset, (key, of_targets)) in events.iter().enumerate() {
        for (target, (value, forecast)) in of_targets.iter().enumerate() {
            for horizon in HORIZONS {
                for (place, model) in MODELS.into_iter().enumerate() {
                    let off = if horizon == 1 && place == 0 { 0.0 } else { 100.0 };
                    offsets.push(offset as i64);
                    keys.push(key.as_deref());
                    targets.push(format!("y{target}"));
                    horizons.push(horizon);
                    models.push(model);
                    observed.push(*value);
                    forecasts.push(forecast.map(|forecast| forecast + off));
                }
            }
        }
    }
    let rows = offsets.len();
    let time: TimestampMicrosecondArray = offsets.iter().map(|offset| Some(offset * 60_000_000)).collect();
    let columns: [(&str, ArrayRef); 8] = [
        ("offset", Arc::new(Int64Array::from(offsets))),
        ("key", Arc::new(keys.into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("time", Arc::new(time.with_timezone("UTC"))),
        ("target", Arc::new(targets.into_iter().map(Some).collect::<StringArray>())),
        ("horizon", Arc::new(Int32Array::from(horizons))),
        ("model", Arc::new(models.into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("observed", Arc::new(Float64Array::from(observed))),
        ("forecast", Arc::new(Float64Array::from(forecasts))),
    ];
    let records = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    Batch::new(partition(), Offsets::dense(Offset(0), rows).unwrap(), records).unwrap()
}

/// Events of several keys, one of them missing, with waves, jumps, gaps and hostile numbers.
pub(crate) fn events(count: usize, keys: u64, targets: usize) -> Vec<Event> {
    let mut state = 7_u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let hostile = [f64::NAN, f64::INFINITY, 1e30, -1e30, 1e300];
    let mut event = |row: usize| {
        let key = draw(keys);
        let mut numbers = |target: usize| {
            let wave = ((row as f64) / 9.0).sin() * 10.0 + draw(1000) as f64 / 500.0 + target as f64;
            let value = if draw(60) == 0 { wave + 80.0 } else { wave };
            let forecast = (draw(20) != 0).then_some(wave + draw(100) as f64 / 50.0);
            let value = match draw(40) {
                0 => None,
                1 => Some(hostile[draw(5) as usize]),
                _ => Some(value),
            };
            (value, forecast)
        };
        let numbers = (0..targets).map(&mut numbers).collect();
        ((key > 0).then(|| format!("k{key}")), numbers)
    };
    (0..count).map(&mut event).collect()
}

pub(crate) fn partition() -> PartitionId {
    PartitionId::new("p")
}

/// A fresh operator for logs of [`long`].
pub(crate) fn build(config: &AnomalyConfig, metrics: Metrics) -> Box<dyn Operator> {
    let schema = long(&[]).records().schema();
    let factory = config.clone().bind(&schema, &PipelineContext::default()).unwrap();
    factory.build(&ShardContext::new(partition(), "anomaly", metrics)).unwrap()
}

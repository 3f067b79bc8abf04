//! From settings and columns to an operator per shard, and the operator itself.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    Batch, BoxError, ConfigError, Counter, Offsets, Operator, OperatorConfig, OperatorFactory, Output, PartitionId,
    PipelineContext, ShardContext, SnapshotReader, SnapshotWriter,
};

use crate::config::{AnomalyConfig, Emit};
use crate::error::AnomalyError;
use crate::rows::{self, Rows};
use crate::search::Search;
use crate::series::AllSeries;
use crate::table::{self, Table};

/// An anomaly operator's settings, checked against the columns it will get.
struct Factory {
    config: AnomalyConfig,
    schema: SchemaRef,
}

impl OperatorConfig for AnomalyConfig {
    fn bind(self, input: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        self.validate()?;
        rows::check(input)?;
        Ok(Box::new(Factory { config: self, schema: table::schema() }))
    }
}

impl OperatorFactory for Factory {
    fn output_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn identity(&self) -> Option<String> {
        let settings = settings(&self.config);
        Some(settings.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("; "))
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        let labels = [("operator", shard.component.as_str()), ("partition", shard.partition.as_str())];
        Ok(Box::new(AnomalyOperator {
            partition: shard.partition.clone(),
            config: self.config.clone(),
            schema: Arc::clone(&self.schema),
            model: self.config.model.clone(),
            search: Search::default(),
            series: AllSeries::new(&self.config),
            alarms: shard.metrics.counter("anomaly_alarms", &labels),
            unscored: shard.metrics.counter("anomaly_rows_without_value", &labels),
        }))
    }
}

/// Settings under which a state means what it does, each with its value in words. The others decide what is an alarm and what is
/// emitted, and may change from one run to the next.
fn settings(config: &AnomalyConfig) -> [(&'static str, String); 2] {
    [
        ("model", config.model.as_ref().map_or("that of the first row".to_owned(), |model| format!("`{model}`"))),
        ("history_max", config.history_max.to_string()),
    ]
}

/// Watches the series of one partition. See [`AnomalyConfig`].
struct AnomalyOperator {
    partition: PartitionId,
    config: AnomalyConfig,
    schema: SchemaRef,
    /// Whose forecasts are looked at; `None` before the first row where the settings do not say.
    model: Option<String>,
    search: Search,
    series: AllSeries,
    alarms: Counter,
    unscored: Counter,
}

impl AnomalyOperator {
    /// Whether a row was forecast by the model that is looked at.
    fn is_of_model(&mut self, model: &str) -> bool {
        self.model.get_or_insert_with(|| model.to_owned()) == model
    }
}

impl Operator for AnomalyOperator {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        if *batch.partition() != self.partition {
            let (expected, found) = (self.partition.clone(), batch.partition().clone());
            return Err(AnomalyError::WrongPartition { expected, found }.into());
        }
        let rows = Rows::of(&batch)?;
        let (mut table, mut kept) = (Table::default(), Vec::new());
        for row in 0..rows.len() {
            let model = rows.model(row);
            let is_of_model = model.is_some_and(|model| self.is_of_model(model));
            let Some(target) = rows.target_at_next(row).filter(|_| is_of_model) else {
                self.search.passed_over(model, self.model.as_deref())?;
                continue;
            };
            self.search.found();
            let detector = self.series.see(rows.key(row), target);
            let verdict = detector.observe(rows.observed(row), rows.forecast(row));
            let alarm = verdict.is_some_and(|verdict| verdict.alarm);
            self.alarms.add(u64::from(alarm));
            self.unscored.add(u64::from(verdict.is_none()));
            if alarm || self.config.emit == Emit::All {
                table.push(self.partition.as_str(), &rows, row, target, verdict.as_ref())?;
                kept.push(row);
            }
        }
        // At most one row comes of a row, so its offset stays.
        let offsets: Vec<i64> = kept.iter().filter_map(|row| Some(batch.offsets().get(*row)?.0)).collect();
        out.emit(Batch::new(self.partition.clone(), Offsets::sparse(offsets)?, table.finish(&self.schema)?)?);
        Ok(())
    }

    fn finish(&mut self, _: &mut Output) -> Result<(), BoxError> {
        Ok(self.search.end(self.model.as_deref())?)
    }

    fn retain_keys(&mut self, keep: &dyn Fn(Option<&str>) -> bool) -> Result<(), BoxError> {
        self.series.retain_keys(keep);
        Ok(())
    }

    fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        let settings = settings(&self.config);
        to.strings("settings.names", settings.iter().map(|(name, _)| *name))?;
        to.strings("settings.values", settings.iter().map(|(_, value)| value.as_str()))?;
        to.strings("model", self.model.as_deref())?;
        to.scope("search", |to| self.search.snapshot(to))?;
        Ok(to.scope("series", |to| self.series.snapshot(to))?)
    }

    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        let (names, values) = (from.strings("settings.names")?, from.strings("settings.values")?);
        for (setting, here) in settings(&self.config) {
            let then = names.iter().zip(&values).find(|(name, _)| *name == setting).map(|(_, value)| value.as_str());
            if then != Some(here.as_str()) {
                let snapshot = then.unwrap_or("unknown").to_owned();
                return Err(AnomalyError::Settings { setting, snapshot, here }.into());
            }
        }
        self.model = from.strings("model")?.into_iter().next();
        self.search = Search::restore(&from.scope("search"))?;
        Ok(self.series.restore(&from.scope("series"))?)
    }
}

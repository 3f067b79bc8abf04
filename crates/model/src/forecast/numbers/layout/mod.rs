//! Layouts: how forecasts become rows. One file each.

mod arrays;
mod long;
mod wide;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{PartitionId, Roles};
use sluicegate_score::LEVELS;

use super::issue::Outcome;
use crate::config::LayoutKind;
use crate::error::ModelError;
use crate::forecast::stretch::Stretch;
use crate::wave::Dims;
use long::Long;
use wide::Wide;

/// An optional column of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// The kind of distribution: `student-t`, `gaussian`.
    Family,
    /// The forecast's mean, in the target's own units.
    Mean,
    /// The distribution's scale parameter, in the target's own units.
    Scale,
    /// Degrees of freedom; null for families without.
    Shape,
    /// The seven quantiles `q025` to `q975`.
    Quantiles,
    /// The target's value at this event.
    Observed,
    /// The mean that was issued for this event `horizon` events ago.
    Forecast,
    /// Negative log-likelihood of the value under that forecast, in nats.
    Nll,
    /// Continuous ranked probability score of that forecast, in the target's own units.
    Crps,
    /// Probability integral transform: that forecast's distribution function at the value.
    Pit,
    /// The model's weight in the mixture, where the product is one; null for the mixture itself.
    Weight,
    /// Whether this event's value made an alarm: the operator's forecasts of this target have got worse. Where `drift` is set.
    Drift,
}

impl Column {
    /// All of them, in the order they are emitted.
    pub const ALL: [Self; 12] = [
        Self::Family,
        Self::Mean,
        Self::Scale,
        Self::Shape,
        Self::Quantiles,
        Self::Observed,
        Self::Forecast,
        Self::Nll,
        Self::Crps,
        Self::Pit,
        Self::Weight,
        Self::Drift,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Mean => "mean",
            Self::Scale => "scale",
            Self::Shape => "shape",
            Self::Quantiles => "quantiles",
            Self::Observed => "observed",
            Self::Forecast => "forecast",
            Self::Nll => "nll",
            Self::Crps => "crps",
            Self::Pit => "pit",
            Self::Weight => "weight",
            Self::Drift => "drift",
        }
    }

    /// Whether it says something of a target at an event, whoever forecast it.
    fn is_of_target(self) -> bool {
        matches!(self, Self::Observed | Self::Drift)
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Family => dictionary(),
            Self::Drift => DataType::Boolean,
            _ => DataType::Float64,
        }
    }

    /// The names of the columns it stands for: one, or seven for the quantiles.
    fn names(self) -> Vec<String> {
        match self {
            Self::Quantiles => LEVELS.iter().map(|level| format!("q{:03.0}", level * 1000.0)).collect(),
            other => vec![other.as_str().to_owned()],
        }
    }
}

/// What a layout has to know.
#[derive(Debug, Clone)]
pub(in crate::forecast) struct Plan {
    pub(in crate::forecast) kind: LayoutKind,
    /// Optional columns, in the order of [`Column::ALL`].
    pub(in crate::forecast) columns: Vec<Column>,
    pub(in crate::forecast) dims: Dims,
    pub(in crate::forecast) targets: Vec<String>,
    /// What is shown: names of the product, then of the models beside it.
    pub(in crate::forecast) models: Vec<String>,
    /// Whether events have times.
    pub(in crate::forecast) timed: bool,
    /// Whether events have keys.
    pub(in crate::forecast) keyed: bool,
}

impl Plan {
    pub(in crate::forecast) fn wants(&self, column: Column) -> bool {
        self.columns.contains(&column)
    }

    /// The columns of the output.
    pub(in crate::forecast) fn schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("partition", dictionary(), false),
            Field::new("offset", DataType::Int64, false),
            Field::new("key", dictionary(), true),
            Field::new("time", time_type(), true),
        ];
        fields.extend(match self.kind {
            LayoutKind::Long => long::fields(self),
            LayoutKind::Wide => wide::fields(self),
        });
        let roles = Roles { time: self.timed.then(|| "time".to_owned()), key: self.keyed.then(|| "key".to_owned()) };
        roles.mark(&Schema::new(fields))
    }

    /// Something that turns runs of events of one partition into tables.
    pub(super) fn build(&self, partition: &PartitionId) -> Box<dyn Layout> {
        match self.kind {
            LayoutKind::Long => Box::new(Long::new(self.clone(), partition)),
            LayoutKind::Wide => Box::new(Wide::new(self.clone(), partition)),
        }
    }
}

/// Turns runs of events of one partition into tables.
pub(super) trait Layout: Send {
    /// The table of a stretch and of what became of it.
    fn table(&self, stretch: &Stretch, outcome: Outcome<'_>) -> Result<RecordBatch, ModelError>;

    /// Rows per event.
    fn rows_per_event(&self) -> usize;
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

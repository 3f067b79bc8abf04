//! The metrics there are, and what each means.

use sluicegate::{MetricKind, Sample};

use super::exposition::sane;

/// What all our metrics begin with.
const PREFIX: &str = "sluicegate_";
/// What a counter ends with.
const SUFFIX: &str = "_total";
const PER_NANOSECOND: f64 = 1e-9;

/// A family of metrics that components of ours publish.
pub(super) struct Family {
    /// As components call it.
    name: &'static str,
    /// As Prometheus calls it, without the prefix; made from `name` where it is `None`.
    shown: Option<&'static str>,
    kind: MetricKind,
    /// What a published number is multiplied by.
    scale: f64,
    /// What it means, for people.
    help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, shown: None, kind: MetricKind::Counter, scale: 1.0, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, shown: None, kind: MetricKind::Gauge, scale: 1.0, help }
}

/// A count of nanoseconds, shown in seconds.
const fn nanoseconds(name: &'static str, shown: &'static str, help: &'static str) -> Family {
    Family { name, shown: Some(shown), kind: MetricKind::Counter, scale: PER_NANOSECOND, help }
}

/// Every family that a component of ours publishes, in the order of the documentation.
pub(super) const FAMILIES: &[Family] = &[
    counter("source_rows", "Rows read from a source."),
    // Its own name would be that of the counter above.
    Family {
        shown: Some("source_rows_expected"),
        ..gauge("source_rows_total", "Rows that there are to read in all, NaN where that is not known.")
    },
    counter("operator_rows_in", "Rows that an operator took."),
    counter("operator_rows_out", "Rows that an operator gave."),
    counter("sink_rows", "Rows that were given to a sink."),
    nanoseconds("component_busy_ns", "component_busy_seconds_total", "Time that a component was at work."),
    counter(
        "rejected_rows",
        "Records that went to the dead letters, by the component that refused them and the reason.",
    ),
    gauge(
        "source_rows_behind",
        "Rows between what was read and the end of the partition; NaN where that is not known.",
    ),
    gauge(
        "source_rows_left_out",
        "Rows that were read and are none of the partition's, such as another's in a history.",
    ),
    gauge("shard_state", "What a shard does: 0 starting or recovering, 1 running, 2 stopping, 3 done."),
    counter("restarts", "Times that a shard went back to its last commit and began again from there."),
    counter("commits", "Commits of a shard's position with its output."),
    counter("commit_failures", "Commits that did not happen, or of which nobody knows whether they did."),
    nanoseconds("commit_ns", "commit_seconds_total", "Time spent on commits."),
    gauge("committed_position", "The position that was committed last."),
    counter("checkpoints", "Checkpoints written."),
    counter("checkpoint_failures", "Checkpoints that could not be written."),
    nanoseconds("checkpoint_ns", "checkpoint_seconds_total", "Time spent writing checkpoints."),
    gauge("checkpoint_state_bytes", "Bytes of state in the last checkpoint."),
    counter("forecast_updates", "Times that parameters were updated."),
    nanoseconds("forecast_update_ns", "forecast_update_seconds_total", "Time spent on updates of parameters."),
    counter("forecast_updates_skipped", "Updates left out because a gradient was no finite number."),
    counter("forecast_windows", "Training windows learned from."),
    counter("forecast_windows_dropped", "Training windows left out because a loss or gradient was no finite number."),
    counter(
        "forecast_steps_recomputed",
        "Earlier events that were worked on again, with `model.kind = \"full-history\"`: up to `history_max` for every \
         event, so this is what it costs.",
    ),
    counter("forecast_states_reset", "Times that a key's state was begun anew because it was no finite number."),
    counter("forecast_rollbacks", "Times that parameters were put back because updates kept failing."),
    counter("forecast_keys", "Keys seen; one that comes back after it was forgotten counts again."),
    gauge("forecast_keys_known", "Keys remembered now, those of earlier runs included."),
    counter("forecast_keys_evicted", "Keys forgotten, by age or for want of room."),
    counter("forecast_bad_values", "Values taken as missing, carried on or left in place, by column and reason."),
    gauge(
        "forecast_score",
        "A mean score of a model so far: label stat says which (n is the number of events), label model whose; the \
         controls stand beside the operator's own forecast.",
    ),
    gauge("forecast_contexts", "Contexts that count experts remember, with `model.experts`."),
    gauge(
        "forecast_window",
        "Events that the gradient flows back through by now, with `model.bptt.window = { adaptive = … }`.",
    ),
    gauge(
        "forecast_window_bias",
        "The relative bias that such a window is thought to leave; NaN where none is known yet.",
    ),
    gauge("forecast_weight", "The weight of a member in the mixture, averaged over the keys that are remembered."),
    counter("forecast_drift_alarms", "Times that the forecasts of a key's target were found to have got worse."),
    gauge("forecast_standardised", "1 where scores are in each target's standard deviations, 0 where in its own unit."),
    counter(
        "symbols_values_replaced",
        "Values in which something was no UTF-8 and was replaced, with `bad_utf8 = \"replace\"`.",
    ),
];

/// How a family is shown.
#[derive(Debug, Clone)]
pub(super) struct Exposed {
    pub(super) name: String,
    pub(super) kind: MetricKind,
    pub(super) scale: f64,
    /// `None` where it is nobody's of ours.
    pub(super) help: Option<&'static str>,
}

impl Exposed {
    /// How the family that `sample` belongs to is shown.
    pub(super) fn of(sample: &Sample) -> Self {
        match FAMILIES.iter().find(|family| family.name == sample.name) {
            Some(family) => {
                Self { name: family.shown_name(), kind: family.kind, scale: family.scale, help: Some(family.help) }
            }
            None => Self { name: shown_name(&sample.name, sample.kind), kind: sample.kind, scale: 1.0, help: None },
        }
    }
}

impl Family {
    pub(super) fn shown_name(&self) -> String {
        match self.shown {
            Some(shown) => format!("{PREFIX}{shown}"),
            None => shown_name(self.name, self.kind),
        }
    }
}

fn shown_name(name: &str, kind: MetricKind) -> String {
    let suffix = if kind == MetricKind::Counter && !name.ends_with(SUFFIX) { SUFFIX } else { "" };
    format!("{PREFIX}{}{suffix}", sane(name, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The table of `docs/operate.md`.
    fn documented() -> String {
        let kind = |family: &Family| if family.kind == MetricKind::Counter { "counter" } else { "gauge" };
        let row = |family: &Family| format!("| `{}` | {} | {} |\n", family.shown_name(), kind(family), family.help);
        let head = "| metric | type | what it is |\n|---|---|---|\n";
        FAMILIES.iter().fold(head.to_owned(), |table, family| table + &row(family))
    }

    #[test]
    fn the_documentation_lists_every_metric() {
        let page = include_str!("../../../../docs/operate.md");
        let table = documented();
        assert!(page.contains(&table), "docs/operate.md should hold this table:\n{table}");
    }

    #[test]
    fn no_two_families_are_shown_by_one_name() {
        let names: BTreeSet<String> = FAMILIES.iter().map(Family::shown_name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        let counters = FAMILIES.iter().filter(|family| family.kind == MetricKind::Counter);
        assert!(counters.clone().all(|family| family.shown_name().ends_with(SUFFIX)));
        assert!(counters.count() < FAMILIES.len());
    }
}

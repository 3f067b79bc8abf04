//! What several test modules need.

use sluicegate::{MetricKind, Sample};

/// The sample by which an operator says that its scores are in units of each target's deviation.
pub(crate) fn standardised(operator: &str) -> Vec<Sample> {
    let labels = vec![("operator".to_owned(), operator.to_owned())];
    vec![Sample { name: "forecast_standardised".into(), kind: MetricKind::Gauge, labels, value: 1.0 }]
}

/// The samples of one score of `n` events whose errors are all `value`. NLL and CRPS are `value` too, coverages one half; all
/// is NaN where `value` is.
#[expect(clippy::too_many_arguments, reason = "one for each label")]
pub(crate) fn score(
    operator: &str,
    partition: &str,
    model: &str,
    target: &str,
    horizon: u32,
    range: &str,
    n: f64,
    value: f64,
) -> Vec<Sample> {
    let sample = |stat: &str, value: f64| Sample {
        name: "forecast_score".into(),
        kind: MetricKind::Gauge,
        labels: [
            ("operator", operator),
            ("partition", partition),
            ("model", model),
            ("target", target),
            ("horizon", &horizon.to_string()),
            ("range", range),
            ("stat", stat),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        value,
    };
    let mean = |stat: &str| match stat {
        _ if value.is_nan() => f64::NAN,
        "mse" => value * value,
        "mae" | "rmse" => value.abs(),
        coverage if coverage.starts_with("coverage") => 0.5,
        _ => value,
    };
    let means = crate::scores::OF_NUMBERS.iter().map(|stat| sample(stat, mean(stat)));
    means.chain([sample("n", n)]).collect()
}

/// What one operator with a target of classes publishes of one model, over all events, one step ahead.
pub(crate) fn score_of_class(operator: &str, model: &str, target: &str, n: f64, value: f64) -> Vec<Sample> {
    let mut samples = score(operator, "p", model, target, 1, "all", n, value);
    samples.retain(|sample| matches!(sample.label("stat"), Some("nll" | "n")));
    let nll = samples.iter().find(|sample| sample.label("stat") == Some("nll")).cloned();
    for stat in crate::scores::OF_CLASSES {
        samples.extend(nll.clone().map(|mut sample| {
            sample.labels.retain(|(name, _)| name != "stat");
            sample.labels.push(("stat".to_owned(), stat.to_owned()));
            sample
        }));
    }
    samples
}

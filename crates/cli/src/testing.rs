//! What several test modules need.

use sluicegate::Sample;

/// The samples of one score of `n` events; every mean is `value`, but for coverages, which are one half.
#[allow(clippy::too_many_arguments, reason = "one for each label")]
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
    let mean = |stat: &str| if stat.starts_with("coverage") { 0.5 } else { value };
    let means = crate::scores::STATS.iter().map(|stat| sample(stat, mean(stat)));
    means.chain([sample("n", n)]).collect()
}

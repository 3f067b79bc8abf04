//! Metrics in the text format of Prometheus.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sluicegate::{MetricKind, Sample};

use super::families::Exposed;

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All samples, family by family, each with its type and, where it is one of ours, what it means.
pub(super) fn text(samples: &[Sample]) -> String {
    let mut families: BTreeMap<String, (Exposed, Vec<&Sample>)> = BTreeMap::new();
    for sample in samples {
        let exposed = Exposed::of(sample);
        let (first, members) = families.entry(exposed.name.clone()).or_insert_with(|| (exposed.clone(), Vec::new()));
        // A family has one type. A number of another under the same name is a component's mistake.
        if first.kind == exposed.kind {
            members.push(sample);
        }
    }
    let mut text = String::new();
    for (name, (exposed, members)) in &families {
        if let Some(help) = exposed.help {
            let _ = writeln!(text, "# HELP {name} {}", escape(help, false));
        }
        let _ = writeln!(text, "# TYPE {name} {}", kind(exposed.kind));
        for sample in members {
            let _ = writeln!(text, "{name}{} {}", labels(&sample.labels), number(sample.value * exposed.scale));
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(text, "# HELP sluicegate_build_info Always 1; the label says which version runs.");
    let _ = writeln!(text, "# TYPE sluicegate_build_info gauge\nsluicegate_build_info{{version=\"{version}\"}} 1");
    text
}

fn kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    }
}

fn labels(labels: &[(String, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let one = |(name, value): &(String, String)| format!("{}=\"{}\"", sane(name, false), escape(value, true));
    format!("{{{}}}", labels.iter().map(one).collect::<Vec<_>>().join(","))
}

/// Label values escape quotes, help texts do not.
fn escape(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// A name with nothing in it but what a name may have: letters, digits and `_`, and `:` in the name of a metric.
pub(super) fn sane(name: &str, colons: bool) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
    let mut sane: String = name.chars().map(|c| if good(c) { c } else { '_' }).collect();
    if sane.chars().next().is_none_or(|c| c.is_ascii_digit()) {
        sane.insert(0, '_');
    }
    sane
}

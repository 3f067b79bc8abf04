//! The pipeline file that the command line stands for.

use std::path::PathBuf;

use serde_json::Value;
use sluicegate::config::Document;

use crate::args::ProduceArgs;
use crate::failure::Failure;

/// The type of the operator that keeps the pace.
pub(super) const RATE_TYPE: &str = "produce-rate";

/// Batches come so often, at least, where a rate is kept: rows then flow evenly rather than in gusts.
const BATCHES_PER_SECOND: f64 = 20.0;
/// Rows of a batch, at most, as the Parquet source has it by itself.
const BATCH_ROWS_MAX: f64 = 8192.0;

/// A pipeline that does what `args` ask for. Paths are relative to the current folder, and errors name no line: there is no file.
pub(super) fn document(args: &ProduceArgs) -> Result<Document, Failure> {
    let overrides = args.overrides()?;
    Document::parse(PathBuf::new(), text(args), overrides).map_err(|error| Failure::wrong(&error))
}

pub(super) fn text(args: &ProduceArgs) -> String {
    let paths: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
    let mut text = String::from("name = \"produce\"\n\n[source.rows]\ntype = \"parquet\"\n");
    text.push_str(&format!("path = [{}]\n", paths.iter().map(|path| quoted(path)).collect::<Vec<_>>().join(", ")));
    let mut input = "rows";
    if let Some(rate) = args.rate {
        let rows = (rate / BATCHES_PER_SECOND).clamp(1.0, BATCH_ROWS_MAX) as u64;
        text.push_str(&format!("batch_rows = {rows}\n\n[operator.rate]\ntype = \"{RATE_TYPE}\"\n"));
        text.push_str(&format!("input = \"rows\"\nrows_per_second = {rate:?}\n"));
        input = "rate";
    }
    text.push_str(&format!("\n[sink.topic]\ntype = \"kafka\"\ninput = \"{input}\"\ndelivery = \"at-least-once\"\n"));
    let settings = [
        ("bootstrap_servers", Some(&args.bootstrap)),
        ("topic", Some(&args.topic)),
        ("key", args.key.as_ref()),
        ("format", args.format.as_ref()),
    ];
    for (name, value) in settings {
        text.extend(value.map(|value| format!("{name} = {}\n", quoted(value))));
    }
    if !args.properties.is_empty() {
        text.push_str("\n[sink.topic.properties]\n");
        for (name, value) in &args.properties {
            text.push_str(&format!("{} = {}\n", quoted(name), quoted(value)));
        }
    }
    text
}

/// A string of JSON is one of TOML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

//! `sluice components`.

use comfy_table::Cell;
use serde_json::{Map, Value};
use sluicegate::{ComponentInfo, Registry};

use crate::args::ComponentsArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout;
use crate::schema::{Setting, settings, summary};

/// Lists what a registry knows.
pub(crate) fn components(
    args: &ComponentsArgs,
    registry: &Registry,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let all = registry.components();
    let text = if args.json { json(&all) } else { list(&all) };
    console.out(format_args!("{text}"))?;
    Ok(Ending::Done)
}

/// The JSON schemas by kind and type.
fn json(all: &[ComponentInfo]) -> String {
    let mut kinds = Map::new();
    for component in all {
        let kind = kinds.entry(component.kind.as_str()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(kind) = kind {
            kind.insert(component.name.clone(), component.schema.as_value().clone());
        }
    }
    format!("{:#}\n", Value::Object(kinds))
}

fn list(all: &[ComponentInfo]) -> String {
    let described: Vec<String> = all.iter().map(describe).collect();
    described.join("\n")
}

fn describe(component: &ComponentInfo) -> String {
    let mut text = format!("{} {}", component.kind, component.name);
    if let Some(summary) = summary(component.schema.as_value()) {
        text.push_str(&format!(": {summary}"));
    }
    text.push('\n');
    let settings = settings(component.schema.as_value());
    if settings.is_empty() {
        return text + "no settings\n";
    }
    let mut table = layout::table();
    table.set_header(["setting", "type", "default", "what it is"]);
    for Setting { path, type_name, default, doc } in settings {
        table.add_row([path, type_name, default, doc].map(Cell::new));
    }
    text + &layout::text(&table)
}
